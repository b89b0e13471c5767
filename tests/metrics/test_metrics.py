"""Metrics against slow loops, their axioms, and the counter-examples that their docstrings name."""

import math
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from gemel.errors import SettingsError
from gemel.metrics import (
    Cosine,
    Euclidean,
    Mahalanobis,
    Manhattan,
    Metric,
    SquaredEuclidean,
    WeightedL1,
    unit,
    working_dtype,
)

Row = Sequence[float]


def weighted_l1(alpha: Row, bias: float = 0.7) -> WeightedL1:
    metric = WeightedL1()
    metric.build(len(alpha))
    metric.load_state_dict({"alpha": torch.tensor(alpha), "bias": torch.tensor(bias)})
    return metric.double()


def mahalanobis(rank: int | None, dim: int) -> Mahalanobis:
    metric = Mahalanobis(rank)
    metric.build(dim, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    shape = (rank or dim, dim)
    metric.load_state_dict({"projection": torch.randn(shape, generator=generator)})
    return metric.double()


def diagonal(dim: int) -> Mahalanobis:
    metric = Mahalanobis(diagonal=True)
    metric.build(dim)
    metric.load_state_dict({"projection": torch.linspace(0.5, -2.0, dim)})
    return metric.double()


def every_metric(dim: int) -> list[Metric]:
    """One of each; with `dim` 2 or more, WeightedL1 has weights of both signs."""
    alpha = [(-1) ** j * (0.3 + 0.1 * j) for j in range(dim)]
    return [
        Euclidean(),
        SquaredEuclidean(),
        Manhattan(),
        Cosine(),
        mahalanobis(None, dim),
        mahalanobis(1, dim),
        diagonal(dim),
        weighted_l1(alpha),
    ]


def slow_distance(metric: Metric, u: Row, v: Row) -> float:
    """The definitions, number by number."""
    difference = [a - b for a, b in zip(u, v, strict=True)]
    match metric:
        case Euclidean():
            return math.sqrt(sum(x * x for x in difference))
        case SquaredEuclidean():
            return sum(x * x for x in difference)
        case Manhattan():
            return sum(abs(x) for x in difference)
        case Cosine():
            inner = sum(a * b for a, b in zip(u, v, strict=True))
            return 1 - inner / math.sqrt(sum(a * a for a in u) * sum(b * b for b in v))
        case Mahalanobis():
            # (u - v)' M (u - v), M = L'L
            weights = metric.projection
            weights = (weights.diag() if metric.diagonal else weights).tolist()
            size = range(len(u))
            m = [[sum(row[i] * row[j] for row in weights) for j in size] for i in size]
            return math.sqrt(
                max(0, sum(difference[i] * m[i][j] * difference[j] for i in size for j in size))
            )
        case WeightedL1():
            terms = zip(metric.alpha.tolist(), difference, strict=True)
            return -(metric.bias.item() + sum(a * abs(x) for a, x in terms))
    raise NotImplementedError


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


NAMES = [
    "euclidean",
    "squared",
    "manhattan",
    "cosine",
    "mahalanobis",
    "low rank",
    "diagonal",
    "weighted l1",
]
each_metric = pytest.mark.parametrize("metric", every_metric(5), ids=NAMES)


@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    dim=st.integers(1, 6),
    seed=st.integers(0, 99),
)
@settings(max_examples=12, deadline=None)
def test_values_are_those_of_slow_loops(rows: int, columns: int, dim: int, seed: int) -> None:
    u, v = draw(rows, dim, seed=seed), draw(columns, dim, seed=seed + 100)
    for metric in every_metric(dim):
        wanted = torch.tensor(
            [[slow_distance(metric, a, b) for b in v.tolist()] for a in u.tolist()],
            dtype=torch.float64,
        )
        torch.testing.assert_close(metric.matrix(u, v), wanted, rtol=1e-7, atol=1e-7)
        for row, column in product(range(rows), range(columns)):
            one = metric(u[row : row + 1], v[column : column + 1])
            torch.testing.assert_close(one, wanted[row, column].reshape(1), rtol=1e-9, atol=1e-9)


@each_metric
def test_gradients_are_those_of_finite_differences(metric: Metric) -> None:
    u, v = draw(3, 5).requires_grad_(), draw(3, 5, seed=1).requires_grad_()
    weights = tuple(metric.parameters())
    assert torch.autograd.gradcheck(lambda *x: metric(*x[:2]), (u, v, *weights))
    assert torch.autograd.gradcheck(lambda *x: metric.matrix(*x[:2]), (u, v[:2], *weights))


