// Copying and saving: Python to the clipboard, tables and figures to files, nothing through another machine.
(() => {
  "use strict";
  const interp = window.interp;

  interp.copy = async (text, message) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = interp.h("textarea.offscreen");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    interp.say(message);
  };

  interp.export = (button) => {
    const kind = button.dataset.export;
    const slot = interp.contentOf(button.dataset.slot);
    const payload = interp.exact(slot);
    if (!payload) {
      interp.say("Nothing to export yet: this panel waits for its result");
      return;
    }
    if (kind === "python") {
      interp.copy(payload.python, "Python copied");
      return;
    }
    interp.say(`Preparing ${kind.toUpperCase()} …`);
    interp.set("export", { data: { ...interp.asking(), kind, slot } });
  };

  interp.callbacks.saveFigure = async (request) => {
    if (!request) return;
    const library = await interp.plotly();
    const { figure, format, name } = request;
    const width = figure.layout.width || 1000;
    const height = figure.layout.height || 600;
    const address = await library.toImage(
      { data: figure.data, layout: figure.layout },
      { format, width, height, scale: format === "png" ? 2 : 1 },
    );
    const link = interp.h("a", { href: address, download: `${name}.${format}` });
    document.body.append(link);
    link.click();
    link.remove();
  };
})();
