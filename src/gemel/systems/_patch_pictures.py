"""The pictures of the patch comparers, from their results."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray
from torch import nn

from gemel.encoders.zagoruyko import views
from gemel.evaluation import roc
from gemel.model import Siamese
from gemel.reports import patch_pairs as drawing
from gemel.systems._patch_trials import CUTS, Results

TRUE = next(iter(CUTS))
EVEN, WORST, SEEN = 36, 12, 9
"""Pairs of a scene that are shown, mistakes of a kind, pairs of which all views are shown."""


def draw(
    models: Mapping[str, Siamese],
    results: Results,
    scenes: Sequence[str],
    comparers: Sequence[str],
    published: Mapping[str, float],
) -> dict[str, Canvas]:
    """Pairs by score, mistakes, ROC, filters, views, and bars.

    Args:
        models: of the first fold.
        results: of all comparers.
        scenes: that the first fold tests; pairs are shown of the first two.
        comparers: those whose pairs are shown.
        published: FPR95 in per cent by comparer.
    """
    names = list(dict.fromkeys(name for name, _, _ in results.distances))
    means = {name: results.mean(name, TRUE) for name in names}
    names.sort(key=lambda name: means[name].value)
    shown = {
        f"{name}, {scene}": scored(results, name, scene)
        for scene in scenes[:2]
        for name in comparers
    }
    kinds = ((False, "different, and nearest"), (True, "same, and farthest apart"))
    return {
        "pairs": drawing.draw_pairs(
            {
                f"{title}: test pairs at even steps of their distance": part.evenly(EVEN)
                for title, part in shown.items()
            }
        ),
        "mistakes": drawing.draw_pairs(
            {
                f"{title}: {kind}": part.worst(WORST, same=same)
                for title, part in shown.items()
                for same, kind in kinds
            }
        ),
        "roc": drawing.draw_rocs(
            {name: roc(*together(results, name, scenes)) for name in names},
            f"Unseen scenes: {', '.join(scenes)}; true frames",
        ),
        "filters": drawing.draw_filters(
            first_filters(models["siam"]), first_filters(models["2ch"])
        ),
        "views": drawing.draw_views(seen(results, scenes[0])),
        "bars": drawing.draw_bars(
            {name: means[name] for name in names},
            {name: value / 100 for name, value in published.items()},
            "Unseen scenes, patches cut through the true frame",
        ),
    }


def scored(results: Results, name: str, scene: str) -> drawing.Scored:
    """The pairs of a scene with a comparer's distances."""
    pairs = results.trials[TRUE, scene].pairs
    values = np.asarray(pairs.values)
    distance = results.distances[name, TRUE, scene]
    return drawing.Scored(
        values[pairs.left], values[pairs.right], distance.astype(np.float32), pairs.same
    )


def together(
    results: Results, name: str, scenes: Sequence[str]
) -> tuple[Float[NDArray[np.floating], " pairs"], Bool[NDArray[np.bool_], " pairs"]]:
    """Distances and truths of several scenes in one."""
    return (
        np.concatenate([results.distances[name, TRUE, scene] for scene in scenes]),
        np.concatenate([results.trials[TRUE, scene].pairs.same for scene in scenes]),
    )


def first_filters(model: Siamese) -> Float[NDArray[np.float32], "maps channels high wide"]:
    """The weights of a comparer's first convolution: [maps, channels, high, wide]."""
    layer = next(one for one in model.encoder.modules() if isinstance(one, nn.Conv2d))
    return np.asarray(layer.weight.detach().float().numpy())


def seen(results: Results, scene: str) -> dict[str, list[UInt8[NDArray[np.uint8], "_ _"]]]:
    """Same pairs of a scene in both ways of cutting, and what the two streams see of the first."""
    rows = {}
    for cut in CUTS:
        pairs = results.trials[cut, scene].pairs
        same = np.flatnonzero(pairs.same)
        chosen = same[np.linspace(0, len(same) - 1, SEEN).round().astype(int)]
        values = np.asarray(pairs.values)
        rows[f"{cut}: first"] = list(values[pairs.left[chosen]])
        rows[f"{cut}: other"] = list(values[pairs.right[chosen]])
    patches = torch.from_numpy(np.stack(rows[f"{TRUE}: first"])).float()[:, None]
    for name, part in zip(("centre", "surround"), views(patches), strict=True):
        rows[f"{name} of the first row"] = list(part[:, 0].round().to(torch.uint8).numpy())
    return rows
