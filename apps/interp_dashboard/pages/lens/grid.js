// The lens as a grid: the token that each layer would predict at each position.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  const LEFT = 34;
  const BOTTOM = 62;
  const buildGrid = (el) => {
    const canvas = h("canvas", {
      role: "application",
      tabindex: "0",
      "aria-label": "Logit lens: layers down, positions across; left and right arrow keys move the position",
    });
    const legend = h("div.legend-place");
    const whole = h("div", canvas);
    const box = h("div.scroll.panned", { tabindex: "0", role: "group", "aria-label": "Logit lens" }, whole);
    el.replaceChildren(legend, box);
    const cells = () => {
      const { wide, high, rows, columns } = el.grid;
      return { left: LEFT - box.scrollLeft, wide, high, rows, columns, axis: LEFT };
    };
    const act = ({ column }) => interp.update({ query: column, key: null });
    const describe = ({ row, column }) => {
      const { top, prob, rank } = el.payload;
      const layer = top.length - 1 - row;
      const after = interp.quotedAt(column);
      const lines = top[layer][column].map(([text, p]) => `${interp.quoted(text)} ${interp.percent(p)}`);
      const own = () =>
        `${interp.quoted(interp.view.answer)}: rank ${rank[layer][column]}, ${interp.percent(prob[layer][column])}`;
      return [`layer ${layer}, after ${after}`, ...lines, ...(prob ? [own()] : [])];
    };
    interp.cells(canvas, cells, act, describe, () => ({ row: 0, column: interp.queryAt() }));
    interp.panned(box, () => paint(el));
    return { canvas, legend, box, whole };
  };

  const font = (weight, size) => `${weight} ${size}px ${interp.css("--font")}`;
  const paintCell = (pen, { wide, high }, x, y, [[text, p]]) => {
    const shade = Number(p);
    pen.fillStyle = interp.rgb("sequential", shade);
    pen.fillRect(x + 0.5, y + 0.5, wide - 1, high - 1);
    pen.fillStyle = interp.inkOn("sequential", shade);
    pen.textAlign = "center";
    pen.font = font(text === interp.view.answer ? 700 : 400, 10.5);
    pen.fillText(interp.shortToken(text, Math.floor((wide - 4) / 6)), x + wide / 2, y + high / 2 + 0.5);
  };
  // The columns in sight
  const paintColumns = (pen, el, place, width) => {
    const { wide, high, rows, columns } = el.grid;
    const [first, last] = interp.inSight(el.parts.box.scrollLeft, width - LEFT, wide, columns);
    const query = interp.queryAt();
    for (let pos = first; pos <= last; pos++) {
      el.payload.top.forEach((tops, layer) =>
        paintCell(pen, el.grid, place(pos), (rows - 1 - layer) * high, tops[pos]),
      );
      pen.fillStyle = interp.css(pos === query ? "--accent" : "--muted");
      pen.font = font(400, 11);
      const token = interp.shortToken(interp.tokens()[pos] || "", 12);
      interp.slanted(pen, token, [place(pos) + 0.55 * wide, rows * high + 10], -Math.PI / 5);
    }
    pen.strokeStyle = interp.css("--accent");
    pen.lineWidth = 2;
    pen.strokeRect(place(query), 0.5, wide, rows * high - 0.5);
  };
  const paint = (el) => {
    const { canvas, box } = el.parts;
    const { wide, high, rows, columns } = el.grid;
    const width = Math.min(LEFT + columns * wide + 4, box.clientWidth - 4);
    const pen = interp.canvas(canvas, width, rows * high + BOTTOM);
    pen.textBaseline = "middle";
    pen.save();
    pen.beginPath();
    pen.rect(LEFT - 1, 0, width, rows * high + 1);
    pen.rect(0, rows * high, width, BOTTOM); // a token's end reaches below the layers' numbers
    pen.clip();
    paintColumns(pen, el, (pos) => LEFT + pos * wide - box.scrollLeft, width);
    pen.restore();
    pen.fillStyle = interp.css("--muted");
    pen.font = font(400, 11);
    pen.textAlign = "right";
    for (let layer = 0; layer < rows; layer++)
      if (layer % 5 === 0 || layer === rows - 1) pen.fillText(layer, LEFT - 6, (rows - 1 - layer + 0.5) * high);
  };
  interp.show("lensgrid", (el, payload) => {
    el.parts ||= buildGrid(el);
    el.payload = payload;
    const { box, legend, whole } = el.parts;
    const [rows, columns, high] = [payload.top.length, payload.top[0].length, 19];
    const fit = Math.min(96, Math.floor((el.clientWidth - LEFT - 6) / columns));
    const wide = Math.max(46, fit);
    el.grid = { wide, high, rows, columns };
    whole.style.width = `${LEFT + columns * wide + 4}px`;
    const query = interp.queryAt();
    const place = { x: [LEFT + query * wide, wide], inset: LEFT };
    interp.reveal(el, box, `${query} ${interp.view.clean}`, place);
    paint(el);
    interp.fill(legend, interp.legend("sequential", "0", "1", "probability of the top token"));
  });
})();
