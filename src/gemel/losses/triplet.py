"""Losses of triplets: given as distances, or mined from a batch of labelled embeddings."""

import math

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from gemel.errors import DataError
from gemel.losses.base import About, LabelLoss, TripletLoss, check_labels, check_margin, positive
from gemel.metrics import Metric, wide
from gemel.mining import Mining, check_soft, mined_triplet, semi_hard


def triplet_hinge(
    d_ap: Float[Tensor, " batch"], d_an: Float[Tensor, " batch"], margin: float
) -> Float[Tensor, ""]:
    """max(0, d(a, p) - d(a, n) + margin), Weinberger and Saul 2009, Schroff and others 2015.

    Args:
        d_ap: [B] from anchor to positive; squared or not, as the metric gives them.
        d_an: [B] from anchor to negative.
        margin: by how much the negative must be farther.

    Returns:
        The mean over *all* triplets, those with hinge 0 included.

    Raises:
        DataError: there is no triplet.
    """
    _check_any(d_ap)
    return (wide(d_ap) - wide(d_an)).add_(margin).relu_().mean()


def triplet_soft(d_ap: Float[Tensor, " batch"], d_an: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    """log(1 + exp(d(a, p) - d(a, n))), the soft margin of Hermans, Beyer and Leibe 2017.

    It goes on pulling, ever more weakly, where a hinge would be 0.

    Args:
        d_ap: [B] from anchor to positive.
        d_an: [B] from anchor to negative.

    Returns:
        The mean over all triplets.

    Raises:
        DataError: there is no triplet.
    """
    _check_any(d_ap)
    return F.softplus(wide(d_ap) - wide(d_an)).mean()


def _check_any(d_ap: Tensor) -> None:
    if len(d_ap) == 0:
        raise DataError("a batch of no triplets has no loss; give one triplet or more")


class TripletHinge(TripletLoss):
    """The triplet hinge, as the mean over all triplets given; see `triplet_hinge`.

    Args:
        margin: by how much the negative must be farther than the positive.

    Raises:
        SettingsError: `margin` is not positive.
    """

    about = About(
        "max(0, d(a, p) - d(a, n) + margin)",
        "triplets that you chose",
        "Weinberger, Saul 2009; Schroff, Kalenichenko, Philbin 2015",
    )

    def __init__(self, margin: float = 0.2) -> None:
        super().__init__()
        self.margin = positive("margin", margin)

    def forward(
        self, d_ap: Float[Tensor, " batch"], d_an: Float[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """See `triplet_hinge`."""
        return triplet_hinge(d_ap, d_an, self.margin)

    def check_reach(self, greatest: float | int, least: float | int = 0.0) -> None:  # noqa: ARG002
        """Refuse a margin beyond `greatest`: no hinge would ever be 0."""
        check_margin(self, self.margin, greatest)

    @property
    def collapsed_value(self) -> float:
        """The loss where all distances are alike."""
        return self.margin

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"margin={self.margin}"


class TripletSoft(TripletLoss):
    """The soft margin, as the mean over all triplets given; see `triplet_soft`."""

    about = About(
        "log(1 + exp(d(a, p) - d(a, n)))",
        "triplets that you chose, unbounded distances; no margin to choose",
        "Hermans, Beyer, Leibe 2017",
    )

    def forward(
        self, d_ap: Float[Tensor, " batch"], d_an: Float[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """See `triplet_soft`."""
        return triplet_soft(d_ap, d_an)

    @property
    def collapsed_value(self) -> float:
        """The loss where all distances are alike."""
        return math.log(2)


class Triplet(LabelLoss):
    """The triplet hinge over triplets mined in the batch; see `mining.mined_triplet`.

    The mean is over the *active* triplets, those with a hinge above 0: averaging over all of them
    would lower the learning rate as training goes on. Memory is bounded whatever the batch.
    Squared distances, as FaceNet has them, are a matter of the metric: `SquaredEuclidean`.

    Args:
        metric: gives the distances; usually the model's own, so that its weights learn as well.
        margin: by how much a negative must be farther than a positive. None takes the soft margin
            log(1 + exp(d(a, p) - d(a, n))) in place of the hinge, with `mining.hard` or
            `mining.all_triplets`; the mean is then over all of these.
        mining: which triplets count: `mining.semi_hard`, `mining.hard`, `mining.all_triplets`,
            a `mining.DistanceWeighted`, or a function of the same form.

    Raises:
        SettingsError: `margin` is not positive, or is None with a mining that needs one.
    """

    about = About(
        "max(0, d(a, p) - d(a, n) + margin), or log(1 + exp(d(a, p) - d(a, n)))",
        "labels with any metric; mining: semi-hard, hard, all, distance-weighted",
        "Schroff 2015; Hermans 2017; Wu, Manmatha, Smola, Krähenbühl 2017",
    )

    def __init__(
        self, metric: Metric, *, margin: float | None = 0.2, mining: Mining = semi_hard
    ) -> None:
        super().__init__()
        self.metric = metric
        if margin is None:
            check_soft(mining)
        self.margin = None if margin is None else positive("margin", margin)
        self.mining = mining

    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Tensor) -> Float[Tensor, ""]:
        """See `mining.mined_triplet`."""
        check_labels(embeddings, labels)
        return mined_triplet(
            embeddings, labels, self.metric, mining=self.mining, margin=self.margin
        )

    def check_reach(self, greatest: float | int, least: float | int = 0.0) -> None:  # noqa: ARG002
        """Refuse a margin beyond `greatest`: no triplet would ever be inactive."""
        if self.margin is not None:
            check_margin(self, self.margin, greatest)

    @property
    def collapsed_value(self) -> float:
        """The loss where all distances are alike."""
        return math.log(2) if self.margin is None else self.margin

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"margin={self.margin}, mining={getattr(self.mining, '__name__', self.mining)}"
