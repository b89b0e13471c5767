"""Identification: slow loops over all orders of tied labels, hand-made galleries, and refusals."""

import json
import math
import sys
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm, t
from sklearn.metrics import top_k_accuracy_score

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation import Figure, Refused, bootstrap, identification


def slow_ranks(row: NDArray[Any], answer: int) -> list[int]:
    """The rank of the answer in every order that the distances allow."""
    found = []
    for order in permutations(range(len(row))):
        steps = [row[i] for i in order]
        if steps == sorted(steps):
            found.append(order.index(answer) + 1)
    return found


def nearest_of_labels(
    distance: NDArray[Any], gallery: NDArray[Any]
) -> tuple[list[Any], NDArray[np.float64]]:
    names = sorted(set(gallery.tolist()))
    columns = [distance[:, gallery == name].min(axis=1) for name in names]
    return names, np.stack(columns, axis=1)


def judged(distance: Any, gallery: Any, probes: Any, **settings_: Any) -> Any:
    return identification(
        distance, gallery, probes, **{"split": "s", "seed": 0, "draws": 40, **settings_}
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 4))
def test_ties_are_worth_the_mean_over_their_orders(seed: int, labels: int, levels: int) -> None:
    generator = np.random.default_rng(seed)
    gallery = np.append(np.arange(labels), generator.integers(0, labels, 3))
    probes = np.append(0, generator.integers(0, labels + 2, 5))  # some are unknown
    distance = generator.integers(0, levels, (6, len(gallery))).astype(float)
    found = judged(distance, gallery, probes, ranks=(1, 2, 9), new_at=1)
    names, by_label = nearest_of_labels(distance, gallery)
    known = [i for i, probe in enumerate(probes) if probe in names]
    ranks = [slow_ranks(by_label[i], names.index(probes[i])) for i in known]
    rates = [np.mean([np.mean(np.array(r) <= k) for r in ranks]) for k in range(1, labels + 1)]
    assert found.cmc.tolist() == pytest.approx(rates, abs=1e-12)
    asked = [k for k in (1, 2) if k <= labels]
    assert [one.value for one in found.rank] == pytest.approx([rates[k - 1] for k in asked])
    with_new = np.concatenate([by_label, np.ones((6, 1))], axis=1)
    answers = [names.index(probe) if probe in names else labels for probe in probes]
    scores = [
        np.mean([1 / r if r <= 5 else 0 for r in slow_ranks(row, answer)])
        for row, answer in zip(with_new, answers, strict=True)
    ]
    assert found.top.value == pytest.approx(np.mean(scores), abs=1e-12)
    assert (found.top.name, found.top.count) == ("MAP@5", 6)
    closed = judged(distance, gallery, probes).top
    scores = [np.mean([1 / r if r <= 5 else 0 for r in one]) for one in ranks]
    assert closed.value == pytest.approx(np.mean(scores), abs=1e-12)
    assert (closed.name, closed.count) == ("MAP@5 of known probes", len(known))


