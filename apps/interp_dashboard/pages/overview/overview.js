// What the model predicts, and where along the layers its answer forms; drawn here because it is the first view, which
// should not wait for plotly.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  interp.draw.predictions = (el, payload) => {
    if (!payload) {
      el.replaceChildren();
      return;
    }
    const marked = [interp.view.answer, interp.view.contrast];
    const bars = (tops, title) => interp.bars(tops.slice(0, 6), title, marked);
    el.replaceChildren(
      h(
        "div",
        { class: "pair" },
        bars(payload.clean_top, "clean"),
        payload.corrupted_top.length ? bars(payload.corrupted_top, "corrupted") : null,
      ),
    );
    el.dataset.key = payload.key;
  };

  // The answer's rank after each layer, on a logarithmic scale
  const [LEFT, RIGHT, TOP, BOTTOM, HEIGHT] = [44, 12, 20, 26, 190];
  const curve = (values, width) => {
    const svg = h("svg", { width, height: HEIGHT, role: "img", "aria-label": "Rank of the answer after each layer" });
    const most = Math.max(1, Math.ceil(Math.log10(Math.max(...values.map((v) => v ?? 1)))));
    const x = (layer) => LEFT + ((width - LEFT - RIGHT) * layer) / Math.max(1, values.length - 1);
    const y = (rank) => TOP + ((HEIGHT - TOP - BOTTOM) * Math.log10(rank)) / most;
    for (let power = 0; power <= most; power++)
      svg.append(
        h("line", { x1: LEFT, x2: width - RIGHT, y1: y(10 ** power), y2: y(10 ** power), class: "rule" }),
        h("text", { x: LEFT - 7, y: y(10 ** power), class: "end tick" }, (10 ** power).toLocaleString("en")),
      );
    for (let layer = 0; layer < values.length; layer += values.length > 12 ? 5 : 1)
      svg.append(h("text", { x: x(layer), y: HEIGHT - BOTTOM + 14, class: "mid tick" }, String(layer)));
    svg.append(
      h("text", { x: LEFT, y: 6, class: "tick" }, `rank of ${interp.quoted(interp.view.answer)}, 1 = first choice`),
    );
    svg.append(
      h("path", {
        d: values.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)},${y(v).toFixed(1)}`).join(""),
        class: "curve",
      }),
    );
    if (values.length < 64)
      values.forEach((v, i) => svg.append(h("circle", { cx: x(i), cy: y(v), r: 2.4, class: "dot" })));
    return svg;
  };

  // Which token leads, from which layer on
  const leaders = (payload, place) => {
    const runs = [];
    payload.top.forEach((row, layer) => {
      const [text] = row[place][0];
      const last = runs[runs.length - 1];
      if (last && last.text === text) last.end = layer;
      else runs.push({ text, start: layer, end: layer });
    });
    const total = payload.top.length;
    const cells = runs.map(({ text, start, end }) =>
      h(
        "span",
        {
          class: text === interp.view.answer ? "lead-run own" : "lead-run",
          style: `flex:${end - start + 1} 1 0`,
          title: `${interp.quoted(text)}, ${start === end ? `layer ${start}` : `layers ${start} to ${end}`}`,
        },
        (end - start + 1) / total > 0.09 ? interp.visible(text).trim() || interp.visible(text) : "",
      ),
    );
    return h(
      "div",
      {
        class: "lead-runs",
        style: `margin-left:${LEFT}px;margin-right:${RIGHT}px`,
        role: "img",
        "aria-label": "Leading token by layer",
      },
      cells,
    );
  };

  interp.draw.lensline = (el, payload) => {
    if (!payload || !payload.prob) {
      el.replaceChildren();
      return;
    }
    const layers = payload.top.length;
    const place = Math.min(interp.prompt.position, payload.top[0].length - 1);
    const svg = curve(
      payload.rank.map((row) => row[place]),
      el.clientWidth,
    );
    svg.addEventListener("mousemove", (event) => {
      const { left, width } = svg.getBoundingClientRect();
      const layer = Math.round(((event.clientX - left - LEFT) / (width - LEFT - RIGHT)) * (layers - 1));
      if (layer < 0 || layer >= layers) {
        interp.tip(event, null);
        return;
      }
      const tops = payload.top[layer][place]
        .slice(0, 3)
        .map(([text, p]) => `${interp.quoted(text)} ${interp.percent(p)}`);
      interp.tip(event, [
        `layer ${layer}`,
        `${interp.quoted(interp.view.answer)}: rank ${payload.rank[layer][place].toLocaleString("en")}, ${interp.percent(payload.prob[layer][place])}`,
        ...tops,
      ]);
    });
    svg.addEventListener("mouseleave", (event) => interp.tip(event, null));
    el.replaceChildren(svg, leaders(payload, place));
    el.dataset.key = payload.key;
  };
})();
