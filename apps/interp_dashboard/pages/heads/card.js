// The inspector says in a few words what the selected head looks at in text.
(() => {
  "use strict";
  const interp = window.interp;

  interp.facts.push((layer, head) => {
    const card = interp.model.cards[layer]?.[head];
    if (!card) return [];
    const quoted = (tokens) => tokens.map(interp.quoted).join(" ") || "nothing but the first position";
    return [
      ["in text, looks at", quoted(card.at)],
      ["from", quoted(card.from)],
      ["mean distance", card.distance === null ? "–" : `${card.distance.toFixed(1)} tokens`],
      ["on the first position", interp.percent(card.first)],
    ];
  });
})();
