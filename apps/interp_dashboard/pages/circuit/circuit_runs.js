// How well a circuit does: alone, with cuts, as it grows, and beside another circuit.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const share = (f) => (f === null || f === undefined ? "not defined" : `${(100 * f).toFixed(0).replace("-", "−")} %`);

  const bars = (tops, title) => interp.bars(tops, title, [interp.view.answer, interp.view.contrast]);
  interp.draw.circuitruns = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const stands = payload.edited === null ? payload.circuit : payload.edited;
    const low = Math.min(payload.corrupted, payload.clean, payload.circuit, stands);
    const high = Math.max(payload.corrupted, payload.clean, payload.circuit, stands);
    const at = (v) => `${(6 + (88 * (v - low)) / (high - low || 1)).toFixed(2)}%`;
    const tick = (v, name, kind) => h("span", { class: `mark ${kind}`, style: `left:${at(v)}` }, h("i", {}), h("span", {}, name));
    const cell = (name, text, key, kind = "") => h("div", {}, h("span", {}, name), h("strong", { "data-value": key, class: kind }, text));
    el.replaceChildren(...[
      h("div", { class: "change" },
        cell("whole model", interp.signed(payload.clean), "clean"),
        cell("circuit", interp.signed(payload.circuit), "alone"),
        cell("faithfulness", share(payload.faithfulness), "faithfulness"),
        ...(payload.edited === null ? [] : [
          cell("with cuts", interp.signed(payload.edited), "edited"),
          cell("effect of the cuts", interp.signed(payload.effect), "effect", payload.effect < 0 ? "negative" : "positive")])),
      h("div", { class: "scale", role: "img", "aria-label": `Every edge cut ${interp.signed(payload.corrupted)}, circuit ${interp.signed(stands)}, whole model ${interp.signed(payload.clean)}` },
        tick(payload.corrupted, "all cut", "low"), tick(payload.clean, "whole", "high"), tick(stands, "circuit", "here")),
      payload.faithfulness === null ? h("p", { class: "note" }, `The whole model and the model with every edge cut give the same metric: there is nothing to be faithful to. Change the ${payload.other === "mean" ? "prompt" : "corrupted prompt"}.`) : null,
      h("div", { class: "pair" }, bars(payload.tops[0], "whole model"), bars(payload.tops[payload.tops.length - 1], payload.edited === null ? "circuit alone" : "circuit with cuts"))].filter(Boolean));
    el.dataset.key = payload.key;
  };

  interp.draw.circuitgrowth = (el, payload) => {
    if (!payload) { el.replaceChildren(); return; }
    const { edges, faithfulness, random } = payload;
    const [LEFT, TOP, HIGH] = [40, 10, 190];
    const width = Math.max(260, el.clientWidth - 8);
    const known = [...faithfulness, ...random.flat(), 0, 1].filter((v) => v !== null);
    if (known.length === 2) { el.replaceChildren(h("p", { class: "note" }, "Not defined: the whole model and the model with every edge cut give the same metric.")); return; }
    const [low, high] = [Math.max(-2, Math.min(...known)), Math.min(3, Math.max(...known))];
    const logs = edges.map(Math.log);
    const x = (i) => LEFT + ((logs[i] - logs[0]) / (logs[logs.length - 1] - logs[0] || 1)) * (width - LEFT - 16);
    const y = (v) => TOP + (1 - (Math.max(low, Math.min(high, v)) - low) / (high - low || 1)) * HIGH;
    const svg = h("svg", { width, height: HIGH + 44, role: "group", "aria-label": `Faithfulness at ${edges.length} sizes, from ${share(faithfulness[0])} to ${share(faithfulness[faithfulness.length - 1])}` });
    for (const v of [0, 1]) svg.append(h("line", { x1: LEFT, x2: width - 8, y1: y(v), y2: y(v), class: "rule" }), h("text", { x: LEFT - 6, y: y(v) + 4, class: "tick", "text-anchor": "end" }, v ? "100 %" : "0"));
    const line = (values, kind) => svg.append(h("path", { d: values.map((v, i) => `${i ? "L" : "M"}${x(i)} ${y(v || 0)}`).join(""), class: `curve ${kind}` }));
    (random[0] || []).forEach((_, draw) => line(random.map((row) => row[draw]), "random"));
    line(faithfulness, "");
    let last = -100;
    edges.forEach((count, i) => {
      const dot = h("circle", { cx: x(i), cy: y(faithfulness[i] || 0), r: 4, class: "growth-dot", tabindex: "0", role: "button", "aria-label": `Keep ${count} edges: ${share(faithfulness[i])}` });
      const choose = () => interp.update({ edges: count });
      dot.addEventListener("click", choose);
      dot.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(); });
      dot.addEventListener("mousemove", (event) => interp.tip(event, [`${count.toLocaleString("en")} edges`, `faithfulness ${share(faithfulness[i])}`, `random circuits ${random[i].map(share).join(", ")}`, "click to keep as many"]));
      dot.addEventListener("mouseleave", (event) => interp.tip(event, null));
      svg.append(dot);
      if (x(i) - last > 52) { last = x(i); svg.append(h("text", { x: x(i), y: TOP + HIGH + 18, class: "tick", "text-anchor": "middle" }, count.toLocaleString("en"))); }
    });
    el.replaceChildren(svg, h("p", { class: "keyline" }, h("i", { class: "clean" }), " strongest edges", h("i", { class: "random" }), " random edges"));
    el.dataset.key = payload.key;
  };

  // A circuit kept by hand stays while prompt, method and size change
  let kept = null;
  const keep = (own) => () => {
    const { clean, circuit } = interp.view;
    kept = { name: `${circuit}, ${own.whole.length} edges, on “${clean.length > 40 ? `${clean.slice(0, 40)}…` : clean}”`, edges: own.whole, nodes: own.members };
    document.querySelectorAll(".drawn-circuitversus").forEach((el) => { el.drawnFor = null; });
    interp.say("Kept: change the prompt, the method or the slider to compare");
    interp.render();
  };
  interp.draw.circuitversus = (el, asked) => {
    const own = interp.data.circuit;
    if (!own) { el.replaceChildren(); return; }
    const payload = interp.view.versus ? asked : kept;
    const button = h("button", { class: "button small", "data-act": "keep", onclick: keep(own) }, "Keep this circuit to compare with");
    if (!payload) {
      el.replaceChildren(button, h("p", { class: "note" }, !interp.view.versus ? "Keep a circuit, or choose what to compare with." : interp.view.versus === interp.view.circuit ? "That is this circuit itself." : "…"));
      return;
    }
    const mine = new Map(own.whole.map(([sender, receiver, score]) => [`${sender}>${receiver}`, score]));
    const theirs = new Map(payload.edges.map(([sender, receiver, score]) => [`${sender}>${receiver}`, score]));
    const shared = [...mine.keys()].filter((name) => theirs.has(name));
    const union = new Set([...mine.keys(), ...theirs.keys()]).size;
    const nodes = new Set(own.members);
    const both = payload.nodes.filter((name) => nodes.has(name));
    const row = (name) => h("li", {}, h("span", { class: "edge-row still" }, h("span", {}, name.replace(">", " → ")), h("b", {}, mine.has(name) ? interp.signed(mine.get(name), 3) : "–"), h("b", {}, theirs.has(name) ? interp.signed(theirs.get(name), 3) : "–")));
    const strongest = (names, from) => names.sort((a, b) => Math.abs(from.get(b)) - Math.abs(from.get(a))).slice(0, 8);
    const list = (title, names, from) => h("div", {}, h("h3", {}, title), names.length ? h("ol", { class: "edges" }, strongest(names, from).map(row)) : h("p", { class: "note" }, "none"));
    el.replaceChildren(...[
      button,
      h("p", { class: "note" }, `Compared with ${payload.name}.`),
      h("div", { class: "change" },
        h("div", {}, h("span", {}, "shared edges"), h("strong", { "data-value": "shared" }, `${shared.length} of ${mine.size} and ${theirs.size}`)),
        h("div", {}, h("span", {}, "Jaccard index"), h("strong", {}, (shared.length / (union || 1)).toFixed(2))),
        h("div", {}, h("span", {}, "shared nodes"), h("strong", {}, `${both.length} of ${nodes.size} and ${payload.nodes.length}`))),
      list("shared by both", shared, mine),
      list(`only in this one`, [...mine.keys()].filter((name) => !theirs.has(name)), mine),
      list("only in the other", [...theirs.keys()].filter((name) => !mine.has(name)), theirs)].filter(Boolean));
    el.dataset.key = payload.key || "kept";
  };
})();
