// The circuit: nodes in layers, edges between them, cut and restored with a click.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const MAX = 30;

  const cutName = (edge) => `${edge.sender}>${edge.receiver}`;
  const isCut = (edge) => interp.view.cuts.includes(cutName(edge)) || interp.view.cuts.includes(edge.sender);
  const toggleCut = (part) => {
    const { cuts } = interp.view;
    interp.update({ cuts: cuts.includes(part) ? cuts.filter((cut) => cut !== part) : [...cuts, part] });
  };
  const groups = () =>
    interp.view.groups.map((text) => {
      const [name, nodes] = text.split(":");
      return { name, nodes: (nodes || "").split("+") };
    });
  const regroup = (list) =>
    interp.update({
      groups: list.filter(({ nodes }) => nodes.length).map(({ name, nodes }) => `${name}:${nodes.join("+")}`),
    });

  // The node whose edges are listed: the one picked, or the selected head
  const pickedNode = () =>
    interp.view.picked || (interp.view.layer === null ? "" : `a${interp.view.layer}.${interp.view.head}`);
  const pick = ([name, , , , , layer, head]) =>
    interp.update(layer === null ? { picked: name } : { picked: "", layer, head, key: null });

  const edgesOf = (payload) =>
    payload.edges.map(([from, to, receiver, score]) => {
      const [sender, pos] = payload.nodes[from];
      return { from, to, sender, receiver, score, pos };
    });

  // How many edges: the slider runs over the logarithm
  const toSlider = (edges, payload) => Math.round((1000 * Math.log(Math.max(1, edges))) / Math.log(payload.all));
  const fromSlider = (at, payload) => Math.max(1, Math.round(Math.exp((at / 1000) * Math.log(payload.all))));
  let waiting = null;
  interp.draw.circuitsize = (el, payload) => {
    if (!payload) {
      el.replaceChildren();
      el.parts = null;
      return;
    }
    if (!el.parts) {
      const slider = h("input", {
        type: "range",
        min: "0",
        max: "1000",
        step: "1",
        class: "slider",
        "aria-label": "Number of edges kept, on a logarithmic scale",
      });
      const number = h("output", { class: "slider-value" });
      const note = h("p", { class: "note counted", role: "status" });
      slider.addEventListener("input", () => {
        const edges = fromSlider(Number(slider.value), el.payload);
        number.textContent = edges.toLocaleString("en");
        clearTimeout(waiting);
        waiting = setTimeout(() => interp.update({ edges }), 160);
      });
      el.replaceChildren(h("label", { class: "slider-row" }, h("span", {}, "edges"), slider, number), note);
      el.parts = { slider, number, note };
    }
    el.payload = payload;
    const { slider, number, note } = el.parts;
    slider.disabled = payload.fixed && payload.kept <= 1;
    if (document.activeElement !== slider) slider.value = toSlider(interp.view.edges, payload);
    number.textContent = interp.view.edges.toLocaleString("en");
    const places = payload.placed ? " at one position or another" : "";
    note.replaceChildren(
      h("b", {}, `${payload.drawn.toLocaleString("en")} of ${payload.of.toLocaleString("en")} shown`),
      `${places} · ${payload.nominal.toLocaleString("en")} edges asked for, ${payload.kept.toLocaleString("en")} left without those that dangle · ${payload.all.toLocaleString("en")} in the model`,
    );
  };

  // Where nodes stand
  const LEFT = 40;
  const TOP = 26;
  const grid = (el, payload) => {
    const { layers, heads } = interp.model;
    const row = layers > 16 ? 21 : 34;
    const columns = payload.placed ? interp.tokens().length : heads + 1;
    const wide = Math.max(payload.placed ? 26 : 30, (el.clientWidth - LEFT - (payload.placed ? 48 : 16)) / columns);
    const width = LEFT + columns * wide + (payload.placed ? 44 : 12);
    const y = (level) => TOP + (layers - level) * row;
    const x = (across) => LEFT + (across + 0.5) * wide;
    return { row, wide, columns, width, height: TOP + (layers + 1) * row + (payload.placed ? 66 : 34), x, y };
  };
  const colourOf = (score, limit, causal) =>
    causal
      ? interp.rgb("diverging", 0.5 + Math.sign(score) * (0.22 + 0.28 * Math.sqrt(Math.abs(score) / limit)))
      : interp.rgb("sequential", 0.35 + 0.65 * Math.sqrt(Math.abs(score) / limit));

  interp.draw.circuit = (el, payload) => {
    if (!payload) {
      el.replaceChildren();
      return;
    }
    const at = grid(el, payload);
    const edges = edgesOf(payload);
    const limit = Math.max(1e-9, ...edges.map(({ score }) => Math.abs(score || 0)));
    const svg = h("svg", {
      width: at.width,
      height: at.height,
      class: "graph",
      role: "group",
      "aria-label": `Circuit of ${payload.drawn} edges; its nodes are buttons, and the table of the selected node lists its edges`,
    });
    const { layers, heads } = interp.model;
    for (let layer = 0; layer < layers; layer += layers > 16 ? 5 : 1)
      svg.append(
        h("text", { x: LEFT - 10, y: at.y(layer) + 4, class: "tick", "text-anchor": "end" }, String(layer)),
        h("line", { x1: LEFT, x2: at.width - 8, y1: at.y(layer), y2: at.y(layer), class: "rule" }),
      );
    const names = payload.placed
      ? interp.tokens().map((token) => interp.shortToken(token, 10))
      : [...Array.from({ length: heads }, (_, i) => String(i)), "MLP"];
    names.forEach((text, i) => {
      const x = LEFT + (i + 0.5) * at.wide;
      const y = at.y(-1) + 24;
      svg.append(
        h(
          "text",
          {
            x,
            y,
            class: "tick",
            "text-anchor": payload.placed ? "end" : "middle",
            transform: payload.placed ? `rotate(-38 ${x} ${y})` : null,
          },
          text,
        ),
      );
    });
    const spots = payload.nodes.map(([, , across, level]) => [at.x(across), at.y(level)]);
    // Weak edges first, so that strong ones lie on top
    for (const edge of edges.toReversed()) {
      const [x1, y1] = spots[edge.from];
      const [x2, y2] = spots[edge.to];
      const bend = (y1 - y2) * 0.45;
      const d = `M${x1} ${y1}C${x1} ${y1 - bend} ${x2} ${y2 + bend} ${x2} ${y2}`;
      const off = isCut(edge);
      svg.append(
        h("path", {
          d,
          class: `edge ${off ? "cut" : ""}`,
          style: `stroke:${off ? "var(--muted)" : colourOf(edge.score, limit, payload.causal)};stroke-width:${(0.9 + 3.4 * Math.sqrt(Math.abs(edge.score) / limit)).toFixed(2)}`,
        }),
      );
      const hit = h("path", { d, class: "edge-hit", "data-edge": cutName(edge) });
      hit.addEventListener("click", () => toggleCut(cutName(edge)));
      hit.addEventListener("mousemove", (event) =>
        interp.tip(event, [
          `${edge.sender} → ${edge.receiver}${edge.pos === null ? "" : ` at ${edge.pos} ${interp.quoted(interp.tokens()[edge.pos] || "")}`}`,
          `${payload.causal ? "effect" : "share"} ${interp.signed(edge.score, 3)} ${payload.unit}`,
          off ? "cut: click to restore it" : "click to cut it",
        ]),
      );
      hit.addEventListener("mouseleave", (event) => interp.tip(event, null));
      svg.append(hit);
    }
    const now = pickedNode();
    const grouped = groups();
    payload.nodes.forEach((node, i) => {
      const [name, pos, , , called, layer] = node;
      const [x, y] = spots[i];
      const cut = interp.view.cuts.includes(name);
      const group = grouped.findIndex(({ nodes }) => nodes.includes(name));
      const button = h("g", {
        class: `node ${name === now ? "picked" : ""} ${cut ? "cut" : ""}`,
        tabindex: "0",
        role: "button",
        "aria-label": `${called}${cut ? ", cut" : ""}${group < 0 ? "" : `, in ${grouped[group].name}`}`,
        "data-node-name": name,
        transform: `translate(${x} ${y})`,
      });
      if (group >= 0) button.append(h("circle", { r: 11, class: `halo halo-${group % 5}` }));
      button.append(
        layer !== null
          ? h("circle", { r: 5.5, class: "dot" })
          : h("rect", { x: -6, y: -5, width: 12, height: 10, rx: 2, class: "dot" }),
      );
      if (name === "embed" || name === "logits") button.append(h("text", { x: 12, y: 4, class: "end-name" }, name));
      const choose = () => pick(node);
      button.addEventListener("click", choose);
      button.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          choose();
        }
      });
      button.addEventListener("mousemove", (event) => {
        const out = edges.filter((edge) => edge.from === i);
        const into = edges.filter((edge) => edge.to === i);
        const sum = (list) => list.reduce((total, { score }) => total + score, 0);
        interp.tip(event, [
          `${called}${pos === null ? "" : ` at ${pos}`}`,
          `reads ${into.length} edges shown, writes ${out.length}`,
          ...(out.length ? [`sum of what it writes ${interp.signed(sum(out), 3)}`] : []),
        ]);
      });
      button.addEventListener("mouseleave", (event) => interp.tip(event, null));
      svg.append(button);
    });
    grouped.forEach(({ name, nodes }) => {
      const own = payload.nodes.map(([node], j) => (nodes.includes(node) ? spots[j] : null)).filter(Boolean);
      if (!own.length) return;
      const [x, y] = own.reduce(([a, b], [c, d]) => [Math.max(a, c), Math.min(b, d)], [-Infinity, Infinity]);
      const late = x > at.width - 90;
      svg.append(
        h(
          "text",
          { x: x + (late ? -12 : 12), y: y - 9, class: "group-name", "text-anchor": late ? "end" : "start" },
          name,
        ),
      );
    });
    const scroll = h(
      "div",
      { class: "scroll graph-scroll", tabindex: "0", role: "group", "aria-label": "Circuit" },
      svg,
    );
    el.replaceChildren(
      h(
        "div",
        { class: "legend-place" },
        payload.causal
          ? interp.legend("diverging", interp.signed(-limit), interp.signed(limit), true)
          : interp.legend("sequential", "0", limit.toFixed(2)),
        h(
          "span",
          { class: "legend-said" },
          payload.causal
            ? `effect of cutting the edge (${payload.unit}), ${payload.method}`
            : `share of what is read, ${payload.method}: not an effect`,
        ),
      ),
      scroll,
    );
    el.dataset.key = payload.key;
  };

  // The selected node: its edges as a table, so that every one can be cut from the keyboard too
  const table = (title, list, other) =>
    h(
      "div",
      {},
      h("h3", {}, title),
      list.length
        ? h(
            "ol",
            { class: "edges" },
            list
              .slice(0, MAX)
              .map((edge) =>
                h(
                  "li",
                  {},
                  h(
                    "button",
                    {
                      class: `edge-row ${isCut(edge) ? "cut" : ""}`,
                      "aria-pressed": String(!isCut(edge)),
                      "data-cut": cutName(edge),
                      onclick: () => toggleCut(cutName(edge)),
                    },
                    h("span", {}, other(edge)),
                    h("b", {}, interp.signed(edge.score, 3)),
                    h("span", { class: "edge-act" }, isCut(edge) ? "restore" : "cut"),
                  ),
                ),
              ),
          )
        : h("p", { class: "note" }, "none"),
      list.length > MAX ? h("p", { class: "note" }, `${MAX} of ${list.length} shown`) : null,
    );
  interp.draw.circuitnode = (el, payload) => {
    const name = pickedNode();
    if (!payload || !name) {
      el.replaceChildren(h("p", { class: "note" }, "Click a node."));
      return;
    }
    const place = payload.nodes.find((node) => node[0] === name);
    const called = place ? place[4] : interp.nodeName(name);
    const edges = edgesOf(payload);
    const ends = (edge) => payload.nodes[edge.to][0];
    const seen = new Set();
    const once = (list) =>
      list.filter((edge) => {
        const key = `${cutName(edge)}@${edge.pos}`;
        if (seen.has(key)) return false;
        seen.add(key);
        return true;
      });
    const into = once(edges.filter((edge) => ends(edge) === name));
    seen.clear();
    const out = once(edges.filter((edge) => edge.sender === name));
    const where = (edge) => (edge.pos === null ? "" : ` at ${edge.pos}`);
    const list = groups();
    const mine = list.find(({ nodes }) => nodes.includes(name));
    const field = h("input", {
      type: "text",
      class: "group-field",
      maxlength: "30",
      placeholder: "name of a group",
      "aria-label": "Name of the group for this node",
    });
    const join = () => {
      const wanted = field.value.replace(/[,:+]/g, " ").trim();
      if (!wanted) {
        interp.say("Write the group's name first");
        return;
      }
      const rest = list.map((group) => ({ ...group, nodes: group.nodes.filter((node) => node !== name) }));
      const there = rest.find((group) => group.name === wanted);
      if (there) there.nodes.push(name);
      else rest.push({ name: wanted, nodes: [name] });
      regroup(rest);
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        join();
      }
    });
    const cut = interp.view.cuts.includes(name);
    const known = list.map((group) =>
      h(
        "li",
        {},
        h(
          "span",
          { class: "chip" },
          h("strong", {}, group.name),
          ` ${group.nodes.join(" ")}`,
          h(
            "button",
            {
              class: "quiet",
              "aria-label": `Dissolve ${group.name}`,
              onclick: () => regroup(list.filter((one) => one !== group)),
            },
            "✕",
          ),
        ),
      ),
    );
    el.replaceChildren(
      ...[
        h(
          "div",
          { class: "node-head" },
          h("h3", { class: "node-name" }, called),
          mine ? h("span", { class: "chip" }, mine.name) : null,
          name === "logits"
            ? null
            : h(
                "button",
                { class: "button small", "data-act": "cut-node", onclick: () => toggleCut(name) },
                cut ? "Restore the node" : "Cut the node",
              ),
          interp.view.cuts.length
            ? h(
                "button",
                { class: "quiet", onclick: () => interp.update({ cuts: [] }) },
                `restore all ${interp.view.cuts.length}`,
              )
            : null,
        ),
        h(
          "div",
          { class: "stack" },
          table("reads", into, (edge) => `${edge.sender} → ${edge.receiver}${where(edge)}`),
          table("is read by", out, (edge) => `${edge.receiver}${where(edge)}`),
        ),
        h(
          "div",
          { class: "group-row" },
          field,
          h("button", { class: "button small", "data-act": "group", onclick: join }, "Put in group"),
          mine
            ? h(
                "button",
                {
                  class: "quiet",
                  onclick: () =>
                    regroup(list.map((group) => ({ ...group, nodes: group.nodes.filter((node) => node !== name) }))),
                },
                "take out",
              )
            : null,
        ),
        list.length ? h("ol", { class: "group-list" }, known) : null,
      ].filter(Boolean),
    );
    el.dataset.key = payload.key;
  };

  // A kept circuit is what defines it: the question, the method, the size
  interp.draw.circuitkeep = (el) => {
    const keep = () => {
      interp.update({ kept: JSON.stringify(interp.model.defining.map((name) => interp.view[name])), versus: "kept" });
      interp.say("Kept: change the prompt, the method or the slider to compare");
    };
    el.replaceChildren(h("button", { class: "button small", "data-act": "keep", onclick: keep }, "Keep this circuit"));
  };
})();
