"""Encoders: modules from a batch of input tensors to embeddings [B, D].

Each takes its settings when made and the shape of one item in `build(shape)`, which makes the
layers with weights drawn from torch's generator (`Siamese` seeds it first). Any other `nn.Module`
from [B, *shape] to [B, D] is as good. One encoder makes a twin; `Sides` holds two encoders, and
`Joint` one network that takes both items at once.
"""

from gemel.encoders.conv import Conv
from gemel.encoders.dense import Dense
from gemel.encoders.koch import Koch
from gemel.encoders.l2net import L2Net
from gemel.encoders.lenet import LeNet
from gemel.encoders.residual import Residual
from gemel.encoders.sides import Joint, Sides
from gemel.encoders.tdnn import TDNN, AlignedTDNN, DilatedTDNN
from gemel.encoders.zagoruyko import Zagoruyko

__all__ = [
    "TDNN",
    "AlignedTDNN",
    "Conv",
    "Dense",
    "DilatedTDNN",
    "Joint",
    "Koch",
    "L2Net",
    "LeNet",
    "Residual",
    "Sides",
    "Zagoruyko",
]
