"""The model card: facts from the model and the evaluation, and Markdown that stays text."""

import re

import numpy as np
import pytest
from torch import nn

import gemel
from gemel import Items, Siamese, inputs, metrics
from gemel.reports import Asked, model_card
from gemel.reports.card import text


@pytest.fixture(scope="module")
def pixels() -> Siamese:
    return Siamese(inputs.Images(16, channels=1), nn.Flatten(), metrics.Euclidean())


def headings(card: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", card, re.M)


def test_without_an_evaluation(pixels: Siamese) -> None:
    card = model_card(pixels, name="m_1.gemel")
    assert headings(card) == [
        r"m\_1.gemel",
        "Use",
        "Intended use and limits",
        "Training",
        "Figures",
        "Calibration",
        "People",
        "The model in detail",
    ]
    assert "gemel.load('m_1.gemel')" in card
    assert pixels.fingerprint in card
    assert "It is not known what it was trained on." in card
    assert "Nothing was measured" in card
    assert "personal data" in card


def test_figures_with_intervals(pixels: Siamese, symbols: Items) -> None:
    found = gemel.evaluate(pixels, symbols, ways=5, trials=40)
    asked = Asked("m.gemel", "symbols", ways=5, trials=40)
    card = model_card(pixels, name="m.gemel", evaluation=found, asked=asked)
    table = [line.split(" | ") for line in card.splitlines() if line.startswith("| ")][1:]
    assert len(table) == len(found.figures)
    for cells, one in zip(table, found.figures, strict=True):
        value = f"{100 * one.value:.1f} %" if one.percent else f"{one.value:.4f}"
        interval = "none" if np.isnan(one.low) else one.range
        assert cells[1:4] == [value, interval, f"{one.count:,} {one.unit}"]
        assert cells[4:6] == [one.split, str(one.seed)]
    for refused in found.refused:
        assert refused.name in card
    assert asked.command in card
    assert f"**AUC** {found.verification.auc.value:.4f} {found.verification.auc.range}" in card


def test_training_calibration_and_warnings(symbols: Items) -> None:
    model = Siamese(
        inputs.Images(16, channels=1), gemel.encoders.Conv(width=(4,), dim=4), metrics.Cosine()
    )
    parts = [symbols.take(symbols.groups == one) for one in np.unique(symbols.groups)[:3]]
    gemel.fit(model, parts[0], validation=parts[1], steps=2)
    gemel.calibrate(model, parts[1], false_accepts=0.1)
    found = gemel.evaluate(model, parts[0], ways=3, trials=20)
    card = model_card(model, name="m", evaluation=found)
    assert "Warnings" in headings(card)
    assert found.warnings
    assert card.count("**Warning:**") == len(found.warnings) + len(model.calibration.warnings)
    assert "- steps: 2" in card
    assert f"threshold {model.threshold:.4f}" in card
    assert "It learned from symbols (36 items)" in card


def test_numbers(symbols: Items) -> None:
    model = Siamese(inputs.Numbers(3), nn.Identity(), metrics.Euclidean())
    assert "two rows of numbers are" in model_card(model, name="m")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("<script>", "&lt;script>"),
        ("a|b", r"a\|b"),
        ("[x](http://y) ![z]", r"\[x\](http://y) !\[z\]"),
        ("a\n# b", "a # b"),
        ("*a* _b_ `c` ~d~", r"\*a\* \_b\_ \`c\` \~d\~"),
        ("\u202eevil\udc80", "evil?"),
        ("&lt;", "&amp;lt;"),
    ],
)
def test_names_stay_text(words: str, wanted: str) -> None:
    assert text(words) == wanted
