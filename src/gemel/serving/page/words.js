// Every word that a person sees comes from one file of texts by key.

let texts = {};
let plurals = new Intl.PluralRules("en");
let language = "en";

export async function loadWords() {
  const answer = await fetch("/page/text.en.json");
  texts = await answer.json();
  language = texts.language;
  plurals = new Intl.PluralRules(language);
  document.documentElement.lang = language;
}

function template(key, values) {
  const text = texts[key];
  if (text === undefined) throw new Error(`no text for ${key}`);
  return typeof text === "string" ? text : (text[plurals.select(values.count)] ?? text.other);
}

const shown = (value) => (typeof value === "number" ? number(value) : value);

/** The text of a key, with {names} filled in. */
export function say(key, values = {}) {
  return template(key, values).replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
}

/** The same as nodes: filled-in texts stand apart, so that one written right to left stays so. */
export function phrase(key, values = {}) {
  const nodes = document.createDocumentFragment();
  for (const part of template(key, values).split(/(\{\w+\})/)) {
    if (!part.startsWith("{")) {
      nodes.append(part);
      continue;
    }
    const value = values[part.slice(1, -1)];
    const apart = document.createElement("bdi");
    apart.textContent = shown(value);
    nodes.append(typeof value === "string" ? apart : shown(value));
  }
  return nodes;
}

export const hasText = (key) => key in texts;

/** Fills in the keys that stand in the page: text, labels, hints. */
export function fill(root) {
  for (const one of root.querySelectorAll("[data-text]")) one.textContent = say(one.dataset.text);
  for (const one of root.querySelectorAll("[data-label]"))
    one.setAttribute("aria-label", say(one.dataset.label));
  for (const one of root.querySelectorAll("[data-hint]")) one.placeholder = say(one.dataset.hint);
}

export const number = (value) => new Intl.NumberFormat(language).format(value);

const digits = { minimumFractionDigits: 4, maximumFractionDigits: 4, useGrouping: false, signDisplay: "negative" };
export const distance = (value) => new Intl.NumberFormat(language, digits).format(value);

/** A share, with two digits that count. */
export function share(value) {
  const settings = { style: "percent", maximumSignificantDigits: 2 };
  return new Intl.NumberFormat(language, settings).format(value);
}

/** A probability, which is never said to be sure. */
export function probability(value) {
  const format = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
  if (value > 0.999) return say("answer.more.than", { percent: format.format(0.999) });
  if (value < 0.001) return say("answer.less.than", { percent: format.format(0.001) });
  return format.format(value);
}

export function moment(text) {
  const settings = { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(language, settings).format(new Date(text));
}

export function counted(identities, references) {
  return say("count.both", {
    identities: say("count.identities", { count: identities }),
    references: say("count.references", { count: references }),
  });
}
