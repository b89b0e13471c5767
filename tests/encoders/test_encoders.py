"""Encoders against their formulas written out slowly, their sizes, and their independence."""

import json
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gemel import parts
from gemel.encoders import Conv, Dense, Koch, LeNet, Residual
from gemel.errors import SettingsError

SMALL = [
    (Conv(width=8, dim=6), (1, 28, 28)),
    (Conv(width=(4, 6, 8), dim=5), (3, 17, 9)),
    (Residual(width=4, blocks=(1, 2), dim=6), (3, 12, 9)),
    (Residual(width=4, blocks=(1, 1), dim=6, stem_stride=2), (1, 16, 16)),
    (Koch(dim=12, filters=((3, 5), (4, 4), (5, 3))), (1, 35, 35)),
    (Dense(widths=(16, 8), dim=7), (10,)),
    (Dense(widths=(), dim=7), (1, 4, 5)),
]


def built(encoder: nn.Module, shape: tuple[int, ...], seed: int = 0) -> nn.Module:
    """A fresh encoder with the same settings, built from the seed, its norms away from 0 and 1."""
    fresh = type(encoder)(**json.loads(json.dumps(encoder.settings())))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh.build(shape)
        for layer in fresh.modules():
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias)
                layer.running_mean.normal_(0, 0.3)
                layer.running_var.uniform_(0.5, 2)
    return fresh


def pictures(count: int, shape: tuple[int, ...], seed: int = 1) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


