// The drawing pad: mouse, touch and pen to strokes.

import { onTheme } from "/page/theme.js";
import { draw } from "/page/strokes.js";

/** Makes `canvas` a pad. `strokes()` gives what stands on it, `done(stroke)` takes a new one. */
export function makePad(canvas, strokes, done) {
  let growing = null;
  let pointer = null;

  function show() {
    const side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (!side) return;
    canvas.width = canvas.height = side;
    const all = growing ? [...strokes(), growing] : strokes();
    draw(canvas.getContext("2d"), all, side, getComputedStyle(canvas).color);
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  function begin(event) {
    if (pointer !== null || event.button !== 0) return;
    event.preventDefault();
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    growing = [place(event)];
    show();
  }

  function go(event) {
    if (event.pointerId !== pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    growing.push(...(events.length ? events : [event]).map(place));
    show();
  }

  function end(event) {
    if (event.pointerId !== pointer) return;
    const stroke = growing;
    growing = pointer = null;
    done(stroke);
  }

  canvas.addEventListener("pointerdown", begin);
  canvas.addEventListener("pointermove", go);
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  new ResizeObserver(show).observe(canvas);
  onTheme(show);
  return show;
}
