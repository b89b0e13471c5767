"""Trials, claims and rates, each against a slow count."""

import numpy as np
import pytest
from faces import people

from gemel.evaluation import equal_error_rate
from gemel.systems import _faces as shared
from gemel.systems._people import draws


def test_pairs_are_all_but_those_with_oneself() -> None:
    left, right, same = shared.all_pairs(people(5))
    assert (int(same.sum()), int((~same).sum())) == (225, 1000)
    assert (left < right).all()
    labels = people(5).labels
    assert same.tolist() == [labels[a] == labels[b] for a, b in zip(left, right, strict=True)]


def test_claims_keep_enrolled_pictures_from_asking() -> None:
    items = people(3, pictures=4)
    points = np.eye(12)  # an enrolled picture that asked would meet itself at once
    points[:, 0] += np.arange(12)
    distance, same = shared.claims(items, points, np.random.default_rng(0).normal(size=(50, 12)))
    assert len(distance) == len(same) == 3 * 2 * 3
    assert same.reshape(6, 3).tolist() == [
        [person == claimed for claimed in range(3)] for person in (0, 0, 1, 1, 2, 2)
    ]
    swapped = points.copy()
    swapped[[2, 3]] = points[[3, 2]]  # both of them probes of the first person
    again, _ = shared.claims(items, swapped, np.random.default_rng(0).normal(size=(50, 12)))
    assert np.allclose(again.reshape(6, 3)[[1, 0]], distance.reshape(6, 3)[:2])


def test_false_rejects_are_counted() -> None:
    generator = np.random.default_rng(3)
    distance = np.concatenate([generator.normal(0, 1, 60), generator.normal(1.5, 1, 200)])
    same = np.arange(260) < 60
    for found, rate in zip(shared.false_rejects(distance, same), (0.1, 0.075, 0.05), strict=True):
        allowed = [t for t in distance if (distance[~same] <= t).mean() <= rate]
        assert np.isclose(found, min((distance[same] > t).mean() for t in allowed))


def test_rank_one_enrols_each_picture_in_turn() -> None:
    identity = np.repeat([0, 1, 2], 2)
    matrix = np.random.default_rng(5).random((6, 6))
    right = []
    for k in (0, 1):
        enrolled = [k, 2 + k, 4 + k]
        for probe in sorted(set(range(6)) - set(enrolled)):
            row = [matrix[probe, one] for one in enrolled]
            right.append(row.index(min(row)) == identity[probe])
    assert shared.rank_one(matrix, identity) == np.mean(right)
    assert shared.rank_one(np.zeros((6, 6)), identity) == pytest.approx(1 / 3)  # ties are shared


def test_hard_people_come_first() -> None:
    faces = people(7, first=8)
    draw = draws(faces, 1, 0)[0]
    left, _, same = shared.all_pairs(draw.test)
    hard = draw.test.classes[2]
    distance = np.where(same, 0.1, 1.0) + np.random.default_rng(0).random(len(same)) / 100
    distance[same & (draw.test.labels[left] == hard)] = 2.0
    judged = shared.Judged(distance, same, equal_error_rate(distance, same), (), (), 0, 1.0)
    shares = shared.refused_by_person([draw], [judged])
    assert next(iter(shares)) == hard
    assert sum(shares.values()) == pytest.approx(shares[hard])
    assert shared.hardest([draw], [judged], 1).endswith(f"{hard} {100 * shares[hard]:.0f} %.")
