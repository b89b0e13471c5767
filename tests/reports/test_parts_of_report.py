"""Confusions, mistakes, episodes and portraits, against the same found by slow loops."""

import base64
from io import BytesIO

import numpy as np
import pytest
from pages import parsed, rows
from PIL import Image
from torch import nn

import gemel
from gemel import Items, Pairs, Siamese, encoders, inputs, metrics
from gemel.embedded import Embedded
from gemel.inputs import read_items
from gemel.measure import Evaluation
from gemel.reports import Asked
from gemel.reports.confusion import confusion, confusion_tables, worst_confusions
from gemel.reports.embedding_map import MOST_CLASSES, mapped_items, maps
from gemel.reports.episodes import Answer, answers, chosen, episodes_shown, same_episodes
from gemel.reports.mistakes import mistakes, worst
from gemel.reports.portraits import SIDE, Portraits
from gemel.reports.words import encoder_name

PIXELS = Siamese(inputs.Images(16, channels=1), nn.Flatten(), metrics.Euclidean())


def on_a_line(places: list[float], labels: list[str]) -> tuple[Embedded, Items]:
    items = Items(np.array(places)[:, None], np.array(labels), kind="numbers", name="line")
    model = Siamese(inputs.Numbers(1), nn.Identity(), metrics.Euclidean())
    return Embedded(model, read_items(model.input, items)[1]), items


@pytest.fixture(scope="module")
def found(symbols: Items) -> Evaluation:
    return gemel.evaluate(PIXELS, symbols, ways=5, trials=60)


