"""Norouzi, Fleet and Salakhutdinov 2012: Hamming distances learned through an upper bound.

An item's code is the sign of each of its q numbers f. The triplet hinge of the codes,

    l = max(0, H(h, h+) - H(h, h-) + margin),

is flat almost everywhere, so the paper lowers an upper bound that is linear in pieces:

    max over codes g, g+, g- of [ l(g, g+, g-) + g.f + g+.f+ + g-.f- ] - |f|_1 - |f+|_1 - |f-|_1

The codes of the items are among the g, hence the bound. The paper finds the greatest g by dynamic
programming over H(g, g+) - H(g, g-). Since max(0, k + margin) is the greater of two functions
that are linear in k, so is the maximum: of |f|_1 + |f+|_1 + |f-|_1, where l counts as 0, and of a
sum over bits, where l counts as k + margin. Each bit then finds the best of its eight patterns
alone; they are of three kinds: g+ and g- agree (k + 0), g- alone agrees with g (k + 1), or g+
alone does (k - 1). This is exact, and takes q steps where the table takes q^2.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gemel.chunks import CHUNK, Chunk, mean_by_chunks
from gemel.errors import DataError, SettingsError
from gemel.losses.base import About, LabelLoss, check_labels, positive
from gemel.metrics import wide
from gemel.mining import check_triplets


def hamming_triplet(
    f: Float[Tensor, "batch bits"],
    f_plus: Float[Tensor, "batch bits"],
    f_minus: Float[Tensor, "batch bits"],
    margin: float,
) -> Float[Tensor, ""]:
    """The mean over triplets of the upper bound on the hinge of their codes' Hamming distances.

    Args:
        f: [B, q] real numbers whose signs are the anchors' codes; 0 counts as either.
        f_plus: [B, q] of the positives.
        f_minus: [B, q] of the negatives.
        margin: in bits, by how much the negative must be farther; 1 in the paper, 2 in what its
            published code works out to.

    Raises:
        DataError: there is no triplet.
        SettingsError: `margin` is greater than q: no two codes are that far apart.
    """
    if len(f) == 0:
        raise DataError("a batch of no triplets has no loss; give one triplet or more")
    _check_bits(margin, f.shape[1])
    return _bounds(wide(f), wide(f_plus), wide(f_minus), margin).mean()


class HammingTriplet(LabelLoss):
    """Norouzi's bound over triplets of the batch; see `hamming_triplet`.

    Every anchor meets every positive, with the negative whose code is nearest the anchor's (the
    first of equally near ones), as in the paper's published code. Memory: 2^19 numbers of one
    table at a time, whatever the batch, some 60 bytes each. Embeddings are taken as they are, so
    end the encoder in a layer of q numbers that may have either sign. A step never takes a number
    across 0 by itself: bits flip through the weights that items share, so decay these.

    Args:
        margin: in bits.

    Raises:
        SettingsError: `margin` is not positive.
    """

    about = About(
        "upper bound of max(0, H(a, p) - H(a, n) + margin), H between signs of f",
        "labels, for binary codes that are searched by Hamming distance",
        "Norouzi, Fleet, Salakhutdinov 2012",
    )

    def __init__(self, margin: float | int = 1.0) -> None:
        super().__init__()
        self.margin = positive("margin", margin)

    def forward(self, embeddings: Float[Tensor, "batch dim"], labels: Tensor) -> Float[Tensor, ""]:
        """See `hamming_triplet`."""
        check_labels(embeddings, labels)
        check_triplets(labels)
        _check_bits(self.margin, embeddings.shape[1])
        points = wide(embeddings)
        triplets = _nearest_negatives(points.detach(), labels)  # [T, 3]

        def part(f: Tensor, rows: Tensor) -> Chunk:
            anchor, plus, minus = (f.index_select(0, column) for column in triplets[rows].T)
            total = _bounds(anchor, plus, minus, self.margin).sum()
            return Chunk(total, len(rows), total)

        rows = torch.arange(len(triplets), device=labels.device)
        return mean_by_chunks(part, points, rows, step=CHUNK // points.shape[1])

    def extra_repr(self) -> str:
        """The settings in words."""
        return f"margin={self.margin}"


def _bounds(
    f: Float[Tensor, "batch bits"],
    f_plus: Float[Tensor, "batch bits"],
    f_minus: Float[Tensor, "batch bits"],
    margin: float,
) -> Float[Tensor, " batch"]:
    """The upper bound of each triplet."""
    gap = f_plus - f_minus
    farther = (f - gap).abs().add_(1)  # g- alone agrees with g: one bit more
    nearer = (f + gap).abs().sub_(1)
    agree = f.abs() + (f_plus + f_minus).abs()
    free = f.abs().add_(f_plus.abs()).add_(f_minus.abs())
    other = torch.where(farther > nearer, farther, nearer)  # its slope costs less than a maximum's
    best = torch.where(other > agree, other, agree)
    return ((best - free).sum(dim=1) + margin).clamp(min=0)


def _nearest_negatives(
    points: Float[Tensor, "batch bits"], labels: Int[Tensor, " batch"]
) -> Int[Tensor, "triplets 3"]:
    """Every anchor with every positive, and the first of the anchor's nearest negatives."""
    size = len(points)
    codes = torch.where(points > 0, 1.0, -1.0)  # [B, q]
    place = torch.arange(size, device=labels.device)
    found = []
    for anchors in torch.split(place, max(1, CHUNK // size)):
        alike = labels[anchors, None] == labels  # [A, B]
        agreed = (codes[anchors] @ codes.T).masked_fill_(alike, -torch.inf)  # q - 2 H, exactly
        negative = agreed.argmax(dim=1)  # [A]
        row, plus = alike.scatter_(1, anchors[:, None], value=False).nonzero(as_tuple=True)
        found.append(torch.stack([anchors[row], plus, negative[row]], dim=1))
    return torch.cat(found)


def _check_bits(margin: float, bits: int) -> None:
    if margin > bits:
        raise SettingsError(
            f"a margin of {margin:g} bits cannot be met by codes of {bits}: Hamming distances end "
            f"at {bits}. Give a smaller margin or longer embeddings"
        )
