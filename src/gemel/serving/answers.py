"""What the service answers, as records that are also its documentation."""

import sys
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel

from gemel.comparison import Comparison
from gemel.evaluation.calibration import Calibration, Verdict
from gemel.gallery import Identification, Removed, Verification
from gemel.gallery.records import Entry, Found
from gemel.serving.keys import Role


class Error(BaseModel):
    """What went wrong."""

    code: str
    message: str
    request_id: str


class Failure(BaseModel):
    """Every answer that is no success."""

    error: Error


class Status(BaseModel):
    """How the service is."""

    status: Literal["ok", "ready"]


def _within(distance: float) -> float:
    return min(distance, sys.float_info.max)


Distance = Annotated[float, AfterValidator(_within)]
"""JSON has no infinity; two items beyond all bounds are as far apart as a number can say."""


class Compared(BaseModel):
    """What the model says of two items."""

    verdict: Verdict | None
    same: bool | None
    distance: Distance
    threshold: float | None
    probability: float | None
    reason: str

    @classmethod
    def of(cls, known: Comparison) -> "Compared":
        """Of a comparison."""
        return cls(**known.as_dict())


class Embedded(BaseModel):
    """What the model made of an item: its embedding, or the bits of its binary code.

    Attributes:
        dim: numbers, or bits.
        numbers: the embedding; null where the model makes codes.
        code: the bits as hexadecimal digits, the first bit highest, filled up to whole bytes with
            zeros; null where the model makes numbers.
    """

    dim: int
    numbers: list[float] | None
    code: str | None


class Verified(Compared):
    """Whether an item is who it is said to be."""

    identity: str
    reference: int

    @classmethod
    def of_claim(cls, found: Verification) -> "Verified":
        """Of a verification."""
        facts = found.comparison.as_dict()
        return cls(identity=found.identity, reference=found.reference, **facts)


class Candidate(BaseModel):
    """An identity that an item may be, by the nearest of its references."""

    identity: str
    reference: int
    distance: Distance
    probability: float | None
    verdict: Verdict | None


class Identified(BaseModel):
    """Who an item is, or nobody we know."""

    verdict: Found
    identity: str | None
    reason: str
    threshold: float | None
    candidates: list[Candidate]

    @classmethod
    def of(cls, found: Identification, threshold: float | None) -> "Identified":
        """Of an identification."""
        return cls(
            verdict=found.verdict,
            identity=found.identity,
            reason=found.reason,
            threshold=threshold,
            candidates=[Candidate(**vars(one)) for one in found.candidates],
        )


class EnrolledOne(BaseModel):
    """A reference that is there now."""

    identity: str
    reference: int
    new: bool


class Gone(BaseModel):
    """What was removed; `erased`: whether the bytes are gone from the gallery's files by now."""

    identity: str
    references: list[int]
    whole: bool
    erased: bool

    @classmethod
    def of(cls, removed: Removed) -> "Gone":
        """Of a removal."""
        return cls(**{**vars(removed), "references": list(removed.references)})


class Renamed(BaseModel):
    """An identity under its new name."""

    old: str
    new: str


class ReferenceFacts(BaseModel):
    """A reference, without its embedding."""

    id: int
    note: str | None
    enrolled: str


class IdentityFacts(BaseModel):
    """An identity and its references."""

    identity: str
    references: list[ReferenceFacts]

    @classmethod
    def of(cls, entry: Entry) -> "IdentityFacts":
        """Of an entry of a gallery."""
        references = [ReferenceFacts(**vars(one)) for one in entry.references]
        return cls(identity=entry.identity, references=references)


class Identities(BaseModel):
    """A page of identities; `next` goes into `after` for the page behind it."""

    identities: list[IdentityFacts]
    next: str | None
    total: int


class Point(BaseModel):
    """A reference on the map."""

    reference: int
    identity: str
    x: float
    y: float


class Map(BaseModel):
    """Embeddings in the plane; `explained`: the share of their variance along either axis."""

    points: list[Point]
    of: int
    method: Literal["PCA"]
    explained: tuple[float, float]


class ModelFacts(BaseModel):
    """The model, in short."""

    fingerprint: str
    kind: str
    form: str
    dim: int
    coding: str
    threshold: float | None
    input: dict[str, int]


class GalleryFacts(BaseModel):
    """The gallery, in short."""

    identities: int
    references: int
    keeps_originals: bool
    search: str


class Limits(BaseModel):
    """What a request may hold; of a pen recording `points` as strokes, `pen_bytes` as a file."""

    body_bytes: int
    pixels: int
    points: int
    pen_bytes: int


class Rates(BaseModel):
    """What a threshold would do, measured on the validation pairs."""

    threshold: float
    false_accepts: float
    false_rejects: float


class CalibrationFacts(BaseModel):
    """What the model's distances mean."""

    prior: float
    false_accept_rate: float
    threshold: float
    close: tuple[float, float]
    split: str
    same_count: int
    different_count: int
    trade_off: list[Rates]

    @classmethod
    def of(cls, known: Calibration) -> "CalibrationFacts":
        """Of a model's calibration."""
        return cls(
            prior=known.prior,
            false_accept_rate=known.false_accept_rate,
            threshold=known.threshold,
            close=known.close,
            split=known.split,
            same_count=known.same_count,
            different_count=known.different_count,
            trade_off=[
                Rates(threshold=threshold, false_accepts=accepts, false_rejects=rejects)
                for threshold, accepts, rejects in known.trade_off
            ],
        )


class About(BaseModel):
    """What is served, and what the asker may do."""

    version: str
    role: Role
    model: ModelFacts
    gallery: GalleryFacts
    limits: Limits
    calibration: CalibrationFacts | None
