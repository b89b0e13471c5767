// Who is enrolled: a page at a time, by name.

import { byId, make, unhurried } from "/page/dom.js";
import { showFailure } from "/page/failure.js";
import { openIdentity } from "/page/identity.js";
import { ask } from "/page/server.js";
import { kind, mayChange, session } from "/page/session.js";
import { thumbnail } from "/page/thumbs.js";
import { counted, say } from "/page/words.js";

const AT_ONCE = 24;
let next = null;
let asked = 0; // the newest question counts, whichever answer comes last

async function load(after) {
  const question = (asked += 1);
  const search = byId("search").value.trim();
  const query = new URLSearchParams({ limit: AT_ONCE, ...(search && { search }), ...(after && { after }) });
  try {
    const found = await ask(`/v1/identities?${query}`);
    if (question !== asked) return;
    const cards = found.identities.map(card);
    if (after) byId("cards").append(...cards);
    else byId("cards").replaceChildren(...cards);
    next = found.next;
    byId("more").hidden = next === null;
    if (after) cards[0]?.querySelector("button").focus();
    showNone(found, search);
  } catch (error) {
    byId("gallery-none").hidden = false;
    showFailure(byId("gallery-none"), error);
  }
}

function showNone(found, search) {
  const none = byId("gallery-none");
  none.hidden = byId("cards").childElementCount > 0;
  none.textContent = found.total ? say("gallery.none", { search }) : say(`gallery.empty.${kind()}`);
}

function card(entry) {
  const { identity, references } = entry;
  const count = say("count.references", { count: references.length });
  const button = make("button", {
    type: "button", class: "card",
    "aria-label": say("gallery.open", { name: identity, references: count }),
    onclick: () => openIdentity(entry),
  },
    thumbnail(references[0].id, identity),
    make("span", { class: "card-words" },
      make("bdi", { class: "name", text: identity }),
      make("span", { class: "small", text: count })));
  return make("li", {}, button);
}

function facts() {
  byId("gallery-why").hidden = mayChange() || !session.about;
  const known = session.about?.gallery;
  byId("gallery-total").textContent = known ? counted(known.identities, known.references) : "";
}

const shown = () => !byId("gallery").hidden;

export function startGallery() {
  byId("more").addEventListener("click", () => load(next));
  byId("search").addEventListener("input", unhurried(() => load()));
  session.addEventListener("changed", () => {
    facts();
    if (!session.about) byId("cards").replaceChildren();
    else if (shown()) load();
  });
  facts();
  return { show: () => session.about && load() };
}
