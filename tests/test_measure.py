"""A model's figures, against the same computed by hand from its embeddings."""

from pathlib import Path

import numpy as np
import pytest
from torch import nn

import gemel
from gemel import Items, Pairs, Siamese, evaluation, inputs, measure, metrics, trials
from gemel.errors import BadItemsError, EvaluationError


@pytest.fixture
def pixels() -> Siamese:
    """Nearest pixels, as a model without weights."""
    return Siamese(inputs.Images(16, channels=1), nn.Flatten(), metrics.Euclidean())


def as_rows(items: Items) -> np.ndarray:
    return np.asarray(items.values, dtype=np.float64).reshape(len(items), -1) / 255


class TestOneShot:
    def test_against_a_loop_over_the_same_episodes(self, symbols: Items, pixels: Siamese) -> None:
        rows = as_rows(symbols)
        drawn = trials.draw_item_episodes(
            symbols, ways=5, shots=1, trials=100, within_groups=True, seed=4
        )
        right = 0
        for support, query, answer in zip(
            drawn.support[:, :, 0], drawn.query, drawn.answer, strict=True
        ):
            distances = [np.linalg.norm(rows[query] - rows[item]) for item in support]
            right += int(np.argmin(distances)) == answer
        found = measure.one_shot(pixels, symbols, ways=5, trials=100, seed=4)
        assert found.value == right / 100
        assert (found.count, found.split, found.seed) == (100, "symbols", 4)
        assert "groups" in found.method

    def test_several_shots_meet_as_their_mean(self, symbols: Items, pixels: Siamese) -> None:
        rows = as_rows(symbols)
        drawn = trials.draw_item_episodes(
            symbols, ways=4, shots=3, trials=60, within_groups=False, seed=1
        )
        right = 0
        for support, query, answer in zip(drawn.support, drawn.query, drawn.answer, strict=True):
            distances = [np.linalg.norm(rows[query] - rows[way].mean(0)) for way in support]
            right += int(np.argmin(distances)) == answer
        found = measure.one_shot(
            pixels, symbols, ways=4, shots=3, trials=60, within_groups=False, seed=1
        )
        assert found.value == pytest.approx(right / 60)

    def test_default_ways(self, symbols: Items) -> None:
        assert trials.default_ways(symbols, within_groups=True) == 6
        assert trials.default_ways(symbols, within_groups=False) == 20


class TestItemPairs:
    def test_kinds_and_no_item_with_itself(self, symbols: Items) -> None:
        left, right, same = trials.item_pairs(symbols, most=500, seed=2)
        labels = symbols.labels
        assert (same == (labels[left] == labels[right])).all()
        assert (left != right).all()
        assert 300 < same.sum() == (~same).sum() <= 500
        assert len({frozenset(pair) for pair in zip(left, right, strict=True)}) == len(same)

    def test_every_class_takes_part(self, symbols: Items) -> None:
        left, _, same = trials.item_pairs(symbols, most=len(symbols), seed=0)
        assert set(symbols.labels[left[same]]) == set(symbols.classes)

    def test_partners_are_uniform(self) -> None:
        items = Items(np.zeros((6, 2, 2), np.uint8), np.array(["a", "b", "a", "c", "a", "b"]))
        drawn = [trials.item_pairs(items, seed=seed) for seed in range(30)]
        left, right, same = (np.concatenate(column) for column in zip(*drawn, strict=True))
        for item in range(6):
            partners = right[same & (left == item)]
            others = [i for i in range(6) if i != item and items.labels[i] == items.labels[item]]
            assert set(partners.tolist()) == set(others)
            strangers = right[~same & (left == item)]
            unlike = [i for i in range(6) if items.labels[i] != items.labels[item]]
            assert set(strangers.tolist()) == set(unlike)

    def test_few_same_pairs_do_not_limit_the_different_ones(self, symbols: Items) -> None:
        left, right, same = trials.many_different_pairs(symbols, same=50, different=5000, seed=3)
        ids = symbols.class_ids
        assert (same.sum(), (~same).sum()) == (50, 5000)
        assert ((ids[left] == ids[right]) == same).all()
        assert len({frozenset(pair) for pair in zip(left, right, strict=True)}) == len(same)

    def test_too_little(self) -> None:
        alone = Items(np.zeros((2, 2, 2), np.uint8), np.array(["a", "b"]))
        with pytest.raises(EvaluationError, match="2 classes, of which 0 have two or more"):
            trials.item_pairs(alone)


