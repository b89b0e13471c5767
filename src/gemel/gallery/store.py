"""What a gallery needs of the place where it is kept, whatever that place is."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from gemel.gallery.coding import Coder, CodingName, Stored, Vectors
from gemel.gallery.records import Entry, Removed
from gemel.items import Indices

Scores = Float64[NDArray[np.float64], " references"]


@dataclass(frozen=True)
class Facts:
    """What holds for a whole gallery, fixed when it is made.

    Attributes:
        fingerprint: of the model whose embeddings are kept.
        dim: numbers an embedding; 0 where there are none.
        kind: what the enrolled items are: "images", "numbers" or "pens".
        keeps_originals: whether the items are kept, with thumbnails of images and pens.
        coding: in what bytes an embedding is kept.
    """

    fingerprint: str
    dim: int
    kind: str
    keeps_originals: bool
    coding: CodingName = "float32"

    @property
    def coder(self) -> Coder:
        """How embeddings become bytes."""
        return Coder(self.coding, self.dim)


@dataclass(frozen=True)
class State:
    """How far a gallery has come; equal states have equal references.

    Attributes:
        changes: grows with every change of any kind.
        removals: grows whenever references go.
        epoch: grows when all embeddings are made anew.
        fingerprint: of the model that it belongs to now.
    """

    changes: int
    removals: int
    epoch: int
    fingerprint: str

    @property
    def making(self) -> tuple[int, str]:
        """Which making of its embeddings it is: what it must be for as long as it is open."""
        return self.epoch, self.fingerprint


@dataclass(frozen=True)
class New:
    """A reference to be stored.

    Attributes:
        identity: its name, checked.
        embedding: its bytes, by the coding of the gallery.
        digest: of the item's content, as the model's input reads it.
        note: what is noted of it.
        original: the item itself, where originals are kept.
        thumbnail: a small picture of it, where originals are kept and it is one.
        enrolled: when, if it is known from elsewhere; else now.
    """

    identity: str
    embedding: bytes
    digest: bytes
    note: str | None = None
    original: bytes | None = None
    thumbnail: bytes | None = None
    enrolled: str | None = None


@dataclass(frozen=True)
class Kept:
    """A stored reference, with its number and without its original."""

    id: int
    identity: str
    embedding: bytes
    digest: bytes
    note: str | None
    enrolled: str


@dataclass(frozen=True)
class Block:
    """References as a search needs them, by rising number.

    Attributes:
        ids: [M] their numbers.
        identities: [M] the number of the identity of each.
        embeddings: of each, as it is stored.
    """

    ids: Indices
    identities: Indices
    embeddings: Stored


@runtime_checkable
class Store(Protocol):
    """Keeps the references of one gallery. What it says to have stored survives a crash.

    All methods raise GalleryError where the place cannot be read or written.
    """

    facts: Facts

    def snapshot(self) -> AbstractContextManager[None]:
        """Inside, all reading sees one state, whatever others write."""

    def state(self) -> State:
        """How far the gallery has come.

        Raises:
            OtherModelError: it was made anew since it was opened, for this model or another.
        """

    def block(self, after: int) -> Block:
        """The references with numbers above `after`."""

    def ids(self) -> Indices:
        """The numbers of all references, rising."""

    def counts(self) -> tuple[int, int, int]:
        """How many identities, references and bytes there are."""

    def lookup(self, ids: Sequence[int]) -> list[Kept]:
        """The references numbered `ids`, in that order."""

    def of_identity(self, name: str) -> list[int]:
        """The numbers of the references of an identity, rising; none where it is unknown."""

    def known(self, contents: Sequence[tuple[str, bytes]]) -> list[int | None]:
        """For each (identity, digest) the number of the reference that is there already."""

    def entries(
        self, search: str | None, after: str | None = None, most: int | None = None
    ) -> list[Entry]:
        """All identities by name, or those whose names hold `search` in any case.

        Names are in the order of their code points, whatever the language.

        Args:
            search: what the names must hold.
            after: only names behind this one.
            most: how many there may be.
        """

    def original(self, reference: int) -> bytes | None:
        """The item that a reference was made of, where originals are kept."""

    def thumbnail(self, reference: int) -> bytes | None:
        """Its small picture (PNG), where there is one."""

    def add(self, new: Iterable[New]) -> list[tuple[int, bool]]:
        """Store all or none: the number of each, and whether it is new.

        What is there already, by identity and digest, keeps its number.
        """

    def remove(self, name: str, references: Sequence[int]) -> Removed:
        """Remove references of an identity, and the identity with its last one.

        What is returned names those that were there still, and says whether the bytes were
        overwritten, as far as the place can do that.
        """

    def rename(self, old: str, new: str) -> None:
        """Give an identity another name."""

    def replace(
        self, facts: Facts, make: Callable[[list[int]], list[tuple[bytes, bytes]]], at_once: int
    ) -> None:
        """Make all embeddings anew, all or none.

        Args:
            facts: what holds from now on.
            make: from the numbers of some references to (embedding, digest) of each.
            at_once: how many numbers it gets.
        """

    def problems(self) -> list[str]:
        """What is wrong with what is stored, in words."""

    def close(self) -> None:
        """Let go of the place."""


@dataclass(frozen=True)
class Shape:
    """How a store that searches by itself keeps the forms of embeddings (see `index.Form`).

    Attributes:
        order: what the order is of: minus the inner product or the distance of vectors in half
            precision, or the number of bits in which two codes differ.
        width: numbers, or bits, a form.
    """

    order: Literal["inner product", "distance", "bits"]
    width: int

    def __str__(self) -> str:
        return f"1: {self.order} of {self.width}"  # another way to make forms has another number


@dataclass(frozen=True)
class Forms:
    """The forms of some embeddings.

    Attributes:
        rows: of each, the bytes in which PostgreSQL takes it; None where half precision cannot
            hold it, being beyond 65,504.
        longest: the length of the longest embedding.
        rounding: the greatest distance between a form and what half precision makes of it.
    """

    rows: Sequence[bytes | None]
    longest: float
    rounding: float


MakeForms = Callable[[Vectors], Forms]


@dataclass(frozen=True)
class Searchable:
    """What there is to be searched.

    Attributes:
        count: how many references.
        longest: see `Forms`; of all that were ever enrolled.
        rounding: the same.
        whole: whether every reference has a form.
    """

    count: int
    longest: float
    rounding: float
    whole: bool


@runtime_checkable
class SearchingStore(Store, Protocol):
    """A store that also finds what is near."""

    def prepare(self, shape: Shape, make: MakeForms) -> None:
        """Keep a form of every embedding from now on; what is there gets one where it has none."""

    def searchable(self) -> Searchable:
        """What there is to be searched."""

    def graph(self) -> bool:
        """Whether there is a graph (HNSW) of the forms."""

    def make_graph(self) -> bool:
        """Make it where there is none, once nobody writes; False where this user may not."""

    def near(self, query: str, most: int, *, graph: bool) -> tuple[Indices, Indices, Scores]:
        """The nearest references [M], M up to `most`, with their identities and rising scores.

        Args:
            query: a form, as PostgreSQL writes it.
            most: how many; with a graph there may be fewer.
            graph: follow the graph, not look at every reference.
        """
