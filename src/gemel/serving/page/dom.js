// Elements made without markup, so that a name is only ever text.

/** An element. `given`: `class`, `text`, handlers such as `onclick`, and attributes. */
export function make(tag, given = {}, ...children) {
  return furnish(document.createElement(tag), given, children);
}

/** The same for drawings. */
export function makeSvg(tag, given = {}, ...children) {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), given, children);
}

function furnish(element, given, children) {
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Runs `task` while the button is busy; a second press meanwhile does nothing. */
export async function whileBusy(button, task) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  button.setAttribute("aria-busy", "true");
  try {
    await task();
  } finally {
    button.removeAttribute("aria-disabled");
    button.removeAttribute("aria-busy");
  }
}

/** Calls `task` once the calls have ceased for a moment. */
export function unhurried(task, milliseconds = 250) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(task, milliseconds);
  };
}

/** Has the screen reader say it. */
export function tell(text) {
  const said = byId("said");
  said.textContent = "";
  setTimeout(() => (said.textContent = text), 50); // so that the same words are said again
}
