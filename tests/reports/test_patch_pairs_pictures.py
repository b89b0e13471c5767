"""Which pairs of patches are shown, and in what order."""

import numpy as np

from gemel.reports.patch_pairs import Scored


def scored(count: int = 40) -> Scored:
    generator = np.random.default_rng(0)
    values = generator.integers(0, 256, (2, count, 8, 8)).astype(np.uint8)
    distance = generator.permutation(count).astype(np.float32)
    return Scored(values[0], values[1], distance, generator.random(count) < 0.5)


def test_even_steps_of_the_order() -> None:
    part = scored().evenly(14)
    assert part.distance.tolist() == [0.0, 3.0, 6.0, 9.0, *range(12, 40, 3)]
    assert len(scored(5).evenly(14).same) == 5


def test_the_worst_of_each_kind() -> None:
    whole = scored()
    same, different = whole.worst(3, same=True), whole.worst(3, same=False)
    assert same.same.all()
    assert not different.same.any()
    assert same.distance.tolist() == sorted(whole.distance[whole.same].tolist())[:-4:-1]
    assert different.distance.tolist() == sorted(whole.distance[~whole.same].tolist())[:3]
    place = int(np.flatnonzero(whole.distance == different.distance[0])[0])
    np.testing.assert_array_equal(different.left[0], whole.left[place])
