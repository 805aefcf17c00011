// Bars of the likeliest tokens.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  interp.bars = (tops, title, marked) =>
    h(
      "div",
      { class: "tops" },
      h("h3", {}, title),
      h(
        "ol",
        { class: "bars" },
        tops.map(([text, p]) =>
          h(
            "li",
            { class: marked.includes(text) ? "marked" : "" },
            h(
              "span",
              { class: "bar still" },
              h("span", { class: "bar-name token" }, interp.visible(text)),
              h("span", { class: "bar-track" }, h("span", { style: `width:${100 * p}%` })),
              h("span", { class: "bar-value" }, interp.percent(p)),
            ),
          ),
        ),
      ),
    );
})();
