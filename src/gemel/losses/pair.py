"""Losses of pairs: `(distance [B], same [B])` to a scalar, the mean over the pairs."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gemel.errors import SettingsError
from gemel.losses.base import (
    About,
    PairLoss,
    check_margin,
    check_not_negative,
    check_same,
    finite,
    positive,
)
from gemel.metrics import wide

DECAY = 2.77  # Chopra's constant, about 4 ln 2: the repulsion halves every quarter of its range


def contrastive(
    distance: Float[Tensor, " batch"], same: Tensor, margin: float
) -> Float[Tensor, ""]:
    """Hadsell, Chopra and LeCun 2006: d^2 / 2 of a same pair, max(0, margin - d)^2 / 2 of others.

    Args:
        distance: [B], not negative; the paper's is Euclidean.
        same: [B] booleans.
        margin: beyond this distance different pairs are left alone.

    Returns:
        The mean over the pairs (the paper has their sum).

    Raises:
        DataError: `same` is not one boolean for each distance, or there is no pair.
    """
    check_same(distance, same)
    d = wide(distance)
    wanted = (~same).to(d.dtype).mul_(margin)  # beyond the margin is as good as at it
    return F.mse_loss(torch.where(same, d, d.clamp(max=margin)), wanted) / 2


def pair_cross_entropy(
    distance: Float[Tensor, " batch"],
    same: Tensor,
    scale: float | Tensor = 1.0,
    threshold: float | Tensor = 0.0,
) -> Float[Tensor, ""]:
    """Minus the log-likelihood of `same` where p(same) = sigmoid(scale * (threshold - d)).

    Koch, Zemel and Salakhutdinov 2015; for their weight decay see `LayerDecay`. Scale 1 and
    threshold 0 with the distances of `metrics.WeightedL1` are the paper's formula exactly.

    Args:
        distance: [B] real numbers.
        same: [B] booleans.
        scale: positive; how fast the probability falls with the distance.
        threshold: the distance at which the probability is 1/2.

    Returns:
        The mean over the pairs.

    Raises:
        DataError: `same` is not one boolean for each distance, or there is no pair.
    """
    check_same(distance, same)
    d = wide(distance)
    return -F.logsigmoid((threshold - d) * (_sign(same, d) * scale)).mean()


def energy(distance: Float[Tensor, " batch"], same: Tensor, bound: float) -> Float[Tensor, ""]:
    """Chopra, Hadsell and LeCun 2005: (2/Q) d^2 of a same pair, 2Q exp(-2.77 d/Q) of others.

    It has no margin: different pairs push each other at any distance, ever more weakly. With Q the
    greatest distance, a same pair there costs 2Q, as much as a different pair at distance 0.

    Args:
        distance: [B], not negative; the paper's is Manhattan.
        same: [B] booleans.
        bound: Q, the greatest distance that the metric can give.

    Returns:
        The mean over the pairs (the paper has their sum).

    Raises:
        DataError: `same` is not one boolean for each distance, or there is no pair.
    """
    check_same(distance, same)
    d = wide(distance)
    y = same.to(d.dtype)
    push = torch.exp(d * (-DECAY / bound))
    return (y * (2 / bound) * d.square() + (1 - y) * (2 * bound) * push).mean()


def pair_hinge(
    distance: Float[Tensor, " batch"],
    same: Tensor,
    threshold: float | Tensor,
    margin: float,
) -> Float[Tensor, ""]:
    """Zagoruyko and Komodakis 2015: max(0, margin - y o), y = 1 of a same pair, -1 of others.

    The paper's score o, greater for more alike, is `threshold` - distance; its margin is 1, and
    its (lambda / 2) |w|^2 is left to the optimiser or to `LayerDecay`. So same pairs are left
    alone below threshold - margin, different ones above threshold + margin.

    Args:
        distance: [B] real numbers.
        same: [B] booleans.
        threshold: the distance at which the score is 0.
        margin: how far beyond the threshold a pair must be to be left alone.

    Returns:
        The mean over the pairs (the paper has their sum).

    Raises:
        DataError: `same` is not one boolean for each distance, or there is no pair.
    """
    check_same(distance, same)
    d = wide(distance)
    return (d - threshold).mul_(_sign(same, d)).add_(margin).relu_().mean()


def cosine_target(
    distance: Float[Tensor, " batch"], same: Tensor, target: float
) -> Float[Tensor, ""]:
    """Bromley and others 1993: the squared error of the cosine, which is 1 - distance.

    It should be 1 for a same pair, `target` for a different one.

    Args:
        distance: [B] of `metrics.Cosine`.
        same: [B] booleans.
        target: the cosine of a different pair: the paper's -1 or -0.9, or 0, which leaves more
            directions to use than two opposite ones.

    Returns:
        The mean over the pairs.

    Raises:
        DataError: `same` is not one boolean for each distance, or there is no pair.
    """
    check_same(distance, same)
    d = wide(distance)
    return F.mse_loss(d, (~same).to(d.dtype).mul_(1 - target))


def _sign(same: Tensor, distance: Tensor) -> Tensor:
    """1 of a same pair, -1 of a different one: [B], of the type of `distance`."""
    return same.to(distance.dtype).mul_(2).sub_(1)


class Contrastive(PairLoss):
    """Hadsell's contrastive loss; see `contrastive`.

    Args:
        margin: beyond this distance different pairs are left alone. On unit vectors it must be
            below 2 for the Euclidean distance, or no different pair ever gets there.

    Raises:
        SettingsError: `margin` is not positive.
    """

    about = About(
        "same: d²/2; different: max(0, margin - d)²/2",
        "pairs with any metric; different pairs beyond the margin are left alone",
        "Hadsell, Chopra, LeCun 2006",
    )

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = positive("margin", margin)

    def forward(self, distance: Float[Tensor, " batch"], same: Tensor) -> Float[Tensor, ""]:
        """See `contrastive`."""
        return contrastive(distance, same, self.margin)

    def check_reach(self, greatest: float | int, least: float | int = 0.0) -> None:
        """Refuse a margin beyond `greatest`: no different pair would ever be left alone."""
        check_not_negative(self, least)
        check_margin(self, self.margin, greatest)

    @property
    def collapsed_value(self) -> float:
        """The loss of a balanced batch all of whose distances are 0."""
        return self.margin**2 / 4

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"margin={self.margin}"


class PairCrossEntropy(PairLoss):
    """Cross-entropy on the probability that a pair is the same; see `pair_cross_entropy`.

    For `metrics.WeightedL1` the standard settings are exact, and it learns its own scale. For other
    metrics give a scale and a threshold to suit the distances, and let them be learned: they are
    then weights of this loss, and the optimiser needs `loss.parameters()` beside the model's.

    Args:
        scale: how fast the probability falls with the distance.
        threshold: the distance at which the probability is 1/2.
        learn: whether both are learned; the scale stays positive, for its logarithm is learned.

    Raises:
        SettingsError: `scale` is not positive, or `threshold` is not finite.
    """

    about = About(
        "-log p, or -log(1 - p) of a different pair; p = sigmoid(scale · (threshold - d))",
        "pairs with WeightedL1, whose distance is a logit; gives a probability",
        "Koch, Zemel, Salakhutdinov 2015",
    )

    def __init__(self, *, scale: float = 1.0, threshold: float = 0.0, learn: bool = False) -> None:
        super().__init__()
        start = torch.tensor(finite("threshold", threshold))
        log_scale = torch.tensor(math.log(positive("scale", scale)))
        self._start = f"scale={scale:g}, threshold={threshold:g}, learn={learn}"
        self.log_scale = nn.Parameter(log_scale, requires_grad=learn)
        self.threshold = nn.Parameter(start, requires_grad=learn)

    def forward(self, distance: Float[Tensor, " batch"], same: Tensor) -> Float[Tensor, ""]:
        """See `pair_cross_entropy`."""
        return pair_cross_entropy(distance, same, self.log_scale.exp(), self.threshold)

    def probability(self, distance: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """The probability [B] that a pair at `distance` [B] is the same."""
        return torch.sigmoid(self.log_scale.exp() * (self.threshold - wide(distance)))

    def extra_repr(self) -> str:
        """The settings in words: where learning starts, not what it has come to."""
        return self._start


class Energy(PairLoss):
    """Chopra's energy loss; see `energy`.

    Args:
        bound: Q, the greatest distance that the metric can give: 2 for the cosine and for the
            Euclidean distance of unit vectors, 2 D for Manhattan on D numbers of a tanh. Too large
            a Q hardly pushes at all, too small a one stops pushing early.

    Raises:
        SettingsError: `bound` is not positive.
    """

    about = About(
        "same: (2/Q) d²; different: 2Q exp(-2.77 d/Q)",
        "pairs with bounded distances; no margin to choose, all different pairs push",
        "Chopra, Hadsell, LeCun 2005",
    )

    def __init__(self, bound: float = 2.0) -> None:
        super().__init__()
        self.bound = positive("bound", bound)

    def forward(self, distance: Float[Tensor, " batch"], same: Tensor) -> Float[Tensor, ""]:
        """See `energy`."""
        return energy(distance, same, self.bound)

    @property
    def collapsed_value(self) -> float:
        """The loss of a balanced batch all of whose distances are 0."""
        return self.bound

    def check_reach(self, greatest: float | int, least: float | int = 0.0) -> None:  # noqa: ARG002
        """Refuse distances below 0, where the loss of same pairs would grow again."""
        check_not_negative(self, least)

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"bound={self.bound}"


class PairHinge(PairLoss):
    """Zagoruyko's hinge on a score; see `pair_hinge`.

    Args:
        threshold: the distance at which the score is 0.
        margin: how far beyond the threshold a pair must be to be left alone; 1 in the paper.
        learn: whether the threshold is learned, as the bias of the paper's last layer is.

    Raises:
        SettingsError: `margin` is not positive, or `threshold` is not finite.
    """

    about = About(
        "max(0, margin - y (threshold - d)), y = 1 of a same pair, -1 of a different one",
        "pairs; both kinds are left alone once well on their side of the threshold",
        "Zagoruyko, Komodakis 2015",
    )

    def __init__(
        self, threshold: float = 0.5, *, margin: float = 0.25, learn: bool = False
    ) -> None:
        super().__init__()
        start = torch.tensor(finite("threshold", threshold))
        self._start = f"threshold={threshold:g}, margin={margin:g}, learn={learn}"
        self.threshold = nn.Parameter(start, requires_grad=learn)
        self.margin = positive("margin", margin)

    def forward(self, distance: Float[Tensor, " batch"], same: Tensor) -> Float[Tensor, ""]:
        """See `pair_hinge`."""
        return pair_hinge(distance, same, self.threshold, self.margin)

    def check_reach(self, greatest: float | int, least: float | int = 0.0) -> None:
        """Refuse what distances from `least` to `greatest` cannot meet.

        Same pairs must get down to threshold - margin and different ones up to threshold + margin;
        where the threshold is learned, it must be able to find a place where both can.
        """
        threshold = self.threshold.item()
        if self.threshold.requires_grad:
            check_margin(self, 2 * self.margin, greatest)
            return
        check_margin(self, threshold + self.margin, greatest)
        if threshold - self.margin < least:
            raise SettingsError(
                f"PairHinge leaves same pairs alone below threshold - margin = "
                f"{threshold - self.margin:g}, and no distance of this metric is below {least:g}: "
                f"give a threshold of {least + self.margin:g} or more, or a smaller margin"
            )

    @property
    def collapsed_value(self) -> float:
        """The loss of a balanced batch all of whose distances are 0, or where it is learned alike.

        With equal distances no threshold within the margin of them is better than another.
        """
        threshold = self.threshold.item()
        if self.threshold.requires_grad:
            return self.margin
        return (max(0.0, self.margin - threshold) + max(0.0, self.margin + threshold)) / 2

    def extra_repr(self) -> str:
        """The settings in words: where learning starts, not what it has come to."""
        return self._start


class CosineTarget(PairLoss):
    """Bromley's squared error of the cosine, for `metrics.Cosine`; see `cosine_target`.

    Args:
        target: the cosine that a different pair should have.

    Raises:
        SettingsError: `target` is not from -1 to below 1.
    """

    about = About(
        "same: (cos - 1)²; different: (cos - target)²; cos = 1 - d",
        "pairs with Cosine; pulls different pairs to one angle, however far they are already",
        "Bromley, Guyon, LeCun, Säckinger, Shah 1993",
    )

    def __init__(self, target: float = -1.0) -> None:
        super().__init__()
        if not -1 <= target < 1:
            raise SettingsError(f"`target` is a cosine, from -1 to below 1; got {target}")
        self.target = float(target)

    def forward(self, distance: Float[Tensor, " batch"], same: Tensor) -> Float[Tensor, ""]:
        """See `cosine_target`."""
        return cosine_target(distance, same, self.target)

    @property
    def collapsed_value(self) -> float:
        """The loss of a balanced batch all of whose distances are 0."""
        return (1 - self.target) ** 2 / 2

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"target={self.target}"
