// The page Engines: what is chosen of a figure, the table, where a result came from, and the results there are.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const GRID = "/_dash-component-suites/dash_ag_grid/dash_ag_grid.min.js";
  const said = (name) => name.replaceAll("_", " ");

  // Choices of the figure: words as buttons, numbers and names as fields
  const draw = (name, value) => {
    const { [name]: _, ...rest } = interp.given(interp.view.drawing);
    interp.update({ drawing: interp.written(value === null || value === "" ? rest : { ...rest, [name]: value }) });
  };
  const words = (name, options) => {
    const now = interp.given(interp.view.drawing)[name] ?? null;
    return h("div", { class: "choice", role: "group", "aria-label": said(name) }, [null, ...options].map((word) =>
      h("button", { "data-choice": name, "data-word": word === null ? "" : word, "aria-pressed": String(word === now), onclick: () => draw(name, word) }, word === null ? `${said(name)}: as usual` : said(word))));
  };
  const field = (name) => {
    const input = h("input", { class: "group-field number-field", value: String(interp.given(interp.view.drawing)[name] ?? ""), placeholder: "–", "data-choice": name, "aria-label": said(name) });
    input.addEventListener("change", () => draw(name, /^-?\d+$/.test(input.value) ? Number(input.value) : input.value));
    return h("label", { class: "engine-field" }, said(name), input);
  };
  interp.draw.enginechoices = (el, payload) => {
    const choices = Object.entries((payload && payload.choices) || {});
    el.replaceChildren(...choices.filter(([, options]) => options).map(([name, options]) => words(name, options)),
      h("div", { class: "engine-fields" }, choices.filter(([, options]) => !options).map(([name]) => field(name))));
  };

  interp.draw.enginetables = (el, payload) => {
    const names = payload && payload.tables.length ? ["", ...payload.tables] : [];
    el.replaceChildren(names.length ? h("div", { class: "choice", role: "group", "aria-label": "Table" }, names.map((name) =>
      h("button", { "data-set": "table", "data-value": name, "aria-pressed": String(name === interp.view.table) }, name || "main"))) : "");
  };

  // The grid
  let loading = null;
  const grid = () => {
    loading = loading || new Promise((resolve, reject) => {
      const script = h("script", { src: GRID });
      script.onload = resolve;
      script.onerror = () => { loading = null; reject(new Error("the table's script could not be loaded")); };
      document.head.append(script);
    });
    return loading;
  };
  const shorter = (value) => (typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value);
  interp.draw.enginegrid = async (el, payload) => {
    const place = document.getElementById("engine-grid-place");
    place.hidden = !payload;
    if (!payload) { el.replaceChildren(); return; }
    const { columns, numeric, rows, total } = payload;
    const more = total > rows.length ? `The first ${rows.length.toLocaleString("en")} of ${total.toLocaleString("en")} rows; the CSV has all. ` : `${total.toLocaleString("en")} rows. `;
    el.replaceChildren(h("p", { class: "engine-small" }, more,
      h("button", { class: "quiet", "data-export": "csv", "data-slot": "engine_table", "aria-label": "CSV: Table" }, "CSV")));
    const look = `${payload.key} ${interp.theme()}`;
    if (place.drawnFor === look) return;
    place.drawnFor = look;
    await grid();
    const columnDefs = columns.map((name, i) => ({ field: `c${i}`, headerName: said(name), filter: numeric[i] ? "agNumberColumnFilter" : "agTextColumnFilter", floatingFilter: true, type: numeric[i] ? "rightAligned" : undefined }));
    const rowData = rows.map((row) => Object.fromEntries(row.map((value, i) => [`c${i}`, shorter(value)])));
    const props = { id: "engine-grid", columnDefs, rowData, defaultColDef: { sortable: true, resizable: true, flex: 1, minWidth: 90 }, className: interp.theme() === "dark" ? "ag-theme-quartz-dark" : "ag-theme-quartz", style: { height: Math.min(460, 112 + 42 * rows.length) }, dashGridOptions: { theme: "legacy", animateRows: false } };
    interp.set("engine-grid-place", { children: { namespace: "dash_ag_grid", type: "AgGrid", props } });
  };

  interp.draw.engineorigin = (el, payload) => {
    const entries = Object.entries((payload && payload.origin) || {});
    const text = (value) => (typeof value === "object" ? Object.entries(value).map(([name, v]) => `${name} ${JSON.stringify(v)}`).join(", ") : String(value));
    el.replaceChildren(h("details", { class: "engine-origin" }, h("summary", {}, "Where it came from"),
      h("dl", {}, entries.map(([name, value]) => [h("dt", {}, said(name)), h("dd", {}, text(value))]))));
  };

  // Results: of this process, and from files
  const open = (entry) => {
    const engine = interp.model.engines.find(({ name }) => name === entry.engine);
    const standard = engine ? engine.defaults : {};
    const options = Object.entries(entry.options).filter(([name, value]) => name in standard && JSON.stringify(value) !== JSON.stringify(standard[name]));
    const form = engine ? { engine: engine.name, options: interp.written(Object.fromEntries(options)) } : {};
    interp.update({ ...form, opened: entry.name, beside: "", drawing: "", table: "" });
  };
  const upload = async (file) => {
    if (!file) return;
    if (file.size > interp.model.largest) { interp.say(`${file.name} has more than ${interp.model.largest >> 20} MiB; open it with Result.load`); return; }
    const answer = await (await fetch(`/_engine/open?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file })).json();
    problem = answer.error || "";
    if (answer.error) interp.render();
    else open(answer);
    list();
  };
  let problem = "";
  let entries = [];
  const list = async () => {
    const answer = await (await fetch("/_engine/results")).json();
    if (JSON.stringify(answer) === JSON.stringify(entries)) return;
    entries = answer;
    document.querySelectorAll(".drawn-engineresults").forEach((el) => { el.drawnFor = null; });
    interp.render();
  };
  interp.draw.engineresults = (el, payload) => {
    list();
    const picker = h("input", { type: "file", accept: ".nc,.json", id: "engine-file", "aria-label": "Open a result file or a circuit" });
    picker.addEventListener("change", () => upload(picker.files[0]));
    const { opened, beside } = interp.view;
    const fits = ({ kind, name }) => payload && payload.kind === kind && name !== opened;
    const row = (entry) => h("li", { class: "result-row" },
      h("button", { class: "result-name", "data-result": entry.name, "aria-pressed": String(entry.name === opened), onclick: () => open(entry) },
        h("b", {}, entry.engine || entry.kind), h("span", {}, entry.prompt ? interp.visible(entry.prompt) + (entry.prompts > 1 ? ` and ${entry.prompts - 1} more` : "") : ""),
        h("span", { class: "engine-small" }, [entry.created.slice(11, 19), entry.seconds ? `${entry.seconds} s` : "", entry.model].filter(Boolean).join(" · "))),
      fits(entry) ? h("button", { class: "button small", "data-beside": entry.name, "aria-pressed": String(entry.name === beside), onclick: () => interp.update({ beside: entry.name === beside ? "" : entry.name }) }, entry.name === beside ? "Stop comparing" : "Compare") : "");
    el.replaceChildren(h("div", { class: "engine-buttons" }, picker, problem ? h("span", { class: "engine-problem", role: "alert" }, problem) : ""),
      h("ul", { class: "result-list", tabindex: "0", "aria-label": "Results of this process" }, entries.map(row)));
    document.querySelectorAll(".compared-results, [data-panel='engine_difference']").forEach((panel) => { panel.hidden = !beside; });
  };
})();
