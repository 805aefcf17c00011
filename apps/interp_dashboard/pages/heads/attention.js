// The selected head: its pattern as a heat map, and as lines from token to token.
(() => {
  "use strict";
  const interp = window.interp;
  const { h } = interp;
  const shares = (raw) => Float32Array.from(raw, (v) => v / 65535);

  // The selected head's pattern, cut from all of them where the prompt is short
  const decode = (all) => interp.decoded(all, ({ data }) => ({ raw: interp.bytes(data, Uint16Array), heads: {} }));
  const selectedPattern = () => {
    const all = interp.fresh("patterns");
    const { layer, head } = interp.view;
    if (!all?.data || layer === null) return interp.fresh("pattern", ["layer", "head"]);
    const { raw, heads } = decode(all);
    const name = `${layer}.${head}`;
    if (!heads[name]) {
      const area = all.size * all.size;
      const at = (layer * all.heads + head) * area;
      heads[name] = { ...all, key: `${all.key} ${name}`, layer, head };
      interp.decoded(heads[name], () => shares(raw.subarray(at, at + area)));
    }
    return heads[name];
  };
  const matrixOf = (payload) => interp.decoded(payload, ({ data }) => shares(interp.bytes(data, Uint16Array)));
  const queryRow = (payload) => {
    const at = interp.queryAt() * payload.size;
    return matrixOf(payload).subarray(at, at + payload.size);
  };
  const keyAt = (payload) =>
    interp.view.key ?? queryRow(payload).reduce((best, value, i, row) => (value > row[best] ? i : best), 0);
  // What heads are ranked by while their patterns are shown: attention from the selected query to the selected key
  interp.attended = () => {
    const all = interp.fresh("patterns");
    const selected = selectedPattern();
    if (!all?.data || !selected) return {};
    const [query, key, { raw }] = [interp.queryAt(), keyAt(selected), decode(all)];
    const at = (layer, head) => raw[((layer * all.heads + head) * all.size + query) * all.size + key] / 65535;
    const upTo = (count) => [...Array(count).keys()];
    const values = upTo(all.layers).map((layer) => upTo(all.heads).map((head) => at(layer, head)));
    return { values, kind: "sequential", saying: `${interp.quotedAt(query)} to ${interp.quotedAt(key)}` };
  };
  const short = interp.shortToken;
  interp.payloads.pattern = selectedPattern;
  interp.payloads.pattern_lines = selectedPattern;
  interp.facts.push((layer, head) => {
    const pattern = selectedPattern();
    if (!pattern || pattern.layer !== layer || pattern.head !== head) return [];
    const order = Array.from(queryRow(pattern), (weight, key) => [key, weight]).toSorted((a, b) => b[1] - a[1]);
    const at = ([key, weight] = [0, 0]) => (weight > 0.005 ? `${interp.quotedAt(key)} ${weight.toFixed(2)}` : "–");
    return [
      [`${interp.quotedAt(interp.queryAt())} looks most at`, at(order[0])],
      ["then at", at(order[1])],
    ];
  });

  const [MOST, BELOW] = [620, 70];
  const buildPattern = (el) => {
    const canvas = h("canvas", { role: "application", tabindex: "0" });
    const legend = h("div.legend-place");
    const whole = h("div", canvas);
    const box = h("div.scroll.panned", whole);
    el.replaceChildren(legend, box);
    const cells = () => {
      const { cell, size, left, top, high } = el.grid;
      const place = { left: left - box.scrollLeft, top: top - box.scrollTop, axis: left, bottom: top + high };
      return { ...place, wide: cell, high: cell, columns: size, rows: size };
    };
    const act = ({ row: query, column: key }) => interp.update({ query, key });
    const describe = ({ row, column }) => [
      `${interp.quotedAt(row)} → ${interp.quotedAt(column)}`,
      `attention ${el.matrix[row * el.grid.size + column].toFixed(3)}`,
    ];
    interp.cells(canvas, cells, act, describe, () => ({ row: interp.queryAt(), column: keyAt(el.payload) }));
    interp.panned(box, () => paintPattern(el));
    return { canvas, legend, box, whole };
  };

  // A pattern whose tokens cannot be read beside it is shown whole, or near: with its tokens, and the rest to scroll to
  const [LABELLED, WHOLE, NEAR] = [60, 150, 14];
  const sizes = (el, size) => {
    const near = size > LABELLED && (el.near ?? size > WHOLE);
    const labelled = near || size <= LABELLED;
    const left = labelled ? 84 : 8;
    const room = Math.min(el.clientWidth - left - 12, MOST);
    const fit = labelled ? Math.max(11, Math.floor(room / size)) : room / size;
    const cell = near ? NEAR : interp.clamp(fit, 24);
    const high = near ? Math.min(size * cell, MOST) : size * cell;
    return { near, labelled, left, top: 2, size, cell, high };
  };
  const paintRules = (pen, { cell, left, top }, [x, y], [first, last], [begin, end]) => {
    pen.strokeStyle = interp.css("--card");
    pen.lineWidth = 1;
    pen.beginPath();
    for (let i = first; i <= last + 1; i++) {
      pen.moveTo(left + i * cell - x, top + begin * cell - y);
      pen.lineTo(left + i * cell - x, top + (end + 1) * cell - y);
    }
    for (let i = begin; i <= end + 1; i++) {
      pen.moveTo(left + first * cell - x, top + i * cell - y);
      pen.lineTo(left + (last + 1) * cell - x, top + i * cell - y);
    }
    pen.stroke();
  };
  const paintTokens = (pen, { cell, left, top, high }, [x, y], [first, last], [begin, end], [query, key]) => {
    pen.font = `11px ${interp.css("--font")}`;
    pen.textBaseline = "middle";
    const ink = (marked) => interp.css(marked ? "--accent" : "--muted");
    const word = (i) => short(interp.tokens()[i] || "", 11);
    for (let i = begin; i <= end; i++) {
      const at = top + (i + 0.5) * cell - y;
      if (at > top + high) break;
      pen.fillStyle = ink(i === query);
      pen.textAlign = "right";
      pen.fillText(word(i), left - 6, at);
    }
    for (let i = first; i <= last; i++) {
      const at = left + (i + 0.6) * cell - x;
      if (at < left) continue;
      pen.fillStyle = ink(i === key);
      interp.slanted(pen, word(i), [at, top + high + 7], -Math.PI / 3);
    }
  };
  // Where many cells share a dot, the strongest of them is seen
  const paintWhole = (pen, el, colour) => {
    const { size, cell, left, top } = el.grid;
    const side = Math.min(size, Math.floor(size * cell));
    const strongest = new Float32Array(side * side).fill(-1);
    for (let i = 0; i < size * size; i++) {
      const to = Math.floor((Math.floor(i / size) * side) / size) * side + Math.floor(((i % size) * side) / size);
      if (colour.isVisible(i)) strongest[to] = Math.max(strongest[to], el.matrix[i]);
    }
    const shade = (i) => strongest[i] >= 0 && colour.of(strongest[i]);
    interp.heat(pen, { rows: side, columns: side, colour: shade, box: [left, top, size * cell, size * cell] });
  };
  const paintPart = (pen, el, colour, [x, y], [first, last], [begin, end]) => {
    const { size, cell, left, top } = el.grid;
    const [rows, columns] = [end - begin + 1, last - first + 1];
    const shade = (i) => {
      const at = (begin + Math.floor(i / columns)) * size + first + (i % columns);
      return colour.isVisible(at) && colour.of(el.matrix[at]);
    };
    const box = [left + first * cell - x, top + begin * cell - y, columns * cell, rows * cell];
    interp.heat(pen, { rows, columns, colour: shade, box });
  };
  const paintPattern = (el) => {
    const { canvas, box } = el.parts;
    const { labelled, left, top, size, cell, high } = el.grid;
    const from = [box.scrollLeft, box.scrollTop];
    const width = Math.min(left + size * cell + 6, box.clientWidth - 4);
    const pen = interp.canvas(canvas, width, top + high + (labelled ? BELOW : 6));
    const ramp = interp.ramp("sequential");
    const colour = {
      isVisible: (i) => !el.payload.causal || i % size <= i / size,
      of: (value) => ramp[Math.round(value * 255)],
    };
    const across = interp.inSight(from[0], width - left, cell, size);
    const down = interp.inSight(from[1], high, cell, size);
    const [query, key] = [interp.queryAt(), keyAt(el.payload)];
    pen.save();
    pen.beginPath();
    pen.rect(left - 1, 0, width, top + high + 2);
    pen.clip();
    if (cell < 1) paintWhole(pen, el, colour);
    else paintPart(pen, el, colour, from, across, down);
    if (cell >= 8) paintRules(pen, el.grid, from, across, down);
    const [x, y] = [left - from[0], top - from[1]];
    pen.strokeStyle = interp.css("--accent");
    pen.lineWidth = 1.2;
    pen.strokeRect(x, y + query * cell, size * cell, Math.max(cell, 2));
    pen.lineWidth = 2.4;
    pen.strokeRect(x + key * cell, y + query * cell, Math.max(cell, 3), Math.max(cell, 3));
    pen.restore();
    if (labelled) paintTokens(pen, el.grid, from, across, down, [query, key]);
  };
  interp.show("pattern", (el, payload) => {
    el.parts ||= buildPattern(el);
    const { canvas, legend, box, whole } = el.parts;
    el.payload = payload;
    el.matrix = matrixOf(payload);
    const { near, labelled, left, top, size, cell, high } = (el.grid = sizes(el, payload.size));
    const bottom = top + high + (labelled ? BELOW : 6);
    whole.style.width = `${left + size * cell + 6}px`;
    whole.style.height = `${bottom + size * cell - high}px`;
    box.style.height = `${bottom + 4 + box.offsetHeight - box.clientHeight}px`; // with its padding and scroll bar
    const [query, key] = [interp.queryAt(), keyAt(payload)];
    const y = [query * cell - high / 2, high]; // its row in the middle
    const place = { x: [left + key * cell, cell], y, inset: left };
    interp.reveal(el, box, [near, query, interp.view.key, interp.view.clean].join(" "), near ? place : {});
    paintPattern(el);
    const name = `${payload.layer}.${payload.head}`;
    const keys = "arrow keys move the selected cell";
    canvas.setAttribute("aria-label", `Attention pattern of head ${name}: ${size} queries by ${size} keys; ${keys}`);
    canvas.dataset.head = name;
    const turn = () => {
      el.near = !near;
      interp.redraw(".drawn-pattern");
    };
    const other = size > LABELLED && interp.act(near ? "whole" : "with tokens", turn, { "data-act": "near" });
    interp.fill(legend, interp.legend("sequential", "0", "1", `head ${name}`), other);
  });

  const LINES = 300;
  const strongest = (matrix, size, query) => {
    const lines = [];
    matrix.forEach((weight, i) => {
      if (weight >= 0.03) lines.push([Math.floor(i / size), i % size, weight]);
    });
    return lines.toSorted((a, b) => (b[0] === query) - (a[0] === query) || b[2] - a[2]);
  };
  interp.show("lines", (el, payload) => {
    const { size } = payload;
    const matrix = matrixOf(payload);
    const tokens = interp.tokens();
    const [query, key] = [interp.queryAt(), keyAt(payload)];
    const step = size <= 40 ? 22 : 18;
    const width = Math.min(Math.max(el.clientWidth, 260), 460);
    const [from, to, middle] = [104, width - 104, width / 2];
    const y = (i) => i * step + step / 2 + 4;
    const name = `${payload.layer}.${payload.head}`;
    const [accent, muted] = [interp.css("--accent"), interp.css("--muted")];
    const curve = ([q, k, weight]) => {
      const d = `M${from},${y(q)}C${middle},${y(q)} ${middle},${y(k)} ${to},${y(k)}`;
      const look =
        q === query
          ? { stroke: accent, "stroke-width": 0.8 + 4.5 * weight, opacity: 0.35 + 0.65 * weight }
          : { stroke: muted, "stroke-width": 0.5 + 1.5 * weight, opacity: 0.1 + 0.2 * weight };
      return h("path", { d, fill: "none", ...look });
    };
    const word = (kind, x, i, most, change) =>
      h(kind, { x, y: y(i), onclick: () => interp.update(change) }, short(tokens[i] || "", most));
    const row = (weight, i) => [
      word(i === query ? "text.end.chosen" : "text.end", from - 8, i, 13, { query: i, key: null }),
      word(i === key ? "text.chosen" : "text", to + 8, i, 9, { key: i }),
      weight >= 0.02 && h("text.end.value", { x: width - 2, y: y(i) }, weight.toFixed(2)),
    ];
    const lines = strongest(matrix, size, query);
    const label = `Attention of head ${name} from token to token`;
    const svg = h(
      "svg",
      { width, height: size * step + 8, role: "img", "aria-label": label },
      lines.slice(0, LINES).toReversed().map(curve),
      Array.from(queryRow(payload), row),
    );
    interp.fill(
      el,
      h("div.scroll.tall", { tabindex: "0", role: "group", "aria-label": "Lines from token to token" }, svg),
      lines.length > LINES && h("p.note", `${LINES} of ${lines.length} lines shown`),
    );
    el.dataset.head = name;
    const place = { y: [y(query) - step, 2 * step] };
    interp.reveal(el, el.firstChild, `${query} ${interp.view.clean}`, place);
  });

  // The thumbnails of all heads are loaded before they are selected
  interp.instead.heads = () => (interp.view.colour === "pattern" ? "thumbs" : "heads");
})();
