"""The report of two models on the same data: one page of HTML in one file, which loads nothing."""

import math
from os import PathLike
from pathlib import Path

from gemel.comparing import ModelComparison
from gemel.evaluation import Figure, PairedComparison, det
from gemel.items import Items
from gemel.reports import curves
from gemel.reports.asked import Asked
from gemel.reports.html import Html, join, name_of, shortened, tag
from gemel.reports.page import (
    Section,
    chart,
    facts,
    figures_table,
    page,
    refused_list,
    said,
    table,
    with_interval,
)
from gemel.reports.report import again, warnings_box
from gemel.reports.same_or_different import lowest_rate
from gemel.reports.words import model_facts, training_facts


def compare_report(comparison: ModelComparison, asked: Asked) -> str:
    """The page, as text. The same comparison gives the same text.

    Args:
        comparison: what `gemel.compare_models` measured.
        asked: how it was asked for.
    """
    data = comparison.evaluations[0].judged.data
    what = f"{len(data.values):,} {data.kind}"
    if isinstance(data, Items):
        what += f" of {len(data.classes):,} classes"
    lead = tag(
        "p", f"Both judged on the same {what} (split ", name_of(data.name), ").", class_="lead"
    )
    first, second = (shortened(name) for name in comparison.names)
    sections = [
        _verdict(comparison),
        _charts(comparison),
        _figures(comparison),
        _models(comparison),
        again(asked),
    ]
    summary = join(lead, warnings_box(list(comparison.warnings)))
    return page(f"{first} beside {second}", summary, sections, script=False)


def write_compare_report(
    comparison: ModelComparison, path: str | PathLike[str], asked: Asked
) -> None:
    """Write the report of `comparison` to the file `path`."""
    Path(path).write_text(compare_report(comparison, asked), encoding="utf-8")


def _verdict(comparison: ModelComparison) -> Section:
    reading = (
        "Both models met the same trials, so what is hard for both drops out of the difference, "
        "which is the first less the second. An interval that holds 0, or a large p-value, means "
        "that chance alone makes such a difference. One model is called better where the p-value "
        "stays at most 0.05 when all figures here are counted (Holm's correction)."
    )
    head = ["figure", *(shortened(name, 32) for name in comparison.names)]
    head += ["difference", "95 % interval", "p-value", "better", "rests on", "split", "seed"]
    head += ["interval found by", "p-value found by"]
    rows = [[*_row(one), *_sure(one, won)] for one, won in comparison.better]
    body = join(
        tag("p", tag("strong", tag("bdi", comparison.verdict))),
        tag("p", reading),
        table("comparison-table", "Figure by figure", head, rows),
    )
    return Section("verdict", "Which is better?", body)


def _row(one: PairedComparison) -> list[str]:
    scale, digits = (100, 1) if one.percent else (1, 4)
    interval = "none"
    if not math.isnan(one.low):
        interval = f"[{scale * one.low:+.{digits}f}, {scale * one.high:+.{digits}f}]"
    values = (
        tag("data", said(value, percent=one.percent), value=repr(value))
        for value in (one.first, one.second)
    )
    unit = " points" if one.percent else ""
    change = tag("data", f"{scale * one.difference:+.{digits}f}{unit}", value=repr(one.difference))
    return [one.name, *values, change, interval]


def _sure(one: PairedComparison, won: str | None) -> list[str]:
    chance = "none" if math.isnan(one.p_value) else f"{one.p_value:.2g}"
    better: str = "the data do not tell" if won is None else name_of(won, 32)
    rests = f"{one.count:,} {one.unit}"
    return [chance, better, rests, name_of(one.split), str(one.seed), one.method, one.test]


def _charts(comparison: ModelComparison) -> Section:
    both = list(zip(comparison.names, comparison.evaluations, strict=True))
    low = lowest_rate(comparison.evaluations[0].verification.different_count)

    def under(figures: list[Figure]) -> Html:
        parts = [
            join(name_of(name, 40), " ", with_interval(one))
            for name, one in zip(comparison.names, figures, strict=True)
        ]
        return join(parts[0], "; ", parts[1], ".")

    areas, errors = (
        [getattr(one.verification, key) for one in comparison.evaluations] for key in ("auc", "eer")
    )
    named = [shortened(name, 40) for name in comparison.names]
    drawn = [
        chart(
            curves.roc_chart(
                [
                    (name, one.verification.roc, None)
                    for name, (_, one) in zip(named, both, strict=True)
                ],
                low,
            ),
            "ROC curves",
            join("The nearer to the upper left corner, the better. Area: ", under(areas)),
        ),
        chart(
            curves.det_chart(
                [
                    (name, det(one.judged.distance, one.judged.same), None)
                    for name, (_, one) in zip(named, both, strict=True)
                ],
                low,
            ),
            "DET curves",
            join(
                "The nearer to the lower left corner, the better. Equal error rate: ", under(errors)
            ),
        ),
    ]
    ranked = [
        (name, one.identification.cmc)
        for name, (_, one) in zip(named, both, strict=True)
        if one.identification is not None
    ]
    if ranked:
        reading = "How often the right class is at that rank or before; higher is better."
        drawn.append(chart(curves.cmc_chart(ranked), "Cumulative match characteristic", reading))
    return Section("curves", "Curves", tag("div", *drawn, class_="charts"))


def _figures(comparison: ModelComparison) -> Section:
    parts = []
    for number, (name, one) in enumerate(
        zip(comparison.names, comparison.evaluations, strict=True), start=1
    ):
        parts.append(tag("h3", name_of(name)))
        parts.append(
            figures_table(f"figures-{number}", f"Figures of {shortened(name)}", one.figures)
        )
        if one.refused:
            parts += [tag("p", "Not given:"), refused_list(one.refused)]
    return Section("figures", "All figures of each", join(*parts))


def _models(comparison: ModelComparison) -> Section:
    parts = []
    for name, one in zip(comparison.names, comparison.evaluations, strict=True):
        model = one.judged.embedded.model
        about = [(key, shortened(value)) for key, value in training_facts(model)]
        parts += [tag("h3", name_of(name)), facts([*about, *model_facts(model)])]
    return Section("models", "The models", join(*parts))
