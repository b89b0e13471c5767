"""docs/losses.md is what docs/losses.py writes, and tells of every loss."""

import runpy
from pathlib import Path

from gemel import losses

DOCS = Path(__file__).parents[2] / "docs"


def test_the_table_of_losses_is_up_to_date() -> None:
    page = runpy.run_path(str(DOCS / "losses.py"))["page"]()
    assert page == (DOCS / "losses.md").read_text(encoding="utf-8"), "run python docs/losses.py"


def test_every_loss_has_its_row_once() -> None:
    bases = {"PairLoss", "TripletLoss", "LabelLoss", "ProxyLoss", "About"}
    made = {name for name in losses.__all__ if isinstance(getattr(losses, name), type)} - bases
    lines = (DOCS / "losses.md").read_text(encoding="utf-8").splitlines()
    rows = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert sorted(rows) == sorted(made)
    assert {line.replace(r"\|", "").count("|") for line in lines if line.startswith("|")} == {6}
