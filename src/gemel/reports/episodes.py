"""A few of the measured episodes, drawn: the query, the references, and what was answered."""

from dataclasses import dataclass

import numpy as np

from gemel.embedded import Embedded
from gemel.errors import SettingsError
from gemel.evaluation import Episodes, Figure
from gemel.items import Items
from gemel.reports.asked import Asked
from gemel.reports.html import EMPTY, Html, join, name_of, tag
from gemel.reports.page import rests_on, with_interval
from gemel.reports.portraits import Portraits
from gemel.trials import draw_item_episodes

LOOKED_AT = 60
"""How many episodes are looked through for right and wrong ones."""
SHOWN = 3  # of each
MOST_WAYS = 30


@dataclass(frozen=True)
class Answer:
    """What a model answered in one episode.

    Attributes:
        trial: the episode's number.
        nearest: the ways that are nearest; more than one where they tie.
        truth: the right way.
    """

    trial: int
    nearest: tuple[int, ...]
    truth: int

    @property
    def right(self) -> bool:
        """Whether the right way alone is nearest."""
        return self.nearest == (self.truth,)


def same_episodes(items: Items, asked: Asked) -> Episodes:
    """The episodes that `evaluate` measured, drawn again with the same seed."""
    return draw_item_episodes(
        items,
        ways=asked.ways,
        shots=asked.shots,
        trials=asked.trials,
        within_groups=asked.within_groups,
        seed=asked.seed,
    )


def answers(embedded: Embedded, episodes: Episodes, *, shots: int) -> list[Answer]:
    """What the model answers in the first episodes."""
    first = slice(0, LOOKED_AT)
    found = embedded.comparison(shots)(episodes.query[first], episodes.support[first])
    nearest = found == found.min(axis=1, keepdims=True)
    return [
        Answer(trial, tuple(np.flatnonzero(ways).tolist()), int(episodes.answer[trial]))
        for trial, ways in enumerate(nearest)
    ]


def chosen(found: list[Answer]) -> list[Answer]:
    """The first few that are right, and the first few that are not."""
    right = [one for one in found if one.right][:SHOWN]
    return right + [one for one in found if not one.right][:SHOWN]


def episodes_shown(embedded: Embedded, items: Items, asked: Asked, figure: Figure) -> Html:
    """Up to three right and three wrong episodes, and how often either happens.

    Raises:
        SettingsError: what was asked for is not what was measured.
    """
    episodes = same_episodes(items, asked)
    measured = f"{episodes.support.shape[1]}-way {asked.shots}-shot"
    if (len(episodes), asked.seed) != (figure.count, figure.seed) or measured not in figure.name:
        raise SettingsError(
            f"the report was asked for {len(episodes)} trials, {measured}, seed {asked.seed}; "
            f"measured was {figure}. Give `Asked` the settings that `evaluate` had"
        )
    portraits = Portraits(items, embedded.model.input)
    drawn = [
        _episode(episodes, one, items, portraits)
        for one in chosen(answers(embedded, episodes, shots=asked.shots))
    ]
    reading = join(
        "Which of the references shows the same as the query? The answer is the nearest one. ",
        f"Shown are the first right and the first wrong ones among the first {LOOKED_AT} ",
        "episodes, up to three of each, so these do not show how often the model is right: that ",
        "is ",
        with_interval(figure),
        " (",
        rests_on(figure),
        "). A whole frame is the answer where it is right, a dashed frame a wrong answer, and a "
        "double frame what would have been right.",
        f" Of the {asked.shots} references of a class the first is shown."
        if asked.shots > 1
        else "",
    )
    return join(tag("p", reading), *drawn)


def _episode(episodes: Episodes, answer: Answer, items: Items, portraits: Portraits) -> Html:
    support = episodes.support[answer.trial]  # [ways, shots]
    ways = sorted({*range(min(len(support), MOST_WAYS)), *answer.nearest, answer.truth})
    query = int(episodes.query[answer.trial])
    verdict = ("✓ right", "good") if answer.right else ("✗ wrong", "bad")
    if answer.truth in answer.nearest and not answer.right:
        verdict = (f"a tie of {len(answer.nearest)}: counts 1/{len(answer.nearest)}", "bad")
    hidden = len(support) - len(ways)
    references = [
        _way(portraits.of(int(support[way, 0]), "right"), way, answer, items, int(support[way, 0]))
        for way in ways
    ]
    return tag(
        "article",
        tag("h3", f"Episode {answer.trial + 1}: ", tag("span", verdict[0], class_=verdict[1])),
        tag(
            "div",
            tag("span", "the query"),
            portraits.of(query, "left"),
            name_of(str(items.labels[query]), 40),
            class_="asked",
        ),
        tag(
            "ul",
            *references,
            class_="ways" if portraits.are_pictures("right") else "ways words",
            aria_label="references",
        ),
        tag("p", f"{hidden} further references are not shown.", class_="soft") if hidden else EMPTY,
        class_="episode",
    )


def _way(drawing: Html, way: int, answer: Answer, items: Items, item: int) -> Html:
    """A reference; the answer and the right one are marked and named."""
    kind, word = None, EMPTY
    if way in answer.nearest:
        kind = "hit" if way == answer.truth else "miss"
        said = ("✓ answer", "good") if way == answer.truth else ("✗ answer", "bad")
        word = tag("span", said[0], class_=said[1])
    elif way == answer.truth:
        kind, word = "truth", tag("b", "the right one")
    if kind is None:
        return tag("li", drawing)
    return tag("li", drawing, word, " ", name_of(str(items.labels[item]), 24), class_=kind)
