// All heads on one canvas: layers across, heads down.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const LEFT = 34;
  const BOTTOM = 34;
  const decoded = new WeakMap();

  const thumbs = (payload) => {
    if (!decoded.has(payload)) decoded.set(payload, interp.bytes(payload.data, Uint8Array));
    return decoded.get(payload);
  };

  // Every pattern in small, as one image scaled onto the cells
  const paintThumbs = (pen, payload, cell) => {
    const { layers, heads, side } = payload;
    const values = thumbs(payload);
    const ramp = interp.ramp("sequential");
    const size = cell - 2;
    const shown = Math.max(1, Math.min(side, size));
    const image = new ImageData(layers * side, heads * side);
    const pixels = new Uint32Array(image.data.buffer);
    const packed = ramp.map(([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
    for (let layer = 0, at = 0; layer < layers; layer++)
      for (let head = 0; head < heads; head++)
        for (let row = 0; row < side; row++) {
          let to = (head * side + row) * layers * side + layer * side;
          for (let column = 0; column < side; column++) pixels[to++] = packed[Math.min(255, values[at++] * 2)];
        }
    const sheet = new OffscreenCanvas(layers * side, heads * side);
    sheet.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = shown < side;
    for (let layer = 0; layer < layers; layer++)
      for (let head = 0; head < heads; head++)
        pen.drawImage(
          sheet,
          layer * side,
          head * side,
          side,
          side,
          LEFT + layer * cell + 1,
          head * cell + 1,
          size,
          size,
        );
  };

  const scale = (values, kind, more) => {
    const limit = Math.max(
      1e-9,
      ...values
        .flat()
        .concat(more || [])
        .map((v) => Math.abs(v ?? 0)),
    );
    return kind === "diverging" ? { limit, at: (v) => interp.bySign(v, limit) } : { limit: 1, at: (v) => v };
  };

  const build = (el) => {
    const canvas = h("canvas", {
      tabindex: "0",
      role: "application",
      "aria-label": "All heads: layers across, heads down; arrow keys move the selection",
    });
    const legend = h("div", { class: "legend-place" });
    el.replaceChildren(legend, h("div", { class: "scroll" }, canvas));
    const cellOf = (event) => {
      const box = canvas.getBoundingClientRect();
      const { cell, layers, heads, rows } = el.grid;
      const layer = Math.floor((event.clientX - box.left - LEFT) / cell);
      const head = Math.floor((event.clientY - box.top) / cell);
      if (layer < 0 || layer >= layers || head < 0 || head >= rows) return null;
      return { layer, head, mlp: head >= heads };
    };
    const act = ({ layer, head, mlp }) => {
      if (mlp) interp.toggle(`m${layer}`);
      else if (el.dataset.toggle) {
        const node = `a${layer}.${head}`;
        const { nodes } = interp.view;
        interp.update({
          layer,
          head,
          key: null,
          nodes: nodes.includes(node) ? nodes.filter((n) => n !== node) : [...nodes, node],
        });
      } else interp.select(layer, head);
    };
    canvas.addEventListener("click", (event) => {
      const cell = cellOf(event);
      if (cell) act(cell);
    });
    canvas.addEventListener("mousemove", (event) => {
      const cell = cellOf(event);
      canvas.style.cursor = cell ? "pointer" : "default";
      if (!cell) {
        interp.tip(event, null);
        return;
      }
      if (cell.mlp) {
        interp.tip(event, [
          `MLP ${cell.layer}`,
          el.mlps ? `${el.saying} ${interp.signed(el.mlps[cell.layer], 3)}` : "",
          "click to add to the set or take out",
        ]);
        return;
      }
      const value = el.values && el.values[cell.layer] ? el.values[cell.layer][cell.head] : null;
      const said = el.values
        ? `${el.saying} ${el.kind === "diverging" ? interp.signed(value, 3) : value === null ? "–" : value.toFixed(3)}`
        : "";
      interp.tip(event, [`head ${cell.layer}.${cell.head}`, said]);
    });
    canvas.addEventListener("mouseleave", (event) => interp.tip(event, null));
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      const { layers, heads } = el.grid;
      const { layer, head } = interp.view;
      if (step) {
        event.preventDefault();
        const clamp = (v, most) => Math.max(0, Math.min(most - 1, v));
        interp.select(clamp((layer ?? -step[0]) + step[0], layers), clamp((head ?? -step[1]) + step[1], heads));
      } else if (el.dataset.toggle && (event.key === "Enter" || event.key === " ") && layer !== null) {
        event.preventDefault();
        interp.toggle(`a${layer}.${head}`);
      }
    });
    return { canvas, legend };
  };

  interp.draw.mosaic = (el, given) => {
    const { layers, heads } = interp.model;
    const showsThumbs = Boolean(given && given.side);
    const missing = given && given.missing;
    if (missing) {
      el.parts = null;
      el.replaceChildren(h("p", { class: "note" }, missing));
      return;
    }
    el.parts = el.parts || build(el);
    const { canvas, legend } = el.parts;
    const extra = el.dataset.toggle ? 1 : 0;
    const room = el.clientWidth - LEFT - 4;
    const most = showsThumbs ? 64 : 28;
    const cell = Math.max(9, Math.min(most, Math.floor(room / layers)));
    const rows = heads + extra;
    const width = LEFT + layers * cell + 2;
    const height = rows * cell + BOTTOM;
    el.grid = { cell, layers, heads, rows };
    const pen = interp.canvas(canvas, width, height);
    const { kind = "diverging", saying = "" } = given || {};
    Object.assign(el, { kind, saying, values: showsThumbs ? null : given && given.values });
    const mlps = extra && interp.data[el.dataset.toggle];
    el.mlps = el.values && mlps && mlps.key === (interp.status.wanted || {})[el.dataset.toggle] ? mlps.values : null;

    const empty = interp.css("--line");
    const paint = (layer, head, colour) => {
      pen.fillStyle = colour;
      pen.beginPath();
      pen.roundRect(LEFT + layer * cell + 1, head * cell + 1, cell - 2, cell - 2, cell > 14 ? 3 : 1);
      pen.fill();
    };
    if (showsThumbs) paintThumbs(pen, given, cell);
    else {
      const { at } = el.values ? scale(el.values, kind, el.mlps) : { at: null };
      for (let layer = 0; layer < layers; layer++)
        for (let head = 0; head < heads; head++) {
          const value = el.values && el.values[layer] ? el.values[layer][head] : null;
          paint(layer, head, value === null || value === undefined ? empty : interp.rgb(kind, at(value)));
        }
    }
    if (extra)
      for (let layer = 0; layer < layers; layer++) {
        const value = el.mlps ? el.mlps[layer] : null;
        paint(layer, heads, value === null ? empty : interp.rgb(kind, scale(el.values, kind, el.mlps).at(value)));
      }

    pen.fillStyle = interp.css("--muted");
    pen.font = `11px ${interp.css("--font")}`;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    const everyHead = Math.ceil(heads / 20);
    for (let head = 0; head < heads; head += everyHead) pen.fillText(head, LEFT - 7, head * cell + cell / 2);
    if (extra) pen.fillText("MLP", LEFT - 5, heads * cell + cell / 2);
    pen.textAlign = "center";
    for (let layer = 0; layer < layers; layer += cell < 14 ? 10 : 5)
      pen.fillText(layer, LEFT + layer * cell + cell / 2, rows * cell + 9);
    pen.fillText("layer", LEFT + (layers * cell) / 2, rows * cell + 25);

    const cross = (layer, row) => {
      const x = LEFT + layer * cell + cell / 2;
      const y = row * cell + cell / 2;
      const r = Math.max(2, cell * 0.17);
      pen.strokeStyle = interp.css("--ink");
      pen.lineWidth = 1.8;
      pen.beginPath();
      pen.moveTo(x - r, y - r);
      pen.lineTo(x + r, y + r);
      pen.moveTo(x + r, y - r);
      pen.lineTo(x - r, y + r);
      pen.stroke();
    };
    const edited = new Set(interp.view.nodes);
    if (edited.size)
      for (let layer = 0; layer < layers; layer++) {
        for (let head = 0; head < heads; head++) if (edited.has(`a${layer}.${head}`)) cross(layer, head);
        if (extra && edited.has(`m${layer}`)) cross(layer, heads);
      }
    if (interp.view.layer !== null) {
      pen.strokeStyle = interp.css("--accent");
      pen.lineWidth = 2;
      pen.beginPath();
      pen.roundRect(LEFT + interp.view.layer * cell, interp.view.head * cell, cell, cell, cell > 14 ? 4 : 2);
      pen.stroke();
    }
    legend.replaceChildren();
    if (el.values && kind === "diverging") {
      const { limit } = scale(el.values, kind, el.mlps);
      legend.append(
        interp.legend("diverging", interp.signed(-limit), interp.signed(limit), true),
        h("span", { class: "legend-said" }, saying),
      );
    } else if (given)
      legend.append(
        interp.legend("sequential", "0", showsThumbs ? "≥ 0.5" : "1"),
        h("span", { class: "legend-said" }, saying),
      );
    canvas.dataset.key = given ? given.key : "";
  };

  interp.draw.topheads = (el, payload) => {
    if (!payload) {
      el.replaceChildren();
      return;
    }
    const cells = interp.ranked(payload.values).slice(0, 10);
    const limit = Math.abs(cells[0][2]) || 1;
    el.replaceChildren(
      h(
        "ol",
        { class: "bars" },
        cells.map(([layer, head, value]) => {
          const selected = layer === interp.view.layer && head === interp.view.head;
          const colour = interp.rgb("diverging", value < 0 ? 0.1 : 0.88);
          return h(
            "li",
            {},
            h(
              "button",
              {
                class: "bar",
                "aria-pressed": String(selected),
                "data-head": `${layer}.${head}`,
                onclick: () => interp.select(layer, head),
              },
              h("span", { class: "bar-name" }, `${layer}.${head}`),
              h(
                "span",
                { class: "bar-track" },
                h("span", { style: `width:${(100 * Math.abs(value)) / limit}%;background:${colour}` }),
              ),
              h("span", { class: "bar-value" }, interp.signed(value)),
            ),
          );
        }),
      ),
    );
  };
})();
