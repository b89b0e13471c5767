"""The report of an evaluation: one page of HTML in one file, which loads nothing."""

from os import PathLike
from pathlib import Path

from gemel.evaluation import GroupVerification
from gemel.evaluation.groups import GroupFigures
from gemel.evaluation.intervals import Figure, Refused
from gemel.items import Items
from gemel.measure import Evaluation
from gemel.model import Siamese
from gemel.reports import curves
from gemel.reports.asked import Asked
from gemel.reports.confusion import confusion, confusion_tables
from gemel.reports.embedding_map import maps
from gemel.reports.episodes import episodes_shown
from gemel.reports.html import EMPTY, Html, join, name_of, shortened, tag
from gemel.reports.mistakes import mistakes
from gemel.reports.page import (
    Section,
    chart,
    facts,
    figures_table,
    page,
    paragraphs,
    refused_list,
    rests_on,
    table,
    value_of,
    with_interval,
)
from gemel.reports.same_or_different import same_or_different
from gemel.reports.words import (
    headlines,
    model_facts,
    settings_said,
    training_facts,
    versions_now,
)

MOST_GROUPS = 60


def report(evaluation: Evaluation, asked: Asked) -> str:
    """The page, as text. The same evaluation gives the same text.

    Args:
        evaluation: what `gemel.evaluate` measured.
        asked: how it was asked for.
    """
    model = evaluation.judged.embedded.model
    sections = [
        _in_short(evaluation),
        *_about_model(model),
        _all_figures(evaluation),
        same_or_different(evaluation),
        *_identification(evaluation),
        *_groups(evaluation.groups),
        Section("mistakes", "The worst mistakes", mistakes(evaluation.judged)),
        *_of_items(evaluation, asked),
        again(asked),
    ]
    title = f"{shortened(Path(asked.model).name)} judged on {shortened(Path(asked.data).name)}"
    turns = model.dim == 3 and any(section.slug == "map" for section in sections)
    return page(title, _summary(evaluation, model), sections, script=turns)


def write_report(evaluation: Evaluation, path: str | PathLike[str], asked: Asked) -> None:
    """Write the report of `evaluation` to the file `path`."""
    Path(path).write_text(report(evaluation, asked), encoding="utf-8")


def _summary(evaluation: Evaluation, model: Siamese) -> Html:
    data = evaluation.judged.data
    what = f"{len(data.values):,} {data.kind}"
    if isinstance(data, Items):
        what += f" of {len(data.classes):,} classes"
    trained = model.training_summary.get("data")
    learned = "" if trained is None else f", trained on {shortened(str(trained))}"
    lead = tag(
        "p",
        f"A {model.form.name}{learned}, judged on {what} (split ",
        name_of(data.name),
        f", seed {evaluation.verification.auc.seed}).",
        class_="lead",
    )
    return join(lead, warnings_box(_warnings(evaluation, model)), _skipped(evaluation))


def _warnings(evaluation: Evaluation, model: Siamese) -> list[str]:
    known = model.calibration
    of_old = () if known is None else known.warnings
    return [*evaluation.warnings, *(f"the calibration: {warning}" for warning in of_old)]


def warnings_box(warnings: list[str]) -> Html:
    """What speaks against the figures, where a reader cannot miss it."""
    if not warnings:
        return EMPTY
    heading = tag("h2", "⚠ Warnings", id="warnings-heading")
    each = [tag("li", tag("bdi", warning)) for warning in warnings]
    return tag(
        "section", heading, tag("ul", *each), class_="warnings", aria_labelledby="warnings-heading"
    )


def _skipped(evaluation: Evaluation) -> Html:
    bad = [tag("li", tag("bdi", str(problem))) for problem in evaluation.skipped]
    if not bad:
        return EMPTY
    return tag("details", tag("summary", f"Went on without {len(bad)} bad items"), tag("ul", *bad))


def cards(figures: list[tuple[Figure, str]]) -> Html:
    """Figures in large letters, each with what it means and what it rests on."""
    return tag(
        "ul",
        *(
            tag(
                "li",
                tag("p", one.name, class_="soft"),
                tag("p", value_of(one), class_="big"),
                tag("p", words),
                tag("p", f"95 % interval {one.range}; ", rests_on(one), class_="soft"),
            )
            for one, words in figures
        ),
        class_="cards",
    )


def _in_short(evaluation: Evaluation) -> Section:
    reading = (
        "Each figure stands with its 95 % interval: the range in which it would likely lie had "
        "other items been drawn from the same source. Wide intervals mean that more data are "
        "needed, not that the model is bad."
    )
    return Section("short", "In short", join(tag("p", reading), cards(headlines(evaluation))))


def _about_model(model: Siamese) -> list[Section]:
    trained = training_facts(model)
    learned = (
        facts([(key, shortened(value)) for key, value in trained])
        if trained
        else tag("p", "The model's file says nothing of a training.")
    )
    settings = settings_said(model)
    more = (
        tag("details", tag("summary", "All settings of the training"), tag("pre", settings))
        if settings
        else EMPTY
    )
    parts = [
        Section(
            "model",
            "What was trained on what",
            join(
                tag("h3", "The training"),
                learned,
                more,
                tag("h3", "The model"),
                facts(model_facts(model)),
            ),
        )
    ]
    return [*parts, *_training(model)]


