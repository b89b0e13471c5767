// The map of what is enrolled: a dot a reference, a name an identity.

import { byId, make, makeSvg } from "/page/dom.js";
import { showFailure } from "/page/failure.js";
import { ask } from "/page/server.js";
import { session } from "/page/session.js";
import { thumbnail } from "/page/thumbs.js";
import { say, share } from "/page/words.js";

const SIDE = 720, EDGE = 48, MOST = 1000;
const LETTER = 15, WIDE = 0.6; // a name's letters, in pixels of the screen; how wide one is
const LONGEST = 18; // letters of a name on the map
const FEW = 12;
const WIDEST = 672; // pixels of the screen, as in page.css

async function show() {
  const place = byId("map-drawing");
  byId("map-lead").textContent = "";
  if (!session.about) return place.replaceChildren();
  if (!session.about.model.dim) return place.replaceChildren(make("p", { text: say("map.joint") }));
  try {
    const map = await ask(`/v1/map?limit=${MOST}`);
    place.replaceChildren(...layOut(map, place.clientWidth));
  } catch (error) {
    showFailure(place, error);
  }
}

function layOut(map, width) {
  if (map.points.length < 2)
    return [make("p", { class: "invite", text: say(map.points.length ? "map.one" : "map.none") })];
  const spread = map.explained.reduce((sum, one) => sum + one, 0);
  byId("map-lead").textContent = say("map.lead", { method: map.method, share: share(spread) });
  const some = map.points.length < map.of
    ? make("p", { class: "small", text: say("map.some", { shown: map.points.length, count: map.of }) })
    : null;
  const aside = make("aside", { class: "map-aside" }, hint());
  const { points, height } = fitted(map.points);
  const drawing = drawn(points, height, SIDE / Math.min(width, WIDEST), aside);
  return [make("div", { class: "map-frame" }, drawing), aside, some, table(map.points)].filter(Boolean);
}

/** Points with `left` and `down` in the drawing's units, and its height; both are scaled alike. */
function fitted(points) {
  const range = (values) => [Math.min(...values), Math.max(...values)];
  const [left, right] = range(points.map((one) => one.x));
  const [low, high] = range(points.map((one) => one.y));
  const scale = (SIDE - 2 * EDGE) / (Math.max(right - left, high - low) || 1);
  const height = Math.max(SIDE / 2, (high - low) * scale + 2 * EDGE);
  const placed = points.map((one) => ({
    ...one,
    left: SIDE / 2 + (one.x - (left + right) / 2) * scale,
    down: height / 2 - (one.y - (low + high) / 2) * scale,
  }));
  return { points: placed, height };
}

function drawn(points, height, unit, aside) {
  const groups = [...Map.groupBy(points, (point) => point.identity)];
  const taken = [];
  const names = groups.map(([name, own]) => label(name, own, unit, taken));
  const dots = groups.map(([name, own]) => identity(name, own));
  const svg = makeSvg("svg", {
    class: "map", viewBox: `0 0 ${SIDE} ${height}`, role: "group", "aria-label": say("map.label"),
  }, ...dots, makeSvg("g", { "aria-hidden": "true" }, ...names));
  svg.style.setProperty("--letter", `${LETTER * unit}px`);
  byArrows(svg, dots);
  const look = (event) => {
    const one = event.target.closest(".identity") ?? document.activeElement.closest(".identity");
    const here = dots.indexOf(one);
    for (const all of [dots, names]) all.forEach((one, i) => one.classList.toggle("looked-at", i === here));
    aside.replaceChildren(...(here < 0 ? [hint()] : portrait(...groups[here])));
  };
  svg.addEventListener("pointerover", look);
  svg.addEventListener("pointerleave", look);
  svg.addEventListener("focusin", look);
  return svg;
}

const hint = () => make("p", { class: "small", text: say("map.look") });

const portrait = (name, points) => [
  make("h2", {}, make("bdi", { text: name })),
  make("p", { class: "small", text: say("count.references", { count: points.length }) }),
  make("div", { class: "tiles" }, ...points.slice(0, FEW).map((one) => thumbnail(one.reference, name))),
];

const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;
const middle = (points) => [mean(points.map((one) => one.left)), mean(points.map((one) => one.down))];

function identity(name, points) {
  const [left, down] = middle(points);
  const references = say("count.references", { count: points.length });
  return makeSvg("g", {
    class: "identity", role: "img", tabindex: -1, "aria-label": say("map.identity", { name, references }),
  },
    ...points.map((one) => makeSvg("line", { x1: left, y1: down, x2: one.left, y2: one.down })),
    ...points.map((one) => makeSvg("circle", { cx: one.left, cy: one.down, r: 6 })));
}

function label(name, points, unit, taken) {
  const short = name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name;
  const [here, below] = middle(points);
  const width = short.length * LETTER * WIDE * unit;
  const left = Math.max(width / 2, Math.min(here, SIDE - width / 2)); // within the drawing
  const box = { left, down: below - 12, width, height: 1.15 * LETTER * unit };
  const text = makeSvg("text", { x: box.left, y: box.down, "text-anchor": "middle", text: short });
  if (hasRoom(box, taken)) taken.push(box);
  else text.classList.add("crowded");
  return text;
}

/** Whether a name can stand there without another under it; crowded names show when looked at. */
function hasRoom(box, taken) {
  return taken.every((one) =>
    Math.abs(one.left - box.left) > (one.width + box.width) / 2 || Math.abs(one.down - box.down) > box.height);
}

/** One stop for the tab key; arrows, Home and End go from identity to identity. */
function byArrows(svg, all) {
  all[0].setAttribute("tabindex", 0);
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  svg.addEventListener("keydown", (event) => {
    const here = all.indexOf(event.target);
    const to = { Home: 0, End: all.length - 1 }[event.key] ?? here + steps[event.key];
    if (here < 0 || Number.isNaN(to)) return;
    event.preventDefault();
    const there = all[(to + all.length) % all.length];
    all[here].setAttribute("tabindex", -1);
    there.setAttribute("tabindex", 0);
    there.focus();
  });
}

function table(points) {
  const column = (text) => make("th", { scope: "col", text });
  const rows = points.map((point) => make("tr", {},
    make("th", { scope: "row" }, make("bdi", { text: point.identity })),
    make("td", { text: String(point.reference) }),
    make("td", { text: point.x.toFixed(3) }), make("td", { text: point.y.toFixed(3) })));
  return make("details", { class: "map-table" },
    make("summary", { text: say("map.table") }),
    make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": say("map.table") },
      make("table", {},
        make("thead", {}, make("tr", {}, column(say("map.table.name")), column(say("map.table.reference")),
          column("x"), column("y"))),
        make("tbody", {}, ...rows))));
}

export function startMap() {
  session.addEventListener("changed", () => {
    if (!session.about || !byId("map").hidden) show();
  });
  return { show };
}
