// What the server says of itself, and what was last asked.

import { ask } from "/page/server.js";

/** Says "changed" when `about` is another, or is asked anew. */
export const session = new EventTarget();
session.about = null;
session.last = null;

export async function refresh() {
  session.about = await ask("/v1/about");
  session.dispatchEvent(new Event("changed"));
}

export function forget() {
  session.about = null;
  session.last = null;
  session.dispatchEvent(new Event("changed"));
}

export const mayChange = () => session.about?.role === "admin";

const KNOWN = ["images", "numbers", "pens"];

/** What the model takes; until the server has said it, images. Of a kind that this page does not
 *  know: "files". */
export function kind() {
  const said = session.about?.model.kind ?? "images";
  return KNOWN.includes(said) ? said : "files";
}

/** Keeps an answer for the threshold's what-if: rows of name, distance, verdict. */
export function remember(kind, verdict, rows) {
  session.last = { kind, verdict, rows };
}
