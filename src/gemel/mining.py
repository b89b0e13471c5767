"""Which triplets of a batch teach: all, hard or semi-hard, in bounded memory.

A triplet is an anchor, a positive (another item of its class) and a negative (an item of another
class). Its hinge is d(a, p) - d(a, n) + margin, and it is *active* where that is positive.

A batch of B items has up to B^3 triplets, but none is ever listed. Once it is known which ones
are active, the sum of their hinges is linear in the distances, so all that is kept is the number
of active triplets of each pair, for a few anchors at a time.
"""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from gemel.errors import DataError
from gemel.metrics import Metric, wide

CHUNK = 2**19  # distances that are in memory at a time


@runtime_checkable
class Mining(Protocol):
    """A choice of triplets: `all_triplets`, `hard`, `semi_hard`, or a function of your own."""

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


def mined_triplet(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    metric: Metric,
    *,
    mining: Mining,
    margin: float,
    chunk: int = CHUNK,
) -> Float[Tensor, ""]:
    """The mean hinge of the active triplets that `mining` chooses; 0 where none is active.

    Memory: the distances of max(`chunk`, B) pairs at a time, with all that is made of them; about
    100 bytes each, so 52 MB at the standard 2^19 (for batches of up to 2^19 items). Beside them
    float64 copies and gradients of the embeddings, some 20 times their own size. The gradient of
    each chunk is taken in the forward pass, so the backward pass adds nothing, and cannot be
    differentiated again.

    Args:
        embeddings: [B, D].
        labels: [B] whole numbers, the class of each item.
        metric: gives the distances; its weights learn as well.
        mining: which triplets count.
        margin: of the hinge.
        chunk: the number of distances in memory at a time.

    Raises:
        DataError: no two items share a label, or all of them do.
    """
    check_triplets(labels)
    points = wide(embeddings)
    loss, gradients = _loss_and_gradients(
        points, labels, metric, mining=mining, margin=margin, chunk=chunk
    )
    if not gradients:
        return loss
    inputs = (points, *_learning(metric))
    result: Tensor = _Known.apply(loss, gradients, *inputs)  # type: ignore[no-untyped-call]
    return result


def check_triplets(labels: Int[Tensor, " batch"]) -> None:
    """Raise DataError unless `labels` [B] has a class of two items and a second class."""
    _, sizes = torch.unique(labels, return_counts=True)
    if len(sizes) < 2 or int(sizes.max()) < 2:
        raise DataError(
            f"a batch of {len(labels)} items in {len(sizes)} classes has no triplet: it takes two "
            "items of one class and one of another. Draw P classes x K items (ClassesByItems)"
        )


def _loss_and_gradients(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int[Tensor, " batch"],
    metric: Metric,
    *,
    mining: Mining,
    margin: float,
    chunk: int,
) -> tuple[Float[Tensor, ""], list[Tensor]]:
    """The loss, and its gradients for the embeddings and the metric's weights; none if unasked."""
    points = embeddings.detach().requires_grad_()
    learners = [points, *_learning(metric)]
    asked = torch.is_grad_enabled() and (embeddings.requires_grad or len(learners) > 1)
    gradients = [torch.zeros_like(learner) for learner in learners] if asked else []
    total, triplets = points.new_zeros(()), points.new_zeros(())
    items = torch.arange(len(labels), device=labels.device)
    step = max(1, chunk // len(labels))
    for start in range(0, len(labels), step):
        anchors = items[start : start + step]  # [A]
        with torch.set_grad_enabled(asked):
            distance = metric.matrix(points[anchors], points)  # [A, B]
        known = distance.detach()
        alike = labels[anchors, None] == labels  # [A, B]
        negative = ~alike
        alike.scatter_(1, anchors[:, None], value=False)
        pairs = mining(known, alike, negative, margin)  # [A, B]
        total += (pairs * known).sum()
        triplets += pairs.clamp(min=0).sum()
        if asked:
            if int(pairs.count_nonzero()) * points.shape[1] <= chunk:  # few: cheaper one by one
                chosen = pairs.nonzero(as_tuple=True)  # [P], [P]
                distance = metric(points[anchors[chosen[0]]], points[chosen[1]])  # [P]
                pairs = pairs[chosen]  # [P]
            parts = torch.autograd.grad(distance, learners, pairs, materialize_grads=True)
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.add_(part)
    share = 1 / triplets.clamp(min=1)
    loss = ((total + margin * triplets) * share).clamp(min=0).detach()
    return loss, [gradient * share for gradient in gradients]


def _learning(metric: Metric) -> tuple[nn.Parameter, ...]:
    return tuple(weights for weights in metric.parameters() if weights.requires_grad)


class _Known(torch.autograd.Function):
    """A loss whose gradients are already known."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, gradients: list[Tensor], *inputs: Tensor) -> Tensor:  # noqa: ARG004
        ctx.save_for_backward(*gradients)
        return loss.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(slope * gradient for gradient in ctx.saved_tensors)


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
