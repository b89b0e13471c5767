"""Mean matching accuracy on the test scenes of zagoruyko2015: a descriptor beside RootSIFT.

    python benchmarks/matching_accuracy.py --data FOLDER_OF_DATA_SETS
    python benchmarks/matching_accuracy.py --data ... --model OUT/descriptor.gemel \
        --model OUT/descriptor-2.gemel
    python benchmarks/matching_accuracy.py --data ... --unrelated

The share of mutually nearest matches that the true homography takes to within 1, 3 and 5 pixels,
mean over pairs of pictures (the first picture of a scene with each other one). All descriptors have
the same keypoints. Who matches more of them has more wrong matches, too, so the share is also given
for equally many. Each model is tested on the scenes of one fold, the first --model on those of the
first, and so on; one that was trained on a place of them is refused. Without models all scenes are
tested, by RootSIFT alone. It prints markdown.

With --unrelated: how many matches agree on a homography by chance, in pictures of different things.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

import gemel
from gemel import data, leaks, matching, patches
from gemel.data.scenes import Scene
from gemel.evaluation import Figure, bootstrap, figure, matching_accuracy, reprojection_errors
from gemel.evaluation.matching_accuracy import PIXELS, right_shares
from gemel.items import Items
from gemel.matching import MAGNIFICATION, SIZE, Compare, View, by_model, match, root_sift, view
from gemel.model import Siamese
from gemel.systems._patch_trials import FOLDS, SETS, VALIDATION, group_of

SIFTS_WINDOW = 6.0
RIGHT = 3
"""Pixels, where one bound stands for all."""
NETWORK, ROOT_SIFT, SIFT = "gemel's descriptor", "RootSIFT", "RootSIFT, SIFT's own window"
SPLIT = "scenes"
MOST_PLACES = 10_000
"""More than a scene gives to train on."""


@dataclass(frozen=True, eq=False)
class Pair:
    """What one descriptor made of a pair of pictures.

    Attributes:
        scene: whose pictures they are.
        errors: [M] the reprojection error of each match, the nearest match first.
        inliers: how many RANSAC kept.
    """

    scene: str
    errors: np.ndarray
    inliers: int


def loaded(path: Path, scenes: Sequence[str]) -> Siamese:
    """A model, if it was trained on no place of these scenes."""
    model = gemel.load(path)
    if model.trained_on is None:
        raise SystemExit(f"{path} does not say what it was trained on")
    labels = [f"{scene}/{place:05}" for scene in scenes for place in range(MOST_PLACES)]
    places = Items(np.zeros((len(labels), 1, 1), np.uint8), np.array(labels), name="test scenes")
    told = leaks.warn_of_training(model.trained_on, places, np.empty(0, np.int64))
    if told:
        raise SystemExit(f"{path} is of another fold: {' '.join(told)}")
    return model


def alike(tested: Sequence[str], scenes: Sequence[str]) -> list[str]:
    """The scenes that show what the tested ones show."""
    groups = {group_of(scene) for scene in tested}
    return [scene for scene in scenes if group_of(scene) in groups]


def narrowed(picture: View) -> View:
    """The same keypoints with the patches that SIFT itself would look at."""
    frames = picture.frames.copy()
    frames[:, :, :2] *= SIFTS_WINDOW / MAGNIFICATION
    return replace(picture, frames=frames, patches=patches.cut(picture.grey, frames, SIZE))


def judged(scene: Scene, model: Siamese | None, keypoints: int, seed: int) -> dict[str, list[Pair]]:
    """What each descriptor makes of the first picture of a scene with each other one."""
    views = [view(path, most=keypoints) for path in scene.pictures]
    ways: dict[str, tuple[list[View], Compare]] = {
        ROOT_SIFT: (views, root_sift),
        SIFT: ([narrowed(one) for one in views], root_sift),
    }
    if model is not None:
        ways = {NETWORK: (views, by_model(model))} | ways
    found: dict[str, list[Pair]] = {}
    for name, (seen, compare) in ways.items():
        found[name] = []
        for other, homography in zip(seen[1:], scene.homographies[1:], strict=True):
            matches = match(seen[0], other, compare, seed=seed)
            errors = reprojection_errors(matches.left, matches.right, homography)
            found[name].append(Pair(scene.name, errors, int(matches.inliers.sum())))
    return found


def measured(found: dict[str, list[Pair]], seed: int) -> dict[str, list[Figure]]:
    """MMA at each bound, and at 3 px of the nearest of so many matches as all descriptors have."""
    groups = groups_of(next(iter(found.values())))
    rows = {}
    for name, errors in errors_of(found).items():
        rows[name] = [
            one
            for part, bounds in ((errors, PIXELS), (fewest(found, errors), (RIGHT,)))
            for one in matching_accuracy(part, pixels=bounds, groups=groups, split=SPLIT, seed=seed)
        ]
    return rows


def differences(found: dict[str, list[Pair]], seed: int) -> dict[str, list[Figure]]:
    """The same of the first descriptor less each other one: above 0 it is better."""
    groups = groups_of(next(iter(found.values())))
    shares = {
        name: np.hstack([right_shares(errors), right_shares(fewest(found, errors), (RIGHT,))])
        for name, errors in errors_of(found).items()
    }
    first, *others = shares
    return {
        f"{first} less {other}": [
            figure(
                "difference",
                float(gap.mean()),
                bootstrap(gap, clusters=groups, seed=seed, share=False),
                count=len(gap),
                unit="pairs of pictures",
                split=SPLIT,
                seed=seed,
            )
            for gap in (shares[first] - shares[other]).T
        ]
        for other in others
    }


def errors_of(found: dict[str, list[Pair]]) -> dict[str, list[np.ndarray]]:
    """The errors of each descriptor's matches, the nearest match first, by pair."""
    return {name: [pair.errors for pair in pairs] for name, pairs in found.items()}


