"""Both patches of a pair get one warp; tones change each patch by itself."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

import gemel
from gemel import Items, Siamese, encoders, inputs, losses, metrics, sampling
from gemel.errors import SettingsError
from gemel.inputs import Alike, Flip, Tones, Turns


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_six_turns() -> None:
    patch = torch.arange(9.0).reshape(1, 1, 3, 3)
    out = Turns()(patch.expand(3000, 1, 3, 3), generator())
    kinds = {
        tuple(one.flatten().tolist())
        for one in (*(patch.rot90(k, (2, 3)) for k in range(4)), patch.flip(2), patch.flip(3))
    }
    found, counts = np.unique(out.flatten(1).numpy(), axis=0, return_counts=True)
    assert {tuple(one) for one in found.tolist()} == kinds
    assert len(kinds) == 6
    assert (np.abs(counts - 500) < 100).all()
    with pytest.raises(SettingsError, match="square pictures; got 3 x 4"):
        Turns()(torch.zeros(1, 1, 3, 4), generator())


def test_both_items_of_a_pair_are_warped_alike_and_exchanged_by_chance() -> None:
    left = torch.rand(400, 1, 5, 5, generator=generator())
    right = left + 10
    first, second = Alike(Turns()).pair(left, right, generator(1))
    # the difference of a pair is left as it was, but for its sign
    gap = (second - first).mean((1, 2, 3))
    torch.testing.assert_close((second - first).abs(), torch.full_like(first, 10.0))
    assert 0.4 < (gap < 0).double().mean() < 0.6
    kept = Alike(Turns(), swap=0.0).pair(left, right, generator(1))
    assert (kept[1] - kept[0] > 9).all()
    assert not torch.equal(kept[0], left)


def test_what_is_drawn_for_each_differs_within_a_pair() -> None:
    left = torch.rand(20, 1, 6, 6, generator=generator())
    first, second = Alike(Flip(), each=Tones(), swap=0.0).pair(left, left, generator())
    assert (first - second).abs().mean() > 0.01
    with pytest.raises(SettingsError, match="`swap` must lie between 0 and 1; got 2"):
        Alike(Flip(), swap=2.0)


def test_training_gives_it_pairs() -> None:
    """A twin, a pseudo-twin and a joint comparer see left and right items side by side."""
    values = np.random.default_rng(0).integers(0, 256, (24, 8, 8)).astype(np.uint8)
    items = Items(values, np.array([str(n // 4) for n in range(24)]), name="noise")
    seen: list[tuple[Tensor, Tensor]] = []

    class Watching:
        def pair(
            self, left: Tensor, right: Tensor, generator: torch.Generator
        ) -> tuple[Tensor, Tensor]:
            seen.append((left, right))
            return right, left

    def dense(dim: int = 4) -> encoders.Dense:
        return encoders.Dense((8,), dim)

    for encoder, metric in (
        (dense(), metrics.Decision((4,))),
        (encoders.Sides(dense(), dense()), metrics.Decision((4,), both_orders=False)),
        (encoders.Joint(dense(1)), None),
    ):
        seen.clear()
        model = Siamese(inputs.Images(8), encoder, metric)
        loss = losses.PairHinge(0.0, margin=1.0)
        gemel.fit(model, items, loss=loss, augment=Watching(), steps=2, validation=None)
        assert len(seen) == 2
        assert seen[0][0].shape == seen[0][1].shape == (128, 1, 8, 8)
        known = {tuple(one.ravel().tolist()): n // 4 for n, one in enumerate(values)}
        for left, right in zip(*seen[0], strict=True):
            a, b = (known[tuple((255 * x).round().int().flatten().tolist())] for x in (left, right))
            seen.append((a, b))  # type: ignore[arg-type]
        same = [a == b for a, b in seen[2:]]
        assert sum(same) == 64  # half of the pairs, so they are whole
    twin = Siamese(inputs.Images(8), dense(), metrics.Cosine())
    three = partial(sampling.ClassesByItems, classes=3, per_class=3)
    with pytest.raises(SettingsError, match="the batch has no pairs"):
        gemel.fit(twin, items, augment=Watching(), sampler=three, steps=1, validation=None)


def test_labelled_items_two_by_two_are_pairs_and_keep_their_labels() -> None:
    """Left and right are exchanged, so each embedding comes back in the other one's place."""
    values = np.random.default_rng(0).integers(0, 256, (24, 8, 8)).astype(np.uint8)
    items = Items(values, np.array([str(n // 4) for n in range(24)]), name="noise")
    seen: list[tuple[Tensor, Tensor]] = []

    class Exchanging:
        def pair(
            self, left: Tensor, right: Tensor, generator: torch.Generator
        ) -> tuple[Tensor, Tensor]:
            seen.append((left, right))
            return right, left

    def loss(embeddings: Tensor, labels: Tensor) -> Tensor:
        left, right = seen[-1]
        expected = torch.stack([right, left], dim=1).flatten(0, 1)
        torch.testing.assert_close(embeddings, encoder(expected))
        known = {tuple(one.ravel().tolist()): n // 4 for n, one in enumerate(values)}
        classes = [known[tuple((255 * x).round().int().flatten().tolist())] for x in expected]
        assert labels.tolist() == classes
        return embeddings.square().mean()

    encoder = encoders.Dense((), 4)
    twin = Siamese(inputs.Images(8), encoder, metrics.Cosine())
    two = partial(sampling.ClassesByItems, classes=5, per_class=2)
    gemel.fit(twin, items, loss=loss, augment=Exchanging(), sampler=two, steps=3, validation=None)
    assert len(seen) == 3


def test_gamma_and_inversion() -> None:
    patch = torch.rand(500, 1, 4, 4, generator=generator()).clamp(0.05, 0.95)
    bent = Tones(gamma=0.5, noise=0.0)(patch, generator())
    powers = bent.log() / patch.log()  # one power for each picture
    torch.testing.assert_close(powers, powers[:, :, :1, :1].expand_as(powers), rtol=1e-3, atol=0)
    spread = powers[:, 0, 0, 0].log()
    assert spread.abs().max() < 0.501
    assert spread.abs().max() > 0.45
    inverted = Tones(gamma=0.0, invert=0.3, noise=0.0)(patch, generator())
    changed = ~torch.isclose(inverted, patch).flatten(1).all(dim=1)
    torch.testing.assert_close(inverted[changed], 1 - patch[changed])
    assert 0.2 < changed.double().mean() < 0.4


def test_softness_moves_to_the_mean_of_the_neighbours() -> None:
    dot = torch.zeros(200, 1, 9, 9)
    dot[:, :, 4, 4] = 1.0
    soft = Tones(gamma=0.0, soft=1.0, noise=0.0)(dot, generator())
    torch.testing.assert_close(soft.sum((1, 2, 3)), torch.ones(200))
    way = 9 * soft[:, 0, 2, 2].sqrt()  # a corner is reached by two diagonal steps alone
    middle = (1 - way * 8 / 9) ** 2 + 8 * (way / 9) ** 2
    torch.testing.assert_close(soft[:, 0, 4, 4], middle, atol=1e-5, rtol=0)
    assert way.min() < 0.05
    assert way.max() > 0.95


def test_shades_are_smooth_and_noise_is_as_strong_as_it_says() -> None:
    grey = torch.full((300, 1, 33, 33), 0.4)
    shaded = Tones(gamma=0.0, shade=0.5, noise=0.0)(grey, generator())
    factor = (shaded / 0.4).log()
    assert factor.abs().max() < 0.501
    step = factor.diff(dim=3).abs().max()
    assert step < 1.0 / 16 + 1e-4  # from -0.5 to 0.5 over half a side at the steepest
    noisy = Tones(gamma=0.0, noise=0.1)(grey, generator())
    spread = (noisy - grey).flatten(1).std(dim=1)
    assert spread.max() < 0.11
    assert spread.mean() == pytest.approx(0.05, rel=0.1)
    with pytest.raises(SettingsError, match="`noise` must be a finite number of 0 or more; got -1"):
        Tones(noise=-1.0)
    with pytest.raises(SettingsError, match=r"`invert` must lie from 0 to 1; got 1\.5"):
        Tones(invert=1.5)
