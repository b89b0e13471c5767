"""The commands on pen recordings, as a user types them."""

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gemel.cli.app import app
from gemel.errors import BadItemsError

runner = CliRunner()


def sign(path: Path, signer: int, number: int) -> None:
    """A made-up signature: each signer's own waves, each time written a little otherwise."""
    own, now = np.random.default_rng(signer), np.random.default_rng([signer, number])
    k = np.linspace(0, 1, 60)
    height, phase, pace = own.normal(size=(2, 4)), own.uniform(0, 6, (2, 4)), own.uniform(0.4, 2)
    height, phase = height + now.normal(0, 0.05, (2, 4)), phase + now.normal(0, 0.05, (2, 4))
    x, y = (
        sum(height[i, f] * np.sin(6 * (f + 1) * k + phase[i, f]) for f in range(4))
        for i in range(2)
    )
    rows = np.column_stack([x + 3 * k, y, 1000 * pace * k])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x,y,t\n" + "\n".join(",".join(map(str, row)) for row in rows.tolist()))


def run(*words: object, status: int = 0) -> str:
    result = runner.invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.output


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pens")
    for part, signers in (("train", range(8)), ("held", range(8, 14)), ("test", range(14, 20))):
        for signer in signers:
            for number in range(5):
                sign(root / part / f"s{signer:02}" / f"{number}.csv", signer, number)
    return root


@pytest.fixture(scope="module")
def model(home: Path) -> Path:
    out = home / "pens.gemel"
    said = run("train", home / "train", "--out", out, "--steps", 3, "--validation", 0.25)
    assert "<Items 'train': 40 pens, 8 classes>" in said
    for part, chosen in (
        ("input", "pen recordings at 128 equal steps"),
        ("batches", "BalancedPairs("),
        ("encoder", "AlignedTDNN"),
        ("metric", "DTW"),
        ("loss", "PairCrossEntropy"),
        ("augmentation", r"PenWarp\("),
    ):
        assert re.search(f"{part} +{re.escape(chosen) if part != 'augmentation' else chosen}", said)
    run("calibrate", out, home / "held")
    return out


def test_evaluate_draws_what_was_written(model: Path, home: Path) -> None:
    page, card = home / "page.html", home / "card.md"
    said = run("evaluate", model, home / "test", "--trials", 20, "--report", page, "--card", card)
    assert re.search(r"AUC (0\.9|1\.0)", said)
    assert page.read_text().count('<img src="data:image/png') > 20
    assert "how alike two pen recordings are" in card.read_text()


def test_compare_and_embed(model: Path, home: Path) -> None:
    one, again, other = (home / "test" / name for name in ("s14/0.csv", "s14/1.csv", "s15/0.csv"))
    assert run("compare", model, one, again).startswith("same")
    assert run("compare", model, one, other, status=1).startswith("different")
    run("embed", model, one, other, "--out", home / "v.npz")
    assert np.load(home / "v.npz")["vectors"].shape == (2, 1280)


def test_enrol_identify_and_verify(model: Path, home: Path) -> None:
    gallery = home / "office.gallery"
    for name, signer in (("ada", "s14"), ("bob", "s15")):
        run("enrol", model, gallery, name, home / "test" / signer / "0.csv")
    assert run("identify", model, gallery, home / "test/s15/1.csv").startswith("bob")
    assert run("identify", model, gallery, home / "test/s19/1.csv", status=1)
    assert run("verify", model, gallery, "ada", home / "test/s14/2.csv").startswith("ada")
    assert run("verify", model, gallery, "bob", home / "test/s14/2.csv", status=1)


def test_a_csv_of_pairs_of_pens(model: Path, home: Path) -> None:
    rows = ["left,right,same"]
    for signer in range(14, 20):
        other = 14 + (signer - 13) % 6
        rows += [f"test/s{signer}/{n}.csv,test/s{signer}/{n + 1}.csv,yes" for n in range(4)]
        rows += [f"test/s{signer}/{n}.csv,test/s{other}/{n}.csv,no" for n in range(4)]
    (home / "pairs.csv").write_text("\n".join(rows))
    said = run("train", home / "pairs.csv", "--out", home / "two.gemel", "--steps", 2)
    assert "PairCrossEntropy" in said
    assert "AUC" in run("evaluate", model, home / "pairs.csv")


def test_all_bad_recordings_are_named_before_training(home: Path, tmp_path: Path) -> None:
    for signer in range(3):
        for number in range(3):
            sign(tmp_path / f"s{signer}" / f"{number}.csv", signer, number)
    (tmp_path / "s0/1.csv").write_text("x,y\n1,2\n")
    (tmp_path / "s2/0.csv").write_text("x,y,t\n1,2,3\n")
    words = ["train", str(tmp_path), "--out", str(home / "bad.gemel"), "--steps", "1"]
    result = runner.invoke(app, words)
    assert isinstance(result.exception, BadItemsError)
    assert [Path(problem.where).name for problem in result.exception.problems] == [
        "1.csv",
        "0.csv",
    ]
    assert "went on without 2 bad items" in run(*words, "--skip-bad")
