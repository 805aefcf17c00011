// The question on top, and the inspector on the right: the same on every page.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  interp.tokens = () => (interp.prompt ? interp.prompt.tokens : []);
  interp.quotedAt = (pos) => interp.quoted(interp.tokens()[pos] || "");
  interp.queryAt = () => interp.view.query ?? interp.prompt.position;

  interp.stepQuery = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    interp.update({ query: interp.clamp(interp.queryAt() + step, interp.tokens().length - 1), key: null });
  };

  const buildStrip = (el) => {
    const { tokens, corrupted } = interp.prompt;
    const paired = corrupted.length > 0;
    const columns = tokens.map((text, i) =>
      h(
        paired && corrupted[i] !== text ? "span.column.differs" : "span.column",
        { "data-pos": i },
        h("span.token.clean", interp.visible(text)),
        paired && h("span.token.corrupted", interp.visible(corrupted[i])),
      ),
    );
    const change = () => interp.form(document.getElementById("form").classList.contains("closed"));
    const label = "Prompt tokens; left and right arrow keys choose the query";
    const choose = (event) => {
      const column = event.target.closest("[data-pos]");
      if (column) interp.update({ query: Number(column.dataset.pos), key: null });
    };
    interp.fill(
      el,
      h(
        "div.names",
        h("span", "clean"),
        paired && h("span", "corrupted"),
        interp.act("change", change, { id: "edit-question" }),
      ),
      h(
        "div.tokens",
        { tabindex: "0", role: "group", "aria-label": label, onclick: choose, onkeydown: interp.stepQuery },
        columns,
      ),
    );
  };
  interp.draw.strip = (el) => {
    if (el.prompt !== interp.prompt) buildStrip(el);
    el.prompt = interp.prompt;
    const row = el.querySelector(".tokens");
    row.querySelectorAll(".query, .key").forEach((column) => column.classList.remove("query", "key"));
    row.children[interp.queryAt()]?.classList.add("query");
    row.children[interp.view.key ?? -1]?.classList.add("key");
    interp.revealChild(row, row.children[interp.queryAt()], `${interp.queryAt()} ${interp.view.clean}`);
  };

  // What fills the form: the worked example, and the tasks with a seed
  interp.draw.examples = (el) => {
    if (el.firstChild) return;
    const option = ([name, summary]) => h("option", { value: name, title: summary }, `${name}: ${summary}`);
    const select = h(
      "select.pick",
      { id: "example-name" },
      h("option", { value: "" }, "choose one, to fill the fields below"),
      interp.model.examples.map(option),
    );
    const seed = h("input.pick", { id: "example-seed", type: "number", min: "0", step: "1", value: "0" });
    const take = () => {
      if (!select.value || !seed.checkValidity()) return;
      interp.set("example", { data: { name: select.value, seed: seed.valueAsNumber || 0, n: performance.now() } });
    };
    select.addEventListener("change", take);
    seed.addEventListener("change", take);
    interp.fill(
      el,
      h("label", { for: "example-name" }, "Examples and tasks"),
      select,
      h("label", { for: "example-seed" }, "seed"),
      seed,
    );
  };

  const HOW = { zero: "zeroed", mean: "at their mean", resample: "resampled" };
  const edits = (edited) => {
    const { nodes, how } = interp.view;
    if (!nodes.length) return h("div.lead-edits.none", "no edits in force");
    const list = nodes.length > 4 ? `${nodes.length} nodes` : nodes.map(interp.nodeName).join(", ");
    return h(
      "div.lead-edits",
      `${list} ${HOW[how]}: `,
      edited
        ? [h("b", { "data-value": "edited" }, interp.signed(edited.edited)), ` (${interp.signed(edited.effect)})`]
        : "…",
      " ",
      h("button.quiet", { "aria-label": "Remove all edits", onclick: () => interp.update({ nodes: [] }) }, "✕"),
    );
  };
  interp.show("lead", (el, payload) => {
    const edited = interp.view.nodes.length ? interp.fresh("ablation", ["nodes", "how"]) : null;
    const tops = (edited ? edited.edited_top : payload.clean_top).slice(0, 3);
    const number = (tag, side) => [
      h(tag, { "data-value": side }, interp.signed(payload[`${side}_value`])),
      h("span", side),
    ];
    interp.fill(
      el,
      h("div.lead-label", interp.visible(payload.label)),
      h("div.lead-numbers", number("strong", "clean"), payload.corrupted_value !== null && number("b", "corrupted")),
      h(
        "div.lead-tops",
        edited ? "now predicts " : "predicts ",
        tops.map(([text, p], i) => [i ? " · " : "", h("span.token", interp.word(text)), ` ${interp.percent(p)}`]),
      ),
      edits(edited),
    );
  });

  interp.draw.jobs = (el) => {
    const { jobs } = interp.status;
    if (interp.server !== "there") {
      interp.fill(el, h("span.chip", "no server"));
      return;
    }
    if (!jobs.length) {
      interp.fill(el, h("span.chip", "idle"));
      return;
    }
    const job = jobs.find(({ total }) => total) || jobs[0];
    const part = job.total ? job.done / job.total : 0;
    const cancel = () => interp.stop(jobs.map(({ work }) => work));
    interp.fill(
      el,
      h(
        "span.chip.working",
        h("span.meter", h("span", { style: `width:${100 * part}%` })),
        `${job.label}${jobs.length > 1 ? ` + ${jobs.length - 1}` : ""}`,
        h("button.quiet", { onclick: cancel }, "cancel"),
      ),
    );
  };

  // Facts about the selected head
  const factsOf = (layer, head) => {
    const facts = [];
    const effects = interp.fresh("effects");
    const value = effects?.values[layer]?.[head];
    const waiting = { held: "not run", error: "failed" }[interp.stateOf("effects")[0]] || "…";
    if (value === undefined) facts.push(["effect on the answer", waiting]);
    else {
      const order = interp.ranked(effects.values);
      const place = order.findIndex(([l, hd]) => l === layer && hd === head);
      facts.push([effects.saying, interp.signed(value)], ["rank by |effect|", `${place + 1} of ${order.length}`]);
      const answer = interp.fresh("answer");
      if (interp.view.corrupted && answer && answer.corrupted_value !== null) {
        const gap = answer.clean_value - answer.corrupted_value;
        const share = gap ? `${((100 * -value) / gap).toFixed(0).replace("-", "−")} %` : "–";
        facts.push(["share of clean − corrupted", share]);
      }
    }
    for (const source of interp.facts) facts.push(...source(layer, head));
    const { heads, kv_heads: groups } = interp.model;
    if (groups !== heads) facts.push(["K/V group", `${Math.floor((head * groups) / heads) + 1} of ${groups}`]);
    return facts;
  };
  const EXPORTS = { python: "Copy", csv: "CSV", png: "PNG", svg: "SVG", html: "HTML", nc: "NC" };
  const script = (effects) => [
    h("div.over", "Copy as Python"),
    h("pre", { tabindex: "0" }, effects.python),
    h(
      "div.acts",
      Object.entries(EXPORTS).map(([kind, words]) =>
        interp.act(words, null, { "data-export": kind, "data-slot": "effects" }),
      ),
    ),
    h("p.note", effects.sign),
  ];
  interp.fact = ([name, value]) => h("div.fact", h("dt", name), h("dd", value));
  interp.draw.inspector = (el, effects) => {
    const { layer, head, nodes, corrupted, page: here } = interp.view;
    if (layer === null) {
      interp.fill(el, h("div.over", "Selected"), h("p.note", "Nothing yet. Click a head on any page."));
      return;
    }
    const name = interp.headNode(layer, head);
    const act = (words, change, kind = "button.button") =>
      h(kind, { onclick: () => interp.update(change), "data-act": words }, words);
    const alone = (how) => () => {
      const others = nodes.filter((node) => node !== name);
      interp.update({ nodes: [name], how });
      if (others.length) interp.say(`In place of the ${others.length} other nodes of the set; undo brings them back`);
    };
    const toggle = { "data-act": "set", onclick: () => interp.toggle("nodes", name) };
    interp.fill(
      el,
      h("div.over", "Selected"),
      h("h2", `Head ${layer}.${head}`),
      h("dl", factsOf(layer, head).map(interp.fact)),
      h(
        "div.acts",
        h("button.button.primary", { onclick: alone("zero"), "data-act": "Ablate" }, "Ablate"),
        corrupted && h("button.button", { onclick: alone("resample"), "data-act": "Patch" }, "Patch"),
        h("button.button", toggle, nodes.includes(name) ? "Take out of set" : "Add to set"),
        interp.model.invitations.filter(([page]) => page !== here).map(([page, words]) => act(words, { page })),
      ),
      h(
        "p.note",
        `Ablate sets the head's output to zero${corrupted ? "; patch puts in its output on the corrupted prompt" : ""}. The strip above shows what the answer does.`,
      ),
      effects && script(effects),
    );
  };
})();