def slow_conv(x: np.ndarray, weight: np.ndarray, pad: int, stride: int = 1) -> np.ndarray:
    """Cross-correlation of one picture [C, H, W], pixel by pixel."""
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    maps, _, side, _ = weight.shape
    height, width = ((n - side) // stride + 1 for n in x.shape[1:])
    out = np.zeros((maps, height, width))
    for m, i, j in product(range(maps), range(height), range(width)):
        window = x[:, i * stride : i * stride + side, j * stride : j * stride + side]
        out[m, i, j] = (window * weight[m]).sum()
    return out


def slow_norm(x: np.ndarray, norm: nn.BatchNorm2d) -> np.ndarray:
    out = np.zeros_like(x)
    for m in range(len(x)):
        mean, var = norm.running_mean[m].item(), norm.running_var[m].item()
        scaled = (x[m] - mean) / np.sqrt(var + norm.eps)
        out[m] = scaled * norm.weight[m].item() + norm.bias[m].item()
    return out


def slow_pool(x: np.ndarray) -> np.ndarray:
    """The largest of each 2 x 2; a side of 1 pixel stays."""
    step_i, step_j = (1 if n == 1 else 2 for n in x.shape[1:])
    out = np.zeros((x.shape[0], x.shape[1] // step_i, x.shape[2] // step_j))
    for m, i, j in np.ndindex(out.shape):
        out[m, i, j] = x[m, i * step_i : (i + 1) * step_i, j * step_j : (j + 1) * step_j].max()
    return out


def slow_means(x: np.ndarray) -> np.ndarray:
    """The mean of each 2 x 2; windows at the end hold what there is."""
    out = np.zeros((x.shape[0], (x.shape[1] + 1) // 2, (x.shape[2] + 1) // 2))
    for m, i, j in np.ndindex(out.shape):
        out[m, i, j] = x[m, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean()
    return out


def numbers(parameter: Tensor) -> np.ndarray:
    return parameter.detach().double().numpy()


def test_conv_is_its_formula() -> None:
    shape = (2, 9, 5)
    net = built(Conv(width=(3, 4, 2), dim=5), shape).eval()
    x = pictures(2, shape)
    for picture, embedding in zip(numbers(x), net(x), strict=True):
        maps = picture
        for block in list(net.layers)[:3]:
            maps = slow_pool(slow_conv(maps, numbers(block.conv.weight), pad=1))
            maps = np.maximum(slow_norm(maps, block.norm), 0)
        assert maps.shape == (2, 1, 1)
        linear = net.layers[-1]
        expected = numbers(linear.weight) @ maps.reshape(-1) + numbers(linear.bias)
        np.testing.assert_allclose(numbers(embedding), expected, rtol=1e-4, atol=1e-5)


def test_residual_is_its_formula() -> None:
    shape = (2, 6, 5)
    net = built(Residual(width=3, blocks=(1, 1), dim=4), shape).eval()
    x = pictures(2, shape)
    stem, norm, _, same, halving = list(net.layers)[:5]
    for picture, embedding in zip(numbers(x), net(x), strict=True):
        maps = np.maximum(slow_norm(slow_conv(picture, numbers(stem.weight), 1), norm), 0)
        for block, stride in ((same, 1), (halving, 2)):
            inner = slow_conv(maps, numbers(block.conv1.weight), 1, stride)
            inner = np.maximum(slow_norm(inner, block.norm1), 0)
            inner = slow_norm(slow_conv(inner, numbers(block.conv2.weight), 1), block.norm2)
            if stride == 2:
                _, conv, shortcut_norm = block.shortcut
                maps = slow_norm(
                    slow_conv(slow_means(maps), numbers(conv.weight), 0), shortcut_norm
                )
            maps = np.maximum(inner + maps, 0)
        assert maps.shape == (6, 3, 3)
        linear = net.layers[-1]
        expected = numbers(linear.weight) @ maps.mean((1, 2)) + numbers(linear.bias)
        np.testing.assert_allclose(numbers(embedding), expected, rtol=1e-4, atol=1e-5)


def test_koch_is_its_formula() -> None:
    shape = (1, 14, 17)
    net = built(Koch(dim=6, filters=((3, 4), (2, 3))), shape).eval()
    x = pictures(2, shape)
    convs = [layer for layer in net.layers if isinstance(layer, nn.Conv2d)]
    linear = next(layer for layer in net.layers if isinstance(layer, nn.Linear))
    for picture, embedding in zip(numbers(x), net(x), strict=True):
        maps = picture
        for place, conv in enumerate(convs):
            maps = slow_conv(maps, numbers(conv.weight), 0) + numbers(conv.bias)[:, None, None]
            maps = np.maximum(maps, 0)
            maps = slow_pool(maps) if place == 0 else maps
        logits = numbers(linear.weight) @ maps.reshape(-1) + numbers(linear.bias)
        np.testing.assert_allclose(numbers(embedding), 1 / (1 + np.exp(-logits)), rtol=1e-4)


def test_dense_is_its_formula() -> None:
    net = built(Dense(widths=(6,), dim=3), (2, 4)).eval()
    x = pictures(3, (2, 4))
    first, second = net.layers[1], net.layers[3]
    hidden = np.maximum(numbers(x).reshape(3, 8) @ numbers(first.weight).T + numbers(first.bias), 0)
    expected = hidden @ numbers(second.weight).T + numbers(second.bias)
    np.testing.assert_allclose(numbers(net(x)), expected, rtol=1e-4, atol=1e-6)


def test_koch_has_the_papers_weights() -> None:
    net = Koch()
    with torch.device("meta"):
        net.build((1, 105, 105))
    assert sum(p.numel() for p in net.parameters()) == 38_947_648
    assert 38_947_648 + 4_097 == 38_951_745
    counts = [
        sum(p.numel() for p in layer.parameters())
        for layer in net.layers
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    assert counts == [6_464, 401_536, 262_272, 524_544, 37_752_832]


def test_koch_draws_its_weights_as_the_paper() -> None:
    net = built(Koch(dim=64, filters=Koch.REDUCED, paper_weights=True), (1, 35, 35))
    linear = net.layers[-2]
    assert abs(linear.weight.std().item() - 0.2) < 0.002
    convs = [layer for layer in net.layers if isinstance(layer, nn.Conv2d)]
    for conv in convs:
        assert abs(conv.weight.std().item() - 0.01) < 0.001
    biases = torch.cat([layer.bias for layer in [*convs, linear]])
    assert abs(biases.mean().item() - 0.5) < 0.002
    assert abs(biases.std().item() - 0.01) < 0.002
    values = net(pictures(4, (1, 35, 35)))
    assert values.min() >= 0
    assert values.max() <= 1


@pytest.mark.parametrize("filters", [Koch.PAPER, Koch.REDUCED, ((4, 3),)])
def test_koch_names_its_smallest_picture(filters: tuple[tuple[int, int], ...]) -> None:
    net = Koch(dim=4, filters=filters)
    side = {Koch.PAPER: 65, Koch.REDUCED: 22}.get(filters, 3)
    assert net.smallest == side
    with pytest.raises(SettingsError, match=rf"{side} x {side} or more; got {side} x {side - 1}"):
        net.build((1, side, side - 1))
    with torch.device("meta"):
        net.build((1, side, side))
        assert net.layers(torch.empty(2, 1, side, side)).shape == (2, 4)


@pytest.mark.parametrize(("encoder", "shape"), SMALL)
def test_an_embedding_is_alone_what_it_is_in_company(
    encoder: nn.Module, shape: tuple[int, ...]
) -> None:
    net = built(encoder, shape).eval()
    with torch.no_grad():
        x = pictures(16, shape)
        together = net(x)
        assert together.shape == (16, net.dim)
        # Kernels choose their order of summing by the size of a batch, so bits are equal only
        # among batches of one size, wherever an item stands in them and whatever is beside it.
        order = torch.randperm(16, generator=torch.Generator().manual_seed(2))
        assert torch.equal(net(x[order]), together[order])
        for item in range(16):
            alone = torch.zeros_like(x)
            alone[(item * 5) % 16] = x[item]
            assert torch.equal(net(alone)[(item * 5) % 16], together[item])
            torch.testing.assert_close(net(x[item : item + 1])[0], together[item])


@pytest.mark.parametrize(("encoder", "shape"), SMALL)
def test_weights_come_from_the_seed_and_all_learn(
    encoder: nn.Module, shape: tuple[int, ...]
) -> None:
    net, again, other = (built(encoder, shape, seed) for seed in (3, 3, 4))
    for a, b in zip(net.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert any(
        not torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True)
    )
    net(pictures(8, shape)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name
    assert net.settings() == encoder.settings()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 1), (3, 1, 7), (1, 3, 40)])
@pytest.mark.parametrize("encoder", [Conv(width=2, dim=3), Residual(width=2, dim=3)])
def test_tiny_pictures_are_enough(encoder: nn.Module, shape: tuple[int, ...]) -> None:
    net = built(encoder, shape).eval()
    assert net(pictures(2, shape)).shape == (2, 3)


def test_a_residual_block_starts_as_its_shortcut() -> None:
    net = Residual(width=4, blocks=(2,), dim=3)
    net.build((1, 8, 8))
    stem = net.layers[:3].eval()(pictures(2, (1, 8, 8)))
    torch.testing.assert_close(net.layers[:5].eval()(pictures(2, (1, 8, 8))), stem)


def test_convolutions_are_channels_last() -> None:
    for encoder, shape in SMALL[:5]:
        for layer in built(encoder, shape).modules():
            if isinstance(layer, nn.Conv2d) and layer.weight.shape[1] > 1:
                assert layer.weight.is_contiguous(memory_format=torch.channels_last)


def test_width_of_one_number_means_four_blocks() -> None:
    net = built(Conv(), (1, 28, 28))
    assert net.settings() == {"width": [64, 64, 64, 64], "dim": 128, "unit_length": False}
    assert sum(p.numel() for p in net.parameters()) == 64 * 9 + 3 * 64 * 64 * 9 + 4 * 128 + 65 * 128


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Conv(width=0), r"`width` must be whole numbers of 1 or more; got \[0, 0, 0, 0\]"),
        (lambda: Conv(width=()), "`width`"),
        (lambda: Conv(dim=0), "`dim`"),
        (lambda: Residual(width=-1), "`width`"),
        (lambda: Residual(blocks=()), "`blocks`"),
        (lambda: Residual(stem_stride=0), "`stem_stride`"),
        (lambda: Koch(dim=0), "`dim`"),
        (lambda: Koch(filters=()), "`filters`"),
        (lambda: Koch(filters=((64, 10, 3),)), r"`filters` must be \(maps, side\)"),
        (lambda: Dense(widths=(0,)), "`widths`"),
        (lambda: Dense(dim=True), "`dim`"),
        (lambda: Conv().build((28, 28)), r"Conv takes pictures .* got \(28, 28\)"),
        (lambda: Residual().build((1, 0, 28)), "Residual takes pictures"),
        (lambda: Koch().build((1, 28, 28)), "needs pictures of 65 x 65 or more; got 28 x 28"),
        (lambda: Dense().build(()), "Dense takes items"),
        (lambda: Dense().build((3, 0)), "Dense takes items"),
        (lambda: Conv()(torch.zeros(1, 1, 28, 28)), "Conv has no layers yet: call build"),
        (lambda: built(Conv(), (1, 8, 8))(torch.zeros(2, 1, 8, 9)), r"built for .*\(1, 8, 8\)"),
    ],
)
def test_what_cannot_be_is_refused_in_words(make: object, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        make()


@pytest.mark.parametrize(
    "net",
    [
        Conv((4,), 9, balanced=True),
        Dense((8,), 9, balanced=True),
        Koch(9, filters=((4, 3),), balanced=True),
        LeNet(9, stages=[[2, 3, 1, 1]], balanced=True),
        Residual(4, (1,), dim=9, balanced=True),
    ],
)
def test_balanced_numbers_have_mean_0_and_variance_1(net: nn.Module) -> None:
    torch.manual_seed(0)
    net.build((1, 12, 12))  # type: ignore[operator]
    batch = torch.rand(64, 1, 12, 12)
    net.train()
    out = net(batch)
    raw = net.layers[:-1](batch)  # type: ignore[index]
    wanted = (raw - raw.mean(0)) / (raw.var(0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(out, wanted, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(out.mean(0), torch.zeros(9), atol=1e-4, rtol=0)
    for _ in range(200):
        net(batch)
    net.eval()
    torch.testing.assert_close(net(batch[:1]), net(batch)[:1])  # whatever else is in the batch
    assert net.settings()["balanced"] is True  # type: ignore[operator]
    again = parts.restore(parts.describe(net, parts.ENCODERS), parts.ENCODERS, "encoder")
    assert again.balanced
