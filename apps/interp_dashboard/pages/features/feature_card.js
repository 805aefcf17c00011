// One feature's card in words: what it is, what it promotes, and its contexts token by token.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  const words = (title, pairs) =>
    h(
      "div",
      {},
      h("h3", {}, title),
      h(
        "p",
        { class: "feature-promoted" },
        pairs.map(([token, weight]) =>
          h("span", { class: "token", title: interp.signed(weight, 3) }, interp.visible(token)),
        ),
      ),
    );
  interp.draw.featurecard = (el, payload) => {
    if (!payload) {
      el.replaceChildren();
      return;
    }
    const facts = payload.dead
      ? []
      : [
          ["active on", `${interp.density(payload.density)} of tokens`],
          ["mean when active", payload.mean.toFixed(3)],
          ["strongest", payload.max.toFixed(3)],
        ];
    el.replaceChildren(
      h("p", { class: "node-name", "data-value": "feature-title" }, `Feature ${payload.feature}`),
      payload.dead
        ? h("p", { class: "note" }, `Never active on ${payload.covers}.`)
        : h(
            "dl",
            { class: "measures" },
            facts.map(([name, text]) => h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, text))),
          ),
      payload.promoted.length
        ? h("div", { class: "columns" }, words("Promotes", payload.promoted), words("Suppresses", payload.suppressed))
        : "",
    );
    el.dataset.key = payload.key;
  };

  const context = (entry, limit) =>
    h(
      "li",
      { class: "context" },
      h("span", { class: "context-value" }, entry.value.toFixed(2)),
      h(
        "span",
        { class: "context-text", title: entry.document },
        entry.labels.map((label, i) => {
          const v = entry.values[i] || 0;
          const t = Math.min(1, v / limit);
          return h(
            "span",
            {
              class: i === entry.at ? "token peak" : "token",
              style: v > 0 ? `background:${interp.rgb("sequential", t)};color:${interp.inkOn("sequential", t)}` : null,
            },
            interp.visible(label),
          );
        }),
      ),
    );
  interp.draw.featurecontexts = (el, payload) => {
    if (!payload || payload.dead) {
      el.replaceChildren();
      return;
    }
    const list = (title, label, entries) => [
      h("h3", {}, title),
      h(
        "ol",
        { class: "scroll contexts", tabindex: "0", "aria-label": label },
        entries.map((entry) => context(entry, payload.max)),
      ),
    ];
    el.replaceChildren(
      ...list(
        "Strongest contexts",
        "Strongest contexts",
        payload.contexts.filter((entry) => entry.kind === "top"),
      ),
      ...list(
        "Contexts at quantiles, from the top down",
        "Contexts at quantiles",
        payload.contexts.filter((entry) => entry.kind !== "top"),
      ),
      h("p", { class: "note" }, `From ${payload.covers}.`),
    );
    el.dataset.key = payload.key;
  };
})();
