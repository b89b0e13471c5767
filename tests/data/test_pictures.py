"""Every kind of picture, by exact pixel values."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image

from gemel.data import pictures
from gemel.data.files import file_fault
from gemel.data.pictures import Turned, read_picture, to_uint8
from gemel.errors import DataError

GREY = np.array([[0, 50, 100], [150, 200, 255]], dtype=np.uint8)
RGB = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 14
DEEP = np.array([[0, 128, 129], [256, 257, 65535]], dtype=np.uint16)
DEEP_IN_8 = np.array([[0, 0, 1], [1, 1, 255]], dtype=np.uint8)  # value / 257, rounded
NOISE = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)


def saved(image: Image.Image, kind: str = "PNG", **settings: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def pixels(value: Any) -> np.ndarray:
    return np.asarray(read_picture(value))


def png(depth: int, colour: int, rows: np.ndarray, extra: bytes = b"", pieces: int = 1) -> bytes:
    """A PNG written by hand: `rows` [H, W] or [H, W, C], big-endian."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", rows.shape[1], rows.shape[0], depth, colour, 0, 0, 0)
    lines = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    step = -(-len(lines) // pieces)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (chunk(b"tRNS", extra) if extra else b"")
        + b"".join(chunk(b"IDAT", lines[at : at + step]) for at in range(0, len(lines), step))
        + chunk(b"IEND", b"")
    )


# What is taken


def test_path_text_bytes_file_and_picture_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    raw = saved(Image.fromarray(RGB))
    path.write_bytes(raw)
    with path.open("rb") as file:
        for value in (path, str(path), raw, bytearray(raw), memoryview(raw), file):
            assert read_picture(value).mode == "RGB"
            if value is file:
                file.seek(0)
            assert_array_equal(pixels(value), RGB)
    with Image.open(path) as picture:
        assert_array_equal(pixels(picture), RGB)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
@pytest.mark.parametrize("array", [GREY, RGB])
def test_lossless_files_keep_their_pixels(kind: str, array: np.ndarray) -> None:
    assert_array_equal(pixels(saved(Image.fromarray(array), kind)), array)


def test_webp_keeps_its_pixels() -> None:
    assert_array_equal(pixels(saved(Image.fromarray(RGB), "WEBP", lossless=True)), RGB)


def test_jpeg_stays_near_its_pixels() -> None:
    smooth = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)
    got = read_picture(saved(Image.fromarray(smooth), "JPEG", quality=95))
    assert got.mode == "L"
    assert np.abs(np.asarray(got).astype(int) - smooth).max() <= 4


def test_the_result_shares_nothing_with_the_picture_given() -> None:
    given_picture = Image.fromarray(GREY)
    read_picture(given_picture).putpixel((0, 0), 99)
    assert given_picture.getpixel((0, 0)) == 0


def test_an_open_file_stays_open() -> None:
    file = io.BytesIO(saved(Image.fromarray(GREY)))
    read_picture(file)
    assert not file.closed


def test_reading_twice_changes_nothing() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    once = read_picture(saved(Image.fromarray(RGB), "PNG", exif=exif))
    assert_array_equal(pixels(once), np.asarray(once))


# EXIF orientation: the array as stored -> as it is meant, from the EXIF standard (tag 0x0112)

