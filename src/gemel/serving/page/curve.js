// The curve of false accepts and false rejects over the threshold.

import { makeSvg } from "/page/dom.js";
import { distance, say, share } from "/page/words.js";

const WIDTH = 640, HEIGHT = 300, LEFT = 56, RIGHT = 24, TOP = 22, BOTTOM = 36;
const MARKS = [0, 0.001, 0.01, 0.1, 0.5, 1];

/** `{drawing, moveTo}`: the curve of points {threshold, false_accepts, false_rejects}. */
export function makeCurve(points, inUse) {
  const low = points[0].threshold;
  const high = points.at(-1).threshold;
  const x = (value) => LEFT + ((value - low) / (high - low || 1)) * (WIDTH - LEFT - RIGHT);
  // cube roots, so that one in a thousand is seen beside all
  const y = (value) => TOP + (1 - Math.cbrt(value)) * (HEIGHT - TOP - BOTTOM);
  const path = (name) =>
    points.map((one, i) => `${i ? "L" : "M"}${x(one.threshold).toFixed(1)} ${y(one[name]).toFixed(1)}`).join("");
  const rule = (name, at) =>
    makeSvg("line", { class: name, x1: x(at), x2: x(at), y1: TOP, y2: HEIGHT - BOTTOM });
  const moving = rule("curve-here", inUse);
  const dots = ["false_accepts", "false_rejects"].map(() => makeSvg("circle", { class: "curve-dot", r: 5 }));
  const drawing = makeSvg("svg", {
    class: "curve", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
    "aria-label": say("threshold.curve", { low: distance(low), high: distance(high) }),
  }, ...grid(low, high, x, y), rule("curve-in-use", inUse),
    makeSvg("path", { class: "curve-accepts", d: path("false_accepts") }),
    makeSvg("path", { class: "curve-rejects", d: path("false_rejects") }),
    moving, ...dots);
  const moveTo = (point) => {
    moving.setAttribute("x1", x(point.threshold));
    moving.setAttribute("x2", x(point.threshold));
    for (const [dot, value] of [[dots[0], point.false_accepts], [dots[1], point.false_rejects]]) {
      dot.setAttribute("cx", x(point.threshold));
      dot.setAttribute("cy", y(value));
    }
  };
  return { drawing, moveTo };
}

function grid(low, high, x, y) {
  const text = (at, down, anchor, words, name) =>
    makeSvg("text", { x: at, y: down, "text-anchor": anchor, text: words, class: name });
  const lines = MARKS.flatMap((value) => [
    makeSvg("line", { class: "curve-grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
    text(LEFT - 8, y(value) + 4, "end", share(value), value === MARKS[1] ? "fine" : null),
  ]);
  return [...lines,
    text(LEFT, HEIGHT - 12, "start", distance(low)),
    text((x(low) + x(high)) / 2, HEIGHT - 12, "middle", say("threshold.axis"), "fine"),
    text(WIDTH - RIGHT, HEIGHT - 12, "end", distance(high))];
}
