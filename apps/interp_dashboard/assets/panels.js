// Panels: the longer text, what is going on in each, what it measures, and the exports; built when one is first seen.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

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

  const build = (panel) => {
    const { title, more, panel: slot, files = "{}" } = panel.dataset;
    const question = h("summary", { "aria-label": `What is ${title}?` }, "?");
    if (more) panel.querySelector(".panel-title").append(h("details.help", question, h("p.more", more)));
    const button =
      (content, of) =>
      ([kind, words]) =>
        h("button.quiet", { "data-export": kind, "data-slot": content, "aria-label": `${words}: ${of}` }, words);
    const row = ([content, { of, kinds }]) =>
      h("div.exports", of && h("span", of), Object.entries(kinds).map(button(content, of || title)));
    // Counts stand beside the live region: they would be read out four times a second
    const [line, count, measured] = [h("div.panel-status", { role: "status" }), h("div.panel-count"), h("p.measured")];
    const exports = Object.entries(JSON.parse(files)).map(row);
    if (slot) panel.append(line, count, h("div.panel-foot", measured, exports));
    return { line, count, measured };
  };
  const set = (el, text) => {
    if (el.textContent !== text) el.textContent = text;
  };
  const show = (panel) => {
    const { line, count, measured } = panel.parts;
    const slot = interp.contentOf(panel.dataset.panel);
    const [state, content, counted = ""] = interp.stateOf(slot);
    panel.dataset.state = state;
    const words = state === "empty" ? [panel.dataset.hint || ""] : content;
    const said = [slot, ...words.map((word) => word?.textContent ?? word)].join();
    if (line.drawnText !== said) interp.fill(line, words);
    line.drawnText = said;
    set(count, counted);
    const payload = interp.fresh(slot);
    const own = payload && interp.dotted(payload.measured, payload.sign, ...(payload.notes || []));
    set(measured, payload ? panel.dataset.measured || own : "");
  };
  interp.panels = () => {
    const visible = Array.from(document.querySelectorAll(".panel")).filter(({ offsetParent }) => offsetParent !== null);
    for (const panel of visible) {
      panel.parts ||= build(panel);
      if (panel.dataset.panel) show(panel);
    }
  };
})();
