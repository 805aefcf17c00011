// The page Engines: the list, the chosen engine's form and its run.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const CLEAR = { opened: "", drawing: "", table: "", beside: "" };
  const drafts = {}; // what was typed for each engine
  let formKey = ""; // what the form on the screen was built for

  const engines = () => interp.model.engines;
  const currentEngine = () => engines().find(({ name }) => name === interp.view.engine);
  interp.parseValues = (text) => (text ? JSON.parse(text) : {});
  interp.serialize = (values) => (Object.keys(values).length ? JSON.stringify(values) : "");

  const look = (name) => {
    drafts[interp.view.engine] = interp.view.options;
    interp.update({ ...CLEAR, engine: name, options: drafts[name] || "" });
  };
  const needs = ({ pairs, own }) => interp.dotted(pairs === "required" && "two prompts", own && "brings its own text");

  interp.draw.enginelist = (el) => {
    if (!el.search) {
      const attributes = { type: "search", placeholder: "Search", "aria-label": "Search all engines" };
      el.search = h("input.engine-search", attributes);
      el.search.addEventListener("input", () => interp.redraw(".drawn-enginelist"));
      el.list = h("div.engine-list", { role: "group", "aria-label": "Engines", tabindex: "0" });
      el.replaceChildren(el.search, el.list);
    }
    const words = el.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matching = engines().filter((e) =>
      words.every((word) =>
        [e.name, e.summary, e.source, e.family, e.conserves].join(" ").toLowerCase().includes(word),
      ),
    );
    const row = (e) =>
      h(
        "button.engine-row",
        {
          "data-engine": e.name,
          "data-refused": Boolean(e.obstacle),
          "aria-pressed": String(e.name === interp.view.engine),
          onclick: () => look(e.name),
        },
        h("b", e.name),
        h("span", e.summary),
        h("span.engine-small", e.obstacle ? `not this model: ${e.obstacle}` : interp.dotted(e.source, needs(e))),
      );
    interp.fill(
      el.list,
      Object.entries(Object.groupBy(matching, ({ family }) => family)).map(([family, list]) => [
        h("h3", family),
        list.map(row),
      ]),
      !matching.length && h("p.note", "No engine matches."),
    );
    const here = el.list.querySelector("[aria-pressed='true']");
    if (here && el.shown !== interp.view.engine) el.list.scrollTop = here.offsetTop - el.list.offsetTop - 40; // a link's engine is in sight
    el.shown = interp.view.engine;
  };

  interp.draw.enginehead = (el) => {
    const engine = currentEngine();
    fill(engine);
    if (!engine) {
      interp.fill(el, h("p.note", "Choose an engine from the list."));
      return;
    }
    const { name, summary, source, conserves, obstacle, own } = engine;
    const option = ([value, text]) => [text, interp.view.reads === value, { "data-set": "reads", "data-value": value }];
    interp.fill(
      el,
      h("h3.node-name", name),
      h("p", `${summary}.`),
      interp.scores([name]),
      h("p.engine-small", `Source: ${source}.${conserves ? ` Adds up: ${conserves}.` : ""}`),
      obstacle && h("p.engine-refused", { role: "status" }, `It does not support this model: ${obstacle}`),
      own && interp.choice("What it reads", Object.entries(interp.model.reads).map(option)),
    );
  };

  // The server builds the form; it is rebuilt for another engine, or when a link or a result brings other options
  const fill = (engine) => {
    const { options } = interp.view;
    const now = engine ? `${engine.name} ${options}` : "";
    if (now === formKey) return;
    formKey = now;
    interp.set("engine-asked", { data: engine ? { engine: engine.name, options } : null });
  };
  // One spelling of the options that differ from their defaults: entries of lists as text, in the engine's order
  const normalize = (value, standard) => {
    if (Array.isArray(standard)) return (value || []).map(String);
    if (value === "" && typeof standard !== "string") return null;
    return standard === null && typeof value === "boolean" ? String(value) : value;
  };
  interp.optionsText = (engine, values) => {
    const names = Object.keys(engine.defaults).filter((name) => values[name] !== undefined);
    const pairs = names.map((name) => [name, normalize(values[name], engine.defaults[name])]);
    const standard = (name) => JSON.stringify(normalize(engine.defaults[name], engine.defaults[name]));
    const changes = pairs.filter(([name, value]) => JSON.stringify(value) !== standard(name));
    return changes.length ? JSON.stringify(Object.fromEntries(changes)) : "";
  };
  interp.readForm = () => {
    const inputs = window.dash_clientside.callback_context.inputs_list.flat();
    const engine = interp.view && currentEngine();
    if (!engine || !inputs.length || inputs.some(({ id }) => id.engine !== engine.name)) return;
    const values = Object.fromEntries(inputs.map(({ id, value }) => [id.option || id.switch, value]));
    const options = interp.optionsText(engine, values);
    if (options === interp.optionsText(engine, interp.parseValues(interp.view.options))) return;
    formKey = `${engine.name} ${options}`;
    interp.update({ ...CLEAR, options });
  };

  // Run: waiting work is approved as soon as the server has named it
  let pendingRun = null;
  const works = () => interp.status.works.engine_result || [];
  const request = () =>
    JSON.stringify(["engine", "options", "reads", "clean", "corrupted"].map((name) => interp.view[name]));
  const isAnswered = () => {
    const { view } = interp.status;
    return view && ["engine", "options", "reads", "opened", "clean"].every((name) => view[name] === interp.view[name]);
  };
  const run = () => {
    pendingRun = request();
    interp.update(CLEAR);
    go();
  };
  const go = () => {
    const { held, failures } = interp.status;
    if (pendingRun !== request() || !isAnswered()) return;
    pendingRun = null;
    if (failures.engine_result) interp.again(failures.engine_result);
    if (held.engine_result) interp.approve(works());
  };
  const copyScript = async (kind, message) => {
    const answer = await interp.post("/_engine/script", interp.view);
    if (answer.error) interp.say(answer.error);
    else interp.copy(answer[kind], message);
  };

  interp.draw.enginerun = (el) => {
    const engine = currentEngine();
    if (!engine) {
      el.replaceChildren();
      return;
    }
    go();
    const { jobs, errors } = interp.status;
    const job = jobs.find(({ work }) => works().includes(work));
    const button = (kind, words, act, onclick, disabled) => h(kind, { "data-act": act, onclick, disabled }, words);
    const copy = (words, kind, message) => button("button.quiet", words, kind, () => copyScript(kind, message));
    interp.fill(
      el,
      h("p.engine-problem", { role: "status" }, interp.view.opened ? "" : errors.engine_result),
      h(
        "div.engine-buttons",
        job
          ? button("button.button", "Cancel", "cancel", () => interp.stop(works()))
          : button("button.button.primary", "Run", "run", run, Boolean(engine.obstacle)),
        job && h("span.engine-small", job.total ? `${job.done} of ${job.total}` : "…"),
        h("span.grow"),
        copy("Copy as Python", "python", "Python copied"),
        copy("Copy as shell command", "shell", "Command copied"),
      ),
    );
  };
})();
