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


def pens(count: int = 8) -> Items:
    """Made-up writing of two people, in turn."""
    rng = np.random.default_rng(0)
    values = [
        np.column_stack([rng.normal(size=(30, 2)).cumsum(0), 10.0 * np.arange(30)])
        for _ in range(count)
    ]
    return Items(values, np.array(["ada", "bob"] * (count // 2)), kind="pens")


def test_pens_are_warped() -> None:
    recipe = choose(pens())
    assert isinstance(recipe.input, inputs.Pens)
    assert isinstance(recipe.encoder, encoders.AlignedTDNN)
    assert isinstance(recipe.metric, metrics.DTW)
    assert isinstance(recipe.loss, losses.PairCrossEntropy)
    assert recipe.loss.threshold.requires_grad
    assert isinstance(recipe.augment, inputs.PenWarp)
    assert recipe.reasons["batches"].startswith("BalancedPairs(")
    done = fit(
        Siamese(recipe.input, recipe.encoder, recipe.metric),
        pens(),
        loss=recipe.loss,
        augment=recipe.augment,
        validation=None,
        steps=2,
    )
    assert done.steps == 2
    assert choose(pens(), augment=False).augment is None
    assert (
        choose(pens(), comparer="pseudo-twin").reasons["encoder"]
        == "Sides(AlignedTDNN, AlignedTDNN)"
    )


def test_pens_with_another_metric_or_length_get_one_embedding_of_the_whole() -> None:
    for settings in (
        {"metric": metrics.Cosine()},
        {"dim": 20},
        {"dim": 20, "metric": metrics.Hamming()},
    ):
        recipe = choose(pens(), **settings)
        assert isinstance(recipe.encoder, encoders.DilatedTDNN)
        assert recipe.encoder.dim == settings.get("dim", 64)
        assert recipe.encoder.balanced == isinstance(recipe.metric, metrics.Hamming)
    assert isinstance(choose(pens(), dim=20).metric, metrics.Cosine)
    assert isinstance(choose(pens(), encoder=encoders.TDNN()).metric, metrics.Cosine)


def test_pairs_of_pens_and_pictures_make_a_half_twin(symbols: Items) -> None:
    written = pens()
    pairs = Pairs(
        [*written.values, *symbols.values[:8]],
        np.arange(8),
        np.arange(8, 16),
        np.arange(8) % 2 == 0,
        kind="pens",
        right_kind="images",
    )
    recipe = choose(pairs)
    assert recipe.reasons["encoder"] == "Sides(DilatedTDNN, Conv)"
    assert isinstance(recipe.metric, metrics.Cosine)


def test_what_does_not_go_with_pens_is_refused() -> None:
    with pytest.raises(SettingsError, match="holds pens; size and channels are for images"):
        choose(pens(), size=28)
    with pytest.raises(SettingsError, match="no joint comparer of pen recordings"):
        choose(pens(), comparer="joint")
    with pytest.raises(SettingsError, match=r"DTW keeps every moment .* leave dim out"):
        choose(pens(), metric=metrics.DTW(10), dim=3)


def test_there_is_no_recipe_for_a_kind_of_one_s_own() -> None:
    sounds = Items([1, 2, 3, 4], np.array(list("aabb")), kind="sounds")
    with pytest.raises(SettingsError, match="holds sounds, for which there is no recipe: make a m"):
        choose(sounds)
