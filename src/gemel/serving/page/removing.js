// Removing: first what would go, then what went.

import { byId, make, tell } from "/page/dom.js";
import { failureWords } from "/page/failure.js";
import { ask, Refused } from "/page/server.js";
import { refresh, session } from "/page/session.js";
import { forgetThumbnails, thumbnail } from "/page/thumbs.js";
import { phrase, say } from "/page/words.js";

const FEW = 24;

/** Asks before an identity, or the one reference `only`, is removed. True where it was. */
export function confirmRemoval(identity, references, only = null) {
  const dialog = byId("remove-dialog");
  let removed = false;
  const remove = async () => {
    const json = only ? { reference: only.id } : { identity };
    const gone = await ask("/v1/remove", { json });
    removed = true;
    forgetThumbnails(gone.references);
    showDone(dialog, gone);
    await refresh();
  };
  showQuestion(dialog, identity, references, only, remove);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(removed), { once: true });
  });
}

function showQuestion(dialog, identity, references, only, remove) {
  const going = only ? [only] : references;
  const wrong = make("p", { class: "wrong", role: "alert" });
  const cancel = make("button", { type: "button", text: say("cancel"), onclick: () => dialog.close() });
  const onclick = async (event) => {
    event.target.disabled = true;
    try {
      await remove();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      wrong.textContent = `${failureWords(error)} ${error.said}`.trim();
      event.target.disabled = false;
    }
  };
  dialog.replaceChildren(
    make("h2", { id: "remove-title" },
      phrase(only ? "remove.title.one" : "remove.title", { name: identity })),
    make("p", {}, whatGoes(identity, references, only)),
    make("div", { class: "tiles" }, ...going.slice(0, FEW).map((one) => thumbnail(one.id, identity))),
    make("p", { text: say(session.about.gallery.keeps_originals ? "remove.originals" : "remove.embeddings") }),
    make("p", { text: say("remove.forever") }),
    wrong,
    make("div", { class: "row end" }, cancel,
      make("button", { type: "button", class: "danger", text: say("remove.do"), onclick })));
  cancel.focus();
}

function whatGoes(identity, references, only) {
  const counted = (count) => say("count.references", { count });
  if (!only) return say("remove.what", { references: counted(references.length) });
  const facts = { id: only.id, name: identity, references: counted(references.length - 1) };
  return phrase(references.length === 1 ? "remove.what.last" : "remove.what.one", facts);
}

function showDone(dialog, gone) {
  const key = gone.whole ? "remove.done.whole" : "remove.done.one";
  const each = gone.references.map((id) => say("reference", { id }));
  const close = make("button", {
    type: "button", class: "strong", text: say("close"), onclick: () => dialog.close(),
  });
  dialog.replaceChildren(
    make("h2", { id: "remove-title" }, phrase(key, { name: gone.identity })),
    make("p", { text: say("remove.gone", { references: each.join(", ") }) }),
    make("p", { text: say(gone.erased ? "remove.erased" : "remove.not.erased") }),
    make("div", { class: "row end" }, close));
  close.focus();
  tell(say(key, { name: gone.identity }));
}
