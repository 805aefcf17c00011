// The browser's side: one view, the answers received, and the loop that redraws what is visible.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const NOTHING = { wanted: {}, works: {}, errors: {}, failures: {}, held: {}, more: {}, edited: [], jobs: [] };
  const QUESTION = ["clean", "corrupted", "answer", "contrast"];
  Object.assign(interp, { view: null, prompt: null, data: {}, status: NOTHING, model: null });
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  interp.set = set;
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const withToggle = (list, entry) =>
    list.includes(entry) ? list.filter((other) => other !== entry) : [...list, entry];

  // The view. Only the browser writes it; the address bar and the server follow.
  const address = (view) => {
    const query = new URLSearchParams({ model: interp.model.identity.model });
    for (const [name, value] of Object.entries(view)) {
      if (value === null || same(value, interp.model.defaults[name])) continue;
      query.set(name, Array.isArray(value) ? value.join(",") : value);
    }
    return `${window.location.pathname}?${query}`;
  };
  const choices = { stopped: [], approved: [], again: [] };
  const choose = (to, from, works) => {
    choices[from] = choices[from].filter((work) => !works.includes(work));
    choices[to].push(...works);
    interp.request();
  };
  interp.again = (failures) => choose("again", "again", failures);
  interp.approve = (works) => choose("approved", "stopped", works);
  interp.stop = (works) => choose("stopped", "approved", works);
  const have = () => Object.fromEntries(Object.entries(interp.data).map(([name, { key }]) => [name, key]));
  const here = () => ({ search: window.location.search, process: interp.model.identity.process });
  // Sent to the server with every request
  interp.asking = () => ({
    view: interp.view,
    theme: interp.theme(),
    process: interp.model.identity.process,
    n: performance.now(),
  });
  interp.request = () => {
    set("request", { data: { ...interp.asking(), have: have(), choices: { ...choices } } });
    interp.beat();
    waits();
  };
  // The screen is dimmed if the answer to a new view does not arrive within a moment
  const BEHIND = 300;
  let dimming = null;
  const waits = () => {
    dimming ||= setTimeout(() => (document.documentElement.dataset.behind = ""), BEHIND);
  };
  const caughtUp = () => {
    clearTimeout(dimming);
    dimming = null;
    delete document.documentElement.dataset.behind;
  };
  // The browser first draws what it can by itself, then asks the server; quick changes become one request
  let sending = false;
  const send = () => {
    if (sending) return;
    sending = true;
    let sent = false;
    const go = () => {
      if (!sent) {
        sent = true;
        sending = false;
        interp.request();
      }
    };
    requestAnimationFrame(() => setTimeout(go, 0));
    setTimeout(go, 400); // a page that is not painted gets no frame
  };
  const asNow = ({ view, theme }) =>
    theme === interp.theme() && Object.keys(view).every((name) => same(view[name], interp.view[name]));
  // The delivery is for an older view, and no newer one is on its way: ask again
  const catchUp = (status) => {
    if (status.view && !status.pending && !asNow(status))
      setTimeout(() => {
        if (!asNow(interp.status)) send();
      }, 600);
  };
  interp.update = (change) => {
    interp.remember(change);
    interp.turnTo(change);
  };
  interp.turnTo = (change) => {
    const view = { ...interp.view, ...change };
    if (same(view, interp.view)) return;
    interp.view = view;
    const step = change.page !== undefined || change.clean !== undefined;
    window.history[step ? "pushState" : "replaceState"](null, "", address(view));
    if (change.page !== undefined) window.scrollTo(0, 0);
    interp.render();
    send();
  };
  // Whether everything that the view asks for has arrived and is drawn
  let drawing = 0;
  interp.settled = () =>
    Boolean(interp.status.view) && !interp.status.pending && asNow(interp.status) && !queued && !drawing;
  // Each slot's last status from the server: the view it is for, the key of what to show, and its state
  const slots = {};
  const listen = (status) => {
    const { wanted, works, errors, failures, held, more, edited, view } = status;
    for (const [slot, key] of Object.entries(wanted))
      slots[slot] = {
        key,
        view,
        works: works[slot] || [],
        error: errors[slot],
        failures: failures[slot],
        held: held[slot],
        more: more?.[slot],
        edited: edited.includes(slot),
      };
  };
  const holds = (slot, fields) =>
    slots[slot] && fields.every((name) => same(slots[slot].view[name], interp.view[name]));
  interp.slotStatus = (slot) => (holds(slot, QUESTION) ? slots[slot] : undefined);
  // The one way to what a slot shows: the payload whose key the server wants there, for the question on the screen and
  // for the other fields of the view that are named. What is shown, copied and saved of an answer comes from here.
  interp.fresh = (slot, fields = []) => {
    const payload = interp.data[slot];
    return payload && holds(slot, [...QUESTION, ...fields]) && payload.key === slots[slot].key ? payload : undefined;
  };
  // ... and for the whole view, which is what is copied and saved
  interp.exact = (slot) =>
    interp.fresh(
      slot,
      Object.keys(interp.view).filter((name) => name !== "page"),
    );
  interp.select = (layer, head) => interp.update({ layer, head, key: null });
  interp.toggle = (field, entry, more) => interp.update({ [field]: withToggle(interp.view[field], entry), ...more });

  // Redrawing: whatever is visible and whose inputs have changed
  const signatures = () => {
    const keys = Object.entries(interp.data).map(([name, { key }]) => `${name}:${key}`);
    const { wanted, view } = interp.status;
    const question = view && QUESTION.map((name) => view[name]);
    const common = JSON.stringify([keys, interp.view, interp.theme(), wanted, question]);
    return (el) => [common, el.clientWidth, el.dataset.follows ? JSON.stringify(interp.status) : ""].join("|");
  };
  // A redrawn button keeps the keyboard's focus
  const focus = (el) => {
    const active = document.activeElement;
    if (!active || active === el || !el.contains(active)) return null;
    const marks = Array.from(active.attributes).filter(({ name }) => name.startsWith("data-"));
    return marks.length ? marks.map(({ name, value }) => `[${name}="${CSS.escape(value)}"]`).join("") : null;
  };
  // ... and a list stays where it was scrolled to, unless the drawing has moved it
  const keepScroll = (el) => {
    const boxes = () => Array.from(el.querySelectorAll(".scroll"));
    const before = boxes().map((box) => [box.scrollTop, box.scrollLeft]);
    return () =>
      boxes().forEach((box, i) => {
        if (before[i] && !box.moved) [box.scrollTop, box.scrollLeft] = before[i];
        box.moved = false;
      });
  };
  // What a place draws: the content's payload, or what a page's script uses instead
  interp.contentOf = (slot) => (interp.instead[slot] ? interp.instead[slot]() : slot);
  interp.payloadOf = (slot) => (interp.payloads[slot] ? interp.payloads[slot]() : interp.fresh(interp.contentOf(slot)));
  let queued = false;
  const redraw = () => {
    queued = false;
    if (!interp.view || !interp.model) return;
    document.querySelectorAll("[data-page]").forEach((page) => {
      page.hidden = page.dataset.page !== interp.view.page;
    });
    // What is there for some models only
    document.querySelectorAll("[data-only]").forEach((place) => {
      place.hidden = !interp.model.known.includes(place.dataset.only);
    });
    document.querySelectorAll("[data-set]").forEach((button) => {
      const on = String(interp.view[button.dataset.set]) === button.dataset.value;
      if (button.dataset.set === "page") button.setAttribute("aria-current", on ? "page" : "false");
      else button.setAttribute("aria-pressed", String(on));
      if (button.dataset.needs) button.disabled = !interp.view[button.dataset.needs];
    });
    document.getElementById("undo").disabled = !interp.steps();
    interp.panels();
    // All that has to be measured is measured before anything is drawn: the browser lays the page out once
    const signature = signatures();
    const stale = Array.from(document.querySelectorAll("[data-draw]")).filter((el) => {
      const before = el.drawnFor;
      if (el.offsetParent !== null) el.drawnFor = signature(el);
      return el.drawnFor !== before;
    });
    for (const el of stale) {
      const selector = focus(el);
      const back = keepScroll(el);
      const result = interp.draw[el.dataset.draw](el, interp.payloadOf(el.dataset.slot));
      // Figures take their time
      if (result instanceof Promise) {
        drawing++;
        result.finally(() => drawing--);
      }
      back();
      if (selector) el.querySelector(selector)?.focus({ preventScroll: true });
    }
  };
  interp.redraw = (places) => {
    document.querySelectorAll(places).forEach((el) => {
      el.drawnFor = null;
    });
    interp.render();
  };
  interp.render = () => {
    if (!queued) {
      queued = true;
      requestAnimationFrame(redraw);
    }
  };
  window.addEventListener("resize", interp.render);

  // A line about the form, with what would mend it
  const tell = (id, { text, offers = [], calm = false, switch: other }) => {
    const line = document.getElementById(id);
    if (!line) return;
    const offer = ([field, word]) => {
      const use = () => {
        set(`field-${field}`, { value: word });
        interp.form(true);
        interp.say(`${field} is now ${interp.quoted(word)}; press Run`);
      };
      return [" ", interp.act(`use ${interp.quoted(word)}`, use, { type: "button", "data-offer": word })];
    };
    const dismiss = h(
      "button.quiet",
      { type: "button", "aria-label": "Dismiss", onclick: () => line.replaceChildren() },
      "✕",
    );
    line.classList.toggle("calm", calm);
    const { link } = interp;
    const load =
      other && interp.act(`Switch to ${other}`, () => interp.offerModel(other, link), { "data-act": "switch" });
    interp.fill(line, text, load, offers.map(offer), text && id === "notice" && [" ", dismiss]);
  };

  // Callbacks of the application
  let ticking = 0;
  Object.assign(interp.callbacks, {
    open: (model, tab) => {
      interp.model = model;
      window.addEventListener("pagehide", () => navigator.sendBeacon("/_left", tab));
      interp.beat();
      interp.setTheme(interp.firstTheme, false);
      window.addEventListener("popstate", () => set("address", { data: { ...here(), n: performance.now() } }));
      return { ...here(), n: 0 };
    },
    accept: (question) => {
      if (!question) return;
      interp.prompt = question.prompt;
      if (question.opened) {
        interp.view = question.view;
        interp.link = window.location.search;
        window.history.replaceState(null, "", address(interp.view));
        interp.request();
      } else interp.turnTo(question.view);
      interp.render();
    },
    receive: (delivery) => {
      if (!delivery) return;
      Object.assign(interp.data, delivery.payloads);
      interp.status = delivery.status;
      listen(interp.status);
      choices.again = [];
      if (asNow(interp.status)) caughtUp();
      catchUp(interp.status);
      const effects = interp.fresh("effects");
      if (interp.view.layer === null && effects) {
        const [layer, head] = interp.ranked(effects.values)[0];
        interp.select(layer, head);
      }
      clearTimeout(ticking);
      // Quick work is back within a moment; long work is looked after four times a second
      const { jobs, pending } = interp.status;
      const quick = jobs.every((job) => job.total === 0);
      if (pending || jobs.length) ticking = setTimeout(interp.request, pending && quick ? 40 : 250);
      interp.render();
    },
    notice: (notice) => {
      if (!notice) return;
      tell("notice", notice);
      if (notice.form !== undefined) interp.form(notice.form);
    },
    hint: (hint) => hint && tell("hint", hint),
  });
  // A field of one line shows no line break, and a space at its end is not seen
  interp.callbacks.echo = (text) => (text ? `“${interp.visible(text).replaceAll(" ", "␣")}”` : "\u00a0");
  interp.form = (open) => {
    const form = document.getElementById("form");
    const was = !form.classList.contains("closed");
    form.classList.toggle("closed", !open);
    interp.render();
    if (open && !was) {
      const field = document.getElementById("field-clean");
      if (field && !document.getElementById("notice").textContent) field.focus();
    }
  };
  interp.ranked = (values) =>
    values
      .flatMap((row, layer) => row.map((value, head) => [layer, head, value]))
      .filter(([, , value]) => value !== null)
      .toSorted((a, b) => Math.abs(b[2]) - Math.abs(a[2]));
  (window.dash_clientside = window.dash_clientside || {}).interp = interp.callbacks;

  // One listener for every button that the server laid out
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button || !interp.view) return;
    if (button.dataset.set) interp.update({ [button.dataset.set]: button.dataset.value });
    if (button.dataset.export) interp.export(button);
    if (button.id === "toggle-theme") interp.setTheme(interp.theme() === "dark" ? "light" : "dark");
    if (button.id === "copy-link") interp.copy(window.location.href, "Link copied");
    if (button.id === "undo") interp.undo();
    if (button.id === "close-form") interp.form(false);
  });
  // The longer texts close on a click elsewhere and on Escape
  const closeHelp = (but) =>
    document.querySelectorAll("details.help[open]").forEach((d) => {
      if (d !== but) d.open = false;
    });
  document.addEventListener("click", (event) => closeHelp(event.target.closest("details.help")));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeHelp(null);
  });
  // Ctrl+Enter asks, Escape closes the form and leaves the question as it was
  document.addEventListener("keydown", (event) => {
    const form = document.getElementById("form");
    if (!form?.contains(event.target)) return;
    const run = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (run) setTimeout(() => document.getElementById("run").click(), 0); // what was typed last comes first
    else if (event.key !== "Escape") return;
    else {
      QUESTION.forEach((name) => set(`field-${name}`, { value: interp.view[name] }));
      interp.form(false);
      document.getElementById("edit-question").focus();
    }
    event.preventDefault();
  });
  document.addEventListener("submit", (event) => event.preventDefault());

  interp.setTheme = (name, keep = true) => {
    document.documentElement.dataset.mantineColorScheme = name;
    if (keep)
      try {
        localStorage.setItem("interp-theme", name);
      } catch {
        /* private windows keep none */
      }
    set("mantine", { forceColorScheme: name });
    if (interp.view) send(); // figures are drawn anew in the other look
    setTimeout(interp.render, 0);
  };
  let preference = null;
  try {
    preference = localStorage.getItem("interp-theme");
  } catch {
    /* as above */
  }
  interp.firstTheme = preference || (window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.mantineColorScheme = interp.firstTheme;
})();
