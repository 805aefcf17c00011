// One feature's card in words: what it is, what it promotes, and its contexts token by token.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  const words = (title, pairs) => {
    const token = ([text, weight]) => h("span.token", { title: interp.signed(weight, 3) }, interp.visible(text));
    return h("div", h("h3", title), h("p.feature-promoted", pairs.map(token)));
  };
  const measures = ({ density, mean, max, covers }) => [
    ["active on", `${interp.density(density)} of ${covers}`],
    ["mean when active", mean.toFixed(3)],
    ["strongest", max.toFixed(3)],
  ];
  interp.show("featurecard", (el, payload) => {
    const { feature, dead, covers, promoted, suppressed } = payload;
    interp.fill(
      el,
      h("p.node-name", { "data-value": "feature-title" }, `Feature ${feature}`),
      dead ? h("p.note", `Never active on ${covers}.`) : h("dl.measures", measures(payload).map(interp.fact)),
      promoted.length > 0 && h("div.columns", words("Promotes", promoted), words("Suppresses", suppressed)),
    );
  });

  const context = (entry, limit) => {
    const token = (label, i) => {
      const t = Math.min(1, (entry.values[i] || 0) / limit);
      const style = t > 0 && `background:${interp.rgb("sequential", t)};color:${interp.inkOn("sequential", t)}`;
      return h(i === entry.at ? "span.token.peak" : "span.token", { style }, interp.visible(label));
    };
    return h(
      "li.context",
      h("span.context-value", entry.value.toFixed(2)),
      h("span.context-text", { title: entry.document }, entry.labels.map(token)),
    );
  };
  interp.show("featurecontexts", (el, { dead, contexts, max, covers }) => {
    const list = (label, more, entries) => [
      h("h3", label + more),
      h(
        "ol.scroll.contexts",
        { tabindex: "0", "aria-label": label },
        entries.map((entry) => context(entry, max)),
      ),
    ];
    const { top = [], others = [] } = Object.groupBy(contexts, ({ kind }) => (kind === "top" ? "top" : "others"));
    interp.fill(
      el,
      !dead && [
        list("Strongest contexts", "", top),
        list("Contexts at quantiles", ", from the top down", others),
        h("p.note", `From ${covers}.`),
      ],
    );
  });
})();
