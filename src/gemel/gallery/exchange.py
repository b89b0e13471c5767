"""A gallery as a file that other programs can read: a zip, without compression.

| member | holds |
|---|---|
| `gallery.json` | `{"format": 1, "fingerprint", "kind", "dim", "coding", "count", "originals"}` |
| `references.jsonl` | a line a reference: `{"identity", "note", "enrolled", "digest"}` |
| `embeddings.npy` | [count, dim] float32, or bits (see below), as the lines go |
| `originals/0`, `originals/1`, ... | the items, where `originals` is true |

Nothing in it is run when it is read, and nothing is larger than it looks.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, get_args
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np

from gemel.errors import DataError, GalleryError
from gemel.gallery import originals
from gemel.gallery.coding import Coder, CodingName
from gemel.gallery.records import checked_name, checked_note
from gemel.gallery.store import Facts, Kept, New, Store

FORMAT = 2
AT_ONCE = 500
LONGEST_LINE = 32_768
MEMBERS = "gallery.json", "references.jsonl", "embeddings.npy"
KEYS = {"identity", "note", "enrolled", "digest"}


@dataclass(frozen=True)
class Export:
    """An export that was opened, its header checked.

    Attributes:
        path: the file.
        facts: of the gallery that it is of.
        count: how many references it holds.
    """

    path: Path
    facts: Facts
    count: int


def write(path: Path, store: Store, *, overwrite: bool = False) -> int:
    """Write all references of a store to `path`, at once or not at all; how many there are.

    The file is its owner's alone.

    Raises:
        GalleryError: the file cannot be written, or is there already, without `overwrite`.
    """
    if path.exists() and not overwrite:
        raise GalleryError(
            f"there is a file {path} already; name another, or replace it: overwrite=True "
            "(--overwrite)"
        )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "xb", opener=_privately) as file:
            with store.snapshot(), ZipFile(file, "w", ZIP_STORED, allowZip64=True) as archive:
                ids = store.ids().tolist()
                _write_members(archive, store, ids)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise GalleryError(
            f"cannot write {path}: {error}; the folder must exist, be writable and have room"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return len(ids)


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write_members(archive: ZipFile, store: Store, ids: Sequence[int]) -> None:
    facts = store.facts
    header = {
        "format": FORMAT if facts.coding == "bits" else 1,
        "fingerprint": facts.fingerprint,
        "kind": facts.kind,
        "dim": facts.dim,
        "coding": facts.coding,
        "count": len(ids),
        "originals": facts.keeps_originals,
    }
    archive.writestr(ZipInfo(MEMBERS[0]), json.dumps(header, indent=2))
    with archive.open(ZipInfo(MEMBERS[1]), "w", force_zip64=True) as file:
        for one in _kept(store, ids):
            line = {
                "identity": one.identity,
                "note": one.note,
                "enrolled": one.enrolled,
                "digest": one.digest.hex(),
            }
            file.write(json.dumps(line).encode() + b"\n")
    with archive.open(ZipInfo(MEMBERS[2]), "w", force_zip64=True) as file:
        file.write(_npy_header(len(ids), facts.coder))
        for one in _kept(store, ids):
            file.write(one.embedding)
    if facts.keeps_originals:
        for place, reference in enumerate(ids):
            item = store.original(reference)
            if item is None:
                raise GalleryError(f"the original of reference {reference} is missing")
            archive.writestr(ZipInfo(f"originals/{place}"), item)


def _kept(store: Store, ids: Sequence[int]) -> Iterator[Kept]:
    for start in range(0, len(ids), AT_ONCE):
        yield from store.lookup(ids[start : start + AT_ONCE])


def _npy_header(count: int, coder: Coder) -> bytes:
    file = BytesIO()
    descr = np.lib.format.dtype_to_descr(coder.dtype)
    facts = {"descr": descr, "fortran_order": False, "shape": (count, coder.items)}
    np.lib.format.write_array_header_1_0(file, facts)
    return file.getvalue()


def _read_npy_header(path: Path, file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type; `file` then stands at the first number."""
    try:
        np.lib.format.read_magic(file)
        return np.lib.format.read_array_header_1_0(file)
    except ValueError as error:
        raise _bad(path, f"{MEMBERS[2]}: {error}") from error


def read(path: Path, store: Store) -> list[tuple[int, bool]]:
    """Store all references of an export, or none: the number of each, and whether it is new.

    Raises:
        GalleryError: see `open_export` and `references`; or it is of another model than the store,
            or lacks the originals that the store keeps.
    """
    export = open_export(path)
    theirs, mine = export.facts, store.facts
    if (theirs.fingerprint, theirs.dim, theirs.kind) != (mine.fingerprint, mine.dim, mine.kind):
        raise GalleryError(
            f"{path} belongs to the model {theirs.fingerprint[:12]}, this gallery to "
            f"{mine.fingerprint[:12]}; import it into a gallery of its own model"
        )
    if mine.keeps_originals and not theirs.keeps_originals:
        raise GalleryError(
            f"{path} holds no originals, which this gallery keeps; import it into a gallery that "
            "does not"
        )
    return store.add(references(export, mine.coder, with_originals=mine.keeps_originals))


