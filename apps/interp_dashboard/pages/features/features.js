// Features: the prompt's by token, what a search finds, the first to look at, how much of the chosen one.
(() => {
  "use strict";
  const interp = window.interp;
  const { h, floats } = interp;
  const choose = (feature) => interp.update({ feature });
  const none = (el, text) => el.replaceChildren(h("p", { class: "note" }, text));

  // Features down, tokens across; a click chooses both
  const ROW = 20;
  const NAME = 62;
  interp.draw.featuremap = (el, payload) => {
    if (!payload) {
      el.replaceChildren();
      return;
    }
    const { names, width, active, error } = payload;
    const tokens = interp.tokens();
    if (!names.length) {
      none(el, "No feature of this dictionary is active on the prompt.");
      return;
    }
    const values = floats(payload, "values", payload.values);
    const signed = values.some((v) => v < 0);
    const limit = values.reduce((most, v) => (Number.isNaN(v) ? most : Math.max(most, Math.abs(v))), 0) || 1;
    const cell = Math.max(5, Math.min(44, (el.clientWidth - NAME - 8) / width));
    const canvas = h("canvas", { role: "img", "aria-label": "Activations of features by token" });
    const [side, tall] = [Math.round(cell * width), ROW * names.length];
    const labels = h(
      "div",
      { class: "feature-names", style: `width:${NAME}px` },
      names.map((name) =>
        h(
          "button",
          {
            class: "feature-name",
            "data-act": `map ${name}`,
            "aria-pressed": String(name === interp.view.feature),
            onclick: () => choose(name),
          },
          `f${name}`,
        ),
      ),
    );
    const query = interp.queryAt();
    const over = h(
      "div",
      { class: "feature-tokens", style: `margin-left:${NAME}px;grid-template-columns:repeat(${width},${cell}px)` },
      Array.from({ length: width }, (_, i) =>
        h("span", { class: i === query ? "here" : null }, cell >= 18 ? interp.visible(tokens[i] || "") : ""),
      ),
    );
    const map = h("div", { class: "feature-map" }, labels, canvas);
    const known = interp.model.dictionaries;
    const which =
      known.length < 2
        ? ""
        : h(
            "div",
            { class: "choice", role: "group", "aria-label": "Dictionary" },
            known.map((name, i) => {
              const value = i ? name : ""; // the first is the default, so that a link need not name it
              return h(
                "button",
                {
                  "data-act": `dictionary ${name}`,
                  "aria-pressed": String(interp.view.dictionary === value),
                  onclick: () => interp.update({ dictionary: value, feature: null }),
                },
                name,
              );
            }),
          );
    el.replaceChildren(
      which,
      h(
        "div",
        { class: "legend-place" },
        interp.legend(
          signed ? "diverging" : "sequential",
          signed ? interp.signed(-limit) : "0",
          limit.toFixed(2),
          signed,
        ),
        h("span", { class: "legend-said" }, `activation, ${payload.dictionary} at ${payload.site}`),
      ),
      h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Features by token" }, over, map),
      h(
        "p",
        { class: "note" },
        query < width
          ? `At ${interp.quoted(tokens[query] || "")}: ${active[query]} features active, ${error[query] === null ? "–" : interp.percent(error[query])} of the output missed.`
          : "",
      ),
    );
    const pen = interp.heat(canvas, {
      values,
      rows: names.length,
      columns: width,
      side,
      tall,
      kind: signed ? "diverging" : "sequential",
      at: (v) => (signed ? interp.bySign(v, limit) : v / limit),
    });
    pen.strokeStyle = interp.css("--accent");
    const row = names.indexOf(interp.view.feature);
    if (row >= 0) pen.strokeRect(0.5, row * ROW + 0.5, side - 1, ROW - 1);
    if (query < width) pen.strokeRect(query * cell + 0.5, 0.5, cell - 1, tall - 1);
    canvas.addEventListener("mousemove", (event) => {
      const at = interp.cellAt(canvas, event, names.length, width);
      const v = at && values[at.row * width + at.column];
      interp.tip(
        event,
        at && [
          `feature ${names[at.row]} at ${interp.quoted(tokens[at.column] || "")}`,
          Number.isNaN(v) ? "not active, or not among the strongest" : `activation ${v.toFixed(3)}`,
        ],
      );
    });
    canvas.addEventListener("mouseleave", (event) => interp.tip(event, null));
    canvas.addEventListener("click", (event) => {
      const at = interp.cellAt(canvas, event, names.length, width);
      if (at) interp.update({ feature: names[at.row], query: at.column, key: null });
    });
    el.dataset.key = payload.key;
  };

  // The search: a field that stays, and what it finds
  interp.draw.featurefound = (el, payload) => {
    if (!el.field) {
      el.field = h("input", {
        class: "group-field",
        type: "search",
        maxlength: "80",
        placeholder: "token, such as Mary",
        "aria-label": "Token that the feature is active on or promotes",
      });
      el.field.value = interp.view.token;
      const search = () => interp.update({ token: el.field.value.trim() });
      el.field.addEventListener("keydown", (event) => {
        if (event.key === "Enter") {
          event.preventDefault();
          search();
        }
      });
      el.field.addEventListener("search", search);
      el.list = h("div", {});
      const number = h("input", {
        class: "group-field number-field",
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
      number.addEventListener("keydown", (event) => {
        if (event.key === "Enter") {
          event.preventDefault();
          go();
        }
      });
      el.replaceChildren(
        h(
          "div",
          { class: "group-row" },
          el.field,
          h("button", { class: "button small", "data-act": "search", onclick: search }, "Search"),
          number,
          h("button", { class: "button small", "data-act": "open-number", onclick: go }, "Open"),
        ),
        el.list,
      );
    }
    if (document.activeElement !== el.field) el.field.value = interp.view.token;
    if (!payload) {
      el.list.replaceChildren();
      return;
    }
    if (payload.elsewhere !== null) {
      none(el.list, `The dictionary reads layer ${payload.elsewhere}: select one of its heads, for instance below.`);
      el.dataset.key = payload.key;
      return;
    }
    const bySize = payload.sorting === "max";
    const titles = h(
      "div",
      { class: "feature-row feature-titles" },
      ["", bySize ? "strongest" : "density", "strongest on, promotes", "head"].map((text) => h("span", {}, text)),
    );
    const rows = payload.rows.map(([feature, density, most, top, promoted, head, share]) =>
      h(
        "li",
        {},
        h(
          "button",
          {
            class: "feature-row",
            "data-act": `found ${feature}`,
            "aria-pressed": String(feature === interp.view.feature),
            onclick: () => choose(feature),
          },
          h("span", {}, `f${feature}`),
          h("span", {}, bySize ? most.toFixed(2) : interp.density(density)),
          h(
            "span",
            { class: "feature-words" },
            h("b", {}, interp.quoted(top)),
            ` ${promoted.map(interp.visible).join(" ")}`,
          ),
          h("span", {}, head < 0 ? "" : `${head}: ${interp.percent(share)}`),
        ),
      ),
    );
    el.list.replaceChildren(
      ...(rows.length
        ? [titles, h("ol", { class: "scroll feature-list", tabindex: "0", "aria-label": "Features found" }, rows)]
        : [
            h(
              "p",
              { class: "note" },
              `No live feature ${[payload.token ? `is active on or promotes ${interp.quoted(payload.token)}` : "", interp.view.own === "head" ? "has this head as its strongest" : "", interp.view.density ? "has this density" : ""].filter(Boolean).join(" and ") || "was found"}.`,
            ),
          ]),
      h(
        "p",
        { class: "note" },
        `${payload.rows.length === payload.limit ? `The first ${payload.limit}. ` : ""}From ${payload.covers}.`,
      ),
    );
    el.dataset.key = payload.key;
  };

  // A page that opens without a feature shows the one that matters most to the answer, by what this view asked for
  interp.draw.featurefirst = (el, payload) => {
    const fresh = () =>
      interp.view.feature === null &&
      interp.current("features_first", ["dictionary", "clean", "corrupted", "answer", "contrast"]);
    if (payload && fresh())
      setTimeout(() => {
        if (interp.view.page === "features" && fresh()) choose(payload.feature);
      }, 0);
  };

  // What the feature is multiplied by or raised by
  interp.draw.featuredial = (el) => {
    const { turns } = interp.model;
    if (!el.slider) {
      const slider = (el.slider = h("input", {
        type: "range",
        min: "0",
        max: String(turns.length - 1),
        step: "1",
        class: "slider",
      }));
      const number = h("output", { class: "slider-value" });
      el.say = () => {
        const adds = interp.view.way === "plus";
        slider.setAttribute(
          "aria-label",
          adds ? "What is added to the feature's activation" : "What the feature's activation is multiplied by",
        );
        number.textContent = `${adds ? "+" : "×"} ${turns[Number(slider.value)].replace("-", "−")}`;
        slider.setAttribute("aria-valuetext", number.textContent);
      };
      slider.addEventListener("input", el.say);
      slider.addEventListener("change", () => interp.update({ turn: turns[Number(slider.value)] }));
      el.replaceChildren(h("label", { class: "slider-row" }, h("span", {}, "activation"), slider, number));
    }
    if (document.activeElement !== el.slider) el.slider.value = String(Math.max(0, turns.indexOf(interp.view.turn)));
    el.say();
  };
})();
