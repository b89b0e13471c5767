"""Drawn trials: what may stand in them, that all draws are uniform, and what is refused."""

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chisquare

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation import Episodes, draw_episodes

CLASSES, EACH = 12, 6
LABELS = np.repeat([f"c{i:02}" for i in range(CLASSES)], EACH)
GROUPS = np.repeat(["abc", "abc", "greek", "runes"], CLASSES // 4 * EACH)
DRAWERS = np.tile(np.arange(EACH), CLASSES)


def check_trials(episodes: Episodes, labels: NDArray[Any]) -> None:
    """Each way is one class, no two alike; the answer is right; the query is no reference."""
    for support, query, answer in zip(
        episodes.support, episodes.query, episodes.answer, strict=True
    ):
        classes = [set(labels[way].tolist()) for way in support]
        assert all(len(one) == 1 for one in classes)
        assert len(set.union(*classes)) == len(support)
        assert labels[query] in classes[answer]
        used = [*support.ravel().tolist(), int(query)]
        assert len(set(used)) == len(used)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 7), min_size=3, max_size=9),
    shots=st.integers(1, 3),
    queries=st.sampled_from([None, 1, 2]),
    seed=st.integers(0, 1000),
)
def test_trials_hold_together(sizes: list[int], shots: int, queries: int | None, seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    enough = sum(size >= shots + (queries or 1) for size in sizes)
    trials = 12 * (queries or 1)
    kwargs: dict[str, Any] = {"ways": 3, "shots": shots, "trials": trials, "queries": queries}
    if enough < 3:
        with pytest.raises(EvaluationError, match=f"{enough} of {len(sizes)} have"):
            draw_episodes(labels, seed=seed, **kwargs)
        return
    episodes = draw_episodes(labels, seed=seed, **kwargs)
    assert episodes.support.shape == (trials, 3, shots)
    assert len(episodes) == trials
    assert episodes.left_out == len(sizes) - enough
    check_trials(episodes, labels)


def test_same_seed_same_trials() -> None:
    def draw(seed: int) -> list[list[int]]:
        episodes = draw_episodes(LABELS, ways=5, shots=2, trials=9, seed=seed)
        return [episodes.support.ravel().tolist(), episodes.query.tolist()]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert draw_episodes(LABELS, ways=5, shots=2, trials=9, seed=8).seed == 8


def test_numbers_and_texts_are_the_same_labels() -> None:
    numbers = np.repeat(np.arange(CLASSES), EACH)
    one = draw_episodes(numbers.tolist(), ways=4, shots=1, trials=20, seed=0)
    two = draw_episodes(LABELS, ways=4, shots=1, trials=20, seed=0)
    np.testing.assert_array_equal(one.query, two.query)


@pytest.mark.parametrize("queries", [None, 1])
@pytest.mark.parametrize("drawers", [None, DRAWERS])
def test_every_draw_is_uniform(queries: int | None, drawers: NDArray[Any] | None) -> None:
    episodes = draw_episodes(
        LABELS, ways=4, shots=1, trials=12_000, queries=queries, drawers=drawers, seed=0
    )
    answers = np.bincount(episodes.answer, minlength=4)
    assert answers.min() > 0
    if queries is None:
        assert chisquare(answers).pvalue > 1e-4
    else:
        assert set(answers.tolist()) == {3000}  # each way is asked for equally often
    assert chisquare(np.bincount(episodes.query, minlength=len(LABELS))).pvalue > 1e-4
    for way in range(4):  # every item, at every place; one row for each support
        _, rows = np.unique(episodes.support_set, return_index=True)
        counts = np.bincount(episodes.support[rows, way, 0], minlength=len(LABELS))
        assert chisquare(counts).pvalue > 1e-4


def test_pairs_of_query_and_reference_are_uniform() -> None:
    episodes = draw_episodes(np.repeat([0, 1], 4), ways=2, shots=2, trials=12_000, seed=0)
    right = episodes.support[np.arange(len(episodes)), episodes.answer]  # [T, 2]
    orders = Counter(
        (int(query), *map(int, two)) for query, two in zip(episodes.query, right, strict=True)
    )
    assert len(orders) == 2 * 4 * 3 * 2
    assert chisquare(list(orders.values())).pvalue > 1e-4


def test_the_right_answers_place_tells_nothing() -> None:
    """In shared supports each place is asked once, and not in the order of the places."""
    episodes = draw_episodes(LABELS, ways=4, shots=1, trials=4000, queries=1, seed=3)
    order = episodes.answer.reshape(1000, 4)
    assert (np.sort(order, axis=1) == np.arange(4)).all()
    for column in order.T:
        assert chisquare(np.bincount(column)).pvalue > 1e-4


def test_shared_supports() -> None:
    episodes = draw_episodes(LABELS, ways=3, shots=2, trials=36, queries=2, seed=0)
    sets = episodes.support_set.reshape(6, 6)
    assert (sets == np.arange(6)[:, None]).all()
    for number in range(6):
        members = episodes.support_set == number
        assert len(np.unique(episodes.support[members], axis=0)) == 1
        assert np.bincount(episodes.answer[members]).tolist() == [2, 2, 2]
        assert len(set(episodes.query[members].tolist())) == 6
    alone = draw_episodes(LABELS, ways=3, shots=2, trials=36, seed=0)
    assert alone.support_set.tolist() == list(range(36))


def test_within_groups_take_turns() -> None:
    episodes = draw_episodes(
        LABELS, ways=3, shots=1, trials=300, groups=GROUPS, within_groups=True, seed=0
    )
    groups = GROUPS[episodes.support[:, :, 0]]
    assert (groups == groups[:, :1]).all()
    assert (GROUPS[episodes.query] == groups[:, 0]).all()
    assert Counter(groups[:, 0].tolist()) == {"abc": 100, "greek": 100, "runes": 100}
    check_trials(episodes, LABELS)
    first = [
        draw_episodes(LABELS, ways=3, shots=1, trials=1, groups=GROUPS, within_groups=True, seed=i)
        for i in range(20)
    ]
    assert len({str(GROUPS[one.query[0]]) for one in first}) == 3  # no group always comes first
    across = draw_episodes(LABELS, ways=3, shots=1, trials=300, groups=GROUPS, seed=0)
    groups = GROUPS[across.support[:, :, 0]]
    assert (groups != groups[:, :1]).any()


def test_groups_with_too_few_classes_take_no_part() -> None:
    episodes = draw_episodes(
        LABELS, ways=5, shots=1, trials=50, groups=GROUPS, within_groups=True, seed=0
    )
    assert set(GROUPS[episodes.query].tolist()) == {"abc"}
    assert episodes.left_out == 6
    message = "none of 3 groups has as many, the largest, 'abc', has 6"
    with pytest.raises(EvaluationError, match=message):
        draw_episodes(LABELS, ways=7, shots=1, trials=50, groups=GROUPS, within_groups=True, seed=0)


def test_one_group_is_like_none() -> None:
    with pytest.raises(EvaluationError, match=r"13 ways need 13 classes.*12 of 12 have"):
        draw_episodes(
            LABELS, ways=13, shots=1, trials=1, groups=["g"] * 72, within_groups=True, seed=0
        )


def test_kochs_sets_are_by_two_drawers() -> None:
    episodes = draw_episodes(
        LABELS,
        ways=3,
        shots=1,
        trials=90,
        queries=1,
        groups=GROUPS,
        within_groups=True,
        drawers=DRAWERS,
        seed=0,
    )
    check_trials(episodes, LABELS)
    for number in range(30):
        members = episodes.support_set == number
        by = set(DRAWERS[episodes.support[members]].ravel().tolist())
        asked_by = set(DRAWERS[episodes.query[members]].tolist())
        assert len(by) == len(asked_by) == 1
        assert by != asked_by


def test_drawers_with_gaps() -> None:
    """Class 0 is drawn by a alone, 1 and 2 twice by a and once by b, 3 by c alone."""
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    drawers = np.array(list("aaaaabaabccc"))
    episodes = draw_episodes(labels, ways=2, shots=2, trials=40, drawers=drawers, seed=0)
    check_trials(episodes, labels)
    assert set(labels[episodes.query].tolist()) == {1, 2}
    assert set(drawers[episodes.query].tolist()) == {"b"}
    assert episodes.left_out == 2
    one_shot = draw_episodes(labels, ways=2, shots=1, trials=80, drawers=drawers, seed=0)
    assert set(drawers[one_shot.query].tolist()) == {"a", "b"}
    message = r"at least 2 items by one drawer and 2 by another; 0 of 4 have"
    with pytest.raises(EvaluationError, match=message):
        draw_episodes(labels, ways=2, shots=2, queries=2, trials=4, drawers=drawers, seed=0)


def test_too_few_classes_are_counted() -> None:
    labels = ["a", "a", "b", "b", "c"]
    message = re.escape("3 ways need 3 classes of at least 2 items; 2 of 3 have")
    with pytest.raises(EvaluationError, match=message):
        draw_episodes(labels, ways=3, shots=1, trials=5, seed=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ways": 1}, "`ways` must be 2 or more; got 1"),
        ({"shots": 0}, "`shots` must be 1 or more; got 0"),
        ({"trials": 0}, "`trials` must be 1 or more; got 0"),
        ({"queries": 0}, "`queries` must be 1 or more; got 0"),
        ({"trials": 7, "queries": 1}, "7 trials cannot.* such as 8"),
        ({"within_groups": True}, "`within_groups` needs `groups`"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, Any], message: str) -> None:
    kwargs: dict[str, Any] = {"ways": 4, "shots": 1, "trials": 8, "seed": 0} | change
    with pytest.raises(SettingsError, match=message):
        draw_episodes(LABELS, **kwargs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": []}, r"`labels` has shape \(0,\); expected one entry an item"),
        ({"labels": [[1, 2]]}, r"`labels` has shape \(1, 2\)"),
        ({"drawers": [1, 2]}, r"`drawers` has shape \(2,\); expected \(72,\)"),
        ({"groups": ["g"] * 71}, r"`groups` has shape \(71,\); expected \(72,\)"),
        (
            {"groups": ["x", *GROUPS[1:].tolist()]},
            r"class c00 is in two groups, (x|abc) \(item [01]\) and (x|abc)",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    kwargs: dict[str, Any] = {"labels": LABELS, "within_groups": "groups" in change} | change
    with pytest.raises(EvaluationError, match=message):
        draw_episodes(ways=2, shots=1, trials=2, seed=0, **kwargs)


def test_large_classes_need_no_large_memory() -> None:
    labels = np.arange(1_000_000) % 3
    episodes = draw_episodes(labels, ways=3, shots=5, trials=200, seed=0)
    check_trials(episodes, labels)
