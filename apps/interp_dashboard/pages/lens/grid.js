// The lens as a grid: the token that each layer would predict at each position.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  const LEFT = 34;
  const buildGrid = (el) => {
    const canvas = h("canvas", {
      role: "img",
      tabindex: "0",
      "aria-label": "Logit lens: layers down, positions across",
    });
    const legend = h("div.legend-place");
    el.replaceChildren(legend, h("div.scroll", { tabindex: "0", role: "group", "aria-label": "Logit lens" }, canvas));
    const cells = () => ({ left: LEFT, ...el.grid });
    const act = ({ column }) => interp.update({ query: column, key: null });
    interp.cells(canvas, cells, act, ({ row, column }) => {
      const { top, prob, rank } = el.payload;
      const layer = top.length - 1 - row;
      const after = interp.quotedAt(column);
      const lines = top[layer][column].map(([text, p]) => `${interp.quoted(text)} ${interp.percent(p)}`);
      const own = () =>
        `${interp.quoted(interp.view.answer)}: rank ${rank[layer][column]}, ${interp.percent(prob[layer][column])}`;
      return [`layer ${layer}, after ${after}`, ...lines, ...(prob ? [own()] : [])];
    });
    return { canvas, legend };
  };

  const font = (weight, size) => `${weight} ${size}px ${interp.css("--font")}`;
  const paintRow = (pen, { wide, high }, y, tops) => {
    tops.forEach(([[text, p]], pos) => {
      const shade = Number(p);
      pen.fillStyle = interp.rgb("sequential", shade);
      pen.fillRect(LEFT + pos * wide + 0.5, y + 0.5, wide - 1, high - 1);
      if (wide < 24) return;
      pen.fillStyle = interp.inkOn("sequential", shade);
      pen.textAlign = "center";
      pen.font = font(text === interp.view.answer ? 700 : 400, 10.5);
      pen.fillText(interp.shortToken(text, Math.floor((wide - 4) / 6)), LEFT + (pos + 0.5) * wide, y + high / 2 + 0.5);
    });
  };
  interp.show("lensgrid", (el, payload) => {
    el.parts ||= buildGrid(el);
    el.payload = payload;
    const { top } = payload;
    const [rows, columns, high] = [top.length, top[0].length, 19];
    const fit = Math.min(96, Math.floor((el.clientWidth - LEFT - 6) / columns));
    const wide = Math.max(columns > 200 ? 8 : columns > 40 ? 28 : 46, fit);
    el.grid = { wide, high, rows, columns };
    const pen = interp.canvas(el.parts.canvas, LEFT + columns * wide + 4, rows * high + 62);
    pen.textBaseline = "middle";
    top.forEach((tops, layer) => {
      const y = (rows - 1 - layer) * high;
      paintRow(pen, el.grid, y, tops);
      if (layer % 5 && layer < rows - 1) return;
      pen.fillStyle = interp.css("--muted");
      pen.font = font(400, 11);
      pen.textAlign = "right";
      pen.fillText(layer, LEFT - 6, y + high / 2);
    });
    const query = interp.queryAt();
    pen.strokeStyle = interp.css("--accent");
    pen.lineWidth = 2;
    pen.strokeRect(LEFT + query * wide, 0.5, wide, rows * high - 0.5);
    pen.font = font(400, 11);
    interp.tokens().forEach((token, i) => {
      if (wide < 14 && i % 8) return;
      pen.fillStyle = interp.css(i === query ? "--accent" : "--muted");
      interp.slanted(pen, interp.shortToken(token, 12), [LEFT + (i + 0.55) * wide, rows * high + 10], -Math.PI / 5);
    });
    interp.fill(el.parts.legend, interp.legend("sequential", "0", "1", "probability of the top token"));
  });
})();
