// Features: the prompt's by token, what a search finds, the first to look at, how much of the chosen one.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const choose = (feature) => interp.update({ feature });
  // Features down, tokens across; a click chooses both
  const ROW = 20;
  const NAME = 62;
  const READABLE = 30;
  // Which dictionary: those that are known, and a field for another. The first is the default, so that a link need not
  // name it.
  interp.draw.dictionary = (el) => {
    const dictionaries = interp.model.dictionaries;
    const take = (dictionary) => interp.update({ dictionary, feature: null });
    if (!el.parts) {
      const words = "Another dictionary: a folder, or RELEASE:SAE_ID";
      const field = h("input.group-field.wide", {
        type: "text",
        maxlength: "400",
        "aria-label": words,
        placeholder: words,
      });
      const give = () => take(field.value.trim());
      interp.onEnter(field, give);
      el.parts = {
        field,
        row: h("div.group-row", field, interp.act("Open", give, { "data-act": "open-dictionary" })),
        list: h("div"),
      };
      interp.fill(el, el.parts.list, el.parts.row);
    }
    const { dictionary } = interp.view;
    const { field, list } = el.parts;
    const option = (name, i) => {
      const own = i ? name : "";
      return [name, dictionary === own, { "data-act": `dictionary ${name}`, onclick: () => take(own) }];
    };
    const other = dictionary && !dictionaries.includes(dictionary) ? dictionary : "";
    if (document.activeElement !== field) field.value = other;
    interp.fill(
      list,
      dictionaries.length > 1 || (dictionaries.length && other)
        ? interp.choice("Dictionary", dictionaries.map(option))
        : [],
    );
    // Without one there is nothing to show but where to give one
    el.closest(".page").toggleAttribute("data-bare", !dictionaries.length && !dictionary);
  };
  const featureButton = (kind, feature, act, ...words) => {
    const on = String(feature === interp.view.feature);
    return h(kind, { "data-act": `${act} ${feature}`, "aria-pressed": on, onclick: () => choose(feature) }, words);
  };
  // The tokens in sight: a long prompt's map scrolls
  const paintMap = (canvas, box, { names, width }, cell, colour) => {
    const room = Math.min(cell * width, box.clientWidth - NAME - 4);
    const [first, last] = interp.inSight(box.scrollLeft, room, cell, width);
    const [columns, tall, x] = [last - first + 1, ROW * names.length, first * cell - box.scrollLeft];
    const pen = interp.canvas(canvas, room, tall);
    const part = (i) => colour(Math.floor(i / columns) * width + first + (i % columns));
    interp.heat(pen, { rows: names.length, columns, colour: part, box: [x, 0, columns * cell, tall] });
    pen.strokeStyle = interp.css("--accent");
    const row = names.indexOf(interp.view.feature);
    const query = interp.queryAt();
    if (row >= 0) pen.strokeRect(0.5, row * ROW + 0.5, room - 1, ROW - 1);
    if (query < width) pen.strokeRect(query * cell - box.scrollLeft + 0.5, 0.5, cell - 1, tall - 1);
  };
  interp.show("featuremap", (el, payload) => {
    const { names, width, active, error, dictionary, site } = payload;
    if (!names.length) {
      interp.fill(el, h("p.note", "No feature of this dictionary is active on the prompt."));
      return;
    }
    const query = interp.queryAt();
    const values = interp.decoded(payload, (raw) => interp.bytes(raw.values, Float32Array));
    const signed = values.some((v) => v < 0);
    const kind = signed ? "diverging" : "sequential";
    const limit = values.reduce((most, v) => (Number.isNaN(v) ? most : Math.max(most, Math.abs(v))), 0) || 1;
    const ramp = interp.ramp(kind);
    const shade = (v) => (signed ? interp.bySign(v, limit) : v / limit);
    const colour = (i) => !Number.isNaN(values[i]) && ramp[Math.round(255 * shade(values[i]))];
    const cell = Math.max(READABLE, Math.min(44, (el.clientWidth - NAME - 8) / width));
    const canvas = h("canvas", { role: "img", "aria-label": "Activations of features by token" });
    const buttons = names.map((name) => featureButton("button.feature-name", name, "map", `f${name}`));
    const head = (_, pos) => h(pos === query ? "span.here" : "span", interp.visible(interp.tokens()[pos] || ""));
    const style = `grid-template-columns:repeat(${width},${cell}px)`;
    const wide = { style: `width:${NAME + cell * width}px` };
    const before = el.querySelector(".scroll")?.scrollLeft ?? 0;
    const box = h(
      "div.scroll.panned",
      { tabindex: "0", role: "group", "aria-label": "Features by token" },
      h(
        "div.feature-map",
        wide,
        h("div.feature-names", { style: `width:${NAME}px` }),
        h("div.feature-tokens", { style }, Array.from({ length: width }, head)),
      ),
      h("div.feature-map", wide, h("div.feature-names", { style: `width:${NAME}px` }, buttons), canvas),
    );
    const unexplained = error[query] === null ? "–" : interp.percent(error[query]);
    interp.fill(
      el,
      h(
        "div.legend-place",
        interp.legend(
          kind,
          signed ? interp.signed(-limit) : "0",
          limit.toFixed(2),
          `activation, ${dictionary} at ${site}`,
        ),
      ),
      box,
      query < width &&
        h(
          "p.note",
          `At ${interp.quotedAt(query)}: ${active[query]} features active, ${unexplained} of the output missed.`,
        ),
    );
    box.scrollLeft = before;
    interp.reveal(el, box, `${query} ${interp.view.clean}`, { x: [NAME + query * cell, cell], inset: NAME });
    const paint = () => paintMap(canvas, box, payload, cell, colour);
    paint();
    interp.panned(box, paint);
    const cells = () => ({ left: -box.scrollLeft, wide: cell, high: ROW, columns: width, rows: names.length });
    const act = ({ row, column }) => interp.update({ feature: names[row], query: column, key: null });
    interp.cells(canvas, cells, act, ({ row, column }) => {
      const v = values[row * width + column];
      const activation = Number.isNaN(v) ? "not active, or not among the strongest" : `activation ${v.toFixed(3)}`;
      return [`feature ${names[row]} at ${interp.quotedAt(column)}`, activation];
    });
  });

  // The search: a field that stays, and what it finds
  const buildSearch = (el) => {
    const field = h("input.group-field", {
      type: "search",
      maxlength: "80",
      placeholder: "token, such as Mary",
      "aria-label": "Token that the feature is active on or promotes",
    });
    field.value = interp.view.token;
    const search = () => interp.update({ token: field.value.trim() });
    interp.onEnter(field, search);
    field.addEventListener("search", search);
    const number = h("input.group-field", {
      type: "text",
      inputmode: "numeric",
      maxlength: "8",
      placeholder: "number",
      "aria-label": "Number of a feature to open",
    });
    const go = () => {
      const text = number.value.trim().replace(/^f/, "");
      if (/^\d+$/.test(text)) choose(Number(text));
    };
    interp.onEnter(number, go);
    const list = h("div");
    interp.fill(
      el,
      h(
        "div.group-row",
        field,
        interp.act("Search", search, { "data-act": "search" }),
        number,
        interp.act("Open", go, { "data-act": "open-number" }),
      ),
      list,
    );
    return { field, list };
  };
  const noResults = (token) => {
    const { own, density } = interp.view;
    const criteria = [
      token && `is active on or promotes ${interp.quoted(token)}`,
      own === "head" && "has this head as its strongest",
      density && "has this density",
    ];
    return `No live feature ${criteria.filter(Boolean).join(" and ") || "was found"}.`;
  };
  interp.draw.featurefound = (el, payload) => {
    el.parts ||= buildSearch(el);
    const { field, list } = el.parts;
    if (document.activeElement !== field) field.value = interp.view.token;
    if (!payload) {
      list.replaceChildren();
      return;
    }
    const { elsewhere, sorting, rows, token, limit, covers } = payload;
    if (elsewhere !== null) {
      const words = `The dictionary reads layer ${elsewhere}: select one of its heads, for instance below.`;
      interp.fill(list, h("p.note", words));
      return;
    }
    const bySize = sorting === "max";
    const titles = ["", bySize ? "strongest" : "density", "strongest on, promotes", "head"];
    const row = ([feature, density, most, top, promoted, head, share]) =>
      featureButton(
        "button.feature-row",
        feature,
        "found",
        h("span", `f${feature}`),
        h("span", bySize ? most.toFixed(2) : interp.density(density)),
        h("span.feature-words", h("b", interp.quoted(top)), ` ${promoted.map(interp.visible).join(" ")}`),
        h("span", head < 0 ? "" : `${head}: ${interp.percent(share)}`),
      );
    const items = rows.map((entry) => h("li", row(entry)));
    interp.fill(
      list,
      items.length
        ? [
            h(
              "div.feature-row.feature-titles",
              titles.map((text) => h("span", text)),
            ),
            h("ol.scroll.feature-list", { tabindex: "0", "aria-label": "Features found" }, items),
          ]
        : h("p.note", noResults(token)),
      h("p.note", `${rows.length === limit ? `The first ${limit}. ` : ""}From ${covers}.`),
    );
  };

  // A page that opens without a feature shows the one with the largest effect on the answer; another question brings
  // another, unless the user has selected one
  let proposal = null;
  interp.draw.featurefirst = (el, payload) => {
    const fresh = () => {
      const { feature } = interp.view;
      return (feature === null || feature === proposal) && interp.fresh("features_first", ["dictionary"]);
    };
    if (!payload || !fresh()) return;
    setTimeout(() => {
      if (interp.view.page !== "features" || !fresh()) return;
      proposal = payload.feature ?? interp.fresh("features_active", ["dictionary"])?.names[0] ?? null;
      choose(proposal);
    }, 0);
  };

  // What the feature is multiplied by or raised by
  interp.draw.featuredial = (el) => {
    const { turns } = interp.model;
    if (!el.slider) {
      const slider = h("input.slider", { type: "range", min: "0", max: String(turns.length - 1), step: "1" });
      const number = h("output.slider-value");
      el.say = () => {
        const adds = interp.view.way === "plus";
        const label = adds
          ? "What is added to the feature's activation"
          : "What the feature's activation is multiplied by";
        slider.setAttribute("aria-label", label);
        number.textContent = `${adds ? "+" : "×"} ${turns[Number(slider.value)].replace("-", "−")}`;
        slider.setAttribute("aria-valuetext", number.textContent);
      };
      slider.addEventListener("input", el.say);
      slider.addEventListener("change", () => interp.update({ turn: turns[Number(slider.value)] }));
      interp.fill(el, h("label.slider-row", h("span", "activation"), slider, number));
      el.slider = slider;
    }
    if (document.activeElement !== el.slider) el.slider.value = String(Math.max(0, turns.indexOf(interp.view.turn)));
    el.say();
  };
})();
