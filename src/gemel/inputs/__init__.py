"""Inputs: a raw item to a tensor, and the warps of training."""

from gemel.inputs.augment import Affine, Chain, Colour, Crop, Elastic, Flip, Warp
from gemel.inputs.blur import Blur
from gemel.inputs.images import Images
from gemel.inputs.numbers import Numbers
from gemel.inputs.prepared import Prepared, prepare
from gemel.inputs.protocol import Input

__all__ = [
    "Affine",
    "Blur",
    "Chain",
    "Colour",
    "Crop",
    "Elastic",
    "Flip",
    "Images",
    "Input",
    "Numbers",
    "Prepared",
    "Warp",
    "prepare",
]
