"""Omniglot read straight from its zips, and the 20 one-shot runs that Lake and others published.

1,623 handwritten characters of 50 alphabets, each drawn once by 20 people: Lake, Salakhutdinov,
Tenenbaum, "Human-level concept learning through probabilistic program induction", Science
350(6266), 2015. `gemel fetch omniglot` gets the files.
"""

import hashlib
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8
from numpy.typing import NDArray
from PIL import Image

from gemel.errors import DataError, SettingsError
from gemel.items import Items

PARTS = {
    "background": "images_background",
    "evaluation": "images_evaluation",
    "small1": "images_background_small1",
    "small2": "images_background_small2",
}
RUNS_FILE = "all_runs.zip"
RUNS = WAYS = 20
SIDE = 105  # pixels


_DRAWING_NAME = rf"(?:{'|'.join(PARTS.values())})/[^/]+/character\d+/\d+_\d+\.png"
_RUN_NAME = r"run\d\d/(?:training/class\d\d\.png|test/item\d\d\.png|class_labels\.txt)"


@dataclass(frozen=True)
class _Layout:
    """Which names a zip is expected to hold, after any leading folders."""

    what: str
    example: str
    names: str

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(f"(?:^|/)({self.names})$")


_DRAWINGS = _Layout("Omniglot", "images_background/Greek/character01/0394_01.png", _DRAWING_NAME)
_RUN_FILES = _Layout("the zip of Lake's one-shot runs", "run01/test/item01.png", _RUN_NAME)
_EITHER = _Layout(
    "Omniglot", f"{_DRAWINGS.example} or {_RUN_FILES.example}", f"{_DRAWING_NAME}|{_RUN_NAME}"
)
_LARGEST_ENTRY = 100_000  # bytes unpacked; a drawing has about 250
_ONE_BIT_HEADER = struct.pack(">IIBBBBB", SIDE, SIDE, 1, 0, 0, 0, 0)
_ROW = 1 + (SIDE + 7) // 8  # bytes: the row's filter, then its bits
_DAMAGE = (OSError, EOFError, ValueError, struct.error, zlib.error)
_REMEDY = "get the published files with `gemel fetch omniglot`, or put a good copy there by hand"


@dataclass(frozen=True, eq=False)
class LakeRun:
    """One of Lake's one-shot runs: 20 queries, each to be found among 20 references.

    Attributes:
        name: "run01" to "run20".
        references: one drawing of each of 20 characters of one alphabet; ink 0, paper 255.
        queries: 20 drawings of the same characters by another person.
        answers: for each query the index of the reference that shows the same character.
    """

    name: str
    references: UInt8[NDArray[Any], "20 105 105"]
    queries: UInt8[NDArray[Any], "20 105 105"]
    answers: Int64[NDArray[Any], "20"]


def omniglot(path: str | PathLike[str], *, part: str | None = None) -> Items:
    """The drawings of one part of Omniglot, in the order of their names, read without unpacking.

    Args:
        path: the folder that holds the zips, or one zip. The publisher's packing and any other
            packing of the same folders are read alike.
        part: "background" (30 alphabets to learn from), "evaluation" (the 20 others), "small1" or
            "small2" (5 alphabets each, out of the background). None: the background of a folder;
            of a zip, the part that it holds.

    Returns:
        Items with values uint8 [N, 105, 105] (ink 0, paper 255), labels
        "Alphabet/character01", groups "Alphabet", and `details["drawer"]` int64 [N] (1 to 20).

    Raises:
        SettingsError: there is no such part.
        DataError: the zip is missing, truncated, damaged, or not Omniglot.
    """
    if part is not None and part not in PARTS:
        raise SettingsError(f"no part {part!r} in Omniglot; there are {', '.join(PARTS)}")
    file = _find(path, PARTS[part or "background"] + ".zip")
    with _opened(file) as archive:
        entries = _entries(archive, file, _DRAWINGS)
        part = _part_of(entries, file, part)
        entries = {key: info for key, info in entries.items() if key.startswith(PARTS[part] + "/")}
        values = np.empty((len(entries), SIDE, SIDE), np.uint8)
        for row, pixels in enumerate(_drawings(archive, entries.values(), file)):
            values[row] = pixels
    names = [key.split("/") for key in entries]
    return Items(
        values=values,
        labels=np.array([f"{alphabet}/{character}" for _, alphabet, character, _ in names]),
        groups=np.array([alphabet for _, alphabet, _, _ in names]),
        name=f"omniglot/{part}",
        origins=[f"{file.name}: {info.filename}" for info in entries.values()],
        details={"drawer": np.array([int(n[-1][:-4].split("_")[1]) for n in names], np.int64)},
    )


