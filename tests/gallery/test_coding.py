"""Binary codes are kept as bits, searched as bits, and answer as their numbers would."""

import json
import sqlite3
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_galleries import DIM, drawn_rows, numbers_model, open_numbers
from torch import nn

from gemel import Gallery, Items, Siamese, inputs, metrics
from gemel.errors import GalleryError
from gemel.gallery import exchange
from gemel.gallery.coding import Coder
from gemel.gallery.index import CodeIndex


def bits_model(dim: int) -> Siamese:
    return Siamese(inputs.Numbers(dim), nn.Identity(), metrics.Hamming())


@given(st.integers(1, 300), st.integers(0, 20), st.integers(0, 2**31))
def test_bits_come_back_as_they_went(dim: int, count: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    coder = Coder("bits", dim)
    rows = coder.encode(vectors)
    assert all(len(row) == coder.width == (dim + 7) // 8 for row in rows)
    stored = coder.stored(rows)
    assert stored.shape == (count, coder.width)
    assert np.array_equal(coder.vectors(stored), np.where(vectors > 0, 1, -1))
    for row, vector in zip(rows, vectors, strict=True):
        text = "".join("1" if number > 0 else "0" for number in vector)
        assert int.from_bytes(row) == int(text.ljust(8 * coder.width, "0"), 2)


@given(st.integers(1, 30), st.integers(0, 9), st.integers(0, 2**31))
def test_numbers_come_back_as_they_went(dim: int, count: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    coder = Coder("float32", dim)
    rows = coder.encode(vectors)
    assert [len(row) for row in rows] == [coder.width] * count
    assert np.array_equal(coder.vectors(coder.stored(rows)), vectors)


@pytest.mark.parametrize("dim", [1, 7, 64, 65, 256, 300])
@pytest.mark.parametrize("count", [1, 90, 70_000])
def test_the_nearest_codes_are_counted(dim: int, count: int) -> None:
    generator = np.random.default_rng(dim + count)
    few = generator.integers(0, 2, (50, dim))  # many references share a code
    rows = few[generator.integers(0, 50, count)].astype(np.float32) - 0.5
    index = CodeIndex(dim)
    coder = Coder("bits", dim)
    for part in np.array_split(rows, 3):
        index.add(coder.stored(coder.encode(part)))
    kept = generator.random(count) < 0.8
    kept[0] = True
    index.keep(kept)
    rows = rows[kept]
    query = generator.normal(size=dim).astype(np.float32)
    distance = ((rows > 0) != (query > 0)).sum(axis=1)
    near = index.nearest(query, 5)
    assert len(index) == len(rows)
    wanted = np.flatnonzero(distance <= near.scores.max())
    assert sorted(near.rows.tolist()) == wanted.tolist()
    assert np.array_equal(near.scores, distance[near.rows])
    assert (np.diff(near.scores) >= 0).all()
    assert len(near.rows) >= min(5, len(rows))
    assert near.complete == (np.inf if len(rows) <= 5 else near.scores.max())


@given(st.integers(0, 2**31), st.integers(1, 80))
@settings(max_examples=20, deadline=None)
def test_distances_are_those_of_the_model(
    tmp_path_factory: pytest.TempPathFactory, seed: int, dim: int
) -> None:
    path = tmp_path_factory.mktemp("codes") / "codes.gallery"
    model = bits_model(dim)
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(30, dim)).astype(np.float32)
    with Gallery.open(path, model) as gallery:
        names = np.array([f"{n:02}" for n in range(30)])
        gallery.enrol_items(Items(rows, names, kind="numbers"))
        asked = generator.normal(size=dim).astype(np.float32)
        found = gallery.nearest(asked, 5)
        distance = ((rows > 0) != (asked > 0)).sum(axis=1)
        order = np.argsort(distance, kind="stable")[:5]
        assert [one.identity for one in found] == names[order].tolist()
        assert [one.distance for one in found] == distance[order].tolist()
        assert found[0].distance == model.compare(asked, rows[order[0]]).distance
        assert gallery.check() == ()
        assert gallery.stats().coding == "bits"
        assert f"of {dim} bits" in str(gallery.stats())


@given(st.integers(0, 2**31), st.integers(1, 80))
@settings(max_examples=20, deadline=None)
def test_real_numbers_are_held_against_codes(
    tmp_path_factory: pytest.TempPathFactory, seed: int, dim: int
) -> None:
    path = tmp_path_factory.mktemp("codes") / "codes.gallery"
    model = Siamese(inputs.Numbers(dim), nn.Identity(), metrics.AsymmetricHamming(0.7))
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(90, dim)).astype(np.float32)
    with Gallery.open(path, model) as gallery:
        names = np.array([f"{n:02}" for n in range(90)])
        gallery.enrol_items(Items(rows, names, kind="numbers"))
        gallery.remove("03")
        rows, names = np.delete(rows, 3, axis=0), np.delete(names, 3)
        asked = generator.normal(size=dim).astype(np.float32)
        found = gallery.nearest(asked, 5)
        assert gallery.stats().coding == "bits"
    soft = np.tanh(0.7 * asked.astype(np.float64))
    distance = ((soft - np.where(rows > 0, 1, -1)) ** 2).sum(axis=1) / 4
    for one in found:
        assert one.distance == pytest.approx(distance[names == one.identity][0], abs=1e-4)
    wanted = np.sort(distance)[:5]
    assert [one.distance for one in found] == pytest.approx(wanted.tolist(), abs=1e-4)


def test_a_code_of_64_bits_takes_eight_bytes(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32)
    path = tmp_path / "codes.gallery"
    with Gallery.open(path, bits_model(64)) as gallery:
        gallery.enrol_items(Items(rows, np.array(list("abc")), kind="numbers"))
    with sqlite3.connect(path) as file:
        stored = [row[0] for row in file.execute("SELECT embedding FROM refs ORDER BY id")]
    assert stored == [np.packbits(row > 0).tobytes() for row in rows]


def test_codes_there_and_back(tmp_path: Path) -> None:
    model = numbers_model(metrics.Hamming())
    rows = drawn_rows(9, 0)
    first, second = tmp_path / "first.gallery", tmp_path / "second.gallery"
    with (
        open_numbers(first, model, rows, list("abcdefghi")) as gallery,
        Gallery.open(second, model) as other,
    ):
        gallery.export(tmp_path / "codes.zip")
        assert other.import_(tmp_path / "codes.zip").added == 9
        assert other.nearest(rows[4]) == gallery.nearest(rows[4])
    export = exchange.open_export(tmp_path / "codes.zip")
    assert export.facts.coder == Coder("bits", DIM)
    coder = export.facts.coder
    found = list(exchange.references(export, coder, with_originals=False))
    assert [one.embedding for one in found] == [np.packbits(row > 0).tobytes() for row in rows]
    found = list(exchange.references(export, Coder("float32", DIM), with_originals=False))
    signs = [np.where(row > 0, 1, -1).astype("<f4").tobytes() for row in rows]
    assert [one.embedding for one in found] == signs


def rewritten(source: Path, target: Path, **members: bytes) -> None:
    """An export with other members in place of some."""
    with ZipFile(source) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    with ZipFile(target, "w") as archive:
        for name, data in found.items():
            archive.writestr(name, members.get(name.partition(".")[0], data))


def test_exports_of_numbers_become_bits(tmp_path: Path) -> None:
    """As they were made before there were bits."""
    model = numbers_model(metrics.Hamming())
    rows = drawn_rows(9, 0)
    with open_numbers(tmp_path / "a.gallery", model, rows, list("abcdefghi")) as gallery:
        gallery.export(tmp_path / "codes.zip")
        wanted = gallery.nearest(rows[4], 9)
    with ZipFile(tmp_path / "codes.zip") as archive:
        header = json.loads(archive.read("gallery.json"))
    assert (header.pop("coding"), header["format"]) == ("bits", 2)
    file = BytesIO()
    np.save(file, rows)
    rewritten(
        tmp_path / "codes.zip",
        tmp_path / "old.zip",
        gallery=json.dumps(header | {"format": 1}).encode(),
        embeddings=file.getvalue(),
    )
    with Gallery.open(tmp_path / "b.gallery", model) as gallery:
        assert gallery.import_(tmp_path / "old.zip").added == 9
        assert gallery.stats().coding == "bits"
        assert [one.distance for one in gallery.nearest(rows[4], 9)] == [
            one.distance for one in wanted
        ]


def test_bits_beyond_the_last_one_are_refused(tmp_path: Path) -> None:
    model = numbers_model(metrics.Hamming())
    path = tmp_path / "codes.gallery"
    with open_numbers(path, model, drawn_rows(2, 0), list("ab")) as gallery:
        gallery.export(tmp_path / "codes.zip")
    with ZipFile(tmp_path / "codes.zip") as archive:
        bad = archive.read("embeddings.npy")[:-1] + bytes([255])
    rewritten(tmp_path / "codes.zip", tmp_path / "bad.zip", embeddings=bad)
    with (
        Gallery.open(tmp_path / "b.gallery", model) as gallery,
        pytest.raises(GalleryError, match=r"line 2 of .* no 6 bits"),
    ):
        gallery.import_(tmp_path / "bad.zip")
    with sqlite3.connect(path) as database:
        full = bytes([255])
        database.execute("UPDATE refs SET embedding = ?, checksum = ?", (full, zlib.crc32(full)))
    with Gallery.open(path, model) as gallery:
        assert gallery.check() == tuple(
            f"the embedding of reference {one} cannot be right" for one in (1, 2)
        )


def test_a_gallery_from_before_there_were_bits(tmp_path: Path) -> None:
    """It goes on with numbers, and gives the same answers."""
    model = numbers_model(metrics.Hamming())
    rows = drawn_rows(20, 3)
    path = tmp_path / "old.gallery"
    with open_numbers(path, model, rows, [f"{n}" for n in range(20)]) as gallery:
        wanted = gallery.nearest(np.ones(DIM), 5)
    with sqlite3.connect(path) as file:
        for number, row in enumerate(rows, start=1):
            old: tuple[Any, ...] = (row.tobytes(), zlib.crc32(row.tobytes()), number)
            file.execute("UPDATE refs SET embedding = ?, checksum = ? WHERE id = ?", old)
        file.execute("DELETE FROM facts WHERE name = 'coding'")
        file.execute("PRAGMA user_version = 2")
    with Gallery.open(path, model) as gallery:
        assert gallery.stats().coding == "float32"
        assert gallery.nearest(np.ones(DIM), 5) == wanted
        assert gallery.check() == ()


def test_packing_is_numpys() -> None:
    generator = torch.Generator().manual_seed(0)
    for dim in (1, 8, 13, 64):
        bits = torch.rand(5, dim, generator=generator) > 0.5
        packed = metrics.pack(bits)
        assert np.array_equal(packed.numpy(), np.packbits(bits.numpy(), axis=1))
        assert torch.equal(metrics.unpack(packed, dim), bits)
