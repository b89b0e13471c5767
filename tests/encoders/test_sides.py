"""Two encoders, and one network for two items: against the definitions."""

import pytest
import torch
from torch import nn

from gemel.encoders import Conv, Dense, Joint, Koch, Sides
from gemel.errors import SettingsError


def test_sides_embed_each_side_with_its_own_encoder() -> None:
    f, g = nn.Linear(3, 2), nn.Linear(4, 2)
    left, right = torch.rand(5, 3), torch.rand(7, 4)
    u, v = Sides(f, g)(left, right)
    assert torch.equal(u, f(left))
    assert torch.equal(v, g(right))


def linear(*weights: float) -> nn.Linear:
    layer = nn.Linear(len(weights), 1, bias=False)
    layer.load_state_dict({"weight": torch.tensor([weights])})
    return layer


def test_a_joint_distance_is_minus_the_logit_of_the_stacked_items() -> None:
    joint = Joint(linear(1.0, 2.0, 3.0, 5.0))
    left, right = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    in_order, turned = -(1.0 + 5.0), -(2.0 + 3.0)
    assert joint.train()(left, right).tolist() == [in_order]
    assert joint.eval()(left, right).tolist() == [(in_order + turned) / 2]


def test_a_joint_comparer_is_symmetric_to_the_bit_when_evaluating() -> None:
    torch.manual_seed(0)
    joint = Joint(Conv(width=(4, 8), dim=1))
    joint.build((1, 8, 8))
    joint.eval()
    a, b = torch.rand(6, 1, 8, 8), torch.rand(6, 1, 8, 8)
    assert torch.equal(joint(a, b), joint(b, a))
    assert not torch.equal(joint.train()(a, b), joint(b, a))


@pytest.mark.parametrize(
    ("network", "shape", "stacked"),
    [(Conv(width=4, dim=1), (3, 16, 16), (6, 16, 16)), (Dense(widths=(4,), dim=1), (5,), (10,))],
)
def test_a_network_is_built_for_two_items(
    network: Conv | Dense, shape: tuple[int, ...], stacked: tuple[int, ...]
) -> None:
    Joint(network).build(shape)
    assert network.shape == stacked


def test_a_network_of_the_users_own_needs_no_build() -> None:
    network = linear(1.0, -1.0)
    Joint(network).build((1,))
    assert network.weight.tolist() == [[1.0, -1.0]]


def test_what_gives_no_logit_is_refused() -> None:
    for network in (Conv(dim=1, unit_length=True), Koch(1)):
        with pytest.raises(SettingsError, match="needs a logit, any real number"):
            Joint(network)
    with pytest.raises(SettingsError, match=r"must give one number a pair, \(3, 1\); it gave"):
        Joint(nn.Linear(4, 2))(torch.rand(3, 2), torch.rand(3, 2))