def lake_runs(path: str | PathLike[str]) -> tuple[LakeRun, ...]:
    """Lake's 20 one-shot runs of 20 trials each, with their answers exactly as published.

    Args:
        path: the folder that holds all_runs.zip, or that zip; its run folders may stand at the top
            or in a folder.

    Raises:
        DataError: the zip is missing, truncated, damaged, or does not hold the 20 runs.
    """
    file = _find(path, RUNS_FILE)
    with _opened(file) as archive:
        entries = _entries(archive, file, _RUN_FILES)
        names = [f"run{run:02}" for run in range(1, RUNS + 1)]
        wanted = {f"{n}/{inner}" for n in names for inner in ("class_labels.txt", *_run_drawings())}
        missing, strange = sorted(wanted - set(entries)), sorted(set(entries) - wanted)
        if missing or strange:
            got = f"no {missing[0]}" if missing else f"an unknown {strange[0]}"
            raise DataError(
                f"{file} does not hold Lake's one-shot runs: expected run01 to run20, each with "
                f"training/class01.png to class20.png, test/item01.png to item20.png and "
                f"class_labels.txt; got {got}; {_REMEDY}"
            )
        return tuple(_run(name, archive, entries, file) for name in names)


def content_digest(file: Path) -> str:
    """The sha256, in hex, of what the readers read in one Omniglot zip, however it is packed.

    It covers the name and decoded pixels of each drawing and then the name and words of each list
    of answers, both in the order of their names: how they were packed does not matter.

    Raises:
        DataError: the zip is missing, truncated, damaged, or not Omniglot.
    """
    total = hashlib.sha256()
    with _opened(file) as archive:
        entries = _entries(archive, file, _EITHER)
        drawn = {key: info for key, info in entries.items() if key.endswith(".png")}
        for key, pixels in zip(drawn, _drawings(archive, drawn.values(), file), strict=True):
            total.update(f"{key}\0".encode() + pixels.tobytes())
        for key in sorted(set(entries) - set(drawn)):
            lines = [" ".join(words) for words in _words(archive, entries[key], file) if words]
            total.update("\n".join([f"{key}\0", *lines]).encode())
    return total.hexdigest()


def _find(path: str | PathLike[str], name: str) -> Path:
    """`path` where it is a file, else the file `name` in that folder."""
    place = Path(path)
    if not place.is_dir():
        if place.exists():
            return place
        raise DataError(f"{place} does not exist: expected {name} or its folder; {_REMEDY}")
    if not (place / name).is_file():
        zips = ", ".join(sorted(p.name for p in place.glob("*.zip"))) or "no zip at all"
        raise DataError(f"no {name} in {place}: expected Omniglot's zips, got {zips}; {_REMEDY}")
    return place / name


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, *_DAMAGE) as error:
        raise DataError(
            f"{file} cannot be read: expected a whole zip of Omniglot, got one that is truncated, "
            f"damaged or no zip ({error}); {_REMEDY}"
        ) from error
    with archive:
        yield archive


def _entries(archive: zipfile.ZipFile, file: Path, layout: _Layout) -> dict[str, zipfile.ZipInfo]:
    """The entries that `layout` knows, by their keys, in the order of these."""
    entries: dict[str, zipfile.ZipInfo] = {}
    strange = ""
    pattern = layout.pattern
    for info in archive.infolist():
        name = info.filename
        # What macOS adds to a zip is named like what it describes, but is no picture.
        if info.is_dir() or "__MACOSX/" in name or "/._" in f"/{name}":
            continue
        found = pattern.search(name)
        key = found[1] if found else None
        if key in entries:
            raise DataError(f"{file} holds {key} twice, expected each file once; {_REMEDY}")
        if key is not None:
            entries[key] = info
        elif name.lower().endswith(".png"):
            strange = strange or name
    if strange or not any(key.endswith(".png") for key in entries):
        raise DataError(
            f"{file} is not {layout.what}: expected names such as {layout.example}, got "
            f"{strange or _first_name(archive)}; {_REMEDY}"
        )
    return dict(sorted(entries.items()))


def _first_name(archive: zipfile.ZipFile) -> str:
    return next(iter(archive.namelist()), "an empty zip")


def _part_of(entries: dict[str, zipfile.ZipInfo], file: Path, part: str | None) -> str:
    tops = {key.split("/")[0] for key in entries}
    held = [name for name, top in PARTS.items() if top in tops]
    if part is None and len(held) == 1:
        return held[0]
    if part is None or part not in held:
        asked = "one part, as none was named" if part is None else f"the part {part!r}"
        remedy = f"name one with `part`: {' or '.join(map(repr, held))}"
        raise DataError(f"{file} holds {', '.join(held)}; expected {asked}: {remedy}")
    return part


