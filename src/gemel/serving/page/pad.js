// The drawing pad: mouse, touch and pen to strokes.

import { onTheme } from "/page/theme.js";
import { draw } from "/page/strokes.js";

/** Makes `canvas` a pad. `strokes()` gives what stands on it, `done(stroke)` takes a new one;
 *  `pen` is the width of the line, a share of the pad's. */
export function makePad(canvas, strokes, done, pen) {
  let growing = null;
  let pointer = null;

  function show() {
    const width = Math.round(canvas.clientWidth * devicePixelRatio);
    if (!width) return;
    canvas.width = width;
    canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
    const all = growing ? [...strokes(), growing] : strokes();
    draw(canvas.getContext("2d"), all, width, getComputedStyle(canvas).color, pen);
  }

  function place(event) {
    const { left, top, width } = canvas.getBoundingClientRect();
    const at = [(event.clientX - left) / width, (event.clientY - top) / width, event.timeStamp];
    return event.pointerType === "pen" ? [...at, event.pressure] : at;
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
