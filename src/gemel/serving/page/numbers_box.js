// One place for a row of numbers.

import { byId } from "/page/dom.js";
import { readNumbers } from "/page/numbers.js";
import { session } from "/page/session.js";
import { fill, say } from "/page/words.js";

export class NumbersBox {
  constructor(place) {
    place.replaceChildren(byId("numbers-box").content.cloneNode(true));
    fill(place);
    this.parts = {};
    for (const one of place.querySelectorAll("[data-part]")) this.parts[one.dataset.part] = one;
    this.parts.numbers.addEventListener("input", () => this.show());
    this.parts.clear.addEventListener("click", () => this.clear());
    this.show();
  }

  clear() {
    this.parts.numbers.value = "";
    this.parts.numbers.focus();
    this.show();
  }

  isEmpty() {
    return this.parts.numbers.value.trim() === "";
  }

  /** What is sent: a JSON list; null, and a word about it, where it is no row. */
  async item() {
    const { numbers, bad } = readNumbers(this.parts.numbers.value);
    const { wanted } = this;
    if (!bad && numbers.length === wanted) return JSON.stringify(numbers);
    if (this.isEmpty()) this.remark(say("item.missing.numbers"), true);
    else if (bad) this.remark(say("item.numbers.bad", { text: bad }), true);
    else this.remark(say("item.numbers.wrong", { count: numbers.length, wanted }), true);
    this.parts.numbers.focus();
    return null;
  }

  remark(text, wrong = false) {
    this.parts.note.textContent = text;
    this.parts.note.classList.toggle("wrong", wrong);
  }

  show() {
    const { label, clear, numbers: field } = this.parts;
    const { numbers, bad } = readNumbers(field.value);
    this.wanted = session.about?.model.input.count ?? this.wanted; // kept while signed out
    const { wanted } = this;
    label.textContent = say("item.numbers", { count: wanted });
    clear.disabled = this.isEmpty();
    const words = bad
      ? say("item.numbers.bad", { text: bad })
      : say("item.numbers.so.far", { count: numbers.length, wanted });
    this.remark(this.isEmpty() ? "" : words, Boolean(bad));
  }
}
