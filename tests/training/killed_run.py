"""A training run to be killed: `killed_run.py OUT [slow|resume]`."""

import sys
import time
from pathlib import Path

import torch

import gemel
from gemel import encoders, inputs, metrics


class Slowly(inputs.Warp):
    """The same warps, so slow that the run can be killed; it calls itself by the same name."""

    def __call__(self, batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        time.sleep(0.05)
        return super().__call__(batch, generator)


Slowly.__qualname__ = "Warp"
out, words = Path(sys.argv[1]), sys.argv[2:]
items = gemel.data.drawn(alphabets=4, characters=6, drawers=4, size=16, seed=1)
model = gemel.Siamese(
    inputs.Images(16, channels=1),
    encoders.Conv(width=(8, 16), dim=16),
    metrics.Cosine(),
)
gemel.fit(
    model,
    items,
    steps=80,
    augment=Slowly() if "slow" in words else inputs.Warp(),
    validations=8,
    patience=None,
    validation=0.2,
    out=out,
    resume="resume" in words,
    checkpoint_seconds=0.3,
    log=out.with_suffix(".jsonl"),
)
