"""Mined triplets against three plain loops, and the bound on their memory."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import distances as pml_distances
from pytorch_metric_learning import losses as pml_losses
from pytorch_metric_learning import miners as pml_miners
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gemel.errors import DataError, SettingsError
from gemel.metrics import (
    Cosine,
    Euclidean,
    Mahalanobis,
    Manhattan,
    Metric,
    SquaredEuclidean,
    WeightedL1,
)
from gemel.mining import (
    DistanceWeighted,
    Mining,
    all_triplets,
    check_triplets,
    hard,
    mined_triplet,
    semi_hard,
)

Table = list[list[float]]
MININGS = [all_triplets, hard, semi_hard]
each_mining = pytest.mark.parametrize("mining", MININGS)


def triplets(labels: list[int]) -> Iterator[tuple[int, int, int]]:
    items = range(len(labels))
    for a in items:
        for p in items:
            for n in items:
                if p != a and labels[p] == labels[a] and labels[n] != labels[a]:
                    yield a, p, n


def slow_choice(
    mining: Mining, d: Table, labels: list[int], margin: float
) -> list[tuple[int, int, int]]:
    """The active triplets that a mining chooses, one by one, from its definition."""
    active = [t for t in triplets(labels) if d[t[0]][t[1]] - d[t[0]][t[2]] + margin > 0]
    if mining is all_triplets:
        return active
    if mining is semi_hard:
        return [(a, p, n) for a, p, n in active if d[a][p] <= d[a][n] < d[a][p] + margin]
    chosen = []
    for a in range(len(labels)):
        of_a = [t for t in triplets(labels) if t[0] == a]
        if of_a:
            p = max((t[1] for t in of_a), key=lambda p, a=a: d[a][p])
            n = min((t[2] for t in of_a), key=lambda n, a=a: d[a][n])
            chosen += [(a, p, n)] if (a, p, n) in active else []
    return chosen


def slow_loss(mining: Mining, x: Table, labels: list[int], margin: float) -> float:
    """The mean hinge of the active triplets, with Euclidean distances."""
    d = [[math.dist(u, v) for v in x] for u in x]
    chosen = slow_choice(mining, d, labels, margin)
    return sum(d[a][p] - d[a][n] + margin for a, p, n in chosen) / max(1, len(chosen))


def slow_gradient(
    mining: Mining, x: Table, labels: list[int], margin: float, h: float = 1e-6
) -> Table:
    """Central differences of `slow_loss`."""
    gradient = [[0.0] * len(x[0]) for _ in x]
    for i in range(len(x)):
        for j in range(len(x[0])):
            ends = []
            for step in (h, -h):
                moved = [list(row) for row in x]
                moved[i][j] += step
                ends.append(slow_loss(mining, moved, labels, margin))
            gradient[i][j] = (ends[0] - ends[1]) / (2 * h)
    return gradient


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mine(
    x: Tensor, labels: Tensor, mining: Mining, metric: Metric | None = None, **changes: Any
) -> Tensor:
    choices = {"mining": mining, "margin": 0.5, **changes}
    return mined_triplet(x, labels, metric or Euclidean(), **choices)


LABELS = [0, 1, 0, 2, 1, 0, 3, 2, 1]  # three, three, two and one of a class, mixed


@each_mining
@pytest.mark.parametrize("chunk", [1, 20, 2**19])
@pytest.mark.parametrize("margin", [0.1, 1.0, 10.0])
def test_value_and_gradient_are_those_of_slow_loops(
    mining: Mining, chunk: int, margin: float
) -> None:
    x = draw(9, 3).requires_grad_()
    loss = mine(x, torch.tensor(LABELS), mining, margin=margin, chunk=chunk)
    assert loss.item() == pytest.approx(slow_loss(mining, x.tolist(), LABELS, margin), rel=1e-9)
    (3 * loss).backward()
    wanted = 3 * torch.tensor(slow_gradient(mining, x.tolist(), LABELS, margin)).double()
    torch.testing.assert_close(x.grad, wanted, rtol=1e-5, atol=1e-7)


@given(
    labels=st.lists(st.integers(0, 3), min_size=3, max_size=14),
    dim=st.integers(1, 4),
    margin=st.floats(0.01, 3),
    chunk=st.integers(1, 60),
    seed=st.integers(0, 99),
)
@settings(max_examples=20, deadline=None)
def test_any_labels_give_the_value_of_slow_loops(
    labels: list[int], dim: int, margin: float, chunk: int, seed: int
) -> None:
    x, known = draw(len(labels), dim, seed=seed), torch.tensor(labels)
    for mining in MININGS:
        if not any(triplets(labels)):
            with pytest.raises(DataError, match="has no triplet"):
                mine(x, known, mining)
            continue
        loss = mine(x, known, mining, margin=margin, chunk=chunk)
        assert loss.item() == pytest.approx(slow_loss(mining, x.tolist(), labels, margin), abs=1e-9)


@given(labels=st.lists(st.integers(0, 2), min_size=4, max_size=12), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_weights_count_the_chosen_triplets_of_each_pair(labels: list[int], seed: int) -> None:
    """With distances of a few whole steps, so that ties are common."""
    size = len(labels)
    d = torch.randint(0, 5, (size, size), generator=torch.Generator().manual_seed(seed)) / 4
    known = torch.tensor(labels)
    alike = known[:, None] == known
    positive, negative = alike & ~torch.eye(size, dtype=torch.bool), ~alike
    for mining in MININGS:
        weights = mining(d, positive, negative, 0.5)
        assert weights.dtype == d.dtype
        assert (weights.sum(dim=1) == 0).all()
        chosen = slow_choice(mining, d.tolist(), labels, 0.5)
        wanted = torch.zeros_like(d)
        for a, p, n in chosen:
            wanted[a, p] += 1
            wanted[a, n] -= 1
        if mining is hard:  # of equally hard items any one may be chosen
            assert weights.abs().sum(dim=1).tolist() == wanted.abs().sum(dim=1).tolist()
            assert (weights * d).sum() == (wanted * d).sum()
        else:
            assert torch.equal(weights, wanted)


@each_mining
def test_a_hinge_of_exactly_zero_is_not_active(mining: Mining) -> None:
    d = torch.tensor([[0.0, 1.0, 1.5]])
    positive, negative = torch.tensor([[False, True, False]]), torch.tensor([[False, False, True]])
    assert mining(d, positive, negative, 0.5).tolist() == [[0, 0, 0]]
    assert mining(d, positive, negative, 0.75).tolist() == [[0, 1, -1]]


def dense_loss(x: Tensor, labels: Tensor, metric: Metric, margin: float) -> Tensor:
    """All triplets at once, [B, B, B], with the gradients of torch."""
    size = len(x)
    d = metric(x.repeat_interleave(size, 0), x.repeat(size, 1)).reshape(size, size)
    alike = labels[:, None] == labels
    positive = alike & ~torch.eye(size, dtype=torch.bool)
    hinge = (d[:, :, None] - d[:, None, :] + margin).clamp(min=0)
    hinge = hinge * (positive[:, :, None] & ~alike[:, None, :])
    return hinge.sum() / (hinge > 0).sum()


@pytest.mark.parametrize("metric", [Cosine(), Manhattan(), Mahalanobis(2), WeightedL1()])
@pytest.mark.parametrize("chunk", [30, 2**19])
def test_the_weights_of_the_metric_learn_too(metric: Metric, chunk: int) -> None:
    metric.build(4, generator=torch.Generator().manual_seed(0))
    metric.double()
    x, labels = draw(12, 4).requires_grad_(), torch.arange(12) % 4
    inputs = [x, *metric.parameters()]
    wanted = dense_loss(x, labels, metric, 0.3)
    loss = mine(x, labels, all_triplets, metric, margin=0.3, chunk=chunk)
    torch.testing.assert_close(loss, wanted)
    for one, other in zip(
        torch.autograd.grad(loss, inputs), torch.autograd.grad(wanted, inputs), strict=True
    ):
        torch.testing.assert_close(one, other)


@each_mining
def test_few_triplets_and_many_have_one_gradient(mining: Mining) -> None:
    """Few pairs are computed one by one, many as a matrix: 9 x 9 pairs of 200 numbers are many."""
    x, labels = draw(9, 200) / 10, torch.tensor(LABELS)
    gradients = []
    for chunk in (9 * 9, 2**19):
        leaf = x.clone().requires_grad_()
        mine(leaf, labels, mining, margin=2.0, chunk=chunk).backward()
        gradients.append(leaf.grad)
    assert gradients[0].abs().max() > 0.01
    torch.testing.assert_close(*gradients)


@each_mining
def test_gradcheck(mining: Mining) -> None:
    x, labels = draw(9, 3).requires_grad_(), torch.tensor(LABELS)
    assert torch.autograd.gradcheck(lambda x: mine(x, labels, mining), x)


@each_mining
def test_the_order_of_the_batch_does_not_matter(mining: Mining) -> None:
    x, labels = draw(40, 3).requires_grad_(), torch.arange(40) % 9
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    one = mine(x, labels, mining, chunk=100)
    other = mine(x[order], labels[order], mining, chunk=100)
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(*(torch.autograd.grad(loss, x)[0] for loss in (one, other)))


@each_mining
def test_float32_is_near_float64(mining: Mining) -> None:
    x, labels = draw(60, 16), torch.arange(60) % 15
    exact, rough = x.clone().requires_grad_(), x.float().requires_grad_()
    losses = [mine(leaf, labels, mining) for leaf in (exact, rough)]
    for loss in losses:
        loss.backward()
    assert rough.grad.dtype == torch.float32
    torch.testing.assert_close(losses[1].double(), losses[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(rough.grad.double(), exact.grad, rtol=1e-4, atol=1e-6)


def test_half_precision_is_widened() -> None:
    x, labels = draw(9, 3).bfloat16(), torch.tensor(LABELS)
    half = x.clone().requires_grad_()
    loss = mine(half, labels, semi_hard)
    loss.backward()
    assert loss.dtype == torch.float32
    assert half.grad.dtype == torch.bfloat16
    torch.testing.assert_close(loss, mine(x.float(), labels, semi_hard))


@each_mining
def test_a_collapsed_batch_shows_the_margin_and_no_nan(mining: Mining) -> None:
    x = torch.ones(9, 3, requires_grad=True)
    loss = mine(x, torch.tensor(LABELS), mining, margin=0.25)
    loss.backward()
    assert loss.item() == 0.25
    assert (x.grad == 0).all()


@each_mining
def test_without_an_active_triplet_loss_and_gradient_are_zero(mining: Mining) -> None:
    x = torch.tensor([[0.0], [0.1], [9.0], [9.1]], requires_grad=True)
    loss = mine(x, torch.tensor([0, 0, 1, 1]), mining)
    loss.backward()
    assert loss.item() == 0
    assert (x.grad == 0).all()


def test_a_mining_of_the_users_own() -> None:
    def easy(distance: Tensor, positive: Tensor, negative: Tensor, margin: float) -> Tensor:
        """The nearest positive against the farthest negative, active or not."""
        near = distance.masked_fill(~positive, torch.inf).argmin(dim=1, keepdim=True)
        far = distance.masked_fill(~negative, -torch.inf).argmax(dim=1, keepdim=True)
        one = torch.ones_like(near, dtype=distance.dtype)
        return torch.zeros_like(distance).scatter_(1, near, one).scatter_(1, far, -one)

    x = torch.tensor([[0.0], [1.0], [2.0], [10.0], [11.0]])
    loss = mine(x, torch.tensor([0, 0, 1, 1, 1]), easy, margin=10.0)
    # d_ap: 1, 1, 8, 1, 1; d_an: 11, 10, 2, 10, 11
    assert loss.item() == pytest.approx(((1 + 1 + 8 + 1 + 1) - (11 + 10 + 2 + 10 + 11)) / 5 + 10)


# What is not learned needs no gradient


def test_nothing_is_learned_without_a_graph() -> None:
    x, labels = draw(9, 3).requires_grad_(), torch.tensor(LABELS)
    with torch.no_grad():
        loss = mine(x, labels, hard)
    assert not loss.requires_grad
    assert not mine(x.detach(), labels, hard).requires_grad
    assert loss == mine(x, labels, hard).detach()


def test_frozen_weights_of_a_metric_stay_without_gradient() -> None:
    metric = WeightedL1()
    metric.build(3)
    metric.bias.requires_grad_(False)
    x, labels = draw(9, 3).float(), torch.tensor(LABELS)
    mine(x, labels, semi_hard, metric).backward()
    assert metric.alpha.grad is not None
    assert metric.bias.grad is None


def test_a_second_derivative_is_refused() -> None:
    x, labels = draw(9, 3).requires_grad_(), torch.tensor(LABELS)
    (slope,) = torch.autograd.grad(mine(x, labels, hard).square(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 0, 0], [0], []])
def test_a_batch_without_a_triplet_is_refused(labels: list[int]) -> None:
    with pytest.raises(DataError, match=rf"batch of {len(labels)} items in .* has no triplet"):
        check_triplets(torch.tensor(labels, dtype=torch.int64))


# Memory


class Largest(TorchDispatchMode):
    """The most numbers in any tensor that an operation makes."""

    size = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        results = result if isinstance(result, tuple | list) else [result]
        for tensor in results:
            if isinstance(tensor, Tensor):
                self.size = max(self.size, tensor.untyped_storage().nbytes() // tensor.itemsize)
        return result


@each_mining
@pytest.mark.parametrize("classes", [2, 64])
def test_no_tensor_is_larger_than_a_chunk(mining: Mining, classes: int) -> None:
    """256 items have 65,536 pairs, and with 2 classes over 4 million triplets."""
    x, labels = draw(256, 4).requires_grad_(), torch.arange(256) % classes
    with Largest() as largest:
        mine(x, labels, mining, margin=3.0, chunk=2048).backward()
    assert 1024 < largest.size <= 2048 + 8  # a row of counts is one longer


# Against pytorch-metric-learning


def pml_loss(mining: Mining, x: Tensor, labels: Tensor, margin: float) -> Tensor:
    distance = pml_distances.LpDistance(normalize_embeddings=False)
    miner = {
        all_triplets: pml_miners.TripletMarginMiner(margin, "all", distance=distance),
        hard: pml_miners.BatchHardMiner(distance=distance),
        semi_hard: pml_miners.TripletMarginMiner(margin, "semihard", distance=distance),
    }[mining]
    return pml_losses.TripletMarginLoss(margin=margin, distance=distance)(
        x, labels, miner(x, labels)
    )


@each_mining
@pytest.mark.parametrize("margin", [0.2, 1.0])
def test_value_and_gradient_are_those_of_pytorch_metric_learning(
    mining: Mining, margin: float
) -> None:
    """All three agree, with its default reducer: the mean over the hinges above 0.

    It differs only where d(a, p) = d(a, n) exactly: its semi-hard leaves such a triplet out.
    """
    x, labels = draw(48, 8).requires_grad_(), torch.arange(48) % 10
    losses = mine(x, labels, mining, margin=margin), pml_loss(mining, x, labels, margin)
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*(torch.autograd.grad(loss, x)[0] for loss in losses))


# Distance-weighted mining


def on_sphere(size: int, dim: int, seed: int = 0) -> Tensor:
    return torch.nn.functional.normalize(draw(size, dim, seed=seed), dim=1)


def slow_chances(x: Table, labels: list[int], cutoff: float, farthest: float) -> Table:
    """Wu 2017, equation 2 and the text after: 1 / q(d), capped below `cutoff`, 0 beyond."""
    dim, chances = len(x[0]), []
    for u, own in zip(x, labels, strict=True):
        row = []
        for v, other in zip(x, labels, strict=True):
            d = math.dist(u, v)
            near = max(d, cutoff)
            density = near ** (dim - 2) * (1 - near**2 / 4) ** ((dim - 3) / 2)
            row.append(1 / density if own != other and d <= farthest else 0.0)
        chances.append([c / (sum(row) or 1) for c in row])
    return chances


SPHERE_METRICS = [Euclidean(), SquaredEuclidean(), Cosine()]


@pytest.mark.parametrize("metric", SPHERE_METRICS, ids=str)
@pytest.mark.parametrize("dim", [3, 8, 128])
def test_chances_are_wus(metric: Metric, dim: int) -> None:
    x, labels = on_sphere(12, dim), [i % 4 for i in range(12)]
    known = torch.tensor(labels)
    mining = DistanceWeighted(metric, dim, cutoff=0.7, farthest=1.45)
    chances = mining.chances(metric.matrix(x, x), known[:, None] != known)
    shares = chances / chances.sum(dim=1, keepdim=True).clamp(min=1e-300)
    wanted = torch.tensor(slow_chances(x.tolist(), labels, 0.7, 1.45), dtype=torch.float64)
    torch.testing.assert_close(shares, wanted, rtol=1e-6, atol=1e-9)
    assert (wanted > 0).any()


def test_negatives_are_drawn_by_their_chances() -> None:
    x, labels = on_sphere(9, 4), torch.tensor(LABELS)
    metric = Euclidean()
    mining = DistanceWeighted(metric, 4)
    d, alike = metric.matrix(x, x), labels[:, None] == labels
    positive = alike & ~torch.eye(9, dtype=torch.bool)
    shares = mining.chances(d, ~alike)
    shares = shares / shares.sum(dim=1, keepdim=True).clamp(min=1e-300)
    torch.manual_seed(0)
    counts = sum(mining(d, positive, ~alike, 100.0).clamp(max=0) for _ in range(4000))
    wanted = -4000 * shares * positive.sum(dim=1, keepdim=True)
    slack = 5 * wanted.abs().sqrt() + 1e-9
    assert ((counts - wanted).abs() <= slack).all()
    assert (wanted < -100).sum() > 10


def test_each_positive_has_one_drawn_negative_within_reach() -> None:
    x, labels = on_sphere(40, 5), torch.arange(40) % 8
    metric, mining = Euclidean(), DistanceWeighted(Euclidean(), 5)
    d, alike = metric.matrix(x, x), labels[:, None] == labels
    positive = alike & ~torch.eye(40, dtype=torch.bool)
    weights = mining(d, positive, ~alike, 100.0)
    assert torch.equal(weights.clamp(min=0), positive.to(d.dtype))
    assert (d[weights < 0] <= 1.4).all()
    assert (weights.sum(dim=1) == 0).all()
    inactive = mining(d, positive, ~alike, 0.01)
    assert (inactive.clamp(min=0) <= positive).all()
    assert inactive.clamp(min=0).sum() < positive.sum()


def test_the_draws_follow_torchs_seed() -> None:
    x, labels = on_sphere(30, 6), torch.arange(30) % 6
    mining = DistanceWeighted(Cosine(), 6)
    values = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        values.append(mine(x, labels, mining, Cosine(), margin=0.5).item())
    assert values[0] == values[1] != values[2]


def test_distance_weighted_gradcheck() -> None:
    x, labels = on_sphere(9, 3).requires_grad_(), torch.tensor(LABELS)

    def loss(x: Tensor) -> Tensor:
        torch.manual_seed(0)
        return mine(x, labels, DistanceWeighted(Cosine(), 3), Cosine())

    assert torch.autograd.gradcheck(loss, x)


def test_an_anchor_without_a_near_negative_is_left_out() -> None:
    x = torch.tensor([[1.0, 0, 0], [1, 0, 0], [-1, 0, 0], [-1, 0, 0]])
    loss = mine(x, torch.tensor([0, 0, 1, 1]), DistanceWeighted(Euclidean(), 3), margin=9.0)
    assert loss.item() == 0


def test_a_collapsed_batch_shows_the_margin_when_drawn() -> None:
    x = on_sphere(1, 3).expand(9, 3).contiguous().requires_grad_()
    loss = mine(x, torch.tensor(LABELS), DistanceWeighted(Euclidean(), 3), margin=0.25)
    loss.backward()
    assert loss.item() == 0.25
    assert (x.grad == 0).all()


def test_errors_of_distance_weighted_mining() -> None:
    with pytest.raises(SettingsError, match=r"distances of unit vectors.*got Manhattan"):
        DistanceWeighted(Manhattan(), 8)
    with pytest.raises(SettingsError, match="3 or more; got 2"):
        DistanceWeighted(Cosine(), 2)
    for cutoff, farthest in ((0.0, 1.4), (1.5, 1.4), (0.5, 2.0)):
        with pytest.raises(SettingsError, match="0 < cutoff < farthest < 2"):
            DistanceWeighted(Cosine(), 8, cutoff=cutoff, farthest=farthest)
    with pytest.raises(DataError, match=r"greater than 2: .* length 1"):
        mine(5 * draw(9, 3), torch.tensor(LABELS), DistanceWeighted(Euclidean(), 3))
    assert "dim=8, cutoff=0.5, farthest=1.4" in repr(DistanceWeighted(Cosine(), 8))


# The soft margin


def slow_soft(mining: Mining, x: Table, labels: list[int]) -> float:
    """The mean of log(1 + exp(d_ap - d_an)) over all triplets, or each anchor's hardest."""
    d = [[math.dist(u, v) for v in x] for u in x]
    chosen = slow_choice(mining, d, labels, math.inf)
    return sum(math.log1p(math.exp(d[a][p] - d[a][n])) for a, p, n in chosen) / len(chosen)


