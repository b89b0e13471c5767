// The first view: draw or give an item, and ask who it is, enrol it, or check a name.

import { showComparison, showEnrolled, showIdentification, showSampled } from "/page/answer.js";
import { box } from "/page/boxes.js";
import { byId, make, tell, unhurried, whileBusy } from "/page/dom.js";
import { showFailure } from "/page/failure.js";
import { addSample, forgetSamples, WANTED } from "/page/samples.js";
import { ask } from "/page/server.js";
import { kind, mayChange, refresh, remember, session } from "/page/session.js";
import { thumbnail } from "/page/thumbs.js";
import { counted, say } from "/page/words.js";

const SOME = 12;
let answered = false;

/** Sends the item with `fields` and shows what comes back with `show`, which may say where to look. */
async function send(button, path, fields, show) {
  const place = byId("ask-answer");
  await whileBusy(button, async () => {
    const item = await box("ask").item();
    if (item === null) return;
    place.classList.add("working");
    answered = true;
    let next;
    try {
      next = await show(place, await ask(path, { form: { ...fields, item } }));
    } catch (error) {
      showFailure(place, error);
    } finally {
      place.classList.remove("working");
    }
    bringIntoView(next ?? place);
  });
}

/** On a phone the answer stands below the pad. */
function bringIntoView(place) {
  const { top } = place.getBoundingClientRect();
  if (top < 0 || top > innerHeight - 120) place.scrollIntoView({ block: "start" });
}

function identify() {
  send(byId("identify"), "/v1/identify", {}, (place, found) => {
    remember("identify", found.verdict, found.candidates);
    showIdentification(place, found);
  });
}

function verify() {
  const identity = givenName();
  if (!identity) return;
  send(byId("verify"), "/v1/verify", { identity }, (place, said) => {
    remember("verify", said.verdict, [said]);
    showComparison(place, said);
  });
}

function enrol() {
  if (!mayChange()) return;
  const identity = givenName();
  if (!identity) return;
  const note = byId("note").value.trim();
  send(byId("enrol"), "/v1/enrol", { identity, note }, async (place, said) => {
    const wanted = showDone(place, said);
    if (!wanted) byId("name").value = ""; // the next drawing may be of somebody else
    byId("note").value = "";
    box("ask").clear();
    await refresh();
    return wanted ? askForMore(place) : place;
  });
}

/** Shows what was enrolled; how many more samples of it are wanted. */
function showDone(place, said) {
  if (kind() !== "pens") {
    showEnrolled(place, said);
    return 0;
  }
  const references = addSample(said);
  showSampled(place, said, references);
  return WANTED - references.length;
}

/** Where the next sample is signed, with what the answer says: on a phone that is out of sight. */
function askForMore(answer) {
  box("ask").remark(answer.querySelector(".verdict").textContent);
  return document.querySelector("[data-box=ask] .item");
}

function givenName() {
  const name = byId("name");
  name.setCustomValidity(name.value.trim() ? "" : say("ask.name.missing"));
  return name.reportValidity() ? name.value.trim() : null;
}

/** Names that are enrolled already, for the name that is being typed. */
async function suggest() {
  const search = new URLSearchParams({ search: byId("name").value.trim(), limit: "8" });
  const { identities } = await ask(`/v1/identities?${search}`).catch(() => ({ identities: [] }));
  const options = identities.map(({ identity }) => make("option", { value: identity }));
  byId("known").replaceChildren(...options);
}

function invite() {
  const may = mayChange();
  byId("enrol").disabled = !may;
  byId("enrol-why").hidden = may || !session.about;
  if (!session.about) byId("known").replaceChildren();
  if (answered) return;
  byId("ask-answer").replaceChildren(...invitation());
  showSome();
}

/** A few of those who are enrolled, below the invitation. */
async function showSome() {
  if (!session.about?.gallery.identities) return;
  const { identities } = await ask(`/v1/identities?limit=${SOME}`).catch(() => ({ identities: [] }));
  const tiles = identities.map((one) => thumbnail(one.references[0].id, one.identity));
  const place = byId("ask-answer");
  if (answered || place.querySelector(".known")) return;
  place.append(make("div", { class: "known" }, ...tiles));
}

/** A line a sentence. */
function inviting(text) {
  const lines = text.split(/(?<=[.?!]) /).map((line) => make("span", { text: `${line} ` }));
  return make("p", { class: "invite" }, ...lines);
}

function invitation() {
  if (!session.about) return [inviting(say("ask.no.key"))];
  const { identities, references } = session.about.gallery;
  const empty = mayChange() ? `ask.empty.${kind()}` : "ask.empty.read";
  const both = counted(identities, references);
  return [
    inviting(say(identities ? `ask.ready.${kind()}` : empty)),
    make("p", { class: "lead", text: identities ? say("ask.ready.why", { both }) : say(`ask.why.${kind()}`) }),
  ];
}

export function startAsk() {
  byId("identify").addEventListener("click", identify);
  byId("verify").addEventListener("click", verify);
  byId("named").addEventListener("submit", (event) => {
    event.preventDefault();
    enrol();
  });
  const suggestSoon = unhurried(suggest);
  byId("name").addEventListener("input", () => {
    byId("name").setCustomValidity("");
    suggestSoon();
  });
  session.addEventListener("changed", invite);
  invite();
  return { show: () => tell("") };
}

/** Puts the invitation back, once who was asked about is none of the next one's business. */
export function forgetAnswer() {
  answered = false;
  forgetSamples();
}
