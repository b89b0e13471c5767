// Two items side by side.

import { showComparison } from "/page/answer.js";
import { box } from "/page/boxes.js";
import { byId, whileBusy } from "/page/dom.js";
import { showFailure } from "/page/failure.js";
import { ask } from "/page/server.js";
import { remember, session } from "/page/session.js";
import { say } from "/page/words.js";

async function compare() {
  const place = byId("compare-answer");
  await whileBusy(byId("are-same"), async () => {
    const left = await box("left").item();
    const right = await box("right").item();
    if (left === null || right === null) return;
    try {
      const said = await ask("/v1/compare", { form: { left, right } });
      remember("compare", said.verdict, [{ ...said, identity: say("compare.rows") }]);
      showComparison(place, said);
    } catch (error) {
      showFailure(place, error);
    }
    place.scrollIntoView({ block: "nearest" });
  });
}

export function startCompare() {
  byId("are-same").addEventListener("click", compare);
  session.addEventListener("changed", () => session.about || byId("compare-answer").replaceChildren());
  return { show: () => {} };
}
