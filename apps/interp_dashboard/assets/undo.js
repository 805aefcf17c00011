// Taking back: every change of a set or a circuit, the last one first, whatever page it was made on.
(() => {
  "use strict";
  const interp = window.interp;
  const MOST = 200;
  const before = []; // the fields that a change set, as they were

  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  interp.steps = () => before.length;
  interp.remember = (change) => {
    const names = interp.model.undoable.filter((name) => name in change && !same(change[name], interp.view[name]));
    if (names.length) before.push(Object.fromEntries(names.map((name) => [name, interp.view[name]])));
    if (before.length > MOST) before.shift();
  };
  // A value that the question does not allow any more stays away
  const allowed = ([name, value]) => {
    const needed = interp.model.needs[name]?.[value];
    return !needed || Boolean(interp.view[needed]);
  };
  interp.undo = () => {
    if (!before.length) return;
    interp.turnTo(Object.fromEntries(Object.entries(before.pop()).filter(allowed)));
    interp.say(before.length ? `Taken back; ${before.length} more can be` : "Taken back");
    interp.render();
  };
  document.addEventListener("keydown", (event) => {
    const writes = event.target.closest("input:not([type=range]), textarea");
    if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey || writes) return;
    event.preventDefault();
    interp.undo();
  });
})();
