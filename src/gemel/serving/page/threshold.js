// What another threshold would do: a what-if that changes nothing.

import { makeCurve } from "/page/curve.js";
import { byId, make, tell } from "/page/dom.js";
import { session } from "/page/session.js";
import { distance, phrase, say, share } from "/page/words.js";

const HOW = ["gemel calibrate MODEL DATA", "--false-accepts"];
let chosen = null; // place in the trade-off; null: the one in use

function show() {
  const place = byId("trade-off");
  if (!session.about) return place.replaceChildren();
  const { calibration, model } = session.about;
  if (!calibration) return place.replaceChildren(...withoutCalibration(model.threshold));
  if (!calibration.trade_off.length) {
    const rate = calibration.false_accept_rate;
    return place.replaceChildren(make("p", { text: say("threshold.old") }), command(rate));
  }
  return place.replaceChildren(...whatIf(calibration));
}

function withoutCalibration(threshold) {
  const has = threshold === null
    ? say("threshold.none.nothing")
    : say("threshold.none.has", { threshold: distance(threshold) });
  return [
    make("p", { class: "invite", text: say("threshold.none") }),
    make("p", { text: has }),
    make("p", { text: say("threshold.none.get") }),
    command(0.01),
  ];
}

function nearest(points, threshold) {
  const gaps = points.map((one) => Math.abs(one.threshold - threshold));
  return gaps.indexOf(Math.min(...gaps));
}

function whatIf(calibration) {
  const points = calibration.trade_off;
  const inUse = nearest(points, calibration.threshold);
  const curve = makeCurve(points, calibration.threshold);
  const parts = {
    slider: make("input", {
      type: "range", id: "slider", "aria-label": say("threshold.slider"),
      min: points[0].threshold, max: points.at(-1).threshold, step: "any",
    }),
    value: make("output", { class: "threshold-value", for: "slider" }),
    back: make("button", { type: "button", class: "quiet", text: say("threshold.back") }),
    accepts: rate("accepts", "curve-accepts"),
    rejects: rate("rejects", "curve-rejects"),
    keep: make("section", { class: "panel" }),
    last: make("section", { class: "panel" }),
  };
  let here = Math.min(chosen ?? inUse, points.length - 1);
  const move = (to) => {
    here = Math.max(0, Math.min(to, points.length - 1));
    chosen = here === inUse ? null : here;
    curve.moveTo(points[here]);
    tellPoint(parts, points[here], chosen === null);
  };
  parts.slider.addEventListener("input", () => move(nearest(points, parts.slider.valueAsNumber)));
  parts.slider.addEventListener("keydown", (event) => {
    const to = byKey(event.key, here, points.length);
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  });
  parts.back.addEventListener("click", () => move(inUse));
  move(here);
  return lay(parts, curve.drawing, calibration);
}

/** Every point can be reached by key, however close two of them lie. */
function byKey(key, here, count) {
  const to = {
    ArrowLeft: here - 1, ArrowDown: here - 1, ArrowRight: here + 1, ArrowUp: here + 1,
    PageDown: here - 10, PageUp: here + 10, Home: 0, End: count - 1,
  };
  return to[key];
}

function tellPoint(parts, point, isInUse) {
  const facts = {
    threshold: distance(point.threshold),
    accepts: share(point.false_accepts),
    rejects: share(point.false_rejects),
  };
  parts.slider.value = point.threshold;
  parts.slider.setAttribute("aria-valuetext", say("threshold.value", facts));
  parts.value.textContent = facts.threshold;
  parts.back.disabled = isInUse;
  parts.accepts.figure.textContent = facts.accepts;
  parts.rejects.figure.textContent = facts.rejects;
  parts.keep.replaceChildren(...howToKeep(point));
  parts.last.replaceChildren(...lastAnswer(isInUse ? null : point.threshold));
}

