// Relevance of the tokens by several methods, one strip each.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  const slotOf = (name) => `relevance ${name}`;
  const fresh = (name) => interp.fresh(slotOf(name));
  const methodNames = () => interp.model.methods.map((method) => method.name);
  const currentMethods = () => interp.view.methods.filter((name) => methodNames().includes(name));
  const currentMethod = () =>
    currentMethods().includes(interp.view.method) ? interp.view.method : currentMethods()[0];

  const numbers = (payload) => interp.decoded(payload, ({ values }) => interp.bytes(values, Float32Array));
  const largest = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-12);
  // Logits want two decimals, shares of a whole three
  const value = (v, payload) => interp.signed(v, payload.unit === "fraction" ? 3 : 2);

  // Which methods: a button each; what does not support this model stays, with the reason
  interp.draw.methods = (el) => {
    const { methods } = interp.model;
    if (!methods.length) {
      interp.fill(el, h("p.note", "No method is installed."));
      return;
    }
    const toggle = (name) => () => {
      const now = currentMethods();
      const next = now.includes(name)
        ? now.filter((other) => other !== name)
        : methodNames().filter((other) => now.includes(other) || other === name);
      if (next.length)
        interp.update({ methods: next, method: next.includes(interp.view.method) ? interp.view.method : "" });
      else interp.say("One method has to stay");
    };
    const option = ({ name, obstacle }) => {
      const on = currentMethods().includes(name);
      const disabled = Boolean(obstacle) && !on;
      return [name, on, { "data-method": name, disabled, title: obstacle || null, onclick: toggle(name) }];
    };
    const obstacleNote = ({ name, obstacle }) => obstacle && h("p.note.refused", h("b", name), `: ${obstacle}`);
    interp.fill(el, interp.choice("Methods to compare", methods.map(option)), methods.map(obstacleNote));
  };

  // A prompt's tokens as spans whose colour a method sets
  const tokenStrip = (name) => {
    const label = `${name}; left and right arrow keys choose a token`;
    const tokens = interp.tokens().map((text) => h("span.token", interp.visible(text)));
    return h("div.reading", { tabindex: "0", role: "group", "aria-label": label }, tokens);
  };
  const colour = (strip, values, at, kind) => {
    strip.querySelectorAll(":scope > .token").forEach((span, i) => {
      const t = at(values[i]);
      span.style.background = interp.rgb(kind, t);
      span.style.color = interp.inkOn(kind, t);
    });
  };
  // A long prompt's strip scrolls; a line above it shows all of it at once
  const LONG = 150;
  const overview = (strip, values, at, kind) => {
    let canvas = strip.previousElementSibling;
    if (!canvas || canvas.tagName !== "CANVAS") {
      if (values.length < LONG) return;
      canvas = h("canvas.whole", { role: "img", "aria-label": "All tokens of the prompt at once" });
      canvas.addEventListener("click", (event) => {
        const { left, width } = canvas.getBoundingClientRect();
        const pos = Math.floor(((event.clientX - left) / width) * canvas.width);
        interp.update({ query: pos, key: null });
        strip.children[pos]?.scrollIntoView({ block: "nearest" });
      });
      strip.before(canvas);
    }
    Object.assign(canvas, { width: values.length, height: 1 });
    const ramp = interp.ramp(kind);
    const shade = (i) => ramp[Math.round(255 * at(values[i]))];
    interp.heat(canvas.getContext("2d"), { rows: 1, columns: values.length, colour: shade, box: [0, 0] });
  };
  // What the methods say of one token
  const describe = (pos) =>
    currentMethods().flatMap((name) => {
      const payload = fresh(name);
      return payload ? [`${name} ${value(numbers(payload)[pos], payload)}`] : [];
    });
  const mark = (el, kind, pos) => {
    el.querySelectorAll(`.reading .${kind}`).forEach((span) => span.classList.remove(kind));
    el.querySelectorAll(".reading").forEach((strip) => strip.children[pos ?? -1]?.classList.add(kind));
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
    const point = (pos) => {
      if (pos !== last) mark(el, "here", pos);
      last = pos;
    };
    interp.hover(el, (event) => {
      const pos = place(event);
      point(pos);
      return pos === null ? null : [`${interp.quotedAt(pos)} at ${pos}`, ...describe(pos)];
    });
    el.addEventListener("mouseleave", () => point(null));
    el.addEventListener("keydown", (event) => {
      if (!event.target.classList.contains("reading")) return;
      interp.stepQuery(event);
      event.target.querySelector(".kept")?.scrollIntoView({ block: "nearest" });
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
    const { tokens, absorbed, remainder, total, unit, first_token_share: first } = payload;
    const number = (v) => value(v, payload);
    const sums = {
      tokens: number(tokens),
      absorbed: number(absorbed),
      remainder: number(remainder),
      "= target": number(total) + (unit && unit !== "fraction" ? ` ${unit}` : ""),
      "first token": interp.percent(first),
    };
    return Object.entries(sums).map(([name, text]) =>
      h("span.sum", { "data-sum": name.replace(" ", "-") }, `${name} `, h("b", text)),
    );
  };
  const block = (name) => {
    const [head, line] = [h("div.method-head"), h("div.method-status", { role: "status" })];
    return { name, head, line, el: h("div", { "data-strip": name }, head, line) };
  };
  const paintStrip = (part, payload) => {
    const values = payload && numbers(payload);
    if (values?.length === part.strip.children.length) {
      const limit = largest(values);
      const { supports } = payload;
      const kind = supports ? "diverging" : "sequential"; // attention alone has no sides
      const at = (v) => (supports ? interp.bySign(v, limit, supports) : Math.abs(v) / limit);
      colour(part.strip, values, at, kind);
      overview(part.strip, values, at, kind);
      part.strip.dataset.key = payload.key;
      part.line.replaceChildren();
      return;
    }
    part.strip.querySelectorAll(".token").forEach((span) => span.removeAttribute("style"));
    const [state, content, progress] = interp.stateOf(slotOf(part.name));
    part.line.className = `method-status ${state}`;
    interp.fill(part.line, content.length ? content : "…", progress);
  };
  const fill = (part) => {
    const { name, head } = part;
    const payload = fresh(name);
    const prompt = interp.view.clean;
    const on = currentMethod() === name;
    const waiting = () =>
      interp
        .stateOf(slotOf(name))
        .flat()
        .map((words) => words?.textContent ?? words);
    const sign = JSON.stringify([payload ? payload.key : waiting(), prompt, interp.theme(), on]);
    if (part.drawnFor === sign) return;
    part.drawnFor = sign;
    const title = payload && interp.dotted(payload.measured, payload.sign);
    const choose = () => interp.update({ method: name });
    const pick = h(
      "button.method-name",
      { "data-pick": name, "aria-pressed": String(on), title, onclick: choose },
      name,
    );
    const hadFocus = head.contains(document.activeElement);
    interp.fill(head, pick, payload && account(payload));
    if (hadFocus) pick.focus({ preventScroll: true });
    if (part.prompt !== prompt) {
      part.prompt = prompt;
      part.strip = tokenStrip(name);
      interp.fill(part.el, head, part.line, part.strip);
    }
    paintStrip(part, payload);
  };

  interp.draw.strips = (el) => {
    if (!el.parts) {
      const [legend, list] = [h("div.legend-place"), h("div.methods")];
      el.parts = { blocks: {}, legend, list, readout: h("p.kept-line", { role: "status" }) };
      interp.fill(el, legend, list, el.parts.readout);
      listen(list);
    }
    const { blocks, legend, list, readout } = el.parts;
    const names = currentMethods();
    for (const name of names) blocks[name] ||= block(name);
    const elements = names.map((name) => blocks[name].el);
    if (elements.length !== list.children.length || elements.some((one, i) => list.children[i] !== one))
      list.replaceChildren(...elements);
    names.forEach((name) => fill(blocks[name]));
    const pos = interp.queryAt();
    mark(list, "kept", pos);
    const key = `${pos} ${interp.view.clean}`;
    list.querySelectorAll(".reading").forEach((strip) => interp.revealChild(strip, strip.children[pos], key));
    interp.fill(
      legend,
      interp.legend("diverging", "", "", "each strip up to its own largest; blue: attention, without sides", "+"),
    );
    const lines = describe(pos);
    readout.textContent = lines.length ? `${interp.quotedAt(pos)} at ${pos}: ${interp.dotted(...lines)}` : "";
  };

  interp.draw.within = (el) => {
    const option = (method) => {
      const attributes = { "data-within": method, onclick: () => interp.update({ method }) };
      return [method, currentMethod() === method, attributes];
    };
    const choice = interp.choice("Method whose ledger and insides are shown", currentMethods().map(option));
    interp.fill(el, h("div.within", h("h2", "Inside one method"), choice));
  };
  interp.facts.push((layer, head) => {
    const payload = interp.fresh("insides_heads");
    if (interp.view.page !== "attribution" || !payload || payload.missing) return [];
    return [[payload.saying, value(payload.values[layer][head], payload)]];
  });
})();
