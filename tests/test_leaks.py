"""Leaks between splits, found and not imagined."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gemel import Items, Pairs, inputs
from gemel.errors import BadItemsError, EvaluationError, SettingsError
from gemel.inputs import prepare
from gemel.leaks import Marks, digests, find_leaks, marks, refuse_calibrated, warn_of_training


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    """Forty smooth pictures in colour, 48 x 40: sums of a few waves."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:48, :40] / 40
    found = []
    for _ in range(40):
        waves = [
            np.sin(2 * np.pi * (a * x + b * y + c)) for a, b, c in generator.uniform(-2, 2, (5, 3))
        ]
        colours = np.tensordot(generator.random((3, 5)), waves, 1)  # [3, 48, 40]
        low, high = colours.min(), colours.max()
        found.append((255 * (colours - low) / (high - low)).astype(np.uint8).transpose(1, 2, 0))
    return found


def items(values: list, labels: str = "", name: str = "items") -> Items:
    names = list(labels) if labels else [f"{name}-{i}" for i in range(len(values))]
    return Items(values, np.array(names, dtype=np.str_), name=name)


def as_jpeg(picture: np.ndarray) -> Image.Image:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=60)
    return Image.open(io.BytesIO(file.getvalue()))


class TestClassesAndItems:
    def test_classes_in_both(self) -> None:
        values = np.arange(4 * 3).reshape(4, 3).astype(float)
        first = Items(values, np.array(list("abab")), kind="numbers", name="train")
        second = Items(values + 100, np.array(list("bcbc")), kind="numbers", name="test")
        found = find_leaks(first, second)
        assert found.classes == ("b",)
        assert found.warnings == ("1 classes are in both train and test: b",)
        assert len(found.same) == len(found.near) == 0

    def test_items_in_both(self) -> None:
        values = np.arange(12.0).reshape(4, 3)
        first = Items(values, np.array(list("aabb")), kind="numbers", name="train")
        second = Items(values[[3, 0, 3]] + [[0], [0.5], [0]], np.array(list("ccd")), kind="numbers")
        found = find_leaks(first, second)
        assert found.same.tolist() == [[3, 0], [3, 2]]
        assert found.warnings == (
            "2 items are the same in train and items: "
            "train item 3 with items item 0, train item 3 with items item 2",
        )

    def test_same_picture_in_another_file(self, photos: list, tmp_path: Path) -> None:
        Image.fromarray(photos[7]).save(tmp_path / "a.png", compress_level=1)
        Image.fromarray(photos[7]).save(tmp_path / "b.bmp")
        found = find_leaks(items([tmp_path / "a.png", photos[1]]), items([tmp_path / "b.bmp"], "x"))
        assert found.same.tolist() == [[0, 0]]
        assert "a.png with " in found.warnings[0]
        assert found.warnings[0].endswith("b.bmp")

    def test_pairs(self) -> None:
        values = np.arange(18.0).reshape(6, 3)
        same = np.array([True, False])
        first = Pairs(values[:4], np.array([0, 2]), np.array([1, 3]), same, "numbers", "train")
        second = Pairs(values[2:], np.array([0, 2]), np.array([1, 3]), same, "numbers", "test")
        found = find_leaks(first, second)
        assert found.same.tolist() == [[2, 0], [3, 1]]
        assert found.classes == ()

    def test_own_input(self, photos: list) -> None:
        """At two pixels a side much is equal that is not at 32."""
        flat = [np.full((8, 8), tone, np.uint8) for tone in (10, 200)]
        spotted = flat[0].copy()
        spotted[0, 0] = 14
        first, second = items(flat), items([spotted], "x")
        assert not len(find_leaks(first, second).same)
        small = inputs.Images(2, channels=1)
        assert find_leaks(first, second, input=small).same.tolist() == [[0, 0]]

    def test_other_kinds(self, photos: list) -> None:
        rows = Items(np.zeros((2, 3)), np.array(["a", "b"]), kind="numbers", name="rows")
        with pytest.raises(SettingsError, match="items holds images and rows numbers"):
            find_leaks(items(photos), rows)

    def test_bad_items(self, tmp_path: Path, photos: list) -> None:
        with pytest.raises(BadItemsError, match=r"gone\.png"):
            find_leaks(items(photos), items([tmp_path / "gone.png"], "x"))

    def test_nothing_shared(self, photos: list) -> None:
        found = find_leaks(items(photos[:20], name="a"), items(photos[20:], name="b"))
        assert found.warnings == ()

    def test_empty(self) -> None:
        blank = [np.zeros((4, 4), np.uint8)]
        assert not len(find_leaks(items([]), items(blank, "x")).same)


