// Files that are not taken, and why.

import { session } from "/page/session.js";
import { say } from "/page/words.js";

const MEGABYTE = 1e6;

/** What is wrong with a file, in words for whoever gave it. */
export class Unfit extends Error {}

/** Refuses a file that has more bytes than the server takes: in a request, if nothing is said. */
export function checkWeight(file, most = session.about?.limits.body_bytes) {
  const megabytes = (count) => Math.round((10 * count) / MEGABYTE) / 10;
  if (file.size > most)
    throw new Unfit(say("item.heavy", { size: megabytes(file.size), most: megabytes(most) }));
}