ORIENTATIONS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    ("kind", "array"),
    [("PNG", RGB), ("PNG", DEEP), ("TIFF", RGB), ("TIFF", DEEP), ("WEBP", RGB)],
)
def test_exif_orientation(kind: str, array: np.ndarray, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if kind == "WEBP" else {}
    raw = saved(Image.fromarray(array), kind, exif=exif, **lossless)
    shown = DEEP_IN_8 if array is DEEP else RGB
    assert_array_equal(pixels(raw), ORIENTATIONS[orientation](shown))


def test_exif_orientation_of_a_jpeg() -> None:
    array = np.zeros((16, 32), dtype=np.uint8)
    array[:8, :8] = 255  # bright at the top left as stored
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: bright at the top right
    got = read_picture(saved(Image.fromarray(array), "JPEG", exif=exif))
    assert got.size == (16, 32)
    assert got.getpixel((12, 3)) > 250
    assert got.getpixel((3, 3)) < 5


# 16 bits, 1 bit, floats


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled(kind: str) -> None:
    assert_array_equal(pixels(saved(Image.fromarray(DEEP), kind)), DEEP_IN_8)


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_16_bits_in_every_mode(mode: str) -> None:
    picture = Image.fromarray(DEEP.astype(np.int32))  # mode I
    if mode != "I":
        raw = DEEP.astype(">u2" if mode == "I;16B" else "<u2").tobytes()
        picture = Image.frombytes(mode, (3, 2), raw)
    assert picture.mode == mode
    assert_array_equal(pixels(picture), DEEP_IN_8)


def test_every_16_bit_value() -> None:
    everything = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert_array_equal(pixels(everything), np.rint(everything / 257).astype(np.uint8))


def test_16_bit_grey_with_a_transparent_value() -> None:
    raw = png(16, 0, DEEP.astype(">u2"), extra=struct.pack(">H", 256))
    expected = DEEP_IN_8.copy()
    expected[1, 0] = 255
    assert_array_equal(pixels(raw), expected)


def test_16_bit_colour() -> None:
    deep = RGB.astype(np.uint16) * 257
    assert_array_equal(pixels(png(16, 2, deep.astype(">u2"))), RGB)


def test_32_bits_out_of_range() -> None:
    picture = Image.fromarray(np.array([[0, 70000]], dtype=np.int32))
    with pytest.raises(DataError, match=r"scan\.tif: a 32-bit picture with values from 0 to 70000"):
        read_picture(picture, "scan.tif")
    with pytest.raises(DataError, match="from -1 to 0"):
        read_picture(Image.fromarray(np.array([[0, -1]], dtype=np.int32)))


def test_one_bit() -> None:
    array = np.array([[True, False, True]])
    got = read_picture(saved(Image.fromarray(array)))
    assert got.mode == "L"
    assert_array_equal(np.asarray(got), [[255, 0, 255]])


def test_float_picture() -> None:
    raw = saved(Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32)), "TIFF")
    assert_array_equal(pixels(raw), [[0, 128, 255]])
    raw = saved(Image.fromarray(np.array([[0.0, 200.0]], dtype=np.float32)), "TIFF")
    with pytest.raises(DataError, match="expected floats from 0 to 1, got 0 to 200"):
        read_picture(raw)


# Palette, transparency, CMYK, animation


def on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """`colour` over white paper, from the definition: alpha * colour + (1 - alpha) * 255."""
    share = alpha.astype(np.float64) / 255
    share = share[..., None] if colour.ndim == 3 else share
    return np.floor(share * colour + (1 - share) * 255 + 0.5).astype(np.uint8)


def palette_picture() -> Image.Image:
    picture = Image.frombytes("P", (3, 1), bytes([0, 1, 2]))
    picture.putpalette([255, 0, 0, 0, 255, 0, 10, 20, 30])
    return picture


def test_palette_becomes_its_colours() -> None:
    got = read_picture(saved(palette_picture()))
    assert got.mode == "RGB"
    assert_array_equal(np.asarray(got), [[[255, 0, 0], [0, 255, 0], [10, 20, 30]]])


def test_palette_with_one_transparent_colour() -> None:
    raw = saved(palette_picture(), transparency=1)
    assert_array_equal(pixels(raw), [[[255, 0, 0], [255, 255, 255], [10, 20, 30]]])


def test_palette_with_alpha_for_each_colour() -> None:
    raw = saved(palette_picture(), transparency=bytes([255, 0, 51]))
    expected = [[[255, 0, 0], [255, 255, 255], [206, 208, 210]]]  # 51 / 255 is a fifth
    assert_array_equal(pixels(raw), expected)


@given(st.integers(0, 255), st.integers(0, 255))
@settings(max_examples=50, deadline=None)
def test_alpha_shows_white_paper(colour: int, alpha: int) -> None:
    grey, share = np.full((1, 2), colour, np.uint8), np.full((1, 2), alpha, np.uint8)
    rgb = np.stack([grey, 255 - grey, grey // 2], axis=2)
    got = read_picture(saved(Image.fromarray(np.dstack([grey, share]))))
    assert got.mode == "L"
    assert_array_equal(np.asarray(got), on_white(grey, share))
    got = read_picture(saved(Image.fromarray(np.dstack([rgb, share]))))
    assert got.mode == "RGB"
    assert_array_equal(np.asarray(got), on_white(rgb, share))


def test_transparent_black_is_white() -> None:
    assert_array_equal(pixels(Image.new("RGBA", (2, 1), (0, 0, 0, 0))), np.full((1, 2, 3), 255))


def test_one_transparent_grey_or_colour() -> None:
    raw = png(8, 0, GREY, extra=struct.pack(">H", 100))
    assert_array_equal(pixels(raw), [[0, 50, 255], [150, 200, 255]])
    raw = png(8, 2, RGB, extra=struct.pack(">HHH", *RGB[1, 2].tolist()))
    expected = RGB.copy()
    expected[1, 2] = 255
    assert_array_equal(pixels(raw), expected)


def test_premultiplied_alpha() -> None:
    straight = Image.fromarray(np.full((1, 1, 4), (200, 100, 0, 255), np.uint8))
    assert_array_equal(pixels(straight.convert("RGBa")), [[[200, 100, 0]]])
    grey = Image.fromarray(np.full((1, 1, 2), (80, 255), np.uint8)).convert("La")
    assert read_picture(grey).mode == "L"
    assert_array_equal(pixels(grey), [[80]])


def test_cmyk() -> None:
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255]]], dtype=np.uint8)
    picture = Image.frombytes("CMYK", (3, 1), inks.tobytes())
    expected = [[[255, 255, 255], [0, 255, 255], [0, 0, 0]]]  # paper, cyan, black
    assert_array_equal(pixels(saved(picture, "TIFF")), expected)


