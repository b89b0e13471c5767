"""The gallery: enrolled references, each under an identity, and the questions asked of them."""

from gemel.gallery.enrolling import read_reference
from gemel.gallery.gallery import Gallery
from gemel.gallery.matching import Query, read_query
from gemel.gallery.plane import Plane
from gemel.gallery.records import (
    Candidate,
    Enrolled,
    Entry,
    Identification,
    Reference,
    Removed,
    Stats,
    Verification,
)

__all__ = [
    "Candidate",
    "Enrolled",
    "Entry",
    "Gallery",
    "Identification",
    "Plane",
    "Query",
    "Reference",
    "Removed",
    "Stats",
    "Verification",
    "read_query",
    "read_reference",
]
