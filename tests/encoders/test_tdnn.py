"""The networks for pens: the paper's sizes, slow convolutions, and files."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gemel
from gemel import encoders, inputs, metrics, parts
from gemel.encoders import TDNN, AlignedTDNN, DilatedTDNN
from gemel.encoders.pen_features import BROMLEY, MODERN, PenFeatures
from gemel.encoders.tdnn import WholeChannels
from gemel.errors import SettingsError

EVERY = {
    "one": TDNN,
    "two": lambda: TDNN(TDNN.TWO),
    "dilated": lambda: DilatedTDNN(8, 6, dilations=(1, 2)),
    "aligned": lambda: AlignedTDNN(3),
}
each_network = pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)


def built(encoder: nn.Module, points: int = 200, seed: int = 0) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder.build((5, points))
    return encoder.eval()


def trajectories(count: int, points: int = 200, seed: int = 1) -> Tensor:
    """Made-up writing: x, y, time, pressure, down."""
    draw = torch.randn(count, 5, points, generator=torch.Generator().manual_seed(seed))
    batch = draw.cumsum(dim=2) / 10
    batch[:, 2] = torch.linspace(0, 2, points)
    batch[:, 4] = (draw[:, 4] > -1).float()
    return batch


def numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def slow_conv(
    x: np.ndarray, conv: nn.Conv1d, *, stride: int = 1, dilation: int = 1, padding: int = 0
) -> np.ndarray:
    """[C, T] to [M, T'], moment by moment."""
    weight = numbers(conv.weight)
    bias = np.zeros(len(weight)) if conv.bias is None else numbers(conv.bias)
    maps, _, width = weight.shape
    padded = np.pad(x, ((0, 0), (padding, padding)))
    count = (padded.shape[1] - dilation * (width - 1) - 1) // stride + 1
    out = np.zeros((maps, count))
    for m, t in np.ndindex(out.shape):
        taken = padded[:, stride * t : stride * t + dilation * (width - 1) + 1 : dilation]
        out[m, t] = (taken * weight[m]).sum() + bias[m]
    return out


def features(net: Any, item: Tensor) -> np.ndarray:
    return numbers(PenFeatures(net.features.channels)(item[None])[0])


def of_type(net: nn.Module, kind: type[nn.Module]) -> list[Any]:
    return [part for part in net.modules() if isinstance(part, kind)]


def test_the_sizes_of_the_paper() -> None:
    """Bromley and others 1993: 64 and 19 moments, 304 numbers; the 80-byte one 76 numbers."""
    net = built(TDNN())
    assert net.dim == 304
    moments = []
    x = trajectories(1)
    for layer in net.layers:
        x = layer(x)
        if isinstance(layer, nn.Conv1d):
            moments.append(tuple(x.shape[1:]))
    assert moments == [(12, 64), (16, 19)]
    assert sum(weights.numel() for weights in net.parameters()) == 3004
    assert built(TDNN(TDNN.TWO)).dim == 76
    # the standard deviation of what is drawn: one over the root of the fan-in
    for conv in of_type(net, nn.Conv1d):
        fan_in = conv.weight[0].numel()
        assert conv.weight.std().item() * math.sqrt(fan_in) == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("stages", [TDNN.ONE, TDNN.TWO, ((3, 5, 2, 2), (2, 4, 1, 1))])
@pytest.mark.parametrize("unit_length", [False, True])
def test_tdnn_is_its_formula(stages: Any, unit_length: bool) -> None:
    net = built(TDNN(stages, unit_length=unit_length))
    batch = trajectories(2)
    for item, found in zip(batch, net(batch), strict=True):
        x = features(net, item)
        for conv, (_, _, stride, mean) in zip(of_type(net, nn.Conv1d), stages, strict=True):
            x = slow_conv(x, conv, stride=stride)
            x = np.stack(
                [x[:, mean * t : mean * (t + 1)].mean(1) for t in range(x.shape[1] // mean)], 1
            )
            x = 1.7159 * np.tanh(2 * x / 3)
        flat = x.reshape(-1)
        flat = flat / np.sqrt((flat**2).sum()) if unit_length else flat
        np.testing.assert_allclose(numbers(found), flat, rtol=1e-3, atol=1e-4)


def slow_norm(x: np.ndarray, norm: nn.GroupNorm) -> np.ndarray:
    """Over all maps and moments together, then a gain and a shift of each map."""
    whole = (x - x.mean()) / np.sqrt(x.var() + norm.eps)
    return whole * numbers(norm.weight)[:, None] + numbers(norm.bias)[:, None]


def test_dilated_tdnn_is_its_formula() -> None:
    net = built(DilatedTDNN(6, 7, dilations=(1, 3)), points=40)
    for part in of_type(net, nn.GroupNorm):
        nn.init.uniform_(part.weight, -1, 1)
        nn.init.uniform_(part.bias, -1, 1)
    batch = trajectories(2, 40)
    first, *convolutions = of_type(net, nn.Conv1d)
    norms = of_type(net, nn.GroupNorm)
    (linear,) = of_type(net, nn.Linear)
    for item, found in zip(batch, net(batch), strict=True):
        x = slow_conv(features(net, item), first, padding=2)
        for conv, norm, dilation in zip(convolutions, norms[:2], (1, 3), strict=True):
            y = slow_conv(slow_norm(x, norm), conv, dilation=dilation, padding=dilation)
            x = x + np.maximum(y, 0)
        x = np.maximum(slow_norm(x, norms[2]), 0)
        both = np.concatenate([x.mean(1), x.std(1)])
        out = numbers(linear.weight) @ both + numbers(linear.bias)
        np.testing.assert_allclose(numbers(found), out, rtol=1e-3, atol=1e-4)


def test_dilations_see_as_far_as_they_say() -> None:
    """5 moments, then 2 d more on either side of each block: 67 with the defaults."""
    net = built(DilatedTDNN(4, 3), points=140)
    for norm in of_type(net, nn.GroupNorm):
        norm.forward = lambda x: x  # a norm sees everything
    for conv in of_type(net, nn.Conv1d):
        nn.init.constant_(conv.weight, 0.1)  # nothing is cut off
    body = net.layers[1:-3]
    x = torch.ones(1, len(MODERN), 140, requires_grad=True)
    body(x)[0, :, 70].sum().backward()
    assert x.grad is not None
    seen = x.grad.abs().sum(dim=(0, 1)).nonzero()[:, 0]
    assert (seen.max() - seen.min() + 1) == 67


def test_aligned_tdnn_starts_as_the_features_moment_by_moment() -> None:
    net = built(AlignedTDNN(), points=64)
    batch = trajectories(3, 64)
    assert net.dim == 640
    assert sum(weights.numel() for weights in net.parameters()) == 510
    expected = PenFeatures(MODERN)(batch).transpose(1, 2).reshape(3, -1)
    torch.testing.assert_close(net(batch), expected)


def test_aligned_tdnn_is_its_formula() -> None:
    net = built(AlignedTDNN(3, channels=BROMLEY), points=30)
    (conv,) = of_type(net, nn.Conv1d)
    weight = next(p for name, p in net.named_parameters() if name.endswith("1.weight"))
    nn.init.uniform_(conv.weight, -1, 1)
    nn.init.uniform_(weight, -1, 1)
    batch = trajectories(2, 30)
    for item, found in zip(batch, net(batch), strict=True):
        x = features(net, item)
        out = x * numbers(weight) + slow_conv(x, conv, padding=1)
        np.testing.assert_allclose(numbers(found), out.T.reshape(-1), rtol=1e-3, atol=1e-4)


def test_whole_channels_are_left_out_in_training_alone() -> None:
    layer = WholeChannels(0.4)
    x = torch.randn(5, 400, 7)
    found = layer.train()(x)
    kept = (found != 0).all(dim=2)
    assert (kept | (found == 0).all(dim=2)).all()
    assert (kept == kept[0]).all()  # of all items alike
    assert kept[0].float().mean() == pytest.approx(0.6, abs=0.1)
    torch.testing.assert_close(found[:, kept[0]], x[:, kept[0]] / 0.6)
    assert torch.equal(layer.eval()(x), x)
    built_one = built(AlignedTDNN(dropout=0.5), 32).train()
    assert of_type(built_one, WholeChannels)


@each_network
def test_gradients_by_finite_differences(make: Any) -> None:
    net = built(make(), 80).double()
    batch = trajectories(2, 80).double()
    weights = list(net.parameters())

    def loss() -> Tensor:
        return (net(batch) * torch.linspace(-1, 1, net.dim, dtype=torch.float64)).sum()

    found = torch.autograd.grad(loss(), weights)
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for weight, gradient in zip(weights, found, strict=True):
            for at in rng.integers(0, weight.numel(), 3).tolist():
                flat, sides = weight.view(-1), []
                for shift in (1e-6, -2e-6):
                    flat[at] += shift
                    sides.append(loss().item())
                flat[at] += 1e-6
                slope = (sides[0] - sides[1]) / 2e-6
                assert gradient.reshape(-1)[at].item() == pytest.approx(slope, rel=1e-4, abs=1e-6)


@each_network
def test_a_saved_model_comes_back(make: Any, tmp_path: Path) -> None:
    encoder = make()
    metric = metrics.DTW(10) if isinstance(encoder, AlignedTDNN) else metrics.Cosine()
    model = gemel.Siamese(inputs.Pens(96), encoder, metric)
    pens = [np.random.default_rng(seed).normal(size=(30, 3)).cumsum(0) for seed in range(3)]
    for pen in pens:
        pen[:, 2] = np.arange(30) * 10
    model.save(tmp_path / "pens.gemel")
    again = gemel.load(tmp_path / "pens.gemel")
    assert again.fingerprint == model.fingerprint
    assert torch.equal(again.embed(pens), model.embed(pens))
    assert again.compare(pens[0], pens[1]).distance == model.compare(pens[0], pens[1]).distance
    assert model.compare(pens[0], pens[0]).distance == pytest.approx(0, abs=1e-6)
    made = parts.ENCODERS[type(encoder).__name__](**json.loads(json.dumps(encoder.settings())))
    assert made.settings() == encoder.settings()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TDNN([]), "`stages` must be whole numbers"),
        (lambda: TDNN([[12, 11, 3]]), r"`stages` must be \(maps, width, stride, mean\)"),
        (lambda: TDNN([[12, 11, 0, 1]]), "`stages` must be whole numbers"),
        (lambda: TDNN(channels=["ink"]), "`channels` must be some of"),
        (lambda: DilatedTDNN(0), "`width` must be whole numbers"),
        (lambda: DilatedTDNN(dilations=[]), "`dilations` must be whole numbers"),
        (lambda: DilatedTDNN(dropout=1), "`dropout` must be from 0 to below 1; got 1"),
        (lambda: AlignedTDNN(4), "`width` must be odd"),
        (lambda: AlignedTDNN(0), "`width` must be whole numbers"),
        (lambda: AlignedTDNN(dropout=-0.1), "`dropout` must be from 0 to below 1"),
        (lambda: TDNN().build((5, 37)), "leaves nothing of 37 points"),
        (lambda: TDNN().build((1, 28, 28)), r"TDNN takes trajectories of shape \(5, points\)"),
        (lambda: DilatedTDNN().build((4, 40)), "DilatedTDNN takes trajectories"),
        (lambda: AlignedTDNN().build((40,)), "AlignedTDNN takes trajectories"),
    ],
)
def test_settings_out_of_range_are_refused(make: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make()


def test_the_shortest_trajectory_that_the_paper_s_network_takes() -> None:
    assert built(TDNN(), 38).dim == 16
    assert encoders.TDNN is TDNN
