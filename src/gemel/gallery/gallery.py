"""`Gallery`: who is enrolled, and who an item is among them."""

from collections.abc import Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

from gemel.comparison import Comparison
from gemel.errors import NameTakenError, NotEnrolledError, SettingsError
from gemel.gallery import exchange, terms
from gemel.gallery.enrolling import (
    Block,
    Progress,
    embedded_originals,
    enrol_items,
    read_reference,
    store_block,
)
from gemel.gallery.index import EXACT_UP_TO
from gemel.gallery.matching import Match, Matcher, PairMatcher, Query, queries, read_query
from gemel.gallery.places import Address, Place, open_store, read_place
from gemel.gallery.plane import Plane, plane
from gemel.gallery.records import (
    Candidate,
    Enrolled,
    Entry,
    Identification,
    Removed,
    Stats,
    Verification,
    checked_name,
    identified,
)
from gemel.gallery.searching import matcher_of
from gemel.gallery.store import State, Store
from gemel.inputs import Prepared
from gemel.items import Items
from gemel.model import Siamese

TIMEOUT = 10.0
"""Seconds to wait for another process that writes."""
Path_ = str | PathLike[str]


class Gallery:
    """Enrolled references, the identities that they belong to, and the model that compares them.

    An identity has as many references as were enrolled; the nearest counts. Where the model has an
    encoder for each side, references stand on the right, and what is asked about on the left.
    Open one with `Gallery.open`; it can be used in a `with` statement, by one thread.

    Args:
        model: what embeds and compares.
        store: where the references are kept; its facts name the model.
        one_by_one: let a joint comparer, which no search can serve, look at each original.
        exact_up_to: how many references are searched exactly.

    Raises:
        OtherModelError: the gallery belongs to another model.
        SettingsError: a joint comparer, without `one_by_one` or without kept originals.
    """

    def __init__(
        self,
        model: Siamese,
        store: Store,
        *,
        one_by_one: bool = False,
        exact_up_to: int = EXACT_UP_TO,
    ) -> None:
        terms.check_model(model, store.facts)
        if model.is_joint:
            terms.check_one_by_one(one_by_one, store.facts.keeps_originals)
        self.model = model
        self._store = store
        self._counted: tuple[State, tuple[int, int, int]] | None = None
        self._matcher: Matcher = (
            PairMatcher(model, store) if model.is_joint else matcher_of(model, store, exact_up_to)
        )

    @classmethod
    def open(
        cls,
        path: Place,
        model: Siamese,
        *,
        keep_originals: bool | None = None,
        one_by_one: bool = False,
        create: bool = True,
        exact_up_to: int = EXACT_UP_TO,
        timeout: float | int = TIMEOUT,
    ) -> "Gallery":
        """Open the gallery at `path`, or make it.

        Args:
            path: one SQLite file; while it is open, its log lies beside it. Or a schema of a
                PostgreSQL database: "postgresql://user:password@host:port/database?gallery=name".
            model: what embeds and compares. A gallery belongs to one model, by its fingerprint.
            keep_originals: whether enrolled items are kept whole, with thumbnails: a choice that
                is made with the gallery. Default: no; of a gallery that is there, what it does.
            one_by_one: let a joint comparer look at each original (1,000 at most).
            create: make it where there is none.
            exact_up_to: how many references are searched exactly; beyond it, approximately, by
                faiss or pgvector, where the metric allows it.
            timeout: seconds to wait for another process that writes.

        Raises:
            GalleryError: the gallery belongs to another model, is damaged, is no gallery, cannot be
                read or written, or is absent though `create` is False.
            MissingExtraError: a URL, and psycopg is not installed.
            SettingsError: a joint comparer without `one_by_one`, or a gallery that is there and
                keeps, or does not keep, originals.
        """
        place = read_place(path)
        if model.is_joint:
            there = isinstance(place, Address) or place.exists()
            create = create and (keep_originals is not None or not there)
            kept = there if keep_originals is None else keep_originals
            terms.check_one_by_one(one_by_one, kept)  # before a file is made
        new = terms.facts_of(model, keeps_originals=bool(keep_originals))
        store = open_store(place, new if create else None, timeout)
        try:
            terms.check_choice(place, keep_originals, store.facts.keeps_originals)
            return cls(model, store, one_by_one=one_by_one, exact_up_to=exact_up_to)
        except BaseException:
            store.close()
            raise

    @classmethod
    def reembed(cls, path: Place, model: Siamese, *, timeout: float | int = TIMEOUT) -> int:
        """Make the gallery at `path` anew for another model, from the originals it keeps.

        All or none: until it is done, and after a crash, it is the gallery of the old model.

        Returns:
            How many references there are.

        Raises:
            GalleryError: it keeps no originals, or one is missing.
            BadItemsError: originals that the new model's input cannot read.
        """
        place = read_place(path)
        store = open_store(place, None, timeout)
        try:
            terms.check_originals(place, model, store.facts)
            new = terms.facts_of(model, keeps_originals=True)
            store.replace(new, partial(embedded_originals, model, store), at_once=512)
            return store.counts()[1]
        finally:
            store.close()

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the place."""
        self._store.close()

    def enrol(self, identity: str, item: Any, *, note: str | None = None) -> int:
        """Enrol an item as a reference of `identity`; when this returns, it survives a crash.

        The same content under the same identity is enrolled once: the reference that is there
        stays as it is.

        Args:
            identity: a name of up to 200 characters, which need not be known yet.
            item: as the model's input takes it: for images a path, an open picture or an array;
                for numbers a row.
            note: anything to know of it.

        Returns:
            The number of the reference.

        Raises:
            BadItemsError: the item cannot be read.
            BadNameError: a name or note that cannot be.
            GalleryError: an embedding that is not finite; or the file cannot be written.
        """
        return self.enrol_if_new(identity, item, note=note)[0]

    def enrol_if_new(
        self, identity: str, item: Any, *, note: str | None = None
    ) -> tuple[int, bool]:
        """`enrol`, which also says whether the reference is new."""
        keep = self.keeps_originals
        return self.enrol_read(
            read_reference(self.model, identity, item, note, keep_originals=keep)
        )

    def enrol_read(self, new: Block) -> tuple[int, bool]:
        """`enrol_if_new` of what `gemel.gallery.read_reference` read, in whatever thread.

        Raises:
            SettingsError: it was read for another model, or for a gallery that keeps originals
                while this one does not, or the other way round.
            GalleryError: as of `enrol`.
        """
        if new.model is not self.model or (new.originals is not None) != self.keeps_originals:
            raise SettingsError(
                "the item was read for another gallery; read it with this one's `model`, and "
                "keep_originals=gallery.keeps_originals"
            )
        return store_block(self._store, new)[0]

    def enrol_items(
        self, items: Items, *, skip_bad: bool = False, progress: Progress | None = None
    ) -> Enrolled:
        """Enrol many items under their labels, 512 at a time.

        When it is broken off, what was done stays; begun again, it goes on where it was.

        Args:
            items: what to enrol.
            skip_bad: go on without items that cannot be read.
            progress: called with how many items are done, and how many there are.

        Raises:
            BadItemsError: items that cannot be read; those of earlier blocks are enrolled.
            GalleryError: a label that cannot be a name, or the file cannot be written.
            SettingsError: items of another kind than the model takes.
        """
        found = enrol_items(self.model, self._store, items, skip_bad=skip_bad, progress=progress)
        self.make_graph()
        return found

    def enrol_folder(
        self, folder: Path_, *, skip_bad: bool = False, progress: Progress | None = None
    ) -> Enrolled:
        """Enrol the pictures of a folder that has a folder for each identity.

        See `gemel.data.folder` for the layouts and their errors, and `enrol_items`.
        """
        from gemel.data import folder as read_folder

        items = read_folder(folder, skip_bad=skip_bad)
        return self.enrol_items(items, skip_bad=skip_bad, progress=progress)

    def enrol_csv(
        self, csv: Path_, *, skip_bad: bool = False, progress: Progress | None = None
    ) -> Enrolled:
        """Enrol the rows of a CSV: `path,label`, or `label` and columns of numbers.

        See `gemel.data.items_csv` for its errors, and `enrol_items`.
        """
        from gemel.data import items_csv

        items = items_csv(csv, skip_bad=skip_bad)
        return self.enrol_items(items, skip_bad=skip_bad, progress=progress)

    def remove(self, which: str | int) -> Removed:
        """Remove an identity with all its references, or the reference of that number.

        In a file the bytes are overwritten, and in its log; `Removed.erased` says whether they are.

        Raises:
            NotEnrolledError: there is none.
        """
        if isinstance(which, str):
            name = checked_name(which)
            references = self._references_of(name)
        elif found := self._store.lookup([which]):
            name, references = found[0].identity, [which]
        else:
            raise _not_enrolled(which)
        removed = self._store.remove(name, references)
        if not removed.references:  # another process was quicker
            raise _not_enrolled(which)
        return removed

    def rename(self, old: str, new: str) -> None:
        """Give an identity another name.

        Raises:
            BadNameError: a name that cannot be.
            NotEnrolledError: there is no `old`.
            NameTakenError: there is a `new` already.
        """
        old, new = checked_name(old), checked_name(new)
        self._references_of(old)
        if old != new and self._store.of_identity(new):
            raise NameTakenError(
                f"there is a {new!r} already; remove one of the two, or choose another name"
            )
        self._store.rename(old, new)

    def nearest(self, item: Any, top: int = 5) -> tuple[Candidate, ...]:
        """The nearest `top` identities, by the nearest reference of each; no threshold is asked.

        Raises:
            BadItemsError: the item cannot be read.
            GalleryError: its embedding is not finite, or the gallery was made anew meanwhile.
            SettingsError: `top` is below 1.
        """
        if top < 1:
            raise SettingsError(f"`top` must be 1 or more; got {top}")
        return tuple(map(self._candidate, self._matcher.nearest(self._query(item), top)))

    def identify(self, item: Any, top: int = 5) -> Identification:
        """Who an item is, among all who are enrolled; or nobody we know.

        It is the nearest identity, if the model calls the item and that identity's nearest
        reference the same: see `Siamese.compare` and `gemel.calibrate`.

        Args:
            item: as the model's input takes it; or one of `queries`.
            top: how many candidates to name.

        Raises:
            BadItemsError: the item cannot be read.
            GalleryError: its embedding is not finite, or the gallery was made anew meanwhile.
            SettingsError: the model has no threshold, or `top` is below 1.
        """
        if self.model.threshold is None:
            raise SettingsError(
                "this model has no threshold, so it cannot say whether anybody is near enough: "
                "calibrate it, gemel.calibrate(model, data) (gemel calibrate MODEL DATA), or ask "
                "nearest(item) for the order alone"
            )
        # two, so that a tie for the first place is seen
        found = self.nearest(item, max(top, 2))
        return identified(found, [self._comparison(one.distance) for one in found], top)

    def verify(self, identity: str, item: Any) -> Verification:
        """Whether an item is `identity`: the nearest of its references counts.

        Raises:
            BadItemsError: the item cannot be read.
            NotEnrolledError: there is no such identity.
            GalleryError: the item's embedding is not finite.
        """
        name = checked_name(identity)
        match = self._matcher.measure(self._query(item), self._references_of(name))[0]
        return Verification(name, match.reference, self._comparison(match.distance))

    def queries(self, items: Sequence[Prepared]) -> Sequence[Query]:
        """Items to ask about, embedded as one batch: `identify` and the others take each.

        Args:
            items: what `gemel.gallery.read_query` made of each.

        Raises:
            GalleryError: an embedding is not finite.
        """
        return queries(self.model, items)

    def list(
        self, search: str | None = None, *, after: str | None = None, most: int | None = None
    ) -> tuple[Entry, ...]:
        """All identities by name, or a page of them; names are in the order of their code points.

        Args:
            search: what the names must hold, in any case.
            after: only names behind this one: the last of the page before.
            most: how many there may be.

        Raises:
            GalleryError: `after` cannot be a name.
            SettingsError: `most` is below 1.
        """
        if most is not None and most < 1:
            raise SettingsError(f"`most` must be 1 or more; got {most}")
        behind = None if after is None else checked_name(after)
        return tuple(self._store.entries(search, behind, most))

    def original(self, reference: int) -> bytes | None:
        """The item that a reference was made of: a file, or float64 numbers; or None."""
        return self._store.original(reference)

    def thumbnail(self, reference: int) -> bytes | None:
        """A small picture of it (PNG), of images and pens, where originals are kept; or None."""
        return self._store.thumbnail(reference)

    @property
    def keeps_originals(self) -> bool:
        """Whether enrolled items are kept whole."""
        return self._store.facts.keeps_originals

    def stats(self) -> Stats:
        """The gallery in numbers; they are counted only where something has changed."""
        state = self._store.state()
        if self._counted is None or self._counted[0] != state:
            self._counted = state, self._store.counts()
        identities, references, size = self._counted[1]
        facts = self._store.facts
        return Stats(
            identities=identities,
            references=references,
            dim=facts.dim,
            coding=facts.coding,
            bytes=size,
            search=self._matcher.words,
            keeps_originals=facts.keeps_originals,
            fingerprint=facts.fingerprint,
        )

    def plane(self, most: int = 1000) -> Plane:
        """At most `most` references as points in the plane, to look at: see `gemel.gallery.plane`.

        Raises:
            SettingsError: a joint comparer has no embeddings; or `most` is below 1.
        """
        return plane(self.model, self._store, most)

    def export(self, file: Path_, *, overwrite: bool = False) -> int:
        """Write all references to a file that other programs can read; how many there are.

        The format is described in `gemel.gallery.exchange`. It holds what the gallery holds:
        originals where they are kept, and never thumbnails, which are made of them.

        Args:
            file: made for its owner alone.
            overwrite: replace a file that is there.

        Raises:
            GalleryError: the file cannot be written, or is there already.
        """
        return exchange.write(Path(file), self._store, overwrite=overwrite)

    def import_(self, file: Path_) -> Enrolled:
        """Enrol all that `export` wrote, or nothing of it; what is there already stays.

        Raises:
            GalleryError: the file is damaged or no export, belongs to another model, or lacks the
                originals that this gallery keeps.
        """
        stored = exchange.read(Path(file), self._store)
        self.make_graph()
        new = sum(is_new for _, is_new in stored)
        return Enrolled(new, len(stored) - new)

    def make_graph(self) -> bool:
        """Make the graph that a search of many references follows, where the database keeps one.

        Beyond `exact_up_to` references in PostgreSQL every question is a scan of all until this is
        done. `enrol_items` and `import_` do it at their end; who enrols one by one calls it once.
        It takes minutes, and nobody enrols meanwhile. A file needs none: its index is in memory.

        Returns:
            Whether there is a graph.

        Raises:
            GalleryError: another process writes all the time, or the database fails.
        """
        return self._matcher.make_graph()

    def check(self) -> tuple[str, ...]:
        """What is wrong with the file, and where memory is not what the file says; in words."""
        found = self._store.problems()
        return tuple(found or self._matcher.problems())

    def _query(self, item: Any) -> Query:
        return item if isinstance(item, Query) else self.queries([read_query(self.model, item)])[0]

    def _references_of(self, name: str) -> Sequence[int]:
        references = self._store.of_identity(name)
        if not references:
            raise _not_enrolled(name)
        return references

    def _comparison(self, distance: float) -> Comparison:
        return Comparison(distance, self.model.threshold, self.model.calibration)

    def _candidate(self, match: Match) -> Candidate:
        known = self._comparison(match.distance)
        return Candidate(
            match.identity, match.reference, match.distance, known.probability, known.verdict
        )


def _not_enrolled(which: str | int) -> NotEnrolledError:
    if isinstance(which, int):
        text = f"there is no reference {which}; list() names them (gemel gallery list)"
    else:
        text = f"nobody is enrolled as {which!r}; list() (gemel gallery list) names who is"
    return NotEnrolledError(text)
