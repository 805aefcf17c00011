// Features: the prompt's by token, what a search finds, where a feature comes from, what decides the answer.
(() => {
  "use strict";
  const interp = window.interp;
  const { h, floats } = interp;
  const choose = (feature) => interp.update({ feature });
  const part = (value, limit) => `${(100 * Math.abs(value)) / (limit || 1)}%`;
  const byHue = (i) => interp.hues[interp.theme()][i % 8];
  const none = (el, text) => el.replaceChildren(h("p", { class: "note" }, text));
  interp.features = { choose, part };

  // Features down, tokens across; a click chooses both
  const ROW = 20;
  const NAME = 62;
  interp.draw.featuremap = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const { names, width, active, error } = payload;
    const tokens = interp.tokens();
    if (!names.length) { none(el, "No feature of this dictionary is active on the prompt."); return; }
    const values = floats(payload, "values", payload.values);
    const signed = values.some((v) => v < 0);
    const limit = values.reduce((most, v) => (Number.isNaN(v) ? most : Math.max(most, Math.abs(v))), 0) || 1;
    const cell = Math.max(5, Math.min(44, (el.clientWidth - NAME - 8) / width));
    const canvas = h("canvas", { role: "img", "aria-label": "Activations of features by token" });
    const [side, tall] = [Math.round(cell * width), ROW * names.length];
    const labels = h("div", { class: "feature-names", style: `width:${NAME}px` }, names.map((name) =>
      h("button", { class: "feature-name", "data-act": `map ${name}`, "aria-pressed": String(name === interp.view.feature), onclick: () => choose(name) }, `f${name}`)));
    const query = interp.queryAt();
    const over = h("div", { class: "feature-tokens", style: `margin-left:${NAME}px;grid-template-columns:repeat(${width},${cell}px)` }, Array.from({ length: width }, (_, i) =>
      h("span", { class: i === query ? "here" : null }, cell >= 18 ? interp.visible(tokens[i] || "") : "")));
    const map = h("div", { class: "feature-map" }, labels, canvas);
    const known = interp.model.dictionaries;
    const which = known.length < 2 ? "" : h("div", { class: "choice", role: "group", "aria-label": "Dictionary" }, known.map((name, i) => {
      const value = i ? name : ""; // the first is the default, so that a link need not name it
      return h("button", { "data-act": `dictionary ${name}`, "aria-pressed": String(interp.view.dictionary === value), onclick: () => interp.update({ dictionary: value, feature: null }) }, name);
    }));
    el.replaceChildren(which,
      h("div", { class: "legend-place" }, interp.legend(signed ? "diverging" : "sequential", signed ? interp.signed(-limit) : "0", limit.toFixed(2), signed), h("span", { class: "legend-said" }, `activation, ${payload.dictionary} at ${payload.site}`)),
      h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Features by token" }, over, map),
      h("p", { class: "note" }, query < width ? `At ${interp.quoted(tokens[query] || "")}: ${active[query]} features active, ${error[query] === null ? "–" : interp.percent(error[query])} of the output missed.` : ""));
    const pen = interp.heat(canvas, { values, rows: names.length, columns: width, side, tall, kind: signed ? "diverging" : "sequential", at: (v) => (signed ? interp.bySign(v, limit) : v / limit) });
    pen.strokeStyle = interp.css("--accent");
    const row = names.indexOf(interp.view.feature);
    if (row >= 0) pen.strokeRect(0.5, row * ROW + 0.5, side - 1, ROW - 1);
    if (query < width) pen.strokeRect(query * cell + 0.5, 0.5, cell - 1, tall - 1);
    canvas.addEventListener("mousemove", (event) => {
      const at = interp.cellAt(canvas, event, names.length, width);
      const v = at && values[at.row * width + at.column];
      interp.tip(event, at && [`feature ${names[at.row]} at ${interp.quoted(tokens[at.column] || "")}`, Number.isNaN(v) ? "not active, or not among the strongest" : `activation ${v.toFixed(3)}`]);
    });
    canvas.addEventListener("mouseleave", (event) => interp.tip(event, null));
    canvas.addEventListener("click", (event) => { const at = interp.cellAt(canvas, event, names.length, width); if (at) interp.update({ feature: names[at.row], query: at.column, key: null }); });
    el.dataset.key = payload.key;
  };

  // The search: a field that stays, and what it finds
  interp.draw.featurefound = (el, payload) => {
    if (!el.field) {
      el.field = h("input", { class: "group-field", type: "search", maxlength: "80", placeholder: "token, such as Mary", "aria-label": "Token that the feature is active on or promotes" });
      el.field.value = interp.view.token;
      el.field.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); interp.update({ token: el.field.value.trim() }); } });
      el.field.addEventListener("search", () => interp.update({ token: el.field.value.trim() }));
      el.list = h("div", {});
      const number = h("input", { class: "group-field number-field", type: "text", inputmode: "numeric", maxlength: "8", placeholder: "number", "aria-label": "Number of a feature to open" });
      const go = () => { const text = number.value.trim().replace(/^f/, ""); if (/^\d+$/.test(text)) choose(Number(text)); };
      number.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); go(); } });
      el.replaceChildren(h("div", { class: "group-row" },
        el.field, h("button", { class: "button small", "data-act": "search", onclick: () => interp.update({ token: el.field.value.trim() }) }, "Search"),
        number, h("button", { class: "button small", "data-act": "open-number", onclick: go }, "Open")), el.list);
    }
    if (document.activeElement !== el.field) el.field.value = interp.view.token;
    if (!payload) { el.list.replaceChildren(); return; }
    if (payload.elsewhere !== null) { none(el.list, `The dictionary reads layer ${payload.elsewhere}: select one of its heads, for instance below.`); el.dataset.key = payload.key; return; }
    const bySize = payload.sorting === "max";
    const titles = h("div", { class: "feature-row feature-titles" }, ["", bySize ? "strongest" : "density", "strongest on, promotes", "head"].map((text) => h("span", {}, text)));
    const rows = payload.rows.map(([feature, density, most, top, promoted, head, share]) =>
      h("li", {}, h("button", { class: "feature-row", "data-act": `found ${feature}`, "aria-pressed": String(feature === interp.view.feature), onclick: () => choose(feature) },
        h("span", {}, `f${feature}`), h("span", {}, bySize ? most.toFixed(2) : interp.density(density)),
        h("span", { class: "feature-words" }, h("b", {}, interp.quoted(top)), ` ${promoted.map(interp.visible).join(" ")}`),
        h("span", {}, head < 0 ? "" : `${head}: ${interp.percent(share)}`))));
    el.list.replaceChildren(...(rows.length ? [titles, h("ol", { class: "scroll feature-list", tabindex: "0", "aria-label": "Features found" }, rows)] : [h("p", { class: "note" }, `No live feature ${[payload.token ? `is active on or promotes ${interp.quoted(payload.token)}` : "", interp.view.own === "head" ? "has this head as its strongest" : "", interp.view.density ? "has this density" : ""].filter(Boolean).join(" and ") || "was found"}.`)]),
      h("p", { class: "note" }, `${payload.rows.length === payload.limit ? `The first ${payload.limit}. ` : ""}From ${payload.covers}.`));
    el.dataset.key = payload.key;
  };

  // Lines from sources to the chosen token, as wide as what each brings; heads and parts below
  const SOURCES = 9; // that are listed
  interp.draw.featuresources = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const { dfa, position, preactivation, activation, bias, remainder, parts, layer, source } = payload;
    const tokens = interp.tokens().slice(0, dfa.length);
    const sums = dfa.map((row) => row.reduce((a, b) => a + b, 0));
    const limit = Math.max(1e-9, ...sums.map(Math.abs));
    const width = Math.max(el.clientWidth, 40 * tokens.length);
    const [left, tall] = [10, 132];
    const step = (width - 2 * left) / tokens.length;
    const x = (i) => left + (i + 0.5) * step;
    const svg = h("svg", { width, height: tall + 34, role: "group", "aria-label": `What earlier tokens bring to feature ${payload.feature}` });
    sums.forEach((v, i) => {
      if (Math.abs(v) < limit / 200) return;
      const reach = Math.min(tall - 14, 18 + Math.abs(position - i) * step * 0.42);
      const d = i === position ? `M${x(i) - 5},${tall} C${x(i) - 14},${tall - 34} ${x(i) + 14},${tall - 34} ${x(i) + 5},${tall}` : `M${x(i)},${tall} C${x(i)},${tall - reach} ${x(position)},${tall - reach} ${x(position)},${tall}`;
      const line = h("path", { d, fill: "none", stroke: interp.rgb("diverging", v < 0 ? 0.1 : 0.9), "stroke-width": 0.8 + (8 * Math.abs(v)) / limit, opacity: 0.75, "stroke-linecap": "round", "data-source": String(i) });
      const heads = dfa[i].map((piece, head) => [piece, head]).sort((a, b) => Math.abs(b[0]) - Math.abs(a[0])).slice(0, 4);
      line.addEventListener("mousemove", (event) => interp.tip(event, [`${interp.quoted(tokens[i])} brings ${interp.signed(v, 3)}`, ...heads.map(([piece, head]) => `head ${head} ${interp.signed(piece, 3)}`)]));
      line.addEventListener("mouseleave", (event) => interp.tip(event, null));
      line.addEventListener("click", () => interp.update({ key: i }));
      line.style.cursor = "pointer";
      svg.append(line);
    });
    tokens.forEach((token, i) => {
      const text = h("text", { x: x(i), y: tall + 15, class: i === position ? "mid tick chosen" : "mid tick" }, interp.visible(token).slice(0, Math.max(3, Math.floor(step / 6.4))));
      text.addEventListener("click", () => interp.update({ query: i, key: null }));
      text.style.cursor = "pointer";
      svg.append(text);
    });
    const heads = (dfa[0] || []).map((_, head) => [head, dfa.reduce((total, row) => total + row[head], 0)]);
    const bars = (title, rows) => {
      const most = Math.max(1e-9, ...rows.map(([, v]) => Math.abs(v)));
      return h("div", {}, h("h3", {}, title), h("ol", { class: "bars" }, rows.map(([name, v, act, on]) => {
        const body = [h("span", { class: "bar-name" }, name), h("span", { class: "bar-track" }, h("span", { style: `width:${part(v, most)};background:${interp.rgb("diverging", v < 0 ? 0.1 : 0.88)}` })), h("span", { class: "bar-value" }, interp.signed(v, 3))];
        return h("li", {}, act ? h("button", { class: "bar source", "data-act": `source ${title} ${name}`, "aria-pressed": on === undefined ? null : String(on), onclick: act }, body) : h("div", { class: "bar source" }, body));
      })));
    };
    const order = sums.map((v, i) => [v, i]).sort((a, b) => Math.abs(b[0]) - Math.abs(a[0]));
    const some = order.slice(0, SOURCES).map(([v, i]) => [`${i} ${interp.visible(tokens[i])}`, v, () => interp.update({ key: source === i ? null : i }), source === i]);
    if (order.length > SOURCES) some.push([`${order.length - SOURCES} others`, order.slice(SOURCES).reduce((a, [v]) => a + v, 0)]);
    const columns = [bars("By source", some), bars("By head", heads.map(([head, v]) => [`${layer}.${head}`, v, () => interp.select(layer, head)]))];
    if (parts.length) columns.push(bars(source === null ? "One step back" : `One step back from ${interp.quoted(tokens[source])}`, parts));
    el.replaceChildren(
      h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Sources on the prompt" }, svg),
      h("p", { class: "kept-line", "data-value": "closure" }, `f${payload.feature} at ${interp.quoted(tokens[position] || "")}: sources ${interp.signed(sums.reduce((a, b) => a + b, 0), 3)} + bias ${interp.signed(bias, 3)} + remainder ${remainder.toExponential(0)} = ${interp.signed(preactivation, 3)}; activation ${activation.toFixed(3)}`),
      h("div", { class: "columns" }, columns),
      payload.unexplained === null ? "" : h("p", { class: "note" }, `Unexplained one step back: ${interp.percent(payload.unexplained)} of all that sources bring, either way.`));
    el.dataset.key = payload.key;
  };

  interp.draw.featureeffects = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const rows = [...payload.rows, ["other features", null, payload.rest], ["error", null, payload.error]];
    const limit = Math.max(1e-9, ...rows.map((row) => Math.abs(row[2])));
    // A page that opens without a feature shows the one that matters most to the answer, by what this view asked for
    const fresh = () => interp.current("features_effects", ["dictionary", "clean", "corrupted", "answer", "contrast"]);
    if (interp.view.feature === null && payload.rows.length && fresh()) setTimeout(() => { if (interp.view.feature === null && interp.view.page === "features" && fresh()) choose(payload.rows[0][1]); }, 0);
    el.replaceChildren(h("ol", { class: "bars" }, rows.map(([name, feature, v]) => {
      const body = [h("span", { class: "bar-name" }, name), h("span", { class: "bar-track" }, h("span", { style: `width:${part(v, limit)};background:${interp.rgb("diverging", v < 0 ? 0.1 : 0.88)}` })), h("span", { class: "bar-value" }, interp.signed(v, 3))];
      return h("li", {}, feature === null ? h("div", { class: "bar source" }, body) : h("button", { class: "bar source", "data-act": `effect ${feature}`, "aria-pressed": String(feature === interp.view.feature), onclick: () => choose(feature) }, body));
    })), h("p", { class: "kept-line", "data-value": "feature-total" }, `Sum ${interp.signed(payload.total, 3)}; truly replaced ${interp.signed(payload.patched, 3)} ${payload.unit}`));
    el.dataset.key = payload.key;
  };

  const dial = (el) => {
    const { turns } = interp.model;
    const slider = h("input", { type: "range", min: "0", max: String(turns.length - 1), step: "1", class: "slider" });
    const number = h("output", { class: "slider-value" });
    const say = () => { slider.setAttribute("aria-label", interp.view.way === "plus" ? "What is added to the feature's activation" : "What the feature's activation is multiplied by"); number.textContent = `${interp.view.way === "plus" ? "+" : "×"} ${turns[Number(slider.value)].replace("-", "−")}`; slider.setAttribute("aria-valuetext", number.textContent); };
    slider.addEventListener("input", say);
    slider.addEventListener("change", () => interp.update({ turn: turns[Number(slider.value)] }));
    el.parts = { slider, say, body: h("div", {}) };
    el.replaceChildren(h("label", { class: "slider-row" }, h("span", {}, "activation"), slider, number), el.parts.body);
  };
  interp.draw.featureturned = (el, payload) => {
    if (!el.parts) dial(el);
    const { slider, say, body } = el.parts;
    if (document.activeElement !== slider || !payload) slider.value = String(Math.max(0, interp.model.turns.indexOf(interp.view.turn)));
    say();
    if (!payload) { body.replaceChildren(); return; }
    const controls = payload.control.map((v, i) => [v, payload.others[i]]).filter(([v]) => v !== null);
    const all = [payload.effect, 0, ...controls.map(([v]) => v)];
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const at = (v) => `${(4 + (92 * (v - low)) / (high - low || 1)).toFixed(2)}%`;
    const tops = (title, top) => h("div", {}, h("h3", {}, title), h("ol", { class: "bars" }, top.map(([token, p]) => h("li", {}, h("div", { class: "bar source" }, h("span", { class: "bar-name" }, interp.quoted(token)), h("span", { class: "bar-track" }, h("span", { style: `width:${100 * p}%;background:${interp.css("--accent")}` })), h("span", { class: "bar-value" }, interp.percent(p)))))));
    const dots = controls.map(([v, name]) => {
      const dot = h("i", { class: "control-dot", style: `left:${at(v)}` });
      dot.addEventListener("mousemove", (event) => interp.tip(event, [`${name} instead: ${interp.signed(v, 3)}`]));
      dot.addEventListener("mouseleave", (event) => interp.tip(event, null));
      return dot;
    });
    const nothing = payload.turn === (payload.way === "plus" ? "0" : "1");
    const verdict = nothing ? "The feature is left as it is." : payload.way === "times" && payload.activation === 0 ? "The feature is not active on this prompt, so that there is nothing to multiply; add it instead." : payload.as_strong === null ? "No other feature that is active here is active about as often." : `${interp.percent(payload.as_strong)} of ${controls.length} other features that are active about as often (${interp.density(payload.density)} of tokens) move the answer as much.`;
    body.replaceChildren(
      h("div", { class: "change" },
        h("div", {}, h("span", {}, `f${payload.feature} ${payload.way === "plus" ? "+" : "×"} ${payload.turn.replace("-", "−")}`), h("strong", { "data-value": "feature-effect", class: payload.effect < 0 ? "negative" : "positive" }, interp.signed(payload.effect, 3))),
        h("div", {}, h("span", {}, "before"), h("strong", {}, interp.signed(payload.clean))),
        h("div", {}, h("span", {}, "after"), h("strong", { "data-value": "feature-after" }, interp.signed(payload.edited)))),
      h("div", { class: "control-scale", role: "img", "aria-label": "Effect beside those of other features that are active as often" }, h("i", { class: "zero", style: `left:${at(0)}` }), dots, h("b", { style: `left:${at(payload.effect)}` })),
      h("p", { class: "note" }, verdict),
      h("div", { class: "columns" }, tops("Before", payload.clean_top), tops("After", payload.edited_top)));
    el.dataset.key = payload.key;
  };
})();