def test_of_an_animation_the_first_frame() -> None:
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    for kind in ("PNG", "GIF", "TIFF"):
        raw = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        assert_array_equal(pixels(raw), np.full((2, 2, 3), (255, 0, 0)))


# Arrays


def test_arrays_of_every_type() -> None:
    assert_array_equal(pixels(GREY), GREY)
    assert_array_equal(pixels(RGB), RGB)
    assert_array_equal(pixels(GREY[:, :, None]), GREY)
    assert_array_equal(pixels(GREY > 120), (GREY > 120) * 255)
    assert_array_equal(pixels(DEEP), DEEP_IN_8)
    for kind in (np.float16, np.float32, np.float64):
        assert_array_equal(pixels((GREY / 255).astype(kind)), GREY)
    assert_array_equal(pixels(np.array([[-0.0005, 1.0005]])), [[0, 255]])


def test_arrays_that_do_not_lie_in_order() -> None:
    assert_array_equal(pixels(RGB[::-1, ::2]), RGB[::-1, ::2])
    assert_array_equal(pixels(np.asfortranarray(GREY).T), GREY.T)


def test_arrays_with_alpha() -> None:
    alpha = np.array([[0, 51, 255]], dtype=np.uint8)
    colour = np.array([[10, 20, 30]], dtype=np.uint8)
    assert_array_equal(pixels(np.dstack([colour, alpha])), on_white(colour, alpha))
    rgb = np.dstack([colour, colour, colour, alpha])
    assert_array_equal(pixels(rgb), on_white(np.dstack([colour] * 3), alpha))


@pytest.mark.parametrize("shape", [(4,), (3, 8, 8), (8, 8, 5), (1, 8, 8, 3), (0, 4), (4, 0, 3)])
def test_arrays_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError) as caught:
        read_picture(np.zeros(shape, dtype=np.uint8), "row 7")
    assert "row 7: expected an array [height, width]" in str(caught.value)
    assert str(list(shape)) in str(caught.value)


def test_arrays_of_another_type() -> None:
    with pytest.raises(DataError, match=r"the array: expected uint8.* got int64; convert it"):
        read_picture(np.zeros((2, 2), dtype=np.int64))
    with pytest.raises(DataError, match="expected floats from 0 to 1, got 0 to 255; divide"):
        read_picture(np.array([[0.0, 255.0]]))
    with pytest.raises(DataError, match="got -1 to 0"):
        read_picture(np.array([[0.0, -1.0]]))
    for wrong in (np.nan, np.inf):
        with pytest.raises(DataError, match="NaN or infinite"):
            read_picture(np.array([[0.0, wrong]]))
    with pytest.raises(DataError, match=r"the picture: expected a path, bytes.* got int"):
        read_picture(5)


def test_to_uint8_keeps_any_shape() -> None:
    assert to_uint8(np.zeros((0, 3), dtype=np.float32), "x").shape == (0, 3)
    assert_array_equal(to_uint8(np.array([0.5]), "x"), [128])


# Turns


@pytest.mark.parametrize("turns", [-1, 0, 1, 2, 3, 4, 5])
def test_turned_is_counter_clockwise(turns: int) -> None:
    expected = np.rot90(RGB, turns)
    assert_array_equal(pixels(Turned(RGB, turns)), expected)
    assert_array_equal(pixels(Turned(saved(Image.fromarray(RGB)), turns)), expected)
    assert_array_equal(pixels(Turned(Turned(RGB, turns), 1)), np.rot90(RGB, turns + 1))


def test_turned_comes_after_the_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    raw = saved(Image.fromarray(RGB), exif=exif)
    assert_array_equal(pixels(Turned(raw, 1)), RGB)  # turned clockwise, then back


# What is refused


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "gone.png"
    with pytest.raises(DataError) as caught:
        read_picture(path)
    assert str(caught.value) == f"{path}: no file {path}; put it there, or correct the path"
    with pytest.raises(DataError, match=r"items\.csv row 3: no file"):
        read_picture(path, "items.csv row 3")


