// What another threshold would do: a what-if that changes nothing.

import { makeCurve } from "/page/curve.js";
import { byId, make, tell } from "/page/dom.js";
import { session } from "/page/session.js";
import { distance, phrase, say, share } from "/page/words.js";

const HOW = "gemel calibrate MODEL DATA --false-accepts";
let chosen = null; // place in the trade-off; null: the one in use

function show() {
  const place = byId("trade-off");
  if (!session.about) return place.replaceChildren();
  const { calibration, model } = session.about;
  if (!calibration) return place.replaceChildren(...withoutCalibration(model.threshold));
  if (!calibration.trade_off.length) {
    const rate = calibration.false_accept_rate;
    return place.replaceChildren(make("p", { text: say("threshold.old") }), command(`${HOW} ${rate}`));
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
    command(`${HOW} 0.01`),
  ];
}

function nearest(points, threshold) {
  const gaps = points.map((one) => Math.abs(one.threshold - threshold));
  return gaps.indexOf(Math.min(...gaps));
}

function whatIf(calibration) {
  const points = calibration.trade_off;
  const inUse = nearest(points, calibration.threshold);
  const place = Math.min(chosen ?? inUse, points.length - 1);
  const curve = makeCurve(points, calibration.threshold);
  const slider = make("input", {
    type: "range", id: "slider", min: 0, max: points.length - 1, step: 1, "aria-label": say("threshold.slider"),
  });
  slider.value = place;
  const value = make("output", { class: "threshold-value", for: "slider" });
  const accepts = rate("accepts", "curve-accepts");
  const rejects = rate("rejects", "curve-rejects");
  const keep = make("section", { class: "panel" });
  const last = make("section", { class: "panel" });
  const back = make("button", { type: "button", class: "quiet", text: say("threshold.back") });
  const move = () => {
    const point = points[Number(slider.value)];
    chosen = Number(slider.value) === inUse ? null : Number(slider.value);
    const facts = {
      threshold: distance(point.threshold),
      accepts: share(point.false_accepts), rejects: share(point.false_rejects),
    };
    slider.setAttribute("aria-valuetext", say("threshold.value", facts));
    value.textContent = facts.threshold;
    back.disabled = chosen === null;
    accepts.figure.textContent = facts.accepts;
    rejects.figure.textContent = facts.rejects;
    curve.moveTo(point);
    keep.replaceChildren(...howToKeep(point));
    last.replaceChildren(...lastAnswer(chosen === null ? null : point.threshold));
  };
  slider.addEventListener("input", move);
  back.addEventListener("click", () => {
    slider.value = inUse;
    move();
  });
  move();
  return [
    make("div", { class: "slide" },
      make("div", { class: "slide-head" },
        make("span", { class: "slide-now", text: `${say("threshold.what.if")} ` }, value),
        make("span", { class: "small", text: `${say("threshold.now")} ${distance(calibration.threshold)}` }),
        make("span", { class: "gap" }), back),
      curve.drawing, slider,
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
  return [heading, make("p", { text: say("threshold.keep.why") }), command(`${HOW} ${wanted}`)];
}

function command(text) {
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    tell(say("copied"));
    button.textContent = say("copied");
  };
  const button = make("button", { type: "button", class: "quiet", text: say("copy"), onclick: copy });
  return make("div", { class: "command" }, make("code", { text }), navigator.clipboard ? button : null);
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