function lay({ slider, value, back, accepts, rejects, keep, last }, drawing, calibration) {
  const now = `${say("threshold.now")} ${distance(calibration.threshold)}`;
  return [
    make("div", { class: "slide" },
      make("div", { class: "slide-head" },
        make("span", { class: "slide-now", text: `${say("threshold.what.if")} ` }, value),
        make("span", { class: "small", text: now }), make("span", { class: "gap" }), back),
      drawing, slider,
      make("div", { class: "rates" }, accepts.panel, rejects.panel),
      make("p", { class: "small", text: counted(calibration) })),
    make("div", { class: "panels" }, last, keep),
  ];
}

const counted = (calibration) =>
  say("threshold.counted", {
    same: calibration.same_count, different: calibration.different_count, split: calibration.split,
  });

function rate(name, line) {
  const figure = make("span", { class: "rate-figure" });
  const panel = make("div", { class: "rate" }, figure,
    make("span", { class: "rate-name" },
      make("span", { class: `swatch line ${line}`, "aria-hidden": "true" }), say(`threshold.${name}`)),
    make("span", { class: "small", text: say(`threshold.${name}.why`) }));
  return { figure, panel };
}

function howToKeep(point) {
  const heading = make("h2", { text: say("threshold.keep") });
  if (point.false_accepts === 0) return [heading, make("p", { text: say("threshold.keep.none") })];
  const wanted = Number(point.false_accepts.toPrecision(2));
  return [heading, make("p", { text: say("threshold.keep.why") }), command(wanted)];
}

/** The command that keeps a rate; it breaks between its parts only. */
function command(rate) {
  const parts = [HOW[0], `${HOW[1]} ${rate}`];
  const code = make("code", {}, make("span", { text: parts[0] }), " ", make("span", { text: parts[1] }));
  const button = make("button", { type: "button", class: "quiet", text: say("copy") });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(parts.join(" "));
    button.textContent = say("copied");
    tell(say("copied"));
  });
  return make("div", { class: "command" }, code, navigator.clipboard ? button : null);
}

const wordOf = (verdict, name = "") =>
  verdict === null ? say("verdict.none") : say(`verdict.${verdict}`, { name });

/** The last answer's verdicts, as they are and as they would be at `threshold` (null: as it is). */
function lastAnswer(threshold) {
  const heading = make("h2", { text: say("threshold.last") });
  const { last } = session;
  if (!last) return [heading, make("p", { text: say("threshold.last.none") })];
  const { before, after } = overall(last, threshold);
  const rows = last.rows.map((row) => {
    const would = at(row, threshold);
    return make("tr", { class: would === row.verdict ? "" : "changed" },
      make("th", { scope: "row" }, make("bdi", { text: row.identity })),
      make("td", { text: distance(row.distance) }),
      make("td", { text: wordOf(row.verdict) }),
      make("td", { text: wordOf(would) }));
  });
  const column = (key) => make("th", { scope: "col", text: say(key) });
  return [heading,
    make("p", { class: "outcome" }, before === after
      ? phrase("threshold.last.same", { verdict: before })
      : phrase("threshold.last.changed", { before, after })),
    make("table", {},
      make("thead", {}, make("tr", {}, column("threshold.last.name"), column("threshold.last.distance"),
        column("threshold.now"), column("threshold.what.if"))),
      make("tbody", {}, ...rows)),
    make("p", { class: "small", text: say("threshold.last.band") })];
}

const at = (row, threshold) =>
  threshold === null ? row.verdict : row.distance <= threshold ? "same" : "different";

function overall(last, threshold) {
  const [first] = last.rows;
  const before = wordOf(last.verdict, first?.identity);
  if (threshold === null || !first) return { before, after: before };
  const same = at(first, threshold) === "same";
  if (last.kind !== "identify") return { before, after: wordOf(same ? "same" : "different") };
  return { before, after: wordOf(same ? "found" : "nobody", first.identity) };
}

export function startThreshold() {
  session.addEventListener("changed", show);
  return { show };
}
