"""SigComp2011's Dutch offline signatures: scans of 64 signers, genuine and forged with skill.

Liwicki, Malik, van den Heuvel, Chen, Berger, Stoel, Blumenstein, Found, "Signature Verification
Competition for Online and Offline Skilled Forgeries (SigComp2011)", ICDAR 2011, 1480-1484. They are
real people's signatures: for research, and not to be shown.
"""

import re
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from gemel.data.pictures import check_pixels, read_picture
from gemel.data.zips import whole_zip
from gemel.errors import DataError, SettingsError
from gemel.items import Items

PARTS = ("train", "test")
TRAINING = tuple(f"{n:03}" for n in (1, 2, 3, 4, 6, 9, 12, 14, 15, 16))
"""The signers of the competition's training part; all others are of its test part."""
FORGED = " forged"
"""What follows the signer's name in the label of a forgery."""

_NAME = re.compile(r"(?:^|/)(genuine|forged)/(\d{3})/([^/]+)\.png$")
_LARGEST, _MOST_PIXELS = 2_000_000, 2_000_000  # bytes and pixels of a scan; 400 dpi have 1,000,000
_REMEDY = "put a good copy there"


def sigcomp2011(path: str | PathLike[str], *, part: str = "train") -> Items:
    """One part of the signatures, signer by signer, the genuine ones first.

    A forgery is of another class than the signatures that it imitates, and of the same group.

    Args:
        path: a zip with genuine/<signer>/<name>.png and forged/<signer>/<name>.png, or the folder
            that holds it and no other zip. A signer is three digits.
        part: "train" (10 signers, 239 genuine and 123 forged) or "test" (54 others, 648 and 639).

    Returns:
        Items with values uint8 [height, width] as scanned, sizes differ; labels "013" or
        "013 forged"; groups "013"; the detail `genuine` [N], True or False.

    Raises:
        SettingsError: there is no such part.
        DataError: nothing is there, or what is there is truncated, damaged, or not these scans.
    """
    if part not in PARTS:
        raise SettingsError(f"no part {part!r} in SigComp2011; there are {', '.join(PARTS)}")
    file = _find(Path(path))
    values, signers, genuine, origins = [], [], [], []
    with whole_zip(file, "signatures", _REMEDY) as archive:
        for signer, kind, info in _entries(archive, part):
            origin = f"{file.name}: {info.filename}"
            values.append(_scan(archive, info, origin))
            signers.append(signer)
            genuine.append(kind == "genuine")
            origins.append(origin)
    if not values:
        raise DataError(
            f"{file} holds no signature of the {part} part: expected files such as "
            f"genuine/{TRAINING[0]}/001.png; {_REMEDY}"
        )
    labels = [
        signer if own else f"{signer}{FORGED}" for signer, own in zip(signers, genuine, strict=True)
    ]
    return Items(
        values=values,
        labels=np.array(labels),
        groups=np.array(signers),
        name=f"sigcomp2011/{part}",
        origins=origins,
        details={"genuine": np.array(genuine)},
    )


def _find(path: Path) -> Path:
    if path.is_file():
        return path
    zips = sorted(path.glob("*.zip"))
    if len(zips) == 1:
        return zips[0]
    got = "no such folder"
    if path.is_dir():
        got = ", ".join(one.name for one in zips) or "none"
    raise DataError(f"expected one zip of signatures in {path}; got {got}; {_REMEDY}")


def _entries(archive: zipfile.ZipFile, part: str) -> list[tuple[str, str, zipfile.ZipInfo]]:
    """The signer, the kind and the place of each scan of a part, in order."""
    found = []
    for info in archive.infolist():
        match = _NAME.search(info.filename)
        if match and "__MACOSX/" not in info.filename:
            kind, signer = match[1], match[2]
            if (signer in TRAINING) == (part == "train"):
                found.append((signer, kind, info))
    return sorted(found, key=lambda one: (one[0], one[1] != "genuine", one[2].filename))


def _scan(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, origin: str
) -> UInt8[NDArray[Any], "height width"]:
    if info.file_size > _LARGEST:
        raise DataError(
            f"{origin} has {info.file_size:,} bytes; expected at most {_LARGEST:,}; {_REMEDY}"
        )
    content = archive.read(info)
    check_pixels(content, _MOST_PIXELS, origin)
    return np.array(read_picture(content, origin).convert("L"))
