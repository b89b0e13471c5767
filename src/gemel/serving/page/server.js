// The service: every question goes through `ask`, which knows the key and notices silence.

const KEPT = "gemel.key";
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 8000;

/** Says "gone" and "back" when the server is, and "key" when it asks for one. */
export const server = new EventTarget();

/** What the server refused, or that it could not be asked (code "gone"). */
export class Refused extends Error {
  constructor(code, said = "", request = "", wait = 1) {
    super(said || code);
    Object.assign(this, { code, said, request, wait });
  }
}

export const key = () => sessionStorage.getItem(KEPT);

export function keepKey(text) {
  if (text) sessionStorage.setItem(KEPT, text);
  else sessionStorage.removeItem(KEPT);
}

/** Asks; `form` (fields) or `json` makes it a POST. Gives the answer's JSON, or its blob. */
export async function ask(path, { form, json, blob } = {}) {
  const asking = key();
  const answer = await send(path, form, json);
  if (!answer.ok) throw await refusal(answer, asking);
  const said = await (blob ? answer.blob() : answer.json());
  if (key() !== asking) throw new Refused("no_key"); // who signed out meanwhile must not see it
  return said;
}

async function send(path, form, json) {
  const headers = {};
  if (key()) headers.Authorization = `Bearer ${key()}`;
  if (json) headers["Content-Type"] = "application/json";
  const body = form ? fields(form) : json && JSON.stringify(json);
  try {
    return await fetch(path, { method: body ? "POST" : "GET", headers, body });
  } catch {
    notice();
    throw new Refused("gone");
  }
}

function fields(given) {
  const form = new FormData();
  for (const [name, value] of Object.entries(given)) {
    if (value instanceof Blob) form.append(name, value, "item");
    else if (value !== "") form.append(name, value);
  }
  return form;
}

async function refusal(answer, asking) {
  const { error = {} } = await answer.json().catch(() => ({}));
  const wait = Number(answer.headers.get("Retry-After")) || 1;
  const code = error.code ?? String(answer.status);
  if (answer.status === 401 && key() === asking) server.dispatchEvent(new CustomEvent("key", { detail: code }));
  return new Refused(code, error.message, error.request_id, wait);
}

let gone = false;

function notice() {
  if (gone) return;
  gone = true;
  server.dispatchEvent(new Event("gone"));
  setTimeout(retry, FIRST_WAIT, FIRST_WAIT);
}

async function retry(waited) {
  const answer = await fetch("/health").catch(() => null);
  if (answer?.ok) {
    gone = false;
    server.dispatchEvent(new Event("back"));
    return;
  }
  const wait = Math.min(2 * waited, LONGEST_WAIT);
  setTimeout(retry, wait, wait);
}
