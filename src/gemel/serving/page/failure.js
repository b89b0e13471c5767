// What went wrong, in the page's words, with the server's own below.

import { make, tell } from "/page/dom.js";
import { Refused } from "/page/server.js";
import { hasText, say } from "/page/words.js";

export function failureWords(error) {
  const key = `error.${error.code}`;
  return hasText(key) ? say(key, { count: error.wait }) : say("error.other", { code: error.code });
}

const reference = (id) => make("p", { class: "small", text: say("error.reference", { id }) });

/** Shows a refusal in `place`; any other error is a fault of the page, and goes on. */
export function showFailure(place, error) {
  if (!(error instanceof Refused)) throw error;
  const words = failureWords(error);
  place.replaceChildren(
    make("div", { class: "failure" },
      make("h2", { text: words }),
      error.said ? make("p", { lang: "en", text: error.said }) : null,
      error.request ? reference(error.request) : null),
  );
  tell(words);
}
