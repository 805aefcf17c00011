// What the model predicts, and where along the layers its answer forms; drawn here because it is the first view, which
// should not wait for plotly.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  // Bars of the likeliest tokens
  const bars = (tops, title) => {
    const bar = ([text, p]) =>
      h(
        "span.bar",
        h("span.bar-name.token", interp.visible(text)),
        h("span.bar-track", h("span", { style: `width:${100 * p}%` })),
        h("span.bar-value", interp.percent(p)),
      );
    const marked = new Set([interp.view.answer, interp.view.contrast]);
    const row = (top) => h(marked.has(top[0]) ? "li.marked" : "li", bar(top));
    return h("div.tops", h("h3", title), h("ol", tops.slice(0, 6).map(row)));
  };
  interp.show("predictions", (el, { clean_top: clean, corrupted_top: corrupted }) => {
    interp.fill(el, h("div.pair", bars(clean, "clean"), corrupted.length > 0 && bars(corrupted, "corrupted")));
  });

  // The answer's rank after each layer, on a logarithmic scale
  const [LEFT, RIGHT, TOP, BOTTOM, HEIGHT] = [44, 12, 20, 26, 190];
  const curve = (values, width) => {
    const most = Math.max(1, Math.ceil(Math.log10(Math.max(...values.map((v) => v ?? 1)))));
    const x = (layer) => LEFT + ((width - LEFT - RIGHT) * layer) / Math.max(1, values.length - 1);
    const y = (rank) => TOP + ((HEIGHT - TOP - BOTTOM) * Math.log10(rank)) / most;
    const rule = (rank) => [
      h("line.rule", { x1: LEFT, x2: width - RIGHT, y1: y(rank), y2: y(rank) }),
      h("text.end.tick", { x: LEFT - 7, y: y(rank) }, rank.toLocaleString("en")),
    ];
    const every = values.length > 12 ? 5 : 1;
    const tick = (_, i) => i % every === 0 && h("text.mid.tick", { x: x(i), y: HEIGHT - BOTTOM + 14 }, String(i));
    const dot = (rank, i) => h("circle.dot", { cx: x(i), cy: y(rank), r: 2.4 });
    return h(
      "svg",
      { width, height: HEIGHT, role: "img", "aria-label": "Rank of the answer after each layer" },
      Array.from({ length: most + 1 }, (_, power) => rule(10 ** power)),
      values.map(tick),
      h("text.tick", { x: LEFT, y: 6 }, `rank of ${interp.quoted(interp.view.answer)}, 1 = first choice`),
      h("path.curve", { d: values.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)},${y(v).toFixed(1)}`).join("") }),
      values.length < 64 && values.map(dot),
    );
  };

  // Which token leads, from which layer on
  const leaders = (payload) => {
    const runs = [];
    payload.top.forEach((row, layer) => {
      const [text] = row[0];
      const last = runs.at(-1);
      if (last?.text === text) last.end = layer;
      else runs.push({ text, start: layer, end: layer });
    });
    const cells = runs.map(({ text, start, end }) => {
      const layers = end - start + 1;
      const title = `${interp.quoted(text)}, ${layers === 1 ? `layer ${start}` : `layers ${start} to ${end}`}`;
      return h(
        text === interp.view.answer ? "span.lead-run.own" : "span.lead-run",
        { style: `flex:${layers} 1 0`, title },
        layers / payload.top.length > 0.09 ? interp.word(text) : "",
      );
    });
    return h(
      "div.lead-runs",
      { style: `margin-left:${LEFT}px;margin-right:${RIGHT}px`, role: "img", "aria-label": "Leading token by layer" },
      cells,
    );
  };

  interp.show("lensline", (el, payload) => {
    const { top, rank, prob } = payload;
    if (!prob) {
      el.replaceChildren();
      return;
    }
    const svg = curve(rank, el.clientWidth);
    interp.hover(svg, (event) => {
      const { left, width } = svg.getBoundingClientRect();
      const layer = Math.round(((event.clientX - left - LEFT) / (width - LEFT - RIGHT)) * (top.length - 1));
      if (layer < 0 || layer >= top.length) return null;
      const tops = top[layer].slice(0, 3).map(([text, p]) => `${interp.quoted(text)} ${interp.percent(p)}`);
      const own = `rank ${rank[layer].toLocaleString("en")}, ${interp.percent(prob[layer])}`;
      return [`layer ${layer}`, `${interp.quoted(interp.view.answer)}: ${own}`, ...tops];
    });
    interp.fill(el, svg, leaders(payload));
  });
})();
