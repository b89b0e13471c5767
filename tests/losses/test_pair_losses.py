"""Chopra's, Zagoruyko's and Bromley's pair losses against their formulas; margins out of reach."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gemel.errors import DataError, SettingsError
from gemel.losses import (
    Contrastive,
    CosineTarget,
    Energy,
    PairCrossEntropy,
    PairHinge,
    PairLoss,
    cosine_target,
    energy,
    pair_hinge,
)
from gemel.metrics import Cosine, Euclidean

pairs = st.lists(st.tuples(st.floats(0, 4), st.booleans()), min_size=1, max_size=20)
Slow = tuple[float, float]  # the value of one pair and its slope in the distance


def chopra(d: float, same: bool, bound: float) -> Slow:
    y = 0 if same else 1  # the paper's label
    far = math.exp(-2.77 * d / bound)
    value = (1 - y) * 2 / bound * d**2 + y * 2 * bound * far
    return value, 4 * d / bound if same else -5.54 * far


def zagoruyko(d: float, same: bool, threshold: float, margin: float) -> Slow:
    y, score = (1 if same else -1), threshold - d
    hinge = margin - y * score
    return max(0.0, hinge), (y if hinge > 0 else 0.0)


def bromley(d: float, same: bool, target: float) -> Slow:
    cosine, wanted = 1 - d, 1.0 if same else target
    return (cosine - wanted) ** 2, -2 * (cosine - wanted)


def assert_mean(
    loss: Callable[[Tensor, Tensor], Tensor],
    slow: Callable[[float, bool], Slow],
    pairs: list[tuple[float, bool]],
) -> None:
    distances, same = map(list, zip(*pairs, strict=True))
    d = torch.tensor(distances, dtype=torch.float64, requires_grad=True)
    value = loss(d, torch.tensor(same))
    wanted = [slow(*pair) for pair in pairs]
    assert value.item() == pytest.approx(sum(v for v, _ in wanted) / len(pairs), rel=1e-9)
    (slope,) = torch.autograd.grad(value, d)
    assert slope.tolist() == pytest.approx([s / len(pairs) for _, s in wanted], rel=1e-9, abs=1e-12)


@given(pairs=pairs, bound=st.floats(0.3, 10))
@settings(max_examples=30, deadline=None)
def test_energy_is_chopras(pairs: list[tuple[float, bool]], bound: float) -> None:
    for loss in (Energy(bound), lambda d, same: energy(d, same, bound)):
        assert_mean(loss, lambda d, same: chopra(d, same, bound), pairs)


def test_energy_at_its_ends() -> None:
    zero, far = torch.tensor([0.0]), torch.tensor([3.0])
    yes, no = torch.tensor([True]), torch.tensor([False])
    loss = Energy(3.0)
    assert [loss(zero, yes).item(), loss(far, yes).item(), loss(zero, no).item()] == [0, 6, 6]
    assert loss(far, no).item() == pytest.approx(6 * math.exp(-2.77))


@given(pairs=pairs, threshold=st.floats(-1, 3), margin=st.floats(0.1, 2))
@settings(max_examples=30, deadline=None)
def test_pair_hinge_is_zagoruykos(
    pairs: list[tuple[float, bool]], threshold: float, margin: float
) -> None:
    # A distance on a corner of the hinge has no one slope.
    pairs = [p for p in pairs if abs(abs(p[0] - threshold) - margin) > 1e-6] or [(9.0, True)]
    assert_mean(
        lambda d, same: pair_hinge(d, same, threshold, margin),
        lambda d, same: zagoruyko(d, same, threshold, margin),
        pairs,
    )
    held = PairHinge(threshold, margin=margin)
    d = torch.tensor([p[0] for p in pairs], dtype=torch.float64)
    wanted = pair_hinge(d, torch.tensor([p[1] for p in pairs]), threshold, margin)
    assert held(d, torch.tensor([p[1] for p in pairs])).item() == pytest.approx(
        wanted.item(), abs=1e-6
    )


@given(pairs=pairs, target=st.floats(-1, 0.9))
@settings(max_examples=30, deadline=None)
def test_cosine_target_is_bromleys(pairs: list[tuple[float, bool]], target: float) -> None:
    for loss in (CosineTarget(target), lambda d, same: cosine_target(d, same, target)):
        assert_mean(loss, lambda d, same: bromley(d, same, target), pairs)


def test_the_threshold_of_a_hinge_is_learned_on_request() -> None:
    same = torch.tensor([True] * 4 + [False] * 4)
    d = torch.tensor([0.1, 0.2, 0.3, 0.9, 1.5, 1.6, 1.7, 1.8])
    loss = PairHinge(3.0, margin=0.2, learn=True)
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        loss(d, same).backward()
        optimizer.step()
    assert 1.05 < loss.threshold.item() < 1.35
    assert not any(p.requires_grad for p in PairHinge().parameters())


@pytest.mark.parametrize(
    "loss", [Energy(), PairHinge(0.5), PairHinge(learn=True), CosineTarget(0.0)], ids=str
)
@pytest.mark.parametrize("metric", [Euclidean(), Cosine()], ids=str)
def test_gradcheck_with_a_metric(loss: PairLoss, metric: torch.nn.Module) -> None:
    u, v = (torch.randn(6, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    same = torch.tensor([True, False] * 3)
    loss = loss.double()
    weights = tuple(loss.parameters())
    assert torch.autograd.gradcheck(lambda u, v, *_: loss(metric(u, v), same), (u, v, *weights))


@pytest.mark.parametrize(
    "loss", [Contrastive(), PairCrossEntropy(), Energy(), PairHinge(), CosineTarget(-0.9)], ids=str
)
@pytest.mark.parametrize("metric", [Euclidean(), Cosine()], ids=str)
def test_no_nan_at_distance_zero(loss: PairLoss, metric: torch.nn.Module) -> None:
    x = torch.ones(4, 3, requires_grad=True)
    value = loss(metric(x, x.detach()), torch.tensor([True, True, False, False]))
    value.backward()
    assert x.grad.isfinite().all()
    if hasattr(loss, "collapsed_value"):
        assert value.item() == pytest.approx(loss.collapsed_value)


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.6])
@pytest.mark.parametrize("learn", [False, True])
def test_the_collapsed_value_of_a_hinge(threshold: float, learn: bool) -> None:
    loss = PairHinge(threshold, margin=0.4, learn=learn)
    value = loss(torch.zeros(2), torch.tensor([True, False]))
    if threshold <= 0.4 or not learn:
        assert loss.collapsed_value == pytest.approx(value.item())
    else:
        assert loss.collapsed_value == 0.4 < value.item()  # where the threshold comes to rest


# Margins that can never be met


@pytest.mark.parametrize(
    ("loss", "greatest"),
    [
        (Contrastive(2.1), 2.0),
        (PairHinge(1.5, margin=0.6), 2),
        (PairHinge(9.0, margin=1.1, learn=True), 2.0),
    ],
    ids=str,
)
def test_a_margin_beyond_the_greatest_distance_is_refused(loss: PairLoss, greatest: float) -> None:
    with pytest.raises(SettingsError, match=rf"{type(loss).__name__} asks .* end at 2:.*below 2"):
        loss.check_reach(greatest)
    loss.check_reach(4.0)


def test_a_hinge_below_every_distance_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"threshold - margin = -0\.5.*threshold of 1 or more"):
        PairHinge(0.5, margin=1.0).check_reach(2.0)


@pytest.mark.parametrize(
    "loss",
    [Contrastive(2.0), PairHinge(), Energy(9.0), CosineTarget(), PairCrossEntropy()],
    ids=str,
)
def test_what_can_be_met_is_let_through(loss: PairLoss) -> None:
    loss.check_reach(2.0)


def test_a_margin_of_the_greatest_distance_is_met_by_opposites() -> None:
    """Which is why check_reach lets it through."""
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert Contrastive(2.0)(Euclidean()(x[:1], x[1:]), torch.tensor([False])).item() == 0


# Errors


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_impossible_bounds_and_margins_are_refused(value: float) -> None:
    for make in (lambda: Energy(value), lambda: PairHinge(margin=value)):
        with pytest.raises(SettingsError, match=rf"must be positive and finite; got {value}"):
            make()


def test_impossible_thresholds_and_targets_are_refused() -> None:
    with pytest.raises(SettingsError, match="finite distance; got inf"):
        PairHinge(math.inf)
    for target in (1.0, -1.1, math.nan):
        with pytest.raises(SettingsError, match=rf"from -1 to below 1; got {target}"):
            CosineTarget(target)


@pytest.mark.parametrize("loss", [Energy(), PairHinge(), CosineTarget()], ids=str)
def test_same_must_be_boolean(loss: PairLoss) -> None:
    with pytest.raises(DataError, match="must hold booleans"):
        loss(torch.ones(2), torch.tensor([1, 0]))
    with pytest.raises(DataError, match="one pair or more"):
        loss(torch.ones(0), torch.ones(0, dtype=torch.bool))


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (Energy(3.0), "Energy(bound=3.0)"),
        (PairHinge(), "PairHinge(threshold=0.5, margin=0.25, learn=False)"),
        (CosineTarget(), "CosineTarget(target=-1.0)"),
    ],
)
def test_pair_losses_show_their_settings(loss: PairLoss, shown: str) -> None:
    assert str(loss) == shown