class TestEvaluate:
    def test_all_figures_of_items(self, symbols: Items, pixels: Siamese) -> None:
        pixels.threshold = 3.0
        found = gemel.evaluate(pixels, symbols, ways=5, trials=50)
        names = [figure.name for figure in found.figures]
        assert {"AUC", "EER", "accuracy at 3"} <= set(names)
        assert any("5-way 1-shot" in name for name in names)
        assert any("recall@1" in name.lower() for name in names)
        judged = found.judged
        rows = as_rows(symbols)
        accepted = np.linalg.norm(rows[judged.left] - rows[judged.right], axis=1) <= 3.0
        assert found.verification.accuracy is not None
        sames = judged.same.sum()
        assert found.verification.accuracy.count == 2 * sames < len(judged.same)
        balanced = np.concatenate([accepted[:sames], ~accepted[sames : 2 * sames]])
        assert found.verification.accuracy.value == pytest.approx(balanced.mean())
        assert str(found).count("split symbols") >= 4
        assert len(found.as_dict()["figures"]) == len(found.figures)
        assert len(found.as_dict()["refused"]) == len(found.refused) > 0

    def test_what_was_judged_can_be_looked_at(self, symbols: Items, pixels: Siamese) -> None:
        judged = gemel.evaluate(pixels, symbols, trials=20).judged
        rows = as_rows(symbols)
        wanted = np.linalg.norm(rows[judged.left] - rows[judged.right], axis=1)
        np.testing.assert_allclose(judged.distance, wanted, rtol=1e-4)
        assert (judged.same == (symbols.labels[judged.left] == symbols.labels[judged.right])).all()

    def test_groups_are_judged_by_themselves(self, symbols: Items, pixels: Siamese) -> None:
        assert gemel.evaluate(pixels, symbols, trials=20).groups is None  # no threshold
        pixels.threshold = 3.0
        found = gemel.evaluate(pixels, symbols, trials=20)
        assert found.groups is not None
        assert len(found.groups.groups) == len(set(symbols.class_groups))
        assert found.as_dict()["groups"] is not None

    def test_identification_from_one_reference(self, symbols: Items, pixels: Siamese) -> None:
        found = gemel.evaluate(pixels, symbols, trials=20, seed=3).identification
        gallery, probes = trials.gallery_and_probes(symbols, seed=3)
        assert found is not None
        assert found.labels == len(gallery) == 18
        rows = as_rows(symbols)
        apart = np.linalg.norm(rows[probes][:, None] - rows[gallery], axis=2)
        known = np.isin(symbols.labels[probes], symbols.labels[gallery])
        assert found.known == known.sum() == 18 * 5
        hit = symbols.labels[gallery][apart.argmin(1)] == symbols.labels[probes]
        assert found.rank[0].value == pytest.approx(hit[known].mean())

    def test_a_calibrated_model_has_a_calibration_error(
        self, symbols: Items, pixels: Siamese
    ) -> None:
        fitted, judged = symbols.split_classes(0.6, seed=0)
        gemel.calibrate(pixels, fitted, false_accepts=0.05)
        found = gemel.evaluate(pixels, judged, trials=20)
        assert found.calibration_error is not None
        assert found.calibration_error in found.figures

    def test_pairs_without_their_bad_items(
        self, symbols: Items, pixels: Siamese, tmp_path: Path
    ) -> None:
        (tmp_path / "bad.png").write_text("no picture")
        values = [tmp_path / "bad.png", *symbols.values]
        left, right, same = trials.item_pairs(symbols, most=80, seed=0)
        clean = Pairs(symbols.values, left, right, same)
        mixed = Pairs(
            values,
            np.concatenate([[0, 5], left + 1]),
            np.concatenate([[7, 0], right + 1]),
            np.concatenate([[True, False], same]),
        )
        with pytest.raises(BadItemsError, match=r"bad\.png"):
            gemel.evaluate(pixels, mixed)
        found = gemel.evaluate(pixels, mixed, skip_bad=True).verification
        assert found.auc.value == gemel.evaluate(pixels, clean).verification.auc.value
        assert found.same_count + found.different_count == len(same)

    def test_a_table_of_pairs_is_judged_by_folds_too(self, symbols: Items, pixels: Siamese) -> None:
        left, right, same = trials.item_pairs(symbols, most=80, seed=0)
        table = Pairs(symbols.values, left, right, same)
        found = gemel.evaluate(pixels, table, seed=5)
        assert found.folds is not None
        assert found.folds.accuracy in found.figures
        wanted = evaluation.fold_accuracy(
            found.judged.distance, same, folds=10, split="pairs", seed=5
        )
        assert found.folds.accuracy.value == wanted.accuracy.value
        few = table.take(np.concatenate([np.arange(9), np.arange(80, 160)]))
        assert gemel.evaluate(pixels, few).folds is None

    def test_lake_needs_no_labels(self, pixels: Siamese, data_folder: object) -> None:
        runs = gemel.data.lake_runs(data_folder("omniglot"))  # type: ignore[operator]
        model = Siamese(inputs.Images(28, channels=1), nn.Flatten(), metrics.Cosine())
        found = measure.lake(model, runs)
        right = 0.0
        for run in runs:

            def unit(pictures: np.ndarray) -> np.ndarray:
                stored = np.stack([model.input.read(picture) for picture in pictures])
                rows = stored.reshape(20, -1).astype(np.float64)
                return rows / np.linalg.norm(rows, axis=1, keepdims=True)

            guesses = (unit(run.queries) @ unit(run.references).T).argmax(1)
            right += float((guesses == run.answers).sum())
        assert found.value == pytest.approx(right / 400, abs=0.0026)
        assert found.count == 400


class TestGallery:
    def test_half_of_the_classes_give_one_reference(self, symbols: Items) -> None:
        gallery, probes = trials.gallery_and_probes(symbols, seed=0)
        labels = symbols.labels[gallery]
        assert len(set(labels.tolist())) == len(labels) == round(len(symbols.classes) / 2)
        assert not set(gallery.tolist()) & set(probes.tolist())
        assert len(gallery) + len(probes) == len(symbols)
        other = trials.gallery_and_probes(symbols, seed=1)[0]
        assert set(other.tolist()) != set(gallery.tolist())

    def test_a_lone_item_only_asks(self) -> None:
        items = Items(np.zeros((5, 2, 2), np.uint8), np.array(list("aabbc")))
        for seed in range(20):
            gallery, probes = trials.gallery_and_probes(items, seed=seed)
            assert len(gallery) == 2
            assert 4 in probes
        with pytest.raises(EvaluationError, match="has 1 classes of two or more items"):
            trials.gallery_and_probes(items.take(np.array([0, 1, 4])), seed=0)
