"""Collapse is found where it is, nowhere else, and said once."""

import warnings

import pytest
import torch
from torch import Tensor

from gemel.training import CollapseWarning
from gemel.training.watch import ALIKE, PATIENCE, Watch


class StuckAt:
    """A loss that says what it is when all distances are equal."""

    def __init__(self, value: float) -> None:
        self.collapsed_value = value

    def __call__(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return embeddings.sum()


def plain(embeddings: Tensor, labels: Tensor) -> Tensor:
    return embeddings.sum()


def look_often(watch: Watch, embeddings: Tensor, loss: float, times: int) -> None:
    for _ in range(times):
        watch.look(embeddings, loss)


def spread_out(seed: int = 0) -> Tensor:
    return torch.randn(16, 8, generator=torch.Generator().manual_seed(seed))


def of_spread(share: float) -> Tensor:
    """Embeddings whose spread is exactly `share` of their root mean square length."""
    side = torch.ones(16, 1)
    side[::2] = -1
    along = (1 / share**2 - 1) ** 0.5
    return torch.cat([side, torch.full((16, 1), along)], dim=1)


CONSTANT = torch.full((16, 8), 0.25)


class TestEmbeddingsAlike:
    @pytest.mark.parametrize(
        "embeddings",
        [CONSTANT, torch.zeros(16, 8), CONSTANT + 1e-5 * spread_out(), of_spread(0.9 * ALIKE)],
        ids=["constant", "zero", "almost constant", "just too narrow"],
    )
    def test_found_after_patience_and_said_once(self, embeddings: Tensor) -> None:
        watch = Watch(plain)
        look_often(watch, embeddings, 1.0, PATIENCE - 1)
        with pytest.warns(CollapseWarning, match="alike for 50 steps") as told:
            watch.look(embeddings, 1.0)
        assert len(told) == 1
        look_often(watch, embeddings, 1.0, 2 * PATIENCE)  # a second warning would be an error

    @pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
    def test_healthy_whatever_the_scale(self, scale: float) -> None:
        watch = Watch(plain)
        for step in range(3 * PATIENCE):
            watch.look(scale * spread_out(step), 1.0)
        assert not watch.warned

    def test_narrow_but_not_alike(self) -> None:
        watch = Watch(plain)
        look_often(watch, of_spread(1.1 * ALIKE), 1.0, 3 * PATIENCE)
        assert not watch.warned

    def test_only_in_a_row(self) -> None:
        watch = Watch(plain)
        for step in range(4 * PATIENCE):
            watch.look(spread_out() if step % PATIENCE == PATIENCE - 1 else CONSTANT, 1.0)
        assert not watch.warned

    def test_not_a_number_is_no_collapse(self) -> None:
        """A loss that is no number is another error, and told as such."""
        watch = Watch(plain)
        look_often(watch, CONSTANT * float("nan"), float("nan"), 2 * PATIENCE)
        assert not watch.warned

    def test_leaves_no_graph(self) -> None:
        embeddings = spread_out().requires_grad_()
        Watch(plain).look(embeddings * 2, 1.0)
        assert embeddings.grad is None


class TestLossStuck:
    @pytest.mark.parametrize("loss", [0.2, 0.2 * 1.0009, 0.2 * 0.9991])
    def test_found_though_embeddings_differ(self, loss: float) -> None:
        watch = Watch(StuckAt(0.2))
        look_often(watch, spread_out(), loss, PATIENCE - 1)
        with pytest.warns(CollapseWarning, match=r"loss has stayed at 0\.(2|2002|1998), .*for 50"):
            watch.look(spread_out(), loss)

    @pytest.mark.parametrize("loss", [0.2 * 1.002, 0.2 * 0.998, 0.0, 3.0])
    def test_another_value(self, loss: float) -> None:
        watch = Watch(StuckAt(0.2))
        look_often(watch, spread_out(), loss, 3 * PATIENCE)
        assert not watch.warned

    def test_only_in_a_row(self) -> None:
        watch = Watch(StuckAt(0.2))
        for step in range(4 * PATIENCE):
            watch.look(spread_out(), 0.1 if step % PATIENCE == PATIENCE - 1 else 0.2)
        assert not watch.warned

    def test_loss_that_does_not_say(self) -> None:
        watch = Watch(plain)
        look_often(watch, spread_out(), 0.2, 3 * PATIENCE)
        assert not watch.warned

    def test_both_signs_are_one_warning(self) -> None:
        watch = Watch(StuckAt(0.2))
        with pytest.warns(CollapseWarning) as told:
            look_often(watch, CONSTANT, 0.2, 3 * PATIENCE)
        assert len(told) == 1
        assert "all embeddings have been alike" in str(told[0].message)


def test_message_says_what_to_change() -> None:
    watch = Watch(plain)
    with pytest.warns(CollapseWarning) as told:
        look_often(watch, of_spread(ALIKE / 2), 1.0, PATIENCE)
    message = str(told[0].message)
    assert "their spread is 1, their length 2e+03" in message
    for remedy in ("lower rate", "semi-hard", "more classes", "supervised contrastive", "labels"):
        assert remedy in message


def test_can_be_silenced_or_raised() -> None:
    """It is a `UserWarning` of its own class, so the caller decides."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        watch = Watch(plain)
        look_often(watch, CONSTANT, 1.0, PATIENCE)
    assert watch.warned
    watch = Watch(plain)
    with pytest.raises(CollapseWarning, match="training has collapsed"):
        look_often(watch, CONSTANT, 1.0, PATIENCE)
