// One attribution method from the inside: its ledger, its removal curve, its relevance of heads and stream.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const { fresh, chosen, selected, value } = interp.methods;

  interp.draw.within = (el) => {
    const names = chosen();
    el.replaceChildren(h("div", { class: "within" }, h("h2", {}, "Inside one method"),
      h("div", { class: "choice", role: "group", "aria-label": "Method whose ledger and insides are shown" }, names.map((name) =>
        h("button", { "data-within": name, "aria-pressed": String(selected() === name), onclick: () => interp.update({ method: name }) }, name)))));
  };
  const nothing = (payload, what) => h("p", { class: "note" }, `${payload.method} has no latent relevance: it says nothing of the ${what}.`);

  const place = (name) => {
    const layer = name.match(/^layer (\d+)$/);
    return layer ? 1 + Number(layer[1]) : name === "input" ? 0 : 1e9;
  };
  interp.grouped = (ledger, by) => {
    const found = new Map();
    for (const [at, term, v] of ledger.slice(1, -1)) {
      const name = by === "layer" ? at : term;
      if (!found.has(name)) found.set(name, { name, value: 0, parts: [] });
      found.get(name).value += v;
      found.get(name).parts.push([by === "layer" ? term : at, v]);
    }
    const groups = [...found.values()];
    if (by === "layer") groups.sort((a, b) => place(a.name) - place(b.name));
    return [{ name: "tokens", value: ledger[0][2], parts: [] }, ...groups, { name: "remainder", value: ledger[ledger.length - 1][2], parts: [] }];
  };
  interp.draw.waterfall = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const entries = interp.grouped(payload.ledger, interp.view.ledger);
    let at = 0;
    const steps = entries.map((entry) => ({ ...entry, from: at, to: (at += entry.value) }));
    steps.push({ name: "target", value: payload.total, from: 0, to: payload.total, parts: [], whole: true });
    const low = Math.min(0, ...steps.map(({ to }) => to));
    const high = Math.max(0, ...steps.map(({ to }) => to));
    const part = (v) => `${((100 * (v - low)) / (high - low || 1)).toFixed(3)}%`;
    const rows = steps.map(({ name, value: v, from, to, parts, whole }) => {
      const fillOf = whole ? "var(--accent)" : name === "tokens" ? "var(--muted)" : interp.rgb("diverging", v < 0 ? 0.1 : 0.88);
      const bar = Math.abs(v) < 1e-6 * (high - low) ? null : h("i", { style: `left:${part(Math.min(from, to))};width:max(1px,calc(${part(Math.max(from, to))} - ${part(Math.min(from, to))}));background:${fillOf}` });
      const row = h("li", { class: whole ? "fall whole" : "fall", "data-entry": name }, h("span", { class: "fall-name" }, name),
        h("span", { class: "fall-track" }, h("i", { class: "zero", style: `left:${part(0)}` }), bar), h("span", { class: "fall-value" }, value(v, payload)));
      const lines = [...parts].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 5).map(([where, x]) => `${where} ${interp.signed(x, 3)}`);
      row.addEventListener("mousemove", (event) => interp.tip(event, [`${name} ${interp.signed(v, 3)} ${payload.unit}`, ...lines]));
      row.addEventListener("mouseleave", (event) => interp.tip(event, null));
      return row;
    });
    el.replaceChildren(h("div", { class: "scroll tall", tabindex: "0", role: "group", "aria-label": `Ledger of ${payload.method}` }, h("ol", { class: "falls" }, rows)));
    el.dataset.key = payload.key;
  };

  // Removal: the answer along the share of tokens taken away
  const CHART = { left: 44, right: 12, top: 20, bottom: 40, height: 200 };
  const ticksOf = (low, high) => {
    const rough = (high - low) / 4 || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
    const found = [];
    for (let v = Math.ceil(low / step) * step; v <= high + 1e-9; v += step) found.push(Math.abs(v) < step / 1e6 ? 0 : v);
    return found;
  };
  interp.draw.removal = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const { fraction, morf, lerf, random, low, high, scores } = payload;
    const width = el.clientWidth;
    const every = [...morf, ...lerf, ...random, ...low, ...high].filter((v) => v !== null);
    const [least, most] = [Math.min(0, ...every), Math.max(0, ...every)];
    const [x0, x1, y0, y1] = [CHART.left, width - CHART.right, CHART.top, CHART.height - CHART.bottom];
    const x = (f) => x0 + (x1 - x0) * f;
    const y = (v) => y1 - ((y1 - y0) * (v - least)) / (most - least || 1);
    const path = (values) => values.map((v, i) => `${i ? "L" : "M"}${x(fraction[i]).toFixed(1)},${y(v).toFixed(1)}`).join("");
    const svg = h("svg", { width, height: CHART.height, role: "img", "aria-label": `The answer as tokens are removed in the order of ${payload.method}` });
    for (const v of ticksOf(least, most)) svg.append(h("line", { x1: x0, x2: x1, y1: y(v), y2: y(v), class: "rule" }), h("text", { x: x0 - 7, y: y(v), class: "end tick" }, interp.signed(v, Math.abs(most - least) < 2 ? 1 : 0)));
    for (const f of [0, 0.25, 0.5, 0.75, 1]) svg.append(h("text", { x: x(f), y: y1 + 13, class: "mid tick" }, `${100 * f} %`));
    svg.append(h("text", { x: x0, y: 6, class: "tick" }, `answer (${payload.unit})`), h("text", { x: (x0 + x1) / 2, y: y1 + 30, class: "mid tick" }, "tokens removed"));
    const band = low.map((v, i) => `${i ? "L" : "M"}${x(fraction[i]).toFixed(1)},${y(v ?? random[i]).toFixed(1)}`).join("") + high.map((_, i) => high.length - 1 - i).map((i) => `L${x(fraction[i]).toFixed(1)},${y(high[i] ?? random[i]).toFixed(1)}`).join("") + "Z";
    svg.append(h("path", { d: band, class: "band" }), h("path", { d: path(random), class: "curve random" }), h("path", { d: path(lerf), class: "curve edited" }), h("path", { d: path(morf), class: "curve" }));
    svg.addEventListener("mousemove", (event) => {
      const at = (event.clientX - svg.getBoundingClientRect().left - x0) / (x1 - x0);
      const i = Math.round(at * (fraction.length - 1));
      interp.tip(event, i < 0 || i >= fraction.length ? null : [`${(100 * fraction[i]).toFixed(0)} % removed`, `most relevant first ${interp.signed(morf[i])}`, `least relevant first ${interp.signed(lerf[i])}`, `random order ${interp.signed(random[i])} [${interp.signed(low[i])}, ${interp.signed(high[i])}]`]);
    });
    svg.addEventListener("mouseleave", (event) => interp.tip(event, null));
    const score = (name, key) => {
      const [own, control, from, to] = scores[key];
      return h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, h("b", { "data-value": key }, interp.signed(own)), h("span", { class: "versus" }, ` random ${interp.signed(control)} [${interp.signed(from)}, ${interp.signed(to)}]`)));
    };
    el.replaceChildren(svg,
      h("p", { class: "keyline" }, h("i", { class: "clean" }), " most relevant first", h("i", { class: "edited" }), " least relevant first", h("i", { class: "random" }), " random, 95 %"),
      h("dl", { class: "removal-scores" }, score("comprehensiveness", "comprehensiveness"), score("sufficiency", "sufficiency"),
        h("div", { class: "fact" }, h("dt", {}, "beats random orders"), h("dd", {}, `${(100 * payload.beats_random).toFixed(0)} %`))));
    el.dataset.key = payload.key;
  };

  // The stream: one row a layer, the last on top; one column a position
  const LEFT = 34;
  const streams = new WeakMap();
  const cellsOf = (stream) => {
    if (!streams.has(stream)) streams.set(stream, interp.bytes(stream.data, Int16Array));
    return streams.get(stream);
  };
  const buildStream = (el) => {
    const canvas = h("canvas", { tabindex: "0", role: "application", "aria-label": "Relevance of the residual stream: layers down, positions across; left and right arrow keys choose a position" });
    const legend = h("div", { class: "legend-place" });
    el.replaceChildren(legend, h("div", { class: "scroll" }, canvas));
    const cell = (event) => {
      const box = canvas.getBoundingClientRect();
      const { wide, high, layers, width } = el.grid;
      const pos = Math.floor((event.clientX - box.left - LEFT) / wide);
      const row = Math.floor((event.clientY - box.top) / high);
      return pos < 0 || pos >= width || row < 0 || row >= layers ? null : { pos, layer: layers - 1 - row };
    };
    canvas.addEventListener("click", (event) => { const at = cell(event); if (at) interp.update({ query: at.pos, key: null }); });
    canvas.addEventListener("mousemove", (event) => {
      const at = cell(event);
      const { stream } = el;
      if (!at || !stream) { interp.tip(event, null); return; }
      const v = (cellsOf(stream)[at.layer * stream.size + at.pos] / 32767) * stream.limit;
      interp.tip(event, [`layer ${at.layer}, ${interp.quoted(interp.tokens()[at.pos] || "")} at ${at.pos}`, `relevance ${interp.signed(v, 3)}`]);
    });
    canvas.addEventListener("mouseleave", (event) => interp.tip(event, null));
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      interp.update({ query: Math.max(0, Math.min(el.grid.width - 1, interp.queryAt() + step)), key: null });
    });
    return { canvas, legend };
  };
  interp.draw.stream = (el, payload) => {
    if (!payload) { el.parts = null; el.replaceChildren(); return; }
    if (!payload.stream) { el.parts = null; el.replaceChildren(nothing(payload, "residual stream")); return; }
    el.parts = el.parts || buildStream(el);
    const { canvas, legend } = el.parts;
    const { layers, size: width, limit } = (el.stream = payload.stream);
    const high = layers > 40 ? 7 : 9;
    const wide = Math.max(1, Math.min(72, (el.clientWidth - LEFT - 8) / width));
    const labelled = wide >= 15;
    el.grid = { wide, high, layers, width };
    const pen = interp.canvas(canvas, LEFT + width * wide + 4, layers * high + (labelled ? 62 : 24));
    const values = cellsOf(payload.stream);
    const ramp = interp.ramp("diverging");
    const image = new ImageData(width, layers);
    for (let layer = 0; layer < layers; layer++)
      for (let pos = 0; pos < width; pos++) {
        const v = values[layer * width + pos] / 32767;
        image.data.set([...ramp[Math.round(255 * interp.bySign(v, 1))], 255], 4 * ((layers - 1 - layer) * width + pos));
      }
    const sheet = new OffscreenCanvas(width, layers);
    sheet.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(sheet, LEFT, 0, width * wide, layers * high);
    pen.fillStyle = interp.css("--muted");
    pen.font = `11px ${interp.css("--font")}`;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (let layer = 0; layer < layers; layer += 5) pen.fillText(layer, LEFT - 6, (layers - 1 - layer + 0.5) * high);
    const query = interp.queryAt();
    pen.strokeStyle = interp.css("--accent");
    pen.lineWidth = wide < 4 ? 1 : 2;
    pen.strokeRect(LEFT + query * wide, 0.5, Math.max(wide, 2), layers * high - 1);
    const tokens = interp.tokens();
    if (labelled) tokens.forEach((text, i) => {
      pen.fillStyle = interp.css(i === query ? "--accent" : "--muted");
      pen.save();
      pen.translate(LEFT + (i + 0.55) * wide, layers * high + 8);
      pen.rotate(-Math.PI / 5);
      pen.textAlign = "right";
      pen.fillText(interp.shortToken(text, 12), 0, 3);
      pen.restore();
    });
    else {
      pen.textAlign = "center";
      const step = Math.ceil(60 / wide / 50) * 50;
      for (let i = 0; i < width; i += step) pen.fillText(i, LEFT + (i + 0.5) * wide, layers * high + 11);
    }
    if (canvas.dataset.key !== payload.key) canvas.parentNode.scrollLeft = LEFT + query * wide - el.clientWidth / 2;
    canvas.dataset.key = payload.key;
    legend.replaceChildren(interp.legend("diverging", value(-limit, payload), value(limit, payload), true), h("span", { class: "legend-said" }, `relevance (${payload.unit}), ${payload.method}`));
  };
  interp.facts.push((layer, head) => {
    const payload = fresh("insides");
    if (interp.view.page !== "attribution" || !payload || !payload.heads || !payload.heads[layer]) return [];
    return [[`relevance, ${payload.method}`, value(payload.heads[layer][head], payload)]];
  });
})();
