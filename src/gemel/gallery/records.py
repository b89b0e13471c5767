"""What a gallery says, and what it takes: plain records, known to all its rooms."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gemel.comparison import Comparison
from gemel.errors import BadNameError, Problem
from gemel.evaluation.calibration import Verdict

LONGEST_NAME = 200
LONGEST_NOTE = 2000
_INVISIBLE = {"Cc", "Cs", "Zl", "Zp"}  # control characters, half characters, line ends
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
Found = Literal["found", "nobody", "too close to call"]


@dataclass(frozen=True)
class Reference:
    """One enrolled item, without its embedding.

    Attributes:
        id: its number; it never changes, and is never given again.
        note: what was noted of it.
        enrolled: when, by the clock of the machine, in UTC; for reading only: the order is that
            of the numbers.
    """

    id: int
    note: str | None
    enrolled: str


@dataclass(frozen=True)
class Entry:
    """An identity and its references, the oldest first."""

    identity: str
    references: tuple[Reference, ...]


@dataclass(frozen=True)
class Candidate:
    """An identity that an item may be, by the nearest of its references.

    Attributes:
        identity: its name.
        reference: the number of the nearest reference.
        distance: that of `model.compare(item, reference)`; lower is more alike.
        probability: of the two being the same, at the calibration's prior; None without one.
        verdict: what the two are; None where the model has no threshold.
    """

    identity: str
    reference: int
    distance: float
    probability: float | None
    verdict: Verdict | None


@dataclass(frozen=True)
class Identification:
    """Who an item is, among all who are enrolled, or nobody of them.

    Attributes:
        verdict: "found", "nobody" (nobody we know), or "too close to call".
        identity: who it is; None unless it was found.
        candidates: the nearest identities, the nearest first.
        reason: why, in a sentence.
    """

    verdict: Found
    identity: str | None
    candidates: tuple[Candidate, ...]
    reason: str

    def __str__(self) -> str:
        said = {"found": self.identity or "", "nobody": "nobody we know"}
        lines = [f"{said.get(self.verdict, self.verdict)}: {self.reason}"]
        for place, one in enumerate(self.candidates, 1):
            chance = "" if one.probability is None else f"  probability {one.probability:.3f}"
            lines.append(f"{place:3}. {one.identity}  distance {one.distance:.4f}{chance}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Verification:
    """Whether an item is who it is said to be.

    Attributes:
        identity: who it is said to be.
        reference: the number of the nearest of that identity's references.
        comparison: the item and that reference, as `model.compare` says it.
    """

    identity: str
    reference: int
    comparison: Comparison

    @property
    def verdict(self) -> Verdict | None:
        """What the two are; None where the model has no threshold."""
        return self.comparison.verdict

    @property
    def same(self) -> bool | None:
        """Whether it is that identity; None without a threshold, and where it is too close."""
        return self.comparison.same

    def __str__(self) -> str:
        return f"{self.identity} (reference {self.reference}): {self.comparison}"


@dataclass(frozen=True)
class Enrolled:
    """What came of enrolling many.

    Attributes:
        added: how many references are new.
        present: how many were there already, by identity and content.
        skipped: what could not be read.
    """

    added: int
    present: int
    skipped: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        bad = f", {len(self.skipped)} could not be read" if self.skipped else ""
        return f"{self.added} enrolled, {self.present} there already{bad}"


@dataclass(frozen=True)
class Removed:
    """What was removed.

    Attributes:
        identity: whose references they were.
        references: their numbers.
        whole: whether the identity has no reference left, and is gone too.
        erased: whether the bytes are gone from all files of the gallery by now.
        left: where not, where they may be and for how long, in words.
    """

    identity: str
    references: tuple[int, ...]
    whole: bool
    erased: bool
    left: str | None = None

    def __str__(self) -> str:
        what = "the identity is gone" if self.whole else "the identity has others left"
        rest = "" if self.left is None else f"; {self.left}"
        count = len(self.references)
        return f"removed {count} reference{'s' * (count != 1)} of {self.identity}; {what}{rest}"


@dataclass(frozen=True)
class Stats:
    """A gallery in numbers.

    Attributes:
        identities: how many are enrolled.
        references: how many they have together.
        dim: numbers an embedding, or bits; 0 of a joint comparer.
        coding: "float32", or "bits" where binary codes are kept.
        bytes: the size of the file.
        search: how an item is looked for.
        keeps_originals: whether the items themselves are kept.
        fingerprint: of the model that it belongs to.
    """

    identities: int
    references: int
    dim: int
    coding: str
    bytes: int
    search: str
    keeps_originals: bool
    fingerprint: str

    def __str__(self) -> str:
        kept = "originals and thumbnails are kept" if self.keeps_originals else "embeddings only"
        units = "bits" if self.coding == "bits" else "numbers"
        return (
            f"{self.identities:,} identities, {self.references:,} references of {self.dim} {units} "
            f"({self.bytes:,} bytes; {kept})\nsearch: {self.search}\n"
            f"model {self.fingerprint[:12]}"
        )


def identified(
    found: Sequence[Candidate], comparisons: Sequence[Comparison], top: int
) -> Identification:
    """Who an item is, of the nearest identities.

    Args:
        found: they, the nearest first; two at least where two are enrolled, so that a tie is seen.
        comparisons: of the item with each.
        top: how many are shown.
    """
    shown = tuple(found[:top])
    if not found:
        return Identification("nobody", None, shown, "nobody is enrolled")
    first = found[0]
    reason = f"{first.identity} is the nearest; {comparisons[0].reason}"
    if first.verdict == "different":
        return Identification("nobody", None, shown, reason)
    if first.verdict == "too close to call":
        return Identification("too close to call", None, shown, reason)
    if len(found) > 1 and found[1].distance == first.distance:
        tie = f"{first.identity} and {found[1].identity} are equally near: {first.distance:.4f}"
        return Identification("too close to call", None, shown, tie)
    return Identification("found", first.identity, shown, reason)


def checked_name(name: str) -> str:
    """An identity's name as it is stored: in Unicode's composed form (NFC).

    Raises:
        BadNameError: it is empty, begins or ends with a space, is too long, or holds characters
            that cannot be seen or turn the text around.
    """
    composed = unicodedata.normalize("NFC", name)
    if not composed or composed != composed.strip():
        what = "is empty" if not composed.strip() else "begins or ends with a space"
        raise BadNameError(f"the identity {name!r} {what}; give a name such as 'ada'")
    if len(composed) > LONGEST_NAME:
        raise BadNameError(
            f"the identity {composed[:20]!r}... has {len(composed)} characters; "
            f"{LONGEST_NAME} is the most"
        )
    _refuse_unseen(composed, f"the identity {name!r}")
    return composed


def checked_note(note: str | None) -> str | None:
    """A note as it is stored: line ends and tabs are fine.

    Raises:
        BadNameError: it is too long, or holds other characters that cannot be seen.
    """
    if note is None:
        return None
    if len(note) > LONGEST_NOTE:
        raise BadNameError(f"the note has {len(note)} characters; {LONGEST_NOTE} is the most")
    _refuse_unseen(note.replace("\n", "").replace("\t", ""), "the note")
    return note


def _refuse_unseen(text: str, what: str) -> None:
    for character in text:
        if unicodedata.category(character) in _INVISIBLE or character in _TURNING:
            raise BadNameError(
                f"{what} holds the character U+{ord(character):04X}, which cannot be seen; "
                "leave it out"
            )
