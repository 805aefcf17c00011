// What every drawing is made of: elements, words for numbers, colours, canvases, the tooltip.
(() => {
  "use strict";
  // What pages' scripts add. draw: how places are filled, by name. payloads: what is drawn instead of a content's own
  // payload. instead: which content stands in for another. facts: what a page adds to the inspector.
  const interp = (window.interp = { draw: {}, payloads: {}, instead: {}, facts: [], callbacks: {} });

  // An element of a tag and classes, `p.note`, with attributes where an object follows. Text is always set as text: a
  // prompt may contain markup.
  const SVG = new Set(["svg", "path", "line", "circle", "rect", "text", "g"]);
  interp.h = (name, ...children) => {
    const [tag, ...classes] = name.split(".");
    const el = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    el.classList.add(...classes);
    const attributes = children[0]?.constructor === Object ? children.shift() : {};
    for (const [key, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
      else if (key === "style") el.style.cssText = value;
      else el.setAttribute(key, value === true ? "" : value);
    }
    return interp.fill(el, children);
  };
  // What there is of the children in an element's place, lists of them laid out
  interp.fill = (el, ...children) => {
    el.replaceChildren(...children.flat(4).filter((child) => (child ?? false) !== false));
    return el;
  };
  // A button that does something, and a row of buttons of which some are on
  interp.act = (words, onclick, attributes) => interp.h("button.button.small", { onclick, ...attributes }, words);
  interp.choice = (label, options) =>
    interp.h(
      "div.choice",
      { role: "group", "aria-label": label },
      options.map(([words, on, attributes]) =>
        interp.h("button", { "aria-pressed": String(on), ...attributes }, words),
      ),
    );
  // A drawing of a payload: without one its place is empty
  interp.show = (name, draw) => {
    interp.draw[name] = (el, payload) => {
      if (payload) return draw(el, payload);
      el.parts = null;
      return el.replaceChildren();
    };
  };
  // What the server answers; `error` says what is wrong, also where it does not answer
  interp.fetch = async (path, options) => {
    try {
      return await (await fetch(path, options)).json();
    } catch {
      return { error: "the server does not answer" };
    }
  };
  interp.post = (path, body) =>
    interp.fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  interp.onEnter = (el, act, keys = ["Enter"]) =>
    el.addEventListener("keydown", (event) => {
      if (!keys.includes(event.key)) return;
      event.preventDefault();
      act();
    });

  // Text with its invisible characters marked, as in `interp.views`: line breaks, tabs, unprintable characters, and
  // spaces that stand alone, in a row or at the end
  const MARKS = { "\n": "↵", "\t": "\\t", "\r": "\\r" };
  const escapeCode = (c) => `\\u${c.codePointAt(0).toString(16).padStart(4, "0")}`;
  interp.visible = (text) =>
    text
      .replace(/ {2,}| $/g, (spaces) => "␣".repeat(spaces.length))
      .replace(/(?! )[\p{C}\p{Z}]/gu, (c) => MARKS[c] || escapeCode(c));
  interp.word = (token) => interp.visible(token).trim() || interp.visible(token);
  interp.shortToken = (token, most) => {
    const text = interp.word(token);
    return text.length > most ? `${text.slice(0, most - 1)}…` : text;
  };
  interp.quoted = (token) => `“${interp.visible(token)}”`;
  interp.signed = (value, digits = 2) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    const text = Math.abs(value).toFixed(digits);
    return (Number(text) === 0 ? "" : value < 0 ? "−" : "+") + text;
  };
  interp.percent = (p) =>
    p >= 0.0995 || p === 0
      ? `${(100 * p).toFixed(0)}\u00a0%`
      : p >= 0.001
        ? `${(100 * p).toFixed(1)}\u00a0%`
        : "<0.1\u00a0%";
  // Densities of rare features differ by orders of magnitude: two digits of each
  interp.density = (p) => `${Number((100 * p).toPrecision(2))}\u00a0%`;
  interp.dotted = (...parts) => parts.filter(Boolean).join(" · ");
  interp.nodeName = (node) =>
    node
      .replace(/^a/, "")
      .replace(/^m/, "MLP ")
      .replace(/^d(\d+)\.\w+\.(\w+)/, "direction $1 · $2");
  interp.headNode = (layer, head) => `a${layer}.${head}`;
  interp.clamp = (value, most) => Math.max(0, Math.min(most, value));

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
  const colourAt = (kind, t) => interp.ramp(kind)[interp.clamp(Math.round(t * 255), 255)];
  interp.rgb = (kind, t) => `rgb(${colourAt(kind, t)})`;
  // Black or white, whichever is read better: at least 4.58 : 1 on any colour (WCAG 2.2, relative luminance)
  interp.inkOn = (kind, t) => {
    const linear = (c) => (c <= 10 ? c / 3294 : ((c / 255 + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = colourAt(kind, t).map(linear);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
  };

  // A canvas of a given size, sharp on dense screens
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
  // A token under a column, at a slant
  interp.slanted = (pen, text, [x, y], angle) => {
    pen.save();
    pen.translate(x, y);
    pen.rotate(angle);
    pen.textAlign = "right";
    pen.fillText(text, 0, 0);
    pen.restore();
  };
  // Decoded payloads, so that each is decoded once
  const decodings = new WeakMap();
  interp.decoded = (payload, decode) => {
    if (!decodings.has(payload)) decodings.set(payload, decode(payload));
    return decodings.get(payload);
  };
  // Signed values are coloured by the root of their size, so that the many small ones show beside a large one; the
  // legend's bar runs evenly in the value itself. What supports has one hue, whichever sign it has: `supports` is a
  // payload's, as its variable declares it.
  const SIDES = { "+": ["works against", "supports"], "-": ["supports", "works against"] };
  interp.bySign = (value, limit, supports) =>
    0.5 + ((supports === "-" ? -1 : 1) * Math.sign(value) * Math.sqrt(Math.min(1, Math.abs(value) / limit))) / 2;
  interp.sideColour = (value, supports) => interp.rgb("diverging", interp.bySign(0.6 * Math.sign(value), 1, supports));
  interp.legend = (kind, low, high, caption, supports) => {
    const signed = kind === "diverging";
    const stops = Array.from({ length: 33 }, (_, i) =>
      interp.rgb(kind, signed ? interp.bySign(i / 16 - 1, 1, supports) : i / 32),
    );
    const [less, more] = (signed && SIDES[supports]) || ["", ""];
    const style = `background:linear-gradient(90deg,${stops.join(",")})`;
    return [
      interp.h(
        "div.legend",
        interp.h("span", interp.dotted(less, low)),
        interp.h("span.legend-bar", { style }, signed && interp.h("i")),
        interp.h("span", interp.dotted(high, more)),
      ),
      interp.h("span.legend-said", caption),
    ];
  };
  // A matrix as an image scaled onto a canvas: `colour` of each entry, or nothing where none is seen
  interp.heat = (pen, { rows, columns, colour, box }) => {
    const sheet = new OffscreenCanvas(columns, rows);
    const image = new ImageData(columns, rows);
    for (let i = 0; i < rows * columns; i++) {
      const shade = colour(i);
      if (shade) image.data.set([shade[0], shade[1], shade[2], 255], 4 * i);
    }
    sheet.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(sheet, ...box);
  };

  // One tooltip for every drawing
  const tip = interp.h("div.tip", { hidden: true });
  interp.tip = (event, lines) => {
    if (!tip.isConnected) document.body.append(tip);
    tip.hidden = !lines;
    if (!lines) return;
    tip.replaceChildren(...lines.map((line) => interp.h("div", line)));
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, window.innerWidth - box.width - 8))}px`;
    tip.style.top = `${event.clientY + 18 + box.height > window.innerHeight ? event.clientY - box.height - 10 : event.clientY + 18}px`;
  };
  interp.hover = (el, describe) => {
    el.addEventListener("mousemove", (event) => interp.tip(event, describe(event)));
    el.addEventListener("mouseleave", (event) => interp.tip(event, null));
  };
  // The cells of a canvas: what a click on one does, what its tooltip tells, and where arrow keys begin. What is left of
  // `axis`, or below `bottom`, labels them.
  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  interp.cells = (canvas, grid, act, describe, current) => {
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      const { left = 0, top = 0, wide, high, columns, rows, axis = 0, bottom = Infinity } = grid();
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      const column = Math.floor((x - left) / wide);
      const row = Math.floor((y - top) / high);
      const out = x < axis || y >= bottom || row < 0 || column < 0 || row >= rows || column >= columns;
      return out ? null : { row, column };
    };
    canvas.addEventListener("click", (event) => {
      const cell = at(event);
      if (cell) act(cell);
    });
    interp.hover(canvas, (event) => {
      const cell = at(event);
      canvas.style.cursor = cell ? "pointer" : "default";
      return cell && describe(cell);
    });
    canvas.addEventListener("keydown", (event) => {
      const step = current && STEPS[event.key];
      if (!step) return;
      event.preventDefault();
      const [{ columns, rows }, { row, column }] = [grid(), current()];
      act({ row: interp.clamp(row + step[0], rows - 1), column: interp.clamp(column + step[1], columns - 1) });
    });
  };

  // A library that is loaded with its first use
  const scripts = {};
  interp.script = (src) => {
    scripts[src] ||= new Promise((resolve, reject) => {
      const script = interp.h("script", { src });
      script.addEventListener("load", resolve);
      script.addEventListener("error", () => {
        delete scripts[src];
        reject(new Error(`${src} could not be loaded`));
      });
      document.head.append(script);
    });
    return scripts[src];
  };

  interp.say = (text) => {
    let line = document.getElementById("said");
    if (!line) document.body.append((line = interp.h("div", { id: "said", role: "status" })));
    line.textContent = text;
    line.classList.add("shown");
    clearTimeout(interp.saying);
    interp.saying = setTimeout(() => line.classList.remove("shown"), 2600);
  };
})();
