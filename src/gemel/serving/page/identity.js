// One identity: its references, its name, and what may be removed.

import { byId, make, tell } from "/page/dom.js";
import { failureWords } from "/page/failure.js";
import { confirmRemoval } from "/page/removing.js";
import { ask, Refused } from "/page/server.js";
import { mayChange, refresh } from "/page/session.js";
import { thumbnail } from "/page/thumbs.js";
import { moment, phrase, say } from "/page/words.js";

/** Opens the dialog of an identity. */
export function openIdentity(entry) {
  const dialog = byId("identity-dialog");
  show(entry);
  dialog.showModal();
  dialog.addEventListener("close", () => setTimeout(findFocus), { once: true });
}

/** Where the card that opened the dialog is gone, reading goes on at the top of the view. */
function findFocus() {
  if (document.activeElement === document.body) byId("main").focus();
}

function show({ identity, references }) {
  const dialog = byId("identity-dialog");
  const close = make("button", { type: "button", text: say("close"), onclick: () => dialog.close() });
  dialog.replaceChildren(
    make("h2", { id: "identity-title", tabindex: -1, autofocus: true }, make("bdi", { text: identity })),
    mayChange() ? renaming(identity, references) : make("p", { class: "why", text: say("role.read") }),
    make("ul", { class: "references" }, ...references.map((one) => row(identity, references, one))),
    make("div", { class: "row end" },
      mayChange() ? removeAll(identity, references) : null, make("span", { class: "gap" }), close));
}

function row(identity, references, one) {
  const facts = make("div", { class: "reference-facts" },
    make("span", { text: say("reference", { id: one.id }) }),
    one.note ? make("bdi", { class: "reference-note", text: one.note }) : null,
    make("span", { class: "small", text: say("identity.enrolled", { when: moment(one.enrolled) }) }));
  const remove = make("button", {
    type: "button", class: "quiet", text: say("identity.remove.one"),
    "aria-label": say("identity.remove.one.label", { id: one.id }),
    onclick: async () => {
      if (!(await confirmRemoval(identity, references, one))) return;
      const left = references.filter((other) => other !== one);
      if (!left.length) return byId("identity-dialog").close();
      show({ identity, references: left });
      byId("identity-title").focus();
    },
  });
  return make("li", {}, thumbnail(one.id, identity), facts, mayChange() ? remove : null);
}

function removeAll(identity, references) {
  return make("button", {
    type: "button", class: "danger",
    onclick: async () => {
      if (await confirmRemoval(identity, references)) byId("identity-dialog").close();
    },
  }, phrase("identity.remove", { name: identity }));
}

function renaming(identity, references) {
  const name = make("input", {
    type: "text", value: identity, maxlength: "200", required: true,
    autocapitalize: "off", spellcheck: "false",
  });
  const wrong = make("p", { class: "wrong", role: "alert" });
  const onsubmit = async (event) => {
    event.preventDefault();
    const wanted = name.value.trim();
    if (wanted === identity || !wanted) return;
    try {
      const { old, new: now } = await ask("/v1/rename", { json: { old: identity, new: wanted } });
      show({ identity: now, references });
      byId("identity-title").focus();
      tell(say("identity.renamed", { old, new: now }));
      await refresh();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      wrong.textContent = `${failureWords(error)} ${error.said}`.trim();
    }
  };
  return make("form", { class: "rename", autocomplete: "off", onsubmit },
    make("label", { class: "field" }, make("span", { text: say("identity.name") }), name),
    make("button", { type: "submit", text: say("identity.rename") }), wrong);
}