def _training(model: Siamese) -> list[Section]:
    """How the loss and the validation figure went, where the model's file holds it."""
    history = model.training_summary.get("history", [])
    drawn = curves.training_charts(history)
    if not drawn:
        return []
    reading = (
        "The loss is what training lowers, of single batches, so it jumps. The validation figure, "
        "higher is better, is of data held out: the weights of the best one were kept. A loss that "
        "falls while validation sinks means overfitting."
    )
    rows = [
        [str(one["step"]), f"{one['loss']:.4g}", f"{one['validation']:.4g}"]
        for one in history
        if "validation" in one
    ]
    more = EMPTY
    if rows:
        numbers = table(
            "training-table", "At each validation", ["step", "loss", "validation"], rows
        )
        more = tag("details", tag("summary", "The numbers"), numbers)
    figure = tag("div", *(tag("figure", one) for one in drawn), class_="charts")
    return [Section("training", "How training went", join(tag("p", reading), figure, more))]


def _all_figures(evaluation: Evaluation) -> Section:
    caption = f"{len(evaluation.figures)} figures; wide tables can be pushed sideways"
    body = figures_table("figures-table", caption, evaluation.figures)
    if evaluation.refused:
        body = join(body, tag("h3", "Not given"), refused_list(evaluation.refused))
    return Section("figures", "All figures", body)


def _identification(evaluation: Evaluation) -> list[Section]:
    found = evaluation.identification
    if found is None:
        return []
    first = found.rank[0]
    reading = join(
        f"One reference each of {found.labels:,} classes is enrolled, and {found.known:,} other "
        f"items of these classes ask who they are; {found.unknown:,} items of classes that are "
        "not enrolled ask too. The curve says how often the right class is at that rank or "
        "before; at rank 1 ",
        with_interval(first),
        " (",
        rests_on(first),
        ").",
    )
    drawn = chart(
        curves.cmc_chart([("this model", found.cmc)]), "Cumulative match characteristic", reading
    )
    return [Section("identification", "Who or what is it?", drawn)]


def _groups(found: GroupVerification | None) -> list[Section]:
    if found is None:
        return []

    def cell(one: Figure | Refused) -> str:
        return "not given" if isinstance(one, Refused) else with_interval(one)

    def badness(one: GroupFigures) -> float:
        return 2.0 if isinstance(one.accuracy, Refused) else one.accuracy.value

    groups = sorted(found.groups, key=badness)[:MOST_GROUPS]
    rows = [
        [name_of(one.group, 40), f"{one.same_count:,}", f"{one.different_count:,}"]
        + [cell(asked) for asked in one.asked]
        for one in groups
    ]
    head = ["group", "same pairs", "different pairs", "accuracy", "same accepted"]
    head += ["different accepted", "equal error rate"]
    figures = found.figures
    tail = f" (split {figures[0].split}, seed {figures[0].seed})" if figures else ""
    shown = f"{len(groups)} of {len(found.groups)} groups, least accurate first{tail}"
    reading = (
        f"Pairs inside each group, all at the threshold {found.threshold:.4f}: is it fair to all? "
        "Where the intervals of two groups overlap, chance may be all that parts them; among many "
        "groups, some will look worse by chance. The equal error rate is at a threshold of the "
        "group's own. What has fewer than 30 pairs of a kind is not given."
    )
    body = join(tag("p", reading), table("groups-table", shown, head, rows))
    return [Section("groups", "Group by group", body)]


def _of_items(evaluation: Evaluation, asked: Asked) -> list[Section]:
    """What needs labelled items: confusions and a map (not of a joint comparer), and episodes."""
    judged = evaluation.judged
    embedded, items = judged.embedded, judged.data
    if not isinstance(items, Items):
        return []
    parts = []
    if not embedded.model.is_joint:
        nearest = confusion_tables(confusion(embedded, items), items)
        reading = (
            f"Each of the {len(items):,} items (split {items.name}) is given the class of the "
            "nearest other item; here is where that goes wrong."
        )
        parts.append(
            Section("confusion", "Classes taken for each other", join(tag("p", reading), nearest))
        )
        drawn = maps(embedded, items, seed=asked.seed)
        if drawn is not None:
            parts.append(Section("map", "A map of the embeddings", drawn))
    if evaluation.episodes is not None:
        shown = episodes_shown(embedded, items, asked, evaluation.episodes)
        parts.append(Section("episodes", "Some episodes", shown))
    return parts


def again(asked: Asked) -> Section:
    """The command, versions and seed."""
    versions = ", ".join(f"{name} {number}" for name, number in versions_now().items())
    body = join(
        paragraphs(
            "The same model file, data and seed give the same figures on the same machine. The "
            "fingerprint above changes when the weights or settings do."
        ),
        tag("pre", asked.command),
        tag("p", f"Measured with {versions}; seed {asked.seed}."),
    )
    return Section("again", "How to do it again", body)
