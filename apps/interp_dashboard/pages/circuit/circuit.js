// The circuit: nodes in layers, edges between them, cut and restored with a click.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const MAX = 30;

  const cutName = (edge) => `${edge.sender}>${edge.receiver}`;
  const isCut = (edge) => [cutName(edge), edge.sender, edge.reader].some((part) => interp.view.cuts.includes(part));
  const toggleCut = (part) => interp.toggle("cuts", part);
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
    interp.view.picked || (interp.view.layer === null ? "" : interp.headNode(interp.view.layer, interp.view.head));
  const pick = ([name, , , , , layer, head]) =>
    interp.update(layer === null ? { picked: name } : { picked: "", layer, head, key: null });

  const edgesOf = (payload) =>
    payload.edges.map(([from, to, receiver, score]) => {
      const [sender, pos] = payload.nodes[from];
      return { from, to, sender, receiver, reader: payload.nodes[to][0], score, pos };
    });

  // How many edges: the slider runs over the logarithm
  const toSlider = (edges, payload) => Math.round((1000 * Math.log(Math.max(1, edges))) / Math.log(payload.all));
  const fromSlider = (at, payload) => Math.max(1, Math.round(Math.exp((at / 1000) * Math.log(payload.all))));
  const counted = (number) => number.toLocaleString("en");
  let waiting = null;
  const buildSize = (el) => {
    const label = "Number of edges kept, on a logarithmic scale";
    const slider = h("input.slider", { type: "range", min: "0", max: "1000", step: "1", "aria-label": label });
    const number = h("output.slider-value");
    const note = h("p.note.counted", { role: "status" });
    slider.addEventListener("input", () => {
      const edges = fromSlider(Number(slider.value), el.payload);
      number.textContent = counted(edges);
      clearTimeout(waiting);
      waiting = setTimeout(() => interp.update({ edges }), 160);
    });
    interp.fill(el, h("label.slider-row", h("span", "edges"), slider, number), note);
    return { slider, number, note };
  };
  interp.show("circuitsize", (el, payload) => {
    el.parts ||= buildSize(el);
    el.payload = payload;
    const { slider, number, note } = el.parts;
    slider.disabled = payload.fixed && payload.kept <= 1;
    if (document.activeElement !== slider) slider.value = toSlider(interp.view.edges, payload);
    number.textContent = counted(interp.view.edges);
    const [drawn, of, nominal, kept, all] = ["drawn", "of", "nominal", "kept", "all"].map((name) =>
      counted(payload[name]),
    );
    interp.fill(
      note,
      h("b", `${drawn} of ${of} shown`),
      `${payload.placed ? " at one position or another" : ""} · ${nominal} edges asked for, ${kept} left without those that dangle · ${all} in the model`,
    );
  });

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
  // From a shade that is seen upwards; two hues where scores have sides
  const colourOf = (score, limit, supports) => {
    const size = Math.sqrt(Math.abs(score) / limit);
    return supports
      ? interp.rgb("diverging", interp.bySign(Math.sign(score) * (0.44 + 0.56 * size) ** 2, 1, supports))
      : interp.rgb("sequential", 0.35 + 0.65 * size);
  };

  const axes = (payload, at) => {
    const { layers, heads } = interp.model;
    const every = layers > 16 ? 5 : 1;
    const level = (layer) =>
      layer % every === 0 && [
        h("text.tick.end", { x: LEFT - 10, y: at.y(layer) + 4 }, String(layer)),
        h("line.rule", { x1: LEFT, x2: at.width - 8, y1: at.y(layer), y2: at.y(layer) }),
      ];
    const column = (text, i) => {
      const [x, y] = [at.x(i), at.y(-1) + 24];
      if (!payload.placed) return h("text.tick.mid", { x, y }, text);
      return h("text.tick.end", { x, y, transform: `rotate(-38 ${x} ${y})` }, interp.shortToken(text, 10));
    };
    const names = payload.placed ? interp.tokens() : [...Array(heads).keys(), "MLP"];
    return [Array.from({ length: layers }, (_, layer) => level(layer)), names.map(column)];
  };
  const edgeLine = (payload, edge, [x1, y1], [x2, y2], limit) => {
    const bend = (y1 - y2) * 0.45;
    const d = `M${x1} ${y1}C${x1} ${y1 - bend} ${x2} ${y2 + bend} ${x2} ${y2}`;
    const off = isCut(edge);
    const colour = off ? "var(--muted)" : colourOf(edge.score, limit, payload.supports);
    const width = (0.9 + 3.4 * Math.sqrt(Math.abs(edge.score) / limit)).toFixed(2);
    const hit = h("path.edge-hit", { d, "data-edge": cutName(edge), onclick: () => toggleCut(cutName(edge)) });
    const place = edge.pos === null ? "" : ` at ${edge.pos} ${interp.quotedAt(edge.pos)}`;
    interp.hover(hit, () => [
      `${edge.sender} → ${edge.receiver}${place}`,
      `score ${interp.signed(edge.score, 3)} ${payload.unit}`,
      off ? "cut: click to restore it" : "click to cut it",
    ]);
    return [h(off ? "path.edge.cut" : "path.edge", { d, style: `stroke:${colour};stroke-width:${width}` }), hit];
  };
  const nodeButton = (node, i, [x, y], edges, unit) => {
    const [name, pos, , , called, layer] = node;
    const cut = interp.view.cuts.includes(name);
    const grouped = groups();
    const group = grouped.findIndex(({ nodes }) => nodes.includes(name));
    const label = `${called}${cut ? ", cut" : ""}${group < 0 ? "" : `, in ${grouped[group].name}`}`;
    const choose = () => pick(node);
    const button = h(
      "g",
      {
        class: `node ${name === pickedNode() ? "picked" : ""} ${cut ? "cut" : ""}`,
        tabindex: "0",
        role: "button",
        "aria-label": label,
        "data-node-name": name,
        transform: `translate(${x} ${y})`,
        onclick: choose,
      },
      group >= 0 && h("circle", { r: 11, class: `halo halo-${group % 5}` }),
      layer === null ? h("rect.dot", { x: -6, y: -5, width: 12, height: 10, rx: 2 }) : h("circle.dot", { r: 5.5 }),
      (name === "embed" || name === "logits") && h("text.end-name", { x: 12, y: 4 }, name),
    );
    interp.onEnter(button, choose, ["Enter", " "]);
    interp.hover(button, () => {
      const out = edges.filter(({ from }) => from === i);
      const into = edges.filter(({ to }) => to === i);
      const sum = out.reduce((total, { score }) => total + score, 0);
      return [
        `${called}${pos === null ? "" : ` at ${pos}`}`,
        `reads ${into.length} edges shown, writes ${out.length}`,
        ...(out.length ? [`sum of what it writes ${interp.signed(sum, 3)} ${unit}`] : []),
      ];
    });
    return button;
  };
  // A group's name stands at its upper right
  const groupName = ({ name, nodes }, payload, spots, width) => {
    const own = spots.filter((_, i) => nodes.includes(payload.nodes[i][0]));
    if (!own.length) return null;
    const x = Math.max(...own.map(([across]) => across));
    const y = Math.min(...own.map(([, up]) => up)) - 9;
    const late = x > width - 90;
    return h(late ? "text.group-name.end" : "text.group-name", { x: x + (late ? -12 : 12), y }, name);
  };

  interp.show("circuit", (el, payload) => {
    const at = grid(el, payload);
    const edges = edgesOf(payload);
    const limit = Math.max(1e-9, ...edges.map(({ score }) => Math.abs(score || 0)));
    const spots = payload.nodes.map(([, , across, level]) => [at.x(across), at.y(level)]);
    const label = `Circuit of ${payload.drawn} edges; its nodes are buttons, and the table of the selected node lists its edges`;
    const svg = h(
      "svg.graph",
      { width: at.width, height: at.height, role: "group", "aria-label": label },
      axes(payload, at),
      // Weak edges first, so that strong ones lie on top
      edges.toReversed().map((edge) => edgeLine(payload, edge, spots[edge.from], spots[edge.to], limit)),
      payload.nodes.map((node, i) => nodeButton(node, i, spots[i], edges, payload.unit)),
      groups().map((group) => groupName(group, payload, spots, at.width)),
    );
    const { supports, unit, method, measured } = payload;
    const said = `${method}, score${unit && ` (${unit})`}: ${measured}`;
    const legend = supports
      ? interp.legend("diverging", interp.signed(-limit), interp.signed(limit), said, supports)
      : interp.legend("sequential", "0", limit.toFixed(2), said);
    interp.fill(
      el,
      h("div.legend-place", legend),
      h("div.scroll.graph-scroll", { tabindex: "0", role: "group", "aria-label": "Circuit" }, svg),
    );
  });

  // The selected node: its edges as a table, so that every one can be cut from the keyboard too
  const table = (title, list, words) => {
    const row = (edge) => {
      const [cut, name] = [isCut(edge), cutName(edge)];
      return h(
        cut ? "button.edge-row.cut" : "button.edge-row",
        { "aria-pressed": String(!cut), "data-cut": name, onclick: () => toggleCut(name) },
        h("span", words(edge) + (edge.pos === null ? "" : ` at ${edge.pos}`)),
        h("b", interp.signed(edge.score, 3)),
        h("span.edge-act", cut ? "restore" : "cut"),
      );
    };
    const rows = list.slice(0, MAX).map((edge) => h("li", row(edge)));
    return h(
      "div",
      h("h3", title),
      rows.length ? h("ol.edges", rows) : h("p.note", "none"),
      list.length > MAX && h("p.note", `${MAX} of ${list.length} shown`),
    );
  };
  const once = (list) => {
    const seen = new Set();
    return list.filter((edge) => {
      const key = `${cutName(edge)}@${edge.pos}`;
      return !seen.has(key) && seen.add(key);
    });
  };
  // A node is in one group at most
  const grouping = (name) => {
    const list = groups();
    const mine = list.find(({ nodes }) => nodes.includes(name));
    const without = () => list.map((group) => ({ ...group, nodes: group.nodes.filter((node) => node !== name) }));
    const field = h("input.group-field", {
      type: "text",
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
      const rest = without();
      const there = rest.find((group) => group.name === wanted);
      if (there) there.nodes.push(name);
      else rest.push({ name: wanted, nodes: [name] });
      regroup(rest);
    };
    interp.onEnter(field, join);
    const quiet = (words, next, attributes) =>
      h("button.quiet", { onclick: () => regroup(next()), ...attributes }, words);
    const known = (group) => {
      const dissolve = () => list.filter((one) => one !== group);
      const close = quiet("✕", dissolve, { "aria-label": `Dissolve ${group.name}` });
      return h("li", h("span.chip", h("strong", group.name), ` ${group.nodes.join(" ")}`, close));
    };
    const row = h(
      "div.group-row",
      field,
      interp.act("Put in group", join, { "data-act": "group" }),
      mine && quiet("take out", without),
    );
    return { mine, controls: [row, list.length > 0 && h("ol.group-list", list.map(known))] };
  };
  interp.draw.circuitnode = (el, payload) => {
    const name = pickedNode();
    if (!payload || !name) {
      interp.fill(el, payload && h("p.note", "Click a node."));
      return;
    }
    const { cuts } = interp.view;
    const place = payload.nodes.find(([node]) => node === name);
    const edges = edgesOf(payload);
    const into = once(edges.filter(({ to }) => payload.nodes[to][0] === name));
    const out = once(edges.filter(({ sender }) => sender === name));
    const measure = payload.unit && ` (score in ${payload.unit})`;
    const words = cuts.includes(name) ? "Restore the node" : "Cut the node";
    const { mine, controls } = grouping(name);
    interp.fill(
      el,
      h(
        "div.node-head",
        h("h3.node-name", place ? place[4] : interp.nodeName(name)),
        mine && h("span.chip", mine.name),
        name !== "logits" && interp.act(words, () => toggleCut(name), { "data-act": "cut-node" }),
        cuts.length > 0 &&
          h("button.quiet", { onclick: () => interp.update({ cuts: [] }) }, `restore all ${cuts.length}`),
      ),
      h(
        "div.stack",
        table(`reads${measure}`, into, ({ sender, receiver }) => `${sender} → ${receiver}`),
        table(`is read by${measure}`, out, ({ receiver }) => receiver),
      ),
      controls,
    );
  };

  // A kept circuit is what defines it: the question, the method, the size
  interp.draw.circuitkeep = (el) => {
    const edited = interp.view.cuts.length + interp.view.groups.length > 0;
    const keep = () => {
      interp.update({ kept: JSON.stringify(interp.model.defining.map((name) => interp.view[name])), versus: "kept" });
      interp.say(
        `Kept${edited ? ", without its cuts and groups" : ""}: change the prompt, the method or the slider to compare`,
      );
    };
    interp.fill(el, interp.act("Keep this circuit", keep, { "data-act": "keep" }));
  };
})();
