"""Distances to several references, against those among them."""

import math

import numpy as np
import pytest
import torch

from gemel.errors import EvaluationError, SettingsError
from gemel.evaluation import relative_distance
from gemel.losses import relative_log_distance


def test_it_is_the_slow_count() -> None:
    generator = np.random.default_rng(0)
    to, among = generator.random((5, 3)) + 0.2, generator.random((3, 3)) + 0.2
    found = relative_distance(to, among, power=0.7)
    pairs = [among[i, j] for i in range(3) for j in range(3) if i != j]
    spread = math.prod(d + 1e-6 for d in pairs) ** (1 / 6)
    for row, value in zip(to.tolist(), found.tolist(), strict=True):
        mean = math.prod(d + 1e-6 for d in row) ** (1 / 3)
        assert value == pytest.approx(mean / spread**0.7, rel=1e-9)


def test_it_is_what_the_loss_trains() -> None:
    generator = np.random.default_rng(1)
    to, own = generator.random((4, 3)) + 0.5, generator.random((3, 3)) + 0.5
    own = (own + own.T) / 2
    pairs = own[np.triu_indices(3, 1)]
    trained = relative_log_distance(torch.tensor(pairs)[None], torch.tensor(to)[None], 0.5)
    assert np.exp(trained[0].numpy()) == pytest.approx(relative_distance(to, own))


def test_hands_that_vary_more_may_do_so() -> None:
    steady, loose = np.full((2, 2), 1.0), np.full((2, 2), 2.0)
    one, two = relative_distance([[2.0, 2.0]], steady), relative_distance([[2.0, 2.0]], loose)
    assert two < one
    assert relative_distance([[2.0, 2.0]], steady, power=0.0) == pytest.approx([2.0], rel=1e-5)


def test_what_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"\[P, R\] to two or more references"):
        relative_distance([[1.0]], [[0.0]])
    with pytest.raises(EvaluationError, match="not finite"):
        relative_distance([[1.0, math.nan]], np.ones((2, 2)))
    with pytest.raises(EvaluationError, match="below 0"):
        relative_distance([[1.0, -1.0]], np.ones((2, 2)))
    with pytest.raises(SettingsError, match="from 0 to 1"):
        relative_distance([[1.0, 1.0]], np.ones((2, 2)), power=2.0)
    diagonal = np.array([[math.inf, 1.0], [1.0, math.nan]])  # is not looked at
    assert np.isfinite(relative_distance([[1.0, 1.0]], diagonal)).all()
