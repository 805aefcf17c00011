// Copying and saving: Python to the clipboard, tables and figures to files, nothing through another machine.
(() => {
  "use strict";
  const interp = window.interp;
  const PLOTLY = "_dash-component-suites/plotly/package_data/plotly.min.js";

  interp.copy = async (text, said) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch (_) {
      const area = interp.h("textarea", { class: "offscreen" });
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    interp.say(said);
  };

  interp.export = (button) => {
    let { export: kind, slot, variant = "" } = button.dataset;
    if (slot === "heads" && interp.view.colour === "pattern") slot = "thumbs";
    const payload = interp.data[slot];
    if (!payload) { interp.say("Nothing to export yet"); return; }
    if (kind === "python") { interp.copy(payload.python, "Python copied"); return; }
    interp.say(`Preparing ${kind.toUpperCase()} …`);
    interp.set("export", { data: { kind, slot, variant, theme: interp.theme(), view: interp.view, n: performance.now() } });
  };

  let loading = null;
  const plotly = () => {
    if (window.Plotly) return Promise.resolve(window.Plotly);
    loading = loading || new Promise((resolve, reject) => {
      const script = interp.h("script", { src: PLOTLY });
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error("plotly could not be loaded"));
      document.head.append(script);
    });
    return loading;
  };

  interp.callbacks.saveFigure = async (request) => {
    if (!request) return;
    const library = await plotly();
    const { figure, format, name } = request;
    const width = figure.layout.width || 1000;
    const height = figure.layout.height || 600;
    const address = await library.toImage({ data: figure.data, layout: figure.layout }, { format, width, height, scale: format === "png" ? 2 : 1 });
    const link = interp.h("a", { href: address, download: `${name}.${format}` });
    document.body.append(link);
    link.click();
    link.remove();
  };
})();
