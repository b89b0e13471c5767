// A typed or pasted row of numbers.

/** `{numbers, bad}`: the numbers of a text, and the first word that is none. */
export function readNumbers(text) {
  const words = text.split(/[\s,;]+/).filter((word) => word !== "");
  const bad = words.find((word) => !Number.isFinite(Number(word))) ?? null;
  return { numbers: words.map(Number), bad };
}
