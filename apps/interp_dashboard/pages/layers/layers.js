// Layers: the corpus, which columns are shown, and the table, whose rows are sorted, skipped and linearised.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const WAYS = { skip: "skip", line: "linearise" };

  interp.draw.layercorpus = (el) => {
    if (!el.parts) {
      const field = h("input.group-field.wide", {
        type: "text",
        maxlength: "400",
        "aria-label": "Text to measure the layers on",
        placeholder: "file, folder or hf:NAME",
      });
      const give = () => interp.update({ text: field.value.trim() });
      interp.onEnter(field, give);
      el.parts = { field };
      interp.fill(el, h("div.group-row", field, interp.act("Measure", give, { "data-act": "measure-corpus" })));
    }
    if (document.activeElement !== el.parts.field) el.parts.field.value = interp.view.text;
  };

  const readable = (name) => name.replaceAll("_", " ");
  const shown = ({ columns, usual }) => {
    const those = (names) => names.map((name) => columns.find((column) => column.name === name)).filter(Boolean);
    const chosen = those(interp.view.measures);
    return chosen.length ? chosen : those(usual);
  };

  interp.draw.layercolumns = (el, payload) => {
    if (!payload) {
      el.replaceChildren();
      return;
    }
    const now = shown(payload).map(({ name }) => name);
    const take = (name) =>
      interp.update({ measures: now.includes(name) ? now.filter((other) => other !== name) : [...now, name] });
    const box = ({ name, meaning }) => {
      const tick = h("input", { type: "checkbox", "data-measure": name, onchange: () => take(name) });
      tick.checked = now.includes(name);
      return h("label.layer-column", { title: meaning }, tick, readable(name));
    };
    const engines = [...new Set(payload.columns.map(({ engine }) => engine))];
    const open = el.querySelector("details")?.open ?? false;
    const group = (engine) =>
      h(
        "fieldset.layer-group",
        h("legend", engine),
        payload.columns.filter((column) => column.engine === engine).map(box),
      );
    const details = h(
      "details.layer-columns",
      h("summary", `Columns: ${now.length} of ${payload.columns.length}`),
      engines.map(group),
    );
    details.open = open;
    interp.fill(el, details);
  };

  const order = (columns, rows) => {
    const { by } = interp.view;
    const down = by.startsWith("-");
    const column = columns.find(({ name }) => name === by.replace(/^-/, ""));
    if (!column) return rows;
    const value = (row) => column.values[row] ?? Infinity; // without a number last
    return rows.toSorted((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === Infinity || y === Infinity) return x === y ? a - b : x - y;
      return (down ? y - x : x - y) || a - b;
    });
  };
  const sortBy = (name) => {
    const { by } = interp.view;
    interp.update({ by: by === `-${name}` ? name : by === name ? "" : `-${name}` });
  };
  const arrow = (name) => (interp.view.by === name ? " ↑" : interp.view.by === `-${name}` ? " ↓" : "");
  const said = (name) =>
    interp.view.by === name ? "ascending" : interp.view.by === `-${name}` ? "descending" : "none";

  // A layer is changed in one way at a time
  const change = (way, layer) => {
    const others = interp.view.changed.filter((entry) => entry.slice(4) !== String(layer));
    const entry = `${way}${layer}`;
    interp.update({ changed: interp.view.changed.includes(entry) ? others : [...others, entry] });
  };
  const short = (value) =>
    value === null || value === undefined ? "–" : String(Number(value.toPrecision(3))).replace("-", "−");
  // By rank, equal values alike: one outlier would leave all other layers of its column in one shade
  const shades = ({ values }) => {
    const there = values.filter((value) => value !== null);
    const below = (value) => there.filter((other) => other < value).length;
    const upTo = (value) => there.filter((other) => other <= value).length;
    const rank = (value) => (below(value) + upTo(value) - 1) / 2;
    return values.map((value) => (value === null ? null : rank(value) / Math.max(1, there.length - 1)));
  };
  const cell = ({ values, low, high, unit }, row, shade) => {
    const value = values[row];
    const ends = low && low[row] !== null ? ` (95 %: ${short(low[row])} to ${short(high[row])})` : "";
    const el = h("td.layer-number", { title: `${short(value)} ${unit}${ends}` }, short(value));
    if (shade !== null)
      Object.assign(el.style, {
        background: interp.rgb("sequential", shade),
        color: interp.inkOn("sequential", shade),
      });
    return el;
  };
  const ways = (layer) =>
    Object.entries(WAYS).map(([way, words]) => {
      const on = interp.view.changed.includes(`${way}${layer}`);
      const attributes = {
        "data-change": `${way}${layer}`,
        "aria-pressed": String(on),
        "aria-label": `${words} layer ${layer}`,
        onclick: () => change(way, layer),
      };
      return h("button.layer-way", attributes, words);
    });

  interp.draw.layertable = (el, payload) => {
    if (!payload) {
      el.replaceChildren();
      return;
    }
    const columns = shown(payload);
    const shaded = columns.map(shades);
    const count = Math.max(0, ...columns.map(({ values }) => values.length));
    const rows = order(payload.columns, [...Array(Math.min(count, interp.model.layers)).keys()]);
    const heading = ({ name, meaning, unit }) =>
      h(
        "th",
        { "aria-sort": said(name), scope: "col" },
        h(
          "button.layer-heading",
          { title: `${meaning} (${unit || "no unit"})`, "data-sort": name, onclick: () => sortBy(name) },
          readable(name) + arrow(name),
        ),
      );
    const line = (layer) =>
      h(
        "tr",
        { "data-layer": String(layer) },
        h("th", { scope: "row" }, String(layer)),
        h("td.layer-ways", ways(layer)),
        columns.map((column, i) => cell(column, layer, shaded[i][layer] ?? null)),
      );
    const box = el.querySelector(".scroll");
    const [left, top] = box ? [box.scrollLeft, box.scrollTop] : [0, 0];
    const table = h(
      "table.layer-table",
      h("caption", "Shaded by rank within each column, from the least to the greatest."),
      h("thead", h("tr", h("th", { scope: "col" }, "layer"), h("td", ""), columns.map(heading))),
      h("tbody", rows.map(line)),
    );
    interp.fill(el, h("div.scroll.layer-scroll", { tabindex: "0", role: "group", "aria-label": "The layers" }, table));
    Object.assign(el.firstChild, { scrollLeft: left, scrollTop: top });
  };
})();