def open_export(path: Path) -> Export:
    """The header of an export.

    Raises:
        GalleryError: the file is missing, damaged, or no export of a gallery.
    """
    with _reading(path) as archive:
        names = [info.filename for info in archive.infolist()]
        if not set(MEMBERS) <= set(names) or len(set(names)) != len(names):
            raise _bad(path, f"expected the members {', '.join(MEMBERS)}, each once")
        if any(info.compress_type != ZIP_STORED for info in archive.infolist()):
            raise _bad(path, "its members must be stored without compression")
        if archive.getinfo(MEMBERS[0]).file_size > LONGEST_LINE:
            raise _bad(path, f"{MEMBERS[0]} is too long")
        header = _json(path, archive.read(MEMBERS[0]), MEMBERS[0])
        if not isinstance(header.get("format"), int) or header["format"] > FORMAT:
            raise _bad(path, f"it has format {header.get('format')}, this gemel reads {FORMAT}")
        header.setdefault("coding", "float32")
        wanted = {
            **{"fingerprint": str, "kind": str, "dim": int, "coding": str, "count": int},
            "originals": bool,
        }
        for key, kind in wanted.items():
            if type(header.get(key)) is not kind:
                raise _bad(path, f"`{key}` in {MEMBERS[0]} is {header.get(key)!r:.80}")
        if header["coding"] not in get_args(CodingName):
            raise _bad(path, f"this gemel does not know the coding {header['coding']!r:.80}")
        count, coder = header["count"], Coder(header["coding"], header["dim"])
        kept = [f"originals/{place}" for place in range(count if header["originals"] else 0)]
        if len(names) != len(MEMBERS) + len(kept) or not set(kept) <= set(names):
            raise _bad(path, f"expected {len(kept)} originals and nothing else")
        with archive.open(MEMBERS[2]) as file:
            found = _read_npy_header(path, file)
            size = archive.getinfo(MEMBERS[2]).file_size - file.tell()
            shape = count, coder.items
            if found != (shape, False, coder.dtype) or size != count * coder.width:
                raise _bad(path, f"{MEMBERS[2]} is not {list(shape)} of {coder.dtype}")
    facts = Facts(header["fingerprint"], coder.dim, header["kind"], header["originals"], coder.name)
    return Export(path, facts, count)


def references(export: Export, wanted: Coder, *, with_originals: bool) -> Iterator[New]:
    """The references of an export, one by one, each checked.

    Args:
        export: its header.
        wanted: in what bytes embeddings shall be; numbers become bits, and bits -1 and 1.
        with_originals: whether the items come, too.

    Raises:
        GalleryError: one is not as `write` writes it.
    """
    path, coder = export.path, export.facts.coder
    with (
        _reading(path) as archive,
        archive.open(MEMBERS[1]) as lines,
        archive.open(MEMBERS[2]) as vectors,
    ):
        _read_npy_header(path, vectors)
        for place in range(export.count):
            where = f"line {place + 1} of {MEMBERS[1]}"
            line = _line(path, lines, where)
            embedding = vectors.read(coder.width)
            stored = coder.stored([embedding])
            if coder.damaged(stored).any():
                raise _bad(path, f"the embedding of {where} is not finite, or no {coder.dim} bits")
            if coder != wanted:
                (embedding,) = wanted.encode(coder.vectors(stored))
            item = archive.read(f"originals/{place}") if with_originals else None
            yield _new(export, line, embedding, item, where)
        if lines.read(1):
            raise _bad(path, f"{MEMBERS[1]} has more than {export.count} lines")


def _line(path: Path, lines: Any, where: str) -> dict[str, Any]:
    text = lines.readline(LONGEST_LINE)
    line = _json(path, text, where)
    if set(line) != KEYS or not text.endswith(b"\n"):
        raise _bad(path, f"{where} must hold {', '.join(sorted(KEYS))}")
    return line


def _new(
    export: Export, line: dict[str, Any], embedding: bytes, item: bytes | None, where: str
) -> New:
    kind: Any = export.facts.kind
    try:
        datetime.fromisoformat(line["enrolled"])
        return New(
            checked_name(line["identity"]),
            embedding,
            _digest(line["digest"]),
            checked_note(line["note"]),
            item,
            None if item is None else originals.thumbnail(item, kind, "its original"),
            line["enrolled"],
        )
    except (TypeError, ValueError, DataError, GalleryError) as error:
        raise _bad(export.path, f"{where}: {error}") from error


def _digest(text: str) -> bytes:
    digest = bytes.fromhex(text)
    if len(digest) != 16:
        raise ValueError(f"the digest has {len(digest)} bytes, not 16")
    return digest


@contextmanager
def _reading(path: Path) -> Iterator[ZipFile]:
    """A zip; what is wrong with it is said as a `GalleryError`."""
    try:
        with ZipFile(path) as archive:
            yield archive
    except (BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise _bad(path, str(error)) from error


def _json(path: Path, text: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad(path, f"{where} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise _bad(path, f"{where} is no JSON object")
    return found


def _bad(path: Path, what: str) -> GalleryError:
    return GalleryError(
        f"{path} cannot be imported as a gallery: {what}. Nothing of it was stored; "
        "export it anew where it came from"
    )
