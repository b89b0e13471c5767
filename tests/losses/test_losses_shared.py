"""Losses against slow loops written from the papers, in float64."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import losses as pml
from slow_losses import Rows, differences, draw
from torch import Tensor, nn

from gemel.errors import DataError, SettingsError
from gemel.losses import (
    ArcFace,
    Contrastive,
    CosFace,
    CosineTarget,
    Energy,
    HammingTriplet,
    LabelLoss,
    LayerDecay,
    MultiSimilarity,
    PairCrossEntropy,
    PairHinge,
    PairLoss,
    ProxyLoss,
    SupervisedContrastive,
    Triplet,
    TripletHinge,
    TripletLoss,
    TripletSoft,
    contrastive,
    pair_cross_entropy,
    supervised_contrastive,
    triplet_hinge,
)
from gemel.metrics import Cosine, Euclidean, Metric, SquaredEuclidean, WeightedL1
from gemel.mining import all_triplets, hard, mined_triplet, semi_hard

# Pair losses


def slow_contrastive(
    distances: list[float], same: list[bool], margin: float
) -> tuple[float, list[float]]:
    """Hadsell 2006, equation 4 and its slopes: D of a same pair, -(m - D) of a near other one."""
    total, slopes = 0.0, []
    for d, alike in zip(distances, same, strict=True):
        y = 0 if alike else 1  # the paper's label
        total += (1 - y) * d**2 / 2 + y * max(0.0, margin - d) ** 2 / 2
        slopes.append(d if y == 0 else -(margin - d) if d < margin else 0.0)
    return total / len(same), [slope / len(same) for slope in slopes]


def slow_cross_entropy(
    distances: list[float], same: list[bool], scale: float, threshold: float
) -> tuple[float, list[float]]:
    """-[y ln p + (1 - y) ln(1 - p)], and its slope scale * (y - p) in the distance."""
    total, slopes = 0.0, []
    for d, alike in zip(distances, same, strict=True):
        p = 1 / (1 + math.exp(-scale * (threshold - d)))
        y = float(alike)
        total -= y * math.log(p) + (1 - y) * math.log(1 - p)
        slopes.append(scale * (y - p))
    return total / len(same), [slope / len(same) for slope in slopes]


pairs = st.lists(st.tuples(st.floats(0, 4), st.booleans()), min_size=1, max_size=20)


def assert_like(loss: Tensor, d: Tensor, wanted: tuple[float, list[float]]) -> None:
    assert loss.item() == pytest.approx(wanted[0], rel=1e-8, abs=1e-12)
    (gradient,) = torch.autograd.grad(loss, d)
    assert gradient.tolist() == pytest.approx(wanted[1], rel=1e-8, abs=1e-12)


@given(pairs=pairs, margin=st.floats(0.1, 5))
@settings(max_examples=40, deadline=None)
def test_contrastive_is_hadsells(pairs: list[tuple[float, bool]], margin: float) -> None:
    distances, same = map(list, zip(*pairs, strict=True))
    d = torch.tensor(distances, dtype=torch.float64, requires_grad=True)
    wanted = slow_contrastive(distances, same, margin)
    assert_like(contrastive(d, torch.tensor(same), margin), d, wanted)
    assert_like(Contrastive(margin)(d, torch.tensor(same)), d, wanted)


@given(pairs=pairs, scale=st.floats(0.1, 5), threshold=st.floats(-2, 3))
@settings(max_examples=40, deadline=None)
def test_pair_cross_entropy_is_the_log_likelihood(
    pairs: list[tuple[float, bool]], scale: float, threshold: float
) -> None:
    distances, same = map(list, zip(*pairs, strict=True))
    d = torch.tensor(distances, dtype=torch.float64, requires_grad=True)
    wanted = slow_cross_entropy(distances, same, scale, threshold)
    assert_like(pair_cross_entropy(d, torch.tensor(same), scale, threshold), d, wanted)
    loss = PairCrossEntropy(scale=scale, threshold=threshold)
    assert loss(d, torch.tensor(same)).item() == pytest.approx(wanted[0], rel=1e-5)
    assert loss.probability(d.detach()).tolist() == pytest.approx(
        [1 / (1 + math.exp(-scale * (threshold - x))) for x in distances], rel=1e-5
    )


def test_pair_cross_entropy_is_exact_for_kochs_metric() -> None:
    metric = WeightedL1()
    metric.build(4)
    metric.double()
    u, v, same = draw(5, 4), draw(5, 4, seed=1), torch.tensor([True, False, True, True, False])
    distance = metric(u, v)
    loss = PairCrossEntropy()
    assert torch.equal(loss.probability(distance), metric.probability(distance))
    p = metric.probability(distance)
    wanted = -torch.where(same, p.log(), (1 - p).log()).mean()
    torch.testing.assert_close(loss(distance, same), wanted)


def test_pair_cross_entropy_does_not_overflow() -> None:
    d = torch.tensor([1e4, -1e4, 1e4, -1e4], requires_grad=True)
    loss = PairCrossEntropy()(d, torch.tensor([True, True, False, False]))
    loss.backward()
    assert loss.item() == pytest.approx((1e4 + 1e4) / 4)
    assert d.grad.tolist() == [0.25, 0, 0, -0.25]


def test_scale_and_threshold_are_learned_on_request() -> None:
    same = torch.tensor([True] * 4 + [False] * 4)
    d = torch.tensor([0.1, 0.2, 0.3, 0.9, 0.8, 1.5, 1.6, 1.7])
    loss = PairCrossEntropy(scale=1.0, threshold=3.0, learn=True)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        loss(d, same).backward()
        optimizer.step()
    assert 0.7 < loss.threshold.item() < 1.0
    assert loss.log_scale.exp().item() > 2
    assert not any(p.requires_grad for p in PairCrossEntropy().parameters())


def test_contrastive_gradcheck_with_its_metric() -> None:
    u, v = draw(6, 3).requires_grad_(), draw(6, 3, seed=1).requires_grad_()
    same = torch.tensor([True, False] * 3)
    for loss in (Contrastive(2.5), PairCrossEntropy(scale=2.0, threshold=1.0, learn=True).double()):
        weights = tuple(loss.parameters())
        assert torch.autograd.gradcheck(
            lambda u, v, *_, loss=loss: loss(Euclidean()(u, v), same), (u, v, *weights)
        )


# Triplet losses


@given(
    triplets=st.lists(st.tuples(st.floats(0, 4), st.floats(0, 4)), min_size=1, max_size=20),
    margin=st.floats(0.1, 3),
)
@settings(max_examples=40, deadline=None)
def test_triplet_hinge_is_the_mean_over_all(
    triplets: list[tuple[float, float]], margin: float
) -> None:
    d_ap, d_an = (
        torch.tensor(column, dtype=torch.float64) for column in zip(*triplets, strict=True)
    )
    wanted = sum(max(0.0, p - n + margin) for p, n in triplets) / len(triplets)
    assert triplet_hinge(d_ap, d_an, margin).item() == pytest.approx(wanted, abs=1e-12)
    assert TripletHinge(margin)(d_ap, d_an).item() == pytest.approx(wanted, abs=1e-12)


def test_slopes_of_the_triplet_hinge() -> None:
    d_ap, d_an = (torch.tensor(x, requires_grad=True) for x in ([1.0, 1.0, 0.5], [1.1, 3.0, 0.1]))
    TripletHinge(0.2)(d_ap, d_an).backward()
    assert d_ap.grad.tolist() == pytest.approx([1 / 3, 0, 1 / 3])
    assert d_an.grad.tolist() == pytest.approx([-1 / 3, 0, -1 / 3])


@pytest.mark.parametrize("mining", [semi_hard, hard, all_triplets])
@pytest.mark.parametrize("metric", [Euclidean(), Cosine(), SquaredEuclidean()])
def test_triplet_holds_the_settings_of_mined_triplet(
    mining: Callable[..., Tensor], metric: Metric
) -> None:
    """What mined_triplet does is tested in test_mining."""
    x, labels = draw(20, 4), torch.arange(20) % 6
    wanted = mined_triplet(x, labels, metric, mining=mining, margin=0.7)
    assert wanted > 0
    assert torch.equal(Triplet(metric, margin=0.7, mining=mining)(x, labels), wanted)


def test_triplet_is_semi_hard_unless_asked_otherwise() -> None:
    x, labels = draw(20, 4), torch.arange(20) % 6
    wanted = mined_triplet(x, labels, Euclidean(), mining=semi_hard, margin=0.2)
    assert torch.equal(Triplet(Euclidean())(x, labels), wanted)


# Supervised contrastive


def slow_supervised_contrastive(x: Rows, labels: list[int], temperature: float) -> float:
    """Khosla 2020, equation 2, as the mean over the anchors with a positive."""
    z = [[value / math.hypot(*row) for value in row] for row in x]
    items = range(len(z))
    dot = [
        [sum(a * b for a, b in zip(z[i], z[j], strict=True)) / temperature for j in items]
        for i in items
    ]
    losses = []
    for i in items:
        positives = [p for p in items if p != i and labels[p] == labels[i]]
        if positives:
            norm = sum(math.exp(dot[i][a]) for a in items if a != i)
            losses.append(
                -sum(math.log(math.exp(dot[i][p]) / norm) for p in positives) / len(positives)
            )
    return sum(losses) / len(losses)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("labels", [[0, 1, 0, 2, 1, 0, 3], [0, 0, 0], [5, 5, -1]])
def test_supervised_contrastive_is_khoslas(temperature: float, labels: list[int]) -> None:
    x = draw(len(labels), 3).requires_grad_()
    loss = SupervisedContrastive(temperature)(x, torch.tensor(labels))
    wanted = slow_supervised_contrastive(x.tolist(), labels, temperature)
    assert loss.item() == pytest.approx(wanted, rel=1e-10)
    loss.backward()
    slow = differences(
        lambda rows: slow_supervised_contrastive(rows, labels, temperature), x.detach()
    )
    torch.testing.assert_close(x.grad, slow, rtol=1e-5, atol=1e-7)


@given(
    labels=st.lists(st.integers(0, 3), min_size=2, max_size=12),
    dim=st.integers(2, 5),
    seed=st.integers(0, 99),
)
@settings(max_examples=20, deadline=None)
def test_supervised_contrastive_of_any_labels(labels: list[int], dim: int, seed: int) -> None:
    x, known = draw(len(labels), dim, seed=seed), torch.tensor(labels)
    if len(set(labels)) == len(labels):
        with pytest.raises(DataError, match="no two of the"):
            supervised_contrastive(x, known, 0.2)
    else:
        wanted = slow_supervised_contrastive(x.tolist(), labels, 0.2)
        assert supervised_contrastive(x, known, 0.2).item() == pytest.approx(wanted, rel=1e-9)


def test_supervised_contrastive_gradcheck() -> None:
    x, labels = draw(7, 3).requires_grad_(), torch.tensor([0, 1, 0, 2, 1, 0, 3])
    assert torch.autograd.gradcheck(lambda x: SupervisedContrastive(0.3)(x, labels), x)


def test_supervised_contrastive_is_that_of_pytorch_metric_learning() -> None:
    """The same mean: its reducer leaves out losses of 0, which only lonely anchors have.

    It differs for a batch without a positive pair, or without a negative one: it gives 0 there.
    """
    x, labels = draw(24, 8).requires_grad_(), torch.tensor([0, 1, 2, 3, 4] * 4 + [5, 6, 7, 8])
    losses = SupervisedContrastive(0.1)(x, labels), pml.SupConLoss(temperature=0.1)(x, labels)
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*(torch.autograd.grad(loss, x)[0] for loss in losses))


def test_contrastive_is_not_that_of_pytorch_metric_learning() -> None:
    """Its ContrastiveLoss is linear in the distance, without Hadsell's squares and halves."""
    x, labels = torch.tensor([[0.0], [0.5], [0.8], [2.0]]), torch.tensor([0, 0, 1, 1])
    distance = pml.ContrastiveLoss().get_default_distance()
    distance.normalize_embeddings = False
    theirs = pml.ContrastiveLoss(neg_margin=1, distance=distance)(x, labels)
    # same: 0.5, 1.2; different, those within the margin: 0.8, 0.3
    assert theirs.item() == pytest.approx((0.5 + 1.2) / 2 + (0.2 + 0.7) / 2)
    left, right = torch.triu_indices(4, 4, 1)
    ours = Contrastive(1.0)(Euclidean()(x[left], x[right]), labels[left] == labels[right])
    assert ours.item() == pytest.approx((0.5**2 + 1.2**2 + 0.2**2 + 0.7**2) / 2 / 6)


