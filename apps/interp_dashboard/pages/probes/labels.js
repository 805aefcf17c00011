// The path of a file of labels.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  interp.draw.labels = (el) => {
    const { source, labels } = interp.view;
    if (source !== "file") {
      el.replaceChildren();
      return;
    }
    const field = h("input.group-field.wide", {
      type: "text",
      value: labels,
      placeholder: "labels.jsonl or labels.csv: text, label",
      "aria-label": "File with labels",
      "data-labels": "path",
    });
    field.addEventListener("change", () => interp.update({ labels: field.value.trim() }));
    interp.fill(el, field);
  };
})();
