"""What holds of galleries wherever they are kept, when processes end or share one."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_galleries import DIM, Place, drawn_rows, open_numbers

import gemel
from gemel import Gallery, Siamese
from gemel.errors import GalleryError, NotEnrolledError, SettingsError

SCRIPT = Path(__file__).with_name("enrols_until_killed.py")


class TestKilled:
    def test_what_was_said_to_be_stored_is_there(self, place: Place) -> None:
        """200 rounds, killed at random moments; in the last 40 two write at once."""
        assert self.acknowledged(place, "160x1", "40x2") > 200

    def test_a_killed_server_has_what_was_said_to_be_stored(self) -> None:
        assert self.acknowledged("server", "4x2") > 8

    def acknowledged(self, *words: object) -> int:
        """How many were; the script looks whether they are there."""
        done = subprocess.run(
            [sys.executable, str(SCRIPT), *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        return int(done.stdout.rpartition(":")[2].split()[0])

    def test_begun_again_nothing_twice_and_nothing_lost(
        self, place: Place, model: Siamese, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gemel.gallery.enrolling.AT_ONCE", 10)
        items = gemel.data.arrays(drawn_rows(60, 0), [f"{row % 7}" for row in range(60)])
        seen = []

        def stop(done: int, whole: int) -> None:
            seen.append((done, whole))
            if done == 30:
                raise KeyboardInterrupt

        with Gallery.open(place, model) as gallery, pytest.raises(KeyboardInterrupt):
            gallery.enrol_items(items, progress=stop)
        assert seen == [(10, 60), (20, 60), (30, 60)]
        with Gallery.open(place, model) as gallery:
            found = gallery.enrol_items(items)
            assert (found.added, found.present) == (30, 30)
            assert str(found) == "30 enrolled, 30 there already"
            assert gallery.stats().references == 60


class TestTwoProcesses:
    def test_one_sees_what_the_other_changes(self, place: Place, model: Siamese) -> None:
        rows = drawn_rows(4, 0)
        with (
            open_numbers(place, model, rows[:2], ["ada", "bob"]) as gallery,
            self.other(place) as do,
        ):
            assert gallery.identify(rows[2]).identity != "cy"
            do("g.enrol('cy', rows[2]); g.enrol('dee', rows[3])")
            assert gallery.identify(rows[2]).identity == "cy"
            do("g.remove('cy'); g.rename('dee', 'eve')")
            assert gallery.nearest(rows[2])[0].identity != "cy"
            assert gallery.identify(rows[3]).identity == "eve"
            assert gallery.check() == ()

    @contextmanager
    def other(self, place: Place) -> Iterator[Callable[[str], None]]:
        """Another process that has the gallery open, and does what it is told."""
        code = (
            "import sys; sys.path.insert(0, sys.argv[2])\n"
            "from small_galleries import drawn_rows, numbers_model\n"
            "from gemel import Gallery, metrics\n"
            "rows = drawn_rows(4, 0)\n"
            "with Gallery.open(sys.argv[1], numbers_model(metrics.Euclidean())) as g:\n"
            "    for line in sys.stdin:\n"
            "        exec(line)\n"
            "        print('done', flush=True)\n"
        )
        words = [sys.executable, "-c", code, str(place), str(SCRIPT.parent)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(words, **pipes, env={**os.environ, "OMP_NUM_THREADS": "1"}) as child:

            def do(statements: str) -> None:
                assert child.stdin is not None
                assert child.stdout is not None
                print(statements, file=child.stdin, flush=True)
                assert child.stdout.readline() == "done\n"

            yield do

    def test_both_make_it(self, place: Place, model: Siamese) -> None:
        first, second = Gallery.open(place, model), Gallery.open(place, model)
        assert (first.enrol("ada", np.ones(DIM)), second.enrol("bob", np.ones(DIM))) == (1, 2)
        first.close()
        second.close()


class TestChangedMeanwhile:
    """By another process, between finding the references and removing them."""

    def test_renamed(self, place: Place, model: Siamese) -> None:
        with open_numbers(place, model, drawn_rows(2, 0), ["ada", "bob"]) as gallery:
            gallery.rename("ada", "eve")
            found = gallery._store.remove("ada", [1])
            assert (found.references, found.whole) == ((1,), True)
            assert gallery.stats().identities == 1
            assert gallery.enrol("eve", np.ones(DIM)) == 3
            assert gallery.check() == ()

    def test_removed(self, place: Place, model: Siamese, monkeypatch: pytest.MonkeyPatch) -> None:
        with open_numbers(place, model, drawn_rows(2, 0), ["ada", "ada"]) as gallery:
            gallery.remove(1)
            assert gallery._store.remove("ada", [1, 2]).references == (2,)
            monkeypatch.setattr(gallery._store, "of_identity", lambda name: [1, 2])
            with pytest.raises(NotEnrolledError, match="nobody is enrolled as 'ada'"):
                gallery.remove("ada")


class TestPages:
    NAMES = (
        "Zo\u00eb",
        "adam",
        "\U0001f600",
        "\uff21da",
        "Ada",
        "\u00c5sa",
        "ada",
        "\u540d\u524d",
        "a_a",
    )

    def test_names_are_in_the_order_of_their_code_points(
        self, place: Place, model: Siamese
    ) -> None:
        """Of UTF-16 the last two would change places, and of a language most of them."""
        with open_numbers(place, model, drawn_rows(9, 0), list(self.NAMES)) as gallery:
            found = [entry.identity for entry in gallery.list()]
            assert found == sorted(self.NAMES)
            pages: list[str] = []
            while page := gallery.list(after=pages[-1] if pages else None, most=2):
                assert len(page) <= 2
                pages += [entry.identity for entry in page]
            assert pages == found

    def test_a_search_in_pages(
        self, place: Place, model: Siamese, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The names that hold it lie pages apart; case is folded as Python folds it."""
        monkeypatch.setattr("gemel.gallery.sqlite.AT_ONCE", 7)
        monkeypatch.setattr("gemel.gallery.postgres.AT_ONCE", 7)
        names = [f"{row:03} " + ("x", "Stra\u00dfe")[row % 10 == 3] for row in range(100)]
        with open_numbers(place, model, drawn_rows(100, 0), names) as gallery:
            wanted = [name for name in names if "STRASSE".casefold() in name.casefold()]
            assert len(wanted) == 10
            assert [one.identity for one in gallery.list("STRASSE")] == wanted
            some = gallery.list("STRASSE", after=wanted[2], most=4)
            assert [one.identity for one in some] == wanted[3:7]
            assert [len(one.references) for one in some] == [1] * 4
            assert gallery.list(after=names[-1]) == ()

    def test_pages_that_cannot_be(self, place: Place, model: Siamese) -> None:
        with Gallery.open(place, model) as gallery:
            with pytest.raises(SettingsError, match="`most`"):
                gallery.list(most=0)
            with pytest.raises(GalleryError, match=r"U\+0000"):
                gallery.list(after="a\0")