each_soft = pytest.mark.parametrize("mining", [all_triplets, hard])


@each_soft
@pytest.mark.parametrize("chunk", [1, 20, 2**19])
def test_the_soft_margin_is_that_of_slow_loops(mining: Mining, chunk: int) -> None:
    x, labels = draw(9, 3).requires_grad_(), torch.tensor(LABELS)
    loss = mine(x, labels, mining, margin=None, chunk=chunk)
    assert loss.item() == pytest.approx(slow_soft(mining, x.tolist(), LABELS), rel=1e-10)
    assert torch.autograd.gradcheck(lambda x: mine(x, labels, mining, margin=None, chunk=chunk), x)


@given(labels=st.lists(st.integers(0, 3), min_size=3, max_size=12), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_the_soft_margin_of_any_labels(labels: list[int], seed: int) -> None:
    x, known = draw(len(labels), 2, seed=seed), torch.tensor(labels)
    for mining in (all_triplets, hard):
        if any(triplets(labels)):
            loss = mine(x, known, mining, margin=None)
            assert loss.item() == pytest.approx(slow_soft(mining, x.tolist(), labels), rel=1e-9)


@each_soft
def test_the_soft_margin_is_that_of_pytorch_metric_learning(mining: Mining) -> None:
    x, labels = draw(48, 8).requires_grad_(), torch.arange(48) % 10
    distance = pml_distances.LpDistance(normalize_embeddings=False)
    loss = pml_losses.TripletMarginLoss(margin=0, distance=distance, smooth_loss=True)
    mined = pml_miners.BatchHardMiner(distance=distance)(x, labels) if mining is hard else None
    values = mine(x, labels, mining, margin=None), loss(x, labels, mined)
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*(torch.autograd.grad(value, x)[0] for value in values))


@each_soft
def test_the_soft_margin_keeps_to_a_chunk(mining: Mining) -> None:
    x, labels = draw(256, 4).requires_grad_(), torch.arange(256) % 2
    with Largest() as largest:
        mine(x, labels, mining, margin=None, chunk=2048).backward()
    assert 1024 < largest.size <= 2048 + 8


@each_soft
def test_a_collapsed_batch_shows_log_2(mining: Mining) -> None:
    x = torch.ones(9, 3, requires_grad=True)
    loss = mine(x, torch.tensor(LABELS), mining, margin=None)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    assert (x.grad == 0).all()


def test_the_soft_margin_takes_two_minings() -> None:
    x, labels = draw(9, 3), torch.tensor(LABELS)
    for mining in (semi_hard, DistanceWeighted(Cosine(), 3)):
        with pytest.raises(
            SettingsError, match=r"soft margin takes mining\.all_triplets or mining\.h"
        ):
            mine(x, labels, mining, margin=None)
