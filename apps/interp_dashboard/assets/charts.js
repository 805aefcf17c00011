// Predictions, the lens as a grid and as curves, before and after.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  const bars = interp.bars = (tops, title, marked) => h("div", { class: "tops" }, h("h3", {}, title), h("ol", { class: "bars" }, tops.map(([text, p]) =>
    h("li", { class: marked.includes(text) ? "marked" : "" }, h("span", { class: "bar still" },
      h("span", { class: "bar-name token" }, interp.visible(text)),
      h("span", { class: "bar-track" }, h("span", { style: `width:${100 * p}%` })),
      h("span", { class: "bar-value" }, interp.percent(p)))))));

  const asked = () => [interp.view.answer, interp.view.contrast];
  interp.draw.predictions = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    el.replaceChildren(h("div", { class: "pair" }, bars(payload.clean_top.slice(0, 6), "clean", asked()), payload.corrupted_top.length ? bars(payload.corrupted_top.slice(0, 6), "corrupted", asked()) : null));
    el.dataset.key = payload.key;
  };

  interp.draw.beforeafter = (el, payload) => {
    if (!payload || !interp.view.nodes.length) { el.replaceChildren(); return; }
    el.replaceChildren(
      h("div", { class: "change" },
        h("div", {}, h("span", {}, "before"), h("strong", { "data-value": "before" }, interp.signed(payload.clean))),
        h("div", {}, h("span", {}, "after"), h("strong", { "data-value": "after" }, interp.signed(payload.edited))),
        h("div", {}, h("span", {}, "effect"), h("strong", { "data-value": "effect", class: payload.effect < 0 ? "negative" : "positive" }, interp.signed(payload.effect)))),
      h("div", { class: "pair" }, bars(payload.clean_top.slice(0, 8), "before", asked()), bars(payload.edited_top.slice(0, 8), "after", asked())));
    el.dataset.key = payload.key;
  };

  interp.draw.chips = (el) => {
    const { nodes } = interp.view;
    const name = (node) => (node.startsWith("m") ? `MLP ${node.slice(1)}` : node.slice(1));
    el.replaceChildren(h("div", { class: "chips" },
      nodes.length ? nodes.map((node) => h("button", { class: "chip removable", "data-node": node, "aria-label": `Take ${name(node)} out of the set`, onclick: () => interp.toggle(node) }, name(node), " ✕"))
        : h("span", { class: "note" }, "The set is empty."),
      nodes.length ? h("button", { class: "quiet", onclick: () => interp.update({ nodes: [] }) }, "clear all") : null));
  };

  // The lens: one row a layer, one column a position
  const LEFT = 34;
  const buildGrid = (el) => {
    const canvas = h("canvas", { role: "img", tabindex: "0", "aria-label": "Logit lens: layers down, positions across" });
    const legend = h("div", { class: "legend-place" });
    el.replaceChildren(legend, h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Logit lens" }, canvas));
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      const { wide, high, layers, width } = el.grid;
      const pos = Math.floor((event.clientX - box.left - LEFT) / wide);
      const row = Math.floor((event.clientY - box.top) / high);
      return pos < 0 || pos >= width || row < 0 || row >= layers ? null : { pos, layer: layers - 1 - row };
    };
    canvas.addEventListener("click", (event) => { const cell = at(event); if (cell) interp.update({ query: cell.pos, key: null }); });
    canvas.addEventListener("mousemove", (event) => {
      const cell = at(event);
      if (!cell || !el.payload) { interp.tip(event, null); return; }
      const { top, prob, rank } = el.payload;
      const lines = top[cell.layer][cell.pos].map(([text, p]) => `${interp.quoted(text)} ${interp.percent(p)}`);
      const after = interp.tokens()[cell.pos];
      const own = prob ? [`${interp.quoted(interp.view.answer)}: rank ${rank[cell.layer][cell.pos]}, ${interp.percent(prob[cell.layer][cell.pos])}`] : [];
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
    const wide = Math.max(width > 200 ? 8 : width > 40 ? 28 : 46, Math.min(96, Math.floor((el.clientWidth - LEFT - 6) / width)));
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
        pen.fillText(interp.shortToken(text, Math.floor((wide - 4) / 6)), LEFT + (pos + 0.5) * wide, y + high / 2 + 0.5);
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
    legend.append(interp.legend("sequential", "0", "1"), h("span", { class: "legend-said" }, "probability of the top token"));
  };

  // Curves along the layers
  const PLOT = { left: 44, right: 12, top: 14, bottom: 26 };
  const curve = (values, x, y) => values.map((v, i) => (v === null ? "" : `${i && values[i - 1] !== null ? "L" : "M"}${x(i).toFixed(1)},${y(v).toFixed(1)}`)).join("");
  const axes = (svg, box, layers, ticks, title) => {
    for (const [at, text] of ticks) svg.append(h("line", { x1: box.x0, x2: box.x1, y1: at, y2: at, class: "rule" }), h("text", { x: box.x0 - 7, y: at, class: "end tick" }, text));
    for (let layer = 0; layer < layers; layer += layers > 12 ? 5 : 1) svg.append(h("text", { x: box.x(layer), y: box.y1 + 14, class: "mid tick" }, String(layer)));
    svg.append(h("text", { x: box.x0, y: 6, class: "tick" }, title));
  };
  const boxOf = (width, height, layers) => {
    const [x0, x1, y0, y1] = [PLOT.left, width - PLOT.right, PLOT.top + 6, height - PLOT.bottom];
    return { x0, x1, y0, y1, x: (i) => x0 + ((x1 - x0) * i) / Math.max(1, layers - 1), y: (t) => y1 - (y1 - y0) * t };
  };

  const plot = (svg, series, x, y) => {
    for (const { values, name } of series) {
      svg.append(h("path", { d: curve(values, x, y), class: `curve ${name}` }));
      if (values.length < 64) values.forEach((v, i) => { if (v !== null) svg.append(h("circle", { cx: x(i), cy: y(v), r: 2.4, class: `dot ${name}` })); });
    }
  };

  const probabilities = (series, width, height) => {
    const layers = series[0].values.length;
    const svg = h("svg", { width, height, role: "img", "aria-label": "Probability of the answer after each layer" });
    const box = boxOf(width, height, layers);
    axes(svg, box, layers, [0, 0.25, 0.5, 0.75, 1].map((t) => [box.y(t), t === 0 || t === 1 || t === 0.5 ? `${100 * t} %` : ""]), `probability of ${interp.quoted(interp.view.answer)}`);
    plot(svg, series, box.x, box.y);
    return { svg, box };
  };

  const ranks = (series, width, height) => {
    const layers = series[0].values.length;
    const svg = h("svg", { width, height, role: "img", "aria-label": "Rank of the answer after each layer" });
    const box = boxOf(width, height, layers);
    const worst = Math.max(...series.flatMap(({ values }) => values.map((v) => v ?? 1)));
    const most = Math.max(1, Math.ceil(Math.log10(worst)));
    const y = (rank) => box.y(1 - Math.log10(rank) / most);
    axes(svg, box, layers, Array.from({ length: most + 1 }, (_, i) => [y(10 ** i), (10 ** i).toLocaleString("en")]), `rank of ${interp.quoted(interp.view.answer)}, 1 = first choice`);
    plot(svg, series, box.x, y);
    return { svg, box };
  };

  interp.draw.lensline = (el, payload) => {
    const edited = interp.data.lens_edited;
    const compares = Boolean(el.dataset.edited);
    if (!payload || !payload.prob || (compares && (!edited || !edited.prob || !interp.view.nodes.length))) { el.replaceChildren(); return; }
    const both = Boolean(el.dataset.both);
    const place = both ? interp.queryAt() : (interp.data.answer?.position ?? payload.prob[0].length - 1);
    const series = (field) => [payload, ...(compares ? [edited] : [])].map((data, i) => ({
      name: i ? "edited" : "clean",
      values: data[field].map((row) => row[Math.min(place, row.length - 1)]),
    }));
    const total = el.clientWidth;
    const twin = both && total > 640;
    const width = twin ? Math.floor((total - 24) / 2) : total;
    const charts = [ranks(series("rank"), width, both ? 220 : 190)];
    if (both) charts.unshift(probabilities(series("prob"), width, 220));
    for (const { svg, box } of charts) hover(svg, box, payload, place, series("prob"), series("rank"));
    const content = [h("div", { class: twin ? "pair" : "" }, charts.map(({ svg }) => svg))];
    if (!both && !compares) content.push(leaders(payload, place, charts[0].box));
    if (compares) content.push(h("p", { class: "keyline" }, h("i", { class: "clean" }), " before ", h("i", { class: "edited" }), " after"));
    el.replaceChildren(...content);
    el.dataset.key = payload.key;
  };

  // Which token leads, from which layer on
  const leaders = (payload, place, box) => {
    const runs = [];
    payload.top.forEach((row, layer) => {
      const [text] = row[place][0];
      const last = runs[runs.length - 1];
      if (last && last.text === text) last.end = layer; else runs.push({ text, start: layer, end: layer });
    });
    const total = payload.top.length;
    const cells = runs.map(({ text, start, end }) => h("span", { class: text === interp.view.answer ? "lead-run own" : "lead-run", style: `flex:${end - start + 1} 1 0`, title: `${interp.quoted(text)}, ${start === end ? `layer ${start}` : `layers ${start} to ${end}`}` }, (end - start + 1) / total > 0.09 ? interp.visible(text).trim() || interp.visible(text) : ""));
    return h("div", { class: "lead-runs", style: `margin-left:${box.x0}px;margin-right:${PLOT.right}px`, role: "img", "aria-label": "Leading token by layer" }, cells);
  };

  const hover = (svg, box, payload, place, probs, places) => {
    const layers = payload.top.length;
    svg.addEventListener("mousemove", (event) => {
      const left = svg.getBoundingClientRect().left;
      const layer = Math.round(((event.clientX - left - box.x0) / (box.x1 - box.x0)) * (layers - 1));
      if (layer < 0 || layer >= layers) { interp.tip(event, null); return; }
      const own = probs.map(({ name, values }, i) => `${probs.length > 1 ? (name === "clean" ? "before" : "after") : interp.quoted(interp.view.answer)}: rank ${places[i].values[layer].toLocaleString("en")}, ${interp.percent(values[layer])}`);
      const tops = probs.length > 1 ? [] : payload.top[layer][place].slice(0, 3).map(([text, p]) => `${interp.quoted(text)} ${interp.percent(p)}`);
      interp.tip(event, [`layer ${layer}`, ...own, ...tops]);
    });
    svg.addEventListener("mouseleave", (event) => interp.tip(event, null));
  };
})();
