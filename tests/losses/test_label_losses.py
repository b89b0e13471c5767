"""N-pair and multi-similarity against loops from their papers; every table in chunks."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import distances as pml_distances
from pytorch_metric_learning import losses as pml
from pytorch_metric_learning import miners as pml_miners
from slow_losses import Rows, assert_like_slow, draw
from torch import Tensor

from gemel.errors import DataError, SettingsError
from gemel.losses import (
    LabelLoss,
    MultiSimilarity,
    NPair,
    SupervisedContrastive,
    label,
    supervised_contrastive,
)

LABELS = [0, 1, 0, 2, 1, 0, 3, 0, 2]  # four, two, two and one of a class, mixed


def dot(u: list[float], v: list[float]) -> float:
    return sum(a * b for a, b in zip(u, v, strict=True))


def slow_n_pair(x: Rows, labels: list[int], penalty: float) -> float:
    """Sohn 2016, equation 7, with a pair of every two items of a class in order."""
    pairs = []
    for name in sorted(set(labels)):
        own = [i for i, one in enumerate(labels) if one == name]
        pairs += [(name, x[own[k]], x[own[k + 1]]) for k in range(0, len(own) - 1, 2)]
    total = 0.0
    for name, f, plus in pairs:
        rest = sum(math.exp(dot(f, p) - dot(f, plus)) for other, _, p in pairs if other != name)
        total += math.log(1 + rest) + penalty * (dot(f, f) + dot(plus, plus)) / 2
    return total / len(pairs)


def slow_multi_similarity(
    x: Rows, labels: list[int], alpha: float, beta: float, base: float, epsilon: float
) -> float:
    """Wang 2019, equations 11 to 16."""
    z = [[value / math.hypot(*row) for value in row] for row in x]
    items, total = range(len(z)), 0.0
    for i in items:
        mates = [dot(z[i], z[j]) for j in items if j != i and labels[j] == labels[i]]
        others = [dot(z[i], z[j]) for j in items if labels[j] != labels[i]]
        pull = [s for s in mates if others and s < max(others) + epsilon]
        push = [s for s in others if mates and s > min(mates) - epsilon]
        total += math.log(1 + sum(math.exp(-alpha * (s - base)) for s in pull)) / alpha
        total += math.log(1 + sum(math.exp(beta * (s - base)) for s in push)) / beta
    return total / len(z)


@pytest.fixture(params=[2**19, 20])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """All rows at once, and two at a time."""
    monkeypatch.setattr(label, "CHUNK", request.param)
    return int(request.param)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_n_pair_is_sohns(penalty: float) -> None:
    loss = NPair(penalty)
    assert_like_slow(
        lambda x: loss(x, torch.tensor(LABELS)),
        lambda rows: slow_n_pair(rows, LABELS, penalty),
        draw(9, 3),
    )


def test_n_pair_is_that_of_pytorch_metric_learning() -> None:
    """With two items of a class, no penalty, and its scaling to unit length turned off.

    It differs with more items: it takes one pair of each class.
    """
    x, labels = draw(20, 6).requires_grad_(), torch.arange(20) % 10
    distance = pml_distances.DotProductSimilarity(normalize_embeddings=False)
    losses = NPair(0)(x, labels), pml.NPairsLoss(distance=distance)(x, labels)
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*(torch.autograd.grad(loss, x)[0] for loss in losses))


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize(
    "numbers", [(2.0, 50.0, 0.5, 0.1), (1.0, 3.0, 1.0, 5.0), (5.0, 10.0, 0.0, 0.3)]
)
def test_multi_similarity_is_wangs(numbers: tuple[float, float, float, float]) -> None:
    names = ("alpha", "beta", "base", "epsilon")
    loss = MultiSimilarity(**dict(zip(names, numbers, strict=True)))
    assert_like_slow(
        lambda x: loss(x, torch.tensor(LABELS)),
        lambda rows: slow_multi_similarity(rows, LABELS, *numbers),
        draw(9, 3),
    )


@given(labels=st.lists(st.integers(0, 3), min_size=2, max_size=10), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_any_labels_give_the_values_of_loops(labels: list[int], seed: int) -> None:
    x, known = draw(len(labels), 3, seed=seed), torch.tensor(labels)
    counts = {name: labels.count(name) for name in labels}
    if len(counts) < 2 or max(counts.values()) < 2:
        with pytest.raises(DataError, match="has no triplet"):
            MultiSimilarity()(x, known)
    else:
        wanted = slow_multi_similarity(x.tolist(), labels, 2.0, 50.0, 0.5, 0.1)
        assert MultiSimilarity()(x, known).item() == pytest.approx(wanted, rel=1e-9)
    if sum(count > 1 for count in counts.values()) < 2:
        with pytest.raises(DataError, match="too few pairs"):
            NPair()(x, known)
    else:
        wanted = slow_n_pair(x.tolist(), labels, 0.002)
        assert NPair()(x, known).item() == pytest.approx(wanted, rel=1e-9)


def test_multi_similarity_is_that_of_pytorch_metric_learning() -> None:
    x, labels = draw(24, 8).requires_grad_(), torch.tensor([0, 1, 2, 3, 4] * 4 + [5, 6, 7, 8])
    mined = pml_miners.MultiSimilarityMiner(epsilon=0.1)(x, labels)
    losses = MultiSimilarity()(x, labels), pml.MultiSimilarityLoss()(x, labels, mined)
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*(torch.autograd.grad(loss, x)[0] for loss in losses))


@pytest.mark.parametrize(
    "loss", [SupervisedContrastive(), NPair(), MultiSimilarity()], ids=lambda x: type(x).__name__
)
def test_chunks_do_not_change_value_or_gradient(
    loss: LabelLoss, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, labels = draw(30, 4), torch.arange(30) % 7
    results = []
    for chunk in (2**19, 1, 100):
        monkeypatch.setattr(label, "CHUNK", chunk)
        leaf = x.clone().requires_grad_()
        loss(leaf, labels).backward()
        results.append((loss(leaf, labels).detach(), leaf.grad))
    torch.testing.assert_close(results[0], results[1])
    torch.testing.assert_close(results[0], results[2])


@pytest.mark.parametrize("loss", [NPair(), MultiSimilarity()], ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_alike_give_a_finite_gradient(loss: LabelLoss, value: float) -> None:
    x = torch.full((6, 3), value, requires_grad=True)
    loss(x, torch.tensor([0, 0, 1, 1, 2, 2])).backward()
    assert x.grad.isfinite().all()


def test_large_products_do_not_overflow() -> None:
    x = (1e3 * draw(8, 4).float()).requires_grad_()
    loss = NPair()(x, torch.arange(8) % 4)
    loss.backward()
    assert loss.isfinite()
    assert x.grad.isfinite().all()


def test_without_a_graph_nothing_is_learned() -> None:
    x, labels = draw(9, 3).requires_grad_(), torch.tensor(LABELS)
    with torch.no_grad():
        value = supervised_contrastive(x, labels, 0.1)
    assert not value.requires_grad
    assert value == supervised_contrastive(x, labels, 0.1).detach()


@pytest.mark.parametrize("loss", [NPair(), MultiSimilarity()], ids=lambda x: type(x).__name__)
def test_labels_must_be_whole_numbers(loss: LabelLoss) -> None:
    for wrong in (torch.ones(4), torch.ones(4, dtype=torch.bool), torch.ones(4) + 0j):
        with pytest.raises(DataError, match="whole numbers"):
            loss(torch.ones(4, 2), wrong)
    with pytest.raises(DataError, match="they need"):
        loss(torch.ones(4, 2), torch.arange(3))


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_impossible_settings_of_label_losses(value: float) -> None:
    for name in ("alpha", "beta", "epsilon"):
        with pytest.raises(SettingsError, match=rf"`{name}` must be positive.*got {value}"):
            MultiSimilarity(**{name: value})
    if value:
        with pytest.raises(SettingsError, match="0 or more"):
            NPair(value)
    with pytest.raises(SettingsError, match="finite"):
        MultiSimilarity(base=math.nan)


def test_label_losses_show_their_settings() -> None:
    assert str(NPair()) == "NPair(penalty=0.002)"
    assert str(MultiSimilarity()) == "MultiSimilarity(alpha=2.0, beta=50.0, base=0.5, epsilon=0.1)"


def test_a_mean_of_z(chunk: int) -> None:
    """The mean of the positives without a table equals the one with it, at any chunk."""
    x, labels = draw(12, 4), torch.arange(12) % 5
    z: Tensor = torch.nn.functional.normalize(x)
    logits = (z @ z.T / 0.2).fill_diagonal_(-torch.inf)
    alike = (labels[:, None] == labels).fill_diagonal_(False)
    log = logits.log_softmax(dim=1)
    wanted = -torch.where(alike, log, 0.0).sum(1) / alike.sum(1)
    torch.testing.assert_close(supervised_contrastive(x, labels, 0.2), wanted.mean())
