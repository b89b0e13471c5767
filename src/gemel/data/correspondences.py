"""`correspondences`: patches of the same places, cut from pictures with known homographies.

A class is a place, so the items serve losses of labels; `patch_pairs` makes trials of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from os import PathLike

import numpy as np
from jaxtyping import Bool, Float, UInt8

from gemel import patches
from gemel.data.pictures import read_picture
from gemel.data.scenes import Scene, scenes
from gemel.errors import DataError, SettingsError
from gemel.items import Indices, Items, Texts
from gemel.patches import Frames, Jitter, Keypoints

WHITE = 250
_SAME_PLACE, _SAME_SIZE = 0.2, 1.5
"""Frames show one place where their middles are less than a fifth of a side apart, and their sides
differ by less than this factor."""


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """How patches are cut.

    Attributes:
        size: pixels a side of a patch.
        magnification: the side of a frame in sizes of its keypoint; 6 is SIFT's own window.
        least: keypoints whose frames have a shorter side than this many pixels, in any picture,
            are left out: there is nothing to see in them.
        similar: keep of a frame that is carried over only what a detector of blobs can know;
            otherwise the patches are cut through the true affine frame.
        jitter: what detectors get wrong, drawn for each patch but those of the picture that the
            keypoint was found in; None is the frame as it is.
        whitest: patches of which a greater share is white, 250 of 255 and more, are left out:
            pictures that were registered are white where they do not reach.
        flattest: patches whose tones have a smaller standard deviation (of 255) are left out.

    Raises:
        SettingsError: a number is out of its range or not finite.
    """

    size: int = 64
    magnification: float = 12.0
    least: float = 16.0
    similar: bool = False
    jitter: Jitter | None = None
    whitest: float = 1.0
    flattest: float = 4.0

    def __post_init__(self) -> None:
        tones = (self.least, self.flattest, self.whitest)
        if (
            self.size < 1
            or not 0 < self.magnification < inf
            or not all(0 <= t < inf for t in tones)
        ):
            raise SettingsError(
                "`size` must be 1 or more, `magnification` above 0, `least`, `flattest` and "
                f"`whitest` 0 or more, and all finite; got {self}"
            )


def correspondences(
    folder: str | PathLike[str] | Sequence[Scene],
    *,
    cutting: Cutting | None = None,
    most: int = 1000,
    copies: int = 1,
    seed: int = 0,
    name: str = "patches",
) -> Items:
    """Patches of the same places in all pictures of each scene, a class a place.

    Keypoints are those of all pictures, carried to the first by the homography; of those at one
    place and of one size the strongest stays. A patch is cut wherever its frame lies inside.

    Args:
        folder: of scenes, or the scenes.
        cutting: how patches are cut.
        most: places of each scene, at most; the strongest.
        copies: so many patches of each place and picture, which differ by their jitter.
        seed: draws the jitter.
        name: of the items.

    Returns:
        Items with values uint8 [N, size, size], labels such as "graf/00042", the scene as group,
        and as details "picture" (its number in the scene, from 0), and "x", "y" and "side" of the
        frame in the first picture, in pixels.

    Raises:
        DataError: see `scenes`; or no place is seen twice.
        SettingsError: `most` or `copies` is below 1.
    """
    if most < 1 or copies < 1:
        raise SettingsError(f"`most` and `copies` must be 1 or more; got {most} and {copies}")
    cutting = cutting if cutting is not None else Cutting()
    chosen = scenes(folder) if isinstance(folder, str | PathLike) else folder
    parts = [
        part
        for number, scene in enumerate(chosen)
        for part in _cut_scene(scene, cutting, most, copies, np.random.default_rng([seed, number]))
    ]
    if not parts:
        raise DataError(
            f"no place of {', '.join(scene.name for scene in chosen)} is seen in two pictures: "
            "are the homographies those of these pictures?"
        )
    places = np.concatenate([part.places for part in parts])
    return Items(
        values=np.concatenate([part.values for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        groups=np.repeat([part.scene for part in parts], [len(part.values) for part in parts]),
        name=name,
        origins=[origin for part in parts for origin in part.origins],
        details={
            "picture": np.concatenate([np.full(len(p.values), p.picture) for p in parts]),
            "copy": np.concatenate([np.full(len(p.values), p.copy) for p in parts]),
            "x": places[:, 0],
            "y": places[:, 1],
            "side": places[:, 2],
        },
    )


@dataclass(frozen=True)
class _Part:
    """The patches of one picture.

    Attributes:
        scene: its name.
        picture: the number of the picture in the scene.
        copy: which of several copies it is.
        values: [N, size, size] the patches.
        labels: [N] the place of each.
        origins: N texts.
        places: [N, 3] x, y and side in the first picture.
    """

    scene: str
    picture: int
    copy: int
    values: UInt8[np.ndarray, "N size size"]
    labels: Texts
    origins: list[str]
    places: Float[np.ndarray, "N 3"]


def _cut_scene(
    scene: Scene, cutting: Cutting, most: int, copies: int, generator: np.random.Generator
) -> list[_Part]:
    """The patches of each picture; only of places that are seen in two pictures or more."""
    greys = [np.asarray(read_picture(path).convert("L")) for path in scene.pictures]
    frames, found_in = _places(greys, scene.homographies, cutting, most)
    placed = np.stack([frames[:, 0, 2], frames[:, 1, 2], patches.sides(frames)], axis=1)
    cuts = []
    for picture, (grey, homography) in enumerate(zip(greys, scene.homographies, strict=True)):
        true = patches.project(frames, homography)
        for copy in range(copies):
            there = _seen(true, found_in == picture, cutting, generator)
            big = patches.sides(there) >= cutting.least
            good = np.flatnonzero(patches.inside(there, grey.shape) & big)
            values = patches.cut(grey, there[good], cutting.size)
            shown = values.reshape(len(values), -1).std(axis=1) >= cutting.flattest
            shown &= (values >= WHITE).mean(axis=(1, 2)) <= cutting.whitest
            cuts.append((picture, copy, good[shown], values[shown]))
    counts = np.zeros((len(greys), len(frames)), dtype=int)
    for picture, _, seen, _ in cuts:
        counts[picture, seen] += 1
    twice = (counts > 0).sum(axis=0) >= 2
    parts = []
    for picture, copy, seen, values in cuts:
        kept = seen[twice[seen]]
        file = f"{scene.name}/{scene.pictures[picture].name}"
        parts.append(
            _Part(
                scene.name,
                picture,
                copy,
                values[twice[seen]],
                np.array([f"{scene.name}/{one:05}" for one in kept], dtype=np.str_),
                [f"{file}, the place {x:.0f}, {y:.0f} of the first" for x, y, _ in placed[kept]],
                placed[kept],
            )
        )
    return [part for part in parts if len(part.labels)]


def _seen(
    frames: Frames, own: Bool[np.ndarray, " N"], cutting: Cutting, generator: np.random.Generator
) -> Frames:
    """The frames as a detector would find them, but those that it did find (`own`)."""
    seen = patches.similar(frames) if cutting.similar else frames
    if cutting.jitter is not None:
        seen = cutting.jitter(seen, generator)
    return np.where(own[:, None, None], frames, seen)


def _places(
    greys: Sequence[UInt8[np.ndarray, "_ _"]],
    homographies: Sequence[Float[np.ndarray, "3 3"]],
    cutting: Cutting,
    most: int,
) -> tuple[Frames, Indices]:
    """The frames of the strongest keypoints of all pictures, in the first; and whose they are."""
    found: list[tuple[Keypoints, Frames]] = []
    for grey, homography in zip(greys, homographies, strict=True):
        points = patches.keypoints(grey)
        frames = patches.frames_of(points, magnification=cutting.magnification)
        good = patches.inside(frames, grey.shape) & (patches.sides(frames) >= cutting.least)
        found.append((points.take(good), patches.project(frames[good], np.linalg.inv(homography))))
    # the strongest of each picture first, in turns: a dark picture has weak keypoints only
    ranks = np.concatenate([np.arange(len(points)) for points, _ in found])
    whose = np.repeat(np.arange(len(found)), [len(points) for points, _ in found])
    frames = np.concatenate([frames for _, frames in found])
    order = np.lexsort((whose, ranks))
    order = order[np.isfinite(frames[order]).all(axis=(1, 2))]
    kept = order[_apart(frames[order], most)]
    return frames[kept], whose[kept]


def _apart(frames: Frames, most: int) -> Indices:
    """The first `most` frames of which none is at the place of an earlier one and as large."""
    sides, places = patches.sides(frames), frames[:, :, 2]
    kept: list[int] = []
    for one in range(len(frames)):
        if len(kept) == most:
            break
        distance = np.linalg.norm(places[kept] - places[one], axis=1)
        larger = np.maximum(sides[kept], sides[one])
        ratio = larger / np.minimum(sides[kept], sides[one])
        if not ((distance < _SAME_PLACE * larger) & (ratio < _SAME_SIZE)).any():
            kept.append(one)
    return np.array(kept, dtype=np.int64)