def test_file_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(path: Path) -> str:
        found = file_fault(path)
        assert found is not None
        assert found[1]
        return found[0]

    good = tmp_path / "good.png"
    good.write_bytes(b"x")
    assert file_fault(good) is None
    assert "is a folder, not a picture" in fault(tmp_path)
    (tmp_path / "empty.png").touch()
    assert "empty (0 bytes)" in fault(tmp_path / "empty.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    assert "leads nowhere" in fault(tmp_path / "link.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert "no ordinary file" in fault(tmp_path / "pipe.png")
    assert "no file" in fault(good / "inner.png")
    assert "no file" in fault(Path("a\0b.png"))
    assert file_fault(Path("ada\\1.png")) == (
        "no file ada\\1.png",
        "write / between folders, not \\",
    )
    assert "cannot be looked at" in fault(tmp_path / ("x" * 300))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "may not be read" in fault(good)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
def test_cut_short(kind: str) -> None:
    raw = saved(Image.fromarray(NOISE), kind)
    with pytest.raises(DataError, match=r"a\.img: .*(damaged|cut short).*leave it out"):
        read_picture(raw[: len(raw) * 2 // 3], "a.img")


def test_damaged_picture_that_was_opened_before() -> None:
    raw = saved(Image.fromarray(NOISE))
    picture = Image.open(io.BytesIO(raw[: len(raw) // 2]))
    with pytest.raises(DataError, match="the picture: the picture is damaged or cut short"):
        read_picture(picture)


def test_damage_that_is_no_operating_system_error() -> None:
    raw = png(8, 2, NOISE, pieces=2)
    second = raw.rindex(b"IDAT")
    raw = raw[:second] + b"\0\0\0\0" + raw[second + 4 :]
    with pytest.raises(DataError, match="damaged or cut short") as caught:
        read_picture(raw)
    assert isinstance(caught.value.__cause__, SyntaxError)


def test_no_picture() -> None:
    with pytest.raises(DataError, match=r"the bytes: not a picture of a kind that can be read"):
        read_picture(b"these are words")


def test_a_file_that_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "file_fault", lambda path: None)
    with pytest.raises(DataError, match=r"gone\.png: cannot be opened: No such file"):
        read_picture(tmp_path / "gone.png")


def test_an_open_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "words.png"
    path.write_bytes(b"these are words")
    with path.open("rb") as file, pytest.raises(DataError, match=r"words\.png: not a picture"):
        read_picture(file)


def bomb(width: int, height: int) -> bytes:
    """The beginning of a BMP that claims so many pixels."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header


@pytest.mark.parametrize("side", [10_000, 60_000])  # Pillow warns of the first, refuses the second
def test_decompression_bomb(side: int) -> None:
    with pytest.raises(DataError, match=r"b\.bmp: expected at most 89,478,485 pixels, got .*bomb"):
        read_picture(bomb(side, side), "b.bmp")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_decompression_bomb_where_warnings_are_off() -> None:
    with pytest.raises(DataError, match="got 10000 x 10000; it may be a decompression bomb"):
        read_picture(bomb(10_000, 10_000))


def test_the_limit_itself_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_PIXELS", 6)
    assert_array_equal(pixels(Image.fromarray(GREY)), GREY)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 5)
    with pytest.raises(DataError, match="at most 5 pixels, got 3 x 2"):
        read_picture(Image.fromarray(GREY))


@given(st.binary(max_size=200), st.integers(0, 5), st.integers(0, 400))
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_whatever_the_bytes_only_a_data_error(noise: bytes, kind: int, at: int) -> None:
    kinds = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF")
    raw = bytearray(saved(Image.fromarray(NOISE[:12, :9]), kinds[kind]))
    raw[at : at + len(noise)] = noise
    said = ""
    try:
        assert read_picture(bytes(raw)).mode in ("L", "RGB")
    except DataError as error:
        said = str(error)
    assert said == "" or said.startswith("the bytes: ")


@pytest.mark.parametrize("kind", ["PGM", "PPM"])
def test_binary_pgm_and_ppm(kind: str, tmp_path: Path) -> None:
    array = GREY if kind == "PGM" else RGB
    head = f"{'P5' if kind == 'PGM' else 'P6'}\n3 2\n255\n".encode()
    file = tmp_path / f"a.{kind.lower()}"
    file.write_bytes(head + array.tobytes())
    assert_array_equal(pixels(file), array)


@pytest.mark.parametrize(
    "data",
    [
        b"P2\n3 2\n255\n0 50 100\n150 200 255\n",
        b"P5\n3 2\n254\n" + bytes(6),
        b"P5\n3 2\n65535\n" + bytes(12),
        b"P6\n3 2\n254\n" + bytes(18),
        b"PyP\n3 2\n255\n" + bytes(6),
        b"PyRGBA\n3 2\n255\n" + bytes(24),
    ],
)
def test_slow_and_strange_pgms_are_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="only binary ones whose greatest value is 255"):
        read_picture(data)
