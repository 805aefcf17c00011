// Panels: the longer text, the status, what is measured, and the exports; built when a panel is first visible.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  // A content's status: its state, the message for it, and the progress of its work
  interp.stateOf = (slot) => {
    const status = interp.slotStatus(slot);
    if (!status) return ["working", [interp.server === "there" ? "…" : "Waits for the server."]];
    const { key, works, error, failures, held, more } = status;
    const again = () => interp.again(failures);
    const approve = () => interp.approve(works);
    if (error) return ["error", [`${error} `, failures && interp.act("Try again", again)]];
    if (held) return ["held", [`${held} `, interp.act("Run it", approve)]];
    if (!key) return ["empty", []];
    const job = interp.status.jobs.find(({ work }) => works.includes(work));
    const rest = more && !job ? [`${more} `, interp.act("Run the rest", approve)] : [];
    if (interp.fresh(slot)) return ["ready", rest];
    return ["working", [job ? `${job.label} …` : "…"], job?.total ? ` ${job.done} of ${job.total}` : ""];
  };

  // How often engines are right where the truth is known, beside their names; a click shows where that is from
  interp.scores = (names) =>
    names
      .filter((name) => interp.model.scores[name])
      .map((name) => {
        const score = interp.model.scores[name];
        const onclick = () => interp.update({ page: "evidence", finds: score.split(":")[0], known: "" });
        return h(
          "button.score",
          { onclick, title: "On models of known truth; see Evidence" },
          `${name} finds ${score}`,
        );
      });

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
    const scores = h("div.scores");
    const exports = Object.entries(JSON.parse(files)).map(row);
    const unedited = h("p.unedited");
    if (slot) {
      panel.querySelector(".sentence").after(unedited);
      panel.append(line, count, h("div.panel-foot", h("div.about", measured, scores), exports));
    }
    return { line, count, measured, scores, unedited, body: panel.querySelector(".panel-body") };
  };
  const set = (el, text) => {
    if (el.textContent !== text) el.textContent = text;
  };
  const show = (panel, errors) => {
    const { line, count, measured, scores, unedited, body } = panel.parts;
    const slot = interp.contentOf(panel.dataset.panel);
    const [state, content, progress = ""] = interp.stateOf(slot);
    // What comes in a moment takes the place of what goes, so that nothing below it moves
    if (state !== "working") body.style.minHeight = "";
    else if (panel.dataset.state === "ready") body.style.minHeight = `${body.offsetHeight}px`;
    panel.dataset.state = state;
    // An error shared by several panels is shown by the first
    const error = state === "error" && interp.slotStatus(slot).error;
    const repeated = errors.has(error);
    if (error) errors.add(error);
    const words =
      state === "empty" ? [panel.dataset.hint || ""] : repeated ? ["Not shown, for the same reason."] : content;
    line.classList.toggle("repeated", repeated);
    const text = [slot, ...words.map((word) => word?.textContent ?? word)].join();
    if (line.drawnText !== text) interp.fill(line, words);
    line.drawnText = text;
    set(count, progress);
    const payload = interp.fresh(slot);
    const own = payload && interp.dotted(payload.measured, payload.sign, ...(payload.notes || []));
    set(measured, payload ? panel.dataset.measured || interp.visible(own) : "");
    const engines = payload?.engines || [];
    if (scores.dataset.of !== engines.join()) interp.fill(scores, interp.scores(engines));
    scores.dataset.of = engines.join();
    const { nodes } = interp.view;
    const bare = payload && nodes.length > 0 && !interp.slotStatus(slot).edited;
    set(unedited, bare ? "Of the model as it is, without the edits in force." : "");
  };
  interp.panels = () => {
    const visible = Array.from(document.querySelectorAll(".panel")).filter(({ offsetParent }) => offsetParent !== null);
    const errors = new Set();
    for (const panel of visible) {
      panel.parts ||= build(panel);
      if (panel.dataset.panel) show(panel, errors);
    }
  };
})();
