import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gemel.encoders import LeNet
from gemel.encoders.lenet import Standardise


def test_each_picture_gets_mean_0_and_deviation_1() -> None:
    pictures = torch.rand(3, 1, 9, 7, generator=torch.Generator().manual_seed(0))
    found = Standardise()(pictures)
    for picture, mine in zip(pictures, found, strict=True):
        values = picture.flatten().tolist()
        mean = sum(values) / len(values)
        deviation = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
        assert mine.flatten().tolist() == pytest.approx(
            [(v - mean) / deviation for v in values], abs=1e-5
        )


@given(st.floats(0.3, 1.0), st.floats(0.0, 0.3))
def test_light_and_contrast_do_not_count(contrast: float, light: float) -> None:
    encoder = LeNet(4, standardise=True)
    torch.manual_seed(0)
    encoder.build((1, 56, 46))
    picture = torch.rand(1, 1, 56, 46, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(encoder(picture), encoder(contrast * picture + light), atol=1e-4)
        assert torch.isfinite(encoder(torch.zeros(1, 1, 56, 46))).all()  # of one tone


def test_it_is_asked_for() -> None:
    assert LeNet().settings()["standardise"] is False
    encoder = LeNet(**LeNet(standardise=True).settings())
    encoder.build((1, 56, 46))
    assert isinstance(encoder.layers[0], Standardise)
