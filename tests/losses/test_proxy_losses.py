"""ArcFace and CosFace against loops from their papers, and their proxies."""

import math

import pytest
import torch
from pytorch_metric_learning import losses as pml
from slow_losses import Rows, assert_like_slow, draw
from torch import Tensor

from gemel.errors import DataError, SettingsError
from gemel.losses import ArcFace, CosFace, ProxyLoss

LABELS = [0, 3, 1, 1, 2, 0]
KINDS = [ArcFace(0.5, scale=4.0), ArcFace(2.5, scale=4.0), CosFace(0.35, scale=4.0)]
each_kind = pytest.mark.parametrize("loss", KINDS, ids=str)


def cosine(u: list[float], v: list[float]) -> float:
    dot = sum(a * b for a, b in zip(u, v, strict=True))
    return dot / math.hypot(*u) / math.hypot(*v)


def slow(loss: ProxyLoss, x: Rows, proxies: Rows, labels: list[int]) -> float:
    """Deng 2019, equation 3; Wang 2018, equation 4."""
    total = 0.0
    for row, y in zip(x, labels, strict=True):
        logits = [cosine(row, proxy) for proxy in proxies]
        angle, m = math.acos(max(-1.0, min(1.0, logits[y]))), loss.margin
        if isinstance(loss, CosFace):
            logits[y] -= m
        else:
            turned, beyond = math.cos(angle + m), math.cos(angle) - m * math.sin(m)
            logits[y] = turned if angle + m <= math.pi else beyond
        exps = [math.exp(loss.scale * logit) for logit in logits]
        total -= math.log(exps[y] / sum(exps))
    return total / len(x)


def built(loss: ProxyLoss, dim: int = 3, classes: int = 4) -> ProxyLoss:
    loss.build(dim, classes, generator=torch.Generator().manual_seed(1))
    return loss.double()


@each_kind
def test_value_and_gradient_are_those_of_loops(loss: ProxyLoss) -> None:
    proxies = built(loss).proxies.detach().tolist()
    assert_like_slow(
        lambda x: loss(x, torch.tensor(LABELS)),
        lambda rows: slow(loss, rows, proxies, LABELS),
        draw(6, 3),
    )
    x = draw(6, 3).tolist()

    def of_proxies(w: Tensor) -> Tensor:
        return torch.func.functional_call(loss, {"proxies": w}, (draw(6, 3), torch.tensor(LABELS)))

    assert_like_slow(of_proxies, lambda rows: slow(loss, x, rows, LABELS), loss.proxies.detach())


@pytest.mark.parametrize("margin", [0.35, 0.5, 1.5])
@pytest.mark.parametrize("scale", [8.0, 64.0])
def test_value_and_gradient_are_those_of_pytorch_metric_learning(
    margin: float, scale: float
) -> None:
    """Its ArcFace takes the margin in degrees."""
    x, labels = draw(40, 8).requires_grad_(), torch.arange(40) % 7
    for ours, theirs in (
        (ArcFace(margin, scale=scale), pml.ArcFaceLoss(7, 8, math.degrees(margin), scale)),
        (CosFace(margin, scale=scale), pml.CosFaceLoss(7, 8, margin=margin, scale=scale)),
    ):
        built(ours, 8, 7)
        theirs.W.data = ours.proxies.detach().T.clone()
        losses = ours(x, labels), theirs(x, labels)
        torch.testing.assert_close(*losses)
        torch.testing.assert_close(*(torch.autograd.grad(loss, x)[0] for loss in losses))


@each_kind
def test_no_nan_at_a_proxy_or_opposite_to_it(loss: ProxyLoss) -> None:
    built(loss).float()
    with torch.no_grad():
        x = torch.stack([loss.proxies[0], -loss.proxies[1], torch.zeros(3)])
    loss(x.requires_grad_(), torch.arange(3)).backward()
    assert x.grad.isfinite().all()
    assert loss.proxies.grad.isfinite().all()


@each_kind
def test_a_greater_margin_costs_more(loss: ProxyLoss) -> None:
    built(loss)
    x, labels = draw(6, 3), torch.tensor(LABELS)
    less = built(type(loss)(loss.margin / 2, scale=4.0))
    assert less(x, labels) < loss(x, labels)


@each_kind
def test_a_step_turns_items_to_their_proxies(loss: ProxyLoss) -> None:
    built(loss)
    x, labels = draw(6, 3).requires_grad_(), torch.tensor(LABELS)
    (slope,) = torch.autograd.grad(loss(x, labels), x)

    def near(x: Tensor) -> float:
        return torch.cosine_similarity(x, loss.proxies.detach()[labels]).mean().item()

    assert near(x - 0.01 * slope) > near(x)


def test_proxies_come_from_the_generator() -> None:
    one, other, third = CosFace(), CosFace(), ArcFace()
    for loss, seed in ((one, 1), (other, 1), (third, 2)):
        loss.build(200, 5, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(one.proxies, other.proxies)
    assert not torch.equal(one.proxies, third.proxies)
    assert one.proxies.shape == (5, 200)
    assert one.proxies.requires_grad
    assert 0.8 < one.proxies.norm(dim=1).mean().item() < 1.2


@each_kind
def test_errors_of_proxies(loss: ProxyLoss) -> None:
    built(loss)
    with pytest.raises(DataError, match="labels 0 to 3; got labels from -1 to 2"):
        loss(draw(2, 3), torch.tensor([-1, 2]))
    with pytest.raises(DataError, match="got labels from 0 to 4"):
        loss(draw(2, 3), torch.tensor([0, 4]))
    with pytest.raises(DataError, match="whole numbers"):
        loss(draw(2, 3), torch.tensor([0.0, 1.0]))
    with pytest.raises(DataError, match="no items has no loss"):
        loss(draw(0, 3), torch.arange(0))
    with pytest.raises(SettingsError, match="built for embeddings of 3 numbers; got 5"):
        loss(draw(2, 5), torch.tensor([0, 1]))
    with pytest.raises(SettingsError, match="2 or more classes"):
        loss.build(3, 1)


def test_a_loss_without_proxies_says_so() -> None:
    for loss in (ArcFace(), CosFace()):
        assert not list(loss.parameters())
        with pytest.raises(SettingsError, match=r"no proxies yet: call build\(dim, classes\)"):
            loss(draw(2, 3), torch.tensor([0, 1]))


def test_impossible_margins_of_angles() -> None:
    with pytest.raises(SettingsError, match="radians, below pi"):
        ArcFace(3.2)
    with pytest.raises(SettingsError, match="at most 2"):
        CosFace(2.1)
    for value in (0.0, -1.0, math.nan, math.inf):
        for kind, name in ((ArcFace, "margin"), (CosFace, "margin"), (ArcFace, "scale")):
            with pytest.raises(SettingsError, match="must be positive and finite"):
                kind(**{name: value})


def test_proxy_losses_show_their_settings() -> None:
    assert str(ArcFace()) == "ArcFace(margin=0.5, scale=64.0)"
    assert str(CosFace()) == "CosFace(margin=0.35, scale=64.0)"
    ArcFace(3.0).check_reach(2.0)  # an angle, not a metric's distance
