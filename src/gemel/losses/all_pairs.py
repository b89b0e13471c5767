"""`AllPairsHinge`: the hinge on a score, of all pairs of a batch."""

from jaxtyping import Float
from torch import Tensor

from gemel.errors import DataError
from gemel.losses.base import About, LabelLoss, check_labels, finite, positive
from gemel.metrics import Metric


def all_pairs_hinge(
    distance: Float[Tensor, "left right"], same: Tensor, threshold: float, margin: float
) -> Float[Tensor, ""]:
    """Half the mean hinge of same pairs, and half that of the different pairs that count.

    The hinges are those of `pair_hinge`. A different pair counts while its hinge is above 0: most
    pairs of a batch are soon told apart, and would hide the others.

    Args:
        distance: [N, M] real numbers.
        same: [N, M] booleans.
        threshold: the distance at which the score is 0.
        margin: how far beyond the threshold a pair must be to be left alone.

    Raises:
        DataError: no pair is the same, or all are.
    """
    if not bool(same.any()) or bool(same.all()):
        raise DataError(
            f"a batch of {same.shape[0]} left and {same.shape[1]} right items needs same pairs and "
            "different ones: draw 2 or more items of each of 2 or more classes (ClassesByItems, "
            "per_class=2)"
        )
    score = threshold - distance
    pulled = (margin - score[same]).relu().mean()
    pushed = (margin + score[~same]).relu()
    return (pulled + pushed.sum() / (pushed > 0).sum().clamp(min=1)) / 2


class AllPairsHinge(LabelLoss):
    """Zagoruyko's hinge on every pair of a left and a right item; see `all_pairs_hinge`.

    Of the items of a batch every other one stands on the left. A batch of N items of each side has
    N x N pairs for 2 N runs of the encoder, where pairs that are drawn one by one have N. So it is
    not for joint comparers, which have no encoder.

    Args:
        metric: of the model itself: its weights are trained through it.
        threshold: the distance at which the score is 0.
        margin: how far beyond the threshold a pair must be to be left alone; 1 in the paper.

    Raises:
        SettingsError: `margin` is not positive, or `threshold` is not finite.
    """

    about = About(
        "same: max(0, margin - s), different, while above 0: max(0, margin + s); s = threshold - d",
        "labels with a Decision network: every pair of a batch teaches",
        "Zagoruyko, Komodakis 2015, for the hinge",
    )

    def __init__(self, metric: Metric, *, threshold: float = 0.0, margin: float = 1.0) -> None:
        super().__init__()
        self.metric = metric
        self.threshold = finite("threshold", threshold)
        self.margin = positive("margin", margin)

    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Tensor) -> Float[Tensor, ""]:
        """See `all_pairs_hinge`."""
        check_labels(embeddings, labels)
        distance = self.metric.matrix(embeddings[::2], embeddings[1::2])
        same = labels[::2, None] == labels[None, 1::2]
        return all_pairs_hinge(distance, same, self.threshold, self.margin)

    @property
    def collapsed_value(self) -> float:
        """The loss where all distances are one: no threshold within the margin is better."""
        return self.margin

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"threshold={self.threshold:g}, margin={self.margin:g}"
