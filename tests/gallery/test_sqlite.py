"""What is stored stays stored, and what goes wrong is said: kills, full disks, damage, others."""

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from small_galleries import DIM, drawn_rows, numbers_model, open_numbers, pictures_model

from gemel import Gallery, Items, Siamese, metrics
from gemel.errors import BadItemsError, GalleryError, SettingsError
from gemel.gallery.migrations import APPLICATION_ID, STEPS
from gemel.gallery.sqlite import SqliteStore

HERE = Path(__file__).parent


class TestTwoProcesses:
    def test_a_writer_that_does_not_end(self, path: Path, model: Siamese) -> None:
        with open_numbers(path, model, drawn_rows(1, 0), ["ada"]) as gallery:
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            gallery._store._connection.execute("PRAGMA busy_timeout = 50")
            with pytest.raises(GalleryError, match="another process has been writing"):
                gallery.enrol("bob", np.ones(DIM))
            assert gallery.nearest(np.zeros(DIM))[0].identity == "ada"  # reading goes on
            other.execute("ROLLBACK")
            other.close()
            gallery.enrol("bob", np.ones(DIM))


class TestFaults:
    def test_a_full_disk(self, path: Path, model: Siamese) -> None:
        """Stands in: SQLite is told how many pages there may be."""
        rows = drawn_rows(3000, 0)
        items = Items(rows, np.array([f"{row}" for row in range(3000)]), kind="numbers")
        with open_numbers(path, model, rows[:1], ["ada"]) as gallery:
            gallery._store._connection.execute("PRAGMA max_page_count = 30")
            with pytest.raises(GalleryError, match="full; nothing of this was stored"):
                gallery.enrol_items(items)
            assert gallery.check() == ()
            there = gallery.stats().references
            gallery._store._connection.execute("PRAGMA max_page_count = 100000")
            assert gallery.enrol_items(items).added == 3001 - there

    def test_a_file_that_may_not_be_written(self, path: Path, model: Siamese) -> None:
        with open_numbers(path, model, drawn_rows(1, 0), ["ada"]) as gallery:
            gallery._store._connection.execute("PRAGMA query_only = ON")
            with pytest.raises(GalleryError, match="must be writable"):
                gallery.enrol("bob", np.ones(DIM))

    @pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
    def test_a_truncated_file(self, path: Path, model: Siamese, share: float) -> None:
        with open_numbers(path, model, drawn_rows(900, 0), [f"{i}" for i in range(900)]):
            pass
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(GalleryError, match="damaged"):
            Gallery.open(path, model)

    def test_damage_in_an_embedding(self, path: Path, model: Siamese) -> None:
        rows = drawn_rows(50, 0)
        with open_numbers(path, model, rows, [f"{i}" for i in range(50)]):
            pass
        whole = bytearray(path.read_bytes())
        place = whole.find(rows[9].tobytes())
        whole[place + 3] ^= 0x40
        path.write_bytes(whole)
        with Gallery.open(path, model) as gallery:
            with pytest.raises(GalleryError, match=r"1 embeddings are not .* reference 10"):
                gallery.nearest(rows[0])
            assert gallery.check() == ("the embedding of reference 10 is not as it was stored",)

    def test_damage_in_the_structure(self, path: Path, model: Siamese) -> None:
        with open_numbers(path, model, drawn_rows(900, 0), [f"{i}" for i in range(900)]):
            pass
        whole = bytearray(path.read_bytes())
        for page in range(2, len(whole) // 4096, 3):
            whole[4096 * page : 4096 * page + 64] = os.urandom(64)
        path.write_bytes(whole)
        with pytest.raises(GalleryError, match="damaged"):
            Gallery.open(path, model)

    def test_what_is_no_gallery(self, tmp_path: Path, model: Siamese) -> None:
        text = tmp_path / "text"
        text.write_text("no gallery at all, and long enough to be a file of some kind")
        with pytest.raises(GalleryError, match="is no gallery, or its beginning is damaged"):
            Gallery.open(text, model)
        foreign = tmp_path / "foreign.db"
        with sqlite3.connect(foreign) as connection:
            connection.execute("CREATE TABLE songs (title)")
        connection.close()
        before = foreign.read_bytes()
        with pytest.raises(GalleryError, match="of another program"):
            Gallery.open(foreign, model)
        assert foreign.read_bytes() == before
        with pytest.raises(GalleryError, match="is a folder"):
            Gallery.open(tmp_path, model)
        with pytest.raises(GalleryError, match="there is no folder"):
            Gallery.open(tmp_path / "no" / "such", model)
        with pytest.raises(GalleryError, match="there is no gallery"):
            Gallery.open(tmp_path / "absent", model, create=False)
        (tmp_path / "empty").touch()
        with pytest.raises(GalleryError, match="is empty"):
            Gallery.open(tmp_path / "empty", model, create=False)
        Gallery.open(tmp_path / "empty", model).close()

    def test_a_lost_fact(self, path: Path, model: Siamese) -> None:
        Gallery.open(path, model).close()
        with sqlite3.connect(path) as connection:
            connection.execute("DELETE FROM facts WHERE name = 'dim'")
        connection.close()
        with pytest.raises(GalleryError, match="lacks 'dim' among its facts"):
            Gallery.open(path, model)

    def test_rows_that_belong_nowhere(self, path: Path, model: Siamese) -> None:
        with open_numbers(path, model, drawn_rows(2, 0), ["ada", "bob"]):
            pass
        with sqlite3.connect(path) as connection:
            connection.execute("DELETE FROM identities WHERE name = 'bob'")
        connection.close()
        with Gallery.open(path, model) as gallery:
            assert gallery.check() == (
                "row 2 of refs belongs to a row of identities that is missing",
            )

    def test_a_clock_that_goes_backwards(
        self, path: Path, model: Siamese, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Order is that of the numbers; the clock is only shown."""
        import datetime as clock

        class Backwards(clock.datetime):
            year_now = 2030

            @classmethod
            def now(cls, tz: object = None) -> clock.datetime:
                cls.year_now -= 1
                return clock.datetime(cls.year_now, 1, 1, tzinfo=clock.UTC)

        monkeypatch.setattr("gemel.gallery.sqlite.datetime", Backwards)
        with Gallery.open(path, model) as gallery:
            for row in drawn_rows(3, 0):
                gallery.enrol("ada", row)
                assert gallery.nearest(row)[0].distance == 0
            found = gallery.list()[0].references
        assert [one.id for one in found] == [1, 2, 3]
        assert [one.enrolled[:4] for one in found] == ["2029", "2028", "2027"]


class TestLayouts:
    def test_from_the_oldest(self, path: Path, model: Siamese) -> None:
        """A file as the first layout had it, with a reference in it."""
        row = drawn_rows(1, 0)[0]
        import zlib

        with sqlite3.connect(path) as connection:
            connection.executescript(STEPS[0])
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("PRAGMA user_version = 1")
            facts = {"fingerprint": model.fingerprint, "dim": str(DIM), "kind": "numbers"}
            connection.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
            connection.execute("INSERT INTO identities (name) VALUES ('ada')")
            data = row.tobytes()
            connection.execute(
                "INSERT INTO refs (identity, embedding, checksum, digest, enrolled) "
                "VALUES (1, ?, ?, ?, '2026-01-01T00:00:00+00:00')",
                (data, zlib.crc32(data), b"d" * 16),
            )
        connection.close()
        with Gallery.open(path, model) as gallery:
            assert gallery.identify(row).identity == "ada"
            assert gallery.check() == ()
            assert not gallery.stats().keeps_originals
            assert gallery.original(1) is None
            pragma = gallery._store._connection.execute("PRAGMA user_version")
            assert pragma.fetchone()[0] == len(STEPS)
            gallery.remove("ada")

    def test_a_newer_one_is_refused(self, path: Path, model: Siamese) -> None:
        Gallery.open(path, model).close()
        with sqlite3.connect(path) as connection:
            connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
        connection.close()
        with pytest.raises(GalleryError, match="of a newer gemel"):
            Gallery.open(path, model)

    def test_how_it_is_kept(self, path: Path, model: Siamese) -> None:
        with Gallery.open(path, model) as gallery:
            store = gallery._store
            assert isinstance(store, SqliteStore)
            ask = store._connection.execute
            wanted = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}
            wanted |= {"foreign_keys": 1, "application_id": APPLICATION_ID}
            for pragma, value in wanted.items():
                assert ask(f"PRAGMA {pragma}").fetchone()[0] == value
        assert [one.name for one in path.parent.iterdir()] == [path.name]  # no log is left


class TestMany:
    def test_a_folder(self, path: Path, few: Items, tmp_path: Path) -> None:
        from PIL import Image

        for row in range(12):
            folder = tmp_path / "photos" / few.labels[row].replace("/", " ")
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(few.values[row]).save(folder / f"{row}.png")
        (folder / "broken.png").write_text("no picture")
        with Gallery.open(path, pictures_model(), keep_originals=True) as gallery:
            with pytest.raises(BadItemsError, match=r"broken\.png"):
                gallery.enrol_folder(tmp_path / "photos")
            found = gallery.enrol_folder(tmp_path / "photos", skip_bad=True)
            assert (found.added, len(found.skipped)) == (12, 1)
            assert str(found) == "12 enrolled, 0 there already, 1 could not be read"
            assert gallery.identify(few.values[5]).candidates[0].distance == 0
            assert gallery.original(1) in {one.read_bytes() for one in tmp_path.rglob("[0-9]*.png")}

    def test_a_block_of_which_nothing_can_be_read(self, path: Path, few: Items) -> None:
        items = Items([b"no", b"nor this"], np.array(["a", "b"]))
        for keep in (False, True):
            place = path.with_suffix(f".{keep}")
            with Gallery.open(place, pictures_model(), keep_originals=keep) as gallery:
                found = gallery.enrol_items(items, skip_bad=True)
                assert (found.added, len(found.skipped)) == (0, 2)
                with pytest.raises(BadItemsError, match="2 bad items"):
                    gallery.enrol_items(items)

    def test_an_original_that_is_missing(self, path: Path, tmp_path: Path) -> None:
        items = Items([tmp_path / "absent.png"], np.array(["a"]))
        with Gallery.open(path, pictures_model(), keep_originals=True) as gallery:
            assert len(gallery.enrol_items(items, skip_bad=True).skipped) == 1
            with pytest.raises(BadItemsError, match="absent"):
                gallery.enrol_items(items)

    def test_a_csv_of_numbers(self, path: Path, model: Siamese, tmp_path: Path) -> None:
        table = tmp_path / "items.csv"
        rows = drawn_rows(6, 0)
        lines = [f"{'ab'[row % 2]}," + ",".join(map(str, rows[row])) for row in range(6)]
        table.write_text("label,u,v,w,x,y,z\n" + "\n".join(lines))
        with Gallery.open(path, model, keep_originals=True) as gallery:
            assert gallery.enrol_csv(table).added == 6
            assert gallery.identify(rows[3]).identity == "b"
            kept = np.frombuffer(gallery.original(1) or b"", "<f8")
            np.testing.assert_array_equal(kept.astype(np.float32), rows[0])
            assert gallery.thumbnail(1) is None

    def test_another_kind(self, path: Path, model: Siamese, few: Items) -> None:
        with (
            Gallery.open(path, model) as gallery,
            pytest.raises(SettingsError, match="few holds images"),
        ):
            gallery.enrol_items(few)
        with (
            Gallery.open(path.with_suffix(".b"), model, keep_originals=True) as gallery,
            pytest.raises(BadItemsError, match="expected numbers"),
        ):
            gallery.enrol("ada", "no numbers")


def test_metrics_of_ones_own(path: Path) -> None:
    """A class made from one of gemel's is measured by itself."""

    class Far(metrics.Euclidean):
        def forward(self, u: object, v: object) -> object:
            return 100 - super().forward(u, v)

        def matrix(self, u: object, v: object) -> object:
            return 100 - super().matrix(u, v)

    rows = drawn_rows(40, 0)
    model = numbers_model(Far())
    with open_numbers(path, model, rows, [f"{i}" for i in range(40)]) as gallery:
        found = gallery.nearest(rows[0], 1)[0]
    distances = np.linalg.norm(rows.astype(float) - rows[0], axis=1)
    assert found.reference == int(distances.argmax()) + 1
