// Whether the server is there: polled every other second, and with every request. Stale content is greyed out.
(() => {
  "use strict";
  const interp = window.interp;
  const EVERY = 2000;
  const AGAIN = 1000; // while nobody answers
  const SOON = 400; // while a model is being loaded
  const PATIENCE = 5000;
  const SHOWN = 5000; // how long it is said that all is well again
  interp.server = "there";
  document.documentElement.dataset.server = "there";
  let lastAnswer = Date.now();
  let polling = false;
  let timer = null;
  let busy = false; // a model is being loaded

  const banner = (state, ...words) => {
    interp.server = state;
    document.documentElement.dataset.server = state;
    document.querySelectorAll(".question, .body").forEach((part) => {
      part.inert = state === "other";
    });
    interp.fill(document.getElementById("server"), words);
    interp.redraw(".drawn-jobs");
  };
  const gone = () => {
    if (interp.server === "gone") return;
    const since = new Date(lastAnswer).toLocaleTimeString();
    banner("gone", `The server does not answer. What you see is from ${since}. Trying again every second …`);
  };
  const other = (name) => {
    if (interp.server === "other") return;
    const go = () => window.location.assign(interp.questionLink());
    const load = interp.act(`Ask this question of ${name}`, go, { "data-act": "reload" });
    const before = interp.model.identity.name;
    banner("other", `The server now runs ${name}, not ${before}. What you see is of ${before}. `, load);
  };
  const back = (words) => {
    banner("there", words);
    setTimeout(() => interp.server === "there" && banner("there"), SHOWN);
    interp.request();
  };
  const hear = ({ process, name, model, weights, loading }) => {
    const current = interp.model.identity;
    busy = Boolean(loading) && !loading.error;
    interp.showLoading(loading);
    if (process === interp.arrival?.process) {
      window.location.assign(interp.arrival.link);
      return;
    }
    if (process === current.process) {
      interp.model.identity = { ...current, weights };
      if (interp.server !== "there") back("The server answers again.");
      return;
    }
    if (name !== current.name) other(name);
    else if (weights === null) gone(); // it has not read them yet
    else if (current.weights !== null && weights !== current.weights) other(`another ${name}`);
    else {
      interp.model.identity = { process, name, model, weights };
      back("The server was started again with the same model; this page goes on.");
    }
  };
  const ask = async () => {
    try {
      const answer = await fetch("/_alive", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (!answer.ok) throw new Error(answer.status);
      hear(await answer.json());
      lastAnswer = Date.now();
    } catch {
      gone();
    }
  };
  interp.beat = async (now) => {
    if (polling || (!now && interp.server === "there" && Date.now() - lastAnswer < AGAIN / 4)) return;
    polling = true;
    clearTimeout(timer);
    await ask();
    polling = false;
    timer = setTimeout(interp.beat, busy ? SOON : interp.server === "there" ? EVERY : AGAIN);
  };
})();
