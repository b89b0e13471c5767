"""Layer-wise decay: its value, its gradient, and that it stays of its loss's kind."""

import copy
import math

import pytest
import torch
from pytorch_metric_learning import losses as pml
from slow_losses import draw
from torch import nn

from gemel.errors import SettingsError
from gemel.losses import (
    Contrastive,
    LabelLoss,
    LayerDecay,
    PairCrossEntropy,
    PairLoss,
    SupervisedContrastive,
    TripletHinge,
    TripletLoss,
)
from gemel.metrics import WeightedL1


def layers() -> tuple[nn.Linear, nn.Linear]:
    return nn.Linear(3, 2).double(), nn.Linear(2, 2).double()


def test_decay_adds_each_layers_weight_times_its_square() -> None:
    first, second = layers()
    d, same = draw(6).abs().requires_grad_(), torch.tensor([True, False] * 3)
    inner = Contrastive(2.0)
    loss = LayerDecay(inner, {first: 0.1, second.weight: 3.0})
    value = loss(d, same)
    squares = [
        sum(w * w for w in p.flatten().tolist()) for p in (*first.parameters(), second.weight)
    ]
    wanted = inner(d, same).item() + 0.1 * (squares[0] + squares[1]) + 3.0 * squares[2]
    assert value.item() == pytest.approx(wanted, rel=1e-12)
    value.backward()
    torch.testing.assert_close(first.weight.grad, 0.2 * first.weight)
    torch.testing.assert_close(first.bias.grad, 0.2 * first.bias)
    torch.testing.assert_close(second.weight.grad, 6.0 * second.weight)
    assert second.bias.grad is None
    torch.testing.assert_close(d.grad, torch.autograd.grad(inner(d, same), d)[0])


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        (PairCrossEntropy(), PairLoss),
        (TripletHinge(), TripletLoss),
        (SupervisedContrastive(), LabelLoss),
        (pml.NTXentLoss(), LabelLoss),
    ],
)
def test_it_is_of_the_kind_of_its_loss(inner: nn.Module, kind: type) -> None:
    loss = LayerDecay(inner, {nn.Linear(2, 2): 0.1})
    kinds = {one for one in (PairLoss, TripletLoss, LabelLoss) if isinstance(loss, one)}
    assert kinds == {kind}
    assert isinstance(loss, LayerDecay)
    assert isinstance(copy.deepcopy(loss), kind)
    again = LayerDecay(loss, {nn.Linear(2, 2): 0.2})
    assert isinstance(again, kind)


def test_the_layers_stay_the_models() -> None:
    layer = nn.Linear(2, 2)
    loss = LayerDecay(PairCrossEntropy(learn=True), {layer: 0.1})
    assert {name for name, _ in loss.named_parameters()} == {"loss.log_scale", "loss.threshold"}
    loss.eval()
    assert layer.training


def test_a_layer_may_be_built_later() -> None:
    metric = WeightedL1()
    loss = LayerDecay(PairCrossEntropy(), {metric: 0.5})
    d, same = torch.ones(2), torch.tensor([True, False])
    with pytest.raises(SettingsError, match="WeightedL1 has no weights to decay"):
        loss(d, same)
    metric.build(4)
    assert loss.decay().item() == pytest.approx(0.5 * (4 * 0.5**2 + 1))


def test_the_margin_inside_is_looked_at() -> None:
    with pytest.raises(SettingsError, match="end at 2"):
        LayerDecay(Contrastive(3.0), {nn.Linear(2, 2): 0.1}).check_reach(2.0)
    LayerDecay(pml.NTXentLoss(), {nn.Linear(2, 2): 0.1}).check_reach(2.0)


def test_impossible_decays_are_refused() -> None:
    with pytest.raises(SettingsError, match="needs a layer"):
        LayerDecay(Contrastive(), {})
    for value in (-0.1, math.nan, math.inf):
        with pytest.raises(SettingsError, match=rf"decay of Linear must be 0 or more.*got {value}"):
            LayerDecay(Contrastive(), {nn.Linear(2, 2): value})


def test_it_shows_its_decays() -> None:
    loss = LayerDecay(Contrastive(), {nn.Linear(2, 2): 1e-4, nn.Conv2d(1, 1, 3): 0.5})
    assert "decay={Linear: 0.0001, Conv2d: 0.5}" in str(loss)
    assert "Contrastive(margin=1.0)" in str(loss)
