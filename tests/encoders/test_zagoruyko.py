"""The networks of the patch comparers: weights, streams and pyramids against slow counts."""

import pytest
import torch
from torch import nn

from gemel import Siamese, inputs, metrics
from gemel.encoders import Joint, L2Net, Sides, Zagoruyko
from gemel.encoders.zagoruyko import Centred, CentreSurround, Pyramid, views
from gemel.errors import SettingsError

PATCH = (1, 64, 64)


def weights(module: nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())


def twin(encoder: nn.Module, width: int) -> Siamese:
    return Siamese(inputs.Images(64), encoder, metrics.Decision((width,)))


def test_the_paper_s_numbers_of_weights() -> None:
    """Counted by hand from the table of layers in the paper's section 4."""
    deep, stream = Zagoruyko.DEEP, Zagoruyko.STREAM
    joints = {
        979_169: Zagoruyko(hidden=(256, 1)),
        1_083_073: Zagoruyko(deep, (1,), ceil=True),
        2_353_153: Zagoruyko(stream, (768, 1), streams=True),
    }
    for count, network in joints.items():
        assert weights(Siamese(inputs.Images(64), Joint(network))) == count
    siam = twin(Zagoruyko(), 512)
    assert (weights(siam.encoder), weights(siam.metric)) == (908_416, 263_169)
    assert siam.dim == 256
    pseudo = twin(Sides(Zagoruyko(), Zagoruyko()), 512)
    assert (weights(pseudo.encoder), weights(pseudo.metric)) == (2 * 908_416, 263_169)
    both = twin(Zagoruyko(Zagoruyko.TWIN_STREAM, streams=True, bounded=False), 1024)
    assert (weights(both.encoder), weights(both.metric)) == (2_400_832, 1_050_625)
    hard = L2Net()
    hard.build((1, 32, 32))
    assert weights(hard) == 1_334_560


def test_the_layers_in_their_order() -> None:
    encoder = Zagoruyko()
    encoder.build(PATCH)
    assert [type(one).__name__ for one in encoder.layers[1]] == [
        *("Conv2d", "ReLU", "MaxPool2d") * 2,
        *("Conv2d", "ReLU", "Flatten"),
    ]
    deep = Joint(Zagoruyko(Zagoruyko.DEEP, (1,), ceil=True))
    deep.build(PATCH)
    sides = []
    x = torch.zeros(1, 2, 64, 64)
    for layer in deep.network.layers[1]:
        x = layer(x)
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            sides.append(x.shape[2])
    assert sides == [21, 19, 17, 15, 8, 6, 4, 2]


def test_each_patch_loses_its_own_mean() -> None:
    pair = torch.rand(2, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    out = Centred()(pair)
    for item in range(2):
        for channel in range(2):
            values = pair[item, channel].flatten().tolist()
            mean = sum(values) / len(values)
            expected = torch.tensor([value - mean for value in values])
            torch.testing.assert_close(out[item, channel].flatten(), expected)
    encoder = Zagoruyko()
    torch.manual_seed(0)
    encoder.build(PATCH)
    patch = torch.rand(1, *PATCH)
    torch.testing.assert_close(encoder(patch), encoder(patch + 0.25), atol=1e-4, rtol=1e-4)


def test_centre_and_surround() -> None:
    patch = torch.arange(64.0).reshape(1, 1, 8, 8)
    centre, surround = views(patch)
    assert centre[0, 0].tolist() == patch[0, 0, 2:6, 2:6].tolist()
    for row in range(4):
        for column in range(4):
            block = patch[0, 0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            assert surround[0, 0, row, column] == block.mean()
    both = CentreSurround(nn.Flatten(), nn.Flatten())(patch)
    assert both.tolist() == [[*centre.flatten().tolist(), *surround.flatten().tolist()]]
    encoder = Zagoruyko(Zagoruyko.TWIN_STREAM, streams=True)
    encoder.build(PATCH)
    streams = encoder.layers[1]
    assert not torch.equal(streams.centre[0].weight, streams.surround[0].weight)


def test_a_pyramid_is_the_maxima_of_parts() -> None:
    maps = torch.rand(2, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    out = Pyramid((1, 2))(maps)
    for item in range(2):
        slow = [maps[item, channel].max() for channel in range(3)]
        for channel in range(3):
            for rows in (slice(0, 3), slice(3, 6)):
                slow += [maps[item, channel, rows, c].max() for c in (slice(0, 4), slice(4, 8))]
        assert out[item].tolist() == [float(one) for one in slow]


def test_with_a_pyramid_patches_of_any_size_have_embeddings_of_one_length() -> None:
    layers = ((4, 7, 3, 2), (6, 5, 1, 1))
    encoder = Zagoruyko(layers, (10,), pyramid=(1, 2, 4))
    small = Siamese(inputs.Images(64), encoder, metrics.Decision((8,)))
    large = Siamese(inputs.Images((96, 80)), encoder, small.metric)  # the same weights
    patch = torch.rand(1, 1, 96, 80)
    assert large.encoder(patch).shape == small.encoder(torch.rand(1, 1, 64, 64)).shape == (1, 10)
    assert large.encoder is encoder
    with pytest.raises(SettingsError, match="leaves nothing of patches of 12 x 12"):
        encoder(torch.rand(1, 1, 12, 12))
    with pytest.raises(SettingsError, match=r"built for items of shape \(1, 64, 64\)"):
        encoder(torch.rand(1, 3, 64, 64))
    plain = Zagoruyko(layers)
    plain.build(PATCH)
    with pytest.raises(SettingsError, match="built for items of shape"):
        plain(patch)


def test_made_again_by_their_settings() -> None:
    for made in (
        Zagoruyko(Zagoruyko.DEEP, (5, 1), ceil=True, standardise=True),
        Zagoruyko(((8, 5, 2, 2),), streams=True, bounded=False, unit_length=True),
        Zagoruyko(((8, 5, 2, 2),), (7,), pyramid=(1, 2)),
        L2Net(8, 16, stem_stride=2, dropout=0.2),
    ):
        again = type(made)(**made.settings())
        for encoder in (made, again):
            torch.manual_seed(3)
            encoder.build(PATCH)
        made.eval(), again.eval()
        patches = torch.rand(3, *PATCH)
        torch.testing.assert_close(made(patches), again(patches), rtol=0, atol=0)
        if made.unit_length:
            torch.testing.assert_close(made(patches).norm(dim=1), torch.ones(3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": ()}, "`layers` must be"),
        ({"layers": ((8, 3, 1),)}, "`layers` must be"),
        ({"layers": ((8, 0, 1, 1),)}, "`layers` must be whole numbers"),
        ({"hidden": (0,)}, "`hidden` must be whole numbers"),
        ({"pyramid": (1, 0)}, "`pyramid` must be whole numbers"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Zagoruyko(**settings)


def test_patches_that_are_too_small() -> None:
    with pytest.raises(SettingsError, match="leaves nothing of patches of 30 x 30"):
        Zagoruyko().build((1, 30, 30))
    with pytest.raises(SettingsError, match="8 x 8 pixels or more"):
        L2Net().build((1, 6, 6))
    with pytest.raises(SettingsError, match="`dropout` must be from 0 to below 1"):
        L2Net(dropout=1.0)
    with pytest.raises(SettingsError, match="`stem_stride` must be"):
        L2Net(stem_stride=0)
