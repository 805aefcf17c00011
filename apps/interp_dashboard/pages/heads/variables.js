// The inspector names what a head of a compiled program reads, selects and writes.
(() => {
  "use strict";
  const interp = window.interp;
  const SIDES = { q: "queries read", k: "keys read", v: "values read", o: "writes" };

  interp.facts.push((layer, head) => {
    const about = interp.model.variables[interp.headNode(layer, head)];
    if (!about) return [];
    const sides = Object.entries(SIDES).map(([side, words]) => [words, about[side].join(", ") || "nothing"]);
    return [["selector", about.selector], ...sides];
  });
})();
