"""Offline signatures from a zip: who signed, what is forged, which part, what is refused."""

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gemel.data.sigcomp2011 import TRAINING, sigcomp2011
from gemel.errors import DataError, SettingsError


def png(value: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(value).save(stream, "PNG")
    return stream.getvalue()


def zipped(file: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file


SCANS = [
    np.random.default_rng(n).integers(0, 256, (20 + n, 50 - n), dtype=np.uint8) for n in range(6)
]
FILES = {
    "x/forged/001/001_0119.png": png(SCANS[2]),
    "x/genuine/002/002_01.png": png(SCANS[3]),
    "x/genuine/001/001_02.png": png(SCANS[1]),
    "x/genuine/001/001_01.png": png(SCANS[0]),
    "x/forged/013/a.png": png(SCANS[5]),
    "x/genuine/013/b.png": png(SCANS[4]),
    "x/index.tsv": b"file\n",
    "__MACOSX/x/genuine/001/001_01.png": b"no picture",
}


def test_signers_come_in_order_and_forgeries_after_the_genuine(tmp_path: Path) -> None:
    file = zipped(tmp_path / "signatures.zip", FILES)
    for place in (file, str(tmp_path)):
        items = sigcomp2011(place)
        assert items.labels.tolist() == ["001", "001", "001 forged", "002"]
        assert items.groups is not None
        assert items.groups.tolist() == ["001", "001", "001", "002"]
        assert items.details["genuine"].tolist() == [True, True, False, True]
        for found, scan in zip(items.values, SCANS[:4], strict=True):
            assert np.array_equal(found, scan)
        assert items.origin(2) == "signatures.zip: x/forged/001/001_0119.png"
        assert (items.name, items.kind) == ("sigcomp2011/train", "images")
    test = sigcomp2011(file, part="test")
    assert test.labels.tolist() == ["013", "013 forged"]
    assert np.array_equal(test.values[1], SCANS[5])


def test_colour_becomes_grey(tmp_path: Path) -> None:
    colour = np.full((20, 30, 3), (255, 0, 0), dtype=np.uint8)
    file = zipped(tmp_path / "a.zip", {"genuine/001/1.png": png(colour)})
    assert np.array_equal(sigcomp2011(file).values[0], np.full((20, 30), 76))  # ITU-R 601


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no part 'dev' in SigComp2011; there are train, test"):
        sigcomp2011(tmp_path, part="dev")
    with pytest.raises(DataError, match="nowhere; got no such folder"):
        sigcomp2011(tmp_path / "nowhere")
    with pytest.raises(DataError, match="got none"):
        sigcomp2011(tmp_path)
    zipped(tmp_path / "a.zip", {"genuine/013/1.png": FILES["x/forged/013/a.png"]})
    with pytest.raises(DataError, match=r"a.zip holds no signature of the train part"):
        sigcomp2011(tmp_path)
    zipped(tmp_path / "b.zip", {})
    with pytest.raises(DataError, match=r"got a.zip, b.zip"):
        sigcomp2011(tmp_path)


def test_damage_is_described(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "a.zip", FILES).read_bytes()
    broken = bytearray(whole)
    broken[whole.index(b"IDAT") + 40] ^= 255
    for content in (whole[:-30], bytes(broken), b"<html>", b""):
        (tmp_path / "a.zip").write_bytes(content)
        with pytest.raises(DataError, match=r"a.zip cannot be read.*truncated, damaged or no zip"):
            sigcomp2011(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bytes(2_000_001), "has 2,000,001 bytes; expected at most 2,000,000"),
        (png(np.zeros((1500, 1500), np.uint8)), "1500 x 1500"),
        (b"no picture", "not a picture of a kind that can be read"),
    ],
)
def test_a_wrong_scan_is_described(tmp_path: Path, content: bytes, message: str) -> None:
    file = zipped(tmp_path / "a.zip", {"genuine/001/1.png": content})
    with pytest.raises(DataError, match=r"genuine/001/1.png") as caught:
        sigcomp2011(file)
    assert message in str(caught.value)


def test_the_published_signatures(data_folder: Callable[[str], Path]) -> None:
    folder = data_folder("sigcomp2011_dutch")
    for part, signers, genuine, forged in (("train", 10, 239, 123), ("test", 54, 648, 639)):
        items = sigcomp2011(folder, part=part)
        assert len(set(items.groups)) == signers  # type: ignore[arg-type]
        assert items.details["genuine"].sum() == genuine
        assert (~items.details["genuine"]).sum() == forged
        assert set(items.groups) <= set(TRAINING) or part == "test"  # type: ignore[arg-type]
