"""Defaults chosen from the data."""

from pathlib import Path

import numpy as np
import pytest

from gemel import Items, Pairs, data, encoders, inputs, losses, metrics
from gemel.errors import DataError
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