def test_all_embeddings_alike_give_a_finite_gradient() -> None:
    for x in (torch.ones(6, 3), torch.zeros(6, 3)):
        leaf = x.requires_grad_()
        loss = SupervisedContrastive()(leaf, torch.tensor([0, 0, 1, 1, 2, 2]))
        loss.backward()
        assert loss.item() == pytest.approx(math.log(5), rel=1e-5)
        assert leaf.grad.abs().max() < 1e-5


def test_contrastive_at_distance_zero() -> None:
    x = torch.ones(4, 3, requires_grad=True)
    same = torch.tensor([True, True, False, False])
    loss = Contrastive(2.0)(Euclidean()(x, x.detach()), same)
    loss.backward()
    assert loss.item() == pytest.approx(2 * 2.0**2 / 2 / 4)
    assert (x.grad == 0).all()


# What all losses share

LABELS = torch.arange(24) % 6
LEFT, RIGHT = torch.triu_indices(24, 24, 1)
SAME = LABELS[LEFT] == LABELS[RIGHT]


def of_labels(loss: nn.Module, metric: Metric, x: Tensor) -> Tensor:
    """Any kind of loss on one batch."""
    if isinstance(loss, PairLoss):
        return loss(metric(x[LEFT], x[RIGHT]), SAME)
    if isinstance(loss, TripletLoss):
        a, p = LEFT[SAME], RIGHT[SAME]
        n = (a + 1) % 24  # the next item is of the next class
        return loss(metric(x[a], x[p]), metric(x[a], x[n]))
    return loss(x, LABELS)


