// Small pictures of references, fetched with the key, a few at a time, when they come into sight.

import { make } from "/page/dom.js";
import { ask } from "/page/server.js";
import { kind, session } from "/page/session.js";

const DRAWN = ["images", "pens"]; // the kinds that have thumbnails
const AT_ONCE = 4;
const known = new Map(); // reference -> promise of a url, or null
const waiting = [];
let running = 0;

/** A tile for a reference: its thumbnail where one is kept, else the first letter of the name. */
export function thumbnail(reference, name) {
  const letter = [...name.trim()][0]?.toUpperCase() ?? "";
  const tile = make("span", { class: "tile", "aria-hidden": "true" }, make("bdi", { text: letter }));
  if (session.about?.gallery.keeps_originals && DRAWN.includes(kind())) {
    tile.dataset.reference = reference;
    sight.observe(tile);
  }
  return tile;
}

/** Forgets thumbnails: those of removed references, or of whoever signed out. */
export function forgetThumbnails(references = [...known.keys()]) {
  for (const one of references) {
    known.get(one)?.then((url) => url && URL.revokeObjectURL(url));
    known.delete(one);
  }
}

const sight = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) {
    if (!isIntersecting) continue;
    sight.unobserve(target);
    show(target);
  }
});

async function show(tile) {
  const reference = Number(tile.dataset.reference);
  if (!known.has(reference)) known.set(reference, inTurn(() => fetchOne(reference)));
  const url = await known.get(reference);
  if (url) tile.replaceChildren(make("img", { src: url, alt: "" }));
}

/** A url; null where it could not be had, and then it is asked for again the next time. */
async function fetchOne(reference) {
  try {
    return URL.createObjectURL(await ask(`/v1/references/${reference}/thumbnail`, { blob: true }));
  } catch {
    known.delete(reference);
    return null;
  }
}

function inTurn(task) {
  return new Promise((resolve) => {
    waiting.push(async () => resolve(await task()));
    next();
  });
}

async function next() {
  if (running >= AT_ONCE || !waiting.length) return;
  running += 1;
  await waiting.shift()();
  running -= 1;
  next();
}
