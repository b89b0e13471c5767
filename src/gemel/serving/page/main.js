// The page: its views, its banner, its colours. Everything else has a room of its own.

import { startAsk } from "/page/ask.js";
import { startBoxes } from "/page/boxes.js";
import { startCamera } from "/page/camera.js";
import { startCompare } from "/page/compare.js";
import { byId, tell } from "/page/dom.js";
import { startGallery } from "/page/gallery.js";
import { startKeys } from "/page/keys.js";
import { startMap } from "/page/map.js";
import { Refused, server } from "/page/server.js";
import { refresh, session } from "/page/session.js";
import { onTheme, theme, turnTheme } from "/page/theme.js";
import { startThreshold } from "/page/threshold.js";
import { fill, loadWords, say } from "/page/words.js";

const FINGERPRINT = 12;
let views = {};

/** Shows the view that the address names. */
function route(focus) {
  const wanted = location.hash.slice(1);
  const name = wanted in views ? wanted : "ask";
  for (const one of Object.keys(views)) byId(one).hidden = one !== name;
  for (const link of document.querySelectorAll(".top nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  views[name].show();
  if (focus) {
    byId("main").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function startTheme() {
  const button = byId("theme");
  const words = () => say(theme() === "dark" ? "theme.light" : "theme.dark");
  const label = () => button.setAttribute("aria-label", words());
  button.addEventListener("click", turnTheme);
  onTheme(label);
  label();
}

function startBanner() {
  server.addEventListener("gone", () => (byId("banner").textContent = say("gone")));
  server.addEventListener("back", () => {
    byId("banner").textContent = "";
    tell(say("back"));
    greet();
  });
}

function showFoot() {
  if (!session.about) return byId("foot").replaceChildren();
  const { version, model, role } = session.about;
  const facts = {
    version, fingerprint: model.fingerprint.slice(0, FINGERPRINT),
    count: model.dim, role: say(`foot.${role}`),
  };
  const kind = !model.dim ? "foot.pairs" : model.coding === "bits" ? "foot.bits" : "foot";
  byId("foot").textContent = say(kind, facts);
}

/** Asks the server what it is. Silence and keys are seen to elsewhere. */
async function greet() {
  try {
    await refresh();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.code === "not_ready") setTimeout(greet, 1000 * error.wait);
  }
}

async function start() {
  await loadWords();
  fill(document);
  startTheme();
  startBanner();
  startKeys();
  startCamera();
  startBoxes();
  session.addEventListener("changed", showFoot);
  views = {
    ask: startAsk(), gallery: startGallery(), compare: startCompare(),
    threshold: startThreshold(), map: startMap(),
  };
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("main").focus();
  });
  addEventListener("hashchange", () => route(true));
  route(false);
  await greet();
}

start();
