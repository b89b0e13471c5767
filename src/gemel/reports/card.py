"""A model card in Markdown: what a model is, what was measured, and what it is not for.

Source: Mitchell, Wu, Zaldivar, Barnes, Vasserman, Hutchinson, Spitzer, Raji, Gebru 2019, "Model
cards for model reporting", FAT*.
"""

import re
from collections.abc import Sequence

from gemel.measure import Evaluation
from gemel.model import Siamese
from gemel.reports.asked import Asked
from gemel.reports.html import plain_name
from gemel.reports.page import said
from gemel.reports.words import headlines, model_facts, training_facts, versions_now

PEOPLE = (
    "Images, voices and measurements of people are personal data, and templates made of them "
    "(embeddings) can be too. Where this model meets such data: have a lawful reason and the "
    "consent that it needs, tell the people, keep no more than needed, and be able to delete it. "
    "Measure the errors of each group of people that it will meet (`groups` in the data) before "
    "use, and let no one lose a right by its word alone."
)


def model_card(
    model: Siamese, *, name: str, evaluation: Evaluation | None = None, asked: Asked | None = None
) -> str:
    """The card of `model`, as text.

    Args:
        model: the model.
        name: the model's file, or what it is called.
        evaluation: what was measured; without it the card says that nothing was.
        asked: how that was asked for: its command stands in the card.
    """
    parts = [
        f"# {text(name)}",
        _what_it_is(model),
        "## Use",
        _use(model, name),
        "## Intended use and limits",
        _limits(model, evaluation),
        "## Training",
        _listed(training_facts(model)) or "The model's file says nothing of a training.",
        *_measured(evaluation, asked),
        "## Calibration",
        _calibration(model),
        *_warned(model, evaluation),
        "## People",
        PEOPLE,
        "## The model in detail",
        _listed(model_facts(model)),
    ]
    return "\n\n".join(parts) + "\n"


def text(words: str) -> str:
    """Words from the data as Markdown that means nothing but these words."""
    line = plain_name(words, 200).replace("&", "&amp;").replace("<", "&lt;")
    line = re.sub(r"[\x00-\x1f\x7f-\x9f]", "", line.encode("utf-8", "replace").decode())
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", line)


def _what_it_is(model: Siamese) -> str:
    return (
        f"A {model.form.name} that says how alike two {_kinds(model)} are, as a distance: the "
        "lower, the more alike. Made with gemel."
    )


def _kinds(model: Siamese) -> str:
    from gemel.inputs import input_of
    from gemel.items import SIDES

    kinds = dict.fromkeys(input_of(model.input, side).kind for side in SIDES)
    words = {"numbers": "rows of numbers", "pens": "pen recordings"}
    return " and ".join(text(words.get(kind, kind)) for kind in kinds)


def _use(model: Siamese, name: str) -> str:
    code = f"import gemel\n\nmodel = gemel.load({name!r})\nprint(model.compare(one, other))"
    return (
        f"```python\n{code}\n```\n\nFingerprint `{model.fingerprint}`: it changes when the "
        "weights or settings do. Loading runs no code that the file names."
    )


def _limits(model: Siamese, evaluation: Evaluation | None) -> str:
    told = model.training_summary
    learned = (
        "It is not known what it was trained on."
        if not told
        else f"It learned from {text(str(told['data']))} ({told['items']:,} items), and can be "
        "expected to work on things of that kind, taken in the same way."
    )
    judged = (
        "Nothing was measured for this card: measure it on data like those it will meet "
        "before relying on it."
        if evaluation is None
        else f"The figures below are of {text(evaluation.judged.data.name)} only. On data of "
        "another source they will differ, most often for the worse."
    )
    decides = (
        "It has no threshold: it tells distances, and decides nothing."
        if model.threshold is None
        else f"It takes two items for the same up to a distance of {model.threshold:.4f}; where "
        "other errors weigh more than on the validation data, calibrate it anew."
    )
    return "\n".join(f"- {line}" for line in (learned, judged, decides))


def _listed(pairs: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- {key}: {text(value)}" for key, value in pairs)


def _measured(evaluation: Evaluation | None, asked: Asked | None) -> list[str]:
    if evaluation is None:
        return ["## Figures", "None: `gemel evaluate MODEL DATA --card FILE` writes them here."]
    rows = ["| figure | value | 95 % interval | rests on | split | seed | interval found by |"]
    rows.append("|---|---|---|---|---|---|---|")
    for one in evaluation.figures:
        value = said(one.value, percent=one.percent)
        interval = "none" if one.range == f"[{one.method}]" else one.range
        cells = [text(one.name), value, interval, f"{one.count:,} {one.unit}"]
        cells += [text(one.split), str(one.seed), text(one.method)]
        rows.append(f"| {' | '.join(cells)} |")
    first = "\n".join(
        f"- **{text(one.name)}** {said(one.value, percent=one.percent)} {one.range} {words}"
        for one, words in headlines(evaluation)
    )
    parts = ["## Figures", first, "\n".join(rows)]
    if evaluation.refused:
        lines = (f"- {text(one.name)}: {text(one.why)}" for one in evaluation.refused)
        parts += ["Not given, since the data do not support them:", "\n".join(lines)]
    versions = ", ".join(f"{name} {number}" for name, number in versions_now().items())
    parts.append(f"Measured with {versions}.")
    if asked is not None:
        parts.append(f"```\n{asked.command}\n```")
    return parts


def _calibration(model: Siamese) -> str:
    known = model.calibration
    if known is None:
        return (
            "None: the model gives no probabilities. `gemel calibrate MODEL DATA` learns them "
            "from data kept for this."
        )
    return "\n".join(f"- {text(line)}" for line in str(known).splitlines())


def _warned(model: Siamese, evaluation: Evaluation | None) -> list[str]:
    known = () if model.calibration is None else model.calibration.warnings
    found = (*(() if evaluation is None else evaluation.warnings), *known)
    if not found:
        return []
    return ["## Warnings", "\n".join(f"- **Warning:** {text(one)}" for one in found)]
