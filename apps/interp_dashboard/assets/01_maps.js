// What heat maps share: numbers sent as float32, colours of groups, a matrix on a canvas, the cell under the pointer.
(() => {
  "use strict";
  const interp = window.interp;
  const decoded = new WeakMap();

  // Numbers sent as float32, decoded once for each payload
  interp.floats = (payload, name, text) => {
    if (!decoded.has(payload)) decoded.set(payload, {});
    const held = decoded.get(payload);
    return (held[name] = held[name] || interp.bytes(text, Float32Array));
  };
  interp.hues = {
    light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#7a3db8", "#5b7a00"],
    dark: ["#56b4e9", "#ff9c5b", "#3fd6a6", "#f0a5cd", "#e6c84f", "#8fd0ff", "#c39bff", "#b7d957"],
  };

  // A square heat map of values between −limit and limit (or 0 and limit), on any canvas
  interp.heat = (canvas, { values, rows, columns, side, tall, kind, at }) => {
    const pen = interp.canvas(canvas, side, tall || side);
    const sheet = new OffscreenCanvas(columns, rows);
    const image = new ImageData(columns, rows);
    const ramp = interp.ramp(kind);
    for (let i = 0; i < rows * columns; i++) {
      const v = values[i];
      if (Number.isNaN(v)) continue;
      const t = at(v);
      if (t === null) {
        image.data.set([128, 128, 128, 46], 4 * i);
        continue;
      }
      const [r, g, b] = ramp[Math.max(0, Math.min(255, Math.round(255 * t)))];
      image.data.set([r, g, b, 255], 4 * i);
    }
    sheet.getContext("2d").putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(sheet, 0, 0, side, tall || side);
    return pen;
  };
  interp.cellAt = (canvas, event, rows, columns) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    return row < 0 || column < 0 || row >= rows || column >= columns ? null : { row, column };
  };
})();
