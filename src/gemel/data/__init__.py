"""Readers, one file a format: a path in, `Items` or `Pairs` out. And symbols drawn by code.

Each reader is imported when it is first used: `gemel.data.folder("photos")`. None needs torch.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gemel.data.arrays import arrays, pair_arrays
    from gemel.data.brown import brown, brown_pairs
    from gemel.data.cifar10 import cifar10
    from gemel.data.correspondences import correspondences
    from gemel.data.digits import digits
    from gemel.data.drawn import drawn
    from gemel.data.fetch import fetch
    from gemel.data.file_kinds import FileKind
    from gemel.data.folder import folder
    from gemel.data.items_csv import items_csv
    from gemel.data.mnist import mnist
    from gemel.data.omniglot import lake_runs, omniglot
    from gemel.data.orl_faces import orl_faces
    from gemel.data.pairs_csv import pairs_csv
    from gemel.data.patch_pairs import patch_pairs
    from gemel.data.pen_picture import pen_picture
    from gemel.data.pens import read_pen
    from gemel.data.pictures import read_picture
    from gemel.data.read import read
    from gemel.data.scenes import scenes
    from gemel.data.sigcomp2011 import sigcomp2011
    from gemel.data.svc2004 import svc2004
    from gemel.data.turns import quarter_turns

__all__ = [
    "FileKind",
    "arrays",
    "brown",
    "brown_pairs",
    "cifar10",
    "correspondences",
    "digits",
    "drawn",
    "fetch",
    "folder",
    "items_csv",
    "lake_runs",
    "mnist",
    "omniglot",
    "orl_faces",
    "pair_arrays",
    "pairs_csv",
    "patch_pairs",
    "pen_picture",
    "quarter_turns",
    "read",
    "read_pen",
    "read_picture",
    "scenes",
    "sigcomp2011",
    "svc2004",
]

_FILES = {name: name for name in __all__} | {
    "FileKind": "file_kinds",
    "brown_pairs": "brown",
    "lake_runs": "omniglot",
    "pair_arrays": "arrays",
    "quarter_turns": "turns",
    "read_pen": "pens",
    "read_picture": "pictures",
}


class _Readers(ModuleType):
    """This package, in which `folder` stays the function when the file folder.py is imported.

    Python sets a package's attribute to each file of it that is imported, which would put a
    module in the place of the function of the same name.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and name in _FILES:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Readers


def __getattr__(name: str) -> object:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
