// One place for a pen recording: signed on the pad, or a recording's file.

import { DrawnBox } from "/page/drawn_box.js";
import { session } from "/page/session.js";
import { asRecording, lasting, PEN } from "/page/strokes.js";
import { checkWeight } from "/page/unfit.js";
import { say } from "/page/words.js";

export class PenBox extends DrawnBox {
  constructor(place) {
    super(place, "pen-box", PEN);
  }

  /** The file as it is: the server knows its format. */
  async read(file, name) {
    checkWeight(file, session.about?.limits.pen_bytes);
    return { blob: file, name };
  }

  drawn(strokes) {
    return asRecording(strokes);
  }

  fault({ strokes, given }) {
    const count = strokes.flat().length;
    const most = session.about?.limits.points ?? Infinity;
    if (this.isEmpty()) return say("item.pen.missing");
    if (!given && count < 2) return say("item.pen.dot");
    return count > most ? say("item.pen.long", { count, most }) : "";
  }

  showGiven(given) {
    this.parts.given.hidden = !given;
    this.parts.given.textContent = given ? say("item.pen.given", { name: given.name }) : "";
  }

  hint() {
    return say("item.pen.hint");
  }

  label(count) {
    return count ? say("item.pen.pad", { count }) : say("item.pen.pad.empty");
  }

  note({ strokes, given }) {
    if (given) return "";
    if (!strokes.length) return say("item.pen.sent");
    const seconds = Math.round(10 * lasting(strokes)) / 10;
    return say("item.pen.so.far", { count: strokes.length, seconds });
  }
}
