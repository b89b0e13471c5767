"""Opening a schema as a gallery: what is in it, made where there is nothing, and its layout."""

from gemel.errors import GalleryError
from gemel.gallery.layouts import STEPS
from gemel.gallery.server import WRITING, Server
from gemel.gallery.store import Facts


def open_schema(server: Server, new: Facts | None) -> None:
    """See to it that the schema is a gallery of the newest layout; made where there is none.

    Raises:
        GalleryError: there is none and `new` is None; the schema holds something else, or a gallery
            of a newer gemel; or the user may not make or change it.
    """
    layout = _layout(server)
    if layout == len(STEPS):
        return
    if layout > len(STEPS):
        raise GalleryError(
            f"{server.address} has layout {layout}, of a newer gemel; this one reads up to "
            f"{len(STEPS)}: upgrade with `pip install --upgrade gemel`"
        )
    if not layout and new is None:
        raise GalleryError(
            f"there is no gallery {server.address}; enrol someone first, or correct it"
        )
    with server.transaction(WRITING):
        server.wait_for_makers()
        layout = _layout(server)  # another process may have been quicker
        if not layout and not server.has_schema():
            server.make_schema()
        _migrate(server, layout, new)


def _layout(server: Server) -> int:
    """The layout of the gallery in the schema; 0 where nothing is.

    Raises:
        GalleryError: the schema holds something else.
    """
    names = {
        name
        for (name,) in server.rows(
            "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = "
            "(SELECT oid FROM pg_namespace WHERE nspname = %s)",
            server.address.gallery,
        )
    }
    if not names:
        return 0
    if not {"gallery", "identities", "refs"} <= names:
        raise GalleryError(
            f"the schema {server.address.gallery} holds tables of another program, no gallery: "
            "name another one, ?gallery=..."
        )
    rows = server.rows("SELECT layout FROM gallery")
    if not rows:
        raise GalleryError(
            f"the gallery {server.address} has lost what holds for all of it; take it from a backup"
        )
    layout: int = rows[0][0]
    return layout


def _migrate(server: Server, layout: int, new: Facts | None) -> None:
    """Take the layout from what it is to the newest, inside a transaction."""
    if layout:
        server.rows("SELECT 1 FROM gallery FOR UPDATE")
    for number, step in enumerate(STEPS[layout:], layout + 1):
        for statement in step.split(";"):
            server.run(statement)
        if number == 1 and new is not None:
            server.count(
                "INSERT INTO gallery (layout, fingerprint, dim, kind, keeps_originals) "
                "VALUES (1, %s, %s, %s, %s)",
                new.fingerprint,
                new.dim,
                new.kind,
                new.keeps_originals,
            )
    server.count("UPDATE gallery SET layout = %s", len(STEPS))
    if not layout and new is not None:
        server.count("UPDATE gallery SET coding = %s", new.coding)
