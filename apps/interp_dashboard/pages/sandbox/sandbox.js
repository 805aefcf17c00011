// Sandbox: which training, the slider over its steps, and the step's model on every page.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const PACE = 500; // ms a step while it plays
  const SOON = 60; // ms after the slider's last move
  const trainings = () => interp.model.trainings;
  const current = () => trainings().find(({ name }) => name === interp.view.trained);
  const options = (names, on, field, change) =>
    interp.choice(
      field,
      names.map((name) => [
        name || "none",
        name === on,
        { "data-training": `${field} ${name}`, onclick: change(name) },
      ]),
    );

  let playing = null;
  let waiting = null;
  const to = (index) => {
    const { steps } = current();
    interp.update({ after: steps[interp.clamp(index, steps.length - 1)] });
  };
  const place = () => Math.max(0, current().steps.indexOf(interp.view.after));
  const stop = () => {
    clearInterval(playing);
    playing = null;
  };
  // One step after another, each once it is drawn; from the first one if the last is shown
  const play = () => {
    if (place() === current().steps.length - 1) to(0);
    playing = setInterval(() => {
      if (interp.view.page !== "sandbox" || !current()) stop();
      else if (interp.settled()) {
        to(place() + 1);
        if (place() === current().steps.length - 1) stop();
      }
      interp.redraw(".drawn-training");
    }, PACE);
  };
  const turn = () => {
    if (playing) stop();
    else play();
    interp.redraw(".drawn-training");
  };

  const build = (el) => {
    const slider = h("input.slider", { type: "range", min: "0", step: "1", "aria-label": "Step of the training" });
    slider.addEventListener("input", () => {
      stop();
      clearTimeout(waiting);
      waiting = setTimeout(() => to(Number(slider.value)), SOON);
    });
    const number = h("output.slider-value", { "data-value": "step" });
    const [choices, acts, note] = [h("div"), h("div.group-row"), h("p.note")];
    interp.fill(el, choices, h("label.slider-row", h("span", "step"), slider, number), acts, note);
    return { slider, number, choices, acts, note };
  };
  interp.draw.training = (el) => {
    const now = current();
    if (!now) {
      interp.fill(el, h("p.note", "Nothing has been trained yet: interp train toy TASK trains one."));
      return;
    }
    el.parts ||= build(el);
    const { slider, number, choices, acts, note } = el.parts;
    const step = now.steps[place()];
    slider.max = String(now.steps.length - 1);
    if (document.activeElement !== slider) slider.value = String(place());
    number.textContent = step.toLocaleString("en");
    note.textContent = `${now.summary} · ${now.steps.length} steps are kept`;
    const choose = (name) => () => {
      stop();
      interp.update({
        trained: name,
        after: trainings()
          .find((each) => each.name === name)
          .steps.at(-1),
      });
    };
    const names = trainings().map(({ name }) => name);
    interp.fill(choices, options(names, now.name, "Training", choose));
    // Its question is one of the training's own test inputs; the page stays where it is
    const open = () => {
      const question = { clean: now.example, corrupted: "", answer: "", contrast: "" };
      const link = new URLSearchParams({ page: "sandbox", trained: now.name, after: step, ...question });
      interp.loadModel(`${now.name}@${step}`, `${window.location.pathname}?${link}`);
    };
    interp.fill(
      acts,
      interp.act(playing ? "Pause" : "Play", turn, { "data-act": "play" }),
      now.tokens && interp.act("Open this step on all pages", open, { "data-act": "open-step" }),
    );
  };

  interp.draw.secondtraining = (el) => {
    const names = trainings().filter(({ tokens }) => tokens);
    const choose = (name) => () => interp.update({ second: name });
    interp.fill(
      el,
      h("span.note", "Beside it: "),
      options(["", ...names.map(({ name }) => name)], interp.view.second, "Beside it", choose),
    );
  };
})();