class TestNearImages:
    @pytest.mark.parametrize("change", ["jpeg", "smaller", "dimmer", "noise", "grey"])
    def test_a_copy_is_known_in_disguise(self, photos: list, change: str) -> None:
        generator = np.random.default_rng(1)
        ways = {
            "jpeg": as_jpeg,
            "smaller": lambda p: Image.fromarray(p).resize((33, 37), Image.Resampling.BILINEAR),
            "dimmer": lambda p: (p * 0.7 + 20).astype(np.uint8),
            "noise": lambda p: np.clip(p + generator.normal(0, 4, p.shape), 0, 255).astype("u1"),
            "grey": lambda p: np.asarray(Image.fromarray(p).convert("L")) // 2 * 2,
        }
        order = generator.permutation(40)
        found = find_leaks(items(photos), items([ways[change](photos[i]) for i in order], name="b"))
        both = np.concatenate([found.same, found.near])
        assert len(both) >= 39
        assert (both[:, 0] == order[both[:, 1]]).all()
        assert len(found.near) >= 39
        assert f"{len(found.near)} items are nearly the same image in" in found.warnings[-1]

    def test_no_false_alarm_on_drawings(self, symbols: Items) -> None:
        first, second = symbols.split_items(0.5, seed=0)
        assert not len(find_leaks(first, second).near)

    def test_blank_images_are_not_near_everything(self, photos: list) -> None:
        generator = np.random.default_rng(0)
        blank = [
            (tone + generator.integers(0, 3, (40, 40))).astype(np.uint8) for tone in (0, 100, 250)
        ]
        found = find_leaks(items([*photos, *blank], name="a"), items(blank[::-1], name="b"))
        assert not len(found.near)
        assert found.same.tolist() == [[42, 0], [41, 1], [40, 2]]
        assert not len(find_leaks(items(blank, name="a"), items(photos, name="b")).near)

    def test_the_nearest_is_named(self, photos: list) -> None:
        noisy = [np.clip(photos[3] + np.int64(n), 0, 255).astype("u1") for n in (1, 0)]
        noisy[0][:6, :6] = 0
        other = photos[3].copy()
        other[0, 0] = 255
        found = find_leaks(items([photos[9], *noisy], name="a"), items([other], "x"))
        assert found.near.tolist() == [[2, 0]]


class TestMarks:
    def test_digests_tell_items_apart(self, symbols: Items) -> None:
        read = prepare(inputs.Images(16, channels=1), symbols.values)
        found = digests(read)
        wanted = {np.asarray(value).tobytes() for value in symbols.values}
        assert len(set(found.tolist())) == len(wanted)
        again = prepare(inputs.Images(16, channels=1), symbols.values[5:9])
        np.testing.assert_array_equal(digests(again), found[5:9])

    def test_what_was_trained_on(self, symbols: Items) -> None:
        read = digests(prepare(inputs.Images(16, channels=1), symbols.values))
        train, test = np.arange(60), np.arange(58, len(symbols))
        known = marks(symbols.take(train), read[train])
        found = warn_of_training(known, symbols.take(test, "test"), read[test])
        shared = np.isin(read[test], read[train]).sum()
        assert shared >= 2
        assert found[0].startswith(
            f"{shared} of the {len(test)} items of test were trained or validated on"
        )
        classes = set(symbols.labels[train]) & set(symbols.labels[test])
        assert f"{len(classes)} of the" in found[1]
        assert warn_of_training(known, symbols.take([70]), np.array([12345])) == ()

    def test_pairs_have_no_classes(self) -> None:
        pairs = Pairs(np.zeros((2, 3)), np.array([0]), np.array([1]), np.array([True]), "numbers")
        known = marks(pairs, np.array([5, 5, 3]))
        assert known.items.tolist() == [3, 5]
        assert known.classes.tolist() == []
        assert len(warn_of_training(known, pairs, np.array([5, 6]))) == 1


def rows(count: int, labels: str = "", name: str = "test") -> Items:
    names = np.array(list(labels) or [f"c{i}" for i in range(count)], dtype=np.str_)
    return Items(np.zeros((count, 1)), names, kind="numbers", name=name)


