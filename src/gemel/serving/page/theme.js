// Light or dark: as the system has it, unless chosen here.

const KEPT = "gemel.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const system = () => (dark.matches ? "dark" : "light");

export const theme = () => document.documentElement.dataset.theme ?? system();

export function turnTheme() {
  const wanted = theme() === "dark" ? "light" : "dark";
  if (wanted === system()) localStorage.removeItem(KEPT);
  else localStorage.setItem(KEPT, wanted);
  apply();
}

/** Calls back when the colours change, whoever changed them. */
export function onTheme(task) {
  dark.addEventListener("change", task);
  addEventListener("gemel-theme", task);
}

function apply() {
  const chosen = localStorage.getItem(KEPT);
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  dispatchEvent(new Event("gemel-theme"));
}

apply();
