"""Which triplets of a batch teach: all, hard, semi-hard or drawn, in bounded memory.

A triplet is an anchor, a positive (another item of its class) and a negative (an item of another
class). Its hinge is d(a, p) - d(a, n) + margin, and it is *active* where that is positive.

A batch of B items has up to B^3 triplets, but none is ever listed. Once it is known which ones
are active, the sum of their hinges is linear in the distances, so all that is kept is the number
of active triplets of each pair, for a few anchors at a time.
"""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from gemel.chunks import CHUNK, Chunk, mean_by_chunks
from gemel.errors import DataError, SettingsError
from gemel.metrics import Cosine, Euclidean, Metric, SquaredEuclidean, wide, working_dtype


@runtime_checkable
class Mining(Protocol):
    """A choice: `all_triplets`, `hard`, `semi_hard`, a `DistanceWeighted`, or your function."""

    def __call__(
        self,
        distance: Float[Tensor, "anchors batch"],
        positive: Bool[Tensor, "anchors batch"],
        negative: Bool[Tensor, "anchors batch"],
        margin: float,
    ) -> Float[Tensor, "anchors batch"]:
        """How many of the chosen active triplets each pair is in.

        Args:
            distance: [A, B] from each of some anchors to every item of the batch.
            positive: [A, B] where the item is of the anchor's class, the anchor itself apart.
            negative: [A, B] where the item is of another class.
            margin: of the hinge.

        Returns:
            [A, B] for a positive the number of its triplets, for a negative minus that number, 0
            elsewhere. Each row sums to 0. Whoever gives fractions weighs the triplets.
        """


def hard(
    distance: Float[Tensor, "anchors batch"],
    positive: Bool[Tensor, "anchors batch"],
    negative: Bool[Tensor, "anchors batch"],
    margin: float,
) -> Float[Tensor, "anchors batch"]:
    """For each anchor its farthest positive and its nearest negative, where they are active.

    "Batch hard" of Hermans, Beyer and Leibe 2017. See `Mining` for shapes.
    """
    farthest, p = distance.masked_fill(~positive, -torch.inf).max(dim=1, keepdim=True)  # [A, 1]
    nearest, n = distance.masked_fill(~negative, torch.inf).min(dim=1, keepdim=True)  # [A, 1]
    # An anchor without a positive, or without a negative, has a hinge of minus infinity.
    active = (farthest - nearest + margin > 0).to(distance.dtype)
    return torch.zeros_like(distance).scatter_(1, p, active).scatter_(1, n, -active)


def all_triplets(
    distance: Float[Tensor, "anchors batch"],
    positive: Bool[Tensor, "anchors batch"],
    negative: Bool[Tensor, "anchors batch"],
    margin: float,
) -> Float[Tensor, "anchors batch"]:
    """Every active triplet: d(a, n) < d(a, p) + margin. See `Mining` for shapes."""
    table, columns, count = _sorted_positives(distance, positive)
    first = torch.searchsorted(table, distance - margin, right=True)  # [A, B]
    return _weights(negative, first, count.expand_as(first), columns, distance.dtype)


def semi_hard(
    distance: Float[Tensor, "anchors batch"],
    positive: Bool[Tensor, "anchors batch"],
    negative: Bool[Tensor, "anchors batch"],
    margin: float,
) -> Float[Tensor, "anchors batch"]:
    """Every triplet with d(a, p) <= d(a, n) < d(a, p) + margin.

    The negatives that Schroff, Kalenichenko and Philbin 2015 (FaceNet) call semi-hard: farther
    than the positive, but inside the margin; all of them, where the paper picks some. A tie counts
    as farther, so that a net that maps everything to one point shows the loss `margin`, not 0.
    See `Mining` for shapes.
    """
    table, columns, _ = _sorted_positives(distance, positive)
    first = torch.searchsorted(table, distance - margin, right=True)  # [A, B]
    last = torch.searchsorted(table, distance, right=True)  # [A, B]
    return _weights(negative, first, last, columns, distance.dtype)


