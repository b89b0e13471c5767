// The API key: asked for where one is needed, kept until the tab closes or the person signs out.

import { forgetAnswer } from "/page/ask.js";
import { byId } from "/page/dom.js";
import { failureWords } from "/page/failure.js";
import { keepKey, key, Refused, server } from "/page/server.js";
import { forget, refresh } from "/page/session.js";
import { forgetThumbnails } from "/page/thumbs.js";
import { say } from "/page/words.js";

const dialog = byId("key-dialog");
let needed = false;

function askForKey({ detail: code }) {
  needed = true;
  if (code === "wrong_key") keepKey(null);
  byId("key-wrong").textContent = code === "wrong_key" ? say("key.wrong") : "";
  if (!dialog.open) dialog.showModal();
  showButton();
}

async function use(event) {
  event.preventDefault();
  const typed = byId("key").value.trim();
  const wrong = byId("key-wrong");
  wrong.textContent = typed ? "" : say("key.missing");
  if (!typed) return;
  keepKey(typed);
  try {
    await refresh();
    byId("key").value = "";
    dialog.close();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.code !== "wrong_key") wrong.textContent = failureWords(error);
  }
  showButton();
}

function signOut() {
  keepKey(null);
  byId("key").value = "";
  forgetAnswer();
  forgetThumbnails();
  forget();
  showButton();
  dialog.showModal();
}

function showButton() {
  const button = byId("key-button");
  button.hidden = !needed && !key();
  button.textContent = say(key() ? "key.out" : "key.enter");
}

export function startKeys() {
  server.addEventListener("key", askForKey);
  byId("key-form").addEventListener("submit", use);
  byId("key-later").addEventListener("click", () => dialog.close());
  byId("key-button").addEventListener("click", () => (key() ? signOut() : dialog.showModal()));
  showButton();
}
