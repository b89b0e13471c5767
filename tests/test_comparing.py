"""Two models compared: as the direct calls say, and never more than the data tell."""

import re
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

import gemel
from gemel import Items, Pairs, Siamese, encoders, inputs, metrics, trials
from gemel.comparing import ModelComparison
from gemel.evaluation import compare_paired, compare_paired_verification


@pytest.fixture(scope="module")
def pixels() -> Siamese:
    return Siamese(inputs.Images(16, channels=1), nn.Flatten(), metrics.Euclidean())


@pytest.fixture(scope="module")
def coarse() -> Siamese:
    """Sees 2 x 2 pixels."""
    return Siamese(inputs.Images(2, channels=1), nn.Flatten(), metrics.Euclidean())


@pytest.fixture(scope="module")
def compared(pixels: Siamese, coarse: Siamese, symbols: Items) -> ModelComparison:
    return gemel.compare_models(
        pixels, coarse, symbols, names=("fine", "coarse"), ways=5, trials=60, seed=3
    )


def shrunk(items: Items, size: int) -> np.ndarray:
    """[N, size * size] the items as `Images` reads them: means of blocks."""
    pixels = np.asarray(items.values, dtype=np.float64)
    step = 16 // size
    blocks = pixels.reshape(len(items), size, step, size, step).mean((2, 4))
    return np.round(blocks).reshape(len(items), -1) / 255


class TestAgainstDirectCalls:
    def test_pairs(self, compared: ModelComparison, symbols: Items) -> None:
        many = trials.MOST_PAIRS
        left, right, same = trials.many_different_pairs(symbols, same=many, different=many, seed=3)
        distances = [
            np.linalg.norm(rows[left] - rows[right], axis=1).astype(np.float32)
            for rows in (shrunk(symbols, 16), shrunk(symbols, 2))
        ]
        wanted = compare_paired_verification(
            *distances,
            same,
            left_identity=symbols.class_ids[left],
            right_identity=symbols.class_ids[right],
            split="symbols",
            seed=3,
        )
        for found, one in zip(compared.comparisons[:2], wanted, strict=True):
            assert found.name == one.name
            for key in ("first", "second", "difference", "low", "high"):
                assert getattr(found, key) == pytest.approx(getattr(one, key), abs=2e-3)

    def test_episodes(self, compared: ModelComparison, symbols: Items) -> None:
        drawn = trials.draw_item_episodes(
            symbols, ways=5, shots=1, trials=60, within_groups=True, seed=3
        )
        credits_ = []
        for rows in (shrunk(symbols, 16), shrunk(symbols, 2)):
            gaps = rows[drawn.query][:, None] - rows[drawn.support[:, :, 0]]
            distances = np.linalg.norm(gaps, axis=2).astype(np.float32)
            nearest = distances <= distances.min(1, keepdims=True) * (1 + 1e-6)
            hit = nearest[np.arange(60), drawn.answer]
            credits_.append(hit / nearest.sum(1))
        wanted = compare_paired(
            *credits_,
            clusters=symbols.groups[drawn.query],
            cluster_unit="groups",
            split="symbols",
            seed=3,
        )
        found = compared.comparisons[2]
        assert found.name == "5-way 1-shot accuracy within groups"
        assert replace(found, name="") == replace(wanted, name="")

    def test_probes(self, compared: ModelComparison, symbols: Items) -> None:
        gallery, probes = trials.gallery_and_probes(symbols, seed=3)
        rows = shrunk(symbols, 16)
        credit = []
        for probe in probes:
            if symbols.labels[probe] not in symbols.labels[gallery]:
                continue
            distances = np.linalg.norm(rows[gallery] - rows[probe], axis=1).astype(np.float32)
            nearest = gallery[distances == distances.min()]
            credit.append((symbols.labels[nearest] == symbols.labels[probe]).mean())
        assert compared.comparisons[3].first == pytest.approx(np.mean(credit))
        assert compared.comparisons[3].count == len(credit)

    def test_firsts_are_the_evaluations(self, compared: ModelComparison) -> None:
        for place, evaluation in (("first", 0), ("second", 1)):
            figures = {one.name: one.value for one in compared.evaluations[evaluation].figures}
            for one in compared.comparisons:
                assert getattr(one, place) == pytest.approx(figures[one.name])


