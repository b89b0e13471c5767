"""What a loss needs before training, and what it is given of each comparer."""

from pathlib import Path

import numpy as np
import pytest
import torch

import gemel
from gemel import Items, Pairs, Siamese, encoders, inputs, losses, metrics, sampling
from gemel.errors import SettingsError
from gemel.losses import LayerDecay
from gemel.sampling import PairBatch, TripletBatch
from gemel.training.objective import compute, default_loss, make_ready, sides_of


def model_of(metric: metrics.Metric, *, unit_length: bool = False) -> Siamese:
    encoder = encoders.Dense(widths=(8,), dim=4, unit_length=unit_length)
    return Siamese(inputs.Numbers(3), encoder, metric)


@pytest.fixture
def rows() -> Items:
    values = np.random.default_rng(0).normal(size=(24, 3))
    return Items(values, np.repeat(list("abcdef"), 4), kind="numbers")


class TestReady:
    @pytest.mark.parametrize(
        ("metric", "unit_length", "greatest"),
        [
            (metrics.Cosine(), False, 2.0),
            (metrics.Euclidean(), True, 2.0),
            (metrics.SquaredEuclidean(), True, 4.0),
            (metrics.Manhattan(), True, 4.0),
        ],
    )
    def test_a_margin_out_of_reach_names_the_limit(
        self, rows: Items, metric: metrics.Metric, unit_length: bool, greatest: float
    ) -> None:
        model = model_of(metric, unit_length=unit_length)
        for make in (losses.Contrastive, losses.TripletHinge):
            with pytest.raises(SettingsError, match=f"distances end at {greatest:g}: no pair"):
                gemel.fit(model, rows, loss=make(greatest + 0.5), steps=1)
            make_ready(make(greatest - 0.5), model, rows, 0)

    def test_without_a_limit_any_margin_will_do(self, rows: Items) -> None:
        make_ready(losses.Contrastive(50.0), model_of(metrics.Euclidean()), rows, 0)

    def test_a_loss_inside_another_is_asked_too(self, rows: Items) -> None:
        model = model_of(metrics.Cosine())
        with pytest.raises(SettingsError, match="distances end at 2: no pair"):
            make_ready(LayerDecay(losses.Contrastive(3.0), {model.encoder: 0.1}), model, rows, 0)

    def test_proxies_are_made_for_the_classes_and_learn(self, rows: Items) -> None:
        model, loss = model_of(metrics.Cosine()), losses.ArcFace(scale=8.0)
        gemel.fit(model, rows, loss=loss, steps=1, validation=None, seed=3)
        assert loss.proxies is not None
        assert loss.proxies.shape == (6, 4)
        again = losses.ArcFace(scale=8.0)
        make_ready(again, model, rows, 3)
        start = again.proxies
        assert start is not None
        assert not torch.equal(start, loss.proxies)  # a step was taken
        torch.testing.assert_close(start, loss.proxies, atol=0.02, rtol=0)  # from there

    def test_proxies_inside_another_loss_are_made_too(self, rows: Items) -> None:
        model, loss = model_of(metrics.Cosine()), losses.ArcFace(scale=8.0)
        gemel.fit(model, rows, loss=LayerDecay(loss, {model.encoder: 0.1}), steps=1)
        assert loss.proxies is not None

    def test_proxies_of_other_classes_are_refused(self, rows: Items) -> None:
        model, loss = model_of(metrics.Cosine()), losses.ArcFace(scale=8.0)
        make_ready(loss, model, rows, 0)
        with pytest.raises(SettingsError, match=r"holds 6 directions of 4 numbers.*has 3 classes"):
            make_ready(loss, model, rows.take(np.arange(12)), 0)

    def test_proxies_go_on_to_the_bit(self, rows: Items, tmp_path: Path) -> None:
        def run(name: str, stop: int | None) -> tuple[Siamese, losses.ArcFace]:
            model, loss = model_of(metrics.Cosine()), losses.ArcFace(scale=8.0)
            steps = 0

            def warp(batch: torch.Tensor, _: torch.Generator) -> torch.Tensor:
                nonlocal steps
                steps += 1
                if steps == stop:
                    raise KeyboardInterrupt
                return batch

            settings = {"out": tmp_path / name, "checkpoint_seconds": 0.0, "validation": None}
            try:
                gemel.fit(model, rows, loss=loss, augment=warp, steps=8, **settings)
            except KeyboardInterrupt:
                model, loss = model_of(metrics.Cosine()), losses.ArcFace(scale=8.0)
                stop = None
                gemel.fit(model, rows, loss=loss, augment=warp, steps=8, resume=True, **settings)
            return model, loss

        (whole, all_proxies), (resumed, proxies) = run("a.gemel", None), run("b.gemel", 5)
        assert whole.fingerprint == resumed.fingerprint
        assert torch.equal(all_proxies.proxies, proxies.proxies)

    def test_logits_are_no_distances_for_a_contrastive_loss(self, rows: Items) -> None:
        for metric in (metrics.Learned(), metrics.WeightedL1()):
            for loss in (losses.Contrastive(), losses.Energy()):
                with pytest.raises(SettingsError, match="logits, which go below 0"):
                    make_ready(loss, model_of(metric), rows, 0)
            make_ready(losses.PairHinge(0.0, margin=1.0), model_of(metric), rows, 0)
        with pytest.raises(SettingsError, match="no distance of this metric is below 0"):
            make_ready(losses.PairHinge(0.0, margin=1.0), model_of(metrics.Cosine()), rows, 0)

    def test_pairs_have_no_classes_for_proxies(self, rows: Items) -> None:
        pairs = Pairs(rows.values, np.array([0, 1]), np.array([1, 9]), np.array([True, False]))
        with pytest.raises(SettingsError, match="one direction a class"):
            make_ready(losses.CosFace(), model_of(metrics.Cosine()), pairs, 0)


