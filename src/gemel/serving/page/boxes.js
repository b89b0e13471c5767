// The places for items: of the kind that the model takes, made once, so that nothing is lost.

import { FileBox } from "/page/file_box.js";
import { NumbersBox } from "/page/numbers_box.js";
import { PenBox } from "/page/pen_box.js";
import { PictureBox } from "/page/picture_box.js";
import { kind, session } from "/page/session.js";
import { say } from "/page/words.js";

const KINDS = { images: PictureBox, numbers: NumbersBox, pens: PenBox, files: FileBox };
const boxes = new Map();

/** Makes what the model takes. */
function makeAll() {
  for (const place of document.querySelectorAll("[data-box]")) {
    const known = boxes.get(place.dataset.box);
    const Box = KINDS[kind()];
    if (known && (!session.about || known instanceof Box)) known.show();
    else boxes.set(place.dataset.box, new Box(place));
  }
}

/** The box of a place. */
export const box = (name) => boxes.get(name);

/** A pasted file goes to the first empty place that is seen. */
function paste(event) {
  if (kind() === "numbers" || event.target.closest?.("input, textarea, dialog")) return;
  const seen = [...document.querySelectorAll("[data-box]")].filter((one) => one.checkVisibility());
  if (!seen.length || !event.clipboardData.files.length) return;
  event.preventDefault();
  const near = event.target.closest?.("[data-box]");
  const free = seen.find((one) => box(one.dataset.box).isEmpty());
  const place = near ?? free ?? seen[0];
  box(place.dataset.box).takeFrom(event.clipboardData, say("item.pasted"));
}

export function startBoxes() {
  makeAll();
  session.addEventListener("changed", makeAll);
  document.addEventListener("paste", paste);
}
