// All heads on one canvas: layers across, heads down.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const LEFT = 34;
  const BOTTOM = 34;
  // Thumbnails of all patterns, as one image scaled onto the cells
  const paintThumbs = (pen, payload, cell) => {
    const { layers, heads, side } = payload;
    const values = interp.decoded(payload, ({ data }) => interp.bytes(data, Uint8Array));
    const ramp = interp.ramp("sequential");
    const size = cell - 2;
    const resolution = Math.max(1, Math.min(side, size));
    const image = new ImageData(layers * side, heads * side);
    const pixels = new Uint32Array(image.data.buffer);
    const colours = ramp.map(([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
    for (let layer = 0, at = 0; layer < layers; layer++)
      for (let head = 0; head < heads; head++)
        for (let row = 0; row < side; row++) {
          let to = (head * side + row) * layers * side + layer * side;
          for (let column = 0; column < side; column++) pixels[to++] = colours[Math.min(255, values[at++] * 2)];
        }
    const sheet = new OffscreenCanvas(layers * side, heads * side);
    sheet.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = resolution < side;
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

  // A limit of the payload's own is where a scale ends that values may go beyond
  const scaleOf = ({ values, kind, mlps, supports, most }) => {
    if (kind !== "diverging") return { limit: 1, at: (v) => v };
    const largest = Math.max(1e-9, ...[...(values || []).flat(), ...(mlps || [])].map((v) => Math.abs(v ?? 0)));
    const limit = most ?? largest;
    return { limit, beyond: largest > limit, at: (v) => interp.bySign(v, limit, supports) };
  };

  const describe = (el, layer, head) => {
    const number = (v) => (el.kind === "diverging" ? interp.signed(v, 3) : (v?.toFixed(3) ?? "–"));
    const line = (values, v) => (values ? `${el.saying} ${number(v)} ${el.unit}` : "");
    const more = (el.more || []).map(([name, values]) => `${name} ${number(values[layer]?.[head])}`);
    if (head < el.grid.heads) return [`head ${layer}.${head}`, line(el.values, el.values?.[layer]?.[head]), ...more];
    return [`MLP ${layer}`, line(el.mlps, el.mlps?.[layer]), "click to add to the set or take out"];
  };
  const build = (el) => {
    const label = "All heads: layers across, heads down; arrow keys move the selection";
    const canvas = h("canvas", { tabindex: "0", role: "application", "aria-label": label });
    const legend = h("div.legend-place");
    el.replaceChildren(legend, h("div.scroll", canvas));
    const cells = () => {
      const { cell, layers, rows } = el.grid;
      return { left: LEFT, wide: cell, high: cell, columns: layers, rows };
    };
    const act = ({ column: layer, row: head }) => {
      if (head === el.grid.heads) interp.toggle("nodes", `m${layer}`);
      else if (el.dataset.toggle) interp.toggle("nodes", interp.headNode(layer, head), { layer, head, key: null });
      else interp.select(layer, head);
    };
    interp.cells(canvas, cells, act, ({ column, row }) => describe(el, column, row));
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      const { layers, heads } = el.grid;
      const shift = (from, by, most) => interp.clamp((from ?? -by) + by, most - 1);
      interp.select(shift(interp.view.layer, step[0], layers), shift(interp.view.head, step[1], heads));
    });
    const toggle = () => {
      const { layer, head } = interp.view;
      if (layer !== null) interp.toggle("nodes", interp.headNode(layer, head));
    };
    if (el.dataset.toggle) interp.onEnter(canvas, toggle, ["Enter", " "]);
    return { canvas, legend };
  };

  const paintCells = (pen, el) => {
    const { cell, layers, heads, rows } = el.grid;
    const empty = interp.css("--line");
    const at = el.values && scaleOf(el).at;
    for (let layer = 0; layer < layers; layer++)
      for (let row = el.thumbs ? heads : 0; row < rows; row++) {
        const value = row < heads ? el.values?.[layer]?.[row] : el.mlps?.[layer];
        pen.fillStyle = (value ?? null) === null ? empty : interp.rgb(el.kind, at(value));
        pen.beginPath();
        pen.roundRect(LEFT + layer * cell + 1, row * cell + 1, cell - 2, cell - 2, cell > 14 ? 3 : 1);
        pen.fill();
      }
  };
  const paintAxes = (pen, { cell, layers, heads, rows }) => {
    pen.fillStyle = interp.css("--muted");
    pen.font = `11px ${interp.css("--font")}`;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    const every = Math.ceil(heads / 20);
    for (let head = 0; head < heads; head += every) pen.fillText(head, LEFT - 7, (head + 0.5) * cell);
    if (rows > heads) pen.fillText("MLP", LEFT - 5, (heads + 0.5) * cell);
    pen.textAlign = "center";
    for (let layer = 0; layer < layers; layer += cell < 14 ? 10 : 5)
      pen.fillText(layer, LEFT + (layer + 0.5) * cell, rows * cell + 9);
    pen.fillText("layer", LEFT + (layers * cell) / 2, rows * cell + 25);
  };
  // A cross on what is edited, a frame around what is selected
  const paintMarks = (pen, { cell, layers, heads, rows }) => {
    const r = Math.max(2, cell * 0.17);
    pen.strokeStyle = interp.css("--ink");
    pen.lineWidth = 1.8;
    pen.beginPath();
    const edited = new Set(interp.view.nodes);
    const cross = (layer, row) => {
      const [x, y] = [LEFT + (layer + 0.5) * cell, (row + 0.5) * cell];
      pen.moveTo(x - r, y - r);
      pen.lineTo(x + r, y + r);
      pen.moveTo(x + r, y - r);
      pen.lineTo(x - r, y + r);
    };
    for (let layer = 0; layer < layers; layer++)
      for (let row = 0; row < rows; row++)
        if (edited.has(row < heads ? interp.headNode(layer, row) : `m${layer}`)) cross(layer, row);
    pen.stroke();
    const { layer, head } = interp.view;
    if (layer === null) return;
    pen.strokeStyle = interp.css("--accent");
    pen.lineWidth = 2;
    pen.beginPath();
    pen.roundRect(LEFT + layer * cell, head * cell, cell, cell, cell > 14 ? 4 : 2);
    pen.stroke();
  };

  interp.draw.mosaic = (el, payload) => {
    if (payload?.missing) {
      el.parts = null;
      interp.fill(el, h("p.note", payload.missing));
      return;
    }
    el.parts ||= build(el);
    const { canvas, legend } = el.parts;
    const { layers, heads } = interp.model;
    const thumbs = Boolean(payload?.side);
    const rows = heads + (el.dataset.toggle ? 1 : 0);
    const cell = Math.max(9, Math.min(thumbs ? 64 : 28, Math.floor((el.clientWidth - LEFT - 4) / layers)));
    const { kind = "diverging", saying = "", unit = "", supports = "", limit: most, more } = payload || {};
    const values = thumbs ? null : payload?.values;
    const mlps = el.dataset.toggle ? payload?.mlps : null;
    Object.assign(el, {
      kind,
      saying,
      unit,
      supports,
      most,
      more,
      thumbs,
      values,
      mlps,
      grid: { cell, layers, heads, rows },
    });
    const pen = interp.canvas(canvas, LEFT + layers * cell + 2, rows * cell + BOTTOM);
    if (thumbs) paintThumbs(pen, payload, cell);
    paintCells(pen, el);
    paintAxes(pen, el.grid);
    paintMarks(pen, el.grid);
    const { limit, beyond } = values || mlps ? scaleOf(el) : {};
    const [less, over] = beyond ? ["≤ ", "≥ "] : ["", ""];
    const ends =
      values && kind === "diverging"
        ? [less + interp.signed(-limit), over + interp.signed(limit)]
        : ["0", thumbs ? "≥ 0.5" : "1"];
    const words = unit ? `${saying} (${unit})` : saying;
    interp.fill(legend, payload && interp.legend(thumbs ? "sequential" : kind, ...ends, words, supports));
    canvas.dataset.key = payload?.key ?? "";
  };

  // The strongest heads by what the cells are coloured by
  interp.show("topheads", (el, payload) => {
    const { values, kind, saying } = payload.side ? interp.attended() : payload;
    if (!values) {
      interp.fill(el, payload.side && h("p.note", "The prompt is too long to rank every head's pattern."));
      return;
    }
    const cells = interp.ranked(values).slice(0, 10);
    const signed = kind === "diverging";
    const limit = Math.abs(cells[0]?.[2]) || 1;
    const colour = (value) =>
      signed ? interp.sideColour(value, payload.supports) : interp.rgb(kind, 0.35 + (0.65 * value) / limit);
    const bar = ([layer, head, value]) => {
      const name = `${layer}.${head}`;
      const selected = layer === interp.view.layer && head === interp.view.head;
      const style = `width:${(100 * Math.abs(value)) / limit}%;background:${colour(value)}`;
      return h(
        "button.bar",
        { "aria-pressed": String(selected), "data-head": name, onclick: () => interp.select(layer, head) },
        h("span.bar-name", name),
        h("span.bar-track", h("span", { style })),
        h("span.bar-value", signed ? interp.signed(value) : value.toFixed(3)),
      );
    };
    interp.fill(
      el,
      h("h3", payload.unit ? `${saying}, ${payload.unit}` : saying),
      h(
        "ol",
        { "aria-label": saying },
        cells.map((cell) => h("li", bar(cell))),
      ),
    );
  });
})();
