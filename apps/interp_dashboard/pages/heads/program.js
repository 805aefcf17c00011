// A learned program beside the heads that run it: a click on a line selects what computes it.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  const choose = (sender) => {
    const [, kind, layer, head] = sender.match(/^([am])(\d+)(?:\.(\d+))?$/);
    if (kind === "a") interp.select(Number(layer), Number(head));
    else interp.update({ page: "circuit", picked: sender });
  };

  interp.draw.program = (el) => {
    const [text, lines] = interp.model.program;
    const selected = interp.headNode(interp.view.layer, interp.view.head);
    const line = (words, index) => {
      const sender = lines[index + 1];
      if (!sender) return h("span.line", words || " ");
      const attributes = { "data-line": index + 1, "aria-pressed": String(sender === selected), title: sender };
      return h("button.line", { ...attributes, onclick: () => choose(sender) }, words || " ");
    };
    if (!text) return;
    const kept = el.dataset.of === selected ? el.firstChild.scrollTop : null;
    const box = h("div.program-text", text.trimEnd().split("\n").map(line));
    interp.fill(el, box);
    const first = box.querySelector('[aria-pressed="true"]') || box.querySelector("button.line");
    box.scrollTop = kept ?? first.offsetTop - box.firstChild.offsetTop;
    if (box.clientHeight) el.dataset.of = selected;
  };
})();