@each_metric
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_matrix_agrees_with_forward_in_float32(metric: Metric, offset: float) -> None:
    u, v = (draw(40, 5, seed=seed).float() + offset for seed in (0, 1))
    metric = metric.float()
    rows, columns = torch.arange(40).repeat_interleave(40), torch.arange(40).repeat(40)
    one_by_one = metric(u[rows], v[columns]).reshape(40, 40)
    # Products with numbers around 1000 are rounded at 1000 * 2**-24 each.
    torch.testing.assert_close(
        metric.matrix(u, v), one_by_one, rtol=2e-5, atol=1e-6 + offset * 5e-6
    )
    metric.double()


@each_metric
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_nan_in_value_or_gradient_where_embeddings_are_equal(
    metric: Metric, dtype: torch.dtype
) -> None:
    x = draw(6, 5).to(dtype)
    x[3] = x[2]
    x[4] = 0
    zero = -0.7 if isinstance(metric, WeightedL1) else 0.0
    for compare in (metric, lambda u, v: metric.matrix(u, v).diagonal()):
        u, v = x.clone().requires_grad_(), x.clone().requires_grad_()
        distance = compare(u, v)
        expected = torch.full((6,), zero, dtype=dtype)
        if isinstance(metric, Cosine):
            expected[4] = 1
        torch.testing.assert_close(
            distance.detach(), expected, rtol=0, atol=1e-15 if zero == 0 else 1e-6
        )
        distance.sum().backward()
        limit = 1e-6 if isinstance(metric, Cosine) else 0.0
        for gradient in (u.grad, v.grad):
            assert gradient.abs().max() <= limit
    whole = x.clone().requires_grad_()
    metric.matrix(whole, whole).sum().backward()
    assert whole.grad.isfinite().all()


@pytest.mark.parametrize("metric", [Euclidean(), SquaredEuclidean(), Manhattan()])
def test_equal_embeddings_are_exactly_zero_apart_at_any_size(metric: Metric) -> None:
    for dim, scale, offset in ((4096, 1.0, 0.0), (128, 1e-6, 0.0), (128, 1.0, 1e4), (3, 1e6, 0.0)):
        x = (draw(20, dim) * scale + offset).float()
        assert (metric(x, x.clone()) == 0).all()
        assert (metric.matrix(x, x.clone()).diagonal() == 0).all()
        assert (metric.matrix(x, x) > 0).sum() == 20 * 19


@pytest.mark.parametrize("dim", [3, 128, 4096])
def test_cosine_of_equal_embeddings_is_exactly_zero(dim: int) -> None:
    x = draw(20, dim).float()
    assert (Cosine()(x, x.clone()) == 0).all()
    assert (Cosine().matrix(x, x.clone()).diagonal() == 0).all()


def test_small_distances_survive_a_large_offset() -> None:
    """Where the plain Gram product in float32 would give noise."""
    u = torch.full((1, 64), 10.0)
    v = u.clone()
    v[0, 0] += 2**-10
    assert Euclidean().matrix(u, v).item() == pytest.approx(2**-10, rel=1e-5)
    assert Euclidean()(u, v).item() == pytest.approx(2**-10, rel=1e-6)


# Axioms

points = hnp.arrays(
    np.float64,
    (3, 4),
    elements=st.floats(-100, 100, allow_subnormal=False).map(lambda x: round(x, 3)),
)


def triple(metric: Metric, rows: np.ndarray) -> tuple[list[list[float]], Tensor]:
    x = torch.from_numpy(rows)
    return metric.matrix(x, x).tolist(), x


@pytest.mark.parametrize("metric", every_metric(4), ids=NAMES)
@given(rows=points)
@settings(max_examples=20, deadline=None)
def test_symmetry_holds_for_all(metric: Metric, rows: np.ndarray) -> None:
    d, x = triple(metric, rows)
    for i, j in product(range(3), repeat=2):
        assert d[i][j] == pytest.approx(d[j][i], rel=1e-9, abs=1e-9)
    torch.testing.assert_close(metric(x[:2], x[1:]), metric(x[1:], x[:2]), rtol=0, atol=0)


@pytest.mark.parametrize("metric", every_metric(4)[:7], ids=NAMES[:7])
@given(rows=points)
@settings(max_examples=20, deadline=None)
def test_distances_are_not_negative_and_zero_to_oneself(metric: Metric, rows: np.ndarray) -> None:
    if isinstance(metric, Cosine):
        rows = rows + np.where(np.abs(rows).max(axis=1, keepdims=True) < 0.01, 1.0, 0.0)
    d, x = triple(metric, rows)
    assert min(map(min, d)) >= 0
    assert [d[i][i] for i in range(3)] == [0, 0, 0]
    assert metric(x, x).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "metric", [Euclidean(), SquaredEuclidean(), Manhattan(), mahalanobis(None, 4), diagonal(4)]
)
@given(rows=points)
@settings(max_examples=20, deadline=None)
def test_only_equal_embeddings_are_zero_apart(metric: Metric, rows: np.ndarray) -> None:
    x = torch.from_numpy(rows)
    apart = (x[:2] != x[1:]).any(dim=1)
    assert ((metric(x[:2], x[1:]) > 0) == apart).all()