def test_the_top_five_end_after_five() -> None:
    distance = np.arange(8.0)[None].repeat(8, axis=0)
    found = judged(distance, np.arange(8), np.arange(8))
    assert found.top.value == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 8)
    tied = np.zeros((1, 8))
    assert judged(tied, np.arange(8), [3]).top.value == pytest.approx(
        (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 8
    )


def test_rates_are_scikit_learns_where_nothing_ties() -> None:
    distance, gallery, probes = faces(0, references=1)
    known = probes < 30
    found = judged(distance[known], gallery, probes[known], ranks=(1, 5, 10))
    for k, one in zip((1, 5, 10), found.rank, strict=True):
        expected = top_k_accuracy_score(
            probes[known], -distance[known][:, np.argsort(gallery)], k=k, labels=np.arange(30)
        )
        assert one.value == pytest.approx(expected)


def faces(
    seed: int, *, references: int = 2, probes: int = 800
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """30 people in the gallery and 30 who are not, all of them among the probes."""
    generator = np.random.default_rng(seed)
    gallery = generator.permutation(np.repeat(np.arange(30), references))
    who = generator.integers(0, 60, probes)
    who[:2] = 0, 59
    centre = generator.normal(size=(60, 4)) * 2
    left = centre[who] + generator.normal(size=(probes, 4))
    right = centre[gallery] + generator.normal(size=(len(gallery), 4))
    return np.linalg.norm(left[:, None] - right[None], axis=-1), gallery, who


def slow_dir(
    distance: NDArray[Any], gallery: NDArray[Any], probes: NDArray[Any], far: float
) -> float:
    """Try every threshold."""
    names, by_label = nearest_of_labels(distance, gallery)
    known = np.isin(probes, names)
    nearest = by_label.min(axis=1)
    right = np.array([names[i] for i in by_label.argmin(axis=1)]) == probes
    rates = [0.0]
    for cut in nearest:
        if (nearest[~known] <= cut).mean() <= far:
            rates.append(float((right & (nearest <= cut))[known].mean()))
    return max(rates)


def test_detection_is_that_of_every_threshold_tried_in_every_draw() -> None:
    distance, gallery, probes = faces(1)
    found = judged(distance, gallery, probes, false_alarm_rates=(0.1, 0.3), seed=5, draws=60)
    known = np.isin(probes, gallery)
    for rate, one in found.dir_at_far:
        assert isinstance(one, Figure)
        assert one.value == pytest.approx(slow_dir(distance, gallery, probes, rate))
        assert one.name == f"DIR at FAR {rate:g}"
        people = np.unique(probes)
        drawn = []
        for row in np.random.default_rng(5).integers(0, len(people), (60, len(people))):
            places = np.concatenate([np.flatnonzero(probes == people[i]) for i in row])
            drawn.append(slow_dir(distance[places], gallery, probes[places], rate))
        fewest = min(len(np.unique(probes[kind])) for kind in (known, ~known))
        tail = norm.cdf(math.sqrt(fewest / (fewest - 1)) * t.ppf(0.025, fewest - 1))
        ends = np.quantile(drawn, [tail, 1 - tail])
        assert (one.low, one.high) == pytest.approx(tuple(ends), abs=1e-12)


def test_a_tie_at_the_threshold_is_accepted_together() -> None:
    """300 unknown probes at 1, and two known at 1 and at 2: an alarm rate of 10 % lets none in."""
    distance = np.full((402, 2), 9.0)
    distance[:, 0] = np.repeat([1.0, 2.0, 0.5, 2.0], [30, 271, 1, 100])
    probes = np.array(["u"] * 30 + ["v"] * 270 + ["a", "a"] + ["a"] * 100)
    found = judged(distance, ["a", "b"], probes, false_alarm_rates=(0.1, 0.0999))
    assert (found.known, found.unknown, found.labels) == (102, 300, 2)
    at_ten, refused = (one for _, one in found.dir_at_far)
    assert at_ten.value == pytest.approx(1 / 102)  # exactly 30 of 300 are let in, up to 1
    assert isinstance(refused, Refused)
    assert str(refused) == (
        "DIR at FAR 0.0999 not given: it rests on 300 unknown probes; 301 are needed for 30 "
        "errors to be expected (rule of 30)"
    )
    split_credit = judged(np.zeros((301, 2)), ["a", "b"], np.array(["a"] + ["u"] * 300))
    assert split_credit.rank[0].value == 0.5
    assert split_credit.dir_at_far[0][1].value == 0  # accepting the tie accepts all unknown


def test_draws_without_known_probes_are_left_out() -> None:
    """Of 155 people five are known: some draws hold nothing to find, and do not count as 0.

    Each of the five asks four times and is found once or more, so no other draw comes to 0.
    """
    probes = np.append(np.repeat(np.arange(5), 4), np.arange(5, 155))
    distance = np.random.default_rng(0).random((170, 5)) + 1
    for person in range(5):
        for turn in range(4):
            label = person if turn <= person % 3 else (person + 1) % 5
            distance[4 * person + turn, label] = 0.5
    found = judged(distance, np.arange(5), probes, false_alarm_rates=(0.2,), seed=3, draws=150)
    drawn, empty = [], 0
    for row in np.random.default_rng(3).integers(0, 155, (150, 155)):
        places = np.concatenate([np.flatnonzero(probes == person) for person in row])
        if (row < 5).any():
            drawn.append(slow_dir(distance[places], np.arange(5), probes[places], 0.2))
        else:
            empty += 1
    assert empty > 0
    tail = norm.cdf(math.sqrt(5 / 4) * t.ppf(0.025, 4))
    one = found.dir_at_far[0][1]
    assert (one.low, one.high) == pytest.approx(tuple(np.quantile(drawn, [tail, 1 - tail])))
    assert 0.25 <= one.low < one.high


def test_one_known_identity_has_no_interval() -> None:
    distance = np.random.default_rng(0).random((400, 1))
    found = judged(distance, [399], np.arange(400), false_alarm_rates=(0.2,), draws=60)
    assert math.isnan(found.dir_at_far[0][1].low)
    assert math.isfinite(found.dir_at_far[0][1].value)


@pytest.mark.parametrize("new_at", [None, 2.0])
def test_distances_may_come_in_parts(monkeypatch: pytest.MonkeyPatch, new_at: float | None) -> None:
    """The figures are those of the whole array; no part holds more than its share."""
    distance, gallery, probes = faces(4)
    distance = np.round(distance, 1)  # ties
    module = sys.modules[identification.__module__]  # the function has taken its name
    monkeypatch.setattr(module, "_DISTANCES_AT_ONCE", 60 * 7 + 5)
    seen = []

    def rows(part: NDArray[np.int64]) -> NDArray[np.float32]:
        seen.append(part)
        return distance[part].astype(np.float32)

    in_parts = judged(rows, gallery, probes, new_at=new_at)
    np.testing.assert_array_equal(np.concatenate(seen), np.arange(800))
    assert {len(part) for part in seen} == {7, 800 % 7}
    monkeypatch.undo()
    whole = judged(distance.astype(np.float32), gallery, probes, new_at=new_at)
    assert in_parts.figures == whole.figures
    assert in_parts.cmc.tolist() == whole.cmc.tolist()


def test_a_function_of_distances_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[identification.__module__], "_DISTANCES_AT_ONCE", 4)
    with pytest.raises(EvaluationError, match=r"returned shape \(2, 3\) for 2 probes and 2 ref"):
        judged(lambda part: np.zeros((len(part), 3)), ["a", "b"], ["a", "b"])
    bad = np.ones((3, 2))
    bad[2, 1] = np.inf
    with pytest.raises(EvaluationError, match="first at probe, reference 2, 1"):
        judged(lambda part: bad[part], ["a", "b"], ["a", "b", "a"])


def test_intervals_are_over_identities_and_the_words_say_so() -> None:
    distance, gallery, probes = faces(2)
    found = judged(distance, gallery, probes, ranks=(1, 500), split="faces", seed=3, draws=80)
    known = np.isin(probes, gallery)
    names, by_label = nearest_of_labels(distance, gallery)
    credit = np.array(names)[by_label.argmin(axis=1)] == probes
    expected = bootstrap(
        credit[known],
        clusters=probes[known],
        cluster_unit="identities",
        seed=3,
        draws=80,
    )
    assert len(found.rank) == 1  # there are not 500 labels
    assert (found.rank[0].low, found.rank[0].high) == (expected.low, expected.high)
    lines = str(found).splitlines()
    assert lines[0].startswith("rank-1 rate ")
    assert "probes, split faces, seed 3)" in lines[0]
    assert f"{known.sum()} known and {(~known).sum()} unknown probes, a gallery of 30" in lines[-1]
    assert any(line.startswith("DIR at FAR 0.01 not given") for line in lines)
    said = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert [one["name"] for one in said["figures"]] == [
        "rank-1 rate",
        "MAP@5 of known probes",
        "DIR at FAR 0.1",
    ]
    assert len(said["cmc"]) == 30
    assert said["cmc"][-1] == 1
    assert [one["name"] for one in said["refused"]] == ["DIR at FAR 0.01", "DIR at FAR 0.001"]


def test_labels_may_be_texts_and_the_order_of_references_does_not_matter() -> None:
    distance, gallery, probes = faces(3, probes=400)
    order = np.random.default_rng(0).permutation(len(gallery))
    plain = judged(distance, gallery, probes)
    turned = judged(
        distance[:, order], [f"{i:02}" for i in gallery[order]], [f"{i:02}" for i in probes]
    )
    assert turned.figures == plain.figures


def test_without_unknown_probes_there_is_no_detection() -> None:
    found = judged([[0.0, 1.0], [1.0, 0.0]], ["a", "b"], ["a", "b"])
    assert found.dir_at_far == found.refused == ()
    assert (found.rank[0].value, found.cmc.tolist()) == (1, [1, 1])


@pytest.mark.parametrize(
    ("distance", "gallery", "probes", "message"),
    [
        ([[1.0, 2.0]], ["a"], ["a"], r"P, G.*\(1, 2\), \(1,\) and \(1,\)"),
        ([[1.0, 2.0]], ["a", "b"], ["a", "b"], r"\(1, 2\), \(2,\) and \(2,\)"),
        ([[1.0]], [["a"]], ["a"], "expected P probe labels and G gallery labels"),
        ([[1.0, 2.0]], ["a", "b"], ["c"], "none of the 1 probes has a label of the gallery"),
        ([[1.0, np.nan]], ["a", "b"], ["a"], "1 of 2 distances.*first at probe, reference 0, 1"),
    ],
)
def test_misfit_probes_are_refused(distance: Any, gallery: Any, probes: Any, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        judged(distance, gallery, probes)


def test_bad_settings_are_refused() -> None:
    one = np.eye(2), ["a", "b"], ["a", "u"]
    for ranks in [(), (0,), (1, -1)]:
        with pytest.raises(SettingsError, match="`ranks` must hold"):
            judged(*one, ranks=ranks)
    with pytest.raises(SettingsError, match="lies between 0 and 1; got 1"):
        judged(*one, false_alarm_rates=(1.0,))
    with pytest.raises(EvaluationError, match="`new_at` is NaN"):
        judged(*one, new_at=math.nan)
    with pytest.raises(SettingsError, match="40 or more"):
        judged(*one, draws=3)
