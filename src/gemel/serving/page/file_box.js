// One place for a file of a kind that this page does not know, but the model does.

import { DrawnBox } from "/page/drawn_box.js";
import { checkWeight } from "/page/unfit.js";
import { say } from "/page/words.js";

export class FileBox extends DrawnBox {
  constructor(place) {
    super(place, "file-box");
  }

  async read(file, name) {
    checkWeight(file);
    return { blob: file, name };
  }

  fault() {
    return this.isEmpty() ? say("item.file.missing") : "";
  }

  showGiven(given) {
    this.parts.given.hidden = !given;
    this.parts.given.textContent = given?.name ?? "";
  }

  hint() {
    return say("item.file.hint");
  }

  note() {
    return "";
  }
}
