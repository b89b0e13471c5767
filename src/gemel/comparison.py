"""`Comparison`: what a model says of two items, and why."""

from dataclasses import dataclass
from typing import Any

from gemel.evaluation.calibration import Calibration, Verdict


@dataclass(frozen=True)
class Comparison:
    """What a model says of two items.

    Attributes:
        distance: how unlike they are; lower is more alike.
        threshold: the distance up to which two items count as the same, chosen on validation
            data; None when the model has none.
        calibration: what the distance means; None when the model is not calibrated.
    """

    distance: float
    threshold: float | None
    calibration: Calibration | None = None

    @property
    def verdict(self) -> Verdict | None:
        """What the two are; "too close to call" only where the model is calibrated.

        None where the model has no threshold.
        """
        if self.calibration is not None:
            return self.calibration.decide(self.distance)
        if self.threshold is None:
            return None
        return "same" if self.distance <= self.threshold else "different"

    @property
    def same(self) -> bool | None:
        """Whether the two are the same; None without a threshold, and where it is too close."""
        verdict = self.verdict
        return verdict == "same" if verdict in ("same", "different") else None

    @property
    def probability(self) -> float | None:
        """Of the two being the same, at the calibration's prior; None without one."""
        known = self.calibration
        return None if known is None else float(known.probability(self.distance))

    @property
    def reason(self) -> str:
        """Why the verdict is as it is, in a sentence."""
        if self.calibration is not None:
            return self.calibration.explain(self.distance)
        if self.threshold is None:
            return "the model has no threshold: nothing was held out, and it is not calibrated"
        side = "at or below" if self.same else "above"
        return (
            f"the distance {self.distance:.4f} is {side} {self.threshold:.4f}, which parts the "
            "validation pairs best; how sure that is, only a calibration says"
        )

    def as_dict(self) -> dict[str, Any]:
        """All that it says, as JSON can hold it."""
        names = "verdict", "same", "probability", "distance", "threshold", "reason"
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        facts = [f"distance {self.distance:.4f}"]
        if self.threshold is not None:
            facts.append(f"threshold {self.threshold:.4f}")
        if self.probability is not None:
            facts.append(f"probability {self.probability:.3f}")
        return f"{self.verdict or 'no threshold yet'} ({', '.join(facts)})"
