"""Judging trials: ties, NaN, shots and prototypes, published runs, and accuracy's intervals."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gemel.errors import EvaluationError
from gemel.evaluation import (
    Episodes,
    accuracy,
    bootstrap,
    draw_episodes,
    fixed_trials,
    nearest_support,
    one_shot_credit,
    prototypes,
    score_trials,
    wilson,
)

NAN = float("nan")


def euclidean(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.floating[Any]]:
    return np.asarray(np.sqrt(((left - right) ** 2).sum(axis=1)))


def items(seed: int, classes: int = 8, each: int = 5) -> tuple[NDArray[Any], NDArray[Any]]:
    """Embeddings [N, 3] around their classes' centres, and labels."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    return generator.normal(size=(classes, 3))[labels] + generator.normal(
        0, 0.7, (len(labels), 3)
    ), labels


@pytest.mark.parametrize(
    ("distances", "answer", "credit"),
    [
        ([1, 2, 3], 0, 1),
        ([1, 2, 3], 1, 0),
        ([1, 1, 3], 1, 1 / 2),
        ([1, 1, 3], 2, 0),
        ([7, 7, 7], 2, 1 / 3),
        ([2, 1, 1], 0, 0),
        ([NAN, 1, 2], 0, 0),
        ([NAN, 1, 2], 1, 0),
        ([1, NAN, 2], 0, 0),
        ([NAN, NAN, NAN], 1, 0),
        ([np.inf, np.inf, np.inf], 1, 1 / 3),
        ([np.inf, 5, np.inf], 1, 1),
        ([-np.inf, 5, -np.inf], 2, 1 / 2),
    ],
)
def test_credit_of_one_trial(distances: list[float], answer: int, credit: float) -> None:
    assert score_trials([distances], [answer]).tolist() == [credit]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 6))
def test_credits_over_all_answers_sum_to_one(seed: int, ways: int) -> None:
    distances = np.random.default_rng(seed).integers(0, 3, (20, ways))
    total = sum(score_trials(distances, np.full(20, way)) for way in range(ways))
    np.testing.assert_allclose(total, 1)


def test_a_constant_distance_earns_chance_wherever_the_answer_stands() -> None:
    _, labels = items(0)
    episodes = draw_episodes(labels, ways=5, shots=1, trials=300, seed=0)
    credit = one_shot_credit(episodes, nearest_support(lambda q, s: np.zeros(len(q))))
    np.testing.assert_allclose(credit, 1 / 5)
    first = score_trials(np.arange(5) * np.ones((300, 1)), episodes.answer)  # "the first way"
    assert 0.1 < first.mean() < 0.3


@pytest.mark.parametrize(
    ("distances", "answer", "message"),
    [
        ([1.0, 2.0], [0], r"shapes \(2,\) and \(1,\)"),
        ([[1.0, 2.0]], [0, 1], r"shapes \(1, 2\) and \(2,\)"),
        ([[1.0, 2.0]], [0.0], "of float64"),
        ([[1.0, 2.0], [1.0, 2.0]], [1, 2], "answer of trial 1 is 2; with 2 ways.* 0 and 1"),
        ([[1.0, 2.0]], [-1], "answer of trial 0 is -1"),
    ],
)
def test_misfit_trials_are_refused(distances: Any, answer: Any, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        score_trials(distances, answer)


def slow_credit(
    episodes: Episodes, embeddings: NDArray[Any], *, prototype: bool
) -> NDArray[np.float64]:
    credits_ = []
    for support, query, answer in zip(
        episodes.support, episodes.query, episodes.answer, strict=True
    ):
        found = []
        for way in support:
            if prototype:
                mean = sum(embeddings[i] for i in way) / len(way)
                found.append(float(np.linalg.norm(embeddings[query] - mean)))
            else:
                found.append(
                    min(float(np.linalg.norm(embeddings[query] - embeddings[i])) for i in way)
                )
        best = min(found)
        credits_.append((found[answer] == best) / found.count(best))
    return np.array(credits_)


@pytest.mark.parametrize("shots", [1, 3])
def test_credit_is_that_of_a_slow_loop(shots: int, monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, labels = items(1)
    episodes = draw_episodes(labels, ways=6, shots=shots, trials=150, seed=1)
    matrix = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=-1)
    slow = slow_credit(episodes, embeddings, prototype=False)
    assert 0.2 < slow.mean() < 0.95

    by_matrix = one_shot_credit(episodes, nearest_support(matrix))
    np.testing.assert_array_equal(by_matrix, slow)
    sizes = []

    def distance(query: NDArray[Any], support: NDArray[Any]) -> NDArray[np.floating[Any]]:
        sizes.append(len(query))
        return euclidean(embeddings[query], embeddings[support])

    monkeypatch.setattr("gemel.evaluation.one_shot._INDICES_AT_ONCE", 40 * 6 * shots)
    np.testing.assert_array_equal(one_shot_credit(episodes, nearest_support(distance)), slow)
    assert sizes == [240 * shots] * 3 + [180 * shots]  # bounded parts of 40 trials

    slow = slow_credit(episodes, embeddings, prototype=True)
    by_mean = one_shot_credit(episodes, prototypes(embeddings, euclidean))
    np.testing.assert_array_equal(by_mean, slow)


def test_the_querys_row_meets_the_supports_column() -> None:
    matrix = np.zeros((4, 4))
    matrix[3] = [1, 2, 0, 9]  # query 3: item 0 is nearer than item 1
    matrix[:, 3] = [2, 1, 0, 9]
    episodes = Episodes(
        support=np.array([[[0], [1]]]),
        query=np.array([3]),
        answer=np.array([0]),
        support_set=np.array([0]),
        seed=0,
    )
    assert one_shot_credit(episodes, nearest_support(matrix)).tolist() == [1]
    assert one_shot_credit(episodes, nearest_support(matrix.T)).tolist() == [0]


def test_a_nan_distance_among_the_shots_is_wrong() -> None:
    embeddings, labels = items(2)
    matrix = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=-1)
    matrix[:, 0] = np.nan
    episodes = draw_episodes(labels, ways=3, shots=2, trials=200, seed=0)
    credit = one_shot_credit(episodes, nearest_support(matrix))
    met = (episodes.support == 0).any(axis=(1, 2))
    assert met.any()
    assert (credit[met] == 0).all()
    assert credit[~met].mean() > 0.5


