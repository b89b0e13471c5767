"""Losses of a batch of labelled embeddings in which every item meets every other."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gemel.chunks import CHUNK, Chunk, mean_by_chunks
from gemel.errors import DataError, SettingsError
from gemel.losses.base import About, LabelLoss, check_labels, finite, positive
from gemel.metrics import unit, wide
from gemel.mining import check_triplets


def supervised_contrastive(
    embeddings: Float[Tensor, "batch dim"], labels: Tensor, temperature: float
) -> Float[Tensor, ""]:
    """Khosla and others 2020, equation 2: the mean over the positives stands outside the log.

    With z the embeddings scaled to length 1 (it is done here), P(i) the other items of i's class:

        loss_i = -1/|P(i)| sum_{p in P(i)} log( exp(z_i.z_p / t) / sum_{a != i} exp(z_i.z_a / t) )

    Memory: a table of max(2^19, B) products at a time, some 12 bytes each, whatever the batch.

    Args:
        embeddings: [B, D].
        labels: [B] whole numbers.
        temperature: t; the lower, the more the hardest pairs count.

    Returns:
        The mean over the anchors that have a positive (the paper has the sum); others are left
        out as anchors, and stay in as negatives.

    Raises:
        DataError: no two items share a label, or `labels` are not B whole numbers.
    """
    check_labels(embeddings, labels)
    _, classes, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    others = counts[classes] - 1  # [B] how many positives each item has
    anchors = others.nonzero().squeeze(1)  # [A]
    if len(anchors) == 0:
        raise DataError(
            f"no two of the {len(labels)} items in the batch share a label, so there is nothing "
            "to pull together. Draw P classes x K items, K of 2 or more (ClassesByItems)"
        )
    z = unit(wide(embeddings))  # [B, D]
    # The positives' mean needs no table: it is z_i . (the sum of i's class - z_i) / |P(i)|.
    sums = z.new_zeros(len(counts), z.shape[1]).index_add(0, classes, z)  # [classes, D]
    near = ((sums[classes] - z) * z).sum(dim=1)[anchors] / others[anchors]  # [A]

    def part(points: Tensor, rows: Tensor) -> Chunk:
        logits = _products(points, rows) / temperature
        total = logits.scatter_(1, rows[:, None], -torch.inf).logsumexp(dim=1).sum()
        return Chunk(total, len(rows), total)

    value = mean_by_chunks(part, z, anchors, step=CHUNK // len(z))
    loss: Tensor = value - near.mean() / temperature
    return loss


def n_pair(
    embeddings: Float[Tensor, "batch dim"], labels: Tensor, penalty: float
) -> Float[Tensor, ""]:
    """Sohn 2016, the multi-class N-pair loss: a positive against the positives of other classes.

    The items of each class are paired in the batch's order: the first is the anchor f, the second
    its positive f+; then the next two; an odd one is left out.

        loss_i = log(1 + sum_{j of another class} exp(f_i.f_j+ - f_i.f_i+)) + penalty |f|^2

    With two items of each class it is the paper's. Products are of embeddings as they are, not of
    unit length: so the paper keeps lengths small, here by the mean of |f|^2 over the paired items.
    Memory: a table of max(2^19, B) products at a time, some 20 bytes each, whatever the batch.

    Args:
        embeddings: [B, D].
        labels: [B] whole numbers.
        penalty: of the squared length.

    Returns:
        The mean over the pairs.

    Raises:
        DataError: fewer than two classes have two items, or `labels` are not B whole numbers.
    """
    check_labels(embeddings, labels)
    anchor, mate = _pairs_in_order(labels)  # [P], [P]
    classes = labels[anchor]  # [P]
    if len(anchor) < 2 or bool((classes == classes[0]).all()):
        raise DataError(
            f"a batch of {len(labels)} items has too few pairs: the N-pair loss takes two items "
            "each of two classes or more. Draw P classes x K items (ClassesByItems)"
        )
    f, f_plus = wide(embeddings)[anchor], wide(embeddings)[mate]  # [P, D]

    def part(points: Tensor, rows: Tensor) -> Chunk:
        with torch.autocast(points.device.type, enabled=False):
            logits = points[rows] @ points[len(classes) :].T  # [A, P]
        alike = classes[rows, None] == classes  # [A, P]
        alike.scatter_(1, rows[:, None], value=False)
        total = logits.masked_fill_(alike, -torch.inf).logsumexp(dim=1).sum()
        return Chunk(total, len(rows), total)

    rows = torch.arange(len(classes), device=labels.device)
    paired = torch.cat([f, f_plus])  # [2P, D]
    value = mean_by_chunks(part, paired, rows, step=CHUNK // len(classes))
    own = (f * f_plus).sum(dim=1).mean()
    return value - own + penalty * paired.square().sum(dim=1).mean()


def multi_similarity(
    embeddings: Float[Tensor, "batch dim"],
    labels: Tensor,
    *,
    alpha: float,
    beta: float,
    base: float,
    epsilon: float,
) -> Float[Tensor, ""]:
    """Wang, Han, Huang, Dong and Scott 2019, with its mining of pairs.

    With S the cosines, an anchor's pairs count where they are no easier, by `epsilon`, than the
    hardest of the other kind: negatives with S > min S of its positives - epsilon, positives with
    S < max S of its negatives + epsilon. Of these

        loss_i = log(1 + sum_pos exp(-alpha (S - base))) / alpha
               + log(1 + sum_neg exp(beta (S - base))) / beta

    Memory: a table of max(2^19, B) cosines at a time, some 40 bytes each, whatever the batch.

    Args:
        embeddings: [B, D].
        labels: [B] whole numbers.
        alpha: how sharply positives below `base` count.
        beta: how sharply negatives above `base` count.
        base: the paper's lambda, a cosine.
        epsilon: how much easier than the hardest pair of the other kind a pair may be.

    Returns:
        The mean over all items of the batch.

    Raises:
        DataError: no two items share a label, or all do, or `labels` are not B whole numbers.
    """
    check_labels(embeddings, labels)
    check_triplets(labels)
    z = unit(wide(embeddings))  # [B, D]

    def part(points: Tensor, rows: Tensor) -> Chunk:
        cosine = _products(points, rows)  # [A, B]
        known, place = cosine.detach(), rows[:, None]
        alike = labels[place] == labels  # [A, B]
        hardest = known.masked_fill(alike, -torch.inf).amax(dim=1, keepdim=True)  # [A, 1]
        far = known.masked_fill(~alike, torch.inf).scatter_(1, place, torch.inf)
        farthest = far.amin(dim=1, keepdim=True)  # [A, 1]
        pulled = alike & (known < hardest + epsilon)
        pushed = (known > farthest - epsilon) & ~alike
        # An item's product with itself is in neither sum: a 0 in its place is the 1 of log(1 + ..).
        pull = (-alpha * (cosine - base)).masked_fill_(~pulled, -torch.inf).scatter_(1, place, 0.0)
        push = (beta * (cosine - base)).masked_fill_(~pushed, -torch.inf).scatter_(1, place, 0.0)
        total = (pull.logsumexp(dim=1) / alpha + push.logsumexp(dim=1) / beta).sum()
        return Chunk(total, len(rows), total)

    rows = torch.arange(len(z), device=labels.device)
    return mean_by_chunks(part, z, rows, step=CHUNK // len(z))


class SupervisedContrastive(LabelLoss):
    """Khosla's supervised contrastive loss; see `supervised_contrastive`.

    Args:
        temperature: the lower, the more the hardest pairs count.

    Raises:
        SettingsError: `temperature` is not positive.
    """

    about = About(
        "-mean over positives p of log(exp(z·z_p/t) / Σ_{a ≠ i} exp(z·z_a/t))",
        "labels with Cosine; the first to try, better with more classes and items a batch",
        "Khosla and others 2020",
    )

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = positive("temperature", temperature)

    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Tensor) -> Float[Tensor, ""]:
        """See `supervised_contrastive`."""
        return supervised_contrastive(embeddings, labels, self.temperature)

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"temperature={self.temperature}"


class NPair(LabelLoss):
    """Sohn's multi-class N-pair loss; see `n_pair`.

    Args:
        penalty: of the squared length of embeddings; 0 for none.

    Raises:
        SettingsError: `penalty` is negative or not finite.
    """

    about = About(
        "log(1 + Σ_{j of other classes} exp(f·f_j⁺ - f·f⁺)) + penalty · mean(f·f)",
        "labels, two items of each of many classes; embeddings of any length",
        "Sohn 2016",
    )

    def __init__(self, penalty: float | int = 0.002) -> None:
        super().__init__()
        if not 0 <= penalty < float("inf"):
            raise SettingsError(f"`penalty` must be 0 or more, and finite; got {penalty}")
        self.penalty = float(penalty)

    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Tensor) -> Float[Tensor, ""]:
        """See `n_pair`."""
        return n_pair(embeddings, labels, self.penalty)

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"penalty={self.penalty}"


class MultiSimilarity(LabelLoss):
    """Wang's multi-similarity loss with its mining; see `multi_similarity`.

    Args:
        alpha: how sharply positives below `base` count.
        beta: how sharply negatives above `base` count.
        base: a cosine; positives are pulled up to it, negatives pushed below.
        epsilon: how much easier than the hardest pair of the other kind a pair may be.

    Raises:
        SettingsError: `alpha`, `beta` or `epsilon` is not positive, or `base` is not finite.
    """

    about = About(
        "log(1 + Σ_pos exp(-alpha (S - base)))/alpha "
        "+ log(1 + Σ_neg exp(beta (S - base)))/beta over mined pairs",
        "labels with Cosine; weighs pairs by how hard they are",
        "Wang, Han, Huang, Dong, Scott 2019",
    )

    def __init__(
        self,
        *,
        alpha: float | int = 2.0,
        beta: float | int = 50.0,
        base: float | int = 0.5,
        epsilon: float | int = 0.1,
    ) -> None:
        super().__init__()
        self.alpha = positive("alpha", alpha)
        self.beta = positive("beta", beta)
        self.base = finite("base", base)
        self.epsilon = positive("epsilon", epsilon)

    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Tensor) -> Float[Tensor, ""]:
        """See `multi_similarity`."""
        return multi_similarity(
            embeddings,
            labels,
            alpha=self.alpha,
            beta=self.beta,
            base=self.base,
            epsilon=self.epsilon,
        )

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"alpha={self.alpha}, beta={self.beta}, base={self.base}, epsilon={self.epsilon}"


def _products(points: Float[Tensor, "batch dim"], rows: Int[Tensor, " rows"]) -> Tensor:
    """The products [A, B] of some rows with every one, in full precision under autocast too."""
    with torch.autocast(points.device.type, enabled=False):
        return points[rows] @ points.T


def _pairs_in_order(
    labels: Int[Tensor, " batch"],
) -> tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"]]:
    """First and second, third and fourth, ... item of each class in the batch's order."""
    known, order = labels.sort(stable=True)  # [B], [B]
    _, sizes = torch.unique_consecutive(known, return_counts=True)
    start = sizes.cumsum(0) - sizes
    place = torch.arange(len(labels), device=labels.device) - start.repeat_interleave(sizes)
    first = (place % 2 == 0) & (place + 1 < sizes.repeat_interleave(sizes))
    chosen = first.nonzero().squeeze(1)
    return order[chosen], order[chosen + 1]
