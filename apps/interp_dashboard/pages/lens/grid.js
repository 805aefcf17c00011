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
    const legend = h("div", { class: "legend-place" });
    el.replaceChildren(
      legend,
      h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Logit lens" }, canvas),
    );
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      const { wide, high, layers, width } = el.grid;
      const pos = Math.floor((event.clientX - box.left - LEFT) / wide);
      const row = Math.floor((event.clientY - box.top) / high);
      return pos < 0 || pos >= width || row < 0 || row >= layers ? null : { pos, layer: layers - 1 - row };
    };
    canvas.addEventListener("click", (event) => {
      const cell = at(event);
      if (cell) interp.update({ query: cell.pos, key: null });
    });
    canvas.addEventListener("mousemove", (event) => {
      const cell = at(event);
      if (!cell || !el.payload) {
        interp.tip(event, null);
        return;
      }
      const { top, prob, rank } = el.payload;
      const lines = top[cell.layer][cell.pos].map(([text, p]) => `${interp.quoted(text)} ${interp.percent(p)}`);
      const after = interp.tokens()[cell.pos];
      const own = prob
        ? [
            `${interp.quoted(interp.view.answer)}: rank ${rank[cell.layer][cell.pos]}, ${interp.percent(prob[cell.layer][cell.pos])}`,
          ]
        : [];
      interp.tip(event, [`layer ${cell.layer}, after ${interp.quoted(after || "")}`, ...lines, ...own]);
    });
    canvas.addEventListener("mouseleave", (event) => interp.tip(event, null));
    return { canvas, legend };
  };

  interp.draw.lensgrid = (el, payload) => {
    el.parts = el.parts || buildGrid(el);
    const { canvas, legend } = el.parts;
    canvas.hidden = !payload;
    legend.replaceChildren();
    if (!payload) return;
    el.payload = payload;
    const { top } = payload;
    const layers = top.length;
    const width = top[0].length;
    const high = 19;
    const wide = Math.max(
      width > 200 ? 8 : width > 40 ? 28 : 46,
      Math.min(96, Math.floor((el.clientWidth - LEFT - 6) / width)),
    );
    const bottom = 62;
    el.grid = { wide, high, layers, width };
    const pen = interp.canvas(canvas, LEFT + width * wide + 4, layers * high + bottom);
    pen.textBaseline = "middle";
    const font = (weight, size) => `${weight} ${size}px ${interp.css("--font")}`;
    const query = interp.queryAt();
    for (let layer = 0; layer < layers; layer++) {
      const y = (layers - 1 - layer) * high;
      for (let pos = 0; pos < width; pos++) {
        const [text, p] = top[layer][pos][0];
        const shade = Number(p);
        pen.fillStyle = interp.rgb("sequential", shade);
        pen.fillRect(LEFT + pos * wide + 0.5, y + 0.5, wide - 1, high - 1);
        if (wide < 24) continue;
        pen.fillStyle = interp.inkOn("sequential", shade);
        pen.textAlign = "center";
        pen.font = font(text === interp.view.answer ? 700 : 400, 10.5);
        pen.fillText(
          interp.shortToken(text, Math.floor((wide - 4) / 6)),
          LEFT + (pos + 0.5) * wide,
          y + high / 2 + 0.5,
        );
      }
      if (layer % 5 === 0 || layer === layers - 1) {
        pen.fillStyle = interp.css("--muted");
        pen.font = font(400, 11);
        pen.textAlign = "right";
        pen.fillText(layer, LEFT - 6, y + high / 2);
      }
    }
    pen.strokeStyle = interp.css("--accent");
    pen.lineWidth = 2;
    pen.strokeRect(LEFT + query * wide, 0.5, wide, layers * high - 0.5);
    const tokens = interp.tokens();
    pen.font = font(400, 11);
    tokens.forEach((token, i) => {
      if (wide < 14 && i % 8) return;
      pen.fillStyle = interp.css(i === query ? "--accent" : "--muted");
      pen.save();
      pen.translate(LEFT + (i + 0.55) * wide, layers * high + 8);
      pen.rotate(-Math.PI / 5);
      pen.textAlign = "right";
      pen.fillText(interp.shortToken(token, 12), 0, 3);
      pen.restore();
    });
    canvas.dataset.key = payload.key;
    legend.append(
      interp.legend("sequential", "0", "1"),
      h("span", { class: "legend-said" }, "probability of the top token"),
    );
  };
})();
