"""How many drawings a second the code draws: 28 x 28, alphabets never drawn before, whole calls."""

import argparse
import os
import statistics
import time

from gemel.data import drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--alphabets", type=int, default=20, help="of 25 symbols by 20 drawers")
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--seed", type=int, default=0, help="of the first run; each has its own")
    given = parser.parse_args()
    drawn(alphabets=1, size=given.size, seed=given.seed)  # loads what is loaded once
    rates = []
    for run in range(given.runs):
        begun = time.perf_counter()
        count = len(drawn(alphabets=given.alphabets, size=given.size, seed=given.seed + run))
        rates.append(count / (time.perf_counter() - begun))
    print(
        f"drawn {given.size} x {given.size}: median {statistics.median(rates):,.0f} drawings a "
        f"second (min {min(rates):,.0f}, max {max(rates):,.0f}; {given.runs} runs of {count:,} "
        f"drawings, seeds {given.seed} to {given.seed + given.runs - 1}, "
        f"one thread, {os.cpu_count()} cores)"
    )


if __name__ == "__main__":
    main()
