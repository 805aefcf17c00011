// One feature's card, and what the features of each head do.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const choose = (feature) => interp.features.choose(feature);
  const part = (value, limit) => interp.features.part(value, limit);

  const histogram = (payload, width) => {
    const [tall, left] = [92, 6];
    const counts = payload.histogram;
    const most = Math.log1p(Math.max(1, ...counts));
    const step = (width - 2 * left) / counts.length;
    const svg = h("svg", { width, height: tall + 18, role: "img", "aria-label": "How often the feature is active at each strength" });
    counts.forEach((count, i) => {
      const high = (tall * Math.log1p(count)) / most;
      const bar = h("rect", { x: left + i * step + 1, width: Math.max(1, step - 2), y: tall - high, height: high, fill: interp.css("--accent") });
      bar.addEventListener("mousemove", (event) => interp.tip(event, [`${count.toLocaleString("en")} tokens`, `activation ${((payload.max * i) / counts.length).toFixed(2)} to ${((payload.max * (i + 1)) / counts.length).toFixed(2)}`]));
      bar.addEventListener("mouseleave", (event) => interp.tip(event, null));
      svg.append(bar);
    });
    svg.append(h("line", { x1: left, x2: width - left, y1: tall, y2: tall, class: "rule" }), h("text", { x: left, y: tall + 12, class: "tick" }, "0"), h("text", { x: width - left, y: tall + 12, class: "end tick" }, payload.max.toFixed(2)), h("text", { x: width / 2, y: tall + 12, class: "mid tick" }, "activation; counts on a log scale"));
    return svg;
  };
  const words = (title, pairs) => h("div", {}, h("h3", {}, title), h("p", { class: "feature-promoted" }, pairs.map(([token, weight]) => h("span", { class: "token", title: interp.signed(weight, 3) }, interp.visible(token)))));
  const context = (entry, limit) => h("li", { class: "context" },
    h("span", { class: "context-value" }, entry.value.toFixed(2)),
    h("span", { class: "context-text", title: entry.document }, entry.labels.map((label, i) => {
      const v = entry.values[i] || 0;
      const t = Math.min(1, v / limit);
      return h("span", { class: i === entry.at ? "token peak" : "token", style: v > 0 ? `background:${interp.rgb("sequential", t)};color:${interp.inkOn("sequential", t)}` : null }, interp.visible(label));
    })));
  interp.draw.featurecard = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const title = h("p", { class: "node-name", "data-value": "feature-title" }, `Feature ${payload.feature}`);
    if (payload.dead) { el.replaceChildren(title, h("p", { class: "note" }, `Never active on ${payload.covers}.`), payload.promoted.length ? words("Promotes", payload.promoted) : ""); el.dataset.key = payload.key; return; }
    const facts = [["active on", `${interp.density(payload.density)} of tokens`], ["mean when active", payload.mean.toFixed(3)], ["strongest", payload.max.toFixed(3)]];
    const heads = payload.head_weights;
    const most = Math.max(1e-9, ...heads);
    const top = payload.contexts.filter((entry) => entry.kind === "top");
    const others = payload.contexts.filter((entry) => entry.kind !== "top");
    el.replaceChildren(title,
      h("dl", { class: "measures" }, facts.map(([name, text]) => h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, text)))),
      histogram(payload, Math.min(el.clientWidth, 520)),
      heads.length ? h("div", {}, h("h3", {}, "Heads that write it"), h("ol", { class: "bars" }, heads.map((share, head) => [share, head]).sort((a, b) => b[0] - a[0]).slice(0, 4).map(([share, head]) => h("li", {}, h("button", { class: "bar source", "data-act": `head ${head}`, onclick: () => interp.select(payload.layer, head) }, h("span", { class: "bar-name" }, `${payload.layer}.${head}`), h("span", { class: "bar-track" }, h("span", { style: `width:${part(share, most)};background:${interp.css("--accent")}` })), h("span", { class: "bar-value" }, interp.percent(share))))))) : "",
      h("div", { class: "columns" }, words("Promotes", payload.promoted), words("Suppresses", payload.suppressed)),
      h("h3", {}, "Strongest contexts"),
      h("ol", { class: "scroll contexts", tabindex: "0", "aria-label": "Strongest contexts" }, top.map((entry) => context(entry, payload.max))),
      h("h3", {}, "Contexts at quantiles, from the top down"),
      h("ol", { class: "scroll contexts", tabindex: "0", "aria-label": "Contexts at quantiles" }, others.map((entry) => context(entry, payload.max))),
      h("p", { class: "note" }, `From ${payload.covers}.`));
    el.dataset.key = payload.key;
  };

  // Families of each head's strongest features
  interp.draw.featureroles = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const { families, heads, layer } = payload;
    const shade = (i) => interp.hues[interp.theme()][i % 8];
    const rows = heads.map(({ head, shares, alive, one, features }) => {
      const bar = h("span", { class: "role-track" }, shares.map((share, i) => (share ? h("span", { style: `width:${100 * share}%;background:${shade(i)}`, title: `${families[i]} ${interp.percent(share)}` }) : null)));
      return h("li", {}, h("button", { class: "bar role", "data-act": `role ${head}`, "aria-pressed": String(interp.view.layer === layer && interp.view.head === head), onclick: () => interp.update({ layer, head, key: null }) },
        h("span", { class: "bar-name" }, `${layer}.${head}`), bar, h("span", { class: "bar-value" }, one ? "one family" : `${alive} alive`)),
        h("span", { class: "role-features" }, features.map((feature) => h("button", { class: "quiet", "data-act": `of ${head} ${feature}`, onclick: () => choose(feature) }, `f${feature}`))));
    });
    el.replaceChildren(h("p", { class: "keyline parts" }, families.map((name, i) => h("span", {}, h("b", { style: `background:${shade(i)}` }), ` ${name} `))), h("ol", { class: "bars roles" }, rows));
    el.dataset.key = payload.key;
  };
})();