class DistanceWeighted:
    """For each anchor and positive one negative drawn by its distance, near and far ones alike.

    Wu, Manmatha, Smola and Kraehenbuehl 2017. The distances of points spread evenly over the unit
    sphere in n dimensions have the density q(d) ~ d^(n-2) (1 - d^2/4)^((n-3)/2), almost all near
    the root of 2: negatives drawn evenly are all alike. Here one at distance d is drawn with a
    weight of 1 / q(d). Negatives nearer than `cutoff` weigh as much as one there; those beyond
    `farthest` are not drawn, and an anchor whose negatives are all beyond is left out.

    The draws come from torch's own generator: call `torch.manual_seed` before the loss. `fit` does
    so at every step, with the run's seed and the step's number, so that a resumed run draws the
    same negatives as an uninterrupted one.

    Args:
        metric: the one whose distances are mined: Euclidean or SquaredEuclidean on unit vectors
            (add a layer that normalises), or Cosine.
        dim: n, the length of an embedding, 3 or more.
        cutoff: Euclidean distance below which weights grow no more.
        farthest: Euclidean distance beyond which no negative is drawn.

    Raises:
        SettingsError: the metric is another one, or `dim` or the distances are not possible.
    """

    def __init__(
        self,
        metric: Metric,
        dim: int,
        *,
        cutoff: float | int = 0.5,
        farthest: float | int = 1.4,
    ) -> None:
        if type(metric) not in _EUCLIDEAN:
            raise SettingsError(
                "distance-weighted mining needs distances of unit vectors: metrics.Euclidean(), "
                f"SquaredEuclidean() or Cosine(); got {type(metric).__name__}"
            )
        if dim < 3:
            raise SettingsError(f"`dim` is the length of an embedding, 3 or more; got {dim}")
        if not 0 < cutoff < farthest < 2:
            raise SettingsError(
                "expected 0 < cutoff < farthest < 2, distances on the unit sphere; got "
                f"{cutoff} and {farthest}"
            )
        self.euclidean = _EUCLIDEAN[type(metric)]
        self.dim = dim
        self.cutoff = float(cutoff)
        self.farthest = float(farthest)

    def __call__(
        self,
        distance: Float[Tensor, "anchors batch"],
        positive: Bool[Tensor, "anchors batch"],
        negative: Bool[Tensor, "anchors batch"],
        margin: float,
    ) -> Float[Tensor, "anchors batch"]:
        """The drawn triplets that are active. See `Mining` for shapes.

        Raises:
            DataError: a distance is greater than unit vectors can have.
        """
        chances = self.chances(distance, negative).cumsum(dim=1)  # [A, B]
        whole = chances[:, -1:]  # [A, 1]
        table, columns, count = _sorted_positives(distance, positive)  # [A, most] twice, [A, 1]
        # A draw of float32 is at most 1 - 2^-24, so `aim` stays below `whole`.
        aim = torch.rand(table.shape, device=table.device).to(whole.dtype) * whole
        chosen = torch.searchsorted(chances, aim, right=True).clamp(max=distance.shape[1] - 1)
        drawn = (torch.arange(table.shape[1], device=table.device) < count) & (whole > 0)
        active = drawn & (table - distance.gather(1, chosen) + margin > 0)
        one = active.to(distance.dtype)
        return (
            torch.zeros_like(distance).scatter_add_(1, columns, one).scatter_add_(1, chosen, -one)
        )

    def chances(
        self, distance: Float[Tensor, "anchors batch"], negative: Bool[Tensor, "anchors batch"]
    ) -> Float[Tensor, "anchors batch"]:
        """How likely each negative is drawn, but for a factor for each anchor; float64, [A, B].

        Raises:
            DataError: a distance is greater than unit vectors can have.
        """
        d = self.euclidean(distance.to(working_dtype(distance.device)))
        if (d > 2 + 1e-3).any():
            raise DataError(
                f"a distance of {float(d.max()):.4g} is greater than 2: weighing by distance is "
                "for embeddings of length 1; normalise them, or take metrics.Cosine()"
            )
        near = d.clamp(min=self.cutoff, max=self.farthest)
        log = (2 - self.dim) * near.log() - (self.dim - 3) / 2 * (1 - near.square() / 4).log()
        log = log.masked_fill(~negative | (d > self.farthest), -torch.inf)
        return (log - log.amax(dim=1, keepdim=True).nan_to_num(neginf=0)).exp()

    def __repr__(self) -> str:
        return f"DistanceWeighted(dim={self.dim}, cutoff={self.cutoff}, farthest={self.farthest})"


