"""Encoders for comparers that are no twins: two encoders, or one network for both items."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gemel.encoders.koch import Koch
from gemel.errors import SettingsError


class Sides(nn.Module):
    """Two encoders, one for each side of a pair.

    - Pseudo-twin (Zagoruyko and Komodakis 2015, "pseudo-siamese"): one architecture, weights of
      their own: `Sides(Conv(), Conv())`.
    - Half-twin: similar things of different kinds, such as sketch and photograph or query and
      document: `Sides(Conv(), Dense())`, with `inputs.Sides` where the items differ in kind.

    Of the axioms of a metric only d >= 0 is left: f(x) and g(x) are two points, so d(x, x) is no 0,
    and the distance from left to right is not that from right to left. Where the metric keeps the
    triangle, a mixed one holds: d(x, y) <= d(x, y') + d(x', y') + d(x', y).

    Both must give embeddings of one length. To start from equal weights, give a built encoder and
    its copy (`copy.deepcopy`): weights that are there are not drawn anew.

    Args:
        left: the encoder of left items.
        right: the encoder of right items.
    """

    def __init__(self, left: nn.Module, right: nn.Module) -> None:
        super().__init__()
        self.left = left
        self.right = right

    def parts(self) -> dict[str, nn.Module]:
        """The arguments that make it again, each a module of its own."""
        return {"left": self.left, "right": self.right}

    def forward(
        self, left: Float[Tensor, "batch ..."], right: Float[Tensor, "many ..."]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "many dim"]]:
        """The embeddings of left items, and of right items."""
        return self.left(left), self.right(right)


class Joint(nn.Module):
    """One network that both items enter at once: a joint comparer.

    The two items are stacked along their first axis, as the two channels of one picture
    (Zagoruyko and Komodakis 2015, "2-channel"). The network's one output is the logit of the
    probability that they are the same; the distance is minus the logit, so lower is more alike.
    There is no embedding: every pair is a run of the network, and no index can serve a search.

    Nothing makes such a network symmetric, so in evaluation mode the distance is the mean of both
    orders. d(x, x) = 0, "0 only where equal" and the triangle fail.

    Args:
        network: a module from [B, 2 C, ...] to [B, 1], or an encoder of gemel's with `dim=1`.

    Raises:
        SettingsError: the network's output is squeezed or scaled, so that it is no logit; or, in
            `forward`, it gives another number of numbers.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        if getattr(network, "unit_length", False) or isinstance(network, Koch):
            raise SettingsError(
                f"{type(network).__name__} gives numbers of bounded size, and a joint comparer "
                "needs a logit, any real number; take Conv, Residual or Dense, without unit_length"
            )
        self.network = network

    def parts(self) -> dict[str, nn.Module]:
        """The arguments that make it again, each a module of its own."""
        return {"network": self.network}

    def build(self, shape: tuple[int, ...]) -> None:
        """Make the network's layers for two items of `shape`, where it has `build`."""
        make: Any = getattr(self.network, "build", None)
        if make is not None:
            make((2 * shape[0], *shape[1:]))

    def forward(
        self, left: Float[Tensor, "batch ..."], right: Float[Tensor, "batch ..."]
    ) -> Float[Tensor, " batch"]:
        """The distance of each left item from the right item in the same place: [B]."""
        distance = self._in_order(left, right)
        return distance if self.training else (distance + self._in_order(right, left)) / 2

    def _in_order(
        self, left: Float[Tensor, "batch ..."], right: Float[Tensor, "batch ..."]
    ) -> Float[Tensor, " batch"]:
        logit: Tensor = self.network(torch.cat([left, right], dim=1))
        if logit.shape != (len(left), 1):
            raise SettingsError(
                f"the network of a joint comparer must give one number a pair, ({len(left)}, 1); "
                f"it gave {tuple(logit.shape)}. Make it with dim=1"
            )
        return -logit.squeeze(1)
