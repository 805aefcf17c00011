// Position and context: shares by layer, the positions' curve, their cosines, the topics' map.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const { floats } = interp;
  const PARTS = ["position", "context", "residual", "mean"];
  const shade = (part) => (part === "mean" ? interp.css("--line") : interp.hues[interp.theme()][PARTS.indexOf(part)]);

  // Stacked bars: one a layer, the first at the bottom of none; a click chooses the layer
  const MEASURES = { stable_rank: ["stable rank", 2], rank: ["rank", 0], relative_norm: ["relative norm", 3], low_frequency_share: ["low-frequency share", 3], incoherence: ["largest |cos| with a context", 3], similarity_within: ["|cos| within topics", 3], similarity_between: ["|cos| between topics", 3] };
  const depthNow = () => interp.data.geometry_curve?.depth ?? interp.view.depth;
  interp.draw.energy = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const count = payload.shares.mean.length;
    const [left, top, high, bottom] = [40, 8, 190, 34];
    const width = Math.max(el.clientWidth, left + 10 * count);
    const step = (width - left - 6) / count;
    const y = (share) => top + high * (1 - share);
    const depth = depthNow();
    const svg = h("svg", { width, height: top + high + bottom, role: "group", "aria-label": "Shares of the stream's energy by layer" });
    for (const share of [0, 0.5, 1]) svg.append(h("line", { x1: left, x2: width, y1: y(share), y2: y(share), class: "rule" }), h("text", { x: left - 6, y: y(share), class: "end tick" }, `${100 * share} %`));
    for (let layer = 0; layer < count; layer++) {
      let at = 0;
      const bar = h("g", { class: layer === depth ? "stack-bar here" : "stack-bar", tabindex: "0", role: "button", "aria-pressed": String(layer === depth), "data-depth": String(layer), "aria-label": `Layer ${layer}: position ${interp.percent(payload.shares.position[layer])}, context ${interp.percent(payload.shares.context[layer])}` });
      for (const part of [...PARTS]) {
        const share = payload.shares[part][layer] ?? 0;
        bar.append(h("rect", { x: left + layer * step + 1, width: Math.max(1, step - 2), y: y(at + share), height: Math.max(0, high * share), fill: shade(part) }));
        at += share;
      }
      if (layer === depth) bar.append(h("rect", { x: left + layer * step, width: step, y: top - 2, height: high + 4, class: "outline" }));
      bar.append(h("rect", { x: left + layer * step, width: step, y: top, height: high, fill: "transparent" }));
      const choose = () => interp.update({ depth: layer });
      bar.addEventListener("click", choose);
      bar.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); } });
      bar.addEventListener("mousemove", (event) => interp.tip(event, [layer === count - 1 ? "out of the last layer" : `into layer ${layer}`, ...PARTS.map((part) => `${part} ${interp.percent(payload.shares[part][layer] ?? 0)}`)]));
      bar.addEventListener("mouseleave", (event) => interp.tip(event, null));
      svg.append(bar);
      if (layer % 5 === 0) svg.append(h("text", { x: left + (layer + 0.5) * step, y: top + high + 12, class: "mid tick" }, String(layer)));
    }
    svg.append(h("text", { x: left + (count * step) / 2, y: top + high + 27, class: "mid tick" }, "stream into layer"));
    const key = h("p", { class: "keyline parts" }, PARTS.map((part) => h("span", {}, h("b", { style: `background:${shade(part)}` }), ` ${part} `)));
    const facts = depth === null || depth === undefined ? [] : Object.entries(MEASURES).map(([name, [words, digits]]) => {
      const [read, shuffled] = payload.measures[name].map((values) => values[depth]);
      const say = (v) => (v === null ? "–" : v.toFixed(digits));
      return h("div", { class: "fact" }, h("dt", {}, words), h("dd", { "data-measure": name }, say(read), h("span", { class: "versus" }, `  shuffled ${say(shuffled)}`)));
    });
    el.replaceChildren(key, h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Energy by layer" }, svg), h("h3", { class: "measures-title" }, depth === null || depth === undefined ? "" : `Layer ${depth}, beside the shuffled control`), h("dl", { class: "measures" }, facts));
    el.dataset.key = payload.key;
  };

  // A curve in three dimensions, turned by dragging or by the arrow keys
  const turned = ([x, y, z], { yaw, pitch }) => {
    const [a, b] = [x * Math.cos(yaw) + z * Math.sin(yaw), z * Math.cos(yaw) - x * Math.sin(yaw)];
    return [a, y * Math.cos(pitch) - b * Math.sin(pitch), y * Math.sin(pitch) + b * Math.cos(pitch)];
  };
  const paintCurve = (el) => {
    const { payload, angle } = el;
    const values = floats(payload, "curve", payload.curve);
    const count = payload.positions.length;
    const side = Math.min(el.clientWidth, 380);
    const pen = interp.canvas(el.canvas, side, side);
    const most = Math.max(1e-12, ...Array.from({ length: count }, (_, i) => Math.hypot(values[3 * i], values[3 * i + 1], values[3 * i + 2])));
    const place = (point) => { const [x, y, z] = turned(point, angle); return [side / 2 + (x / most) * side * 0.47, side / 2 - (y / most) * side * 0.47, z / most]; };
    pen.strokeStyle = interp.css("--line");
    pen.fillStyle = interp.css("--muted");
    pen.font = `11px ${interp.css("--font")}`;
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]].forEach((axis, i) => {
      const [x, y] = place(axis.map((v) => v * most * 0.9));
      pen.beginPath(); pen.moveTo(side / 2, side / 2); pen.lineTo(x, y); pen.stroke();
      pen.fillText(`PC ${i + 1}`, x + 3, y);
    });
    const points = Array.from({ length: count }, (_, i) => ({ i, at: place([values[3 * i], values[3 * i + 1], values[3 * i + 2]]) }));
    el.points = points;
    pen.strokeStyle = interp.css("--muted");
    pen.globalAlpha = 0.5;
    pen.beginPath();
    points.forEach(({ at }, i) => (i ? pen.lineTo(at[0], at[1]) : pen.moveTo(at[0], at[1])));
    pen.stroke();
    pen.globalAlpha = 1;
    for (const { i, at } of [...points].sort((a, b) => a.at[2] - b.at[2])) {
      pen.fillStyle = interp.rgb("sequential", 0.15 + (0.85 * i) / Math.max(1, count - 1));
      pen.beginPath();
      pen.arc(at[0], at[1], 2.6 + 0.8 * at[2], 0, 7);
      pen.fill();
    }
    el.canvas.dataset.key = payload.key;
  };
  const nearest = (points, event, canvas, reach = 12) => {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const found = points.map((point) => [Math.hypot(point.at[0] - x, point.at[1] - y), point]).sort((a, b) => a[0] - b[0])[0];
    return found && found[0] < reach ? found[1] : null;
  };
  interp.draw.poscurve = (el, payload) => {
    if (!payload) { el.canvas = null; el.replaceChildren(); return; }
    if (!el.canvas) {
      el.angle = el.angle || { yaw: 0.6, pitch: 0.4 };
      const canvas = (el.canvas = h("canvas", { tabindex: "0", role: "application", "aria-label": "The positions' curve in three dimensions; arrow keys turn it" }));
      const turn = (dx, dy) => { el.angle = { yaw: el.angle.yaw + dx, pitch: Math.max(-1.5, Math.min(1.5, el.angle.pitch + dy)) }; paintCurve(el); };
      canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
      canvas.addEventListener("pointermove", (event) => {
        if (event.buttons) { turn(event.movementX / 120, event.movementY / 120); interp.tip(event, null); return; }
        const point = nearest(el.points || [], event, canvas);
        interp.tip(event, point && [`position ${el.payload.positions[point.i]}`]);
      });
      canvas.addEventListener("pointerleave", (event) => interp.tip(event, null));
      canvas.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] }[event.key];
        if (step) { event.preventDefault(); turn(...step); }
      });
      el.replaceChildren(canvas);
    }
    el.payload = payload;
    paintCurve(el);
  };

  const gramOf = (payload) => {
    const raw = interp.bytes(payload.gram.data, Int16Array);
    return Float32Array.from(raw, (v) => (v / 32767) * payload.gram.limit);
  };
  interp.draw.gram = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const values = gramOf(payload);
    const canvas = h("canvas", { role: "img", "aria-label": `Cosines between positions, layer ${payload.depth}` });
    const side = Math.min(el.clientWidth, 380);
    el.replaceChildren(h("div", { class: "legend-place" }, interp.legend("diverging", "−1", "+1", true), h("span", { class: "legend-said" }, "cosine")), canvas);
    interp.heat(canvas, { values, rows: payload.size, columns: payload.size, side, kind: "diverging", at: (v) => interp.bySign(v, 1) });
    canvas.addEventListener("mousemove", (event) => {
      const cell = interp.cellAt(canvas, event, payload.size, payload.size);
      interp.tip(event, cell && [`positions ${payload.places[cell.row]} and ${payload.places[cell.column]}`, `cosine ${interp.signed(values[cell.row * payload.size + cell.column], 3)}`]);
    });
    canvas.addEventListener("mouseleave", (event) => interp.tip(event, null));
    canvas.dataset.key = payload.key;
  };

  // Windows on two directions; the commonest topics have a colour each
  interp.draw.topics = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const values = floats(payload, "map", payload.map);
    const counts = new Map();
    for (const topic of payload.topics) counts.set(topic, (counts.get(topic) || 0) + 1);
    const common = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 8).filter(([, n]) => n > 1).map(([topic]) => topic);
    const colour = (topic) => (common.includes(topic) ? interp.hues[interp.theme()][common.indexOf(topic)] : interp.css("--muted"));
    const canvas = h("canvas", { role: "img", "aria-label": `Windows of text by their context part, layer ${payload.depth}` });
    const [width, height] = [el.clientWidth, 320];
    const key = h("p", { class: "keyline parts" }, [...common, ...(counts.size > common.length ? ["others"] : [])].map((topic) => h("span", {}, h("b", { style: `background:${colour(topic)}` }), ` ${topic} `)));
    el.replaceChildren(key, canvas);
    const pen = interp.canvas(canvas, width, height);
    const points = payload.topics.map((topic, i) => ({ i, topic, x: values[3 * i], y: values[3 * i + 1] }));
    const span = (name) => { const all = points.map((p) => p[name]); return [Math.min(...all), Math.max(...all)]; };
    const [[x0, x1], [y0, y1]] = [span("x"), span("y")];
    for (const point of points) {
      point.at = [14 + ((width - 28) * (point.x - x0)) / (x1 - x0 || 1), height - 14 - ((height - 28) * (point.y - y0)) / (y1 - y0 || 1)];
      pen.fillStyle = colour(point.topic);
      pen.globalAlpha = 0.8;
      pen.beginPath();
      pen.arc(point.at[0], point.at[1], common.includes(point.topic) ? 4.5 : 3.2, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
    pen.fillStyle = interp.css("--muted");
    pen.font = `11px ${interp.css("--font")}`;
    pen.fillText("PC 1 →", width - 46, height - 3);
    pen.fillText("PC 2 ↑", 2, 10);
    canvas.addEventListener("mousemove", (event) => {
      const point = nearest(points, event, canvas);
      interp.tip(event, point && [payload.documents[point.i], point.topic]);
    });
    canvas.addEventListener("mouseleave", (event) => interp.tip(event, null));
    canvas.dataset.key = payload.key;
  };
})();
