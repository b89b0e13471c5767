// One place for an item that is drawn, or given as a file; whatever is done can be undone.

import { byId } from "/page/dom.js";
import { makePad } from "/page/pad.js";
import { Unfit } from "/page/unfit.js";
import { fill } from "/page/words.js";

const EMPTY = { strokes: [], given: null };

/** What every kind of it does. A kind says what it reads from a file (`read`), what it sends of
 *  strokes (`drawn`), what it shows (`showGiven`), and its words (`hint`, `note`, `fault`, and
 *  `label` of the pad); one whose template has no pad takes files only. */
export class DrawnBox {
  constructor(place, template, pen) {
    place.replaceChildren(byId(template).content.cloneNode(true));
    fill(place);
    this.parts = {};
    for (const one of place.querySelectorAll("[data-part]")) this.parts[one.dataset.part] = one;
    this.state = EMPTY;
    this.before = []; // states, so that even clearing can be undone
    if (this.parts.pad) this.makePad(pen);
    this.listen(place);
    this.show();
  }

  makePad(pen) {
    this.showPad = makePad(
      this.parts.pad,
      () => this.state.strokes,
      (stroke) => this.become({ strokes: [...this.state.strokes, stroke], given: null }),
      pen,
    );
  }

  listen(place) {
    const { undo, clear, file, paper } = this.parts;
    undo.addEventListener("click", () => this.undo());
    clear.addEventListener("click", () => this.clear());
    file.addEventListener("change", () => {
      if (file.files[0]) this.take(file.files[0], file.files[0].name);
      file.value = "";
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

  /** Takes a file that was dropped or pasted, if there is one. */
  takeFrom(transfer, name) {
    const file = this.among(transfer.files);
    if (file) this.take(file, name);
  }

  /** The file to take, of several. */
  among([first]) {
    return first;
  }

  async take(file, name) {
    try {
      this.become({ strokes: [], given: await this.read(file, name) });
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
    return !this.state.strokes.length && !this.state.given;
  }

  /** What is sent; null, and a word about it, where there is nothing that could be. */
  async item() {
    const wrong = this.fault(this.state);
    if (!wrong) return this.state.given?.blob ?? this.drawn(this.state.strokes);
    this.remark(wrong, true);
    return null;
  }

  remark(text, wrong = false) {
    this.parts.note.textContent = text;
    this.parts.note.classList.toggle("wrong", wrong);
  }

  show() {
    const { pad, hint, undo, clear } = this.parts;
    const { strokes, given } = this.state;
    hint.textContent = this.hint();
    hint.hidden = !this.isEmpty();
    this.showGiven(given);
    undo.disabled = !this.before.length;
    clear.disabled = this.isEmpty();
    this.remark(this.note(this.state));
    if (!pad) return;
    pad.hidden = Boolean(given);
    pad.setAttribute("aria-label", this.label(strokes.length));
    this.showPad();
  }
}
