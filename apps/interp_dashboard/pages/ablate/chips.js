// The set of nodes that are edited.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  interp.draw.chips = (el) => {
    const { nodes } = interp.view;
    const chip = (node) => {
      const label = `Take ${interp.nodeName(node)} out of the set`;
      const attributes = { "data-node": node, "aria-label": label, onclick: () => interp.toggle("nodes", node) };
      return h("button.chip.removable", attributes, interp.nodeName(node), " ✕");
    };
    const clear = h("button.quiet", { onclick: () => interp.update({ nodes: [] }) }, "clear all");
    interp.fill(el, h("div.chips", nodes.length ? [nodes.map(chip), clear] : h("span.note", "The set is empty.")));
  };
})();