class TestRefuseCalibrated:
    def test_one_pair_is_too_much(self) -> None:
        """Of 20 items two were calibrated on: the pair of these may be what was fitted."""
        known, items = Marks(np.array([3, 7]), np.empty(0, np.int64)), np.arange(20)
        left, right = np.arange(19), np.arange(1, 20)
        (warning,) = refuse_calibrated(known, rows(20), items, left, right)
        assert warning.startswith(
            "2 of the 20 items of test were calibrated on (test item 3, test item 7): 4 of the 19 "
            "judged pairs have one such item"
        )
        with pytest.raises(EvaluationError) as caught:
            refuse_calibrated(known, rows(20), items, np.append(left, 3), np.append(right, 7))
        assert "judged on: 2 of the 20 items of test were calibrated on" in str(caught.value)
        assert "and 1 of the 20 pairs to judge are of two such items" in str(caught.value)
        assert "model.calibration = model.threshold = None" in str(caught.value)

    def test_items_that_are_in_no_pair_do_not_count(self) -> None:
        known, items = Marks(np.array([3, 7]), np.empty(0, np.int64)), np.arange(20)
        nobody = np.array([0, 1]), np.array([2, 4])
        assert refuse_calibrated(known, rows(20), items, *nobody) == ()

    def test_the_same_classes_with_other_items(self) -> None:
        known = marks(rows(4, "abab"), np.arange(4))
        (warning,) = refuse_calibrated(
            known, rows(4, "bccb"), np.arange(10, 14), np.array([0]), np.array([3])
        )
        assert warning.startswith(
            "1 of the 2 classes of test have names that were calibrated on (b): if they are the"
        )


class TestSides:
    """Splits whose sides are read apart: what stands on one is compared with the same side."""

    def half_twins(self, photos: list, numbers: np.ndarray, name: str) -> Pairs:
        count = len(photos)
        return Pairs(
            [value for couple in zip(photos, numbers, strict=True) for value in couple],
            2 * np.arange(count),
            2 * np.arange(count) + 1,
            np.arange(count) % 2 == 0,
            "images",
            name,
            right_kind="numbers",
        )

    def test_pairs_of_two_kinds(self, photos: list) -> None:
        numbers = np.random.default_rng(0).random((12, 5))
        first = self.half_twins(photos[:6], numbers[:6], "train")
        again = [photos[10], photos[3], np.asarray(as_jpeg(photos[5]))]
        second = self.half_twins(again, numbers[[8, 9, 1]], "test")
        given = inputs.Sides(inputs.Images(40), inputs.Numbers(5))
        for reader in (None, given):
            found = find_leaks(first, second, input=reader)
            assert found.same.tolist() == [[6, 2], [3, 5]]
            assert found.near.tolist() == [[10, 4]]
            assert (
                "train item 6 with test item 2, train item 3 with test item 5"
                in (found.warnings[0])
            )

    def test_two_inputs_of_one_kind(self, photos: list) -> None:
        """Of items, each stands on both sides, and is named once."""
        given = inputs.Sides(inputs.Images(32, channels=1), inputs.Images(16))
        found = find_leaks(items(photos[:8]), items([photos[9], photos[4]], name="b"), input=given)
        assert found.same.tolist() == [[4, 1]]
        assert len(found.near) == 0
        left, right = np.array([0, 1]), np.array([2, 3])
        one = Pairs(photos[:4], left, right, np.array([True, False]), name="one")
        other = Pairs([photos[i] for i in (0, 7, 8, 3)], left, right, np.array([True, False]))
        assert find_leaks(one, other, input=given).same.tolist() == [[0, 0], [3, 3]]
        assert find_leaks(one, items(photos[2:4]), input=given).same.tolist() == [[2, 0], [3, 1]]

    def test_other_kinds_on_one_side(self, photos: list) -> None:
        first = self.half_twins(photos[:2], np.zeros((2, 5)), "train")
        with pytest.raises(
            SettingsError, match="train holds images and numbers and items images; two"
        ):
            find_leaks(first, items(photos[:2]))


def test_pens_and_kinds_of_one_s_own() -> None:
    rng = np.random.default_rng(0)
    pens = [
        np.column_stack([rng.normal(size=(20, 2)).cumsum(0), 10.0 * np.arange(20)])
        for _ in range(6)
    ]
    first, second = (
        Items(values, np.array(labels), kind="pens", name=name)
        for values, labels, name in (
            (pens[:4], list("aabb"), "train"),
            ([pens[4], pens[2].copy()], list("cc"), "test"),
        )
    )
    assert find_leaks(first, second).same.tolist() == [[2, 1]]
    sounds = Items([[1.0], [2.0]], np.array(["a", "b"]), kind="sounds")
    with pytest.raises(SettingsError, match="give `input`, which reads sounds"):
        find_leaks(sounds, sounds)
