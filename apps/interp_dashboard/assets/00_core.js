// The browser's side: one view, the answers received, and the loop that redraws what is visible.
(() => {
  "use strict";
  // What pages' scripts add. draw: how places are filled, by name. payloads: what is drawn instead of a content's own
  // payload. instead: which content stands in for another. facts: what a page adds to the inspector.
  const interp = (window.interp = {
    draw: {},
    payloads: {},
    instead: {},
    facts: [],
    view: null,
    prompt: null,
    data: {},
    status: {},
    model: null,
    callbacks: {},
  });
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  interp.set = set;

  // Elements. Text is always set as text: a prompt may contain markup.
  interp.h = (tag, attributes, ...children) => {
    const svg = ["svg", "path", "line", "circle", "rect", "text", "g"].includes(tag);
    const el = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "onclick") el.addEventListener("click", value);
      else if (name === "style") el.style.cssText = value;
      else el.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat(3))
      if (child !== null && child !== undefined && child !== false) el.append(child);
    return el;
  };

  const MARKS = { "\n": "⏎", "\t": "⇥", "\r": "␍" };
  interp.visible = (token) => {
    if (/^ +$/.test(token)) return "␣".repeat(token.length);
    return token.replace(/[\n\t\r]/g, (c) => MARKS[c]);
  };
  interp.shortToken = (token, most) => {
    const text = interp.visible(token).trim() || interp.visible(token);
    return text.length > most ? `${text.slice(0, most - 1)}…` : text;
  };
  interp.quoted = (token) => `“${interp.visible(token)}”`;
  interp.signed = (value, digits = 2) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    const text = Math.abs(value).toFixed(digits);
    return (Number(text) === 0 ? "" : value < 0 ? "−" : "+") + text;
  };
  interp.percent = (p) =>
    p >= 0.0995 ? `${(100 * p).toFixed(0)}\u00a0%` : p >= 0.001 ? `${(100 * p).toFixed(1)}\u00a0%` : "<0.1\u00a0%";
  // Densities of rare features differ by orders of magnitude: two digits of each
  interp.density = (p) => `${Number((100 * p).toPrecision(2))}\u00a0%`;

  // The view. Only the browser writes it; the address bar and the server follow.
  const address = (view) => {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(view)) {
      const standard = interp.model.defaults[name];
      if (value === null || JSON.stringify(value) === JSON.stringify(standard)) continue;
      query.set(name, Array.isArray(value) ? value.join(",") : value);
    }
    const text = query.toString();
    return window.location.pathname + (text ? `?${text}` : "");
  };
  const choices = { stopped: [], approved: [], again: [] };
  const have = () => Object.fromEntries(Object.entries(interp.data).map(([name, { key }]) => [name, key]));
  interp.request = () =>
    set("request", {
      data: { view: interp.view, theme: interp.theme(), have: have(), choices: { ...choices }, n: performance.now() },
    });
  // What the browser can draw by itself is on the screen before the server is asked; quick changes are asked as one
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
    theme === interp.theme() &&
    Object.keys(view).every((name) => JSON.stringify(view[name]) === JSON.stringify(interp.view[name]));
  // What came back was asked before the view last changed, and nothing newer is on its way: ask again
  const catchUp = (status) => {
    if (status.view && !status.pending && !asNow(status))
      setTimeout(() => {
        if (!asNow(interp.status)) send();
      }, 600);
  };
  interp.update = (change) => {
    const before = interp.view;
    const view = { ...before, ...change };
    if (JSON.stringify(view) === JSON.stringify(before)) return;
    interp.view = view;
    const step = change.page !== undefined || change.clean !== undefined;
    window.history[step ? "pushState" : "replaceState"](null, "", address(view));
    interp.render();
    send();
  };
  // Whether everything that the view asks for has arrived and is drawn
  let drawing = 0;
  interp.settled = () =>
    Boolean(interp.status.view) && !interp.status.pending && asNow(interp.status) && !queued && !drawing;
  // Whether what a slot holds answers what these fields of the view ask now
  interp.current = (slot, fields) => {
    const { view, wanted = {} } = interp.status;
    const same = (name) => JSON.stringify(view[name]) === JSON.stringify(interp.view[name]);
    return Boolean(view && interp.data[slot] && interp.data[slot].key === wanted[slot] && fields.every(same));
  };
  interp.nodeName = (node) => node.replace(/^a/, "").replace(/^m/, "MLP ");
  interp.select = (layer, head) => interp.update({ layer, head, key: null });
  interp.toggle = (node) => {
    const nodes = interp.view.nodes.includes(node)
      ? interp.view.nodes.filter((n) => n !== node)
      : [...interp.view.nodes, node];
    interp.update({ nodes });
  };

  // Colours
  interp.theme = () => (document.documentElement.dataset.mantineColorScheme === "dark" ? "dark" : "light");
  interp.css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const ramps = {};
  interp.ramp = (kind) => {
    const name = `${interp.theme()} ${kind}`;
    if (ramps[name]) return ramps[name];
    const stops = interp.model.themes[interp.theme()][kind].map(channels);
    ramps[name] = Array.from({ length: 256 }, (_, i) => {
      const at = (i / 255) * (stops.length - 1);
      const low = Math.min(Math.floor(at), stops.length - 2);
      return stops[low].map((c, j) => Math.round(c + (stops[low + 1][j] - c) * (at - low)));
    });
    return ramps[name];
  };
  interp.rgb = (kind, t) => {
    const [r, g, b] = interp.ramp(kind)[Math.max(0, Math.min(255, Math.round(t * 255)))];
    return `rgb(${r},${g},${b})`;
  };
  // Black or white, whichever is read better: at least 4.58 : 1 on any colour (WCAG 2.2, relative luminance)
  interp.inkOn = (kind, t) => {
    const linear = (c) => (c <= 10 ? c / 3294 : ((c / 255 + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = interp.ramp(kind)[Math.max(0, Math.min(255, Math.round(t * 255)))].map(linear);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
  };

  // A canvas as wide as asked, sharp on dense screens
  interp.canvas = (el, width, height) => {
    const ratio = window.devicePixelRatio || 1;
    const w = Math.round(width * ratio);
    const h = Math.round(height * ratio);
    if (el.width !== w || el.height !== h) Object.assign(el, { width: w, height: h });
    el.style.width = `${width}px`;
    el.style.height = `${height}px`;
    const pen = el.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    return pen;
  };
  interp.bytes = (text, Kind) => {
    const raw = atob(text);
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return new Kind(bytes.buffer);
  };
  // Signed values are coloured by the root of their size, so that the many small ones show beside a large one; the
  // legend's bar runs evenly in the value itself.
  interp.bySign = (value, limit) => 0.5 + (Math.sign(value) * Math.sqrt(Math.abs(value) / limit)) / 2;
  interp.legend = (kind, low, high, middle) => {
    const stops = Array.from({ length: 33 }, (_, i) =>
      interp.rgb(kind, middle ? interp.bySign(i / 16 - 1, 1) : i / 32),
    );
    return interp.h(
      "div",
      { class: "legend" },
      interp.h("span", {}, low),
      interp.h(
        "span",
        { class: "legend-bar", style: `background:linear-gradient(90deg,${stops.join(",")})` },
        middle ? interp.h("i", {}) : null,
      ),
      interp.h("span", {}, high),
    );
  };

  // One tooltip for every drawing
  const tip = interp.h("div", { class: "tip", hidden: true });
  interp.tip = (event, lines) => {
    if (!tip.isConnected) document.body.append(tip);
    tip.hidden = !lines;
    if (!lines) return;
    tip.replaceChildren(...lines.map((line) => interp.h("div", {}, line)));
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, window.innerWidth - box.width - 8))}px`;
    tip.style.top = `${event.clientY + 18 + box.height > window.innerHeight ? event.clientY - box.height - 10 : event.clientY + 18}px`;
  };

  // A library that is loaded with its first use
  const loading = {};
  interp.script = (src) => {
    loading[src] ||= new Promise((resolve, reject) => {
      const script = interp.h("script", { src });
      script.addEventListener("load", resolve);
      script.addEventListener("error", () => {
        delete loading[src];
        reject(new Error(`${src} could not be loaded`));
      });
      document.head.append(script);
    });
    return loading[src];
  };

  interp.say = (text) => {
    let line = document.getElementById("said");
    if (!line) document.body.append((line = interp.h("div", { id: "said", role: "status" })));
    line.textContent = text;
    line.classList.add("shown");
    clearTimeout(interp.saying);
    interp.saying = setTimeout(() => line.classList.remove("shown"), 2600);
  };

  // Redrawing: whatever is visible and whose inputs have changed
  const signature = (el) => {
    const slot = el.dataset.slot;
    const keys = Object.entries(interp.data)
      .map(([name, payload]) => `${name}:${payload ? payload.key : ""}`)
      .join();
    const { wanted } = interp.status;
    return [
      slot,
      keys,
      JSON.stringify(interp.view),
      interp.theme(),
      el.clientWidth,
      JSON.stringify(el.dataset.follows ? interp.status : wanted),
    ].join("|");
  };
  // A redrawn button keeps the keyboard's focus
  const focus = (el) => {
    const active = document.activeElement;
    if (!active || active === el || !el.contains(active)) return null;
    const marks = Array.from(active.attributes).filter(({ name }) => name.startsWith("data-"));
    return marks.length ? marks.map(({ name, value }) => `[${name}="${CSS.escape(value)}"]`).join("") : null;
  };
  // ... and a list stays where it was scrolled to
  const scrolled = (el) => {
    const boxes = () => Array.from(el.querySelectorAll(".scroll"));
    const before = boxes().map((box) => [box.scrollTop, box.scrollLeft]);
    return () =>
      boxes().forEach((box, i) => {
        if (before[i]) [box.scrollTop, box.scrollLeft] = before[i];
      });
  };
  // What a place draws: the content's payload, or what a page's script takes in its stead
  interp.contentOf = (slot) => (interp.instead[slot] ? interp.instead[slot]() : slot);
  interp.payloadOf = (slot) => (interp.payloads[slot] ? interp.payloads[slot]() : interp.data[interp.contentOf(slot)]);
  let queued = false;
  const redraw = () => {
    queued = false;
    if (!interp.view || !interp.model) return;
    document.querySelectorAll("[data-page]").forEach((page) => {
      page.hidden = page.dataset.page !== interp.view.page;
    });
    document.querySelectorAll("[data-set]").forEach((button) => {
      const on = String(interp.view[button.dataset.set]) === button.dataset.value;
      if (button.dataset.set === "page") button.setAttribute("aria-current", on ? "page" : "false");
      else button.setAttribute("aria-pressed", String(on));
      if (button.dataset.needs) button.disabled = !interp.view[button.dataset.needs];
    });
    interp.panels();
    document.querySelectorAll("[data-draw]").forEach((el) => {
      if (el.offsetParent === null) return;
      const sign = signature(el);
      if (el.drawnFor === sign) return;
      el.drawnFor = sign;
      const focused = focus(el);
      const back = scrolled(el);
      const drawn = interp.draw[el.dataset.draw](el, interp.payloadOf(el.dataset.slot));
      if (drawn) {
        drawing++;
        drawn.finally(() => {
          drawing--;
        });
      } // figures take their time
      back();
      if (focused) el.querySelector(focused)?.focus({ preventScroll: true });
    });
  };
  interp.render = () => {
    if (!queued) {
      queued = true;
      requestAnimationFrame(redraw);
    }
  };
  window.addEventListener("resize", interp.render);

  // Panels: what is going on in each, and what it measures
  interp.panels = () => {
    const { wanted = {}, works = {}, errors = {}, failures = {}, held = {}, jobs = [] } = interp.status || {};
    document.querySelectorAll("[data-panel]").forEach((panel) => {
      if (panel.offsetParent === null) return;
      const slot = interp.contentOf(panel.dataset.panel);
      const payload = interp.data[slot];
      const line = panel.querySelector(":scope > .panel-status");
      const fresh = payload && payload.key === wanted[slot];
      let state = "ready";
      let content = [];
      let counted = "";
      if (errors[slot]) {
        state = "error";
        content = [
          `${errors[slot]} `,
          failures[slot] === undefined
            ? ""
            : interp.h("button", { class: "button small", onclick: () => interp.again(failures[slot]) }, "Try again"),
        ];
      } else if (held[slot]) {
        state = "held";
        content = [
          held[slot] + " ",
          interp.h("button", { class: "button small", onclick: () => interp.approve(works[slot]) }, "Run it"),
        ];
      } else if (wanted[slot] && !fresh) {
        state = "working";
        const job = jobs.find((j) => works[slot].includes(j.work));
        content = [job ? `${job.label} …` : "…"];
        if (job && job.total) counted = ` ${job.done} of ${job.total}`;
      } else if (!wanted[slot]) {
        state = "empty";
        content = [panel.dataset.hint || ""];
      }
      panel.dataset.state = state;
      const text = content.map((c) => (typeof c === "string" ? c : c.textContent)).join("");
      if (line.drawnText !== text) {
        line.drawnText = text;
        line.replaceChildren(...content);
      }
      // Counts stand beside the live region: they would be read out four times a second
      const count = panel.querySelector(":scope > .panel-count");
      if (count.textContent !== counted) count.textContent = counted;
      const said = fresh
        ? panel.dataset.measured ||
          [payload.measured, payload.sign, ...(payload.notes || [])].filter(Boolean).join(" · ")
        : "";
      const measured = panel.querySelector(":scope > .panel-foot > .measured");
      if (measured.textContent !== said) measured.textContent = said;
    });
  };
  interp.again = (failures) => {
    choices.again.push(...failures);
    interp.request();
  };
  interp.approve = (works) => {
    choices.stopped = choices.stopped.filter((w) => !works.includes(w));
    choices.approved.push(...works);
    interp.request();
  };
  interp.stop = (works) => {
    choices.approved = choices.approved.filter((w) => !works.includes(w));
    choices.stopped.push(...works);
    interp.request();
  };

  // Callbacks of the application
  let ticking = 0;
  Object.assign(interp.callbacks, {
    open: (model, tab) => {
      interp.model = model;
      window.addEventListener("pagehide", () => navigator.sendBeacon("/_left", tab));
      interp.setTheme(interp.firstTheme, false);
      window.addEventListener("popstate", () =>
        set("address", { data: { search: window.location.search, n: performance.now() } }),
      );
      return { search: window.location.search, n: 0 };
    },
    accept: (asked) => {
      if (!asked) return;
      interp.prompt = asked.prompt;
      if (asked.opened) {
        interp.view = asked.view;
        window.history.replaceState(null, "", address(interp.view));
        interp.request();
      } else interp.update(asked.view);
      interp.render();
    },
    receive: (delivery) => {
      if (!delivery) return;
      Object.assign(interp.data, delivery.payloads);
      interp.status = delivery.status;
      choices.again = [];
      catchUp(interp.status);
      const { effects } = interp.data;
      if (interp.view.layer === null && effects && effects.key === interp.status.wanted.effects) {
        const [layer, head] = interp.ranked(effects.values)[0];
        interp.select(layer, head);
      }
      clearTimeout(ticking);
      // Quick work is back within a moment; long work is looked after four times a second
      const quick = interp.status.jobs.every((job) => job.total === 0);
      if (interp.status.pending) ticking = setTimeout(interp.request, quick ? 40 : 250);
      interp.render();
    },
    notice: (notice) => {
      const line = document.getElementById("notice");
      if (!line || !notice) return;
      line.replaceChildren(notice.text || "");
      for (const [field, text] of notice.offers || []) {
        const use = () => {
          set(`field-${field}`, { value: text });
          interp.say(`${field} is now “${text}”; press Run`);
        };
        line.append(
          " ",
          interp.h(
            "button",
            { class: "button small", type: "button", "data-offer": text, onclick: use },
            `use “${text}”`,
          ),
        );
      }
      if (notice.text)
        line.append(
          " ",
          interp.h("button", { class: "quiet", "aria-label": "Dismiss", onclick: () => line.replaceChildren() }, "✕"),
        );
      if (notice.form !== undefined) interp.form(notice.form);
    },
  });
  interp.form = (open) => {
    const form = document.getElementById("form");
    const was = !form.classList.contains("closed");
    form.classList.toggle("closed", !open);
    if (open && !was) {
      const field = document.getElementById("field-clean");
      if (field && !document.getElementById("notice").textContent) field.focus();
    }
  };
  interp.ranked = (values) =>
    values
      .flatMap((row, layer) => row.map((value, head) => [layer, head, value]))
      .filter((cell) => cell[2] !== null)
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
  let kept = null;
  try {
    kept = localStorage.getItem("interp-theme");
  } catch {
    /* as above */
  }
  interp.firstTheme = kept || (window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.mantineColorScheme = interp.firstTheme;
})();
