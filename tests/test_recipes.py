"""Defaults chosen from the data."""

from pathlib import Path

import numpy as np
import pytest

from gemel import Items, Pairs, Siamese, data, encoders, fit, inputs, losses, metrics
from gemel.errors import DataError, SettingsError
from gemel.parts import named_encoder
from gemel.recipes import choose, look


def photos(colour: bool, side: int = 80, count: int = 6) -> Items:
    generator = np.random.default_rng(0)
    shape = (count, side, side + 10, *([3] if colour else []))
    values = generator.integers(0, 255, shape).astype(np.uint8)
    return Items(values, np.array(["a", "b"] * (count // 2)))


def test_ink_on_paper(symbols: Items) -> None:
    seen = look(symbols)
    assert (seen.side, seen.colour, seen.drawn) == (16, False, True)
    recipe = choose(symbols)
    assert recipe.input.settings()["light_on_dark"]
    assert recipe.input.settings()["trim"]
    assert recipe.input.shape == (1, 28, 28)
    assert isinstance(recipe.augment, inputs.Warp)
    assert isinstance(recipe.loss, losses.SupervisedContrastive)


@pytest.mark.parametrize("colour", [True, False])
def test_photos(colour: bool) -> None:
    seen = look(photos(colour))
    assert (seen.side, seen.colour, seen.drawn) == (80, colour, False)
    recipe = choose(photos(colour))
    assert recipe.input.shape == (3 if colour else 1, 64, 64)
    assert not recipe.input.settings()["trim"]
    assert isinstance(recipe.augment, inputs.Chain)


def test_small_pictures_stay_small() -> None:
    assert choose(photos(False, side=30)).input.shape == (1, 28, 28)


def test_numbers() -> None:
    recipe = choose(data.arrays(np.random.default_rng(0).normal(size=(8, 5)), list("aabbccdd")))
    assert isinstance(recipe.input, inputs.Numbers)
    assert isinstance(recipe.encoder, encoders.Dense)
    assert recipe.augment is None


def test_pairs_get_a_pair_loss(symbols: Items) -> None:
    left, right = np.array([0, 1, 2, 3]), np.array([1, 40, 3, 80])
    pairs = Pairs(symbols.values, left, right, np.array([True, False, True, False]))
    assert isinstance(choose(pairs).loss, losses.Contrastive)


@pytest.mark.parametrize(
    ("metric", "loss"),
    [
        (metrics.Cosine(), losses.SupervisedContrastive),
        (metrics.WeightedL1(), losses.PairCrossEntropy),
        (metrics.Mahalanobis(), losses.Triplet),
        (metrics.Euclidean(), losses.Triplet),
    ],
    ids=lambda part: type(part).__name__,
)
def test_the_loss_trains_what_the_metric_measures(
    symbols: Items, metric: metrics.Metric, loss: type
) -> None:
    chosen = choose(symbols, metric=metric).loss
    assert isinstance(chosen, loss)
    assert getattr(chosen, "metric", metric) is metric


def test_a_photo_of_a_coloured_thing_on_white_is_no_drawing() -> None:
    values = np.full((6, 60, 60, 3), 255, np.uint8)
    values[:, 20:40, 20:40] = (200, 30, 40)
    assert not look(Items(values, np.array(list("ababab")))).drawn


def test_sizes_are_for_images() -> None:
    rows = data.arrays(np.random.default_rng(0).normal(size=(8, 5)), list("aabbccdd"))
    assert choose(rows, dim=7).encoder.settings()["dim"] == 7
    with pytest.raises(SettingsError, match="size and channels are for images"):
        choose(rows, size=28)


def test_what_is_given_is_taken(symbols: Items) -> None:
    given = choose(
        symbols,
        size=20,
        channels=3,
        encoder=encoders.Dense(dim=4),
        metric=metrics.Euclidean(),
        loss=losses.TripletHinge(),
        augment=False,
    )
    assert given.input.shape == (3, 20, 20)
    assert given.augment is None
    assert [given.reasons[part] for part in ("encoder", "metric", "loss", "augmentation")] == [
        "Dense",
        "Euclidean",
        "TripletHinge",
        "none",
    ]


def test_nothing_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(DataError, match="none of 1 pictures looked at can be read"):
        look(Items([tmp_path / "a.png"], np.array(["a"])))


def test_comparers(symbols: Items) -> None:
    pseudo = choose(symbols, comparer="pseudo-twin")
    assert isinstance(pseudo.encoder, encoders.Sides)
    assert pseudo.encoder.left is not pseudo.encoder.right
    assert pseudo.reasons["encoder"] == "Sides(Conv, Conv)"
    joint = choose(symbols, comparer="joint")
    assert isinstance(joint.encoder, encoders.Joint)
    assert isinstance(joint.loss, losses.PairCrossEntropy)
    with pytest.raises(SettingsError, match="leave metric and dim out"):
        choose(symbols, comparer="joint", dim=8)


def test_two_kinds_make_a_half_twin(symbols: Items) -> None:
    values = [*symbols.values[:4], *np.eye(4)]
    pairs = Pairs(
        values,
        np.array([0, 1, 2, 3]),
        np.array([4, 5, 7, 6]),
        np.array([True, True, False, False]),
        right_kind="numbers",
    )
    recipe = choose(pairs)
    model = Siamese(recipe.input, recipe.encoder, recipe.metric)
    assert model.form.name == "half-twin"
    assert isinstance(recipe.augment, dict)
    assert isinstance(recipe.augment["left"], inputs.Warp)
    assert recipe.augment["right"] is None
    assert recipe.reasons["input"].endswith("; 4 numbers an item, standardised")
    with pytest.raises(SettingsError, match="leave the comparer and the encoder out"):
        choose(pairs, comparer="joint")


@pytest.mark.parametrize("metric", [metrics.Hamming(), metrics.AsymmetricHamming()])
def test_codes_have_balanced_bits(symbols: Items, metric: metrics.Metric) -> None:
    recipe = choose(symbols, metric=metric, dim=16)
    assert recipe.encoder.balanced
    assert recipe.encoder.settings()["balanced"]  # type: ignore[operator]
    assert not choose(symbols, dim=16).encoder.balanced
    mine = encoders.Conv((4,), 16)
    assert choose(symbols, metric=metric, encoder=mine).encoder is mine
    assert not mine.balanced  # what is given is taken as it is
    assert named_encoder("conv", 8, balanced=True).balanced
    assert not named_encoder("conv", None).balanced


def test_codes_trained_by_the_recipe_do_not_become_one(symbols: Items) -> None:
    recipe = choose(symbols, metric=metrics.Hamming(), dim=16)
    model = Siamese(recipe.input, recipe.encoder, recipe.metric)
    fit(model, symbols, loss=recipe.loss, validation=None, steps=30)
    codes = model.codes(symbols).numpy()
    assert len(np.unique(codes, axis=0)) > len(symbols) / 4
