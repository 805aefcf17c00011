// The header's list of models: what is on this disk, what holds on it, and loading one while the present one goes on.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const at = (id) => document.getElementById(id);
  let listing = null; // the server's last answer
  let typed = "";
  let dtype = null;
  let link = ""; // where to go once the model is there; without one, to the present question
  interp.arrival = null; // the process that was asked for, and where to go with it

  const SIZES = [
    [2 ** 30, "GiB"],
    [2 ** 20, "MiB"],
    [2 ** 10, "KiB"],
  ];
  const bytes = (size) => {
    const [unit, name] = SIZES.find(([least]) => size >= least) || [1, "B"];
    return `${Number((size / unit).toPrecision(3))} ${name}`;
  };
  const COUNTS = [
    [1e9, "B"],
    [1e6, "M"],
    [1e3, "k"],
  ];
  const count = (number) => {
    const [unit, name] = COUNTS.find(([least]) => number >= least) || [1, ""];
    return `${Number((number / unit).toPrecision(3))}${name} parameters`;
  };

  const held = (support) => {
    if (!support) return h("span.note", "What holds on it is known once it has been loaded.");
    const refused = Object.entries(support).filter(([, reason]) => reason);
    const all = Object.keys(support).length;
    const words = `${all - refused.length} of ${all} engines`;
    if (!refused.length) return h("span.note", `${words}: all of them`);
    return h(
      "details.note",
      h("summary", `${words}; why not the others`),
      Object.entries(Object.groupBy(refused, ([, reason]) => reason)).map(([reason, engines]) =>
        h("div", h("b", engines.map(([name]) => name).join(", ")), `: ${reason}`),
      ),
    );
  };
  const row = (model) => {
    const { name, origin, family, parameters, disk, memory, problem, support } = model;
    const now = name === listing.now.name && dtype === listing.now.dtype;
    const large = memory[dtype] > listing.free;
    const needs = parameters > 0 && `needs ${bytes(memory[dtype])}${large ? `, ${bytes(listing.free)} are free` : ""}`;
    const about = [origin, family, parameters > 0 && count(parameters), disk > 0 && `${bytes(disk)} on disk`, needs];
    const load = () => begin(name);
    return h(
      "li.model",
      h("div.model-name", h("b", name), h("span.note", interp.dotted(...about))),
      now ? h("span.note", "in use") : !problem && interp.act("Load", load, { "data-model": name, disabled: large }),
      h("div.model-holds", problem ? h("span.problem", problem) : held(support)),
    );
  };
  const draw = () => {
    const { fixed, models, problem, dtypes } = listing;
    if (fixed) return interp.fill(at("models"), h("p", fixed));
    const field = h("input.pick", { id: "model-typed", value: typed, spellcheck: "false", autocomplete: "off" });
    const show = () => look(field.value.trim());
    interp.onEnter(field, show);
    const pick = h(
      "select.pick",
      { id: "model-dtype" },
      dtypes.map((name) => h("option", { selected: name === dtype }, name)),
    );
    pick.addEventListener("change", () => {
      dtype = pick.value;
      draw();
    });
    return interp.fill(
      at("models"),
      h(
        "div.model-form",
        h("label", { for: "model-typed" }, "Folder or cached id"),
        field,
        interp.act("Show", show),
        h("label", { for: "model-dtype" }, "precision"),
        pick,
        interp.act("✕", () => open(false), { "aria-label": "Close the list of models" }),
      ),
      h("p.problem", { role: "alert" }, problem),
      interp.rasp.box(listing.rasp, compile),
      h("ul.scroll", models.map(row)),
    );
  };
  const look = async (name = typed) => {
    typed = name;
    const answer = await fetch(`/_models?name=${encodeURIComponent(name)}`, { cache: "no-store" });
    if (!answer.ok) return;
    listing = await answer.json();
    dtype ||= listing.now.dtype;
    draw();
  };
  const open = async (on) => {
    at("model-name").setAttribute("aria-expanded", String(on));
    if (on) await look();
    at("models").hidden = !on;
    if (on) at("model-typed")?.focus();
    else {
      link = "";
      at("model-name").focus();
    }
  };
  // The list with a model typed in: a link of it is opened once it is there
  interp.offerModel = (name, search) => {
    typed = name;
    link = search;
    open(true);
  };

  // The question is the person's, and is asked of the new model; heads and edits were the old one's
  interp.questionLink = () => {
    const { page, clean, corrupted, answer, contrast } = interp.view;
    return `${window.location.pathname}?${new URLSearchParams({ page, clean, corrupted, answer, contrast })}`;
  };
  const begin = async (name) => {
    const answer = await interp.post("/_models/load", { name, dtype });
    if (answer.error) interp.say(answer.error);
    else interp.arrival = { process: answer.process, link: link || interp.questionLink() };
    open(false);
    interp.beat(true);
  };
  interp.loadModel = async (name, search) => {
    if (!dtype) await look();
    link = search;
    await begin(name);
  };
  // A program that is written here becomes a model; what it does not compile for is said where it is written
  const compile = async (program) => {
    const answer = await interp.post("/_models/compile", { ...program, dtype });
    if (answer.error) return answer;
    interp.arrival = { process: answer.process, link: `${window.location.pathname}?page=heads` };
    open(false);
    interp.beat(true);
    return answer;
  };
  const cancel = async () => {
    await interp.post("/_models/cancel", {});
    interp.beat(true);
  };
  // What is being loaded, or why it was not, in the header of every tab
  let shown = "";
  interp.showLoading = (loading) => {
    const now = JSON.stringify(loading);
    if (now === shown) return;
    shown = now;
    if (!loading) return void interp.fill(at("loading"));
    const { process, name, stage, done, total, error, cancelled } = loading;
    if (error && interp.rasp.failed(process, error)) {
      open(true);
      return void cancel();
    }
    const part = total ? done / total : 0;
    interp.fill(
      at("loading"),
      error
        ? h("span.chip.problem", error, interp.act("✕", cancel, { "aria-label": "Dismiss" }))
        : h(
            "span.chip.working",
            h("span.meter", h("span", { style: `width:${100 * part}%` })),
            `${name}: ${cancelled ? "cancelling" : stage} …`,
            !cancelled && h("button.quiet", { onclick: cancel, "data-act": "cancel-loading" }, "cancel"),
          ),
    );
  };

  document.addEventListener("click", (event) => {
    if (event.target.closest("#model-name")) open(at("models").hidden);
    else if (
      at("models") &&
      !at("models").hidden &&
      event.target.isConnected &&
      !event.target.closest("#models, #notice")
    )
      open(false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && at("models") && !at("models").hidden) open(false);
  });
})();
