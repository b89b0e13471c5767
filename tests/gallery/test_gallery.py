"""Who an item is: against `compare` with every reference, one by one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_galleries import (
    DIM,
    Place,
    drawn_rows,
    file_bytes,
    numbers_model,
    open_numbers,
    pictures_model,
    tamper,
    trained,
)
from torch import nn

import gemel
from gemel import Gallery, Items, Siamese, encoders, inputs, metrics
from gemel.errors import BadItemsError, GalleryError, OtherModelError, SettingsError
from gemel.gallery import read_query

METRICS = [
    metrics.Cosine(),
    metrics.Euclidean(),
    metrics.SquaredEuclidean(),
    metrics.Manhattan(),
    metrics.Hamming(),
    metrics.Mahalanobis(),
    metrics.Mahalanobis(rank=3),
    metrics.Mahalanobis(diagonal=True),
    metrics.WeightedL1(),
    metrics.Learned((5,)),
]


def slowly(model: Siamese, rows: np.ndarray, names: list[str], item: object) -> list[tuple]:
    """(distance, reference, identity) of the nearest reference of each identity, the nearest first.

    References are numbered from 1, in the order in which they were enrolled.
    """
    vectors = model.embed(rows, "right" if model.is_sided else None)
    asked = model.embed([item], "left" if model.is_sided else None)
    with model.evaluating():
        every = [
            (float(model.metric(asked, vectors[place : place + 1])), place + 1, name)
            for place, name in enumerate(names)
        ]
    found = sorted(min(one for one in every if one[2] == name) for name in set(names))
    distance, number, _ = found[0]
    compared = model.compare(item, rows[number - 1]).distance
    assert compared == pytest.approx(distance, abs=1e-6)
    return found


def said(found: tuple) -> list[tuple]:
    return [(one.distance, one.reference, one.identity) for one in found]


class TestNearest:
    @pytest.mark.parametrize("metric", METRICS, ids=lambda one: type(one).__name__)
    def test_every_metric_as_compare_says_to_the_bit(
        self, place: Place, metric: metrics.Metric
    ) -> None:
        model = numbers_model(trained(metric))
        rows = drawn_rows(90, 0)
        rows[7] = rows[3]  # one embedding, two identities
        rows[20] = 0
        names = [f"{place % 40}" for place in range(90)]
        with open_numbers(place, model, rows, names) as gallery:
            for query in [*drawn_rows(3, 1), rows[3], rows[20]]:
                wanted = slowly(model, rows, names, query)
                assert said(gallery.nearest(query, 9)) == wanted[:9]
                assert said(gallery.nearest(query, 100)) == wanted

    @pytest.mark.parametrize("metric", [metrics.Cosine(), metrics.Hamming(), metrics.Euclidean()])
    @settings(max_examples=8)
    @given(seed=st.integers(0, 2**32 - 1), data=st.data())
    def test_ties_and_crowds(
        self,
        new_place: Callable[[], Place],
        metric: metrics.Metric,
        seed: int,
        data: st.DataObject,
    ) -> None:
        """Rows of few values tie often; one identity has nearly all of them."""
        model = numbers_model(metric)
        generator = np.random.default_rng(seed)
        count = data.draw(st.integers(1, 120))
        rows = generator.integers(-1, 2, (count, DIM)).astype(np.float32)
        rows = np.unique(rows, axis=0)
        names = ["many" if generator.random() < 0.9 else f"{i % 4}" for i in range(len(rows))]
        query = generator.integers(-1, 2, DIM).astype(np.float32)
        top = data.draw(st.integers(1, 6))
        with open_numbers(new_place(), model, rows, names) as gallery:
            found = said(gallery.nearest(query, top))
        assert found == slowly(model, rows, names, query)[:top]

    def test_more_references_than_are_asked_for_at_first(self, place: Place) -> None:
        """The nearest 300 are of one identity; the second nearest is found all the same."""
        model = numbers_model(metrics.Euclidean())
        rows = np.concatenate(
            [drawn_rows(300, 0) * 0.01, drawn_rows(3, 1) + 50, drawn_rows(700, 2) + 90]
        )
        names = ["near"] * 300 + ["second"] * 3 + [f"far {i}" for i in range(700)]
        items = gemel.data.arrays(rows, names)
        with Gallery.open(place, model) as gallery:
            gallery.enrol_items(items)
            found = gallery.nearest(np.zeros(DIM), 3)
        assert said(found) == slowly(model, rows, names, np.zeros(DIM))[:3]
        assert [one.identity for one in found[:2]] == ["near", "second"]

    def test_references_stand_on_the_right(self, place: Place, few: Items) -> None:
        images = inputs.Sides(inputs.Images(16, channels=1), inputs.Images(8, channels=1))
        sides = encoders.Sides(encoders.Conv(width=4, dim=5), encoders.Dense((8,), 5))
        model = Siamese(images, sides, metrics.Euclidean())
        with Gallery.open(place, model) as gallery:
            for row in range(12):
                gallery.enrol(f"{row % 5}", few.values[row])
            found = gallery.nearest(few.values[20], 5)
        wanted = slowly(model, few.values[:12], [f"{row % 5}" for row in range(12)], few.values[20])
        assert said(found) == wanted

    def test_many_at_once_as_one_by_one(self, place: Place, few: Items) -> None:
        model = pictures_model()
        with Gallery.open(place, model) as gallery:
            gallery.enrol_items(few)
            asked = gallery.queries([read_query(model, value) for value in few.values[:7]])
            for query, value in zip(asked, few.values[:7], strict=True):
                for many, one in zip(
                    gallery.nearest(query, 6), gallery.nearest(value, 6), strict=True
                ):
                    assert many.reference == one.reference
                    assert many.distance == pytest.approx(one.distance, abs=1e-6)
            assert gallery.queries([]) == []

    def test_top_must_be_one_or_more(self, place: Place, model: Siamese) -> None:
        with Gallery.open(place, model) as gallery, pytest.raises(SettingsError, match="`top`"):
            gallery.nearest(np.zeros(DIM), 0)


class TestIdentify:
    def test_by_the_threshold(self, place: Place, model: Siamese) -> None:
        model.threshold = 1.0
        rows = np.eye(DIM, dtype=np.float32) * 10
        with open_numbers(place, model, rows, list("abcdef")) as gallery:
            found = gallery.identify(rows[2] + 0.1)
            assert (found.verdict, found.identity) == ("found", "c")
            assert len(found.candidates) == 5
            assert "c is the nearest; the distance 0.2449 is at or below 1.0000" in found.reason
            assert str(found).startswith("c: c is the nearest")
            stranger = gallery.identify(rows[2] + 1, top=2)
            assert (stranger.verdict, stranger.identity) == ("nobody", None)
            assert [one.identity for one in stranger.candidates][:1] == ["c"]
            assert len(stranger.candidates) == 2
            assert str(stranger).startswith("nobody we know: c is the nearest")

    def test_by_the_calibration(self, place: Place) -> None:
        """Verdict and probability are those of `compare`; a close call is said."""
        generator = np.random.default_rng(0)
        centres = generator.normal(size=(30, DIM)) * 2
        rows = (np.repeat(centres, 12, axis=0) + generator.normal(size=(360, DIM))).astype("f4")
        names = [f"{row // 12}" for row in range(360)]
        model = numbers_model(metrics.Euclidean())
        gemel.calibrate(model, gemel.data.arrays(rows, names), false_accepts=0.02)
        verdicts = set()
        with open_numbers(place, model, rows[::12], names[::12]) as gallery:
            for row in rows[1::7]:
                found = gallery.identify(row, top=1)
                nearest = found.candidates[0]
                wanted = model.compare(row, rows[12 * int(nearest.identity)])
                assert nearest.distance == wanted.distance
                assert nearest.probability == wanted.probability
                assert nearest.verdict == wanted.verdict
                named = {"same": "found", "different": "nobody"}
                assert found.verdict == named.get(wanted.verdict, "too close to call")
                assert found.identity == (nearest.identity if wanted.same else None)
                assert wanted.reason in found.reason
                verdicts.add(found.verdict)
        assert verdicts == {"found", "nobody", "too close to call"}

    def test_a_tie_is_too_close_to_call(self, place: Place, model: Siamese) -> None:
        rows = np.zeros((2, DIM), np.float32)
        with open_numbers(place, model, rows, ["ada", "bob"]) as gallery:
            found = gallery.identify(np.zeros(DIM), top=1)
        assert (found.verdict, found.identity) == ("too close to call", None)
        assert found.reason == "ada and bob are equally near: 0.0000"
        assert len(found.candidates) == 1

    def test_nobody_is_enrolled(self, place: Place, model: Siamese) -> None:
        with Gallery.open(place, model) as gallery:
            found = gallery.identify(np.zeros(DIM))
        assert (found.verdict, found.candidates) == ("nobody", ())
        assert str(found) == "nobody we know: nobody is enrolled"

    def test_without_a_threshold(self, place: Place, model: Siamese) -> None:
        model.threshold = None
        with open_numbers(place, model, drawn_rows(2, 0), ["a", "b"]) as gallery:
            with pytest.raises(SettingsError, match="calibrate it"):
                gallery.identify(np.zeros(DIM))
            assert gallery.nearest(np.zeros(DIM))[0].verdict is None
            assert gallery.verify("a", np.zeros(DIM)).same is None


class TestVerify:
    @pytest.mark.parametrize("metric", METRICS, ids=lambda one: type(one).__name__)
    def test_the_nearest_reference_counts(self, place: Place, metric: metrics.Metric) -> None:
        model = numbers_model(trained(metric))
        rows, names = drawn_rows(12, 0), ["ada", "bob", "ada", "cy"] * 3
        with open_numbers(place, model, rows, names) as gallery:
            for query in drawn_rows(5, 3):
                found = gallery.verify("ada", query)
                wanted = next(one for one in slowly(model, rows, names, query) if one[2] == "ada")
                assert (found.comparison.distance, found.reference, found.identity) == wanted
                assert found.comparison == model.compare(query, rows[found.reference - 1])
                assert found.same is found.comparison.same
                assert found.verdict == found.comparison.verdict

    def test_unknown(self, place: Place, model: Siamese) -> None:
        with (
            Gallery.open(place, model) as gallery,
            pytest.raises(GalleryError, match="nobody is enrolled as 'ada'"),
        ):
            gallery.verify("ada", np.zeros(DIM))


class TestEnrol:
    def test_what_is_there_stays(self, place: Place, model: Siamese) -> None:
        row = drawn_rows(1, 0)[0]
        with Gallery.open(place, model) as gallery:
            assert gallery.enrol("ada", row, note="at the door") == 1
            assert gallery.enrol("ada", row.copy(), note="again") == 1
            assert gallery.enrol("bob", row) == 2
            assert gallery.enrol("ada", row + 1) == 3
            entries = gallery.list()
        assert [entry.identity for entry in entries] == ["ada", "bob"]
        assert [one.id for one in entries[0].references] == [1, 3]
        assert entries[0].references[0].note == "at the door"

    def test_one_name_in_two_spellings(self, place: Place, model: Siamese) -> None:
        with open_numbers(place, model, drawn_rows(2, 0), ["Zoe\u0308", "Zo\u00eb"]) as gallery:
            assert [entry.identity for entry in gallery.list()] == ["Zo\u00eb"]
            assert [entry.identity for entry in gallery.list("zO\u00cb")] == ["Zo\u00eb"]
            assert gallery.list("x") == ()

    @pytest.mark.parametrize(
        ("name", "wrong"),
        [
            ("", "is empty"),
            ("  ", "is empty"),
            (" ada", "begins or ends with a space"),
            ("a\nb", r"U\+000A"),
            ("a\x00b", r"U\+0000"),
            ("a\u202eb", r"U\+202E"),
            ("a\ud800b", r"U\+D800"),
            ("x" * 201, "201 characters"),
        ],
    )
    def test_names_that_cannot_be(
        self, place: Place, model: Siamese, name: str, wrong: str
    ) -> None:
        with Gallery.open(place, model) as gallery:
            with pytest.raises(GalleryError, match=wrong):
                gallery.enrol(name, np.zeros(DIM))
            gallery.enrol("ada", np.zeros(DIM))
            with pytest.raises(GalleryError, match=wrong):
                gallery.rename("ada", name)
            assert gallery.stats().references == 1

    @pytest.mark.parametrize(
        "name", ["../../etc/passwd", "a/b", "C:\\x", "'; DROP TABLE refs; --", "x" * 200, "名前"]
    )
    def test_a_name_is_never_a_path_nor_a_statement(
        self, place: Place, model: Siamese, name: str
    ) -> None:
        with open_numbers(place, model, drawn_rows(1, 0), [name]) as gallery:
            assert gallery.identify(drawn_rows(1, 0)[0]).identity == name
            assert gallery.remove(name).whole

    def test_notes_that_cannot_be(self, place: Place, model: Siamese) -> None:
        with Gallery.open(place, model) as gallery:
            with pytest.raises(GalleryError, match="the note has 2001"):
                gallery.enrol("ada", np.zeros(DIM), note="x" * 2001)
            with pytest.raises(GalleryError, match=r"the note holds the character U\+0007"):
                gallery.enrol("ada", np.zeros(DIM), note="x\a")
            gallery.enrol("ada", np.zeros(DIM), note="two\nlines\tand a tab")

    def test_an_embedding_that_is_not_finite(self, place: Place) -> None:
        class Broken(nn.Module):
            def forward(self, batch: torch.Tensor) -> torch.Tensor:
                return batch / batch.sum(1, keepdim=True)

        model = Siamese(inputs.Numbers(DIM), Broken(), metrics.Euclidean())
        model.threshold = 1.0
        with Gallery.open(place, model) as gallery:
            gallery.enrol("ada", np.ones(DIM))
            for ask in (
                lambda: gallery.enrol("bob", np.zeros(DIM)),
                lambda: gallery.identify(np.zeros(DIM)),
                lambda: gallery.verify("ada", np.zeros(DIM)),
            ):
                with pytest.raises(GalleryError, match="is not finite"):
                    ask()
            assert gallery.stats().references == 1

    def test_an_item_that_cannot_be_read(self, place: Place, tmp_path: Path) -> None:
        with Gallery.open(place, pictures_model()) as gallery:
            with pytest.raises(BadItemsError, match=r"absent\.png"):
                gallery.enrol("ada", tmp_path / "absent.png")
            with pytest.raises(BadItemsError, match=r"absent\.png"):
                gallery.identify(tmp_path / "absent.png")


class TestRemove:
    def test_one_reference_and_then_the_identity(self, place: Place, model: Siamese) -> None:
        rows = drawn_rows(4, 0)
        with open_numbers(place, model, rows, ["ada", "bob", "ada", "bob"]) as gallery:
            gallery.nearest(rows[0])
            found = gallery.remove(3)
            assert (found.identity, found.references, found.whole) == ("ada", (3,), False)
            assert said(gallery.nearest(rows[2])) == slowly_without(model, rows, {3}, rows[2])
            found = gallery.remove("bob")
            assert str(found).startswith("removed 2 references of bob; the identity is gone")
            assert found.erased is (found.left is None)
            assert said(gallery.nearest(rows[1])) == slowly_without(model, rows, {2, 3, 4}, rows[1])
            assert gallery.check() == ()
            with pytest.raises(GalleryError, match="no reference 3"):
                gallery.remove(3)
            with pytest.raises(GalleryError, match="nobody is enrolled as 'bob'"):
                gallery.remove("bob")
            assert gallery.enrol("bob", rows[3]) == 5  # a number is never given again

    def test_nothing_of_it_is_left_on_the_disk(self, path: Path, few: Items) -> None:
        """In the file, its log and its journal: name, note, embedding, digest and original."""
        model = pictures_model()
        with Gallery.open(path, model, keep_originals=True) as gallery:
            gallery.enrol_items(few)
            secret = few.values[3][::-1].copy()
            number = gallery.enrol("Secretissima", secret, note="a very private note")
            original = gallery.original(number)
            thumbnail = gallery.thumbnail(number)
            assert original is not None
            assert thumbnail is not None
            traces = [
                b"Secretissima",
                b"very private",
                model.embed([secret]).numpy().tobytes(),
                original[60:-20],
                thumbnail[60:-20],
            ]
            before = file_bytes(path)
            assert [trace in before for trace in traces] == [True] * len(traces)
            assert gallery.remove("Secretissima").erased
            after = file_bytes(path)
            assert [trace in after for trace in traces] == [False] * len(traces)

    def test_of_thousands_nothing_is_left(self, path: Path, model: Siamese) -> None:
        """Pages are split and joined as rows come and go; no copy stays behind."""
        rows = drawn_rows(3000, 0)
        names = [f"person {place % 700:03} of the house" for place in range(3000)]
        order = np.random.default_rng(0).permutation(700)
        with Gallery.open(path, model) as gallery:
            gallery.enrol_items(gemel.data.arrays(rows, names))
            gone = [f"person {place:03} of the house" for place in order[:30]]
            for name in gone:
                gallery.remove(name)
            after = file_bytes(path)
            assert not [name for name in gone if name.encode() in after]
            left = [row for row, name in zip(rows, names, strict=True) if name in set(gone)]
            assert len(left) > 100
            assert not [row for row in left if row.tobytes() in after]
            assert gallery.check() == ()

    def test_while_another_reads(self, path: Path, model: Siamese) -> None:
        """The other's view keeps the old bytes in the log; that is said, and mended at opening."""
        rows = drawn_rows(2, 0)
        with open_numbers(path, model, rows, ["ada", "bob"]) as gallery:
            other = Gallery.open(path, model, timeout=0.1)
            gallery._store._connection.execute("PRAGMA busy_timeout = 100")
            with other._store.snapshot():
                assert other._store.counts()[1] == 2
                found = gallery.remove("ada")
            assert not found.erased
            assert "another process is reading" in str(found)
            assert rows[0].tobytes() in file_bytes(path)
            Gallery.open(path, model).close()
            assert rows[0].tobytes() not in file_bytes(path)
            other.close()

    def test_rename(self, place: Place, model: Siamese) -> None:
        rows = drawn_rows(2, 0)
        with open_numbers(place, model, rows, ["ada", "bob"]) as gallery:
            gallery.nearest(rows[0])
            gallery.rename("ada", "Ada L.")
            assert gallery.identify(rows[0]).identity == "Ada L."
            gallery.rename("Ada L.", "Ada L.")
            with pytest.raises(GalleryError, match="there is a 'bob' already"):
                gallery.rename("Ada L.", "bob")
            with pytest.raises(GalleryError, match="nobody is enrolled as 'ada'"):
                gallery.rename("ada", "x")


