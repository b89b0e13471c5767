"""Draws of people, and people made of others."""

import numpy as np
import pytest
from faces import people
from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import DataError
from gemel.items import Items
from gemel.systems import _people


@given(st.integers(0, 2**31), st.integers(1, 20))
def test_nobody_is_trained_on_and_tested(seed: int, count: int) -> None:
    faces = people(40, pictures=1)
    found = _people.draws(faces, count, seed)
    assert [draw.number for draw in found] == list(range(1, count + 1))
    for draw in found:
        assert len(draw.test.classes) == 5
        assert len(draw.train.classes) == 35
        assert not set(draw.train.classes) & set(draw.test.classes)
        assert not _people.CHOSEN_ON & set(draw.test.classes)
    tested = [person for draw in found[:6] for person in draw.test.classes]
    assert len(set(tested)) == len(tested)  # the first six draws share no test person


def test_draws_follow_their_seed() -> None:
    faces = people(40, pictures=1)
    one, two, other = (
        [draw.people for draw in _people.draws(faces, 10, seed)] for seed in (0, 0, 1)
    )
    assert one == two != other
    assert _people.draws(people(7, first=8), 1, 0)[0].people.count("s") == 5
    with pytest.raises(DataError, match=r"expected more than 6 people beside .*, got 6"):
        _people.draws(people(11), 1, 0)  # s3 to s7 do not count


def test_flipped_pictures_are_other_people() -> None:
    faces = people(2, pictures=3)
    more = _people.more_people(faces)
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
    more = _people.more_people(faces, 30, seed=1)
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
    again = _people.more_people(faces, 30, seed=1)
    assert np.array_equal(again.values, more.values)
    assert not np.array_equal(_people.more_people(faces, 30, seed=2).values, more.values)