def _built(loss: ProxyLoss) -> ProxyLoss:
    loss.build(4, 6, generator=torch.Generator().manual_seed(0))
    return loss


PROXIES = [_built(ArcFace(scale=8.0)), _built(CosFace(scale=8.0))]
LOSSES = [
    Contrastive(),
    PairCrossEntropy(scale=5.0, threshold=1.0),
    TripletHinge(),
    *(Triplet(Euclidean(), mining=mining) for mining in (semi_hard, hard, all_triplets)),
    SupervisedContrastive(),
    Energy(),
    PairHinge(1.0, margin=0.9),
    CosineTarget(),
    TripletSoft(),
    *(Triplet(Euclidean(), margin=None, mining=mining) for mining in (hard, all_triplets)),
    HammingTriplet(),
    MultiSimilarity(),
    LayerDecay(Contrastive(), {nn.Parameter(torch.ones(2)): 0.1}),
    # Any callable (embeddings, labels) -> scalar is a label loss:
    pml.NTXentLoss(),
    pml.MultiSimilarityLoss(),
    pml.CircleLoss(),
]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda x: f"{x}".split("\n", maxsplit=1)[0])


@each_loss
def test_steps_bring_same_pairs_nearer_and_send_others_away(loss: nn.Module) -> None:
    """The sign test: with the wrong sign a loss trains silently to the opposite."""
    metric = Euclidean()
    x = nn.functional.normalize(draw(24, 4).float(), dim=1).requires_grad_()
    before = metric(x[LEFT], x[RIGHT]).detach()
    value = of_labels(loss, metric, x)
    assert value.shape == ()
    (slope,) = torch.autograd.grad(value, x)
    x = nn.functional.normalize(x.detach() - 0.05 * slope / slope.norm(), dim=1)
    after = metric(x[LEFT], x[RIGHT])
    assert after[SAME].mean() < before[SAME].mean() or after[~SAME].mean() > before[~SAME].mean()
    assert (after[SAME].mean() - after[~SAME].mean()) < (before[SAME].mean() - before[~SAME].mean())
    assert of_labels(loss, metric, x) < value.detach()


