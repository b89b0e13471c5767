"""`LeNet` against its layers written out slowly; the sizes of the two published networks."""

import json
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gemel
from gemel import encoders, inputs, metrics, parts
from gemel.encoders import LeNet
from gemel.encoders.lenet import AMPLITUDE, SLOPE, Stages
from gemel.errors import SettingsError

TINY: Stages = ((3, 3, 2, 3), (4, 2, 1, 1))


def built(encoder: LeNet, shape: tuple[int, ...], seed: int = 0) -> LeNet:
    """Layers from the seed, with gains and biases away from 1 and 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder.build(shape)
        for parameter in encoder.parameters():
            if parameter.ndim in (1, 3):
                nn.init.uniform_(parameter, -1, 1)
    return encoder


def pictures(count: int, shape: tuple[int, ...], seed: int = 1) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


def numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def slow_tanh(x: np.ndarray) -> np.ndarray:
    return 1.7159 * np.tanh(2 * x / 3)


def slow_conv(x: np.ndarray, conv: nn.Conv2d) -> np.ndarray:
    """Cross-correlation of [C, H, W] without padding, plus the bias, pixel by pixel."""
    weight, bias = numbers(conv.weight), numbers(conv.bias)
    maps, _, side, _ = weight.shape
    out = np.zeros((maps, x.shape[1] - side + 1, x.shape[2] - side + 1))
    for m, i, j in np.ndindex(out.shape):
        out[m, i, j] = (x[:, i : i + side, j : j + side] * weight[m]).sum() + bias[m]
    return out


def slow_subsample(x: np.ndarray, layer: nn.Module, patch: tuple[int, int]) -> np.ndarray:
    low, narrow = patch
    out = np.zeros((x.shape[0], x.shape[1] // low, x.shape[2] // narrow))
    for m, i, j in np.ndindex(out.shape):
        window = x[m, low * i : low * (i + 1), narrow * j : narrow * (j + 1)]
        out[m, i, j] = window.mean() * layer.gain[m].item() + layer.bias[m].item()
    return out


def slow_lenet(net: LeNet, picture: np.ndarray) -> np.ndarray:
    layers = [layer for layer in net.layers if any(True for _ in layer.parameters())]
    maps = picture
    for _, _, low, narrow in net.stages:
        maps = slow_tanh(slow_conv(maps, layers.pop(0)))
        if (low, narrow) != (1, 1):
            maps = slow_tanh(slow_subsample(maps, layers.pop(0), (low, narrow)))
    (linear,) = layers
    out = numbers(linear.weight) @ maps.reshape(-1) + numbers(linear.bias)
    out = slow_tanh(out) if net.bounded else out
    return out / np.sqrt((out**2).sum()) if net.unit_length else out


@pytest.mark.parametrize(("bounded", "unit_length"), [*product([False, True], repeat=2)])
@pytest.mark.parametrize("shape", [(1, 9, 14), (2, 10, 12)])
def test_it_is_its_formula(shape: tuple[int, ...], bounded: bool, unit_length: bool) -> None:
    net = built(LeNet(5, stages=TINY, bounded=bounded, unit_length=unit_length), shape)
    x = pictures(2, shape)
    expected = [slow_lenet(net, picture) for picture in numbers(x)]
    np.testing.assert_allclose(numbers(net(x)), expected, rtol=1e-4, atol=1e-5)


def test_the_published_networks_are_their_formula() -> None:
    for net, shape in [
        (LeNet(2, stages=LeNet.HADSELL), (1, 32, 32)),
        (LeNet(50, bounded=True), (1, 56, 46)),
    ]:
        x = pictures(1, shape)
        expected = slow_lenet(built(net, shape), numbers(x[0]))
        np.testing.assert_allclose(numbers(net(x))[0], expected, rtol=1e-3, atol=1e-4)


def test_the_published_networks_have_their_weights() -> None:
    chopra, hadsell = LeNet(50), LeNet(2, stages=LeNet.HADSELL)
    assert counts(chopra, (1, 56, 46)) == [
        15 * (7 * 7 + 1),
        15 * 2,
        45 * (15 * 6 * 6 + 1),  # every map sees all; the paper's C3 sees some of them
        45 * 2,
        250 * (45 * 5 * 5 + 1),
        50 * (250 + 1),
    ]
    assert sum(counts(chopra, (1, 56, 46))) == 319_265
    assert counts(hadsell, (1, 32, 32)) == [15 * 37, 15 * 2, 30 * (15 * 9 * 9 + 1), 2 * 31]
    assert sum(counts(hadsell, (1, 32, 32))) == 37_127


def counts(net: LeNet, shape: tuple[int, ...]) -> list[int]:
    with torch.device("meta"):
        net.build(shape)
    found = [sum(p.numel() for p in layer.parameters()) for layer in net.layers]
    return [count for count in found if count]


def test_the_maps_of_chopra_have_the_papers_sizes() -> None:
    net = built(LeNet(50), (1, 56, 46))
    x, sizes = pictures(2, (1, 56, 46)), []
    for layer in net.layers[:-2]:
        x = layer(x)
        if any(True for _ in layer.parameters()):
            sizes.append(tuple(x.shape[1:]))
    assert sizes == [(15, 50, 40), (15, 25, 20), (45, 20, 15), (45, 5, 5), (250, 1, 1)]


def test_first_weights_have_the_deviation_of_the_fan_in() -> None:
    net = LeNet(200, stages=((60, 5, 1, 1), (60, 4, 1, 1)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net.build((3, 10, 10))
    drawn = [layer for layer in net.layers if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer, fan_in in zip(drawn, (75, 960, 540), strict=True):
        assert layer.weight.std().item() == pytest.approx(fan_in**-0.5, rel=0.02)
        assert layer.weight.abs().max().item() <= math.sqrt(3 / fan_in)
        assert not layer.bias.any()
    again = built(LeNet(4, stages=TINY), (1, 9, 9), seed=3)
    assert torch.equal(
        again.layers[0].weight, built(LeNet(4, stages=TINY), (1, 9, 9), 3).layers[0].weight
    )


def test_every_weight_learns() -> None:
    net = built(LeNet(3, stages=TINY, bounded=True), (2, 9, 9))
    net(pictures(4, (2, 9, 9))).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_bounded_embeddings_stay_within_their_bounds() -> None:
    assert AMPLITUDE * math.tanh(SLOPE) == pytest.approx(1, abs=1e-4)
    net = built(LeNet(6, stages=TINY, bounded=True), (1, 9, 9))
    with torch.no_grad():
        for parameter in net.layers[-2].parameters():
            parameter.mul_(1e6)
        u, v = net(pictures(2, (1, 9, 9))), -net(pictures(2, (1, 9, 9)))
    assert u.abs().max().item() == pytest.approx(1.7159)
    assert metrics.Manhattan()(u, v).max().item() == pytest.approx(2 * 1.7159 * 6, rel=1e-6)


@pytest.mark.parametrize(
    "net",
    [
        LeNet(),
        LeNet(2, stages=LeNet.HADSELL),
        LeNet(7, stages=[[2, 3, 1, 2]], bounded=True, unit_length=True),
    ],
)
def test_settings_make_it_again(net: LeNet) -> None:
    saved = json.loads(json.dumps(parts.describe(net, parts.ENCODERS)))
    again = parts.restore(saved, parts.ENCODERS, "encoder")
    assert isinstance(again, LeNet)
    assert again.settings() == net.settings()
    assert again.stages == net.stages


def test_a_model_file_holds_it(tmp_path: Path) -> None:
    model = gemel.Siamese(
        inputs.Images((9, 12), channels=1),
        encoders.LeNet(3, stages=TINY, bounded=True),
        metrics.Manhattan(),
        seed=4,
    )
    model.save(tmp_path / "m.gemel")
    loaded = gemel.load(tmp_path / "m.gemel")
    assert loaded.fingerprint == model.fingerprint
    x = pictures(3, (1, 9, 12))
    assert torch.equal(loaded(x), model(x))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LeNet(0), "`dim` must be whole numbers"),
        (lambda: LeNet(stages=()), r"`stages` must be \(maps, side, patch height.*; got \[\]"),
        (lambda: LeNet(stages=((15, 7),)), r"`stages` must be \(maps, side, .*\[\(15, 7\)\]"),
        (lambda: LeNet(stages=((15, 7, 0, 1),)), "`stages` must be whole numbers of 1 or more"),
        (lambda: LeNet().build((56, 46)), "LeNet takes pictures of shape"),
        (lambda: LeNet().build((1, 28, 28)), r"nothing of pictures of shape \(1, 28, 28\): make"),
        (lambda: LeNet()(torch.zeros(1, 1, 56, 46)), "LeNet has no layers yet"),
        (lambda: built(LeNet(2, stages=TINY), (1, 9, 9))(torch.zeros(1, 1, 9, 8)), "built for"),
    ],
)
def test_what_cannot_be_is_refused_in_words(make: object, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        make()
