// The selected head: its pattern as a heat map, and as lines from token to token.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const shares = (raw) => Float32Array.from(raw, (v) => v / 65535);

  // The selected head's pattern, cut from all of them where the prompt is short
  const decoded = (all) => interp.decoded(all, ({ data }) => ({ raw: interp.bytes(data, Uint16Array), heads: {} }));
  const selectedPattern = () => {
    const all = interp.fresh("patterns");
    const { layer, head } = interp.view;
    if (!all?.data || layer === null) return interp.fresh("pattern", ["layer", "head"]);
    const { raw, heads } = decoded(all);
    const name = `${layer}.${head}`;
    if (!heads[name]) {
      const area = all.size * all.size;
      const at = (layer * all.heads + head) * area;
      heads[name] = { ...all, key: `${all.key} ${name}`, layer, head };
      interp.decoded(heads[name], () => shares(raw.subarray(at, at + area)));
    }
    return heads[name];
  };
  const matrixOf = (payload) => interp.decoded(payload, ({ data }) => shares(interp.bytes(data, Uint16Array)));
  const lookedAt = (payload) => {
    const at = interp.queryAt() * payload.size;
    return matrixOf(payload).subarray(at, at + payload.size);
  };
  const keyAt = (payload) =>
    interp.view.key ?? lookedAt(payload).reduce((best, value, i, row) => (value > row[best] ? i : best), 0);
  // What heads are ranked by while their patterns are shown: attention from the selected query to the selected key
  interp.attended = () => {
    const all = interp.fresh("patterns");
    const selected = selectedPattern();
    if (!all?.data || !selected) return {};
    const [query, key, { raw }] = [interp.queryAt(), keyAt(selected), decoded(all)];
    const at = (layer, head) => raw[((layer * all.heads + head) * all.size + query) * all.size + key] / 65535;
    const upTo = (count) => [...Array(count).keys()];
    const values = upTo(all.layers).map((layer) => upTo(all.heads).map((head) => at(layer, head)));
    return { values, kind: "sequential", saying: `${interp.quotedAt(query)} to ${interp.quotedAt(key)}` };
  };
  const short = interp.shortToken;
  interp.payloads.pattern = selectedPattern;
  interp.payloads.pattern_lines = selectedPattern;
  interp.facts.push((layer, head) => {
    const pattern = selectedPattern();
    if (!pattern || pattern.layer !== layer || pattern.head !== head) return [];
    const order = Array.from(lookedAt(pattern), (weight, key) => [key, weight]).toSorted((a, b) => b[1] - a[1]);
    const at = ([key, weight] = [0, 0]) => (weight > 0.005 ? `${interp.quotedAt(key)} ${weight.toFixed(2)}` : "–");
    return [
      [`${interp.quotedAt(interp.queryAt())} looks most at`, at(order[0])],
      ["then at", at(order[1])],
    ];
  });

  const buildPattern = (el) => {
    const canvas = h("canvas", { role: "img", tabindex: "0" });
    const legend = h("div.legend-place");
    el.replaceChildren(legend, h("div.scroll", canvas));
    const cells = () => {
      const { cell, size, left, top } = el.grid;
      return { left, top, wide: cell, high: cell, columns: size, rows: size };
    };
    const act = ({ row: query, column: key }) => interp.update({ query, key });
    interp.cells(canvas, cells, act, ({ row, column }) => [
      `${interp.quotedAt(row)} → ${interp.quotedAt(column)}`,
      `attention ${el.matrix[row * el.grid.size + column].toFixed(3)}`,
    ]);
    return { canvas, legend };
  };

  const sizes = (width, size) => {
    const labelled = size <= 60;
    const left = labelled ? 84 : 8;
    const room = Math.min(width - left - 8, 620);
    const fit = labelled ? Math.max(11, Math.floor(room / size)) : room / size;
    return { labelled, left, top: 2, size, cell: size > room ? 1 : interp.clamp(fit, 24) };
  };
  const paintRules = (pen, { cell, size, left, top }) => {
    pen.strokeStyle = interp.css("--card");
    pen.lineWidth = 1;
    pen.beginPath();
    for (let i = 0; i <= size; i++) {
      pen.moveTo(left + i * cell, top);
      pen.lineTo(left + i * cell, top + size * cell);
      pen.moveTo(left, top + i * cell);
      pen.lineTo(left + size * cell, top + i * cell);
    }
    pen.stroke();
  };
  const paintTokens = (pen, { cell, size, left, top }, query, key) => {
    pen.font = `11px ${interp.css("--font")}`;
    pen.textBaseline = "middle";
    const ink = (marked) => interp.css(marked ? "--accent" : "--muted");
    interp.tokens().forEach((token, i) => {
      pen.fillStyle = ink(i === query);
      pen.textAlign = "right";
      pen.fillText(short(token, 11), left - 6, top + (i + 0.5) * cell);
      pen.fillStyle = ink(i === key);
      interp.slanted(pen, short(token, 11), [left + (i + 0.6) * cell, size * cell + 9], -Math.PI / 3);
    });
  };
  interp.show("pattern", (el, payload) => {
    el.parts ||= buildPattern(el);
    const { canvas, legend } = el.parts;
    const matrix = (el.matrix = matrixOf(payload));
    const { labelled, left, top, size, cell } = (el.grid = sizes(el.clientWidth, payload.size));
    const pen = interp.canvas(canvas, left + size * cell + 6, size * cell + (labelled ? 70 : 8));
    const ramp = interp.ramp("sequential");
    const seen = (i) => !payload.causal || i % size <= i / size;
    const colour = (i) => seen(i) && ramp[Math.round(matrix[i] * 255)];
    interp.heat(pen, { rows: size, columns: size, colour, box: [left, top, size * cell, size * cell] });
    if (cell >= 8) paintRules(pen, el.grid);
    const [query, key] = [interp.queryAt(), keyAt(payload)];
    pen.strokeStyle = interp.css("--accent");
    pen.lineWidth = 1.2;
    pen.strokeRect(left, top + query * cell, size * cell, Math.max(cell, 2));
    pen.lineWidth = 2.4;
    pen.strokeRect(left + key * cell, top + query * cell, Math.max(cell, 3), Math.max(cell, 3));
    if (labelled) paintTokens(pen, el.grid, query, key);
    const name = `${payload.layer}.${payload.head}`;
    canvas.setAttribute("aria-label", `Attention pattern of head ${name}: ${size} queries by ${size} keys`);
    canvas.dataset.head = name;
    interp.fill(legend, interp.legend("sequential", "0", "1", `head ${name}`));
  });

  const LINES = 300;
  const strongest = (matrix, size, query) => {
    const lines = [];
    matrix.forEach((weight, i) => {
      if (weight >= 0.03) lines.push([Math.floor(i / size), i % size, weight]);
    });
    return lines.toSorted((a, b) => (b[0] === query) - (a[0] === query) || b[2] - a[2]);
  };
  interp.show("lines", (el, payload) => {
    const { size } = payload;
    const matrix = matrixOf(payload);
    const tokens = interp.tokens();
    const [query, key] = [interp.queryAt(), keyAt(payload)];
    const step = size <= 40 ? 22 : 18;
    const width = Math.min(Math.max(el.clientWidth, 260), 460);
    const [from, to, middle] = [104, width - 104, width / 2];
    const y = (i) => i * step + step / 2 + 4;
    const name = `${payload.layer}.${payload.head}`;
    const [accent, muted] = [interp.css("--accent"), interp.css("--muted")];
    const curve = ([q, k, weight]) => {
      const d = `M${from},${y(q)}C${middle},${y(q)} ${middle},${y(k)} ${to},${y(k)}`;
      const look =
        q === query
          ? { stroke: accent, "stroke-width": 0.8 + 4.5 * weight, opacity: 0.35 + 0.65 * weight }
          : { stroke: muted, "stroke-width": 0.5 + 1.5 * weight, opacity: 0.1 + 0.2 * weight };
      return h("path", { d, fill: "none", ...look });
    };
    const word = (kind, x, i, most, change) =>
      h(kind, { x, y: y(i), onclick: () => interp.update(change) }, short(tokens[i] || "", most));
    const row = (weight, i) => [
      word(i === query ? "text.end.chosen" : "text.end", from - 8, i, 13, { query: i, key: null }),
      word(i === key ? "text.chosen" : "text", to + 8, i, 9, { key: i }),
      weight >= 0.02 && h("text.end.value", { x: width - 2, y: y(i) }, weight.toFixed(2)),
    ];
    const lines = strongest(matrix, size, query);
    const label = `Attention of head ${name} from token to token`;
    const svg = h(
      "svg",
      { width, height: size * step + 8, role: "img", "aria-label": label },
      lines.slice(0, LINES).toReversed().map(curve),
      Array.from(lookedAt(payload), row),
    );
    interp.fill(
      el,
      h("div.scroll.tall", { tabindex: "0", role: "group", "aria-label": "Lines from token to token" }, svg),
      lines.length > LINES && h("p.note", `${LINES} of ${lines.length} lines shown`),
    );
    el.dataset.head = name;
    if (size > 40) el.firstChild.scrollTop = y(query) - 200;
  });

  // The thumbnails of all heads are here before they are asked for
  interp.instead.heads = () => (interp.view.colour === "pattern" ? "thumbs" : "heads");
})();
