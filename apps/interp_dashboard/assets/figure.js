// Figures of the library in a panel: drawn by plotly, which is loaded with the first of them; a click sets the view.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const PLOTLY = "/_dash-component-suites/plotly/package_data/plotly.min.js";

  interp.plotly = async () => {
    await interp.script(PLOTLY);
    return window.Plotly;
  };

  // Heads by the names that figures give them
  let heads = null;
  const headOf = (name) => {
    if (!heads) {
      heads = new Map();
      for (let layer = 0; layer < interp.model.layers; layer++)
        for (let head = 0; head < interp.model.heads; head++)
          heads.set(interp.headNode(layer, head), { layer, head, key: null });
    }
    return heads.get(name) || {};
  };
  const change = (field, value) => (field === "node" ? headOf(value) : { [field]: value });
  const current = (field) => {
    if (field === "node") return interp.headNode(interp.view.layer, interp.view.head);
    return field === "query" ? interp.queryAt() : interp.view[field];
  };

  // "x", "y", or "customdata.3" of a point
  const part = (point, path) => path.split(".").reduce((value, name) => value?.[name], point);
  const clicks = (el) => Object.entries(JSON.parse(el.dataset.click));

  // The current selection is outlined in the figure: a column, a row, a cell, or the bar that stands for it
  const along = (trace, axis, value) => {
    const at = Array.from(trace[axis] || []).indexOf(value);
    return at < 0 ? null : typeof value === "string" ? at : value;
  };
  const places = (trace, bindings) => {
    const place = { x: null, y: null };
    for (const [field, path] of bindings) {
      const value = current(field);
      if (path in place) {
        place[path] = along(trace, path, value);
        continue;
      }
      const [list, ...rest] = path.split(".");
      const at = (trace[list] || []).findIndex((entry) => part(entry, rest.join(".")) === value);
      if (at >= 0) place[trace.orientation === "h" ? "y" : "x"] = (trace.orientation === "h" ? trace.y : trace.x)[at];
    }
    return place;
  };
  const marks = (figure, bindings) => {
    const subplots = new Set();
    return figure.flatMap((trace) => {
      const [xaxis, yaxis] = [trace.xaxis || "x", trace.yaxis || "y"];
      const { x, y } = places(trace, bindings);
      if ((x === null && y === null) || subplots.has(xaxis + yaxis)) return [];
      subplots.add(xaxis + yaxis);
      const span = (name, at) => {
        const [ref, from, to] = at === null ? [`${name} domain`, 0, 1] : [name, at - 0.5, at + 0.5];
        return { [`${name[0]}ref`]: ref, [`${name[0]}0`]: from, [`${name[0]}1`]: to };
      };
      return [
        { type: "rect", ...span(xaxis, x), ...span(yaxis, y), line: { color: interp.css("--accent"), width: 1.5 } },
      ];
    });
  };

  // Arrow keys move the outline
  const step = (el, event) => {
    const move = { ArrowLeft: ["x", -1], ArrowRight: ["x", 1], ArrowUp: ["y", -1], ArrowDown: ["y", 1] }[event.key];
    const binding = move && clicks(el).find(([, path]) => path === move[0]);
    if (!binding) return;
    event.preventDefault();
    const values = Array.from(new Set(el.plot._fullData.flatMap((trace) => Array.from(trace[move[0]] || []))));
    const at = values.indexOf(current(binding[0]));
    const next = values[interp.clamp(at + move[1], values.length - 1)];
    interp.update(change(binding[0], next));
  };

  const build = (el) => {
    const clickable = clicks(el).length > 0;
    el.plot = h("div.plot");
    el.caption = h("p.caption");
    interp.fill(el, el.caption, el.plot);
    el.setAttribute("role", "group");
    el.setAttribute("aria-label", el.dataset.title + (clickable ? "; arrow keys move the selection" : ""));
    if (!clickable) return;
    el.tabIndex = 0;
    el.addEventListener("keydown", (event) => step(el, event));
  };
  const listen = (el) => {
    if (el.listening || !clicks(el).length) return;
    el.listening = true;
    el.plot.on("plotly_click", ({ points: [point] }) => {
      const values = clicks(el)
        .map(([field, path]) => [field, part(point, path)])
        .filter(([, value]) => value !== undefined);
      interp.update(Object.assign({}, ...values.map(([field, value]) => change(field, value))));
    });
  };

  // A square plot in a narrow panel is lower, too
  const fitted = ({ height, margin, yaxis }, width) => ({
    width,
    height: yaxis && yaxis.scaleanchor ? Math.min(height, width - margin.l - margin.r + margin.t + margin.b) : height,
  });
  interp.draw.figure = async (el, payload) => {
    if (!el.plot) build(el);
    el.payload = payload;
    el.plot.hidden = !payload || Boolean(payload.missing); // the place itself stays: what is hidden is not drawn
    const title = payload && payload.title !== el.dataset.title ? payload.title : ""; // not said twice
    el.caption.textContent = payload?.missing || title;
    if (el.plot.hidden) return;
    const plotly = await interp.plotly();
    if (el.payload !== payload) return; // a newer one came while plotly was loaded
    const { data, layout } = payload.figure;
    const own = layout.shapes || [];
    const look = `${payload.key} ${el.clientWidth}`; // a click elsewhere leaves most figures as they are
    if (el.look !== look) {
      [el.look, el.marked] = [look, "[]"];
      const now = { ...layout, ...fitted(layout, el.clientWidth), shapes: own };
      await plotly.react(el.plot, data, now, { ...interp.model.config, responsive: false });
    }
    const shapes = marks(el.plot._fullData, clicks(el));
    const outlines = JSON.stringify(shapes);
    if (el.marked !== outlines) {
      el.marked = outlines;
      await plotly.relayout(el.plot, { shapes: [...own, ...shapes] });
    }
    listen(el);
  };
})();
