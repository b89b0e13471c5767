"""Which places of two pictures show the same: keypoints, descriptors, and one plane behind them.

`view` finds a picture's keypoints and cuts the patches around them. `match` pairs the patches of
two views that are each other's nearest, by the distances of `root_sift` or of a model (`by_model`),
and finds the homography on which most of the pairs agree.
"""

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy.typing import NDArray

from gemel import patches
from gemel.data.pictures import read_picture
from gemel.errors import DataError, SettingsError
from gemel.evaluation import reprojection_errors
from gemel.inputs import input_of
from gemel.items import SIDES, Indices
from gemel.model import Siamese
from gemel.patches import Frames, Grey, Homography, Points

KEYPOINTS = 2000
SIZE, MAGNIFICATION = 64, 18.0
"""Pixels a side of a patch, and the side of its frame in sizes of its keypoint: as the models of
`systems.zagoruyko2015` are trained."""
PIXELS = 3.0
FEWEST = 4
"""A homography needs so many matches."""
AGREEING = 10
"""So many must agree on one: unrelated pictures had up to 8 that did (docs/results.md)."""

Patches = UInt8[np.ndarray, "N size size"]
Distances = Float[NDArray[np.floating[Any]], "left right"]
Compare = Callable[[UInt8[np.ndarray, "left _ _"], UInt8[np.ndarray, "right _ _"]], Distances]
"""From the patches of two pictures to the distances of all on the left from all on the right."""


@dataclass(frozen=True, eq=False)
class View:
    """A picture with its keypoints.

    Attributes:
        grey: the picture [H, W], 0 black.
        frames: [N, 2, 3] the frame around each keypoint, the strongest first; see `patches`.
        patches: [N, size, size] what they hold.
    """

    grey: Grey
    frames: Frames
    patches: Patches

    @property
    def places(self) -> Points:
        """[N, 2] x and y of the keypoints, in pixels."""
        return self.frames[:, :, 2]

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, eq=False)
class Matches:
    """Places of two pictures that seem to show the same, the nearest first.

    Attributes:
        left: [M, 2] x and y in the left picture.
        right: [M, 2] x and y in the right one.
        distances: [M] of their descriptors.
        inliers: [M] whether the homography agrees.
        homography: takes (x, y, 1) of the left picture to the right one; None where there is none.
        why: why there is none; empty where there is one.
    """

    left: Points
    right: Points
    distances: Float[np.ndarray, " N"]
    inliers: Bool[np.ndarray, " N"]
    homography: Homography | None
    why: str

    def __len__(self) -> int:
        return len(self.left)


def view(
    picture: Any,
    *,
    most: int = KEYPOINTS,
    size: int = SIZE,
    magnification: float | int = MAGNIFICATION,
    origin: str = "",
) -> View:
    """A picture's strongest keypoints and the patches around them.

    Keypoints whose frame reaches outside the picture are left out.

    Args:
        picture: a path, bytes, open picture or array.
        most: so many keypoints at most.
        size: pixels a side of a patch.
        magnification: the side of a frame in sizes of its keypoint.
        origin: where the picture came from, for messages.

    Raises:
        DataError: it is no picture, it is too small, or it has no keypoints.
        MissingExtraError: OpenCV is not installed.
        SettingsError: a number is below 1, or `magnification` not above 0.
    """
    if most < 1:
        raise SettingsError(f"`most` must be 1 keypoint or more; got {most}")
    is_path = isinstance(picture, str | PathLike)
    where = origin or (str(picture) if is_path else "the picture")
    grey = np.asarray(read_picture(picture, origin).convert("L"))
    try:
        points = patches.keypoints(grey)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    if not len(points):
        raise DataError(
            f"{where}: no keypoints were found: it is blank or blurred; take a picture in which "
            "something stands out"
        )
    frames = patches.frames_of(points, magnification=float(magnification))
    frames = frames[patches.inside(frames, grey.shape)][:most]
    if not len(frames):
        raise DataError(
            f"{where}: around none of its {len(points)} keypoints there is room for a patch of "
            f"{magnification:g} times the keypoint's size: take a larger picture, or a smaller "
            "`magnification`"
        )
    return View(grey, frames, patches.cut(grey, frames, size))


def root_sift(
    left: UInt8[np.ndarray, "left _ _"], right: UInt8[np.ndarray, "right _ _"]
) -> Distances:
    """The Euclidean distances of RootSIFT descriptors."""
    cosine = patches.root_sift(left) @ patches.root_sift(right).T  # of unit vectors
    found: Distances = np.sqrt(np.maximum(2 - 2 * cosine, 0))
    return found


