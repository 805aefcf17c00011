// Relevance of the tokens by several methods, one strip each.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  const slotOf = (name) => `relevance ${name}`;
  const fresh = (slot) => (interp.current(slot, ["clean", "answer", "contrast"]) ? interp.data[slot] : null);
  const named = () => interp.model.methods.map((method) => method.name);
  const chosen = () => interp.view.methods.filter((name) => named().includes(name));
  const selected = () => (chosen().includes(interp.view.method) ? interp.view.method : chosen()[0]);

  const numbers = (payload) => interp.floats(payload, "values", payload.values);
  const largest = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-12);
  const ready = () =>
    chosen()
      .map((name) => [name, fresh(slotOf(name))])
      .filter(([, payload]) => payload)
      .map(([name, payload]) => ({ name, payload, values: numbers(payload) }));
  // Logits want two decimals, shares of a whole three
  const value = (v, payload) => interp.signed(v, payload.unit === "fraction" ? 3 : 2);

  // Which methods: a button each; what does not support this model stays, with the reason
  interp.draw.methods = (el) => {
    const { methods } = interp.model;
    if (!methods.length) {
      el.replaceChildren(h("p", { class: "note" }, "No method is installed."));
      return;
    }
    const toggle = (name) => () => {
      const now = chosen();
      const next = now.includes(name)
        ? now.filter((other) => other !== name)
        : named().filter((other) => now.includes(other) || other === name);
      if (next.length)
        interp.update({ methods: next, method: next.includes(interp.view.method) ? interp.view.method : "" });
      else interp.say("One method has to stay");
    };
    const refused = methods.filter(({ obstacle }) => obstacle);
    el.replaceChildren(
      h(
        "div",
        { class: "choice", role: "group", "aria-label": "Methods to compare" },
        methods.map(({ name, obstacle }) =>
          h(
            "button",
            {
              "data-method": name,
              "aria-pressed": String(chosen().includes(name)),
              disabled: Boolean(obstacle) && !chosen().includes(name),
              title: obstacle || null,
              onclick: toggle(name),
            },
            name,
          ),
        ),
      ),
      ...refused.map(({ name, obstacle }) => h("p", { class: "note refused" }, h("b", {}, name), `: ${obstacle}`)),
    );
  };

  // A prompt's tokens as spans whose colour a method sets
  const reading = (name) => {
    const strip = h("div", {
      class: "reading",
      tabindex: "0",
      role: "group",
      "aria-label": `${name}; left and right arrow keys choose a token`,
    });
    strip.append(
      ...interp.tokens().map((text) => {
        const span = h("span", { class: "token" });
        span.textContent = interp.visible(text);
        return span;
      }),
    );
    return strip;
  };
  const colour = (strip, values, at) => {
    strip.querySelectorAll(":scope > .token").forEach((span, i) => {
      const t = at(values[i]);
      span.style.background = interp.rgb("diverging", t);
      span.style.color = interp.inkOn("diverging", t);
    });
  };
  // A long prompt's strip scrolls; a line above it shows all of it at once
  const LONG = 150;
  const overview = (strip, values, at) => {
    let canvas = strip.previousElementSibling;
    if (!canvas || canvas.tagName !== "CANVAS") {
      if (values.length < LONG) return;
      canvas = h("canvas", { class: "whole", role: "img", "aria-label": "All tokens of the prompt at once" });
      canvas.addEventListener("click", (event) => {
        const { left, width } = canvas.getBoundingClientRect();
        const pos = Math.floor(((event.clientX - left) / width) * canvas.width);
        interp.update({ query: pos, key: null });
        strip.children[pos]?.scrollIntoView({ block: "nearest" });
      });
      strip.before(canvas);
    }
    const ramp = interp.ramp("diverging");
    const image = new ImageData(values.length, 1);
    for (let i = 0; i < values.length; i++) image.data.set([...ramp[Math.round(255 * at(values[i]))], 255], 4 * i);
    Object.assign(canvas, { width: values.length, height: 1 });
    canvas.getContext("2d").putImageData(image, 0, 0);
  };
  // What the methods say of one token
  const told = (pos) => ready().map(({ name, payload, values }) => `${name} ${value(values[pos], payload)}`);
  const point = (el, pos) => {
    el.querySelectorAll(".reading .here").forEach((span) => span.classList.remove("here"));
    if (pos !== null) el.querySelectorAll(".reading").forEach((strip) => strip.children[pos]?.classList.add("here"));
  };
  const mark = (el) => {
    const pos = interp.queryAt();
    el.querySelectorAll(".reading .kept").forEach((span) => span.classList.remove("kept"));
    el.querySelectorAll(".reading").forEach((strip) => strip.children[pos]?.classList.add("kept"));
  };
  const listen = (el) => {
    const place = (event) => {
      const span = event.target.closest(".reading > .token");
      return span ? Array.prototype.indexOf.call(span.parentNode.children, span) : null;
    };
    el.addEventListener("click", (event) => {
      const pos = place(event);
      if (pos !== null) interp.update({ query: pos, key: null });
    });
    let last = null;
    el.addEventListener("mousemove", (event) => {
      const pos = place(event);
      if (pos !== last) {
        last = pos;
        point(el, pos);
      }
      interp.tip(event, pos === null ? null : [`${interp.quoted(interp.tokens()[pos] || "")} at ${pos}`, ...told(pos)]);
    });
    el.addEventListener("mouseleave", (event) => {
      last = null;
      point(el, null);
      interp.tip(event, null);
    });
    el.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || !event.target.classList.contains("reading")) return;
      event.preventDefault();
      interp.update({ query: Math.max(0, Math.min(interp.tokens().length - 1, interp.queryAt() + step)), key: null });
      const kept = event.target.querySelector(".kept");
      if (kept) kept.scrollIntoView({ block: "nearest" });
    });
    // Long prompts scroll as one
    el.addEventListener(
      "scroll",
      (event) => {
        el.querySelectorAll(".reading").forEach((strip) => {
          if (strip !== event.target && strip.scrollTop !== event.target.scrollTop)
            strip.scrollTop = event.target.scrollTop;
        });
      },
      true,
    );
  };

  const account = (payload) => {
    const sums = [
      ["tokens", payload.tokens],
      ["absorbed", payload.absorbed],
      ["remainder", payload.remainder],
    ];
    const bit = (name, text, kind = "") =>
      h("span", { class: "sum", "data-sum": name.replace(" ", "-") }, `${name} `, h("b", { class: kind }, text));
    return [
      ...sums.map(([name, v]) => bit(name, value(v, payload))),
      bit(
        "= target",
        `${value(payload.total, payload)}${payload.unit && payload.unit !== "fraction" ? ` ${payload.unit}` : ""}`,
      ),
      bit("first token", interp.percent(payload.first_token_share)),
    ];
  };
  // What is going on with a method that has nothing to show yet
  const waiting = (name) => {
    const slot = slotOf(name);
    const { errors = {}, held = {}, works = {}, jobs = [] } = interp.status || {};
    if (errors[slot]) return { text: errors[slot], kind: "error" };
    if (held[slot]) return { text: `${held[slot]} `, kind: "held", work: works[slot] };
    const job = jobs.find((j) => (works[slot] || []).includes(j.work));
    return { text: job && job.total ? `${job.label}: ${job.done} of ${job.total}` : "…", kind: "working" };
  };
  const block = (name) => {
    const head = h("div", { class: "method-head" });
    const line = h("div", { class: "method-status", role: "status" });
    return {
      name,
      head,
      line,
      el: h("div", { class: "method", "data-strip": name }, head, line),
      strip: null,
      drawnFor: "",
      prompt: "",
    };
  };
  const fill = (part) => {
    const payload = fresh(slotOf(part.name));
    const prompt = interp.view.clean;
    const sign = [
      payload ? payload.key : JSON.stringify(waiting(part.name)),
      prompt,
      interp.theme(),
      selected() === part.name,
    ].join("|");
    if (part.drawnFor === sign) return;
    part.drawnFor = sign;
    const pick = h(
      "button",
      {
        class: "method-name",
        "data-pick": part.name,
        "aria-pressed": String(selected() === part.name),
        title: payload ? [payload.measured, payload.sign].filter(Boolean).join(" · ") : null,
        onclick: () => interp.update({ method: part.name }),
      },
      part.name,
    );
    const focused = part.head.contains(document.activeElement);
    part.head.replaceChildren(pick, ...(payload ? account(payload) : []));
    if (focused) pick.focus({ preventScroll: true });
    if (!part.strip || part.prompt !== prompt) {
      const strip = reading(part.name);
      part.strip?.remove();
      part.el.querySelector("canvas")?.remove();
      part.el.append(strip);
      Object.assign(part, { strip, prompt });
    }
    const values = payload && numbers(payload);
    const usable = values && values.length === part.strip.children.length;
    if (usable) {
      const limit = largest(values);
      const at = (v) => interp.bySign(v, limit);
      colour(part.strip, values, at);
      overview(part.strip, values, at);
      part.strip.dataset.key = payload.key;
      part.line.replaceChildren();
    } else {
      part.strip.querySelectorAll(".token").forEach((span) => span.removeAttribute("style"));
      const { text, kind, work } = payload ? { text: "…", kind: "working" } : waiting(part.name);
      part.line.className = `method-status ${kind}`;
      part.line.replaceChildren(
        text,
        ...(work
          ? [
              h(
                "button",
                { class: "button small", "data-run": part.name, onclick: () => interp.approve(work) },
                "Run it",
              ),
            ]
          : []),
      );
    }
  };

  interp.draw.strips = (el) => {
    if (!el.parts) {
      el.parts = {
        blocks: {},
        legend: h("div", { class: "legend-place" }),
        list: h("div", { class: "methods" }),
        kept: h("p", { class: "kept-line", role: "status" }),
      };
      el.replaceChildren(el.parts.legend, el.parts.list, el.parts.kept);
      listen(el.parts.list);
    }
    const { blocks, legend, list, kept } = el.parts;
    const names = chosen();
    for (const name of names) blocks[name] = blocks[name] || block(name);
    const wanted = names.map((name) => blocks[name].el);
    if (wanted.length !== list.children.length || wanted.some((one, i) => list.children[i] !== one))
      list.replaceChildren(...wanted);
    names.forEach((name) => fill(blocks[name]));
    mark(list);
    legend.replaceChildren(
      interp.legend("diverging", "against", "for the answer", true),
      h("span", { class: "legend-said" }, "each strip up to its own largest"),
    );
    const pos = interp.queryAt();
    const lines = told(pos);
    kept.textContent = lines.length
      ? `${interp.quoted(interp.tokens()[pos] || "")} at ${pos}: ${lines.join(" · ")}`
      : "";
  };

  interp.draw.within = (el) => {
    el.replaceChildren(
      h(
        "div",
        { class: "within" },
        h("h2", {}, "Inside one method"),
        h(
          "div",
          { class: "choice", role: "group", "aria-label": "Method whose ledger and insides are shown" },
          chosen().map((name) =>
            h(
              "button",
              {
                "data-within": name,
                "aria-pressed": String(selected() === name),
                onclick: () => interp.update({ method: name }),
              },
              name,
            ),
          ),
        ),
      ),
    );
  };
  interp.facts.push((layer, head) => {
    const payload = fresh("insides_heads");
    if (interp.view.page !== "attribution" || !payload || payload.missing) return [];
    return [[payload.saying, value(payload.values[layer][head], payload)]];
  });
})();
