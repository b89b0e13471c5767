"""How well places of two pictures are matched, where the homography between them is known.

Mikolajczyk and Schmid 2005, "A performance evaluation of local descriptors": a match is right when
the homography takes its left place near enough to its right one. The mean over pairs of pictures of
the share of right matches is the mean matching accuracy (MMA; the name as in Dusmanu and others
2019, "D2-Net").
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation.intervals import Figure, bootstrap, figure

PIXELS = (1, 3, 5)
Points = Float[NDArray[np.float64], "M 2"]


def reprojection_errors(
    left: Points, right: Points, homography: Float[NDArray[np.float64], "3 3"]
) -> Float[NDArray[np.float64], " M"]:
    """How far from its right place each left place comes to lie, in pixels of the right picture.

    Args:
        left: x and y in the left picture.
        right: x and y in the right one, in the same order.
        homography: takes (x, y, 1) of the left picture to the right one; not to a mirror image.

    Returns:
        Distances; infinity for a place at the homography's horizon or beyond.
    """
    x, y, depth = homography @ np.concatenate([left, np.ones((len(left), 1))], axis=1).T
    # what is seen from its front keeps its turning sense: the sign of det H / depth ** 3
    ahead = depth * np.linalg.det(homography) > 0
    there = np.stack([x, y], axis=1) / np.where(ahead, depth, 1.0)[:, None]
    distance: NDArray[np.float64] = np.linalg.norm(there - right, axis=1)
    return np.where(ahead, distance, np.inf)


def right_shares(
    errors: Sequence[ArrayLike], pixels: Sequence[float | int] = PIXELS
) -> Float[NDArray[np.float64], "pictures bounds"]:
    """The share of matches that are right, of each pair of pictures and at each bound.

    Args:
        errors: the reprojection errors of the matches of each pair; a pair without a match counts
            as 0, as in the code of D2-Net.
        pixels: an error up to so many pixels is right.

    Raises:
        EvaluationError: there are no pairs, or an error is NaN or negative.
        SettingsError: a bound is not above 0.
    """
    bounds = np.asarray(pixels, dtype=np.float64)
    if not len(bounds) or not (bounds > 0).all():
        raise SettingsError(f"`pixels` must be numbers above 0; got {tuple(pixels)}")
    if not len(errors):
        raise EvaluationError("the accuracy of matches needs one pair of pictures or more; got 0")
    shares = np.zeros((len(errors), len(bounds)))
    for pair, given in enumerate(errors):
        found = np.asarray(given, dtype=np.float64)
        if found.ndim != 1 or not (found >= 0).all():
            raise EvaluationError(
                f"pair {pair}: expected reprojection errors [M] of 0 or more, got shape "
                f"{list(found.shape)} with {int((~(found >= 0)).sum())} negative or NaN"
            )
        if len(found):
            shares[pair] = (found[:, None] <= bounds).mean(axis=0)
    return shares


def matching_accuracy(
    errors: Sequence[ArrayLike],
    *,
    pixels: Sequence[float | int] = PIXELS,
    groups: ArrayLike | None = None,
    split: str,
    seed: int,
) -> tuple[Figure, ...]:
    """The mean over pairs of pictures of the share of right matches, at each bound.

    The interval is a bootstrap over the pairs; those of one group are drawn together.

    Args:
        errors: see `right_shares`.
        pixels: see `right_shares`.
        groups: what each pair shows, where several show one thing.
        split: the name of the pairs.
        seed: of the bootstrap.

    Raises:
        EvaluationError: see `right_shares`; or there is not one group for each pair.
        SettingsError: see `right_shares`.
    """
    shares = right_shares(errors, pixels)
    return tuple(
        figure(
            f"matching accuracy at {bound:g} px",
            float(share.mean()),
            bootstrap(
                share,
                clusters=groups,
                cluster_unit="pairs of pictures" if groups is None else "groups of pictures",
                seed=seed,
            ),
            count=len(share),
            unit="pairs of pictures",
            split=split,
            seed=seed,
        )
        for bound, share in zip(pixels, shares.T, strict=True)
    )