@pytest.mark.parametrize("loss", [Contrastive(), PairCrossEntropy(scale=2.0, threshold=1.0)])
def test_one_step_lowers_the_distance_of_a_same_pair(loss: PairLoss) -> None:
    for same, sign in ((True, -1), (False, 1)):
        u, v = (nn.Parameter(draw(1, 4, seed=seed).float() / 4) for seed in (0, 1))
        before = Euclidean()(u, v).item()
        optimizer = torch.optim.SGD([u, v], lr=0.01)
        loss(Euclidean()(u, v), torch.tensor([same])).backward()
        optimizer.step()
        assert sign * (Euclidean()(u, v).item() - before) > 0


@pytest.mark.parametrize(
    "loss", [TripletHinge(5.0), Triplet(Euclidean(), margin=5.0), SupervisedContrastive()]
)
def test_one_step_lowers_the_distance_to_the_positive(loss: TripletLoss | LabelLoss) -> None:
    x = nn.Parameter(torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]))
    metric = Euclidean()
    before = metric(x[:1], x[1:2]).item(), metric(x[:1], x[2:]).item()
    value = (
        loss(metric(x[:1], x[1:2]), metric(x[:1], x[2:]))
        if isinstance(loss, TripletLoss)
        else loss(x, torch.tensor([0, 0, 1]))
    )
    value.backward()
    torch.optim.SGD([x], lr=0.01).step()
    assert metric(x[:1], x[1:2]).item() < before[0]
    assert metric(x[:1], x[2:]).item() > before[1]


