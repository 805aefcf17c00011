// Relevance of the tokens by several methods, and where the methods disagree.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;

  const slotOf = (name) => `relevance ${name}`;
  const fresh = (slot) => {
    const payload = interp.data[slot];
    return payload && payload.key === (interp.status.wanted || {})[slot] ? payload : null;
  };
  const named = () => interp.model.methods.map((method) => method.name);
  const chosen = () => interp.view.methods.filter((name) => named().includes(name));
  const selected = () => (chosen().includes(interp.view.method) ? interp.view.method : chosen()[0]);

  const decoded = new WeakMap();
  const numbers = (payload) => {
    if (!decoded.has(payload)) decoded.set(payload, interp.bytes(payload.values, Float32Array));
    return decoded.get(payload);
  };
  const largest = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-12);
  const size = (values) => values.reduce((sum, v) => sum + Math.abs(v), 0) || 1e-12;
  const ready = () => chosen().map((name) => [name, fresh(slotOf(name))]).filter(([, payload]) => payload).map(([name, payload]) => ({ name, payload, values: numbers(payload) }));
  // Logits want two decimals, shares of a whole three
  const value = (v, payload) => interp.signed(v, payload.unit === "fraction" ? 3 : 2);

  // Which methods: a button each; what cannot treat this model stays, with the reason
  interp.draw.methods = (el) => {
    const { methods } = interp.model;
    if (!methods.length) { el.replaceChildren(h("p", { class: "note" }, "No method is installed.")); return; }
    const toggle = (name) => () => {
      const now = chosen();
      const next = now.includes(name) ? now.filter((other) => other !== name) : named().filter((other) => now.includes(other) || other === name);
      if (next.length) interp.update({ methods: next, method: next.includes(interp.view.method) ? interp.view.method : "" });
      else interp.say("One method has to stay");
    };
    const refused = methods.filter(({ obstacle }) => obstacle);
    el.replaceChildren(
      h("div", { class: "choice", role: "group", "aria-label": "Methods to compare" }, methods.map(({ name, obstacle }) =>
        h("button", { "data-method": name, "aria-pressed": String(chosen().includes(name)), disabled: Boolean(obstacle), title: obstacle || null, onclick: toggle(name) }, name))),
      ...refused.map(({ name, obstacle }) => h("p", { class: "note refused" }, h("b", {}, name), `: ${obstacle}`)));
  };

  // A prompt's tokens as spans whose colour a method sets
  const reading = (name) => {
    const strip = h("div", { class: "reading", tabindex: "0", role: "group", "aria-label": `${name}; left and right arrow keys choose a token` });
    strip.append(...interp.tokens().map((text) => {
      const span = h("span", { class: "token" });
      span.textContent = interp.visible(text);
      return span;
    }));
    return strip;
  };
  const colour = (strip, values, kind, at) => {
    strip.querySelectorAll(":scope > .token").forEach((span, i) => {
      const t = at(values[i]);
      span.style.background = interp.rgb(kind, t);
      span.style.color = interp.inkOn(kind, t);
    });
  };
  // A long prompt's strip scrolls; a line above it shows all of it at once
  const LONG = 150;
  const line = (strip, values, kind, at) => {
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
    const ramp = interp.ramp(kind);
    const image = new ImageData(values.length, 1);
    for (let i = 0; i < values.length; i++) image.data.set([...ramp[Math.round(255 * at(values[i]))], 255], 4 * i);
    Object.assign(canvas, { width: values.length, height: 1 });
    canvas.getContext("2d").putImageData(image, 0, 0);
  };
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
  const listen = (el, lines) => {
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
      if (pos !== last) { last = pos; point(el, pos); }
      interp.tip(event, pos === null ? null : [`${interp.quoted(interp.tokens()[pos] || "")} at ${pos}`, ...lines(pos)]);
    });
    el.addEventListener("mouseleave", (event) => { last = null; point(el, null); interp.tip(event, null); });
    el.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || !event.target.classList.contains("reading")) return;
      event.preventDefault();
      interp.update({ query: Math.max(0, Math.min(interp.tokens().length - 1, interp.queryAt() + step)), key: null });
      const kept = event.target.querySelector(".kept");
      if (kept) kept.scrollIntoView({ block: "nearest" });
    });
    // Long prompts scroll as one
    el.addEventListener("scroll", (event) => {
      el.querySelectorAll(".reading").forEach((strip) => { if (strip !== event.target && strip.scrollTop !== event.target.scrollTop) strip.scrollTop = event.target.scrollTop; });
    }, true);
  };

  const account = (payload) => {
    const sums = [["tokens", payload.tokens], ["absorbed", payload.absorbed], ["remainder", payload.remainder]];
    const bit = (name, text, kind = "") => h("span", { class: "sum", "data-sum": name.replace(" ", "-") }, `${name} `, h("b", { class: kind }, text));
    return [
      ...sums.map(([name, v]) => bit(name, value(v, payload))),
      bit("= target", `${value(payload.total, payload)}${payload.unit && payload.unit !== "fraction" ? ` ${payload.unit}` : ""}`),
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
    return { name, head, line, el: h("div", { class: "method", "data-strip": name }, head, line), strip: null, drawnFor: "", prompt: "" };
  };
  const fill = (part) => {
    const payload = fresh(slotOf(part.name));
    const prompt = interp.view.clean;
    const sign = [payload ? payload.key : JSON.stringify(waiting(part.name)), prompt, interp.theme(), selected() === part.name].join("|");
    if (part.drawnFor === sign) return;
    part.drawnFor = sign;
    const pick = h("button", { class: "method-name", "data-pick": part.name, "aria-pressed": String(selected() === part.name), title: payload ? [payload.measured, payload.sign].filter(Boolean).join(" · ") : null, onclick: () => interp.update({ method: part.name }) }, part.name);
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
      colour(part.strip, values, "diverging", at);
      line(part.strip, values, "diverging", at);
      part.strip.dataset.key = payload.key;
      part.line.replaceChildren();
    } else {
      part.strip.querySelectorAll(".token").forEach((span) => span.removeAttribute("style"));
      const { text, kind, work } = payload ? { text: "…", kind: "working" } : waiting(part.name);
      part.line.className = `method-status ${kind}`;
      part.line.replaceChildren(text, ...(work ? [h("button", { class: "button small", "data-run": part.name, onclick: () => interp.approve(work) }, "Run it")] : []));
    }
  };

  interp.draw.strips = (el) => {
    if (!el.parts) {
      el.parts = { blocks: {}, legend: h("div", { class: "legend-place" }), list: h("div", { class: "methods" }), kept: h("p", { class: "kept-line", role: "status" }) };
      el.replaceChildren(el.parts.legend, el.parts.list, el.parts.kept);
      listen(el.parts.list, told);
    }
    const { blocks, legend, list, kept } = el.parts;
    const names = chosen();
    for (const name of names) blocks[name] = blocks[name] || block(name);
    const wanted = names.map((name) => blocks[name].el);
    if (wanted.length !== list.children.length || wanted.some((one, i) => list.children[i] !== one)) list.replaceChildren(...wanted);
    names.forEach((name) => fill(blocks[name]));
    mark(list);
    legend.replaceChildren(interp.legend("diverging", "against", "for the answer", true), h("span", { class: "legend-said" }, "each strip up to its own largest"));
    const pos = interp.queryAt();
    const lines = told(pos);
    kept.textContent = lines.length ? `${interp.quoted(interp.tokens()[pos] || "")} at ${pos}: ${lines.join(" · ")}` : "";
  };

  // Agreement
  const ranks = (values) => {
    const order = Array.from(values, (v, i) => i).sort((a, b) => values[a] - values[b]);
    const rank = new Float64Array(values.length);
    for (let i = 0; i < order.length;) {
      let j = i;
      while (j + 1 < order.length && values[order[j + 1]] === values[order[i]]) j++;
      for (let k = i; k <= j; k++) rank[order[k]] = (i + j) / 2;
      i = j + 1;
    }
    return rank;
  };
  interp.rankCorrelation = (one, other) => {
    const [a, b] = [ranks(one), ranks(other)];
    const middle = (a.length - 1) / 2;
    let [product, first, second] = [0, 0, 0];
    for (let i = 0; i < a.length; i++) {
      product += (a[i] - middle) * (b[i] - middle);
      first += (a[i] - middle) ** 2;
      second += (b[i] - middle) ** 2;
    }
    return first && second ? product / Math.sqrt(first * second) : NaN;
  };

  const matrix = (found) => {
    const cell = (one, other) => {
      const rho = interp.rankCorrelation(one.values, other.values);
      const t = 0.5 + (Number.isNaN(rho) ? 0 : rho) / 2;
      return h("td", { style: `background:${interp.rgb("diverging", t)};color:${interp.inkOn("diverging", t)}` }, Number.isNaN(rho) ? "–" : one === other ? "1" : interp.signed(rho));
    };
    return h("table", { class: "agreement" }, h("caption", {}, "rank correlation"),
      h("tbody", {}, found.map((one, i) => h("tr", {}, h("th", { scope: "row" }, one.name), found.slice(0, i + 1).map((other) => cell(one, other))))),
      h("tfoot", {}, h("tr", {}, h("td", {}), found.map(({ name }) => h("th", { scope: "col" }, h("span", {}, name))))));
  };
  const spreads = (found) => {
    const shares = found.map(({ values }) => { const all = size(values); return Array.from(values, (v) => v / all); });
    return shares[0].map((_, pos) => {
      const here = shares.map((row) => row[pos]);
      return Math.max(...here) - Math.min(...here);
    });
  };
  interp.draw.disagreement = (el) => {
    const found = ready().filter(({ values }) => values.length === interp.tokens().length);
    const sign = [found.map(({ payload }) => payload.key).join(), interp.theme()].join("|");
    if (el.shown !== sign) {
      el.shown = sign;
      if (found.length < 2) {
        el.replaceChildren(h("p", { class: "note" }, chosen().length < 2 ? "Choose a second method to compare with." : "Waiting for a second method …"));
        return;
      }
      if (!el.listening) {
        el.listening = true;
        listen(el, (pos) => ready().map(({ name, values }) => `${name} ${interp.signed((100 * values[pos]) / size(values), 1)} %`));
      }
      const apart = spreads(found);
      const most = largest(apart);
      const strip = reading("disagreement");
      colour(strip, apart, "sequential", (v) => v / most);
      el.replaceChildren(
        h("div", { class: "legend-place" }, interp.legend("sequential", "0", interp.percent(most)), h("span", { class: "legend-said" }, `widest gap between the shares of ${found.length} methods`)),
        h("div", { class: "compared" }, strip, matrix(found)));
    }
    mark(el);
  };

  interp.methods = { fresh, chosen, selected, value };
})();
