// The page Engines: the list, the chosen engine's form and its run.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const CLEAR = { opened: "", drawing: "", table: "", beside: "" };
  const drafts = {}; // what was typed for each engine
  let formed = ""; // what the form on the screen was made for

  const engines = () => interp.model.engines;
  const chosen = () => engines().find(({ name }) => name === interp.view.engine);
  interp.given = (text) => (text ? JSON.parse(text) : {});
  interp.written = (values) => (Object.keys(values).length ? JSON.stringify(values) : "");

  const look = (name) => {
    drafts[interp.view.engine] = interp.view.options;
    for (const slot of ["engine_result", "engine_table"]) delete interp.data[slot]; // another engine's is not this one's
    interp.update({ ...CLEAR, engine: name, options: drafts[name] || "" });
  };
  const needs = ({ pairs, own }) =>
    [pairs === "required" ? "two prompts" : "", own ? "brings its own text" : ""].filter(Boolean).join(" · ");

  interp.draw.enginelist = (el) => {
    if (!el.search) {
      el.search = h("input", {
        type: "search",
        class: "engine-search",
        placeholder: "Search",
        "aria-label": "Search all engines",
      });
      el.search.addEventListener("input", () => {
        el.drawnFor = null;
        interp.render();
      });
      el.list = h("div", { class: "engine-list", role: "group", "aria-label": "Engines", tabindex: "0" });
      el.replaceChildren(el.search, el.list);
    }
    const words = el.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matching = engines().filter((e) =>
      words.every((word) =>
        [e.name, e.summary, e.source, e.family, e.conserves].join(" ").toLowerCase().includes(word),
      ),
    );
    const families = [...new Set(matching.map(({ family }) => family))];
    const row = (e) =>
      h(
        "button",
        {
          class: "engine-row",
          "data-engine": e.name,
          "data-refused": Boolean(e.obstacle),
          "aria-pressed": String(e.name === interp.view.engine),
          onclick: () => look(e.name),
        },
        h("b", {}, e.name),
        h("span", {}, e.summary),
        h(
          "span",
          { class: "engine-small" },
          e.obstacle ? `not this model: ${e.obstacle}` : [e.source, needs(e)].filter(Boolean).join(" · "),
        ),
      );
    el.list.replaceChildren(
      ...families.map((name) =>
        h("div", {}, h("h3", {}, name), matching.filter(({ family }) => family === name).map(row)),
      ),
      matching.length ? "" : h("p", { class: "note" }, "No engine matches."),
    );
    const here = el.list.querySelector("[aria-pressed='true']");
    if (here && el.shown !== interp.view.engine) el.list.scrollTop = here.offsetTop - el.list.offsetTop - 40; // a link's engine is in sight
    el.shown = interp.view.engine;
  };

  interp.draw.enginehead = (el) => {
    const engine = chosen();
    fill(engine);
    if (!engine) {
      el.replaceChildren(h("p", { class: "note" }, "Choose an engine from the list."));
      return;
    }
    const reads = Object.entries(interp.model.reads).map(([value, text]) =>
      h(
        "button",
        { "data-set": "reads", "data-value": value, "aria-pressed": String(interp.view.reads === value) },
        text,
      ),
    );
    el.replaceChildren(
      h("h3", { class: "node-name" }, engine.name),
      h("p", {}, `${engine.summary}.`),
      h(
        "p",
        { class: "engine-small" },
        `Source: ${engine.source}.${engine.conserves ? ` Adds up: ${engine.conserves}.` : ""}`,
      ),
      engine.obstacle
        ? h("p", { class: "engine-refused", role: "status" }, `It does not support this model: ${engine.obstacle}`)
        : "",
      engine.own ? h("div", { class: "choice", role: "group", "aria-label": "What it reads" }, reads) : "",
    );
  };

  // The server makes the form; it is made anew for another engine, or where a link or a result brought other options
  const fill = (engine) => {
    const { options } = interp.view;
    const now = engine ? `${engine.name} ${options}` : "";
    if (now === formed) return;
    formed = now;
    interp.set("engine-asked", { data: engine ? { engine: engine.name, options } : null });
  };
  // One spelling of the options that differ from their defaults: entries of lists as text, in the engine's order
  const spelled = (value, standard) => {
    if (Array.isArray(standard)) return (value || []).map(String);
    if (value === "" && typeof standard !== "string") return null;
    return standard === null && typeof value === "boolean" ? String(value) : value;
  };
  interp.spelledOptions = (engine, values) => {
    const names = Object.keys(engine.defaults).filter((name) => values[name] !== undefined);
    const pairs = names.map((name) => [name, spelled(values[name], engine.defaults[name])]);
    const standard = (name) => JSON.stringify(spelled(engine.defaults[name], engine.defaults[name]));
    const left = pairs.filter(([name, value]) => JSON.stringify(value) !== standard(name));
    return left.length ? JSON.stringify(Object.fromEntries(left)) : "";
  };
  interp.typed = () => {
    const inputs = window.dash_clientside.callback_context.inputs_list.flat();
    const engine = interp.view && chosen();
    if (!engine || !inputs.length || inputs.some(({ id }) => id.engine !== engine.name)) return;
    const values = Object.fromEntries(inputs.map(({ id, value }) => [id.option || id.switch, value]));
    const options = interp.spelledOptions(engine, values);
    if (options === interp.spelledOptions(engine, interp.given(interp.view.options))) return;
    formed = `${engine.name} ${options}`;
    interp.update({ ...CLEAR, options });
  };

  // Run: what is held is let go as soon as the server has named it
  let wanting = null;
  const works = () => (interp.status.works || {}).engine_result || [];
  const asked = () =>
    JSON.stringify([
      interp.view.engine,
      interp.view.options,
      interp.view.reads,
      interp.view.clean,
      interp.view.corrupted,
    ]);
  const answered = () => {
    const { view } = interp.status;
    return view && ["engine", "options", "reads", "opened", "clean"].every((name) => view[name] === interp.view[name]);
  };
  const run = () => {
    wanting = asked();
    interp.update(CLEAR);
    go();
  };
  const go = () => {
    const { held = {}, failures = {} } = interp.status;
    if (wanting !== asked() || !answered()) return;
    wanting = null;
    if (failures.engine_result) interp.again(failures.engine_result);
    if (held.engine_result) interp.approve(works());
  };
  const copyScript = async (kind, said) => {
    const answer = await (
      await fetch("/_engine/script", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(interp.view),
      })
    ).json();
    if (answer.error) interp.say(answer.error);
    else interp.copy(answer[kind], said);
  };

  interp.draw.enginerun = (el) => {
    const engine = chosen();
    if (!engine) {
      el.replaceChildren();
      return;
    }
    go();
    const { jobs = [], errors = {} } = interp.status;
    const job = jobs.find(({ work }) => works().includes(work));
    const problem = interp.view.opened ? "" : errors.engine_result || "";
    el.replaceChildren(
      h("p", { class: "engine-problem", role: "status" }, problem),
      h(
        "div",
        { class: "engine-buttons" },
        job
          ? h("button", { class: "button", "data-act": "cancel", onclick: () => interp.stop(works()) }, "Cancel")
          : h(
              "button",
              { class: "button primary", "data-act": "run", disabled: Boolean(engine.obstacle), onclick: run },
              "Run",
            ),
        job ? h("span", { class: "engine-small" }, job.total ? `${job.done} of ${job.total}` : "…") : "",
        h("span", { class: "grow" }),
        h(
          "button",
          { class: "quiet", "data-act": "python", onclick: () => copyScript("python", "Python copied") },
          "Copy as Python",
        ),
        h(
          "button",
          { class: "quiet", "data-act": "shell", onclick: () => copyScript("shell", "Command copied") },
          "Copy as shell command",
        ),
      ),
    );
  };
})();
