"""Training: `fit`, and what it returns."""

from gemel.training.budget import Budget, rate_at
from gemel.training.descent import AdamW, Descent, MomentumSGD
from gemel.training.loop import Fit, fit
from gemel.training.watch import CollapseWarning

__all__ = [
    "AdamW",
    "Budget",
    "CollapseWarning",
    "Descent",
    "Fit",
    "MomentumSGD",
    "fit",
    "rate_at",
]
