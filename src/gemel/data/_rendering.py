"""Pen strokes to pictures: the distance of every pixel to the nearest stroke, in batches."""

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, UInt8
from torch import Tensor

CHUNK = 256
"""Drawings rendered at a time: memory is bounded, and what they need stays in the cache."""


def render(
    strokes: Float[np.ndarray, "strokes points 2"],
    owners: Int[np.ndarray, "strokes"],
    pens: Float[np.ndarray, "drawings"],
    size: int,
) -> UInt8[np.ndarray, "drawings {size} {size}"]:
    """Pictures [N, size, size], ink 255 on 0, of N drawings on a canvas of side 1.

    A pixel is as bright as the part of it that a straight stroke at its distance would cover:
    about what averaging a finer black-and-white drawing over the pixel gives.

    Args:
        strokes: [M, P, 2] points of all strokes, x right and y down; P - 1 a power of two, at
            least 4.
        owners: [M] the drawing, 0 to N - 1, that each stroke belongs to, in ascending order.
        pens: [N] width of the pen of each drawing, in parts of the canvas's side.
        size: pixels of a side.
    """
    pictures = np.empty((len(pens), size, size), dtype=np.uint8)
    for first in range(0, len(pens), CHUNK):
        some = slice(*np.searchsorted(owners, [first, first + CHUNK]))
        half = torch.from_numpy((pens[first : first + CHUNK] * (size / 2)).astype(np.float32))
        pieces, of = pieces_of(strokes[some] * size, owners[some] - first, longest=1.4)
        squared = squared_distances(
            torch.from_numpy(pieces), torch.from_numpy(of), len(half), size, float(half.max())
        )
        ink = _ink(squared.sqrt_(), half[:, None, None])
        pictures[first : first + CHUNK] = ink.numpy()
    return pictures


def pieces_of(
    strokes: Float[np.ndarray, "strokes points 2"],
    owners: Int[np.ndarray, "strokes"],
    longest: float,
) -> tuple[Float32[np.ndarray, "pieces 4"], Int[np.ndarray, "pieces"]]:
    """The straight pieces of strokes [M, P, 2], fewer than P - 1 of one that is short.

    Neighbouring pieces of a stroke are joined in twos while the joined are not over `longest`, and
    there are 4 or more.

    Returns:
        [T, 4] start and end of T pieces, x0 y0 x1 y1; and [T] the drawing that each belongs to.
    """
    step = strokes[:, 1:] - strokes[:, :-1]
    step = np.hypot(step[..., 0], step[..., 1]).max(axis=1)
    halvings = int(np.log2(strokes.shape[1] - 1)) - 2
    joined = np.floor(np.log2(longest / np.maximum(step, 1e-9))).clip(0, halvings)
    of, pieces = [], []
    for level in range(halvings + 1):
        chosen = np.flatnonzero(joined == level)
        some = strokes[chosen, :: 2**level].astype(np.float32)
        pieces.append(np.concatenate([some[:, :-1], some[:, 1:]], axis=-1).reshape(-1, 4))
        of.append(np.repeat(owners[chosen], some.shape[1] - 1))
    return np.concatenate(pieces), np.concatenate(of)


def squared_distances(
    pieces: Float[Tensor, "pieces 4"],
    owners: Int[Tensor, "pieces"],
    count: int,
    size: int,
    reach: float,
) -> Float[Tensor, "{count} {size} {size}"]:
    """[count, size, size] squared distance of pixel centres to the nearest piece of their drawing.

    Only pixels near a piece are looked at: distances over `reach` + 1/2 may come out too great,
    as infinite for one. All in pixels.

    Args:
        pieces: [T, 4] float32, x0 y0 x1 y1.
        owners: [T] the drawing, 0 to count - 1, that each belongs to.
        count: how many drawings.
        size: pixels of a side.
        reach: how far from a piece the distance is wanted, less 1/2.
    """
    start, end = pieces[:, :2], pieces[:, 2:]
    middle, chord = (start + end) / 2, end - start
    length = chord.square().sum(dim=1, keepdim=True).sqrt_()
    along = chord / length.clamp_min(1e-9)
    along[:, 0] += (length[:, 0] < 1e-9).float()  # a point: any direction will do, but one must
    # A window of pixels that holds every piece with its reach, at least as far as the canvas goes.
    window = min(int(float(chord.abs().max()) + 2 * reach + 1) + 1, size)
    first = (middle - window / 2).round_().clamp_(0, size - window)
    offset = torch.arange(window) + 0.5 + (first - middle)[:, :, None]
    x, y = offset[:, 0, None, :], offset[:, 1, :, None]
    cos, sin = along[:, 0, None, None], along[:, 1, None, None]
    beyond = (cos * x + sin * y).abs_().sub_(length[:, :, None] / 2).clamp_min_(0)
    squared = (cos * y - sin * x).square_().addcmul_(beyond, beyond)
    corner = (owners * size + first[:, 1].long()) * size + first[:, 0].long()
    places = torch.arange(window)[:, None] * size + torch.arange(window)
    nearest = torch.full((count * size * size,), torch.inf)
    nearest.scatter_reduce_(
        0, (corner[:, None, None] + places).flatten(), squared.flatten(), "amin"
    )
    return nearest.view(count, size, size)


def _ink(
    distance: Float[Tensor, "drawings size size"], half: Float[Tensor, "drawings 1 1"]
) -> UInt8[Tensor, "drawings size size"]:
    """The part of a pixel, as bytes, that a band of half-width `half` pixels covers."""
    covered = torch.minimum(distance + 0.5, half) - torch.maximum(distance - 0.5, -half)
    return covered.clamp_(0, 1).mul_(255).round_().to(torch.uint8)