class TestConfusion:
    def test_against_a_loop(self, found: Evaluation, symbols: Items) -> None:
        pixels = np.asarray(symbols.values, dtype=np.float64).reshape(len(symbols), -1)
        names = list(symbols.classes)
        wanted = np.zeros((len(names), len(names)))
        for item in range(len(symbols)):
            gaps = np.linalg.norm(pixels - pixels[item], axis=1)
            gaps[item] = np.inf
            nearest = np.flatnonzero(gaps == gaps.min())
            for other in nearest:
                place = names.index(symbols.labels[item]), names.index(symbols.labels[other])
                wanted[place] += 1 / len(nearest)
        told = confusion(found.judged.embedded, symbols)
        np.testing.assert_allclose(told.todense(), wanted, atol=1e-9)
        assert told.sum() == pytest.approx(len(symbols))
        worst_ = worst_confusions(told, symbols, most=5)
        off = np.sort((wanted - np.diag(np.diag(wanted))).ravel())[::-1]
        np.testing.assert_allclose([one.items for one in worst_], off[:5])
        for one in worst_:
            assert wanted[names.index(one.true), names.index(one.taken_for)] == one.items
            assert one.count == (symbols.labels == one.true).sum()

    def test_a_tie_is_shared(self) -> None:
        embedded, items = on_a_line([0, 1, -1, 5], ["a", "a", "b", "b"])
        told = confusion(embedded, items)
        # a at 0 has an a and a b as near; a at 1 has an a; b at -1 has an a; b at 5 an a
        np.testing.assert_allclose(told.todense(), [[1.5, 0.5], [2, 0]])
        root = parsed(confusion_tables(told, items))
        assert [[cell.text for cell in row] for row in rows(root, "confusions")] == [
            ["b", "a", "2", "2"],
            ["a", "b", "0.5", "2"],
        ]
        assert [[cell.text for cell in row] for row in rows(root, "matrix")] == [
            ["a", "1.5", "0.5"],
            ["b", "2", ""],
        ]

    def test_none(self) -> None:
        embedded, items = on_a_line([0, 1, 10, 11], ["a", "a", "b", "b"])
        assert "No item has" in confusion_tables(confusion(embedded, items), items)

    def test_no_matrix_of_many_classes(self) -> None:
        labels = [str(i // 2) for i in range(82)]
        embedded, items = on_a_line([float(i) for i in range(82)], labels)
        assert "matrix" not in confusion_tables(confusion(embedded, items), items)


class TestMistakes:
    @pytest.mark.parametrize("same", [True, False])
    def test_worst_are_the_worst(self, found: Evaluation, same: bool) -> None:
        judged = found.judged
        numbers = worst(judged, same=same, most=7)
        assert (judged.same[numbers] == same).all()
        every = np.sort(judged.distance[judged.same == same])
        wanted = every[::-1][:7] if same else every[:7]
        np.testing.assert_array_equal(judged.distance[numbers], wanted)

    def test_shown_in_order_with_verdicts(self, symbols: Items) -> None:
        model = Siamese(inputs.Images(16, channels=1), nn.Flatten(), metrics.Euclidean())
        model.threshold = 5.0
        judged = gemel.evaluate(model, symbols, ways=5, trials=20).judged
        near, far = parsed(mistakes(judged)).find("ul", class_="gallery")
        for gallery, same in ((near, False), (far, True)):
            for shown, number in zip(gallery.find("li"), worst(judged, same=same), strict=True):
                text = shown.text
                assert f"distance {judged.distance[number]:.4f}" in text
                right = (judged.distance[number] <= 5) == same
                assert ("✓ judged right" if right else "✗ judged wrong") in text
                for side in (judged.left, judged.right):
                    assert symbols.labels[side[number]] in text


class TestEpisodes:
    def test_same_as_measured(self, found: Evaluation, symbols: Items) -> None:
        asked = Asked("m", "d", ways=5, trials=60)
        drawn = same_episodes(symbols, asked)
        told = answers(found.judged.embedded, drawn, shots=1)
        credit = [(one.truth in one.nearest) / len(one.nearest) for one in told]
        assert found.episodes is not None
        assert np.mean(credit) == pytest.approx(found.episodes.value)

    def test_default_ways(self, symbols: Items) -> None:
        assert same_episodes(symbols, Asked("m", "d", trials=3)).support.shape == (3, 6, 1)

    def test_chosen(self) -> None:
        every = [Answer(i, (0,), int(i % 5 == 0)) for i in range(40)]
        assert [one.trial for one in chosen(every)] == [1, 2, 3, 0, 5, 10]

    def test_a_tie_is_said(self) -> None:
        embedded, items = on_a_line([0, 1, -1, 5, 10, 10.5], ["a", "a", "b", "b", "c", "c"])
        asked = Asked("m", "d", ways=3, trials=60)
        figure = gemel.measure.one_shot_of(embedded, items, ways=3, trials=60)
        root = parsed(episodes_shown(embedded, items, asked, figure))
        drawn = same_episodes(items, asked)
        by_trial = {one.trial: one for one in answers(embedded, drawn, shots=1)}
        titles = [one.find("h3")[0].text for one in root.find("article")]
        assert len(titles) == 6
        for title, shown in zip(titles, root.find("article"), strict=True):
            trial = int(title.split(":")[0].removeprefix("Episode ")) - 1
            one = by_trial[trial]
            tie = len(one.nearest) > 1 and one.truth in one.nearest
            wanted = (
                "✓ right" if one.right else f"a tie of {len(one.nearest)}" if tie else "✗ wrong"
            )
            assert wanted in title
            marked = [
                number
                for number, way in enumerate(shown.find("li"))
                if way.attributes.get("class") in ("hit", "miss")
            ]
            assert tuple(marked) == one.nearest
        assert any("a tie of 2: counts 1/2" in title for title in titles)

    def test_many_ways_are_cut(self, symbols: Items) -> None:
        embedded = Embedded(PIXELS, read_items(PIXELS.input, symbols)[1])
        asked = Asked("m", "d", ways=36, trials=4, within_groups=False, shots=2)
        figure = gemel.measure.one_shot_of(
            embedded, symbols, ways=36, trials=4, within_groups=False, shots=2
        )
        root = parsed(episodes_shown(embedded, symbols, asked, figure))
        assert "Of the 2 references of a class the first is shown" in root.text
        for one in root.find("article"):
            shown = len(one.find("li"))
            assert 30 <= shown < 36
            assert f"{36 - shown} further references are not shown" in one.text


class TestPortraits:
    def test_colour_is_small_and_of_the_right_shape(self) -> None:
        picture = np.zeros((60, 300, 3), dtype=np.uint8)
        picture[..., 0] = 200
        items = Items([picture, picture], np.array(["a", "b"]))
        drawn = Portraits(items, inputs.Images()).of(0, "left")
        source = str(parsed(drawn).find("img")[0].attributes["src"])
        kind, code = source.split(";base64,")
        assert kind == "data:image/jpeg"
        shown = np.asarray(Image.open(BytesIO(base64.b64decode(code))))
        assert shown.shape == (round(60 * SIDE / 300), SIDE, 3)
        np.testing.assert_allclose(shown.mean((0, 1)), [200, 0, 0], atol=3)

    def test_grey_is_kept_to_the_bit(self, symbols: Items) -> None:
        element = parsed(Portraits(symbols, inputs.Images()).of(3, "left")).find("img")[0]
        code = str(element.attributes["src"]).split("data:image/png;base64,")[1]
        shown = np.asarray(Image.open(BytesIO(base64.b64decode(code))))
        np.testing.assert_array_equal(shown, symbols.values[3])
        assert symbols.labels[3] in str(element.attributes["alt"])

    def test_long_rows_are_cut(self) -> None:
        values, same = np.arange(20.0).reshape(2, 10), np.array([True])
        pairs = Pairs(values, np.array([0]), np.array([1]), same, kind="numbers")
        assert (
            parsed(Portraits(pairs, inputs.Numbers(10)).of(0, "left")).text
            == "0, 1, 2, 3, 4, 5, … (10 numbers)"
        )

    def test_pens_are_drawn(self) -> None:
        pen = np.array([[0, 0, 0], [10, 10, 10]], dtype=float)
        items = Items([pen, pen], np.array(["a", "b"]), kind="pens")
        portraits = Portraits(items, inputs.Pens())
        code = str(parsed(portraits.of(1, "left")).find("img")[0].attributes["src"]).split(",")[1]
        shown = np.asarray(Image.open(BytesIO(base64.b64decode(code))))
        assert shown.shape == (SIDE, SIDE)
        assert np.diagonal(shown)[8:-8].max() < 100
        assert shown[:20, -20:].min() == 255
        assert portraits.are_pictures("left")

    def test_what_cannot_be_portrayed_is_told_by_name(self) -> None:
        class Sounds(inputs.Numbers):
            kind = "sounds"

        items = Items([1, 2], np.array(["a", "b"]), kind="sounds", origins=["a.wav", "b.wav"])
        portraits = Portraits(items, Sounds(3))
        assert parsed(portraits.named(1, "left")).text == "bb.wav"
        assert not portraits.are_pictures("left")


class TestMap:
    def test_items_are_of_few_classes_and_even(self) -> None:
        labels = np.array([f"{i % 40:02}" for i in range(4000)])
        items = Items(np.zeros((4000, 1)), labels, kind="numbers")
        shown = mapped_items(items, seed=1)
        _, counts = np.unique(labels[shown], return_counts=True)
        assert len(counts) == MOST_CLASSES
        assert set(counts) == {600 // MOST_CLASSES}
        np.testing.assert_array_equal(shown, mapped_items(items, seed=1))
        assert len(set(shown.tolist())) == len(shown)

    def test_no_map_of_few_items(self) -> None:
        embedded, items = on_a_line([0, 1, 2, 3], ["a", "a", "b", "b"])
        assert maps(embedded, items, seed=0) is None


def test_encoder_of_two_sides() -> None:
    sides = encoders.Sides(encoders.Conv(width=(4,), dim=4), encoders.Dense(dim=4))
    model = Siamese(inputs.Images(16, channels=1), sides, metrics.Cosine())
    assert encoder_name(model) == "Conv and Dense"