@pytest.mark.parametrize("loss", [*LOSSES[:-3], *PROXIES], ids=lambda x: type(x).__name__)
def test_the_order_of_the_batch_does_not_matter(loss: nn.Module) -> None:
    """But for HammingTriplet, which takes the first of equally near negatives."""
    if isinstance(loss, HammingTriplet):
        return
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    if isinstance(loss, LabelLoss):
        x = draw(24, 4)
        torch.testing.assert_close(loss(x, LABELS), loss(x[order], LABELS[order]))
        if not isinstance(loss, ProxyLoss):
            other_names = (LABELS * 7 + 3) % 11
            torch.testing.assert_close(loss(x, LABELS), loss(x, other_names))
    else:
        d = draw(24).abs()
        second = draw(24, seed=1).abs() if isinstance(loss, TripletLoss) else d > 1
        torch.testing.assert_close(loss(d, second), loss(d[order], second[order]))


@pytest.mark.parametrize("loss", [*LOSSES[:-3], *PROXIES], ids=lambda x: type(x).__name__)
def test_half_precision_and_autocast_are_computed_in_float32(loss: nn.Module) -> None:
    x = draw(24, 4).bfloat16()
    inputs: tuple[Tensor, Tensor] = (x, LABELS)
    if not isinstance(loss, LabelLoss):
        d = draw(24).abs().bfloat16()
        inputs = (d, draw(24, seed=1).abs().bfloat16() if isinstance(loss, TripletLoss) else d > 1)
    wanted = loss(*(t.float() if t.is_floating_point() else t for t in inputs))
    assert loss(*inputs).dtype == torch.float32
    torch.testing.assert_close(loss(*inputs), wanted, rtol=0, atol=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(loss(*inputs), wanted, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (Contrastive(2.0), "Contrastive(margin=2.0)"),
        (PairCrossEntropy(scale=5.0), "PairCrossEntropy(scale=5, threshold=0, learn=False)"),
        (
            PairCrossEntropy(threshold=1.0, learn=True),
            "PairCrossEntropy(scale=1, threshold=1, learn=True)",
        ),
        (TripletHinge(0.3), "TripletHinge(margin=0.3)"),
        (SupervisedContrastive(), "SupervisedContrastive(temperature=0.1)"),
    ],
)
def test_losses_show_their_settings(loss: nn.Module, shown: str) -> None:
    assert str(loss) == shown


def test_triplet_shows_its_mining() -> None:
    assert "margin=0.2, mining=hard" in str(Triplet(Euclidean(), mining=hard))


# Errors


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_impossible_settings_are_refused(value: float) -> None:
    for make in (
        lambda: Contrastive(value),
        lambda: TripletHinge(value),
        lambda: Triplet(Euclidean(), margin=value),
        lambda: SupervisedContrastive(value),
        lambda: PairCrossEntropy(scale=value),
    ):
        with pytest.raises(SettingsError, match=rf"must be positive and finite; got {value}"):
            make()


def test_a_threshold_must_be_finite() -> None:
    with pytest.raises(SettingsError, match="finite distance; got nan"):
        PairCrossEntropy(threshold=math.nan)


