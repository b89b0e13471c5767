"""Where on a ROC a figure is read: at equal errors, or at a rate of one kind of accept.

From cut to cut both accept rates climb from 0 to 1. A reading is `passed` from some cut on, and
its `value` comes from the two cuts beside that place: the last before, and the first after. Rates
are [2, ...], the true accept rate first and the false one second.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from gemel.errors import SettingsError

Rates = Float[NDArray[np.float64], "2 *cuts"]
BeforeAndAfter = Float[NDArray[np.float64], "2 readings 2"]
Values = Float[NDArray[np.float64], " readings"]


@dataclass(frozen=True)
class EqualErrorRate:
    """Where the share of different pairs accepted equals the share of same pairs refused.

    Both shares are interpolated along the straight line that joins the two cuts.
    """

    name: str = "EER"

    def passed(self, rates: Rates) -> Bool[NDArray[np.bool_], "*cuts"]:
        """From where on there are as many false accepts as false refusals, or more."""
        return np.asarray(rates[1] + rates[0] - 1 >= 0)

    def value(self, rates: BeforeAndAfter) -> Values:
        """The false accept rate where the line meets the diagonal."""
        false_accept = rates[1]
        excess = false_accept + rates[0] - 1
        share = excess[:, 0] / (excess[:, 0] - excess[:, 1])
        return np.asarray((1 - share) * false_accept[:, 0] + share * false_accept[:, 1])


@dataclass(frozen=True)
class FalseAcceptRate:
    """The false accept rate at the smallest threshold that accepts a share `at` of same pairs.

    Nothing is interpolated: the threshold is one that exists, and pairs of one distance are
    accepted together.
    """

    at: float | int

    def __post_init__(self) -> None:
        if not 0 < self.at <= 1:
            raise SettingsError(f"a true accept rate lies above 0 and up to 1; got {self.at}")

    @property
    def name(self) -> str:
        """As printed."""
        return f"FPR at {100 * self.at:g} % TPR"

    def passed(self, rates: Rates) -> Bool[NDArray[np.bool_], "*cuts"]:
        """From where on enough same pairs are accepted."""
        return np.asarray(rates[0] >= self.at)

    def value(self, rates: BeforeAndAfter) -> Values:
        """At the first cut that accepts enough."""
        return rates[1, :, 1]


@dataclass(frozen=True)
class TrueAcceptRate:
    """The largest true accept rate at a threshold whose false accept rate is `at` or less.

    Nothing is interpolated: pairs of one distance are accepted together or not at all.
    """

    at: float | int

    def __post_init__(self) -> None:
        if not 0 < self.at < 1:
            raise SettingsError(f"a false accept rate lies between 0 and 1; got {self.at}")

    @property
    def name(self) -> str:
        """As printed."""
        return f"TAR at FAR {self.at:g}"

    def passed(self, rates: Rates) -> Bool[NDArray[np.bool_], "*cuts"]:
        """From where on too many different pairs are accepted."""
        return np.asarray(rates[1] > self.at)

    def value(self, rates: BeforeAndAfter) -> Values:
        """At the last cut that does not accept too many."""
        return rates[0, :, 0]


Reading = EqualErrorRate | FalseAcceptRate | TrueAcceptRate
