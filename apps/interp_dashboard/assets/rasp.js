// A program written in RASP, in the list of models: the server compiles it, and evaluates nothing of it as Python.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  let program = null; // what is written
  let open = false;
  let error = "";
  let process = ""; // of the model that it becomes

  const field = (kind, name, words, attributes, of) => [
    h("label", { for: `rasp-${name}` }, words),
    h(`${kind}.pick`, {
      id: `rasp-${name}`,
      spellcheck: "false",
      autocomplete: "off",
      oninput: ({ target }) => {
        program[name] = of(target);
      },
      ...attributes,
    }),
  ];
  const text = ({ value }) => value;
  const whole = ({ valueAsNumber }) => Math.round(valueAsNumber) || 0;
  const fields = (compile) => {
    const [label, source] = field("textarea", "source", "Program", { rows: "6", maxlength: "10000" }, text);
    source.value = program.source;
    const numbers = { type: "number", min: "1", max: "10", value: program.longest };
    const [causal, box] = field(
      "input",
      "causal",
      "sees only earlier positions",
      { type: "checkbox", checked: program.causal },
      ({ checked }) => checked,
    );
    return [
      label,
      source,
      h(
        "div.model-form",
        field("input", "vocabulary", "tokens", { value: program.vocabulary }, text),
        field("input", "longest", "longest input", numbers, whole),
        h("span.model-form", box, causal),
        interp.act("Compile", compile, { "data-act": "compile" }),
      ),
    ];
  };
  interp.rasp = {
    // `begin` compiles a program, and tells the process of its model, or why there is none
    box: ({ obstacle, example }, begin) => {
      program ||= { ...example };
      const problem = h("p.problem", { id: "rasp-problem", role: "alert" }, error);
      const compile = async () => {
        error = "";
        interp.fill(problem);
        ({ error = "", process = "" } = await begin(program));
        interp.fill(problem, error);
      };
      const box = h(
        "details.rasp",
        { open },
        h("summary", "Write a program in RASP"),
        h("p.note", "It becomes a model whose circuit is known: its largest logit is what the last statement gives."),
        obstacle ? h("p.problem", obstacle) : fields(compile),
        problem,
      );
      box.addEventListener("toggle", () => {
        ({ open } = box);
      });
      return box;
    },
    // Whether it was this program that did not compile: its box then says why
    failed: (failed, why) => {
      if (failed !== process) return false;
      [open, error, process] = [true, why, ""];
      return true;
    },
  };
})();