def _contents(
    archive: zipfile.ZipFile, infos: Iterable[zipfile.ZipInfo], file: Path
) -> Iterator[bytes]:
    """The unpacked bytes of each entry, checked against its CRC."""
    for info in infos:
        if info.file_size > _LARGEST_ENTRY:
            raise DataError(
                f"{file}: {info.filename} unpacks to {info.file_size:,} bytes; expected at most "
                f"{_LARGEST_ENTRY:,}; {_REMEDY}"
            )
        try:
            content = archive.read(info)
        # RuntimeError: a password is asked for, or a packing is used that zipfile lacks.
        except (zipfile.BadZipFile, RuntimeError, *_DAMAGE) as error:
            raise DataError(f"{file}: {info.filename} is damaged ({error}); {_REMEDY}") from error
        yield content


def _drawings(
    archive: zipfile.ZipFile, infos: Collection[zipfile.ZipInfo], file: Path
) -> Iterator[NDArray[np.uint8]]:
    """Each drawing as uint8 [105, 105], ink 0 and paper 255."""
    for info, packed in zip(infos, _contents(archive, infos, file), strict=True):
        # The size stands in the first chunk: read here, nothing large is ever decoded.
        width, height = struct.unpack(">II", packed[16:24]) if len(packed) >= 24 else (0, 0)
        if not packed.startswith(b"\x89PNG\r\n\x1a\n") or (width, height) != (SIDE, SIDE):
            raise DataError(
                f"{file}: {info.filename} is not an Omniglot drawing: expected a PNG of "
                f"{SIDE} x {SIDE} pixels, got {len(packed)} bytes that say {width} x {height}; "
                f"{_REMEDY}"
            )
        pixels = _plain_pixels(packed)
        yield _any_pixels(packed, f"{file}: {info.filename}") if pixels is None else pixels


def _plain_pixels(packed: bytes) -> NDArray[np.uint8] | None:
    """The pixels of a one-bit PNG without row filters, as all of Omniglot's are; else None.

    Five times as fast as Pillow, which is made for any PNG.
    """
    if packed[16:29] != _ONE_BIT_HEADER:
        return None
    data, place = b"", 8
    while place + 8 <= len(packed):
        length, kind = struct.unpack_from(">I4s", packed, place)
        if kind == b"IDAT":
            data += packed[place + 8 : place + 8 + length]
        place += 12 + length
    try:
        rows = np.frombuffer(zlib.decompressobj().decompress(data, SIDE * _ROW + 1), np.uint8)
    except zlib.error:
        return None
    if len(rows) != SIDE * _ROW or rows[::_ROW].any():
        return None
    return np.unpackbits(rows.reshape(SIDE, _ROW)[:, 1:], axis=1, count=SIDE) * np.uint8(255)


def _any_pixels(packed: bytes, origin: str) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(packed), formats=["PNG"]) as picture:
            pixels = picture.convert("L").tobytes()
    except (SyntaxError, *_DAMAGE) as error:  # Pillow raises SyntaxError for a broken PNG
        raise DataError(f"{origin} is damaged ({error}); {_REMEDY}") from error
    return np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE)


def _words(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: Path) -> list[list[str]]:
    """The words of each line of a text entry."""
    text = next(_contents(archive, [info], file)).decode(errors="replace")
    return [line.split() for line in text.splitlines()]


def _run_drawings() -> list[str]:
    queries = [f"test/item{number:02}.png" for number in range(1, WAYS + 1)]
    return queries + [f"training/class{number:02}.png" for number in range(1, WAYS + 1)]


def _run(
    name: str, archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], file: Path
) -> LakeRun:
    keys = [f"{name}/{inner}" for inner in _run_drawings()]
    place = {key: i for i, key in enumerate(keys)}  # queries 0 to 19, references 20 to 39
    pixels = np.stack(list(_drawings(archive, [entries[key] for key in keys], file)))
    answers = np.full(WAYS, -1, np.int64)
    for number, words in enumerate(_words(archive, entries[f"{name}/class_labels.txt"], file), 1):
        if not words:
            continue
        ends = [found[1] for found in map(_RUN_FILES.pattern.search, words) if found]
        query, reference = (
            [place.get(end, -1) for end in ends] if len(ends) == len(words) == 2 else (-1, -1)
        )
        if not 0 <= query < WAYS <= reference or answers[query] >= 0:
            raise DataError(
                f"{file}: {name}/class_labels.txt line {number}: expected a new query and its "
                f"reference, as '{keys[0]} {keys[-1]}'; got '{' '.join(words)}'; {_REMEDY}"
            )
        answers[query] = reference - WAYS
    if (answers < 0).any():
        query = int(np.flatnonzero(answers < 0)[0])
        raise DataError(
            f"{file}: {name}/class_labels.txt gives no answer for {keys[query]}; {_REMEDY}"
        )
    return LakeRun(name, references=pixels[WAYS:], queries=pixels[:WAYS], answers=answers)
