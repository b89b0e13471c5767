// The map of what is enrolled: a dot a reference, a name an identity.

import { byId, make, makeSvg } from "/page/dom.js";
import { showFailure } from "/page/failure.js";
import { ask } from "/page/server.js";
import { session } from "/page/session.js";
import { phrase, say, share } from "/page/words.js";

const SIDE = 720, EDGE = 56, MOST = 1000;
const NAME_ROOM = { height: 17, letter: 7.5 };
const LONGEST = 18; // letters of a name on the map

async function show() {
  const place = byId("map-drawing");
  byId("map-lead").textContent = "";
  if (!session.about) return place.replaceChildren();
  if (!session.about.model.dim) return place.replaceChildren(make("p", { text: say("map.joint") }));
  try {
    const map = await ask(`/v1/map?limit=${MOST}`);
    place.replaceChildren(...layOut(map));
  } catch (error) {
    showFailure(place, error);
  }
}

function layOut(map) {
  if (map.points.length < 2)
    return [make("p", { class: "invite", text: say(map.points.length ? "map.one" : "map.none") })];
  const spread = map.explained.reduce((sum, one) => sum + one, 0);
  byId("map-lead").textContent = say("map.lead", { method: map.method, share: share(spread) });
  const some = map.points.length < map.of
    ? make("p", { class: "small", text: say("map.some", { shown: map.points.length, count: map.of }) })
    : null;
  return [make("div", { class: "map-frame" }, drawn(map.points)), some, table(map.points)].filter(Boolean);
}

const x = (point) => SIDE / 2 + point.x * (SIDE / 2 - EDGE);
const y = (point) => SIDE / 2 - point.y * (SIDE / 2 - EDGE);

function drawn(points) {
  const groups = Map.groupBy(points, (point) => point.identity);
  const taken = [];
  const all = [...groups].map(([name, own]) => identity(name, own, taken));
  const svg = makeSvg("svg", {
    class: "map", viewBox: `0 0 ${SIDE} ${SIDE}`, role: "group", "aria-label": say("map.label"),
  }, ...all);
  byArrows(svg, all);
  return svg;
}

function identity(name, points, taken) {
  const middle = {
    x: points.reduce((sum, one) => sum + one.x, 0) / points.length,
    y: points.reduce((sum, one) => sum + one.y, 0) / points.length,
  };
  const short = name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name;
  const label = makeSvg("text", { x: x(middle), y: y(middle) - 12, "text-anchor": "middle", text: short });
  if (!hasRoom(x(middle), y(middle) - 12, short.length * NAME_ROOM.letter, taken)) label.classList.add("crowded");
  const references = say("count.references", { count: points.length });
  return makeSvg("g", {
    class: "identity", role: "img", tabindex: -1, "aria-label": say("map.identity", { name, references }),
  },
    ...points.map((one) => makeSvg("line", { x1: x(middle), y1: y(middle), x2: x(one), y2: y(one) })),
    ...points.map((one) => makeSvg("circle", { cx: x(one), cy: y(one), r: 6 })),
    label);
}

/** Whether a name can stand there without another under it; crowded names show when looked at. */
function hasRoom(middle, down, width, taken) {
  const free = taken.every((one) =>
    Math.abs(one.middle - middle) > (one.width + width) / 2 || Math.abs(one.down - down) > NAME_ROOM.height);
  if (free) taken.push({ middle, down, width });
  return free;
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
  const toFront = (event) => {
    const group = event.target.closest(".identity");
    for (const one of all) one.classList.toggle("looked-at", one === group);
  };
  svg.addEventListener("pointerover", toFront);
  svg.addEventListener("pointerleave", toFront);
  svg.addEventListener("focusin", toFront);
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
  session.addEventListener("changed", () => byId("map").hidden || show());
  return { show };
}
