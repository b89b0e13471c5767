// Several samples of one hand, enrolled one after the other.

/** So many make a good reference of a hand. */
export const WANTED = 5;

let series = { identity: null, references: [] };

/** Counts what was enrolled; another name begins anew. Gives the references of the series so far. */
export function addSample({ identity, reference }) {
  const known = series.identity === identity ? series.references : [];
  const references = [...new Set([...known, reference])];
  series = references.length < WANTED ? { identity, references } : { identity: null, references: [] };
  return references;
}

export function forgetSamples() {
  series = { identity: null, references: [] };
}
