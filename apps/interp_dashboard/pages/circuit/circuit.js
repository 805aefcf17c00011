// The circuit: nodes in layers, edges between them, cut and restored with a click.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  // An edge stands for one edge of the circuit, or in a folded group for several
  const cutName = (edge) => edge.parts[0];
  const nodesOf = ([name, , , , , , , members]) => (members.length ? members : [name]);
  const allCut = (parts) => parts.length > 0 && parts.every((part) => interp.view.cuts.includes(part));
  const isCut = (edge) => allCut(edge.parts) || allCut(edge.writes) || allCut(edge.reads);
  const toggleCut = (parts) => {
    const others = interp.view.cuts.filter((part) => !parts.includes(part));
    interp.update({ cuts: allCut(parts) ? others : [...others, ...parts] });
  };
  const groups = () =>
    interp.view.groups.map((text) => {
      const [name, nodes, folded] = text.split(":");
      return { name, nodes: (nodes || "").split("+"), folded: folded === "folded" };
    });

  // The node whose edges are listed: the one picked, or the selected head; in a folded group, the group
  const pickedNode = () =>
    interp.view.picked || (interp.view.layer === null ? "" : interp.headNode(interp.view.layer, interp.view.head));
  const isPicked = (node) => nodesOf(node).includes(pickedNode());
  const pick = (node) => {
    const [first] = nodesOf(node);
    const [, layer, head] = first.match(/^a(\d+)\.(\d+)$/) || [];
    interp.update(layer === undefined ? { picked: first } : { picked: "", layer: +layer, head: +head, key: null });
  };

  // The label of a node or of one of its inputs
  const KINDS = { a: "head", m: "MLP", q: "query", k: "key", v: "value" };
  const nameOf = (name) => (/^[amqkv]\d/.test(name) ? `${KINDS[name[0]]} ${name.slice(1)}` : name);
  const edgesOf = (payload) =>
    payload.edges.map(([from, to, receiver, score, unit, parts, verdict]) => {
      const [start, end] = [payload.nodes[from], payload.nodes[to]];
      const names = [start[4], receiver ? nameOf(receiver) : end[4]];
      return {
        from,
        to,
        names,
        score,
        unit,
        parts,
        verdict,
        writes: nodesOf(start),
        reads: nodesOf(end),
        pos: start[1],
      };
    });
  interp.circuit = { allCut, nameOf, cutName, edgesOf, groups, isCut, isPicked, nodesOf, pickedNode, toggleCut };

  // How many edges: the slider runs over the logarithm
  const toSlider = (edges, payload) => Math.round((1000 * Math.log(Math.max(1, edges))) / Math.log(payload.all));
  const fromSlider = (at, payload) => Math.max(1, Math.round(Math.exp((at / 1000) * Math.log(payload.all))));
  const formatCount = (number) => number.toLocaleString("en");
  let waiting = null;
  const buildSize = (el) => {
    const label = "Number of edges kept, on a logarithmic scale";
    const slider = h("input.slider", { type: "range", min: "0", max: "1000", step: "1", "aria-label": label });
    const number = h("output.slider-value");
    const note = h("p.note.counted", { role: "status" });
    slider.addEventListener("input", () => {
      const edges = fromSlider(Number(slider.value), el.payload);
      number.textContent = formatCount(edges);
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
    const edges = payload.fixed ? payload.kept : interp.view.edges;
    slider.disabled = payload.fixed;
    if (document.activeElement !== slider) slider.value = toSlider(edges, payload);
    number.textContent = formatCount(edges);
    const [visible, of, nominal, size, all] = ["drawn", "of", "nominal", "kept", "all"].map((name) =>
      formatCount(payload[name]),
    );
    const origin = payload.fixed
      ? `${size} edges found by the search`
      : `${nominal} edges asked for, ${size} left without those that dangle`;
    interp.fill(
      note,
      h("b", `${visible} of ${of} shown`),
      payload.placed && " at one position or another",
      ` · ${origin} · ${all} in the model`,
      payload.unscored > 0 && ` · ${formatCount(payload.unscored)} without a score of their own`,
      h("b", interp.fresh("circuit_runs") && ` · ${interp.fresh("circuit_runs").title.split(";")[0]}`),
    );
  });

  // Where nodes stand
  const LEFT = 40;
  const TOP = 26;
  const grid = (el, payload) => {
    const { layers, heads } = interp.model;
    const row = layers > 16 ? 21 : 34;
    const columns = payload.placed ? interp.tokens().length : heads + 1;
    const wide = Math.max(payload.placed ? 26 : 30, (el.clientWidth - LEFT - 48) / columns);
    const width = LEFT + columns * wide + 44;
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
  // Of a model whose circuit is known: told by colour and by dash
  const VERDICTS = { kept: "found and true", missed: "true, not found", wrong: "found, not true" };
  const COLOURS = { kept: () => "var(--accent)", missed: () => "var(--ink)", wrong: () => interp.sideColour(-1, "+") };
  const judgement = ({ judged }) => {
    const { precision, recall } = judged;
    const share = (value) => (Number.isFinite(value) ? value.toFixed(2) : "–");
    const sample = (verdict) =>
      h(
        "svg",
        { width: 30, height: 8, "aria-hidden": "true" },
        h(`path.edge.judged.${verdict}`, { d: "M1 4H29", style: `stroke:${COLOURS[verdict]()}` }),
      );
    return [
      h(
        "ul.verdicts",
        Object.entries(VERDICTS).map(([verdict, words]) =>
          h("li", { "data-verdict": verdict }, sample(verdict), h("b", judged[verdict]), ` ${verdict}: ${words}`),
        ),
      ),
      h(
        "span.legend-said",
        `against the ${interp.view.truth} truth: precision ${share(precision)}, recall ${share(recall)}`,
      ),
    ];
  };
  const edgeLine = (payload, edge, [x1, y1], [x2, y2]) => {
    const bend = (y1 - y2) * 0.45;
    const d = `M${x1} ${y1}C${x1} ${y1 - bend} ${x2} ${y2 + bend} ${x2} ${y2}`;
    const off = isCut(edge);
    const limit = payload.limits[edge.unit];
    const colour = off || edge.score === null ? "var(--muted)" : colourOf(edge.score, limit, payload.supports);
    const width = (0.9 + 3.4 * Math.sqrt(Math.abs(edge.score) / limit)).toFixed(2);
    const missed = edge.verdict === "missed";
    const cut = () => toggleCut(edge.parts);
    const hit = h("path.edge-hit", { d, "data-edge": cutName(edge), onclick: !missed && cut });
    const place = edge.pos === null ? "" : ` at ${edge.pos} ${interp.quotedAt(edge.pos)}`;
    const several = edge.parts.length > 1 && `, ${payload.adds ? "sum" : "largest"} of ${edge.parts.length} edges`;
    interp.hover(hit, () =>
      [
        `${edge.names.join(" → ")}${place}`,
        `${payload.saying} ${interp.signed(edge.score, 3)} ${edge.unit || payload.unit}${several || ""}`,
        edge.verdict && !off && `${edge.verdict}: ${VERDICTS[edge.verdict]}`,
        off ? "cut: click to restore it" : !missed && "click to cut it",
      ].filter(Boolean),
    );
    if (edge.verdict && !off) {
      const style = `stroke:${COLOURS[edge.verdict]()}`;
      return [h(`path.edge.judged.${edge.verdict}`, { d, style }), hit];
    }
    return [h(off ? "path.edge.cut" : "path.edge", { d, style: `stroke:${colour};stroke-width:${width}` }), hit];
  };
  // A name stands beside its node as far as there is room before the next one, otherwise abbreviated
  const nodeName = (node, at, room) => {
    const [name, , , , words, layer] = node;
    const short = layer === null ? name.replace(/^group:/, "") : name.slice(1);
    const text = [words, short].find((word) => word.length * 5.9 + 16 < room);
    return text && h("text.node-name-at", { x: 9 / at.zoom, y: 3.5 / at.zoom, "font-size": 10.5 / at.zoom }, text);
  };
  const nodeButton = (node, i, [x, y], edges, { at, room, payload }) => {
    const [name, pos, , , words, layer, , members] = node;
    const cut = allCut(nodesOf(node));
    const list = groups();
    const group = list.findIndex(({ nodes }) => nodes.includes(nodesOf(node)[0]));
    const label = `${words}${cut ? ", cut" : ""}${group < 0 || members.length ? "" : `, in ${list[group].name}`}`;
    const choose = () => pick(node);
    const shape = members.length
      ? h("rect.dot", { x: -9, y: -7, width: 18, height: 14, rx: 5 })
      : layer === null
        ? h("rect.dot", { x: -6, y: -5, width: 12, height: 10, rx: 2 })
        : h("circle.dot", { r: 5.5 });
    const button = h(
      "g",
      {
        class: `node ${isPicked(node) ? "picked" : ""} ${cut ? "cut" : ""}`,
        tabindex: "0",
        role: "button",
        "aria-label": label,
        "data-node-name": name,
        transform: `translate(${x} ${y})`,
        onclick: choose,
      },
      group >= 0 && h("circle", { r: members.length ? 14 : 11, class: `halo halo-${group % 5}` }),
      shape,
      nodeName(node, at, room),
    );
    interp.onEnter(button, choose, ["Enter", " "]);
    interp.hover(button, () => {
      const out = edges.filter(({ from }) => from === i);
      const into = edges.filter(({ to }) => to === i);
      const sum = out.reduce((total, { score }) => total + score, 0);
      return [
        `${words}${pos === null ? "" : ` at ${pos}`}`,
        ...(members.length ? [members.map(nameOf).join(", ")] : []),
        `reads ${into.length} edges shown, writes ${out.length}`,
        ...(out.length && payload.adds ? [`sum of what it writes ${interp.signed(sum, 3)} ${payload.unit}`] : []),
      ];
    });
    return button;
  };
  // A group's name stands at its upper right
  const groupName = ({ name, nodes, folded }, payload, spots, width) => {
    const own = spots.filter((_, i) => nodes.includes(payload.nodes[i][0]));
    if (!own.length || folded) return null;
    const x = Math.max(...own.map(([across]) => across));
    const y = Math.min(...own.map(([, up]) => up)) - 9;
    const late = x > width - 90;
    return h(late ? "text.group-name.end" : "text.group-name", { x: x + (late ? -12 : 12), y }, name);
  };

  // The drawing is as large as its zoom says, and moves with the pointer; names keep their size
  const LEAST = 25;
  const MOST = 400;
  const zoomTo = (zoom) => interp.update({ zoom: Math.max(LEAST, Math.min(MOST, Math.round(zoom))) });
  const panAndZoom = (box) => {
    let from = null;
    box.addEventListener("pointerdown", (event) => {
      if (!event.target.closest("[data-edge], [data-node-name]"))
        from = [event.clientX + box.scrollLeft, event.clientY + box.scrollTop];
    });
    box.addEventListener("pointermove", (event) => {
      if (from && event.buttons) [box.scrollLeft, box.scrollTop] = [from[0] - event.clientX, from[1] - event.clientY];
      else from = null;
    });
    box.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey) return;
        event.preventDefault();
        zoomTo(interp.view.zoom * (event.deltaY < 0 ? 1.15 : 1 / 1.15));
      },
      { passive: false },
    );
  };
  const zoomButtons = (at) => {
    const button = (words, label, zoom) =>
      interp.act(words, () => zoomTo(zoom), { "aria-label": label, "data-zoom": words });
    return h(
      "div.zooms",
      { role: "group", "aria-label": "Zoom" },
      button("−", "Zoom out", interp.view.zoom / 1.25),
      button("fit", "Fit the drawing to the window", Math.min(100, (85 * window.innerHeight) / at.height)),
      button("+", "Zoom in", interp.view.zoom * 1.25),
      h("span", `${interp.view.zoom} %`),
    );
  };
  // How far it is to the next node on the same height
  const rooms = (spots, at) =>
    spots.map(([x, y]) => {
      const next = spots.filter((spot) => Math.abs(spot[1] - y) < 6 && spot[0] > x + 1).map((spot) => spot[0] - x);
      return Math.min(...next, at.width + 12 - x) * at.zoom;
    });

  interp.show("circuit", (el, payload) => {
    const at = { ...grid(el, payload), zoom: interp.view.zoom / 100 };
    const edges = edgesOf(payload);
    const spots = payload.nodes.map(([, , across, level]) => [at.x(across), at.y(level)]);
    const room = rooms(spots, at);
    const label = `Circuit of ${payload.drawn} edges; its nodes are buttons, and the table of the selected node lists its edges`;
    const svg = h(
      "svg.graph",
      {
        width: at.width * at.zoom,
        height: at.height * at.zoom,
        viewBox: `0 0 ${at.width} ${at.height}`,
        role: "group",
        "aria-label": label,
      },
      axes(payload, at),
      // Weak edges first, so that strong ones lie on top
      edges.toReversed().map((edge) => edgeLine(payload, edge, spots[edge.from], spots[edge.to])),
      payload.nodes.map((node, i) => nodeButton(node, i, spots[i], edges, { at, room: room[i], payload })),
      groups().map((group) => groupName(group, payload, spots, at.width)),
    );
    const { supports, method, limits, saying } = payload;
    const units = Object.keys(limits);
    const limit = limits[units[0]] || 1;
    const scales = units.map((unit) => `${unit} ±${limits[unit].toFixed(2)}`).join(", ");
    const measure = `${saying === "effect" ? "effect of cutting the edge" : saying} (${units[0] || payload.unit}), ${method}`;
    const legend = payload.judged
      ? judgement(payload)
      : units.length > 1
        ? interp.legend("diverging", "−", "+", `${saying}, ${method}; each unit on its own scale: ${scales}`, supports)
        : supports
          ? interp.legend("diverging", interp.signed(-limit), interp.signed(limit), measure, supports)
          : interp.legend("sequential", "0", limit.toFixed(2), `share of what is read, ${method}: not an effect`);
    const box = h("div.scroll.graph-scroll", { tabindex: "0", role: "group", "aria-label": "Circuit" }, svg);
    panAndZoom(box);
    interp.fill(el, h("div.legend-place", legend, zoomButtons(at)), box);
  });

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
