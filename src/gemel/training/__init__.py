"""Training: `fit`, and what it returns."""

from gemel.training.budget import Budget, rate_at
from gemel.training.loop import Fit, fit
from gemel.training.watch import CollapseWarning

__all__ = ["Budget", "CollapseWarning", "Fit", "fit", "rate_at"]
