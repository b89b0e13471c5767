"""The loss of whole enrolments, against a slow count, and its gradients."""

import math

import pytest
import torch

from gemel.errors import SettingsError
from gemel.losses import Enrolment, relative_log_distance
from gemel.metrics import WeightedL1


def slow(
    distance: list[float], same: list[bool], references: int, claims: int, power: float
) -> float:
    """-log of the probability of each claim; genuine ones and others weigh alike."""
    among = references * (references - 1) // 2
    each = among + references * claims
    kinds: dict[bool, list[float]] = {True: [], False: []}
    for start in range(0, len(distance), each):
        own = sum(math.log(d + 1e-6) for d in distance[start : start + among]) / among
        for claim in range(claims):
            first = start + among + claim * references
            to = sum(math.log(d + 1e-6) for d in distance[first : first + references])
            logit = 8 * (0.25 - (to / references - power * own))
            p = 1 / (1 + math.exp(-logit))
            kinds[same[first]].append(-math.log(p if same[first] else 1 - p))
    return sum(sum(values) / len(values) for values in kinds.values()) / 2


@pytest.mark.parametrize(("references", "power"), [(2, 0.0), (3, 0.5), (4, 1.0)])
def test_it_is_the_slow_count(references: int, power: float) -> None:
    among, claims = references * (references - 1) // 2, 3
    each = among + references * claims
    generator = torch.Generator().manual_seed(references)
    distance = 0.5 + torch.rand(2 * each, generator=generator, dtype=torch.float64)
    same = torch.zeros(2 * each, dtype=torch.bool)
    same.view(2, each)[:, : among + references] = True
    loss = Enrolment(references, claims, power=power).double()
    expected = slow(distance.tolist(), same.tolist(), references, claims, power)
    assert loss(distance, same).item() == pytest.approx(expected, rel=1e-6)


def test_gradients_by_finite_differences() -> None:
    loss = Enrolment(3, 2).double()
    distance = torch.linspace(0.4, 2.0, 18, dtype=torch.float64, requires_grad=True)
    same = (torch.arange(18) % 9) < 6
    assert torch.autograd.gradcheck(lambda d: loss(d, same), (distance,))
    loss(distance, same).backward()
    assert distance.grad is not None
    claims = distance.grad.view(2, 9)[:, 3:]
    assert (claims[:, :3] > 0).all()  # genuine claims are to come nearer
    assert (claims[:, 3:] < 0).all()
    step = 1e-6
    for weight in loss.parameters():
        with torch.no_grad():
            weight.add_(step)
            up = loss(distance, same).item()
            weight.sub_(2 * step)
            down = loss(distance, same).item()
            weight.add_(step)
        assert weight.grad is not None
        assert float(weight.grad) == pytest.approx((up - down) / (2 * step), rel=1e-4)


def test_with_a_power_of_one_the_unit_of_distance_does_not_matter() -> None:
    among, claims = torch.rand(2, 3) + 0.5, torch.rand(2, 4, 3) + 0.5
    one = relative_log_distance(among, claims, 1.0)
    assert torch.allclose(one, relative_log_distance(7 * among, 7 * claims, 1.0), atol=1e-5)
    zero = relative_log_distance(among, claims, 0.0)
    assert torch.allclose(zero + math.log(7), relative_log_distance(7 * among, 7 * claims, 0.0))


def test_what_is_refused() -> None:
    with pytest.raises(SettingsError, match="`references` must be 2 or more"):
        Enrolment(1)
    with pytest.raises(SettingsError, match="`power` from 0 to 1"):
        Enrolment(power=1.5)
    with pytest.raises(SettingsError, match="takes 34 pairs a subject; got a batch of 33"):
        Enrolment()(torch.rand(33), torch.ones(33, dtype=torch.bool))
    with pytest.raises(SettingsError, match="logits, which go below 0"):
        Enrolment().check_reach(math.inf, WeightedL1.least)