class TestVerdict:
    def test_a_model_is_no_better_than_itself(self, pixels: Siamese, symbols: Items) -> None:
        alike = gemel.compare_models(pixels, pixels, symbols, ways=5, trials=40)
        assert {won for _, won in alike.better} == {None}
        assert all(one.difference == 0 for one in alike.comparisons)
        assert alike.verdict.startswith("The data do not tell which is better by AUC, EER, 5-way")

    def test_better_is_named_either_way_round(self, compared: ModelComparison) -> None:
        sure = [replace(one, p_value=1e-4) for one in compared.comparisons]
        turned = [
            replace(one, difference=-one.difference, first=one.second, second=one.first)
            for one in sure
        ]
        for ones in (sure, turned):
            found = replace(compared, comparisons=tuple(ones))
            for one, won in found.better:
                high, low = ("fine", "coarse") if one.first > one.second else ("coarse", "fine")
                assert won == (low if one.name == "EER" else high)
            assert "do not tell" not in found.verdict
            assert re.search(r"is better by .*AUC", found.verdict)

    @pytest.mark.parametrize(
        ("p_values", "told"),
        [
            ([0.012, 0.016, 0.02, 0.04], [True] * 4),
            ([0.013, 0.001, 0.03, 0.2], [True, True, False, False]),
            ([0.013, 0.013, 0.013, 0.013], [False] * 4),
            ([0.04, np.nan, np.nan, np.nan], [True, False, False, False]),
        ],
    )
    def test_holm(self, compared: ModelComparison, p_values: list[float], told: list[bool]) -> None:
        ones = tuple(
            replace(one, p_value=p) for one, p in zip(compared.comparisons, p_values, strict=True)
        )
        found = replace(compared, comparisons=ones)
        assert [won is not None for _, won in found.better] == told
        assert ("do not tell" in found.verdict) == (not all(told))

    def test_text_and_json(self, compared: ModelComparison) -> None:
        said = str(compared)
        assert said.startswith("first: fine, second: coarse")
        assert all(str(one) in said for one in compared.comparisons)
        told = compared.as_dict()
        assert told["verdict"] == compared.verdict
        assert [one["better"] for one in told["comparisons"]] == [won for _, won in compared.better]
        assert told["evaluations"][0] == compared.evaluations[0].as_dict()


def test_pairs_and_joint(pixels: Siamese, symbols: Items) -> None:
    few = symbols.take(np.arange(36))
    left, right, same = trials.item_pairs(few, seed=0)
    pairs = Pairs(few.values, left, right, same, name="pairs")
    joint = Siamese(inputs.Images(16, channels=1), encoders.Joint(encoders.Conv(width=(4,), dim=1)))
    names = [one.name for one in gemel.compare_models(pixels, joint, pairs).comparisons]
    assert names == ["AUC", "EER"]
    found = gemel.compare_models(pixels, joint, few, ways=3, trials=10)
    assert [one.name for one in found.comparisons][2:] == ["3-way 1-shot accuracy within groups"]


def test_bad_items_are_left_out_of_both(pixels: Siamese, coarse: Siamese, symbols: Items) -> None:
    values = [*symbols.values[:72], "no such picture.png"]
    items = Items(values, np.append(symbols.labels[:72], symbols.labels[0]))
    found = gemel.compare_models(pixels, coarse, items, ways=3, trials=20, skip_bad=True)
    assert [len(one.judged.data.values) for one in found.evaluations] == [72, 72]
    with pytest.raises(gemel.errors.BadItemsError):
        gemel.compare_models(pixels, coarse, items)
