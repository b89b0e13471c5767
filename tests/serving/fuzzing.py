"""Requests that no honest client sends: bombs, broken files and bodies; not a test itself."""

import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

from pen_service import files_of, signature
from PIL import Image
from service import as_item, form, picture

EXTREMES = (0, 1, 0x7F, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
POSTS = ("identify", "verify", "compare", "embed", "enrol", "remove", "rename")


@dataclass(frozen=True)
class Sent:
    """A request."""

    method: str
    path: str
    body: bytes
    type: str


@cache
def small_pictures() -> dict[str, bytes]:
    """Real pictures in all formats and modes that are taken."""
    grey = Image.open(BytesIO(picture(1, size=(24, 20))))
    colour = Image.merge("RGB", [grey, grey.rotate(90), grey.rotate(180)])
    clear = Image.merge("RGBA", [*colour.split(), grey])
    exif = Image.Exif()
    exif[0x0112] = 6
    ways: list[tuple[str, Image.Image, str, dict[str, Any]]] = [
        ("png", colour, "PNG", {}),
        ("png_palette", colour.convert("P"), "PNG", {"transparency": 0}),
        ("png_clear", clear, "PNG", {}),
        ("png_deep", grey.convert("I;16"), "PNG", {}),
        ("png_animated", grey, "PNG", {"save_all": True, "append_images": [grey.rotate(45)]}),
        ("jpeg", colour, "JPEG", {}),
        ("jpeg_steps", colour, "JPEG", {"progressive": True, "exif": exif}),
        ("jpeg_ink", colour.convert("CMYK"), "JPEG", {}),
        ("gif", grey, "GIF", {"save_all": True, "append_images": [grey.rotate(45)]}),
        ("bmp", colour, "BMP", {}),
        ("bmp_bits", grey.convert("1"), "BMP", {}),
        ("webp", clear, "WEBP", {}),
        ("webp_whole", clear, "WEBP", {"lossless": True, "exif": exif}),
        ("tiff", colour, "TIFF", {"exif": exif}),
        ("tiff_packed", colour, "TIFF", {"compression": "tiff_deflate"}),
        ("tiff_lzw", clear, "TIFF", {"compression": "tiff_lzw"}),
        ("tiff_jpeg", colour, "TIFF", {"compression": "jpeg"}),
        ("tiff_fax", grey.convert("1"), "TIFF", {"compression": "group4"}),
        ("tiff_float", grey.convert("F").point(lambda value: value / 255), "TIFF", {}),
    ]
    found = {}
    for name, image, kind, options in ways:
        file = BytesIO()
        image.save(file, kind, **options)
        found[name] = file.getvalue()
    return found


def png(width: int, height: int, pixels: bytes, before: bytes = b"") -> bytes:
    """A grey PNG that says what it likes."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + before + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _tiff(tags: dict[int, int], data: bytes) -> bytes:
    """A grey TIFF of 64 x 64 pixels; the data follow its tags."""
    known = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1} | tags
    start = 8 + 2 + 12 * len(known) + 4
    entries = b"".join(
        struct.pack("<HHII", tag, 4, 1, start if value < 0 else value)
        for tag, value in sorted(known.items())
    )
    return b"II*\0" + struct.pack("<IH", 8, len(known)) + entries + bytes(4) + data


@cache
def bombs() -> dict[str, bytes]:
    """Files that would take far more memory or time than their size says."""
    zeros = zlib.compress(bytes(60_000_000), 9)
    row = zlib.compress(bytes(17 * 16))
    gif = struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    frame = struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\x00;"
    webp = bytearray(small_pictures()["webp_whole"])
    webp[24:30] = b"\xff" * 6
    steps = BytesIO()
    Image.new("L", (4000, 4000), 128).save(steps, "JPEG", progressive=True)
    whole = steps.getvalue()
    scan = whole[whole.rfind(b"\xff\xda") : -2]
    bmp = bytearray(small_pictures()["bmp"])
    bmp[18:26] = struct.pack("<ii", 100_000, 100_000)
    return {
        "png_huge": png(30_000, 30_000, zeros),
        "png_text": png(16, 16, row, _chunk(b"zTXt", b"a\0\0" + zeros)),
        "png_texts": png(16, 16, row, _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**6))) * 80),
        "png_profile": png(16, 16, row, _chunk(b"iCCP", b"a\0\0" + zeros)),
        "gif_screen": b"GIF89a" + gif + b"," + bytes(9) + b"\x02\x02\x4c\x01\x00;",
        "gif_frame": b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + b"," + frame,
        "webp_huge": bytes(webp),
        "bmp_huge": bytes(bmp),
        "jpeg_scans": whole[:-2] + scan * 20_000 + b"\xff\xd9",
        "tiff_huge": _tiff({256: 100_000, 257: 100_000, 273: -1, 278: 100_000, 279: 9}, zeros),
        "tiff_tile": _tiff({322: 30_000, 323: 30_000, 324: -1, 325: len(zeros)}, zeros),
    }


@cache
def strangers() -> dict[str, bytes]:
    """What is no picture of a kind that is taken, whatever it says of itself."""
    page = b"<html><script>alert(1)</script></html>"
    eps = BytesIO()
    Image.open(BytesIO(picture(1))).save(eps, "EPS")
    pdf = BytesIO()
    Image.open(BytesIO(picture(1))).save(pdf, "PDF")
    return {
        "empty": b"",
        "one_byte": b"\x89",
        "text": b"/etc/passwd",
        "html": page,
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script/></svg>',
        "xml": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><svg>&b;</svg>',
        "eps": eps.getvalue(),
        "ps": b"%!PS-Adobe-3.0\n(/etc/passwd) (r) file\n",
        "pdf": pdf.getvalue(),
        "zip": b"PK\x03\x04" + bytes(100),
        "elf": b"\x7fELF" + bytes(100),
        "html_first": page + picture(1),
        "png_head": picture(1)[:8],
        "riff": b"RIFF\xff\xff\xff\xffWEBPVP8L",
    }


def polyglots() -> dict[str, bytes]:
    """Pictures that are something else too."""
    return {
        "png_and_zip": picture(1) + b"PK\x03\x04" + bytes(50) + b"PK\x05\x06" + bytes(18),
        "png_and_html": png(
            16,
            16,
            zlib.compress(bytes(17 * 16)),
            _chunk(b"tEXt", b"Comment\0<script>alert(document.domain)</script>"),
        ),
        "gif_and_js": small_pictures()["gif"] + b"*/=1;alert(1)//",
        "jpeg_and_php": small_pictures()["jpeg"] + b"<?php system($_GET[0]); ?>",
    }


def wild_recordings() -> dict[str, bytes]:
    """Pen recordings that would take far more time or memory than their size says, or are wild."""
    huge = b"9" * 5000
    return {
        "csv_wild": b"x,y,t\n1e308,0,0\n-1e308,0,9\n",
        "csv_times": b"x,y,t\n0,0,-1e308\n0,0,1e308\n1,1,1e308\n",
        "csv_pressure": b"x,y,t,pressure\n0,0,0,1e300\n1,1,9,-1e300\n",
        "csv_zeros": b"x,y,t\n" + b"0,0,0\n" * 150_000,
        "txt_count": huge + b"\n1 2 3 4\n",
        "txt_digits": "\u0662\n1 2 3 1\n2 3 9 1\n".encode(),
        "txt_number": b"2\n1 2 3 4\n1 2 " + huge + b" 4\n",
        "json_deep": b"[" * 500_000,
        "json_objects": b"[" + b"{}," * 300_000 + b"{}]",
        "json_number": b"[[[0, 0, " + huge + b"], [0, 0, 1]]]",
        "json_texts": b'[["abc", "abd"], "ab"]',
        "json_half": b'[[{"x": "\\ud800", "y": 1, "t": 1}, {"x": 1, "y": 1, "t": 3}]]',
        "xml_deep": b"<a>" * 300_000,
        "xml_closed": b"<a>" * 100_000 + b"</a>" * 100_000,
        "xml_bomb": b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><ink>&d;</ink>',
        "xml_file": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><ink>&b;</ink>',
        "xml_names": b"<ink>" + b"<trace/>" * 100_000 + b"</ink>",
        "xml_said": b'<?xml version="1.0" encoding="utf-16"?><ink><trace>0 0 0</trace></ink>',
    }


def broken_recordings(seed: int) -> Iterator[bytes]:
    """Endless files of pen recordings with something wrong in them."""
    draw = random.Random(seed)
    whole = list(files_of(signature(1)).values())
    while True:
        yield mutated(draw, draw.choice(whole), whole)


def mutated(draw: random.Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """A file with something wrong in it, such as a part of one of `others`."""
    out = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 5, 20))):
        _mutate(draw, out, others or list(small_pictures().values()))
    return bytes(out)


def _mutate(draw: random.Random, out: bytearray, others: Sequence[bytes]) -> None:
    if not out:
        return
    at = draw.randrange(min(len(out), draw.choice((40, 200, len(out)))))  # heads are worth more
    kind = draw.randrange(7)
    if kind == 0:
        out[at] ^= 1 << draw.randrange(8)
    elif kind == 1:
        out[at] = draw.randrange(256)
    elif kind == 2:
        del out[draw.randrange(len(out)) :]
    elif kind == 3:
        del out[at : at + draw.randrange(1, 30)]
    elif kind == 4:
        value, width = draw.choice(EXTREMES), draw.choice("HI")
        most = value & (0xFFFF if width == "H" else 0xFFFFFFFF)
        put = struct.pack(draw.choice("<>") + width, most)
        out[at : at + len(put)] = put
    elif kind == 5:
        other = draw.choice(others)
        start = draw.randrange(len(other))
        out[at:at] = other[start : start + draw.choice((4, 30, 300))]
    else:
        out[at:at] = out[at : at + draw.randrange(1, 60)] * draw.choice((1, 2, 50))


def any_json(draw: random.Random, depth: int = 0) -> Any:
    """Any value, most of them of no use."""
    leaves: list[Callable[[], Any]] = [
        lambda: None,
        lambda: draw.random() < 0.5,
        lambda: draw.choice((0, -1, 1, 2**63, 10**40, 1e308, float("nan"), float("inf"))),
        lambda: draw.choice(("", "ada", "a" * 300, "\ud800", "\x00", "../..", "%s%n", "' OR 1=1")),
        lambda: as_item(draw.choice(list(small_pictures().values()))),
        lambda: {"image": draw.choice(("", "=", "AAAA", "*", "QQ"))},
        lambda: {"numbers": [draw.uniform(-1, 1) for _ in range(draw.randrange(9))]},
        lambda: {"strokes": [[[draw.uniform(-1, 1), 0, at] for at in range(draw.randrange(4))]]},
    ]
    if depth > 3 or draw.random() < 0.6:
        return draw.choice(leaves)()
    fields = ("identity", "item", "left", "right", "top", "note", "old", "new", "reference", "x")
    if draw.random() < 0.3:
        return [any_json(draw, depth + 1) for _ in range(draw.randrange(4))]
    return {name: any_json(draw, depth + 1) for name in draw.sample(fields, draw.randrange(5))}


def requests(seed: int) -> Iterator[Sent]:
    """Endless broken requests: seven of ten are pictures, the others bodies."""
    draw = random.Random(seed)
    pictures = list(small_pictures().values())
    while True:
        path = f"/v1/{draw.choice(POSTS)}"
        chance = draw.random()
        if chance < 0.7:
            item = mutated(draw, draw.choice(pictures))
            path = draw.choice(("/v1/identify", "/v1/identify", "/v1/enrol"))
            fields: list[tuple[str, bytes | str]] = [("item", item)]
            if path == "/v1/enrol":
                fields.append(("identity", f"p{draw.randrange(5)}"))
            body, kind = form(fields)
        elif chance < 0.85:
            body, kind = json.dumps(any_json(draw)).encode(), "application/json"
            if draw.random() < 0.3:
                body = mutated(draw, body)
        else:
            names = draw.choices(("item", "identity", "note", "left", "right", "top"), k=3)
            values: list[bytes | str] = [draw.choice(pictures), "ada", "[1, 2]", "[", "\x00", "5"]
            body, kind = form([(name, draw.choice(values)) for name in names])
            body = mutated(draw, body)
            kind = draw.choice((kind, kind, kind[:-2], kind + "; charset=utf-7", "text/plain"))
        yield Sent("POST", path, body, kind)