def fewest(found: dict[str, list[Pair]], errors: list[np.ndarray]) -> list[np.ndarray]:
    """Of each pair the errors of so many matches as the descriptor with the fewest has."""
    least = [min(map(len, those)) for those in zip(*errors_of(found).values(), strict=True)]
    return [one[:count] for one, count in zip(errors, least, strict=True)]


def groups_of(pairs: list[Pair]) -> list[str]:
    """What each pair shows."""
    return [group_of(pair.scene) for pair in pairs]


def table(found: dict[str, list[Pair]], seed: int) -> list[str]:
    """A row for each descriptor, and one for each difference."""
    heads = [
        "descriptor",
        *(f"MMA at {bound} px" for bound in PIXELS),
        f"MMA at {RIGHT} px, equally many matches",
        "matches",
        f"right at {RIGHT} px",
        "inliers",
    ]
    lines = [line(heads), "|---" * len(heads) + "|"]
    for name, figures in measured(found, seed).items():
        counts = np.mean(
            [
                (len(pair.errors), (pair.errors <= RIGHT).sum(), pair.inliers)
                for pair in found[name]
            ],
            axis=0,
        )
        cells = [one.short for one in figures]
        lines.append(line([name, *cells, *(f"{count:,.0f}" for count in counts)]))
    for name, figures in differences(found, seed).items():
        lines.append(line([name, *(one.short for one in figures), "", "", ""]))
    return lines


def by_scene(found: dict[str, list[Pair]]) -> list[str]:
    """The mean share of right matches at 3 px of each scene, in per cent."""
    lines = [line([f"MMA at {RIGHT} px, %", *found]), "|---" * (len(found) + 1) + "|"]
    for scene in dict.fromkeys(pair.scene for pair in next(iter(found.values()))):
        cells = []
        for pairs in found.values():
            mine = right_shares([pair.errors for pair in pairs if pair.scene == scene], (RIGHT,))
            cells.append(f"{100 * mine.mean():.1f}")
        lines.append(line([f"{scene} ({len(mine)})", *cells]))
    return lines


def by_chance(scenes: dict[str, Scene], keypoints: int, seed: int) -> list[int]:
    """Of the first pictures of each two things: how many matches agree on a homography."""
    things = [name for name in sorted(scenes) if group_of(name) == name]  # one scene of each
    views = [view(scenes[name].pictures[0], most=keypoints) for name in things]
    found = []
    for left, right in combinations(views, 2):
        pairs = match(left, right, root_sift)
        # `match` itself gives up those of which too few agree
        homography = patches.ransac(pairs.left, pairs.right, pixels=matching.PIXELS, seed=seed)
        if homography is None:
            found.append(0)
            continue
        errors = reprojection_errors(pairs.left, pairs.right, homography)
        found.append(int((errors <= matching.PIXELS).sum()))
    return found


def line(cells: Sequence[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, action="append", default=[], help="one a fold")
    parser.add_argument("--validate", action="store_true", help="on scenes that are never tested")
    parser.add_argument("--unrelated", action="store_true", help="matches that agree by chance")
    parser.add_argument("--keypoints", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    folds = (VALIDATION,) if given.validate else FOLDS
    if len(given.model) > len(folds):
        parser.error(f"{len(folds)} models at most: one for each fold")
    scenes = {scene.name: scene for folder in SETS for scene in data.scenes(given.data / folder)}
    if given.unrelated:
        counts = by_chance(scenes, given.keypoints, given.seed)
        print(
            f"Of {len(counts)} pairs of pictures of different things, at most {given.keypoints:,} "
            f"keypoints each, RootSIFT, seed {given.seed}: up to {max(counts)} matches agree on a "
            f"homography within {matching.PIXELS:g} pixels, {np.median(counts):g} in the median."
        )
        return
    models: list[Siamese | None] = [
        loaded(path, alike(fold, list(scenes)))
        for path, fold in zip(given.model, folds, strict=False)
    ]
    models = models or [None] * len(folds)
    found: dict[str, list[Pair]] = {}
    for model, fold in zip(models, folds, strict=False):
        for name in fold:
            for way, pairs in judged(scenes[name], model, given.keypoints, given.seed).items():
                found.setdefault(way, []).extend(pairs)
    pairs = next(iter(found.values()))
    groups = len({group_of(pair.scene) for pair in pairs})
    print(
        f"{len(pairs)} pairs of pictures of {len({pair.scene for pair in pairs})} scenes, at most "
        f"{given.keypoints:,} keypoints a picture, seed {given.seed}; intervals are over the "
        f"{groups} things that the scenes show; counts are means over pairs. Equally many: of each "
        "pair the nearest matches, as many as the descriptor with the fewest has.\n"
    )
    print("\n".join([*table(found, given.seed), "", *by_scene(found)]))


if __name__ == "__main__":
    main()
