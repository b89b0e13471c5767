"""Is the network still learning? Collapse and stuck losses, said in words."""

import warnings
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

ALIKE = 1e-3
PATIENCE = 50


class CollapseWarning(UserWarning):
    """Training has collapsed: all embeddings are alike, or the loss stays where it started."""


class Watch:
    """Looks at every step's embeddings and loss, and warns once when they have collapsed.

    Two signs, each for `PATIENCE` steps in a row. All embeddings are alike: their spread (the
    root mean square distance from their mean) is below `ALIKE` of their root mean square length.
    The loss is stuck: within 0.1 % of the value that it has when all distances are equal
    (`collapsed_value` of the loss, such as the margin of a triplet hinge).
    """

    def __init__(self, loss: Callable[..., Tensor]) -> None:
        self.stuck_at: float | None = getattr(loss, "collapsed_value", None)
        self.alike = 0
        self.stuck = 0
        self.warned = False

    def look(self, embeddings: Float[Tensor, "items dim"], loss: float) -> None:
        """Count this step's signs, and warn when they have lasted."""
        if self.warned:
            return
        with torch.no_grad():  # no decorator: it would shift the `stacklevel` below
            length = float(embeddings.square().sum(1).mean().sqrt())
            spread = float((embeddings - embeddings.mean(0)).square().sum(1).mean().sqrt())
        self.alike = self.alike + 1 if spread <= ALIKE * length else 0
        near = self.stuck_at is not None and abs(loss - self.stuck_at) <= 1e-3 * self.stuck_at
        self.stuck = self.stuck + 1 if near else 0
        if self.alike >= PATIENCE:
            self._warn(
                f"all embeddings have been alike for {PATIENCE} steps (their spread is "
                f"{spread:.2g}, their length {length:.2g})"
            )
        elif self.stuck >= PATIENCE:
            self._warn(
                f"the loss has stayed at {loss:.4g}, the value at which same and different "
                f"pairs are equally far, for {PATIENCE} steps"
            )

    def _warn(self, what: str) -> None:
        self.warned = True
        warnings.warn(
            f"training has collapsed: {what}. Try, in this order: a lower rate (a tenth), "
            "semi-hard instead of hard mining, more classes and items a batch, "
            "the supervised contrastive loss, a look at the labels",
            CollapseWarning,
            stacklevel=4,
        )
