// The page Engines: what is chosen of a figure, the table, where a result came from, and the results there are.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const GRID = "/_dash-component-suites/dash_ag_grid/dash_ag_grid.min.js";
  const LOOK =
    "themeQuartz.withParams({ browserColorScheme: 'inherit', backgroundColor: 'var(--card)', foregroundColor: 'var(--ink)', headerBackgroundColor: 'var(--soft)', borderColor: 'var(--line)', accentColor: 'var(--accent)', fontFamily: 'inherit', fontSize: 12.5, spacing: 4 })";
  const said = (name) => name.replaceAll("_", " ");

  // Choices of the figure: words as buttons, numbers and names as fields
  const draw = (name, value) => {
    const { [name]: _, ...rest } = interp.given(interp.view.drawing);
    interp.update({ drawing: interp.written(value === null || value === "" ? rest : { ...rest, [name]: value }) });
  };
  const words = (name, options) => {
    const now = interp.given(interp.view.drawing)[name] ?? null;
    return h(
      "div",
      { class: "choice", role: "group", "aria-label": said(name) },
      [null, ...options].map((word) =>
        h(
          "button",
          {
            "data-choice": name,
            "data-word": word === null ? "" : word,
            "aria-pressed": String(word === now),
            onclick: () => draw(name, word),
          },
          word === null ? `${said(name)}: as usual` : said(word),
        ),
      ),
    );
  };
  const field = (name) => {
    const input = h("input", {
      class: "group-field number-field",
      value: String(interp.given(interp.view.drawing)[name] ?? ""),
      placeholder: "–",
      "data-choice": name,
      "aria-label": said(name),
    });
    input.addEventListener("change", () => draw(name, /^-?\d+$/.test(input.value) ? Number(input.value) : input.value));
    return h("label", { class: "engine-field" }, said(name), input);
  };
  interp.draw.enginechoices = (el, payload) => {
    const choices = Object.entries((payload && payload.choices) || {});
    el.replaceChildren(
      ...choices.filter(([, options]) => options).map(([name, options]) => words(name, options)),
      h(
        "div",
        { class: "engine-fields" },
        choices.filter(([, options]) => !options).map(([name]) => field(name)),
      ),
    );
  };

  interp.draw.enginetables = (el, payload) => {
    const names = payload && payload.tables.length ? ["", ...payload.tables] : [];
    el.replaceChildren(
      names.length
        ? h(
            "div",
            { class: "choice", role: "group", "aria-label": "Table" },
            names.map((name) =>
              h(
                "button",
                { "data-set": "table", "data-value": name, "aria-pressed": String(name === interp.view.table) },
                name || "main",
              ),
            ),
          )
        : "",
    );
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
    const { columns, meanings, numeric, rows, total } = payload;
    const more =
      total > rows.length
        ? `The first ${rows.length.toLocaleString("en")} of ${total.toLocaleString("en")} rows; the CSV has all. `
        : `${total.toLocaleString("en")} rows. `;
    el.replaceChildren(
      h(
        "p",
        { class: "engine-small" },
        more,
        h(
          "button",
          { class: "quiet", "data-export": "csv", "data-slot": "engine_table", "aria-label": "CSV: Table" },
          "CSV",
        ),
      ),
    );
    if (place.drawnFor === payload.key) return;
    place.drawnFor = payload.key;
    await interp.script(GRID);
    const columnDefs = columns.map((name, i) => ({
      field: `c${i}`,
      headerName: said(name),
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
    const entries = Object.entries((payload && payload.origin) || {});
    const text = (value) =>
      typeof value === "object"
        ? Object.entries(value)
            .map(([name, v]) => `${name} ${JSON.stringify(v)}`)
            .join(", ")
        : String(value);
    el.replaceChildren(
      h(
        "details",
        { class: "engine-origin" },
        h("summary", {}, "Where it came from"),
        h(
          "dl",
          {},
          entries.map(([name, value]) => [h("dt", {}, said(name)), h("dd", {}, text(value))]),
        ),
      ),
    );
  };

  // Results: of this process, and from files
  let entries = [];
  let problem = "";
  const again = () => {
    document.querySelectorAll(".drawn-engineresults").forEach((el) => {
      el.drawnFor = null;
    });
    interp.render();
  };
  const engineOf = ({ engine }) => interp.model.engines.find(({ name }) => name === engine);
  const optionsOf = (entry) => (engineOf(entry) ? interp.spelledOptions(engineOf(entry), entry.options) : "");
  const open = (entry) => {
    const form = engineOf(entry) ? { engine: entry.engine, options: optionsOf(entry) } : {};
    interp.update({ ...form, opened: entry.name, beside: "", drawing: "", table: "" });
  };
  const upload = async (file) => {
    if (!file) return;
    const large = file.size > interp.model.largest;
    const answer = large
      ? { error: `${file.name} has more than ${interp.model.largest >> 20} MiB; open it with Result.load` }
      : await (
          await fetch(`/_engine/open?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file })
        ).json();
    problem = answer.error || "";
    if (!problem) open(answer);
    again();
  };
  const list = async () => {
    const answer = await (await fetch("/_engine/results")).json();
    if (JSON.stringify(answer) === JSON.stringify(entries)) return;
    entries = answer;
    again();
  };
  const chosenOptions = (entry) =>
    Object.entries(interp.given(optionsOf(entry)))
      .map(([name, value]) => `${said(name)} ${Array.isArray(value) ? value.join(" ") : value}`)
      .join(", ");
  const told = (entry) =>
    [
      entry.prompt ? interp.visible(entry.prompt) + (entry.prompts > 1 ? ` and ${entry.prompts - 1} more` : "") : "",
      chosenOptions(entry),
    ]
      .filter(Boolean)
      .join(" · ");
  const when = ({ created, seconds }) =>
    [created ? new Date(created).toLocaleTimeString() : "", seconds ? `${seconds} s` : ""].filter(Boolean).join(" · ");

  interp.draw.engineresults = (el, payload) => {
    list();
    const { opened, beside } = interp.view;
    const shown = opened || ((interp.status.works || {}).engine_result || []).at(-1);
    const picker = h("input", { type: "file", accept: ".nc,.json", id: "engine-file", class: "offscreen" });
    picker.addEventListener("change", () => upload(picker.files[0]));
    const compare = ({ name }) =>
      h(
        "button",
        {
          class: "button small",
          "data-beside": name,
          onclick: () => interp.update({ beside: name === beside ? "" : name }),
        },
        name === beside ? "Stop comparing" : "Compare",
      );
    const row = (entry) =>
      h(
        "li",
        { class: "result-row" },
        h(
          "button",
          {
            class: "result-name",
            "data-result": entry.name,
            "aria-pressed": String(entry.name === shown),
            onclick: () => open(entry),
          },
          h("b", {}, entry.engine || entry.kind),
          h("span", {}, told(entry)),
          h("span", { class: "engine-small" }, when(entry)),
        ),
        payload && payload.kind === entry.kind && entry.name !== shown ? compare(entry) : "",
      );
    el.replaceChildren(
      h(
        "div",
        { class: "engine-buttons" },
        h("label", { class: "button", for: "engine-file" }, "Open a file …"),
        picker,
        problem ? h("span", { class: "engine-problem", role: "alert" }, problem) : "",
      ),
      h("ul", { class: "result-list", tabindex: "0", "aria-label": "Results of this process" }, entries.map(row)),
    );
    document.querySelectorAll(".compared-results, [data-panel='engine_difference']").forEach((panel) => {
      panel.hidden = !beside;
    });
  };
})();
