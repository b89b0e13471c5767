"""How an evaluation was asked for: what it takes to do it again."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """The words and settings of an evaluation.

    Attributes:
        model: the model's file, or what it is called.
        data: what the data are called on the command line.
        ways: as in `gemel.evaluate`.
        shots: as there.
        trials: as there.
        within_groups: as there.
        seed: as there.
        skip_bad: as there.
        against: the file of the model that it was compared with; None where it was alone.
    """

    model: str
    data: str
    ways: int | None = None
    shots: int = 1
    trials: int = 400
    within_groups: bool = True
    seed: int = 0
    skip_bad: bool = False
    against: str | None = None

    @property
    def command(self) -> str:
        """The command that measures the same again."""
        models = [self.model] if self.against is None else [self.model, self.against]
        words = ["gemel", "evaluate" if self.against is None else "compare-models"]
        words += [*models, self.data]
        words += [] if self.ways is None else ["--ways", str(self.ways)]
        words += ["--shots", str(self.shots), "--trials", str(self.trials)]
        words += [] if self.within_groups else ["--no-within-groups"]
        words += ["--seed", str(self.seed)]
        words += ["--skip-bad"] if self.skip_bad else []
        return shlex.join(words)