@pytest.mark.parametrize("loss", [Contrastive(), PairCrossEntropy()])
def test_same_must_be_one_boolean_for_each_pair(loss: PairLoss) -> None:
    d = torch.ones(3)
    for wrong in (torch.tensor([1, 0, 1]), torch.tensor([1.0, 0.0, 1.0])):
        with pytest.raises(DataError, match=rf"`same` must hold booleans.*got {wrong.dtype}"):
            loss(d, wrong)
    with pytest.raises(DataError, match=r"shape \(2,\) for distances of shape \(3,\)"):
        loss(d, torch.tensor([True, False]))
    with pytest.raises(DataError, match="one pair or more"):
        loss(d[:0], torch.tensor([], dtype=torch.bool))


def test_no_triplets_have_no_loss() -> None:
    with pytest.raises(DataError, match="no triplets has no loss"):
        TripletHinge()(torch.ones(0), torch.ones(0))


@pytest.mark.parametrize("loss", [SupervisedContrastive(), Triplet(Euclidean())])
def test_labels_must_be_one_whole_number_for_each_embedding(loss: LabelLoss) -> None:
    x = torch.ones(4, 2)
    for wrong in (torch.tensor([0.0, 0, 1, 1]), torch.tensor([True, True, False, False])):
        with pytest.raises(DataError, match=rf"whole numbers.*got {wrong.dtype}"):
            loss(x, wrong)
    with pytest.raises(DataError, match=r"shape \(3,\) for 4 embeddings"):
        loss(x, torch.tensor([0, 0, 1]))


def test_a_batch_without_anything_to_learn_is_refused() -> None:
    with pytest.raises(DataError, match="no two of the 3 items"):
        SupervisedContrastive()(torch.ones(3, 2), torch.arange(3))
    with pytest.raises(DataError, match="has no triplet"):
        Triplet(Euclidean())(torch.ones(3, 2), torch.zeros(3, dtype=torch.int64))


# Triplets with the soft margin, and margins out of reach


def test_triplet_soft_is_the_mean_over_all() -> None:
    d_ap, d_an = draw(2, 6).abs().requires_grad_()
    wanted = sum(
        math.log1p(math.exp(p - n)) for p, n in zip(d_ap.tolist(), d_an.tolist(), strict=True)
    )
    assert TripletSoft()(d_ap, d_an).item() == pytest.approx(wanted / 6)
    assert torch.autograd.gradcheck(TripletSoft(), (d_ap.detach().requires_grad_(), d_an))
    with pytest.raises(DataError, match="no triplets has no loss"):
        TripletSoft()(torch.ones(0), torch.ones(0))
    assert TripletSoft()(torch.ones(2), torch.ones(2)).item() == pytest.approx(math.log(2))
    assert TripletSoft().collapsed_value == math.log(2)


def test_a_triplets_margin_beyond_the_greatest_distance_is_refused() -> None:
    for loss in (TripletHinge(2.5), Triplet(Euclidean(), margin=2.5)):
        with pytest.raises(SettingsError, match=r"asks for a distance of 2\.5.*end at 2"):
            loss.check_reach(2.0)
        loss.check_reach(4.0)
    Triplet(Euclidean(), margin=None, mining=hard).check_reach(0.1)
    TripletSoft().check_reach(0.1)


def test_a_soft_triplet_needs_a_mining_without_a_margin() -> None:
    with pytest.raises(SettingsError, match="soft margin takes"):
        Triplet(Euclidean(), margin=None)
    loss = Triplet(Euclidean(), margin=None, mining=all_triplets)
    assert loss.collapsed_value == math.log(2)
    assert "margin=None, mining=all_triplets" in str(loss)


def test_collapsed_values_are_those_of_one_point() -> None:
    x, same = torch.ones(4, 3), torch.tensor([True, True, False, False])
    zero = torch.zeros(4)
    for loss in (Contrastive(0.7), Energy(3.0), CosineTarget(-0.9), PairHinge(0.3, margin=0.4)):
        assert loss(zero, same).item() == pytest.approx(loss.collapsed_value)
    for loss in (Triplet(Euclidean(), margin=0.3), Triplet(Euclidean(), margin=None, mining=hard)):
        assert loss(x, torch.arange(4) % 2).item() == pytest.approx(loss.collapsed_value)
    assert TripletHinge(0.3)(zero, zero).item() == pytest.approx(TripletHinge(0.3).collapsed_value)