@pytest.mark.parametrize(
    "metric", [Euclidean(), Manhattan(), mahalanobis(None, 4), mahalanobis(2, 4), diagonal(4)]
)
@given(rows=points)
@settings(max_examples=40, deadline=None)
def test_the_triangle_holds(metric: Metric, rows: np.ndarray) -> None:
    d, x = triple(metric, rows)
    noise = 1e-6 * (1 + float(x.abs().max()))
    for i, j, k in product(range(3), repeat=3):
        assert d[i][k] <= d[i][j] + d[j][k] + noise


def distances(metric: Metric, *rows: Row) -> Callable[[int, int], float]:
    x = torch.tensor(rows, dtype=torch.float64)
    return lambda i, j: metric.matrix(x, x)[i, j].item()


def test_squared_euclidean_breaks_the_triangle() -> None:
    d = distances(SquaredEuclidean(), [0.0], [1.0], [2.0])
    assert (d(0, 2), d(0, 1), d(1, 2)) == (4, 1, 1)


def test_cosine_breaks_the_triangle_and_the_identity() -> None:
    d = distances(Cosine(), [1, 0], [1, 1], [0, 1], [2, 0])
    assert d(0, 2) == pytest.approx(1)
    assert d(0, 1) == pytest.approx(d(1, 2)) == pytest.approx(1 - math.sqrt(0.5))
    assert d(0, 2) > d(0, 1) + d(1, 2)
    assert d(0, 3) == 0


def test_mahalanobis_of_low_rank_breaks_the_identity() -> None:
    metric = Mahalanobis(1)
    metric.build(2)
    metric.load_state_dict({"projection": torch.tensor([[1.0, 0.0]])})
    assert distances(metric, [3, 1], [3, 2])(0, 1) == 0


def test_weighted_l1_breaks_all_but_symmetry() -> None:
    metric = WeightedL1()
    metric.build(2)
    d = distances(metric, [0, 0], [0, 0], [0.5, 0.5])
    assert d(0, 0) == -1  # negative, and not zero to oneself
    assert d(0, 2) == 0  # zero, though not equal
    assert d(0, 0) > d(0, 0) + d(0, 0)  # the triangle of one point three times


# What each one is made of


def test_weighted_l1_is_the_probability_of_koch() -> None:
    metric = weighted_l1([-2.0, 0.5], bias=0.25)
    u, v = torch.tensor([[1.0, 2.0]]).double(), torch.tensor([[0.0, 5.0]]).double()
    wanted = 1 / (1 + math.exp(-(0.25 - 2.0 * 1 + 0.5 * 3)))
    assert metric.probability(metric(u, v)).item() == pytest.approx(wanted)


def test_weighted_l1_starts_with_greater_differences_less_alike() -> None:
    metric = WeightedL1()
    metric.build(8)
    u = torch.zeros(4, 8)
    v = torch.tensor([0.0, 0.5, 1.0, 100.0])[:, None].expand(4, 8)
    distance = metric(u, v)
    assert (distance.diff() > 0).all()
    assert (metric.probability(distance).diff() < 0).all()
    far = torch.tensor([1e4, 1e5])[:, None].expand(2, 8)
    near_one = metric(u[:2], far)
    assert metric.probability(near_one).tolist() == [0, 0]  # the probability ties ...
    assert near_one[0] < near_one[1]  # ... the distance does not


@pytest.mark.parametrize("alpha", [[0.0, 1.0, -1.0], [-0.5, -0.5, -0.5], [0.5, 0.0, 0.0]])
def test_matrix_of_weighted_l1_has_the_gradient_of_forward(alpha: Row) -> None:
    """Also for a weight of exactly zero, where a scaled Manhattan distance has no slope."""
    u, v = draw(4, 3), draw(4, 3, seed=1)
    gradients = []
    for compare in (lambda m: m(u, v), lambda m: m.matrix(u, v).diagonal()):
        metric = weighted_l1(alpha)
        gradients.append(torch.autograd.grad(compare(metric).sum(), list(metric.parameters())))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
    assert (gradients[0][0] != 0).all()


def test_mahalanobis_starts_as_euclidean() -> None:
    metric = Mahalanobis()
    metric.build(5)
    u, v = draw(4, 5), draw(4, 5, seed=1)
    torch.testing.assert_close(metric(u, v), Euclidean()(u, v))


