// One place for a picture: drawn, uploaded, dropped, pasted, or taken with the camera.

import { byId } from "/page/dom.js";
import { takePicture } from "/page/camera.js";
import { makePad } from "/page/pad.js";
import { pictureAmong, readPicture, Unfit } from "/page/picture.js";
import { session } from "/page/session.js";
import { asPng } from "/page/strokes.js";
import { fill, say } from "/page/words.js";

const EMPTY = { strokes: [], picture: null };

export class PictureBox {
  constructor(place) {
    place.replaceChildren(byId("picture-box").content.cloneNode(true));
    fill(place);
    this.parts = {};
    for (const one of place.querySelectorAll("[data-part]")) this.parts[one.dataset.part] = one;
    this.state = EMPTY;
    this.before = []; // states, so that even clearing can be undone
    this.showPad = makePad(
      this.parts.pad,
      () => this.state.strokes,
      (stroke) => this.become({ strokes: [...this.state.strokes, stroke], picture: null }),
    );
    this.listen(place);
    this.show();
  }

  listen(place) {
    const { undo, clear, file, camera, paper } = this.parts;
    undo.addEventListener("click", () => this.undo());
    clear.addEventListener("click", () => this.clear());
    file.addEventListener("change", () => {
      if (file.files[0]) this.take(file.files[0], file.files[0].name);
      file.value = "";
    });
    camera.addEventListener("click", async () => {
      const taken = await takePicture();
      if (taken) this.take(taken, say("item.photo"));
    });
    place.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "z") this.undo();
    });
    const over = (is) => (event) => {
      event.preventDefault();
      paper.classList.toggle("over", is);
    };
    paper.addEventListener("dragover", over(true));
    paper.addEventListener("dragleave", over(false));
    paper.addEventListener("drop", (event) => {
      over(false)(event);
      this.takeFrom(event.dataTransfer, event.dataTransfer.files[0]?.name ?? "");
    });
  }

  /** Takes a picture that was dropped or pasted, if there is one. */
  takeFrom(transfer, name) {
    const file = pictureAmong(transfer) ?? transfer.files[0];
    if (file) this.take(file, name);
  }

  async take(file, name) {
    try {
      const picture = await readPicture(file, name);
      picture.url = URL.createObjectURL(picture.blob);
      this.become({ strokes: [], picture });
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      this.remark(error.message, true);
    }
  }

  become(state) {
    this.before.push(this.state);
    this.state = state;
    this.show();
  }

  undo() {
    if (!this.before.length) return;
    this.state = this.before.pop();
    this.show();
  }

  clear() {
    if (!this.isEmpty()) this.become(EMPTY);
  }

  isEmpty() {
    return !this.state.strokes.length && !this.state.picture;
  }

  /** What is sent: a picture's bytes; null, and a word about it, where there is nothing. */
  async item() {
    if (this.isEmpty()) {
      this.remark(say("item.missing"), true);
      return null;
    }
    return this.state.picture?.blob ?? asPng(this.state.strokes);
  }

  remark(text, wrong = false) {
    this.parts.note.textContent = text;
    this.parts.note.classList.toggle("wrong", wrong);
  }

  show() {
    const { pad, picture, hint, undo, clear } = this.parts;
    const { strokes, picture: given } = this.state;
    const colour = session.about?.model.input.channels === 3;
    hint.textContent = say(colour ? "item.hint.colour" : "item.hint");
    hint.hidden = !this.isEmpty();
    pad.hidden = Boolean(given);
    picture.hidden = !given;
    if (given) {
      picture.src = given.url;
      picture.alt = say("item.picture", { name: given.name });
    }
    const drawn = strokes.length
      ? say("item.pad", { count: strokes.length })
      : say("item.pad.empty");
    pad.setAttribute("aria-label", drawn);
    undo.disabled = !this.before.length;
    clear.disabled = this.isEmpty();
    this.remark(given?.remark ?? "");
    this.showPad();
  }
}
