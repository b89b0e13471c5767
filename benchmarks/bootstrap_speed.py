"""Seconds of bootstrapping AUC, EER and rates of judged pairs over identities.

The reference judges each draw afresh: it weighs every pair, adds the weights up along the sorted
distances, and reads the figures off. It does the same for fewer draws, in the same run, in turns.
"""

import argparse
import statistics
import time

import numpy as np
from numpy.typing import NDArray

from gemel.evaluation.cells import IdentityCells, cells_of, over_draws
from gemel.evaluation.curves import SortedPairs
from gemel.evaluation.readings import EqualErrorRate, FalseAcceptRate, Reading, TrueAcceptRate
from gemel.evaluation.weighing import WeighedPairs

READINGS: list[Reading] = [EqualErrorRate(), FalseAcceptRate(0.95), TrueAcceptRate(0.01)]


def draw_pairs(identities: int, count: int, seed: int) -> tuple[SortedPairs, IdentityCells]:
    """As many same as different pairs, among all identities."""
    generator = np.random.default_rng(seed)
    left = generator.integers(0, identities, count)
    same = generator.random(count) < 0.5
    other = (left + generator.integers(1, identities, count)) % identities
    cells = cells_of(left, np.where(same, left, other), same)
    assert isinstance(cells, IdentityCells)
    return SortedPairs.of(generator.normal(np.where(same, 0, 1.5)), same), cells


def ours(
    pairs: SortedPairs, cells: IdentityCells, readings: list[Reading], draws: int, seed: int
) -> NDArray[np.float64]:
    """All figures of all draws, setting up included."""
    weighed = WeighedPairs.of(pairs, cells)

    def measure(weights: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.column_stack([weighed.areas(weights), weighed.read(weights, readings)])

    return over_draws(cells, measure, draws=draws, seed=seed)


def reference(
    pairs: SortedPairs, cells: IdentityCells, readings: list[Reading], weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """One draw at a time, straight from the definition."""
    found = []
    for weight in weights:
        rates, areas = [], []
        for order, within in (
            (pairs.same_order, pairs.same_within),
            (pairs.different_order, pairs.different_within),
        ):
            each = weight[cells.cell[order]]
            running = np.append(0, np.cumsum(each))
            rates.append(running[within] / running[-1])
            areas.append((each, running))
        (_, same), (times, different) = areas
        won = (same[pairs.nearer] + same[pairs.as_near]) @ times
        row = [float(won) / (2 * float(same[-1]) * float(different[-1]))]
        both = np.stack(rates)
        for reading in readings:
            after = int(np.argmax(reading.passed(both)))
            row.append(float(reading.value(both[:, None, after - 1 : after + 1])[0]))
        found.append(row)
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identities", type=int, default=50)
    parser.add_argument("--pairs", type=int, default=500_000)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--reference-draws", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    pairs, cells = draw_pairs(words.identities, words.pairs, words.seed)
    few = np.concatenate(
        list(cells.draws(words.reference_draws, np.random.default_rng(words.seed)))
    )
    seconds, ratios = [], []
    for repeat in range(words.repeats):
        begun = time.perf_counter()
        found = ours(pairs, cells, READINGS, words.draws, words.seed)
        middle = time.perf_counter()
        slow = reference(pairs, cells, READINGS, few)
        per_draw = (time.perf_counter() - middle) / len(few)
        seconds.append(middle - begun)
        ratios.append(per_draw * words.draws / seconds[-1])
        apart = float(np.abs(found[: len(few)] - slow).max())
        print(
            f"repeat {repeat}: {seconds[-1]:.2f} s; reference {per_draw * words.draws:.1f} s "
            f"(from {len(few)} draws), {ratios[-1]:.1f} times as long; largest difference {apart:g}"
        )
    print(
        f"AUC, EER, FPR at 95 % TPR, TAR at FAR 0.01; {words.pairs:,} pairs, {words.identities} "
        f"identities, {words.draws:,} draws: median {statistics.median(seconds):.2f} s "
        f"(min {min(seconds):.2f}, max {max(seconds):.2f}); reference "
        f"{statistics.median(ratios):.1f} times as long (min {min(ratios):.1f}, max "
        f"{max(ratios):.1f}); {words.repeats} repeats, seed {words.seed}"
    )


if __name__ == "__main__":
    main()
