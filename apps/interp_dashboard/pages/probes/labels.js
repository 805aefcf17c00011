// The path of a file of labels, and the button that takes a probe's direction to the page Ablate.
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

  interp.show("probedirection", (el) => {
    const take = async () => {
      const answer = await interp.post("/_probes/direction", interp.view);
      if (answer.error) return interp.say(answer.error);
      const nodes = [...new Set([...interp.view.nodes, answer.node])];
      return interp.update({ nodes, page: "ablate" });
    };
    interp.fill(el, interp.act("Ablate this direction", take, { "data-act": "ablate-direction" }));
  });
})();