_EUCLIDEAN: dict[type[Metric], Callable[[Tensor], Tensor]] = {
    Euclidean: lambda d: d,
    SquaredEuclidean: torch.sqrt,
    Cosine: lambda d: (2 * d).sqrt(),  # |u - v|^2 = 2 - 2 cos for unit vectors
}


def mined_triplet(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    metric: Metric,
    *,
    mining: Mining,
    margin: float | None,
    chunk: int = CHUNK,
) -> Float[Tensor, ""]:
    """The mean hinge of the active triplets that `mining` chooses; 0 where none is active.

    With `margin` None it is the mean of log(1 + exp(d(a, p) - d(a, n))), the soft margin of
    Hermans, Beyer and Leibe 2017, over all triplets or the hardest of each anchor.

    Memory: the distances of max(`chunk`, B) pairs at a time, with all that is made of them; about
    100 bytes each, so 52 MB at the standard 2^19 (for batches of up to 2^19 items). Beside them
    float64 copies and gradients of the embeddings, some 20 times their own size. The soft margin is
    not linear, so it does look at every triplet: max(`chunk`, B) of them at a time, in the same
    memory, but in time of B x B x items of a class. The gradient of each chunk is taken in the
    forward pass, so the backward pass adds nothing, and cannot be differentiated again.

    Args:
        embeddings: [B, D].
        labels: [B] whole numbers, the class of each item.
        metric: gives the distances; its weights learn as well.
        mining: which triplets count.
        margin: of the hinge; None for the soft margin.
        chunk: the number of distances in memory at a time.

    Raises:
        DataError: no two items share a label, or all of them do.
        SettingsError: the soft margin with another mining than `all_triplets` or `hard`.
    """
    check_triplets(labels)
    if margin is None:
        check_soft(mining)

    def part(points: Tensor, anchors: Tensor) -> Chunk:
        distance = metric.matrix(points[anchors], points)  # [A, B]
        known = distance.detach()
        positive = labels[anchors, None] == labels  # [A, B]
        negative = ~positive
        positive.scatter_(1, anchors[:, None], value=False)
        if margin is None:
            total, count, pairs = _SOFT[mining](known, positive, negative)
        else:
            pairs = mining(known, positive, negative, margin)  # [A, B]
            count = pairs.clamp(min=0).sum()
            total = ((pairs * known).sum() + margin * count).clamp(min=0)
        if int(pairs.count_nonzero()) * points.shape[1] > chunk:
            return Chunk(total, count, distance, pairs)
        chosen = pairs.nonzero(as_tuple=True)  # [P], [P]: few, and cheaper one by one
        few = metric(points[anchors[chosen[0]]], points[chosen[1]])  # [P]
        return Chunk(total, count, few, pairs[chosen])

    items = torch.arange(len(labels), device=labels.device)
    learners = [weights for weights in metric.parameters() if weights.requires_grad]
    step = chunk // len(labels)
    return mean_by_chunks(part, wide(embeddings), items, step=step, learners=learners)


def check_triplets(labels: Int[Tensor, " batch"]) -> None:
    """Raise DataError unless `labels` [B] has a class of two items and a second class."""
    _, sizes = torch.unique(labels, return_counts=True)
    if len(sizes) < 2 or int(sizes.max()) < 2:
        raise DataError(
            f"a batch of {len(labels)} items in {len(sizes)} classes has no triplet: it takes two "
            "items of one class and one of another. Draw P classes x K items (ClassesByItems)"
        )


