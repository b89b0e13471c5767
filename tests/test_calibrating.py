"""A model is calibrated, saved, loaded and judged: on other items than it was calibrated on."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

import gemel
from gemel import Items, Pairs, Siamese, encoders, inputs, metrics, storage, trials
from gemel.calibrating import _drawn_pairs
from gemel.errors import (
    BadItemsError,
    DataError,
    EvaluationError,
    ModelFileError,
    Problem,
    SettingsError,
)
from gemel.evaluation.calibration import fit_calibration
from gemel.inputs import read_items
from gemel.leaks import digests, marks


@pytest.fixture
def pixels() -> Siamese:
    """Nearest pixels, as a model without weights."""
    return Siamese(inputs.Images(16, channels=1), nn.Flatten(), metrics.Euclidean())


@pytest.fixture(scope="module")
def halves(symbols: Items) -> tuple[Items, Items]:
    return symbols.split_classes(0.5, seed=0)


def as_pairs(items: Items, count: int = 150) -> Pairs:
    left, right, same = trials.item_pairs(items, most=count, seed=0)
    return Pairs(items.values, left, right, same, name="table")


def of_300_classes() -> Items:
    labels = np.array([f"{number % 300}" for number in range(6000)])
    return Items(np.zeros((6000, 1)), labels, kind="numbers")


class TestCalibrate:
    def test_against_distances_by_hand(self, halves: tuple[Items, Items], pixels: Siamese) -> None:
        items = halves[0]
        before = pixels.fingerprint
        found = gemel.calibrate(pixels, items, false_accepts=0.05, seed=3)
        left, right, same = _drawn_pairs(items, pixels, 0.05, 3)
        rows = np.asarray(items.values, dtype=np.float32).reshape(len(items), -1) / 255
        ids = items.class_ids
        wanted = fit_calibration(
            np.linalg.norm(rows[left] - rows[right], axis=1),
            same,
            false_accepts=0.05,
            prior=0.5,
            left_identity=ids[left],
            right_identity=ids[right],
            split=items.name,
            seed=3,
        )
        assert found.threshold == pytest.approx(wanted.threshold, rel=1e-5)
        assert found.accepted == wanted.accepted
        assert found.effective_count == pytest.approx(wanted.effective_count)
        assert found.log_loss[0][1] == pytest.approx(wanted.log_loss[0][1], rel=1e-3)
        assert found.prior == 0.5
        assert (pixels.calibration, pixels.threshold) == (found, found.threshold)
        assert pixels.fingerprint == before

    def test_pairs_keep_their_share(self, halves: tuple[Items, Items], pixels: Siamese) -> None:
        pairs = as_pairs(halves[0])
        pairs = pairs.take(np.arange(len(pairs)) >= 50)
        found = gemel.calibrate(pixels, pairs, false_accepts=0.1)
        assert found.prior == found.share == pairs.same.mean() < 0.5
        assert found.different_count == (~pairs.same).sum()
        assert "identities counted" in found.method
        assert gemel.calibrate(pixels, pairs, false_accepts=0.1, prior=0.01).prior == 0.01

    def test_flipped_pairs_of_equal_pictures(
        self, halves: tuple[Items, Items], pixels: Siamese
    ) -> None:
        """Copies of one picture are equal once they are read; here they are said to differ."""
        values = [np.asarray(value) for value in halves[0].values[:8]]
        copies = [value.copy() for value in values]
        left = np.concatenate([np.arange(8), np.arange(4)])
        right = np.concatenate([8 + np.arange(8), 4 + np.arange(4)])
        pairs = Pairs([*values, *copies], left, right, np.arange(12) >= 8, name="flipped")
        for judge in (gemel.calibrate, gemel.evaluate):
            with pytest.raises(DataError, match="flipped: `same` seems to be the other way round"):
                judge(pixels, pairs)

    def test_trained_items_are_said(self, halves: tuple[Items, Items], pixels: Siamese) -> None:
        items = halves[0]
        read = read_items(pixels.input, items)[1]
        pixels.trained_on = marks(items, digests(read))
        found = gemel.calibrate(pixels, items, false_accepts=0.05)
        assert found.warnings[0].startswith(f"{len(items)} of the {len(items)} items of")
        assert "warning: 18 of the 18 classes of" in str(found)
        assert gemel.calibrate(pixels, halves[1], false_accepts=0.05).warnings == ()

    def test_other_weights_have_other_distances(
        self, halves: tuple[Items, Items], pixels: Siamese, small_model: Siamese
    ) -> None:
        small_model.calibration = gemel.calibrate(pixels, halves[0], false_accepts=0.05)
        small_model.calibrated_on = pixels.calibrated_on
        gemel.fit(small_model, halves[0], steps=1, validation=None)
        assert small_model.calibration is small_model.calibrated_on is None

    def test_too_few(self, halves: tuple[Items, Items], pixels: Siamese) -> None:
        with pytest.raises(EvaluationError, match="needs 36,887 or more different pairs"):
            gemel.calibrate(pixels, halves[0], false_accepts=1e-4)
        assert pixels.calibration is None


class TestDrawnPairs:
    def test_kinds_and_each_once(self, symbols: Items, pixels: Siamese) -> None:
        left, right, same = _drawn_pairs(symbols, pixels, 0.01, 0)
        assert ((symbols.class_ids[left] == symbols.class_ids[right]) == same).all()
        assert len({frozenset(p) for p in zip(left.tolist(), right.tolist(), strict=True)}) == len(
            same
        )
        couples = len(symbols) * (len(symbols) - 1) // 2
        assert 0.9 * couples < len(same) < couples
        assert not np.array_equal(left, _drawn_pairs(symbols, pixels, 0.01, 1)[0])

    @pytest.mark.parametrize(
        ("rate", "different"), [(0.01, 2000), (0.001, 3688), (0.0001, 36_887), (1e-6, 50_000)]
    )
    def test_a_joint_comparer_runs_for_few_pairs(self, rate: float, different: int) -> None:
        """2,000 of a kind, or as many different ones as the rate needs."""
        joint = Siamese(
            inputs.Images(16, channels=1), encoders.Joint(encoders.Conv(width=4, dim=1))
        )
        many = of_300_classes()
        _, _, same = _drawn_pairs(many, joint, rate, 0)
        assert (int(same.sum()), int((~same).sum())) == (2000, different)

    def test_others_are_drawn_many(self, pixels: Siamese) -> None:
        many = of_300_classes()
        _, _, same = _drawn_pairs(many, pixels, 0.01, 0)
        assert (int(same.sum()), int((~same).sum())) == (30_000, 50_000)

    def test_a_rate_that_is_none(self, symbols: Items, pixels: Siamese) -> None:
        with pytest.raises(SettingsError, match="`false_accepts` must lie above 0"):
            gemel.calibrate(pixels, symbols, false_accepts=0)


class TestSkipped:
    def test_is_said_and_kept(
        self, halves: tuple[Items, Items], small_model: Siamese, tmp_path: Path
    ) -> None:
        items = halves[0]
        (tmp_path / "bad.png").write_text("no picture")
        mixed = Items(
            [*items.values, tmp_path / "bad.png"],
            np.append(items.labels, items.labels[0]),
            skipped=(Problem("row 7", "it is empty"),),
        )
        with pytest.raises(BadItemsError, match=r"bad\.png"):
            gemel.calibrate(small_model, mixed, false_accepts=0.05)
        found = gemel.calibrate(small_model, mixed, false_accepts=0.05, skip_bad=True)
        assert len(found.skipped) == 2
        assert found.skipped[0] == "row 7: it is empty"
        assert found.skipped[1].startswith(f"{tmp_path / 'bad.png'}: ")
        assert "went on without 2 bad items:\n  row 7: it is empty\n  " in str(found)
        small_model.save(tmp_path / "a.gemel")
        assert gemel.load(tmp_path / "a.gemel").calibration == found


class TestEvaluate:
    def test_refuses_what_was_calibrated_on(
        self, halves: tuple[Items, Items], pixels: Siamese, symbols: Items
    ) -> None:
        first, second = halves
        gemel.calibrate(pixels, first, false_accepts=0.05)
        with pytest.raises(EvaluationError, match="calibration on the pairs it is judged on"):
            gemel.evaluate(pixels, first, trials=20)
        assert gemel.evaluate(pixels, second, trials=20).warnings == ()
        mixed = np.flatnonzero(np.isin(symbols.labels, second.classes))
        mixed = symbols.take(np.unique(np.append(mixed, np.arange(30))))
        with pytest.raises(EvaluationError, match="pairs to judge are of two such items"):
            gemel.evaluate(pixels, mixed, trials=20)

    def test_a_fitted_threshold_counts_without_its_calibration(
        self, halves: tuple[Items, Items], pixels: Siamese
    ) -> None:
        first, _ = halves
        gemel.calibrate(pixels, first, false_accepts=0.05)
        pixels.calibration = None
        with pytest.raises(EvaluationError, match="calibration on the pairs it is judged on"):
            gemel.evaluate(pixels, first, trials=20)
        pixels.threshold = None
        found = gemel.evaluate(pixels, first, trials=20)
        assert found.warnings == ()
        assert found.verification.accuracy is None
        assert found.calibration_error is None

    def test_tables_are_looked_at_pair_by_pair(
        self, halves: tuple[Items, Items], pixels: Siamese, symbols: Items
    ) -> None:
        gemel.calibrate(pixels, halves[0], false_accepts=0.05)
        known = np.isin(symbols.labels, halves[0].classes)
        table = as_pairs(symbols, 400)
        twice = known[table.left].astype(int) + known[table.right]
        assert {0, 1, 2} == set(twice.tolist())
        (warning,) = gemel.evaluate(pixels, table.take(twice < 2)).warnings
        assert f"{(twice == 1).sum()} of the {(twice < 2).sum()} judged pairs" in warning
        one = np.flatnonzero(twice == 2)[:1]
        with pytest.raises(EvaluationError, match=r"and 1 of the \d+ pairs to judge are of two"):
            gemel.evaluate(pixels, table.take(np.append(np.flatnonzero(twice < 2), one)))

    def test_the_same_classes_are_said(self, pixels: Siamese, symbols: Items) -> None:
        first, second = symbols.split_items(0.5, seed=0)
        gemel.calibrate(pixels, first, false_accepts=0.05)
        (warning,) = gemel.evaluate(pixels, second, ways=2, trials=20).warnings
        assert "36 of the 36 classes of" in warning
        assert "have names that were calibrated on" in warning

    def test_warns_of_what_was_trained_on(self, symbols: Items, small_model: Siamese) -> None:
        train, unseen = symbols.split_classes(0.5, seed=0)
        gemel.fit(small_model, train, steps=1, validation=None)
        found = gemel.evaluate(small_model, train, trials=20)
        assert len(found.warnings) == 2
        assert found.as_dict()["warnings"] == list(found.warnings)
        assert f"\nwarning: {found.warnings[0]}\nwarning: {found.warnings[1]}" in str(found)
        assert gemel.evaluate(small_model, unseen, trials=20).warnings == ()
        left, right, same = trials.item_pairs(train, most=40, seed=0)
        table = Pairs(train.values, left, right, same)
        assert len(gemel.evaluate(small_model, table).warnings) == 1


class TestFile:
    def test_round_trip(
        self,
        halves: tuple[Items, Items],
        pixels: Siamese,
        small_model: Siamese,
        tmp_path: Path,
    ) -> None:
        path = tmp_path / "a.gemel"
        gemel.fit(small_model, halves[0], steps=1, validation=None)
        small_model.calibration = gemel.calibrate(pixels, halves[1], false_accepts=0.05)
        small_model.calibrated_on = pixels.calibrated_on
        small_model.threshold = 1.5
        small_model.save(path)
        again = gemel.load(path)
        assert again.calibration == small_model.calibration
        assert again.threshold == small_model.threshold
        assert again.fingerprint == small_model.fingerprint
        for role in ("trained_on", "calibrated_on"):
            for part in ("items", "classes"):
                wanted = getattr(getattr(small_model, role), part)
                np.testing.assert_array_equal(getattr(getattr(again, role), part), wanted)
        with pytest.raises(EvaluationError, match="calibration on the pairs"):
            gemel.evaluate(again, halves[1])

    def test_nothing_to_keep(self, small_model: Siamese, tmp_path: Path) -> None:
        small_model.save(tmp_path / "a.gemel")
        again = gemel.load(tmp_path / "a.gemel")
        assert again.calibration is again.trained_on is again.calibrated_on is None

    def test_changed_digests_are_noticed(
        self, halves: tuple[Items, Items], small_model: Siamese, tmp_path: Path
    ) -> None:
        path = tmp_path / "a.gemel"
        gemel.fit(small_model, halves[0], steps=1, validation=None)
        small_model.save(path)
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata()
        assert tensors["trained_on.items"].dtype == torch.int64
        tensors["trained_on.items"][0] += 1
        save_file(tensors, path, metadata=metadata)
        with pytest.raises(ModelFileError, match="digests of its training items"):
            gemel.load(path)

    def test_a_file_from_before_calibrations(self, small_model: Siamese, tmp_path: Path) -> None:
        path = tmp_path / "a.gemel"
        small_model.save(path)
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = json.loads(file.metadata()["gemel"])
        del facts["calibration"], facts["marks"], facts["checksum"]
        save_file(tensors, path, metadata={"gemel": storage.sealed(facts)})
        assert gemel.load(path).calibration is None


class TestCompare:
    def test_three_verdicts(self, halves: tuple[Items, Items], pixels: Siamese) -> None:
        found = gemel.calibrate(pixels, halves[0], false_accepts=0.05)
        values = halves[1].values
        seen = set()
        for other in range(len(values)):
            said = pixels.compare(values[0], values[other])
            assert said.verdict == found.decide(said.distance)
            assert said.same is {"same": True, "different": False}.get(said.verdict or "")
            assert said.probability == float(found.probability(said.distance))
            assert said.reason == found.explain(said.distance)
            assert str(said).startswith(f"{said.verdict} (distance {said.distance:.4f}, threshold ")
            assert str(said).endswith(f"probability {said.probability:.3f})")
            seen.add(said.verdict)
        assert seen == {"same", "different", "too close to call"}

    def test_without_a_calibration(self, symbols: Items, pixels: Siamese) -> None:
        said = pixels.compare(symbols.values[0], symbols.values[9])
        assert (said.verdict, said.same, said.probability) == (None, None, None)
        assert "not calibrated" in said.reason
        pixels.threshold = said.distance
        said = pixels.compare(symbols.values[0], symbols.values[9])
        assert (said.verdict, said.same) == ("same", True)
        assert "is at or below" in said.reason
        pixels.threshold = said.distance / 2
        said = pixels.compare(symbols.values[0], symbols.values[9])
        assert (said.verdict, said.same, said.probability) == ("different", False, None)
        assert "is above" in said.reason
