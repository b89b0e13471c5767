"""gemel: Siamese networks that learn what "the same" means, and recognise things never seen.

Names are loaded when they are first used, so that `import gemel` stays fast and needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gemel.version import __version__ as __version__

if TYPE_CHECKING:
    from gemel import (
        data,
        encoders,
        errors,
        evaluation,
        gallery,
        inputs,
        leaks,
        losses,
        matching,
        measure,
        metrics,
        mining,
        neighbours,
        sampling,
        training,
        trials,
    )
    from gemel.calibrating import calibrate
    from gemel.comparing import ModelComparison, compare_models
    from gemel.comparison import Comparison
    from gemel.errors import GemelError
    from gemel.gallery import Gallery
    from gemel.items import Items, Pairs
    from gemel.measure import evaluate, one_shot
    from gemel.model import Siamese, load
    from gemel.training import fit

__all__ = [
    "Comparison",
    "Gallery",
    "GemelError",
    "Items",
    "ModelComparison",
    "Pairs",
    "Siamese",
    "calibrate",
    "compare_models",
    "data",
    "encoders",
    "errors",
    "evaluate",
    "evaluation",
    "fit",
    "gallery",
    "inputs",
    "leaks",
    "load",
    "losses",
    "matching",
    "measure",
    "metrics",
    "mining",
    "neighbours",
    "one_shot",
    "sampling",
    "training",
    "trials",
]

_HOME = {
    "Comparison": "gemel.comparison",
    "Gallery": "gemel.gallery",
    "GemelError": "gemel.errors",
    "Items": "gemel.items",
    "Pairs": "gemel.items",
    "Siamese": "gemel.model",
    "ModelComparison": "gemel.comparing",
    "calibrate": "gemel.calibrating",
    "compare_models": "gemel.comparing",
    "evaluate": "gemel.measure",
    "fit": "gemel.training",
    "load": "gemel.model",
    "one_shot": "gemel.measure",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in __all__:
        return import_module(f"gemel.{name}")
    raise AttributeError(f"module 'gemel' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