def test_misfit_comparisons_are_refused() -> None:
    embeddings, labels = items(3)
    episodes = draw_episodes(labels, ways=3, shots=2, trials=10, seed=0)
    with pytest.raises(EvaluationError, match=r"returned shape \(10,\); these trials need"):
        one_shot_credit(episodes, lambda query, support: np.zeros(len(query)))
    with pytest.raises(EvaluationError, match=r"shape \(60, 1\) for 60 pairs"):
        one_shot_credit(episodes, nearest_support(lambda q, s: np.zeros((len(q), 1))))
    with pytest.raises(EvaluationError, match=r"shape \(\) for 30 pairs; expected \(30,\)"):
        one_shot_credit(episodes, prototypes(embeddings, lambda q, s: np.array(0.0)))
    with pytest.raises(EvaluationError, match=r"\[N, N\].*shape \(3, 4\)"):
        nearest_support(np.zeros((3, 4)))
    with pytest.raises(EvaluationError, match=r"shape \(9,\)"):
        nearest_support(np.zeros(9))
    with pytest.raises(EvaluationError, match=r"point at item [0-9]+; the distances are of 7"):
        one_shot_credit(episodes, nearest_support(np.zeros((7, 7))))


def test_published_runs() -> None:
    generator = np.random.default_rng(4)
    distances = [generator.integers(0, 9, (20, 20)).astype(float) for _ in range(3)]
    answers = [generator.permutation(20) for _ in range(3)]
    distances[0][np.arange(20), answers[0]] = -1  # the first run is all right
    trials = fixed_trials(distances, answers)
    assert trials.run.tolist() == [0] * 20 + [1] * 20 + [2] * 20
    assert trials.credit[:20].tolist() == [1] * 20
    expected = np.concatenate(
        [score_trials(d, a) for d, a in zip(distances[1:], answers[1:], strict=True)]
    )
    np.testing.assert_array_equal(trials.credit[20:], expected)
    with pytest.raises(EvaluationError, match="got 3 and 2"):
        fixed_trials(distances, answers[:2])
    with pytest.raises(EvaluationError, match="got 0 and 0"):
        fixed_trials([], [])


def test_accuracy_of_independent_trials_has_wilsons_interval() -> None:
    figure = accuracy([1, 1, 1, 0], name="5-way 1-shot accuracy", split="omniglot/unseen", seed=2)
    expected = wilson(3, 4)
    assert (figure.value, figure.count) == (0.75, 4)
    assert (figure.low, figure.high) == (expected.low, expected.high)
    assert str(figure) == (
        "5-way 1-shot accuracy 75.0 % [30.1, 95.4] (4 trials, split omniglot/unseen, seed 2)"
    )


def test_accuracy_with_ties_or_clusters_is_bootstrapped() -> None:
    generator = np.random.default_rng(5)
    credit = generator.choice([0, 0.5, 1], 100)
    figure = accuracy(credit, split="s", seed=6, draws=200)
    expected = bootstrap(credit, cluster_unit="trials", seed=6, draws=200)
    assert (figure.low, figure.high) == (expected.low, expected.high)
    assert figure.method == "percentile bootstrap over 100 trials, 200 draws"

    right, runs = (credit > 0).astype(float), np.repeat(np.arange(10), 10)
    figure = accuracy(right, clusters=runs, cluster_unit="runs", split="s", seed=6, draws=200)
    expected = bootstrap(right, clusters=runs, cluster_unit="runs", seed=6, draws=200)
    assert (figure.low, figure.high) == (expected.low, expected.high)
    assert figure.method == "percentile bootstrap over 10 runs, 200 draws"
    assert figure.value == pytest.approx(right.mean())


@pytest.mark.parametrize("credit", [[], [[1.0]], [0.5, 1.5], [-0.1], [NAN, 1.0]])
def test_credits_that_are_no_shares_are_refused(credit: Any) -> None:
    with pytest.raises(EvaluationError, match="between 0 and 1"):
        accuracy(credit, split="s", seed=0)