def slowly_without(model: Siamese, rows: np.ndarray, gone: set[int], item: object) -> list[tuple]:
    names = ["ada", "bob", "ada", "bob"]
    left = [number for number in range(1, 5) if number not in gone]
    every = [(model.compare(item, rows[n - 1]).distance, n, names[n - 1]) for n in left]
    return sorted(min(one for one in every if one[2] == name) for name in {one[2] for one in every})


class TestModels:
    def test_another_model_is_refused(self, place: Place, model: Siamese) -> None:
        with open_numbers(place, model, drawn_rows(1, 0), ["ada"]):
            pass
        with pytest.raises(GalleryError, match="belongs to the model") as caught:
            Gallery.open(place, numbers_model(metrics.Cosine()))
        assert "reembed" in str(caught.value)
        model.threshold = 3.0  # is no part of the fingerprint
        Gallery.open(place, model).close()

    @pytest.mark.parametrize("kept", [True, False])
    def test_originals_are_a_choice_at_creation(self, place: Place, few: Items, kept: bool) -> None:
        model = pictures_model()
        with Gallery.open(place, model, keep_originals=kept) as gallery:
            number = gallery.enrol("ada", few.values[0])
            assert (gallery.original(number) is not None) == kept
            assert (gallery.thumbnail(number) is not None) == kept
        with Gallery.open(place, model) as gallery:
            assert gallery.stats().keeps_originals == kept
        Gallery.open(place, model, keep_originals=kept).close()
        with pytest.raises(SettingsError, match="chosen when it was made"):
            Gallery.open(place, model, keep_originals=not kept)

    @pytest.mark.parametrize("seed", [0, 1])
    def test_made_anew_while_it_is_open(self, place: Place, few: Items, seed: int) -> None:
        """For another model, or for its own: as out of what half precision cannot hold."""
        old, new = pictures_model(), pictures_model(seed=seed)
        with Gallery.open(place, old, keep_originals=True) as gallery:
            gallery.enrol_items(few)
            gallery.nearest(few.values[0])
            assert Gallery.reembed(place, new) == 36
            for ask in (
                lambda: gallery.nearest(few.values[0]),
                lambda: gallery.enrol("x", few.values[1]),
                lambda: gallery.remove(1),
                lambda: gallery.verify(few.labels[0], few.values[0]),
            ):
                with pytest.raises(OtherModelError, match="was made anew while it was open here"):
                    ask()
        with Gallery.open(place, new) as gallery:
            assert gallery.check() == ()
            assert gallery.enrol_items(few).added == 0  # the digests are the new input's
            found = said(gallery.nearest(few.values[5], 6))
            assert found == slowly(new, few.values, few.labels.tolist(), few.values[5])

    def test_reembedding_is_all_or_nothing(
        self, place: Place, few: Items, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old, new = pictures_model(), pictures_model(seed=1)
        with Gallery.open(place, old, keep_originals=True) as gallery:
            gallery.enrol_items(few)
            tamper(gallery, "DELETE FROM originals WHERE reference = 36")
            assert gallery.check() == ("the original of reference 36 is missing",)
        with pytest.raises(GalleryError, match="original of reference 36 is missing"):
            Gallery.reembed(place, new)
        with Gallery.open(place, old) as gallery:
            assert len(gallery.nearest(few.values[0], 6)) == 6

    def test_what_cannot_be_reembedded(
        self, new_place: Callable[[], Place], model: Siamese
    ) -> None:
        place, other = new_place(), new_place()
        with open_numbers(place, model, drawn_rows(1, 0), ["ada"]):
            pass
        with pytest.raises(GalleryError, match="keeps no originals"):
            Gallery.reembed(place, numbers_model(metrics.Cosine()))
        Gallery.open(other, model, keep_originals=True).close()
        with pytest.raises(GalleryError, match="is of numbers; the model takes images"):
            Gallery.reembed(other, pictures_model())


class TestJoint:
    def joint(self) -> Siamese:
        model = Siamese(
            inputs.Images(16, channels=1), encoders.Joint(encoders.Conv(width=4, dim=1))
        )
        model.threshold = 0.0
        return model

    def test_made_anew_while_it_is_open(self, place: Place, few: Items) -> None:
        model = self.joint()
        with Gallery.open(place, model, keep_originals=True, one_by_one=True) as gallery:
            gallery.enrol("ada", few.values[0])
            other = self.joint()
            with torch.no_grad():
                for weights in other.parameters():
                    weights.add_(1)
            assert Gallery.reembed(place, other) == 1
            for ask in (
                lambda: gallery.nearest(few.values[0]),
                lambda: gallery.verify("ada", few.values[0]),
            ):
                with pytest.raises(OtherModelError, match="was made anew while it was open here"):
                    ask()

    def test_is_refused_unless_asked_for(self, path: Path) -> None:
        for words in (
            {},
            {"one_by_one": True},
            {"one_by_one": True, "keep_originals": False},
            {"keep_originals": True},
        ):
            with pytest.raises(SettingsError, match="no embeddings to keep or to search"):
                Gallery.open(path, self.joint(), **words)
            assert not path.exists()

    def test_one_by_one(self, place: Place, few: Items, monkeypatch: pytest.MonkeyPatch) -> None:
        model = self.joint()
        with Gallery.open(place, model, keep_originals=True, one_by_one=True) as gallery:
            assert gallery.nearest(few.values[0]) == ()
            gallery.enrol_items(few.take(np.arange(30)))
            labels = few.labels[:30].tolist()
            every = [
                (
                    model.compare(few.values[33], few.values[place]).distance,
                    place + 1,
                    labels[place],
                )
                for place in range(30)
            ]
            wanted = sorted(min(one for one in every if one[2] == name) for name in set(labels))
            assert said(gallery.nearest(few.values[33], 4)) == wanted[:4]
            one = gallery.verify(few.labels[0], few.values[33])
            assert (one.comparison.distance, one.reference, one.identity) in wanted
            assert "one by one" in gallery.stats().search
            assert gallery.check() == ()
            monkeypatch.setattr("gemel.gallery.matching.ONE_BY_ONE", 29)
            with pytest.raises(GalleryError, match="30 references; a joint comparer is asked"):
                gallery.nearest(few.values[33])


def test_numbers_are_counted_once_a_change(
    place: Place, model: Siamese, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whichever process it is made."""
    rows = drawn_rows(3, 0)
    with open_numbers(place, model, rows[:1], ["a"]) as gallery:
        counted = []
        count = gallery._store.counts
        monkeypatch.setattr(gallery._store, "counts", lambda: counted.append(1) or count())
        for _ in range(3):
            assert gallery.stats().references == 1
        assert len(counted) == 1
        with Gallery.open(place, model) as other:
            other.enrol("b", rows[1])
            assert (gallery.stats().identities, gallery.stats().references) == (2, 2)
            other.remove("a")
        assert (gallery.stats().identities, gallery.stats().references) == (1, 1)
        assert len(counted) == 3


def test_stats(place: Place, model: Siamese) -> None:
    with open_numbers(place, model, drawn_rows(3, 0), ["a", "b", "a"]) as gallery:
        found = gallery.stats()
        assert (found.identities, found.references, found.dim) == (2, 3, DIM)
        assert found.fingerprint == model.fingerprint
        assert found.search in ("exact, squared distances", "exact (pgvector), squared distances")
        assert "2 identities, 3 references of 6 numbers" in str(found)
        assert found.bytes > 0