def by_model(model: Siamese) -> Compare:
    """The distances of a model's embeddings.

    Raises:
        SettingsError: it takes no pictures, or it is a joint comparer, which has no descriptors.
    """
    kinds = {input_of(model.input, side).kind for side in SIDES}
    if kinds != {"images"}:
        raise SettingsError(
            f"matching needs a model of pictures, such as descriptor.gemel of `gemel reproduce "
            f"zagoruyko2015`; this one takes {' and '.join(sorted(kinds))}"
        )
    if model.is_joint:
        raise SettingsError(
            "a joint comparer has no descriptors: it would have to look at every patch of one "
            "picture with every one of the other. Take a twin, such as descriptor.gemel of `gemel "
            "reproduce zagoruyko2015`"
        )

    def compare(
        left: UInt8[np.ndarray, "left _ _"], right: UInt8[np.ndarray, "right _ _"]
    ) -> Distances:
        return model.distances(model.embed(left, "left"), model.embed(right, "right")).numpy()

    return compare


def match(
    left: View,
    right: View,
    compare: Compare = root_sift,
    *,
    ratio: float | None = None,
    pixels: float = PIXELS,
    seed: int = 0,
) -> Matches:
    """The mutually nearest keypoints of two pictures, and the homography most of them agree on.

    Two places that are matched twice, as a keypoint may have several directions, count once.

    Args:
        left: one picture.
        right: the other.
        compare: the distances of patches: `root_sift`, or `by_model(model)`.
        ratio: see `mutually_nearest`.
        pixels: a match is an inlier when the homography takes its left place as near to its right.
        seed: of RANSAC's draws.

    Raises:
        SettingsError: `ratio` or `pixels` is not possible.
    """
    distances = compare(left.patches, right.patches)
    rows, columns = mutually_nearest(distances, ratio=ratio)
    order = np.argsort(distances[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    ends = np.concatenate([left.places[rows], right.places[columns]], axis=1)
    once = np.sort(np.unique(ends, axis=0, return_index=True)[1])
    at_left, at_right, nearest = ends[once, :2], ends[once, 2:], distances[rows, columns][once]
    homography, inliers, why = _plane(at_left, at_right, pixels, seed)
    return Matches(at_left, at_right, nearest, inliers, homography, why)


def mutually_nearest(
    distances: Distances, *, ratio: float | None = None
) -> tuple[Indices, Indices]:
    """The pairs of a row and a column of which each is the other's nearest, in order of rows.

    Of equally near ones the first is taken.

    Args:
        distances: [L, R].
        ratio: keep a pair only when it is nearer than this share of the distance of the row's
            second nearest (Lowe 2004, who takes 0.8); None keeps all.

    Raises:
        SettingsError: `ratio` is not above 0 and up to 1, or distances are negative, as those of
            learned comparisons may be, so that they have no ratio.
    """
    column = distances.argmin(axis=1)
    rows = np.flatnonzero(distances.argmin(axis=0)[column] == np.arange(len(distances)))
    if ratio is not None:
        if not 0 < ratio <= 1:
            raise SettingsError(f"`ratio` must lie above 0 and be at most 1; got {ratio}")
        if distances.min() < 0:
            raise SettingsError(
                "a ratio needs distances of 0 or more; this model's metric gives negative ones, "
                "so leave `ratio` out"
            )
        if distances.shape[1] > 1:
            first, second = np.partition(distances[rows], 1, axis=1)[:, :2].T
            rows = rows[first < ratio * second]
    return rows, column[rows]


def _plane(
    left: Points, right: Points, pixels: float, seed: int
) -> tuple[Homography | None, Bool[np.ndarray, " N"], str]:
    """The homography, who agrees with it, and why there is none."""
    none = np.zeros(len(left), dtype=bool)
    if len(left) < FEWEST:
        return None, none, f"{len(left)} matches, and a homography needs {FEWEST} or more"
    homography = patches.ransac(left, right, pixels=pixels, seed=seed)
    if homography is not None:
        inliers = reprojection_errors(left, right, homography) <= pixels
        if inliers.sum() >= AGREEING:
            return homography, inliers, ""
        return (
            None,
            none,
            f"the best homography that RANSAC found has {int(inliers.sum())} of {len(left)} "
            f"matches; fewer than {AGREEING} may agree by chance",
        )
    return None, none, f"RANSAC found none among the {len(left)} matches"
