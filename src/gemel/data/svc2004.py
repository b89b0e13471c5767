"""SVC2004, Task 2: online signatures of 40 people, with skilled forgeries.

Yeung, Chang, Xiong, George, Kashi, Matsumoto, Rigoll, "SVC2004: First International Signature
Verification Competition", ICBA 2004. The public part: 20 genuine signatures of each, the first ten
of one session and the others of a later one, and 20 forgeries by people who had seen them written.
The organisers' page is http://www.cse.ust.hk/svc2004/; there is no downloader.
"""

import re
import zipfile
from os import PathLike
from pathlib import Path

import numpy as np

from gemel.data.pens import read_pen
from gemel.data.zips import DAMAGE
from gemel.errors import DataError
from gemel.items import Items

SIGNERS, GENUINE, FORGED = 40, 20, 20
SESSION = 10  # genuine signatures of the first session
ZIP = "Task2.zip"

_NAME = re.compile(r"(?:^|/)U([0-9]{1,4})S([0-9]{1,4})\.txt$", re.IGNORECASE)
_LARGEST = 1_000_000  # bytes of one signature; theirs have up to 30,000
_EXPECTED = f"{ZIP} or a folder with U1S1.TXT to U{SIGNERS}S{GENUINE + FORGED}.TXT"


def svc2004(path: str | PathLike[str]) -> Items:
    """The 1,600 signatures, signer by signer.

    Args:
        path: Task2.zip, the folder that holds it, or the unpacked folder.

    Returns:
        Items of kind "pens": labels "U01" for genuine signatures and "U01 forged" for forgeries of
        them, groups "U01"; `details`: genuine [N] booleans, session [N] (1, 2; 0 of forgeries),
        still [N] and back [N], how many times stood still or stepped back and were mended.

    Raises:
        DataError: nothing is there, or what is there is damaged, cut short or incomplete.
    """
    found = _files(Path(path))
    keys = [(s, n) for s in range(1, SIGNERS + 1) for n in range(1, GENUINE + FORGED + 1)]
    missing = [f"U{s}S{n}.TXT" for s, n in keys if (s, n) not in found]
    if missing:
        raise DataError(
            f"{path}: expected {_EXPECTED}; {len(missing)} of {len(keys)} files are missing, such "
            f"as {missing[0]}"
        )
    values = [read_pen(found[key][1], found[key][0]) for key in keys]
    number = np.array([n for _, n in keys])
    signer = np.array([f"U{s:02}" for s, _ in keys])
    genuine = number <= GENUINE
    return Items(
        values=values,
        labels=np.where(genuine, signer, np.char.add(signer, " forged")),
        groups=signer,
        kind="pens",
        name="svc2004",
        origins=[found[key][0] for key in keys],
        details={
            "genuine": genuine,
            "session": np.where(genuine, 1 + (number > SESSION), 0),
            "still": np.array([value.still for value in values]),
            "back": np.array([value.back for value in values]),
        },
    )


def _files(path: Path) -> dict[tuple[int, int], tuple[str, Path | bytes]]:
    """By signer and number: where the file is in words, and its path or, of a zip, its bytes."""
    place = path / ZIP if (path / ZIP).is_file() else path
    if place.is_file():
        return _packed(place)
    if not place.is_dir():
        raise DataError(f"{place} does not exist: expected {_EXPECTED}")
    return {
        _key(file.name): (str(file), file)
        for file in sorted(place.rglob("*"))
        if _NAME.search(file.name)
    }


def _packed(place: Path) -> dict[tuple[int, int], tuple[str, Path | bytes]]:
    try:
        with zipfile.ZipFile(place) as archive:
            named = [info for info in archive.infolist() if _NAME.search(info.filename)]
            if any(info.file_size > _LARGEST for info in named):
                raise ValueError(f"a file in it has more than {_LARGEST:,} bytes")
            return {
                _key(info.filename): (f"{place.name}: {info.filename}", archive.read(info))
                for info in named
                if "__MACOSX/" not in info.filename
            }
    except (RuntimeError, *DAMAGE) as error:
        raise DataError(
            f"{place} cannot be read: expected a whole {ZIP}, got a file that is damaged, cut "
            f"short or no zip ({error}); get it anew"
        ) from error


def _key(name: str) -> tuple[int, int]:
    """Signer and number of a file whose name has them."""
    signer, number = _NAME.findall(name)[0]
    return int(signer), int(number)
