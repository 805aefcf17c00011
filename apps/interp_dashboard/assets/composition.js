// Heads among one another: a head's scores split, which heads write to which, channels; and layers compared.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const { floats } = interp;

  // Three heat maps that add up to the fourth
  const TERMS = [["position", "by position"], ["context", "by context"], ["residual", "by residual"], ["score", "score"]];
  interp.draw.split = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const { size, limit, chosen } = payload;
    const tokens = interp.tokens();
    const gap = 26;
    const wide = el.clientWidth > 720;
    const side = Math.floor(wide ? (el.clientWidth - 3 * gap) / 4 : (el.clientWidth - gap) / 2);
    const query = interp.queryAt();
    const plots = TERMS.map(([name, words], i) => {
      const values = floats(payload, name, payload.maps[name]);
      const canvas = h("canvas", { role: "img", "data-term": name, "aria-label": `Head ${payload.layer}.${payload.head}: ${words}; queries down, keys across` });
      const pen = interp.heat(canvas, { values, rows: size, columns: size, side, kind: "diverging", at: (v) => interp.bySign(v, limit) });
      if (query < size) { pen.strokeStyle = interp.css("--accent"); pen.strokeRect(0.5, (query * side) / size, side - 1, Math.max(2, side / size)); }
      canvas.addEventListener("mousemove", (event) => {
        const cell = interp.cellAt(canvas, event, size, size);
        const v = cell && values[cell.row * size + cell.column];
        interp.tip(event, cell && !Number.isNaN(v) && [`${interp.quoted(tokens[cell.row] || "")} → ${interp.quoted(tokens[cell.column] || "")}`, ...TERMS.map(([other, said]) => `${said} ${interp.signed(floats(payload, other, payload.maps[other])[cell.row * size + cell.column], 3)}`)]);
      });
      canvas.addEventListener("mouseleave", (event) => interp.tip(event, null));
      canvas.addEventListener("click", (event) => { const cell = interp.cellAt(canvas, event, size, size); if (cell) interp.update({ query: cell.row, key: cell.column }); });
      const share = name === "score" ? "= the sum" : chosen[name] === null ? "" : `share ${(100 * chosen[name]).toFixed(0)}\u00a0%`;
      return h("figure", { class: "term" }, h("figcaption", {}, h("b", {}, `${i && i < 3 ? "+ " : i === 3 ? "= " : ""}${words}`), h("span", { "data-share": name }, share)), canvas);
    });
    el.replaceChildren(
      h("div", { class: "legend-place" }, interp.legend("diverging", interp.signed(-limit), interp.signed(limit), true), h("span", { class: "legend-said" }, `score before the softmax, head ${payload.layer}.${payload.head}; remainder ≤ ${payload.remainder.toExponential(0)}`)),
      h("div", { class: "terms", style: `grid-template-columns:repeat(${wide ? 4 : 2},${side}px);gap:14px ${gap}px` }, plots));
    el.dataset.key = payload.key;
  };

  // Senders down, receivers across
  const layerOf = (name) => Number(name.slice(1).split(".")[0]);
  const headOf = (name) => Number(name.split(".")[1]);
  const LEFT = 34;
  const lines = (pen, names, cell, across, length) => {
    pen.fillStyle = interp.css("--muted");
    pen.font = `11px ${interp.css("--font")}`;
    pen.textBaseline = "middle";
    let last = null;
    names.forEach((name, i) => {
      const layer = layerOf(name);
      if (layer === last) return;
      last = layer;
      if (layer % 5) return;
      if (across) { pen.textAlign = "left"; pen.fillText(layer, LEFT + i * cell, length + 9); } else { pen.textAlign = "right"; pen.fillText(layer, LEFT - 6, i * cell + 5); }
    });
  };
  interp.draw.composition = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const { rows, columns, null: chance, limit } = payload;
    const scores = floats(payload, "scores", payload.scores);
    const backward = floats(payload, "backward", payload.backward);
    const room = Math.min(el.clientWidth - LEFT - 4, 760);
    const across = Math.max(2, room / columns.length);
    const down = Math.max(2, Math.min(760, room) / rows.length);
    const [wide, tall] = [Math.round(across * columns.length), Math.round(down * rows.length)];
    const canvas = h("canvas", { role: "application", tabindex: "0", "aria-label": "Composition of heads: senders down, receivers across" });
    const inner = new OffscreenCanvas(columns.length, rows.length);
    el.replaceChildren(
      h("div", { class: "legend-place" }, interp.legend("sequential", chance.toFixed(3), limit.toFixed(3)), h("span", { class: "legend-said" }, "score; the scale begins at a random rotation's mean")),
      h("div", { class: "scroll" }, canvas));
    const pen = interp.canvas(canvas, LEFT + wide + 2, tall + 34);
    const image = new ImageData(columns.length, rows.length);
    const ramp = interp.ramp("sequential");
    const grey = interp.theme() === "dark" ? [70, 74, 80, 255] : [224, 225, 222, 255];
    for (let i = 0; i < scores.length; i++) {
      if (Number.isNaN(scores[i])) continue;
      const colour = backward[i] > 0.05 ? grey : [...ramp[Math.max(40, Math.min(255, Math.round((255 * (scores[i] - chance)) / (limit - chance || 1))))], 255];
      image.data.set(colour, 4 * i);
    }
    inner.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(inner, LEFT, 0, wide, tall);
    lines(pen, rows, down, false, wide);
    lines(pen, columns, across, true, tall);
    pen.textAlign = "center";
    pen.fillText("receiver's layer →   (sender's layer ↓)", LEFT + wide / 2, tall + 25);
    const { layer, head } = interp.view;
    const selected = rows.indexOf(`a${layer}.${head}`);
    pen.strokeStyle = interp.css("--accent");
    pen.lineWidth = 1;
    if (selected >= 0) pen.strokeRect(LEFT, selected * down - 0.5, wide, down + 1);
    const [chosen] = interp.view.channel.split("~");
    const [from, to] = chosen.split(">").map((name, i) => (i ? columns : rows).indexOf(name));
    if (from >= 0 && to >= 0) { pen.lineWidth = 2; pen.strokeRect(LEFT + to * across - 2, from * down - 2, across + 4, down + 4); }
    const cellOf = (event) => {
      const box = canvas.getBoundingClientRect();
      const column = Math.floor((event.clientX - box.left - LEFT) / across);
      const row = Math.floor((event.clientY - box.top) / down);
      return row < 0 || column < 0 || row >= rows.length || column >= columns.length ? null : { row, column, i: row * columns.length + column };
    };
    canvas.addEventListener("mousemove", (event) => {
      const cell = cellOf(event);
      const v = cell && scores[cell.i];
      interp.tip(event, cell && !Number.isNaN(v) && [`${rows[cell.row]} → ${columns[cell.column]}`, `score ${v.toFixed(4)}; random ${chance.toFixed(4)}`, `${(100 * backward[cell.i]).toFixed(1)}\u00a0% of impossible pairs score as high`]);
    });
    canvas.addEventListener("mouseleave", (event) => interp.tip(event, null));
    canvas.addEventListener("click", (event) => { const cell = cellOf(event); if (cell) interp.select(layerOf(rows[cell.row]), headOf(rows[cell.row])); });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const name = rows[Math.max(0, Math.min(rows.length - 1, (selected < 0 ? -step : selected) + step))];
      interp.select(layerOf(name), headOf(name));
    });
    canvas.dataset.key = payload.key;
  };

  // The strongest channels: choose one, change it
  interp.draw.channels = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const { channels } = payload;
    const limit = Math.max(1e-9, ...channels.map((row) => row[3]));
    const { channel, factor } = interp.view;
    const moved = interp.data.geometry_channel;
    const fresh = moved && moved.key === (interp.status.wanted || {}).geometry_channel;
    const failed = (interp.status.errors || {}).geometry_channel;
    const words = { 0: "cut", 0.5: "halved", 2: "doubled", "-1": "reversed" }[factor];
    const [edge, component] = channel.split("~");
    const change = !channel ? h("p", { class: "note" }, "Choose a channel.") : failed ? h("p", { class: "note" }, failed)
      : h("div", { class: "change", "data-channel-change": channel },
        h("div", {}, h("span", {}, `${edge.replace(">", " → ")}, direction ${component}, ${words}`), h("strong", { class: moved && fresh && moved.effect < 0 ? "negative" : "positive" }, fresh ? interp.signed(moved.effect) : "…")),
        h("div", {}, h("span", {}, "before"), h("strong", {}, fresh ? interp.signed(moved.clean) : "…")),
        h("div", {}, h("span", {}, "after"), h("strong", { "data-value": "channel-after" }, fresh ? interp.signed(moved.edited) : "…")));
    const list = h("ol", { class: "bars channels" }, channels.map(([sender, receiver, at, score, chance, back]) => {
      const name = `${sender}>${receiver}~${at}`;
      const choose = () => interp.update({ channel: name === channel ? "" : name, layer: layerOf(sender), head: headOf(sender), key: null });
      return h("li", {}, h("button", { class: "bar channel", "aria-pressed": String(name === channel), "data-act": name, onclick: choose },
        h("span", { class: "bar-name" }, `${sender} → ${receiver}`), h("span", { class: "bar-value" }, `#${at}`),
        h("span", { class: "bar-track" }, h("span", { style: `width:${(100 * score) / limit}%;background:${interp.css("--accent")}` }), h("i", { class: "chance", style: `left:${(100 * chance) / limit}%` })),
        h("span", { class: "bar-value" }, score.toFixed(3)), h("span", { class: "bar-value" }, back < 0.001 ? "<0.1\u00a0%" : `${(100 * back).toFixed(1)}\u00a0%`)));
    }));
    el.replaceChildren(change,
      h("p", { class: "note channel-titles" }, "score of the direction; the mark is a random rotation's; last, the share of impossible pairs that score as high"),
      h("div", { class: "scroll channel-scroll", tabindex: "0", role: "group", "aria-label": "Strongest channels" }, channels.length ? list : h("p", { class: "note" }, "None of the strongest channels is of this kind.")));
    el.dataset.key = payload.key;
  };

  // Lines over layers or positions
  const chart = (el, { series, count, low, high, x, ticks, below, label, title, words }) => {
    const [left, right, top, bottom, tall] = [50, 10, 18, 34, 220];
    const width = el.clientWidth;
    const svg = h("svg", { width, height: tall, role: "img", "aria-label": title });
    const X = (i) => left + (width - left - right) * x(i);
    const Y = (v) => tall - bottom - ((tall - top - bottom) * (v - low)) / (high - low || 1);
    for (const [v, text] of ticks) svg.append(h("line", { x1: left, x2: width - right, y1: Y(v), y2: Y(v), class: "rule" }), h("text", { x: left - 6, y: Y(v), class: "end tick" }, text));
    svg.append(h("text", { x: (left + width) / 2, y: tall - 6, class: "mid tick" }, label), h("text", { x: left, y: 6, class: "tick" }, words));
    for (const [i, text] of below) svg.append(h("text", { x: X(i), y: tall - bottom + 12, class: "mid tick" }, String(text)));
    for (const { values, colour, dashed } of series) {
      const d = values.map((v, i) => (v === null || !Number.isFinite(v) ? "" : `${i && Number.isFinite(values[i - 1]) && values[i - 1] !== null ? "L" : "M"}${X(i).toFixed(1)},${Y(v).toFixed(1)}`)).join("");
      svg.append(h("path", { d, fill: "none", stroke: colour, "stroke-width": 1.8, "stroke-dasharray": dashed ? "5 3" : null }));
    }
    svg.addEventListener("mousemove", (event) => {
      const at = (event.clientX - svg.getBoundingClientRect().left - left) / (width - left - right);
      const i = Array.from({ length: count }, (_, j) => j).reduce((best, j) => (Math.abs(x(j) - at) < Math.abs(x(best) - at) ? j : best), 0);
      interp.tip(event, [`${label} ${series[0].names ? series[0].names[i] : i}`, ...series.map(({ name, shown }) => `${name} ${shown(i)}`)]);
    });
    svg.addEventListener("mouseleave", (event) => interp.tip(event, null));
    return svg;
  };
  const key = (series) => h("p", { class: "keyline parts" }, series.map(({ name, colour }) => h("span", {}, h("b", { style: `background:${colour}` }), ` ${name} `)));
  interp.draw.linearity = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const colours = interp.hues[interp.theme()];
    const series = [["linearity", "the whole layer"], ["update_linearity", "what it adds"]].map(([name, words], i) => ({ name: words, values: payload[name], colour: colours[i], shown: (at) => (payload[name][at] === null ? "–" : payload[name][at].toFixed(4)) }));
    const count = payload.linearity.length;
    const low = Math.min(0, ...series.flatMap(({ values }) => values.map((v) => v ?? 0)));
    el.replaceChildren(key(series), chart(el, { series, count, low, high: 1, x: (i) => i / Math.max(1, count - 1), ticks: [0, 0.25, 0.5, 0.75, 1].map((v) => [v, String(v)]), below: payload.linearity.map((_, i) => [i, i]).filter(([i]) => i % 5 === 0), label: "layer", title: "Linearity of the layers", words: "1 = one linear map does it" }));
    el.dataset.key = payload.key;
  };
  interp.draw.similarity = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const values = floats(payload, "values", payload.values);
    const canvas = h("canvas", { role: "img", "aria-label": "CKA between layers" });
    const side = Math.min(el.clientWidth, 340);
    el.replaceChildren(h("div", { class: "legend-place" }, interp.legend("sequential", "0", "1"), h("span", { class: "legend-said" }, "CKA; layer 0 is top left")), canvas);
    interp.heat(canvas, { values, rows: payload.size, columns: payload.size, side, kind: "sequential", at: (v) => v });
    canvas.addEventListener("mousemove", (event) => {
      const cell = interp.cellAt(canvas, event, payload.size, payload.size);
      interp.tip(event, cell && [`into layers ${cell.row} and ${cell.column}`, `CKA ${values[cell.row * payload.size + cell.column].toFixed(3)}`]);
    });
    canvas.addEventListener("mouseleave", (event) => interp.tip(event, null));
    canvas.dataset.key = payload.key;
  };
  interp.draw.variance = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const { layers, positions } = payload;
    const colours = interp.hues[interp.theme()];
    const log = (values) => values.map((v) => (v > 0 ? Math.log10(v) : null));
    const say = (v) => (v === null ? "–" : v.toExponential(2));
    const series = layers.flatMap((layer, i) => [
      { name: `layer ${layer}`, values: log(payload.variance[i]), colour: colours[i], names: positions, shown: (at) => say(payload.variance[i][at]) },
      { name: `layer ${layer}, ${payload.control_name}`, values: log(payload.control[i]), colour: colours[i], dashed: true, shown: (at) => say(payload.control[i][at]) },
    ]);
    const all = series.flatMap(({ values }) => values).filter((v) => v !== null);
    const [low, high] = all.length ? [Math.floor(Math.min(...all)), Math.ceil(Math.max(...all))] : [0, 1];
    const last = Math.log(1 + positions.length);
    const ticks = Array.from({ length: high - low + 1 }, (_, i) => [low + i, `1e${low + i}`]);
    el.replaceChildren(key(series.filter(({ dashed }) => !dashed)), h("p", { class: "note" }, `dashed: ${payload.control_name}`), chart(el, { series, count: positions.length, low, high, x: (i) => Math.log(1 + i) / last, ticks, below: [1, 3, 10, 30, 100, 300, 1000].map((at) => [positions.indexOf(at), at]).filter(([i]) => i >= 0), label: "position", title: "Variance of what attention adds", words: "variance, both axes logarithmic" }));
    el.dataset.key = payload.key;
  };
})();
