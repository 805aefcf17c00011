// The page Engines: the figure's choices, the table, a result's origin, and the list of results.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const GRID = "/_dash-component-suites/dash_ag_grid/dash_ag_grid.min.js";
  const LOOK =
    "themeQuartz.withParams({ browserColorScheme: 'inherit', backgroundColor: 'var(--card)', foregroundColor: 'var(--ink)', headerBackgroundColor: 'var(--soft)', borderColor: 'var(--line)', accentColor: 'var(--accent)', fontFamily: 'inherit', fontSize: 12.5, spacing: 4 })";
  const readable = (name) => name.replaceAll("_", " ");

  // Choices of the figure: words as buttons, numbers and names as fields
  const draw = (name, value) => {
    const { [name]: _, ...rest } = interp.parseValues(interp.view.drawing);
    interp.update({ drawing: interp.serialize(value === null || value === "" ? rest : { ...rest, [name]: value }) });
  };
  const words = (name, options) => {
    const now = interp.parseValues(interp.view.drawing)[name] ?? null;
    const option = (word) => {
      const attributes = { "data-choice": name, "data-word": word ?? "", onclick: () => draw(name, word) };
      return [word === null ? `${readable(name)}: as usual` : readable(word), word === now, attributes];
    };
    return interp.choice(readable(name), [null, ...options].map(option));
  };
  const field = (name) => {
    const value = String(interp.parseValues(interp.view.drawing)[name] ?? "");
    const change = ({ target }) => draw(name, /^-?\d+$/.test(target.value) ? Number(target.value) : target.value);
    const attributes = { value, placeholder: "–", "data-choice": name, "aria-label": readable(name), onchange: change };
    return h("label.engine-field", readable(name), h("input.group-field", attributes));
  };
  interp.draw.enginechoices = (el, payload) => {
    const choices = Object.entries(payload?.choices || {});
    const [menus, free] = [choices.filter(([, options]) => options), choices.filter(([, options]) => !options)];
    interp.fill(
      el,
      menus.map(([name, options]) => words(name, options)),
      h(
        "div.engine-fields",
        free.map(([name]) => field(name)),
      ),
    );
  };

  interp.draw.enginetables = (el, payload) => {
    const option = (name) => [name || "main", name === interp.view.table, { "data-set": "table", "data-value": name }];
    interp.fill(el, payload?.tables.length > 0 && interp.choice("Table", ["", ...payload.tables].map(option)));
  };

  // The grid
  const shorter = (value) =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
  interp.draw.enginegrid = async (el, payload) => {
    const place = document.getElementById("engine-grid-place");
    place.hidden = !payload;
    if (!payload) {
      el.replaceChildren();
      return;
    }
    const { columns, units, meanings, numeric, rows, total } = payload;
    const all = total.toLocaleString("en");
    const more =
      total > rows.length
        ? `The first ${rows.length.toLocaleString("en")} of ${all} rows; the CSV has all. `
        : `${all} rows. `;
    const csv = { "data-export": "csv", "data-slot": "engine_table", "aria-label": "CSV: Table" };
    interp.fill(el, h("p.engine-small", more, h("button.quiet", csv, "CSV")));
    if (place.drawnFor === payload.key) return;
    place.drawnFor = payload.key;
    await interp.script(GRID);
    const columnDefs = columns.map((name, i) => ({
      field: `c${i}`,
      headerName: readable(name) + (units[i] && ` (${units[i]})`),
      headerTooltip: meanings[i],
      filter: numeric[i] ? "agNumberColumnFilter" : "agTextColumnFilter",
      floatingFilter: true,
      type: numeric[i] ? "rightAligned" : undefined,
    }));
    const rowData = rows.map((row) => Object.fromEntries(row.map((value, i) => [`c${i}`, shorter(value)])));
    const props = {
      id: "engine-grid",
      columnDefs,
      rowData,
      defaultColDef: { sortable: true, resizable: true, flex: 1, minWidth: 90 },
      className: "",
      style: { height: Math.min(460, 90 + 30 * rows.length) },
      dashGridOptions: { theme: { function: LOOK }, animateRows: false },
    };
    interp.set("engine-grid-place", { children: { namespace: "dash_ag_grid", type: "AgGrid", props } });
  };

  interp.draw.engineorigin = (el, payload) => {
    const pair = ([name, value]) => `${name} ${JSON.stringify(value)}`;
    const text = (value) => (typeof value === "object" ? Object.entries(value).map(pair).join(", ") : String(value));
    const rows = Object.entries(payload?.origin || {}).map(([name, value]) => [
      h("dt", readable(name)),
      h("dd", text(value)),
    ]);
    interp.fill(el, h("details.engine-origin", h("summary", "Where it came from"), h("dl", rows)));
  };

  // Results: of this process, and from files
  let entries = [];
  let problem = "";
  const again = () => interp.redraw(".drawn-engineresults");
  const engineOf = ({ engine }) => interp.model.engines.find(({ name }) => name === engine);
  const optionsOf = (entry) => (engineOf(entry) ? interp.optionsText(engineOf(entry), entry.options) : "");
  const open = (entry) => {
    const form = engineOf(entry) ? { engine: entry.engine, options: optionsOf(entry) } : {};
    interp.update({ ...form, opened: entry.name, beside: "", drawing: "", table: "" });
  };
  const upload = async (file) => {
    if (!file) return;
    const { largest } = interp.model;
    const answer =
      file.size > largest
        ? { error: `${file.name} has more than ${largest >> 20} MiB; open it with Result.load` }
        : await interp.fetch(`/_engine/open?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
    problem = answer.error || "";
    if (!problem) open(answer);
    again();
  };
  const list = async () => {
    const answer = await interp.fetch("/_engine/results");
    if (answer.error || JSON.stringify(answer) === JSON.stringify(entries)) return;
    entries = answer;
    again();
  };
  const optionsLine = (entry) =>
    Object.entries(interp.parseValues(optionsOf(entry)))
      .map(([name, value]) => `${readable(name)} ${Array.isArray(value) ? value.join(" ") : value}`)
      .join(", ");
  const describe = (entry) => {
    const more = entry.prompts > 1 ? ` and ${entry.prompts - 1} more` : "";
    return interp.dotted(entry.prompt && interp.visible(entry.prompt) + more, optionsLine(entry));
  };
  const when = ({ created, seconds }) =>
    interp.dotted(created && new Date(created).toLocaleTimeString(), seconds && `${seconds} s`);

  interp.draw.engineresults = (el, payload) => {
    list();
    const { opened, beside } = interp.view;
    const current = opened || (interp.status.works.engine_result || []).at(-1);
    const picker = h("input.offscreen", {
      type: "file",
      accept: ".nc,.json",
      id: "engine-file",
      onchange: ({ target }) => upload(target.files[0]),
    });
    const compare = ({ name }) => {
      const on = name === beside;
      const toggle = () => interp.update({ beside: on ? "" : name });
      return interp.act(on ? "Stop comparing" : "Compare", toggle, { "data-beside": name });
    };
    const row = (entry) =>
      h(
        "li.result-row",
        h(
          "button.result-name",
          { "data-result": entry.name, "aria-pressed": String(entry.name === current), onclick: () => open(entry) },
          h("b", entry.engine || entry.kind),
          h("span", describe(entry)),
          h("span.engine-small", when(entry)),
        ),
        payload?.kind === entry.kind && entry.name !== current && compare(entry),
      );
    const label = h("label.button", { for: "engine-file" }, "Open a file …");
    interp.fill(
      el,
      h("div.engine-buttons", label, picker, problem && h("span.engine-problem", { role: "alert" }, problem)),
      h("ul.result-list", { tabindex: "0", "aria-label": "Results of this process" }, entries.map(row)),
    );
    document.querySelectorAll(".compared-results, [data-panel='engine_difference']").forEach((panel) => {
      panel.hidden = !beside;
    });
  };
})();
