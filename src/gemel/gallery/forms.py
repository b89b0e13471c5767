"""The table of forms: what pgvector searches, made from the embeddings and made anew at will."""

from collections.abc import Sequence
from typing import LiteralString

import numpy as np

from gemel.errors import GalleryError
from gemel.gallery.coding import Coder, Vectors
from gemel.gallery.rows import is_whole
from gemel.gallery.server import WRITING, Name, Server
from gemel.gallery.store import Forms, MakeForms, Scores, Shape
from gemel.items import Indices

NEIGHBOURS, CARE, BREADTH = 16, 100, 200  # of the graph: m, ef_construction, ef_search
OLDEST, WIDE_SCANS = (0, 7), (0, 8)  # pgvector with halfvec; with scans that go on
TYPES: dict[str, tuple[LiteralString, LiteralString, LiteralString]] = {
    "inner product": ("halfvec", "<#>", "halfvec_ip_ops"),
    "distance": ("halfvec", "<->", "halfvec_l2_ops"),
    "bits": ("bit", "<~>", "bit_hamming_ops"),
}
"""Of a shape's order: the type, the operator that sorts by it, and the operators of its graph."""


class FormTable:
    """Keeps (reference, identity, form) and finds the nearest forms.

    Args:
        server: where it is; its schema is the gallery's.
        shape: of the forms.
        make_forms: makes them of embeddings.

    Raises:
        GalleryError: pgvector is not in the database and cannot be put there, or is too old.
    """

    def __init__(self, server: Server, shape: Shape, make_forms: MakeForms) -> None:
        self._server = server
        self._make_forms = make_forms
        self.shape = shape
        schema, self._version = _pgvector(server)
        self._kind, self._operator, operators = TYPES[shape.order]
        home = "pg_catalog" if self._kind == "bit" else schema
        self._names: dict[str, Name] = {
            "type": (home, self._kind),
            "width": shape.width,
            "vector": schema,
            "operators": (schema, operators),
        }
        server.learn(self._kind, home)

    def make(self) -> None:
        """An empty table, in place of what there is; inside a transaction that writes."""
        self._server.rows("DROP TABLE IF EXISTS forms")
        self._server.rows(
            self._server.filled(
                "CREATE TABLE forms (reference bigint PRIMARY KEY, identity bigint NOT NULL, "
                "form {type}({width}) NOT NULL)",
                type=self._names["type"],
                width=self._names["width"],
            )
        )

    def add(self, numbers: Sequence[tuple[int, int]], vectors: Vectors) -> Forms:
        """Store the forms of references with these (reference, identity), inside a transaction."""
        forms = self._make_forms(vectors)
        rows = [
            (*each, form)
            for each, form in zip(numbers, forms.rows, strict=True)
            if form is not None
        ]
        self._server.copy("forms", ["int8", "int8", self._kind], rows)
        return forms

    def strays(self, coder: Coder) -> list[int]:
        """References of which something else is searched than their embeddings give."""
        strays = [
            one
            for (one,) in self._server.rows(
                "SELECT reference FROM forms WHERE reference NOT IN (SELECT id FROM refs)"
            )
        ]
        for rows in self._server.pages(
            "SELECT id, embedding, checksum, forms.identity IS NOT DISTINCT FROM refs.identity, "
            "form FROM refs LEFT JOIN forms ON reference = id WHERE id > %s"
        ):
            whole = [row for row in rows if is_whole(row[1], row[2], coder)]
            stored = coder.stored([row[1] for row in whole])
            forms = self._make_forms(coder.vectors(stored))
            strays += [
                one
                for (one, _, _, same, form), wanted in zip(whole, forms.rows, strict=True)
                if not (form is wanted is None or (same and self._alike(form, wanted)))
            ]
        return strays

    def _alike(self, form: bytes | None, wanted: bytes | None) -> bool:
        """Equal, but for the last bit of a half, which may differ between processors."""
        if form == wanted:
            return True
        if form is None or wanted is None or self._kind == "bit" or len(form) != len(wanted):
            return False
        a, b = (np.frombuffer(one, ">i2").astype(np.int64) for one in (form, wanted))
        return bool((np.abs(a - b) <= 1).all())  # of one sign; the two zeros are far apart

    def graph(self) -> bool:
        """Whether there is a graph."""
        found = self._server.rows(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('forms_graph')"
        )
        return bool(found and found[0][0])

    def may_make_graph(self) -> bool:
        """Whether this user may make one, on this server."""
        found = self._server.rows(
            "SELECT NOT pg_is_in_recovery() AND pg_has_role(relowner, 'USAGE') FROM pg_class "
            "WHERE oid = to_regclass('forms')"
        )
        return bool(found and found[0][0])

    def make_graph(self) -> None:
        """A graph of all forms, inside a transaction that writes; readers go on meanwhile."""
        names = self._names
        self._server.rows("SET LOCAL statement_timeout = 0")
        self._server.rows(
            self._server.filled(
                "CREATE INDEX IF NOT EXISTS forms_graph ON forms USING hnsw (form {operators}) "
                "WITH (m = {m}, ef_construction = {care})",
                operators=names["operators"],
                m=NEIGHBOURS,
                care=CARE,
            )
        )
        self._server.rows("ANALYZE forms")

    def near(self, query: str, most: int, *, graph: bool) -> tuple[Indices, Indices, Scores]:
        """The nearest references, inside a transaction; see `SearchingStore.near`."""
        if graph:
            settings = {"hnsw.ef_search": str(BREADTH)}
            if self._version >= WIDE_SCANS:
                settings["hnsw.iterative_scan"] = "strict_order"
            self._server.rows(
                "SELECT set_config(name, value, true) FROM unnest(%s::text[], %s::text[]) "
                "AS setting (name, value)",
                list(settings),
                list(settings.values()),
            )
        # a sum is nothing that an index knows, so every reference is looked at
        order: LiteralString = "{score}" if graph else "0 + {score}"
        score: LiteralString = f"form OPERATOR({{vector}}.{self._operator}) %s::{{type}}({{width}})"
        statement = self._server.filled(
            f"SELECT reference, identity, ({score})::float8 FROM forms ORDER BY "
            f"{order.replace('{score}', f'({score})')} LIMIT %s",
            type=self._names["type"],
            width=self._names["width"],
            vector=self._names["vector"],
        )
        rows = self._server.rows(statement, query, query, most)
        columns = list(zip(*rows, strict=True)) or [(), (), ()]
        return (
            np.array(columns[0], dtype=np.int64),
            np.array(columns[1], dtype=np.int64),
            np.array(columns[2], dtype=np.float64),
        )


def _pgvector(server: Server) -> tuple[str, tuple[int, ...]]:
    """The schema that pgvector is in, and its version; it is put there where it is not.

    Raises:
        GalleryError: it cannot be, or is too old.
    """
    ask: LiteralString = (
        "SELECT nspname, extversion FROM pg_extension JOIN pg_namespace "
        "ON pg_namespace.oid = extnamespace WHERE extname = 'vector'"
    )
    found = server.rows(ask)
    if not found:
        with server.transaction(WRITING):
            server.wait_for_makers()
            server.make_extension()
        found = server.rows(ask)
    schema, text = found[0]
    version = tuple(int(part) for part in text.split(".")[:2])
    if version < OLDEST:
        raise GalleryError(
            f"the database of {server.address} has pgvector {text}; a gallery needs 0.7 or newer: "
            "install it on the server, then run ALTER EXTENSION vector UPDATE"
        )
    return schema, version
