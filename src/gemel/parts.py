"""The one place where a name in a saved file, or on the command line, becomes an object."""

from collections.abc import Callable
from typing import Any

from torch import nn

from gemel import encoders, inputs, losses, metrics, mining
from gemel.errors import ModelFileError, SettingsError

INPUTS: dict[str, Any] = {
    kind.__name__: kind for kind in (inputs.Images, inputs.Numbers, inputs.Pens, inputs.Sides)
}
SIMPLE_ENCODERS: dict[str, type[nn.Module]] = {
    kind.__name__: kind
    for kind in (encoders.Conv, encoders.Dense, encoders.Koch, encoders.L2Net, encoders.Residual)
}
ENCODERS: dict[str, type[nn.Module]] = {
    **SIMPLE_ENCODERS,
    "AlignedTDNN": encoders.AlignedTDNN,
    "DilatedTDNN": encoders.DilatedTDNN,
    "Joint": encoders.Joint,
    "LeNet": encoders.LeNet,
    "Sides": encoders.Sides,
    "TDNN": encoders.TDNN,
    "Zagoruyko": encoders.Zagoruyko,
}
METRICS: dict[str, type[nn.Module]] = {
    kind.__name__: kind
    for kind in (
        metrics.AsymmetricHamming,
        metrics.Cosine,
        metrics.DTW,
        metrics.Decision,
        metrics.Euclidean,
        metrics.Hamming,
        metrics.Learned,
        metrics.Mahalanobis,
        metrics.Manhattan,
        metrics.NoMetric,
        metrics.SquaredEuclidean,
        metrics.WeightedL1,
    )
}

Saved = dict[str, Any]


def describe(part: Any, table: dict[str, Any]) -> Saved:
    """A part as `{"name", "settings"}`; `settings` is None for one that gemel does not make.

    A part made of parts, such as `Sides`, has their descriptions as settings.
    """
    name = type(part).__name__
    foreign = {"name": f"{type(part).__module__}.{type(part).__qualname__}", "settings": None}
    if table.get(name) is not type(part):
        return foreign
    if not hasattr(part, "parts"):
        return {"name": name, "settings": part.settings()}
    within = {key: describe(each, table) for key, each in part.parts().items()}
    if any(each["settings"] is None for each in within.values()):
        return foreign
    return {"name": name, "parts": within, "settings": {}}


def restore(saved: Saved, table: dict[str, Any], role: str, given: Any = None) -> Any:
    """The part that `describe` described; one that gemel does not make must be `given`.

    Raises:
        ModelFileError: a custom part was not given, a given one is not wanted, or the name is
            unknown.
    """
    name, settings = saved["name"], saved["settings"]
    if settings is None:
        if given is None:
            raise ModelFileError(
                f"this model's {role} is your own class {name}; a model file holds no code: "
                f"make it and pass it in, gemel.load(path, {role}=...)"
            )
        return given
    if given is not None:
        raise ModelFileError(f"this model has its own {role}, {name}; load it without `{role}=`")
    if name not in table:
        raise ModelFileError(
            f"unknown {role} {name!r}; this gemel knows {', '.join(sorted(table))}: "
            "a newer gemel may have written the file"
        )
    within = {key: restore(each, table, role) for key, each in saved.get("parts", {}).items()}
    return table[name](**settings, **within)


def named_encoder(name: str, dim: int | None, *, balanced: bool = False) -> nn.Module:
    """The encoder of a command-line word, such as "conv", with its defaults."""
    kind = {kind.lower(): made for kind, made in SIMPLE_ENCODERS.items()}[name]
    return kind(balanced=balanced) if dim is None else kind(dim=dim, balanced=balanced)


def named_metric(name: str) -> metrics.Metric:
    """The metric of a command-line word, such as "squared-euclidean"."""
    return METRICS[_camel(name)]()  # type: ignore[return-value]


def named_loss(name: str, margin: float | None, metric: metrics.Metric) -> nn.Module:
    """The loss of a command-line word; `margin` where it has one, `metric` where it mines.

    Raises:
        SettingsError: `margin` is given to a loss that has none, or the loss is not for `metric`.
    """
    with_margin: dict[str, Any] = {} if margin is None else {"margin": margin}
    if margin is not None and name not in ("triplet", "contrastive", "hinge", "hamming"):
        raise SettingsError(f"{name} has no margin; leave --margin out, or take triplet")
    if name == "cosine-target" and not isinstance(metric, metrics.Cosine):
        raise SettingsError("cosine-target is for cosines; take --metric cosine with it")
    table: dict[str, Callable[[], nn.Module]] = {
        "arcface": losses.ArcFace,
        "contrastive": lambda: losses.Contrastive(**with_margin),
        "cosface": losses.CosFace,
        "cosine-target": losses.CosineTarget,
        "cross-entropy": lambda: losses.PairCrossEntropy(learn=True),
        "energy": losses.Energy,
        "hamming": lambda: losses.HammingTriplet(**with_margin),
        "hinge": lambda: losses.PairHinge(**with_margin, learn=True),
        "multi-similarity": losses.MultiSimilarity,
        "n-pair": losses.NPair,
        "soft-triplet": lambda: losses.Triplet(metric, margin=None, mining=mining.hard),
        "supervised-contrastive": losses.SupervisedContrastive,
        "triplet": lambda: losses.Triplet(metric, **with_margin),
    }
    return table[name]()


def _camel(name: str) -> str:
    return "".join({"l1": "L1"}.get(part, part.title()) for part in name.split("-"))
