// The selected node, or its folded group: its edges as a table, so that every one can be cut from the keyboard too.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const { allCut, nameOf, cutName, edgesOf, groups, isCut, isPicked, nodesOf, pickedNode, toggleCut } = interp.circuit;
  const MAX = 30;
  const serialize = ({ name, nodes, folded }) => `${name}:${nodes.join("+")}${folded ? ":folded" : ""}`;
  const regroup = (list) => interp.update({ groups: list.filter(({ nodes }) => nodes.length).map(serialize) });

  const table = (title, list, words) => {
    const row = (edge) => {
      const [cut, name] = [isCut(edge), cutName(edge)];
      return h(
        cut ? "button.edge-row.cut" : "button.edge-row",
        { "aria-pressed": String(!cut), "data-cut": name, onclick: () => toggleCut(edge.parts) },
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
    const keys = new Set();
    return list.filter((edge) => {
      const key = `${cutName(edge)}@${edge.pos}`;
      return !keys.has(key) && keys.add(key);
    });
  };
  // A node is in one group at most
  const groupControls = (name) => {
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
      const title = field.value.replace(/[,:+]/g, " ").trim();
      if (!title) {
        interp.say("Write the group's name first");
        return;
      }
      const rest = without();
      const existing = rest.find((group) => group.name === title);
      if (existing) existing.nodes.push(name);
      else rest.push({ name: title, nodes: [name], folded: false });
      regroup(rest);
    };
    interp.onEnter(field, join);
    const quiet = (words, next, attributes) =>
      h("button.quiet", { onclick: () => regroup(next()), ...attributes }, words);
    const groupItem = (group) => {
      const dissolve = () => list.filter((one) => one !== group);
      const fold = () => list.map((one) => (one === group ? { ...one, folded: !one.folded } : one));
      const close = quiet("✕", dissolve, { "aria-label": `Dissolve ${group.name}` });
      const words = group.folded ? "unfold" : "fold into one node";
      const turn = quiet(words, fold, { "data-fold": group.name, "aria-label": `${words}: ${group.name}` });
      return h("li", h("span.chip", h("strong", group.name), ` ${group.nodes.map(nameOf).join(", ")}`, turn, close));
    };
    const row = h(
      "div.group-row",
      field,
      interp.act("Put in group", join, { "data-act": "group" }),
      mine && quiet("take out", without),
    );
    return { mine, controls: [row, list.length > 0 && h("ol.group-list", list.map(groupItem))] };
  };
  interp.draw.circuitnode = (el, payload) => {
    const name = pickedNode();
    if (!payload || !name) {
      interp.fill(el, payload && h("p.note", "Click a node."));
      return;
    }
    const { cuts } = interp.view;
    const place = payload.nodes.find(isPicked);
    const nodes = place ? nodesOf(place) : [name];
    const whole = nodes.length > 1 ? "group" : "node";
    const edges = edgesOf(payload).filter(({ verdict }) => verdict !== "missed");
    const into = once(edges.filter(({ reads }) => reads.includes(name)));
    const out = once(edges.filter(({ writes }) => writes.includes(name)));
    const measure = `score in ${Object.keys(payload.limits).filter(Boolean).join(" or ") || payload.unit}`;
    const words = `${allCut(nodes) ? "Restore" : "Cut"} the ${whole}`;
    const { mine, controls } = groupControls(name);
    interp.fill(
      el,
      h(
        "div.node-head",
        h("h3.node-name", place ? place[4] : nameOf(name)),
        mine && h("span.chip", mine.name),
        name !== "logits" && interp.act(words, () => toggleCut(nodes), { "data-act": "cut-node" }),
        cuts.length > 0 &&
          h("button.quiet", { onclick: () => interp.update({ cuts: [] }) }, `restore all ${cuts.length}`),
      ),
      h(
        "div.stack",
        table(`reads (${measure})`, into, ({ names }) => names.join(" → ")),
        table(`is read by (${measure})`, out, ({ names }) => names[1]),
      ),
      controls,
    );
  };
})();
