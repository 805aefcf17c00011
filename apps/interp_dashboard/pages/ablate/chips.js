// The set of nodes that are edited.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  interp.draw.chips = (el) => {
    const { nodes } = interp.view;
    const name = interp.nodeName;
    el.replaceChildren(
      h(
        "div",
        { class: "chips" },
        nodes.length
          ? nodes.map((node) =>
              h(
                "button",
                {
                  class: "chip removable",
                  "data-node": node,
                  "aria-label": `Take ${name(node)} out of the set`,
                  onclick: () => interp.toggle(node),
                },
                name(node),
                " ✕",
              ),
            )
          : h("span", { class: "note" }, "The set is empty."),
        nodes.length ? h("button", { class: "quiet", onclick: () => interp.update({ nodes: [] }) }, "clear all") : null,
      ),
    );
  };
})();
