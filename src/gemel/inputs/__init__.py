"""Inputs: a raw item to a tensor, and the warps of training."""

from gemel.inputs.alike import Alike, PairAugment, Turns
from gemel.inputs.augment import Affine, Chain, Colour, Crop, Elastic, Flip, Warp
from gemel.inputs.blur import Blur
from gemel.inputs.images import Images
from gemel.inputs.numbers import Numbers
from gemel.inputs.pen_warp import PenWarp
from gemel.inputs.pens import Pens
from gemel.inputs.prepared import Prepared, joined, prepare
from gemel.inputs.protocol import Input, Portrayed
from gemel.inputs.reading import AnyPrepared, read_items
from gemel.inputs.sides import AnyInput, PreparedSides, Sides, input_of
from gemel.inputs.tones import Tones

__all__ = [
    "Affine",
    "Alike",
    "AnyInput",
    "AnyPrepared",
    "Blur",
    "Chain",
    "Colour",
    "Crop",
    "Elastic",
    "Flip",
    "Images",
    "Input",
    "Numbers",
    "PairAugment",
    "PenWarp",
    "Pens",
    "Portrayed",
    "Prepared",
    "PreparedSides",
    "Sides",
    "Tones",
    "Turns",
    "Warp",
    "input_of",
    "joined",
    "prepare",
    "read_items",
]
