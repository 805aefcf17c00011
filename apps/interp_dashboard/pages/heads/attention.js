// The selected head: its pattern as a heat map, and as lines from token to token.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const decoded = new WeakMap();

  // The selected head's pattern, cut from all of them where the prompt is short
  const cut = new WeakMap();
  interp.selectedPattern = () => {
    const all = interp.data.patterns;
    const { layer, head } = interp.view;
    const short =
      all &&
      all.data &&
      layer !== null &&
      all.size === interp.tokens().length &&
      all.key === (interp.status.wanted || {}).patterns;
    if (!short) return interp.data.pattern;
    if (!cut.has(all)) cut.set(all, { raw: interp.bytes(all.data, Uint16Array), heads: {} });
    const { raw, heads } = cut.get(all);
    const name = `${layer}.${head}`;
    if (!heads[name]) {
      const area = all.size * all.size;
      const at = (layer * all.heads + head) * area;
      heads[name] = { ...all, key: `${all.key} ${name}`, layer, head };
      decoded.set(
        heads[name],
        Float32Array.from(raw.subarray(at, at + area), (v) => v / 65535),
      );
    }
    return heads[name];
  };
  interp.pattern = (payload) => {
    if (!decoded.has(payload)) {
      const raw = interp.bytes(payload.data, Uint16Array);
      decoded.set(
        payload,
        Float32Array.from(raw, (v) => v / 65535),
      );
    }
    return decoded.get(payload);
  };
  interp.keyAt = (payload) => {
    if (interp.view.key !== null) return interp.view.key;
    if (!payload) return null;
    const row = interp
      .pattern(payload)
      .subarray(interp.queryAt() * payload.size, (interp.queryAt() + 1) * payload.size);
    return row.reduce((best, value, i) => (value > row[best] ? i : best), 0);
  };
  const short = interp.shortToken;
  interp.payloads.pattern = interp.selectedPattern;
  interp.facts.push((layer, head) => {
    const pattern = interp.selectedPattern();
    if (!pattern || pattern.layer !== layer || pattern.head !== head) return [];
    const tokens = interp.tokens();
    const query = interp.queryAt();
    const row = Array.from(interp.pattern(pattern).subarray(query * pattern.size, (query + 1) * pattern.size));
    const order = row.map((w, i) => [i, w]).toSorted((a, b) => b[1] - a[1]);
    const at = (i) =>
      order[i] && order[i][1] > 0.005 ? `${interp.quoted(tokens[order[i][0]] || "")} ${order[i][1].toFixed(2)}` : "–";
    return [
      [`${interp.quoted(tokens[query] || "")} looks most at`, at(0)],
      ["then at", at(1)],
    ];
  });

  const buildPattern = (el) => {
    const canvas = h("canvas", { role: "img", tabindex: "0" });
    const legend = h("div", { class: "legend-place" });
    el.replaceChildren(legend, h("div", { class: "scroll" }, canvas));
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      const { cell, size, left, top } = el.grid;
      const key = Math.floor((event.clientX - box.left - left) / cell);
      const query = Math.floor((event.clientY - box.top - top) / cell);
      return key < 0 || query < 0 || key >= size || query >= size ? null : { query, key };
    };
    canvas.addEventListener("click", (event) => {
      const cell = at(event);
      if (cell) interp.update(cell);
    });
    canvas.addEventListener("mousemove", (event) => {
      const cell = at(event);
      const tokens = interp.tokens();
      interp.tip(
        event,
        cell && [
          `${interp.quoted(tokens[cell.query] || "")} → ${interp.quoted(tokens[cell.key] || "")}`,
          `attention ${el.matrix[cell.query * el.grid.size + cell.key].toFixed(3)}`,
        ],
      );
    });
    canvas.addEventListener("mouseleave", (event) => interp.tip(event, null));
    return { canvas, legend };
  };

  interp.draw.pattern = (el, payload) => {
    el.parts = el.parts || buildPattern(el);
    const { canvas, legend } = el.parts;
    canvas.hidden = !payload;
    legend.replaceChildren();
    if (!payload) return;
    const { size } = payload;
    const matrix = (el.matrix = interp.pattern(payload));
    const tokens = interp.tokens();
    const labelled = size <= 60;
    const left = labelled ? 84 : 8;
    const bottom = labelled ? 70 : 8;
    const room = Math.min(el.clientWidth - left - 8, 620);
    const cell =
      size > room ? 1 : Math.max(1, Math.min(24, labelled ? Math.max(11, Math.floor(room / size)) : room / size));
    el.grid = { cell, size, left, top: 2 };
    const pen = interp.canvas(canvas, left + size * cell + 6, size * cell + bottom);
    const ramp = interp.ramp("sequential");
    const sheet = new OffscreenCanvas(size, size);
    const image = new ImageData(size, size);
    for (let query = 0; query < size; query++)
      for (let key = 0; key < size; key++) {
        const i = query * size + key;
        const seen = !payload.causal || key <= query;
        const [r, g, b] = ramp[Math.round(matrix[i] * 255)];
        image.data.set([r, g, b, seen ? 255 : 0], 4 * i);
      }
    sheet.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(sheet, left, 2, size * cell, size * cell);
    if (cell >= 8) {
      pen.strokeStyle = interp.css("--card");
      pen.lineWidth = 1;
      pen.beginPath();
      for (let i = 0; i <= size; i++) {
        pen.moveTo(left + i * cell, 2);
        pen.lineTo(left + i * cell, 2 + size * cell);
        pen.moveTo(left, 2 + i * cell);
        pen.lineTo(left + size * cell, 2 + i * cell);
      }
      pen.stroke();
    }
    const query = interp.queryAt();
    const key = interp.keyAt(payload);
    pen.strokeStyle = interp.css("--accent");
    pen.lineWidth = 1.2;
    pen.strokeRect(left, 2 + query * cell, size * cell, Math.max(cell, 2));
    pen.lineWidth = 2.4;
    if (key !== null) pen.strokeRect(left + key * cell, 2 + query * cell, Math.max(cell, 3), Math.max(cell, 3));
    if (labelled) {
      pen.font = `11px ${interp.css("--font")}`;
      pen.textBaseline = "middle";
      tokens.forEach((token, i) => {
        pen.fillStyle = interp.css(i === query ? "--accent" : "--muted");
        pen.textAlign = "right";
        pen.fillText(short(token, 11), left - 6, 2 + (i + 0.5) * cell);
        pen.fillStyle = interp.css(i === key ? "--accent" : "--muted");
        pen.save();
        pen.translate(left + (i + 0.6) * cell, size * cell + 9);
        pen.rotate(-Math.PI / 3);
        pen.fillText(short(token, 11), 0, 0);
        pen.restore();
      });
    }
    canvas.setAttribute(
      "aria-label",
      `Attention pattern of head ${payload.layer}.${payload.head}: ${size} queries by ${size} keys`,
    );
    canvas.dataset.key = payload.key;
    canvas.dataset.head = `${payload.layer}.${payload.head}`;
    legend.append(
      interp.legend("sequential", "0", "1"),
      h("span", { class: "legend-said" }, `head ${payload.layer}.${payload.head}`),
    );
  };

  const LINES = 300;
  interp.draw.lines = (el, payload) => {
    if (!payload) {
      el.replaceChildren();
      return;
    }
    const { size } = payload;
    const matrix = interp.pattern(payload);
    const tokens = interp.tokens();
    const query = interp.queryAt();
    const key = interp.keyAt(payload);
    const step = size <= 40 ? 22 : 18;
    const width = Math.min(Math.max(el.clientWidth, 260), 460);
    const [from, to] = [104, width - 104];
    const svg = h("svg", {
      width,
      height: size * step + 8,
      role: "img",
      "aria-label": `Attention of head ${payload.layer}.${payload.head} from token to token`,
    });
    const lines = [];
    for (let q = 0; q < size; q++)
      for (let k = 0; k < size; k++) {
        const weight = matrix[q * size + k];
        if (weight >= 0.03) lines.push([q, k, weight]);
      }
    const shown = lines
      .toSorted((a, b) => (b[0] === query) - (a[0] === query) || b[2] - a[2])
      .slice(0, LINES)
      .toReversed();
    const colour = interp.css("--accent");
    const middle = (from + to) / 2;
    const y = (i) => i * step + step / 2 + 4;
    for (const [q, k, weight] of shown) {
      const own = q === query;
      svg.append(
        h("path", {
          d: `M${from},${y(q)}C${middle},${y(q)} ${middle},${y(k)} ${to},${y(k)}`,
          fill: "none",
          stroke: own ? colour : interp.css("--muted"),
          "stroke-width": own ? 0.8 + 4.5 * weight : 0.5 + 1.5 * weight,
          opacity: own ? 0.35 + 0.65 * weight : 0.1 + 0.2 * weight,
        }),
      );
    }
    for (let i = 0; i < size; i++) {
      const pick = (change) => () => interp.update(change);
      const weight = matrix[query * size + i];
      svg.append(
        h(
          "text",
          { x: from - 8, y: y(i), class: i === query ? "end chosen" : "end", onclick: pick({ query: i, key: null }) },
          short(tokens[i] || "", 13),
        ),
        h(
          "text",
          { x: to + 8, y: y(i), class: i === key ? "chosen" : "", onclick: pick({ key: i }) },
          short(tokens[i] || "", 9),
        ),
      );
      if (weight >= 0.02) svg.append(h("text", { x: width - 2, y: y(i), class: "end value" }, weight.toFixed(2)));
    }
    const note = lines.length > LINES ? h("p", { class: "note" }, `${LINES} of ${lines.length} lines shown`) : null;
    el.replaceChildren(
      h("div", { class: "scroll tall", tabindex: "0", role: "group", "aria-label": "Lines from token to token" }, svg),
      note || "",
    );
    el.dataset.head = `${payload.layer}.${payload.head}`;
    if (size > 40) el.firstChild.scrollTop = y(query) - 200;
  };

  // The thumbnails of all heads are here before they are asked for
  interp.instead.heads = () => (interp.view.colour === "pattern" ? "thumbs" : "heads");
})();