def check_soft(mining: Mining) -> None:
    """Raise SettingsError unless `mining` has a meaning without a margin."""
    if mining not in _SOFT:
        raise SettingsError(
            "the soft margin takes mining.all_triplets or mining.hard; the others choose by "
            f"a margin: got {getattr(mining, '__name__', mining)}"
        )


def _soft_hard(
    distance: Float[Tensor, "anchors batch"],
    positive: Bool[Tensor, "anchors batch"],
    negative: Bool[Tensor, "anchors batch"],
) -> tuple[Float[Tensor, ""], Tensor, Float[Tensor, "anchors batch"]]:
    """The sum of the soft margins of each anchor's hardest triplet, their number, the slopes."""
    pairs = hard(distance, positive, negative, torch.inf)  # 1 at the positive, -1 at the negative
    gap = (pairs * distance).sum(dim=1)  # [A]
    there = pairs.clamp(min=0).sum(dim=1)  # [A] 1, or 0 for an anchor without a triplet
    return (F.softplus(gap) * there).sum(), there.sum(), pairs * gap.sigmoid()[:, None]


def _soft_all(
    distance: Float[Tensor, "anchors batch"],
    positive: Bool[Tensor, "anchors batch"],
    negative: Bool[Tensor, "anchors batch"],
) -> tuple[Float[Tensor, ""], Tensor, Float[Tensor, "anchors batch"]]:
    """The sum of the soft margins of all triplets, their number, and its slope in each distance.

    The k-th positives of all anchors meet all negatives, then the next: never more than A x B.
    """
    table, columns, count = _sorted_positives(distance, positive)
    slopes, total = torch.zeros_like(distance), distance.new_zeros(())
    far = distance.masked_fill(~negative, torch.inf)  # exp(-inf) adds 0
    for k in range(table.shape[1]):
        d_ap = table[:, k : k + 1].masked_fill(count <= k, -torch.inf)  # [A, 1]
        gap = d_ap - far  # [A, B]
        total += F.softplus(gap).sum()
        slope = gap.sigmoid_()
        slopes -= slope
        slopes.scatter_add_(1, columns[:, k : k + 1], slope.sum(dim=1, keepdim=True))
    triplets = (count[:, 0] * negative.sum(dim=1)).sum().to(distance.dtype)
    return total, triplets, slopes


_SOFT: dict[Any, Callable[..., tuple[Tensor, Tensor, Tensor]]] = {
    all_triplets: _soft_all,
    hard: _soft_hard,
}


def _sorted_positives(
    distance: Float[Tensor, "anchors batch"], positive: Bool[Tensor, "anchors batch"]
) -> tuple[Float[Tensor, "anchors most"], Int[Tensor, "anchors most"], Int[Tensor, "anchors 1"]]:
    """Of each anchor's positives: ascending distances (then infinity), places, and number."""
    count = positive.sum(dim=1)  # [A]
    row, column = positive.nonzero(as_tuple=True)  # [pairs]
    place = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
    shape = (len(distance), max(1, int(count.max())))
    table = distance.new_full(shape, torch.inf)
    table[row, place] = distance[row, column]
    columns = column.new_zeros(shape)
    columns[row, place] = column
    table, order = table.sort(dim=1)
    return table, columns.gather(1, order), count[:, None]


def _weights(
    negative: Bool[Tensor, "anchors batch"],
    first: Int[Tensor, "anchors batch"],
    last: Int[Tensor, "anchors batch"],
    columns: Int[Tensor, "anchors most"],
    dtype: torch.dtype,
) -> Float[Tensor, "anchors batch"]:
    """The weights where each negative is active with the sorted positives first <= k < last."""
    one = negative.to(torch.int32)
    edges = one.new_zeros(len(columns), columns.shape[1] + 1)
    edges.scatter_add_(1, first, one).scatter_add_(1, last, -one)
    by_positive = edges.cumsum(1)[:, :-1]  # [A, most]: 0 beyond an anchor's last positive
    return (first - last).mul_(one).to(dtype).scatter_add_(1, columns, by_positive.to(dtype))
