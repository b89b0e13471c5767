"""Norouzi's bound against every code there is, and its triplets against plain loops."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_losses import Rows, assert_like_slow, draw

from gemel.errors import DataError, SettingsError
from gemel.losses import HammingTriplet, hamming, hamming_triplet


def hinge(g: list[int], plus: list[int], minus: list[int], margin: float) -> float:
    """The triplet hinge of three codes of 1 and -1."""
    near = sum(a != b for a, b in zip(g, plus, strict=True))
    far = sum(a != b for a, b in zip(g, minus, strict=True))
    return max(0.0, near - far + margin)


def brute_bound(f: Rows, margin: float) -> float:
    """The paper's bound for the rows f, f+ and f-: the greatest over all 2^3q codes."""
    bits = len(f[0])
    codes = list(itertools.product([-1, 1], repeat=bits))

    def fit(code: tuple[int, ...], row: list[float]) -> float:
        return sum(c * x for c, x in zip(code, row, strict=True))

    best = max(
        hinge(*triple, margin) + sum(fit(c, row) for c, row in zip(triple, f, strict=True))
        for triple in itertools.product(codes, repeat=3)
    )
    return best - sum(max(fit(c, row) for c in codes) for row in f)


def code(row: list[float]) -> list[int]:
    return [1 if x >= 0 else -1 for x in row]


@given(
    bits=st.integers(1, 3),
    seed=st.integers(0, 10_000),
    size=st.sampled_from([0.1, 0.5, 2.0]),
    margin=st.sampled_from([0.5, 1.0]),
)
@settings(max_examples=40, deadline=None)
def test_inference_is_exact_and_bounds_the_true_loss(
    bits: int, seed: int, size: float, margin: float
) -> None:
    f = size * draw(3, bits, seed=seed)
    bound = hamming_triplet(f[:1], f[1:2], f[2:], margin).item()
    assert bound == pytest.approx(brute_bound(f.tolist(), margin), abs=1e-12)
    assert bound >= hinge(*map(code, f.tolist()), margin) - 1e-12


@pytest.mark.parametrize("margin", [1.0, 2.0, 4.0])
def test_inference_is_exact_with_four_bits(margin: float) -> None:
    for seed in range(2):
        f = draw(3, 4, seed=seed) / 2
        bound = hamming_triplet(f[:1], f[1:2], f[2:], margin).item()
        assert bound == pytest.approx(brute_bound(f.tolist(), margin), abs=1e-12)


def test_bounds_of_many_triplets_are_above_the_true_losses() -> None:
    f, plus, minus = draw(3, 200, 16) / 3
    for a, p, n in zip(f, plus, minus, strict=True):
        bound = hamming_triplet(a[None], p[None], n[None], 2.0).item()
        assert bound >= hinge(*(code(x.tolist()) for x in (a, p, n)), 2.0) - 1e-12


def test_the_bound_meets_the_true_loss_for_large_numbers() -> None:
    """Where no bit is worth flipping, the code of the items is the best one."""
    f, plus, minus = 100 * draw(3, 1, 8).sign()
    wanted = hinge(*(code(x[0].tolist()) for x in (f, plus, minus)), 1.0)
    assert hamming_triplet(f, plus, minus, 1.0).item() == wanted


def test_hamming_gradcheck() -> None:
    f = [x.clone().requires_grad_() for x in draw(3, 5, 6)]
    assert torch.autograd.gradcheck(lambda *f: hamming_triplet(*f, 2.0), f)


def slow_batch(x: Rows, labels: list[int], margin: float) -> float:
    """Every anchor and positive with the first of the negatives whose code is nearest."""
    items, bounds = range(len(x)), []
    for a, p in itertools.permutations(items, 2):
        others = [n for n in items if labels[n] != labels[a]]
        if labels[a] == labels[p] and others:
            apart = {
                n: sum(i != j for i, j in zip(code(x[a]), code(x[n]), strict=True)) for n in others
            }
            n = min(others, key=lambda n: (apart[n], n))
            bounds.append(brute_bound([x[a], x[p], x[n]], margin))
    return sum(bounds) / len(bounds)


@pytest.mark.parametrize("chunk", [2**19, 8])
def test_the_batch_loss_is_that_of_loops(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hamming, "CHUNK", chunk)
    labels = [0, 1, 0, 2, 1, 0]
    loss = HammingTriplet(1.0)
    assert_like_slow(
        lambda x: loss(x, torch.tensor(labels)),
        lambda rows: slow_batch(rows, labels, 1.0),
        draw(6, 2) / 2,
    )


def test_a_shared_map_learns_codes_of_the_classes() -> None:
    labels = torch.arange(48) % 6
    x = draw(6, 10)[labels].float() + 0.7 * draw(48, 10, seed=1).float()
    torch.manual_seed(0)
    layer = torch.nn.Linear(10, 16)
    loss, optimizer = HammingTriplet(2.0), torch.optim.Adam(layer.parameters(), lr=0.01)

    def apart() -> tuple[float, float]:
        codes = torch.where(layer(x) >= 0, 1.0, -1.0)
        distance = (16 - codes @ codes.T) / 2
        alike = labels[:, None] == labels
        return distance[alike].mean().item(), distance[~alike].mean().item()

    before = apart()
    for _ in range(100):
        optimizer.zero_grad()
        loss(layer(x), labels).backward()
        optimizer.step()
    after = apart()
    assert after[0] < 0.75 * before[0]
    assert after[1] - after[0] > before[1] - before[0] + 1


def test_no_step_flips_a_free_embeddings_bit() -> None:
    """The slope in f is the best code's bit less its own, which never points across 0."""
    x = draw(12, 6).requires_grad_()
    HammingTriplet()(x, torch.arange(12) % 4).backward()
    assert (x.grad * x <= 0).all()
    assert (x.grad != 0).any()


def test_margins_beyond_the_bits_are_refused() -> None:
    f = torch.ones(4, 3)
    with pytest.raises(SettingsError, match="margin of 4 bits cannot be met by codes of 3"):
        hamming_triplet(f, f, f, 4.0)
    with pytest.raises(SettingsError, match="cannot be met by codes of 3"):
        HammingTriplet(4.0)(f, torch.tensor([0, 0, 1, 1]))
    with pytest.raises(SettingsError, match="must be positive"):
        HammingTriplet(0.0)


def test_batches_without_triplets_are_refused() -> None:
    with pytest.raises(DataError, match="no triplets has no loss"):
        hamming_triplet(torch.ones(0, 3), torch.ones(0, 3), torch.ones(0, 3), 1.0)
    with pytest.raises(DataError, match="has no triplet"):
        HammingTriplet()(torch.ones(3, 4), torch.arange(3))
    with pytest.raises(DataError, match="whole numbers"):
        HammingTriplet()(torch.ones(3, 4), torch.ones(3))


def test_hamming_shows_its_margin() -> None:
    assert str(HammingTriplet(2)) == "HammingTriplet(margin=2.0)"
    HammingTriplet(9).check_reach(2.0)  # bits, not a metric's distance
