// Panels: what is going on in each, and what it measures.
(() => {
  "use strict";
  const interp = window.interp;
  const set = (el, text) => {
    if (el.textContent !== text) el.textContent = text;
  };

  // What is going on with a content: its state, what is said of it, and how far its work is
  interp.stateOf = (slot) => {
    const { wanted, works, errors, failures, held, jobs } = interp.status;
    const again = () => interp.again(interp.status.failures[slot]);
    const approve = () => interp.approve(interp.status.works[slot]);
    if (errors[slot]) return ["error", [`${errors[slot]} `, failures[slot] && interp.act("Try again", again)]];
    if (held[slot]) return ["held", [`${held[slot]} `, interp.act("Run it", approve)]];
    if (!wanted[slot]) return ["empty", []];
    if (interp.fresh(slot)) return ["ready", []];
    const job = jobs.find(({ work }) => works[slot].includes(work));
    return ["working", [job ? `${job.label} …` : "…"], job?.total ? ` ${job.done} of ${job.total}` : ""];
  };

  interp.panels = () => {
    const visible = Array.from(document.querySelectorAll("[data-panel]")).filter(
      (panel) => panel.offsetParent !== null,
    );
    for (const panel of visible) {
      const part = (name) => panel.querySelector(`:scope > ${name}`);
      const slot = interp.contentOf(panel.dataset.panel);
      const [state, content, counted = ""] = interp.stateOf(slot);
      panel.dataset.state = state;
      const line = part(".panel-status");
      const words = state === "empty" ? [panel.dataset.hint || ""] : content;
      const said = [slot, ...words.map((word) => word?.textContent ?? word)].join();
      if (line.drawnText !== said) {
        line.drawnText = said;
        interp.fill(line, words);
      }
      // Counts stand beside the live region: they would be read out four times a second
      set(part(".panel-count"), counted);
      const payload = interp.fresh(slot);
      const measured = payload && [payload.measured, payload.sign, ...(payload.notes || [])];
      set(part(".panel-foot > .measured"), measured ? panel.dataset.measured || interp.dotted(...measured) : "");
    }
  };
})();
