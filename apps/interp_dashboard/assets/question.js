// The question on top, and the inspector on the right: the same on every page.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  interp.tokens = () => (interp.prompt ? interp.prompt.tokens : []);
  interp.queryAt = () => interp.view.query ?? interp.prompt.position;

  const token = (text, kind) => {
    const span = h("span", { class: `token ${kind}` });
    span.textContent = interp.visible(text);
    return span;
  };

  interp.draw.strip = (el) => {
    const { tokens, corrupted } = interp.prompt;
    if (el.prompt !== interp.prompt) {
      el.prompt = interp.prompt;
      const columns = document.createDocumentFragment();
      tokens.forEach((text, i) => {
        const column = h("span", {
          class: corrupted.length && corrupted[i] !== text ? "column differs" : "column",
          "data-pos": i,
        });
        column.append(token(text, "clean"));
        if (corrupted.length) column.append(token(corrupted[i], "corrupted"));
        columns.append(column);
      });
      const row = h("div", {
        class: "tokens",
        tabindex: "0",
        role: "group",
        "aria-label": "Prompt tokens; left and right arrow keys choose the query",
      });
      row.append(columns);
      const names = h(
        "div",
        { class: "names" },
        h("span", {}, "clean"),
        corrupted.length ? h("span", {}, "corrupted") : null,
        h(
          "button",
          {
            class: "button small",
            id: "edit-question",
            onclick: () => interp.form(document.getElementById("form").classList.contains("closed")),
          },
          "change",
        ),
      );
      el.replaceChildren(names, row);
      row.addEventListener("click", (event) => {
        const column = event.target.closest("[data-pos]");
        if (column) interp.update({ query: Number(column.dataset.pos), key: null });
      });
      row.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!step) return;
        event.preventDefault();
        interp.update({ query: Math.max(0, Math.min(tokens.length - 1, interp.queryAt() + step)), key: null });
      });
    }
    const row = el.querySelector(".tokens");
    row.querySelectorAll(".query, .key").forEach((column) => column.classList.remove("query", "key"));
    const query = row.children[interp.queryAt()];
    if (query) query.classList.add("query");
    if (interp.view.key !== null && row.children[interp.view.key]) row.children[interp.view.key].classList.add("key");
  };

  interp.draw.lead = (el, payload) => {
    if (!payload) {
      el.replaceChildren();
      return;
    }
    const edited = interp.data.ablation;
    const { nodes, how } = interp.view;
    const current = nodes.length && interp.current("ablation", ["nodes", "how"]) ? edited : null;
    const tops = (current ? current.edited_top : payload.clean_top).slice(0, 3);
    const list = nodes.length > 4 ? `${nodes.length} nodes` : nodes.map(interp.nodeName).join(", ");
    el.replaceChildren(
      h("div", { class: "lead-label" }, payload.label),
      h(
        "div",
        { class: "lead-numbers" },
        h("strong", { "data-value": "clean" }, interp.signed(payload.clean_value)),
        h("span", {}, "clean"),
        payload.corrupted_value === null
          ? null
          : [h("b", { "data-value": "corrupted" }, interp.signed(payload.corrupted_value)), h("span", {}, "corrupted")],
      ),
      h(
        "div",
        { class: "lead-tops" },
        current ? "now predicts " : "predicts ",
        tops.map(([text, p], i) => [
          i ? " · " : "",
          h("span", { class: "token" }, interp.visible(text).trim() || interp.visible(text)),
          ` ${interp.percent(p)}`,
        ]),
      ),
      nodes.length
        ? h(
            "div",
            { class: "lead-edits" },
            `${list} ${{ zero: "zeroed", mean: "at their mean", resample: "resampled" }[how]}: `,
            current
              ? [
                  h("b", { "data-value": "edited" }, interp.signed(current.edited)),
                  ` (${interp.signed(current.effect)})`,
                ]
              : "…",
            " ",
            h(
              "button",
              { class: "quiet", "aria-label": "Remove all edits", onclick: () => interp.update({ nodes: [] }) },
              "✕",
            ),
          )
        : h("div", { class: "lead-edits none" }, "no edits in force"),
    );
  };

  interp.draw.jobs = (el) => {
    const jobs = (interp.status && interp.status.jobs) || [];
    if (!jobs.length) {
      el.replaceChildren(h("span", { class: "chip idle" }, "idle"));
      return;
    }
    const [job] = jobs.filter((j) => j.total).concat(jobs);
    const part = job.total ? job.done / job.total : 0;
    el.replaceChildren(
      h(
        "span",
        { class: "chip working" },
        h("span", { class: "meter" }, h("span", { style: `width:${100 * part}%` })),
        `${job.label}${jobs.length > 1 ? ` + ${jobs.length - 1}` : ""}`,
        h("button", { class: "quiet", onclick: () => interp.stop(jobs.map((j) => j.work)) }, "cancel"),
      ),
    );
  };

  const fact = (name, value) => h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, value));
  interp.draw.inspector = (el, effects) => {
    const { layer, head, nodes, corrupted } = interp.view;
    if (layer === null) {
      el.replaceChildren(
        h("div", { class: "over" }, "Selected"),
        h("p", { class: "note" }, "Nothing yet. Click a head on any page."),
      );
      return;
    }
    const name = `a${layer}.${head}`;
    const facts = [];
    const wanted = (interp.status.wanted || {}).effects;
    if (effects && effects.key === wanted && effects.values[layer]) {
      const order = interp.ranked(effects.values);
      const place = order.findIndex(([l, hd]) => l === layer && hd === head);
      const value = effects.values[layer][head];
      const answer = interp.data.answer;
      facts.push(
        fact(effects.saying, interp.signed(value)),
        fact("rank by |effect|", `${place + 1} of ${order.length}`),
      );
      if (corrupted && answer && answer.corrupted_value !== null) {
        const gap = answer.clean_value - answer.corrupted_value;
        facts.push(
          fact("share of clean − corrupted", gap ? `${((100 * -value) / gap).toFixed(0).replace("-", "−")} %` : "–"),
        );
      }
    } else facts.push(fact("effect on the answer", "…"));
    for (const told of interp.facts) facts.push(...told(layer, head).map(([what, text]) => fact(what, text)));
    const { heads, kv_heads: groups } = interp.model;
    if (groups !== heads) facts.push(fact("K/V group", `${Math.floor((head * groups) / heads) + 1} of ${groups}`));
    const inSet = nodes.includes(name);
    const act = (label, click, extra = "") =>
      h(
        "button",
        { class: `button ${extra}`, onclick: click, "data-act": label.includes("set") ? "set" : label },
        label,
      );
    el.replaceChildren(
      h("div", { class: "over" }, "Selected"),
      h("h2", {}, `Head ${layer}.${head}`),
      h("dl", {}, facts),
      h(
        "div",
        { class: "acts" },
        act("Ablate", () => interp.update({ nodes: [name], how: "zero" }), "primary"),
        corrupted ? act("Patch", () => interp.update({ nodes: [name], how: "resample" })) : null,
        act(inSet ? "Take out of set" : "Add to set", () => interp.toggle(name)),
        interp.model.invitations
          .filter(([page]) => page !== interp.view.page)
          .map(([page, words]) => act(words, () => interp.update({ page }))),
      ),
      h(
        "p",
        { class: "note" },
        `Ablate sets the head's output to zero${corrupted ? "; patch puts in its output on the corrupted prompt" : ""}. The strip above shows what the answer does.`,
      ),
      ...(effects
        ? [
            h("div", { class: "over" }, "Copy as Python"),
            h("pre", { tabindex: "0" }, effects.python),
            h(
              "div",
              { class: "acts" },
              ["python", "csv", "png", "svg", "html", "nc"].map((kind) =>
                h(
                  "button",
                  { class: "button small", "data-export": kind, "data-slot": "effects" },
                  kind === "python" ? "Copy" : kind.toUpperCase(),
                ),
              ),
            ),
            h("p", { class: "note" }, effects.sign),
          ]
        : []),
    );
  };
})();
