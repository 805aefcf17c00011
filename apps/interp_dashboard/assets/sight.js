// Drawings larger than their panel scroll, and open at the position where the answer is read.
(() => {
  "use strict";
  const interp = window.interp;

  // A box scrolls to a place in it, `x` and `y` as [begin, size], if that is out of sight: once for each `key`, so that
  // a user may scroll away. `owner` keeps the key where the box is rebuilt; `inset` is the width covered at its left.
  interp.reveal = (owner, box, key, { x, y, inset = 0 }) => {
    if (owner.revealed === key || !box.clientWidth) return;
    owner.revealed = key;
    const to = (from, span, [begin, size]) =>
      begin >= from && begin + size <= from + span ? from : begin + (size - span) / 2;
    if (x) box.scrollLeft = to(box.scrollLeft + inset, box.clientWidth - inset, x) - inset;
    if (y) box.scrollTop = to(box.scrollTop, box.clientHeight, y);
    box.moved = true;
  };
  interp.revealChild = (box, child, key) => {
    if (!child || box.revealed === key) return;
    const [outer, inner] = [box.getBoundingClientRect(), child.getBoundingClientRect()];
    interp.reveal(box, box, key, { y: [inner.top - outer.top + box.scrollTop, inner.height] });
  };
  // A canvas that stands still in a box that scrolls: `paint` draws the part in sight, no more often than it is shown
  interp.panned = (box, paint) => {
    let waiting = false;
    box.addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        paint();
      });
    });
  };
  // The first and the last of `count` cells that are in sight of a row that begins at `from` and is `span` long
  interp.inSight = (from, span, size, count) => [
    interp.clamp(Math.floor(from / size), count - 1),
    interp.clamp(Math.floor((from + span) / size), count - 1),
  ];
})();
