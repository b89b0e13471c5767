// Distances on a ruler: 0 on the left, the threshold marked, the candidates as dots.

import { make } from "/page/dom.js";
import { session } from "/page/session.js";
import { distance, say } from "/page/words.js";

/** The end of the ruler: all distances and the threshold have room. */
export function reach(distances, threshold) {
  return 1.08 * Math.max(...distances, 1.6 * (threshold ?? 0), Number.EPSILON);
}

/** A ruler with one dot. It is only to be looked at: the numbers stand beside it as text. */
export function ruler(value, threshold, end) {
  const at = (number) => `${Math.min(100, (100 * number) / end)}%`;
  const line = make("div", { class: "ruler", "aria-hidden": "true" });
  const part = (name, from, to) => {
    const one = make("span", { class: name });
    one.style.left = at(from);
    if (to !== undefined) one.style.width = at(to - from);
    line.append(one);
  };
  if (threshold !== null) {
    const [low, high] = session.about?.calibration?.close ?? [threshold, threshold];
    part("zone", 0, low);
    if (high > low) part("band", low, high);
    part("limit", threshold);
  }
  part("dot", value);
  return line;
}

/** What the parts of a ruler mean. */
export function rulerKey(threshold) {
  if (threshold === null) return null;
  const close = session.about?.calibration?.close;
  const entry = (name, text) =>
    make("li", {}, make("span", { class: `swatch ${name}`, "aria-hidden": "true" }), text);
  return make("ul", { class: "ruler-key" },
    entry("zone", say("answer.key.same")),
    close && close[1] > close[0] ? entry("band", say("answer.key.close")) : null,
    entry("limit", say("answer.key.threshold", { threshold: distance(threshold) })));
}
