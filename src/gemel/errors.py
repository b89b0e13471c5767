"""Every error a user of gemel can meet, in one tree.

GemelError
├── SettingsError         a value that was asked for is not possible
├── DataError             the data cannot be used: which file, row or item, and what to do
│   └── BadItemsError     several items are bad; all of them are listed
├── DownloadError         a data set could not be fetched, or is not what was published
├── EvaluationError       a figure cannot be computed from what was given
├── TrainingError         training cannot start or go on
│   └── NonFiniteLossError  a loss that is no number; names the step and the items
├── ModelFileError        a model file cannot be read or written
├── GalleryError          a gallery cannot be opened, read or written, or refuses what was asked
│   ├── BadNameError        a name or note that nobody can be given
│   ├── NotEnrolledError    the identity or reference that was asked for is not there
│   ├── NameTakenError      the new name is another identity's already
│   └── OtherModelError     the gallery belongs to another model, or does so now
└── MissingExtraError     an optional package is not installed; says which line installs it

Every message says what was expected, what came, where, and what to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class GemelError(Exception):
    """The base of every error that gemel raises on purpose."""


class SettingsError(GemelError, ValueError):
    """A value that was asked for is not possible."""


class DataError(GemelError, ValueError):
    """The data cannot be used. The message names the file, the row or the item."""


@dataclass(frozen=True)
class Problem:
    """One bad item: where it stands, what is wrong with it, and what to do."""

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.remedy})" if self.remedy else "")


class BadItemsError(DataError):
    """Several items are bad. `problems` lists all of them; the message shows the first ten."""

    SHOWN = 10

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(self.listing(self.SHOWN))

    def listing(self, most: int | None = None) -> str:
        """All problems, or the first `most`, a line each, and what can be done."""
        count = len(self.problems)
        lines = [f"{count} bad item{'s' if count != 1 else ''} in {self.source}:"]
        lines += [f"  {problem}" for problem in self.problems[:most]]
        if most is not None and count > most:
            lines.append(f"  ... and {count - most} more")
        lines.append("Mend them, or go on without them where it is offered: skip_bad (--skip-bad).")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[type["BadItemsError"], tuple[str, tuple[Problem, ...]]]:
        # What stands in `args` is the message, which is not what rebuilds this one.
        return type(self), (self.source, self.problems)


class DownloadError(GemelError):
    """A data set could not be fetched, or what came is not what was published."""


class EvaluationError(GemelError, ValueError):
    """A figure cannot be computed from what was given; the message says what it needs."""


class TrainingError(GemelError):
    """Training cannot start or go on."""


class NonFiniteLossError(TrainingError):
    """The loss is not a finite number. The message names the step and the items of its batch."""


class ModelFileError(GemelError):
    """A model file cannot be read or written."""


class GalleryError(GemelError):
    """A gallery cannot be opened, read or written, or refuses what was asked of it."""


class BadNameError(GalleryError, ValueError):
    """A name or note that nobody can be given."""


class NotEnrolledError(GalleryError, LookupError):
    """The identity or reference that was asked for is not there."""


class NameTakenError(GalleryError, ValueError):
    """The new name is another identity's already."""


class OtherModelError(GalleryError):
    """The gallery belongs to another model, or does so now."""


class MissingExtraError(GemelError, ImportError):
    """An optional package is not installed. The message has the line that installs it."""
