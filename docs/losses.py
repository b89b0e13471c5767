"""Write docs/losses.md from what the losses say of themselves: python docs/losses.py."""

from pathlib import Path

from gemel import losses

HEAD = """# The losses

Made by `python docs/losses.py` from the losses themselves. d is the distance of a pair, lower is
more alike; a, p and n are anchor, positive and negative; S and cos are cosines. Each loss is the
mean of its formula. Any callable `(embeddings, labels) -> scalar` is as good.

| loss | formula | takes | use it for | source |
|---|---|---|---|---|
"""


def page() -> str:
    """The text of docs/losses.md."""
    kinds = [getattr(losses, name) for name in losses.__all__]
    told = [kind for kind in kinds if isinstance(kind, type) and hasattr(kind, "about")]
    order = (losses.PairLoss, losses.TripletLoss, losses.LabelLoss, losses.LayerDecay)
    rows = [row(kind) for base in order for kind in told if issubclass(kind, base)]
    return HEAD + "\n".join(rows) + "\n"


def row(kind: type) -> str:
    """One loss's line of the table."""
    about = kind.about  # type: ignore[attr-defined]
    takes = getattr(kind, "takes", "what the loss inside takes")
    cells = (f"`{kind.__name__}`", about.formula, takes, about.use, about.source)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page(), encoding="utf-8")
