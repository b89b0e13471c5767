"""The page of two models says what the comparison says."""

import pytest
from pages import rows, sound
from torch import nn

import gemel
from gemel import Items, Siamese, inputs, metrics
from gemel.comparing import ModelComparison
from gemel.reports import Asked, compare_report, write_compare_report

NAMES = ("<b>one</b>.gemel", "two.gemel")
ASKED = Asked(NAMES[0], "symbols", against=NAMES[1], ways=5, trials=40)


@pytest.fixture(scope="module")
def compared(symbols: Items) -> ModelComparison:
    models = [
        Siamese(inputs.Images(size, channels=1), nn.Flatten(), metrics.Euclidean())
        for size in (16, 3)
    ]
    return gemel.compare_models(*models, symbols, names=NAMES, ways=5, trials=40)


def test_figures_and_verdict(compared: ModelComparison) -> None:
    root = sound(compare_report(compared, ASKED))
    told = rows(root, "comparison-table")
    assert len(told) == len(compared.comparisons) == 4
    for cells, (one, won) in zip(told, compared.better, strict=True):
        values = [float(str(cell.find("data")[0].attributes["value"])) for cell in cells[1:4]]
        assert values == [one.first, one.second, one.difference]
        assert cells[5].text == f"{one.p_value:.2g}"
        assert cells[6].text == (won or "the data do not tell")
        assert [cell.text for cell in cells[-2:]] == [one.method, one.test]
    assert compared.verdict in root.text
    assert not root.find("b", class_=None) or "one" not in {b.text for b in root.find("b")}
    for number, one in enumerate(compared.evaluations, start=1):
        table = rows(root, f"figures-{number}")
        assert [float(str(cells[1].find("data")[0].attributes["value"])) for cells in table] == [
            figure.value for figure in one.figures
        ]


def test_sections_and_command(compared: ModelComparison) -> None:
    root = sound(compare_report(compared, ASKED))
    names = [one.attributes["id"] for one in root.find("section") if "id" in one.attributes]
    assert names == ["verdict", "curves", "figures", "models", "again"]
    command = root.find("section", id="again")[0].find("pre")[0].text
    assert command.startswith("gemel compare-models '<b>one</b>.gemel' two.gemel symbols --ways 5")


def test_written_the_same(compared: ModelComparison, tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "two.html"
    write_compare_report(compared, path, ASKED)
    assert path.read_text(encoding="utf-8") == compare_report(compared, ASKED)
