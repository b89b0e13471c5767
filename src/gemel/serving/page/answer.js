// Answers in plain words, and how near the nearest are.

import { make, tell } from "/page/dom.js";
import { reach, ruler, rulerKey } from "/page/ruler.js";
import { WANTED } from "/page/samples.js";
import { kind, session } from "/page/session.js";
import { thumbnail } from "/page/thumbs.js";
import { distance, phrase, probability, say, share } from "/page/words.js";

const KINDS = {
  found: "yes", same: "yes", nobody: "no", different: "no", "too close to call": "close",
};

/** Puts an answer in `place`: a headline, why, and what stands below. */
function put(place, kind, headline, why, ...below) {
  const title = make("h2", { class: "verdict" }, headline);
  const reasons = make("p", { class: "why-so" }, why);
  place.replaceChildren(make("div", { class: `said ${kind}` }, title, reasons), ...below.filter(Boolean));
  tell(`${title.textContent} ${reasons.textContent}`);
}

/** The answer of /v1/identify. */
export function showIdentification(place, found) {
  const [first, second] = found.candidates;
  const headline = {
    found: () => phrase("answer.found", { name: found.identity }),
    nobody: () => say("answer.nobody"),
    "too close to call": () => say("answer.close"),
  }[found.verdict]();
  put(place, KINDS[found.verdict], headline, whyFound(found, first, second),
    candidates(found.candidates, found.threshold), inTheModelsWords(found.reason));
}

function whyFound(found, first, second) {
  if (!first) return say("answer.nobody.empty");
  const facts = {
    name: first.identity,
    distance: distance(first.distance),
    threshold: distance(found.threshold),
  };
  if (found.verdict === "found") return phrase("answer.found.why", facts);
  if (found.verdict === "nobody") return phrase("answer.nobody.why", facts);
  if (first.verdict === "same" && second)
    return phrase("answer.close.tie", { ...facts, other: second.identity });
  return phrase("answer.close.why", facts);
}

/** The answer of /v1/verify (with `identity`), or of /v1/compare. */
export function showComparison(place, said) {
  const facts = {
    name: said.identity ?? "",
    distance: distance(said.distance),
    threshold: said.threshold === null ? "" : distance(said.threshold),
  };
  const pair = said.identity === undefined ? ".pair" : "";
  const headline = {
    same: () => phrase(`answer${pair}.same`, facts),
    different: () => phrase(`answer${pair}.different`, facts),
    "too close to call": () => say("answer.close"),
  }[said.verdict] ?? (() => say("answer.undecided", facts));
  const why = { "too close to call": "answer.close.pair" }[said.verdict] ?? "answer.pair.why";
  put(place, KINDS[said.verdict] ?? "close", headline(),
    said.verdict === null ? say("answer.undecided.why") : say(why, facts),
    candidates([said], said.threshold), inTheModelsWords(said.reason));
}

/** The answer of /v1/enrol. */
export function showEnrolled(place, said) {
  const tile = thumbnail(said.reference, said.identity);
  tile.classList.add("large");
  const reference = say("reference", { id: said.reference });
  put(place, "yes",
    phrase(said.new ? "answer.enrolled" : "answer.enrolled.before", { name: said.identity }),
    say(`answer.enrolled.why.${kind()}`, { reference }), tile);
}

/** The answer of /v1/enrol where several samples are wanted: `references` are those so far. */
export function showSampled(place, { identity: name, new: fresh }, references) {
  const count = references.length;
  const left = WANTED - count;
  const slot = (at) => make("li", { class: "tile slot", "aria-hidden": "true", text: String(at + 1) });
  const sample = (one) => make("li", {}, thumbnail(one, name));
  const headline = !left ? "answer.enrolled" : fresh ? "answer.sampled" : "answer.enrolled.before";
  put(place, "yes", phrase(headline, { name, count, wanted: WANTED }),
    left ? say("answer.sampled.why", { count: left }) : say("answer.sampled.done", { count }),
    make("ol", { class: "samples" }, ...references.map(sample),
      ...Array.from({ length: left }, (_, at) => slot(count + at))));
}

const inTheModelsWords = (reason) =>
  reason && make("details", { class: "reason" },
    make("summary", { text: say("answer.reason") }), make("p", { lang: "en", text: reason }));

function candidates(all, threshold) {
  if (!all.length) return null;
  const end = reach(all.map((one) => one.distance), threshold);
  const rows = all.map((one) => candidate(one, threshold, end));
  return make("section", { class: "nearest" },
    all[0].identity === undefined ? null : make("h3", { text: say("answer.nearest") }),
    make("ol", { class: "candidates" }, ...rows),
    rulerKey(threshold),
    make("p", { class: "small", text: howLikely(session.about?.calibration) }));
}

/** What a probability supposes, and that the threshold asks something else. */
const howLikely = (calibration) =>
  calibration
    ? say("answer.prior", {
      prior: share(calibration.prior), rate: share(calibration.false_accept_rate),
    })
    : say("answer.uncalibrated");

function candidate(one, threshold, end) {
  const named = one.identity !== undefined;
  return make("li", { class: `candidate ${KINDS[one.verdict] ?? "close"}` },
    named ? thumbnail(one.reference, one.identity) : null,
    make("div", { class: "candidate-facts" },
      make("p", { class: "candidate-name" },
        named ? make("bdi", { class: "name", text: one.identity }) : null,
        make("span", { class: "verdict-word", text: say(`verdict.${one.verdict ?? "none"}`) }),
        named ? make("span", { class: "small", text: say("reference", { id: one.reference }) }) : null),
      one.probability === null ? null : likely(one.probability),
      make("div", { class: "measure" }, ruler(one.distance, threshold, end),
        make("span", { class: "figure", text: say("answer.distance", { distance: distance(one.distance) }) }))));
}

function likely(value) {
  const bar = make("span", { class: "bar-fill" });
  bar.style.width = `${100 * value}%`;
  return make("div", { class: "measure" },
    make("div", { class: "bar", "aria-hidden": "true" }, bar),
    make("span", { class: "figure", text: say("answer.likely", { percent: probability(value) }) }));
}