def test_mahalanobis_of_low_rank_starts_orthonormal_and_from_its_generator() -> None:
    starts = []
    for seed in (3, 3, 4):
        metric = Mahalanobis(2)
        metric.build(5, generator=torch.Generator().manual_seed(seed))
        starts.append(metric.projection.detach())
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])
    torch.testing.assert_close(starts[0] @ starts[0].T, torch.eye(2))


def test_mahalanobis_draws_from_the_seeded_fork_when_no_generator_is_given() -> None:
    starts = []
    for _ in range(2):
        with torch.random.fork_rng():
            torch.manual_seed(7)
            metric = Mahalanobis(2)
            metric.build(5)
            starts.append(metric.projection.detach())
    assert torch.equal(*starts)


@pytest.mark.parametrize(
    "metric", [*every_metric(4)[:4], Mahalanobis(), Mahalanobis(2), diagonal(4), WeightedL1()]
)
def test_settings_and_weights_rebuild_a_metric(metric: Metric) -> None:
    metric.build(4)
    again = type(metric)(**metric.settings())
    again.build(4)
    again.load_state_dict(metric.state_dict())
    u, v = draw(3, 4), draw(3, 4, seed=1)
    assert torch.equal(metric(u, v), again(u, v))


def test_zero_vector_in_cosine() -> None:
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0]], requires_grad=True)
    matrix = Cosine().matrix(x, x)
    assert matrix.tolist() == [[1, 1], [1, 0]]
    matrix.sum().backward()
    assert x.grad.tolist() == [[0, 0], [0, 0]]
    assert unit(torch.zeros(1, 3)).tolist() == [[0, 0, 0]]


@each_metric
def test_normalised_embeddings_are_at_the_same_distances(metric: Metric) -> None:
    u, v = draw(4, 5), draw(4, 5, seed=1)
    torch.testing.assert_close(metric(metric.normalise(u), metric.normalise(v)), metric(u, v))
    if isinstance(metric, Cosine):
        torch.testing.assert_close(metric.normalise(3 * u), metric.normalise(u))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_widened(dtype: torch.dtype) -> None:
    u, v = draw(6, 5).to(dtype), draw(6, 5, seed=1).to(dtype)
    for metric in every_metric(5):
        metric.float()
        for compare in (metric, metric.matrix):
            result = compare(u, v)
            assert result.dtype == torch.float32
            torch.testing.assert_close(result, compare(u.float(), v.float()), rtol=0, atol=0)


def test_autocast_changes_nothing() -> None:
    u, v = draw(6, 5).float(), draw(6, 5, seed=1).float()
    for metric in every_metric(5):
        metric.float()
        plain = metric(u, v), metric.matrix(u, v)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            within = metric(u, v), metric.matrix(u, v)
        for one, other in zip(plain, within, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_working_precision_follows_the_device() -> None:
    assert working_dtype(torch.device("cpu")) == torch.float64
    assert working_dtype(torch.device("mps")) == torch.float32


@each_metric
def test_no_rows_give_an_empty_matrix(metric: Metric) -> None:
    assert metric.matrix(draw(0, 5), draw(3, 5)).shape == (0, 3)
    assert metric(draw(0, 5), draw(0, 5)).shape == (0,)


# Errors


@pytest.mark.parametrize("metric", [WeightedL1(), Mahalanobis()])
def test_a_metric_without_weights_says_build(metric: Metric) -> None:
    with pytest.raises(SettingsError, match=r"call build\(dim\)"):
        metric.matrix(draw(2, 3), draw(2, 3))


def test_impossible_ranks_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"1 or more.*got 0"):
        Mahalanobis(0)
    with pytest.raises(SettingsError, match=r"`rank` is 5.*only 3"):
        Mahalanobis(5).build(3)
    with pytest.raises(SettingsError, match=r"diagonal=True: give one of them"):
        Mahalanobis(2, diagonal=True)


@given(rows=points)
@settings(max_examples=40, deadline=None)
def test_no_distance_is_beyond_reach(rows: np.ndarray) -> None:
    x = torch.from_numpy(rows) + 0.001
    x = torch.cat([unit(x), -unit(x)])
    for metric in (Euclidean(), SquaredEuclidean(), Manhattan(), Cosine()):
        assert metric.matrix(x, x).max() <= metric.reach(4, unit_length=True) + 1e-9
    assert Cosine().reach(4, unit_length=False) == 2
    corner = torch.full((1, 4), 0.5)  # the reach is reached
    for metric in (Euclidean(), SquaredEuclidean(), Manhattan(), Cosine()):
        assert metric(corner, -corner).item() == pytest.approx(metric.reach(4, unit_length=True))
    for metric in (Euclidean(), SquaredEuclidean(), Manhattan(), mahalanobis(None, 4)):
        assert metric.reach(4, unit_length=False) == math.inf
