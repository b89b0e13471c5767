"""Pen strokes to pictures: the distance of every pixel to the nearest stroke, in batches."""

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

PIXELS = 100_000
"""Pixels rendered at a time: memory is bounded, and what they need stays in the cache."""


def render(
    strokes: Float[np.ndarray, "strokes points 2"],
    owners: Int[np.ndarray, "strokes"],
    pens: Float[np.ndarray, "drawings"],
    edges: Float[np.ndarray, "drawings"],
    *,
    size: int,
) -> UInt8[np.ndarray, "drawings {size} {size}"]:
    """Pictures [N, size, size], ink 255 on 0, of N drawings on a canvas of side 1.

    A pixel is as bright as the part of it that a straight stroke at its distance would cover:
    about what averaging a finer black-and-white drawing over the pixel gives. An edge that is wider
    than a pixel is averaged over its width, and the middle kept as bright as it would be.

    Args:
        strokes: [M, P, 2] points of all strokes, x right and y down; P - 1 a power of two, at
            least 4.
        owners: [M] the drawing, 0 to N - 1, that each stroke belongs to, in ascending order.
        pens: [N] width of the pen of each drawing, in parts of the canvas's side.
        edges: [N] over what width its edge fades, in the same unit; at least a pixel.
        size: pixels of a side.
    """
    pictures = np.empty((len(pens), size, size), dtype=np.uint8)
    halves = (pens * (size / 2)).astype(np.float32)
    fades = np.maximum(edges * size, 1).astype(np.float32)
    chunk = max(1, PIXELS // size**2)
    for first in range(0, len(pens), chunk):
        some = slice(first, first + chunk)
        half, edge = halves[some], fades[some]
        drawn = slice(*np.searchsorted(owners, [first, first + chunk]))
        pieces, of = pieces_of(strokes[drawn] * size, owners[drawn] - first, longest=1.4)
        reach = float((half + edge / 2).max())
        squared = squared_distances(pieces, of, count=len(half), size=size, reach=reach)
        pictures[some] = _ink(np.sqrt(squared, out=squared), half, edge)
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
    pieces: Float32[np.ndarray, "pieces 4"],
    owners: Int[np.ndarray, "pieces"],
    *,
    count: int,
    size: int,
    reach: float,
) -> Float32[np.ndarray, "{count} {size} {size}"]:
    """[count, size, size] squared distance of pixel centres to the nearest piece of their drawing.

    Only pixels near a piece are looked at: distances over `reach` may come out too great, infinite
    for one. All in pixels.

    Args:
        pieces: [T, 4] x0 y0 x1 y1.
        owners: [T] the drawing, 0 to count - 1, that each belongs to.
        count: how many drawings.
        size: pixels of a side.
        reach: up to which distance it is wanted.
    """
    start, end = pieces[:, :2], pieces[:, 2:]
    middle, chord = (start + end) / 2, end - start
    length = np.hypot(chord[:, 0], chord[:, 1])[:, None]
    along = chord / np.maximum(length, 1e-9)
    along[:, 0] += length[:, 0] < 1e-9  # a point: any direction will do, but one must
    # A window of pixels that holds every piece with its reach, as far as the canvas goes.
    window = min(int(np.abs(chord).max() + 2 * reach) + 1, size)
    first = np.clip(np.rint(middle - np.float32(window / 2)), 0, size - window)
    places = np.arange(window)
    offset = (places + np.float32(0.5)).astype(np.float32) + (first - middle)[:, :, None]
    x, y = offset[:, 0, None, :], offset[:, 1, :, None]
    cos, sin = along[:, 0, None, None], along[:, 1, None, None]
    beyond = np.abs(cos * x + sin * y)  # along the piece, past its ends
    beyond -= length[:, :, None] / 2
    np.maximum(beyond, 0, out=beyond)
    squared = cos * y - sin * x
    squared *= squared
    squared += np.square(beyond, out=beyond)
    corner = (owners * size + first[:, 1].astype(np.int64)) * size + first[:, 0].astype(np.int64)
    pixel = corner[:, None, None] + (places[:, None] * size + places)
    nearest = np.full(count * size * size, np.inf, dtype=np.float32)
    np.minimum.at(nearest, pixel.ravel(), squared.ravel())
    return nearest.reshape(count, size, size)


def _ink(
    distance: Float32[np.ndarray, "drawings size size"],
    half: Float32[np.ndarray, "drawings"],
    edge: Float32[np.ndarray, "drawings"],
) -> UInt8[np.ndarray, "drawings size size"]:
    """The part of `edge` pixels at `distance` from the middle of a band that the band covers.

    The band is `half` pixels wide to either side. As bytes; where the edge is over a pixel wide,
    so much brighter that the middle of the band is as bright as with an edge of one pixel.
    """
    half, edge = half[:, None, None], edge[:, None, None]
    covered = np.minimum(distance + edge / 2, half)
    covered -= np.maximum(distance - edge / 2, -half)
    covered *= 255 * np.minimum(2 * half, 1) / np.minimum(2 * half, edge)
    bright: UInt8[np.ndarray, "drawings size size"] = np.rint(covered.clip(0, 255)).astype(np.uint8)
    return bright
