"""What may be wrong with a gallery in PostgreSQL, in words."""

from gemel.gallery.coding import Coder
from gemel.gallery.forms import FormTable
from gemel.gallery.rows import is_whole
from gemel.gallery.server import Server
from gemel.gallery.store import Facts


def problems(server: Server, facts: Facts, table: FormTable | None) -> list[str]:
    """What is wrong with what is stored, inside a transaction.

    Args:
        server: where it is.
        facts: what holds for the gallery.
        table: of its forms, where it is searched by them.
    """
    found = _damages(server, facts.coder) + _miscounts(server)
    if table is not None:
        found += [
            f"what is searched is not reference {one} as it is stored"
            for one in table.strays(facts.coder)
        ]
    if facts.keeps_originals:
        rows = server.rows("SELECT id FROM refs WHERE id NOT IN (SELECT reference FROM originals)")
        found += [f"the original of reference {one} is missing" for (one,) in rows]
    if server.rows("SELECT current_setting('fsync')")[0][0] == "off":
        found.append(
            "the server runs with fsync = off, so that a power cut may lose what was said to be "
            "stored: turn it on"
        )
    return found


def _damages(server: Server, coder: Coder) -> list[str]:
    return [
        f"the embedding of reference {one} is not as it was stored"
        for rows in server.pages("SELECT id, embedding, checksum FROM refs WHERE id > %s")
        for one, embedding, checksum in rows
        if not is_whole(embedding, checksum, coder)
    ]


def _miscounts(server: Server) -> list[str]:
    counted, noted = server.rows(
        "SELECT ARRAY[(SELECT count(*) FROM identities), (SELECT count(*) FROM refs)], "
        "ARRAY[identity_count, reference_count] FROM gallery"
    )[0]
    if counted == noted:
        return []
    return [
        f"there are {counted[0]} identities and {counted[1]} references, where {noted[0]} and "
        f"{noted[1]} were counted"
    ]