def test_a_run_with_a_loss_that_draws_is_the_same_each_time(rows: Items) -> None:
    """Distance-weighted mining draws in the loss; the step's seed decides."""
    weights = []
    for _ in range(2):
        model = model_of(metrics.Euclidean(), unit_length=True)
        mining = gemel.mining.DistanceWeighted(model.metric, 4)
        loss = losses.Triplet(model.metric, mining=mining)
        gemel.fit(model, rows, loss=loss, steps=5, validation=None, seed=2)
        weights.append(torch.cat([value.flatten() for value in model.state_dict().values()]))
        torch.rand(7)  # elsewhere somebody draws
    assert torch.equal(*weights)


def test_a_joint_comparer_learns_from_a_triplet_its_two_distances() -> None:
    images = inputs.Images(8, channels=1)
    model = Siamese(images, encoders.Joint(encoders.Conv(width=4, dim=1)))
    batch = TripletBatch(np.array([0, 1]), np.array([2, 3]), np.array([4, 5]))
    distance = torch.tensor([0.1, 0.2, 0.5, 0.1])  # to both positives, then to both negatives
    found = compute(losses.TripletHinge(0.3), model, (distance,), batch)
    assert found.item() == pytest.approx((0 + 0.4) / 2)


def test_triplets_of_two_encoders_have_their_anchors_on_the_left() -> None:
    images = inputs.Images(8, channels=1)
    both = encoders.Sides(encoders.Conv(width=4, dim=2), encoders.Conv(width=4, dim=2))
    model = Siamese(images, both, metrics.Manhattan())
    batch = TripletBatch(np.array([0]), np.array([1]), np.array([2]))
    left, right = torch.zeros(1, 2), torch.tensor([[1.0, 1.0], [0.5, 1.0]])
    found = compute(losses.TripletHinge(1.0), model, (left, right), batch)
    assert found.item() == pytest.approx(2.0 - 1.5 + 1.0)


def test_labels_of_two_encoders_stand_on_either_side_in_turns() -> None:
    both = encoders.Sides(encoders.Dense((4,), 2), encoders.Dense((4,), 2))
    model = Siamese(inputs.Numbers(3), both, metrics.Cosine())
    batch = sampling.LabelBatch(np.array([0, 1, 4, 5]), np.array([0, 0, 1, 1]))
    left, right = sides_of(batch, joint=False)
    assert (left.tolist(), right.tolist()) == ([0, 4], [1, 5])
    u, v = torch.rand(2, 2), torch.rand(2, 2)
    found = compute(losses.SupervisedContrastive(), model, (u, v), batch)
    mixed = torch.stack([u[0], v[0], u[1], v[1]])  # the sides take turns
    wanted = losses.SupervisedContrastive()(mixed, torch.tensor([0, 0, 1, 1]))
    torch.testing.assert_close(found, wanted)


def test_pairs_of_a_twin_are_measured_side_by_side() -> None:
    model = model_of(metrics.Manhattan())
    batch = PairBatch(np.array([0, 1]), np.array([2, 3]), np.array([True, False]))
    rows = torch.tensor([[0.0] * 4, [1.0] * 4, [0.25] * 4, [1.1] * 4])
    found = compute(losses.Contrastive(1.0), model, (rows,), batch)
    assert found.item() == pytest.approx((1.0**2 + 0.6**2) / 4)


@pytest.mark.parametrize(
    ("metric", "wanted"),
    [
        (metrics.Learned(), losses.PairCrossEntropy),
        (metrics.WeightedL1(), losses.PairCrossEntropy),
        (metrics.Hamming(), losses.Triplet),
        (metrics.AsymmetricHamming(), losses.Triplet),
        (metrics.Cosine(), losses.SupervisedContrastive),
        (metrics.Euclidean(), losses.Triplet),
    ],
)
def test_default_losses(rows: Items, metric: metrics.Metric, wanted: type) -> None:
    assert isinstance(default_loss(rows, metric, 4), wanted)


def test_pairs_do_not_train_what_has_no_gradient() -> None:
    table = Pairs(np.zeros((2, 3)), np.array([0]), np.array([1]), np.array([True]), kind="numbers")
    with pytest.raises(SettingsError, match="train with Hamming, then set"):
        default_loss(table, metrics.AsymmetricHamming(), 4)
    loss = default_loss(table, metrics.Hamming(), 8)
    assert isinstance(loss, losses.Contrastive)
    assert loss.margin == 2


def test_the_slope_of_hamming_is_trained_with(rows: Items) -> None:
    loss = default_loss(rows, metrics.Hamming(0.25), 16)
    assert isinstance(loss, losses.Triplet)
    assert isinstance(loss.metric, metrics.Hamming)
    assert (loss.metric.slope, loss.margin) == (0.25, 2)
