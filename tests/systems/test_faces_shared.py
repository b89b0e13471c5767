"""Draws of people, trials, claims and rates, each against a slow count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import DataError
from gemel.evaluation import equal_error_rate
from gemel.items import Items
from gemel.systems import _faces as shared


def people(count: int, pictures: int = 10, first: int = 1) -> Items:
    labels = np.repeat([f"s{n}" for n in range(first, first + count)], pictures)
    values = np.random.default_rng(0).integers(0, 256, (len(labels), 8, 6), dtype=np.uint8)
    return Items(values=values, labels=labels, name="faces")


@given(st.integers(0, 2**31), st.integers(1, 20))
def test_nobody_is_trained_on_and_tested(seed: int, count: int) -> None:
    faces = people(40, pictures=1)
    found = shared.draws(faces, count, seed)
    assert [draw.number for draw in found] == list(range(1, count + 1))
    for draw in found:
        assert len(draw.test.classes) == 5
        assert len(draw.train.classes) == 35
        assert not set(draw.train.classes) & set(draw.test.classes)
        assert not shared.CHOSEN_ON & set(draw.test.classes)
    tested = [person for draw in found[:6] for person in draw.test.classes]
    assert len(set(tested)) == len(tested)  # the first six draws share no test person


def test_draws_follow_their_seed() -> None:
    faces = people(40, pictures=1)
    one, two, other = (
        [draw.people for draw in shared.draws(faces, 10, seed)] for seed in (0, 0, 1)
    )
    assert one == two != other
    assert shared.draws(people(7, first=8), 1, 0)[0].people.count("s") == 5
    with pytest.raises(DataError, match=r"expected more than 6 people beside .*, got 6"):
        shared.draws(people(11), 1, 0)  # s3 to s7 do not count


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
    draw = shared.draws(faces, 1, 0)[0]
    left, _, same = shared.all_pairs(draw.test)
    hard = draw.test.classes[2]
    distance = np.where(same, 0.1, 1.0) + np.random.default_rng(0).random(len(same)) / 100
    distance[same & (draw.test.labels[left] == hard)] = 2.0
    judged = shared.Judged(distance, same, equal_error_rate(distance, same), (), (), 0, 1.0)
    shares = shared.refused_by_person([draw], [judged])
    assert next(iter(shares)) == hard
    assert sum(shares.values()) == pytest.approx(shares[hard])
    assert shared.hardest([draw], [judged], 1).endswith(f"{hard} {100 * shares[hard]:.0f} %.")


def test_flipped_pictures_are_other_people() -> None:
    faces = people(2, pictures=3)
    more = shared.more_people(faces)
    assert (len(more), len(more.classes)) == (24, 8)
    assert more.labels[[0, 6, 12, 18]].tolist() == [
        *("s1", "s1@mirrored", "s1@upside-down", "s1@turned")
    ]
    picture = faces.values[4]
    flips = (picture, np.fliplr(picture), np.flipud(picture), np.rot90(picture, 2))
    assert all(np.array_equal(more.values[4 + 6 * k], flip) for k, flip in enumerate(flips))
    assert more.origin(23) == "faces item 5@turned"


def test_chimeras_are_the_halves_of_two_people() -> None:
    generator = np.random.default_rng(0)
    tones = generator.permutation(np.arange(1, 61) * 4)  # a tone of its own for each picture
    values = np.broadcast_to(tones[:, None, None], (60, 100, 4)).astype(np.uint8)
    faces = Items(values=values, labels=np.repeat([f"s{n}" for n in range(6)], 10), name="faces")
    more = shared.more_people(faces, 30, seed=1)
    assert len(more) == 60 * 4 + 300
    assert len(more.classes) == 24 + 30
    of = dict(zip(tones.tolist(), faces.labels.tolist(), strict=True))
    halves = set()
    for number in range(30):
        mine = more.values[more.labels == f"chimera {number}"]
        assert len(mine) == 10
        top, bottom = mine[:, 0, 0].tolist(), mine[:, -1, 0].tolist()
        assert len(set(top)) == len(set(bottom)) == 10
        (above,), (below,) = {of[tone] for tone in top}, {of[tone] for tone in bottom}
        halves.add((above, below))
        seam = mine[:, 55].astype(float)
        assert np.abs(seam - (mine[:, 0].astype(float) + mine[:, -1]) / 2).max() <= 0.5
    assert len(halves) > 10
    again = shared.more_people(faces, 30, seed=1)
    assert np.array_equal(again.values, more.values)
    assert not np.array_equal(shared.more_people(faces, 30, seed=2).values, more.values)
