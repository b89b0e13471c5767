"""Broken pictures and bodies against the real service, on this machine.

    python benchmarks/fuzz_service.py                     # 10,000, half a minute or a few
    python benchmarks/fuzz_service.py --count 1000000 --minutes 60 --seed 7

PASS: every answer is a success or says what is wrong with the request (503 too, if busy), none
tells a path or a traceback, and the service has logged no defect and lives.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "serving"))

from fuzzing import Sent, bombs, polyglots, requests, strangers
from service import Service, form, picture, running
from test_attacks import LEAKS


def all_sent(seed: int) -> Iterator[Sent]:
    """The files with a name first, then endless random ones."""
    for data in (bombs() | strangers() | polyglots()).values():
        for path, more in (("identify", []), ("enrol", [("identity", "file")])):
            body, kind = form([("item", data), *more])
            yield Sent("POST", f"/v1/{path}", body, kind)
    yield from requests(seed)


def ask_all(
    service: Service, count: int, seed: int, until: float
) -> tuple[Counter[str], list[str], float]:
    """What was answered, by path and status; what was wrong; the slowest answer's seconds."""
    found: Counter[str] = Counter()
    wrong: list[str] = []
    slowest = 0.0
    line = service.connection()
    for place, sent in enumerate(islice(all_sent(seed), count)):
        begun = time.monotonic()
        if begun > until:
            break
        headers = {"Content-Type": sent.type}
        answer = service.ask(sent.method, sent.path, body=sent.body, headers=headers, on=line)
        slowest = max(slowest, time.monotonic() - begun)
        found[f"{answer.status}"] += 1
        if answer.status >= 500 and answer.status != 503:
            wrong.append(f"request {place}: {answer.status} {answer.body[:200]!r}")
        if answer.status >= 400 and LEAKS.search(answer.body):
            wrong.append(f"request {place}: it tells too much: {answer.body[:200]!r}")
    line.close()
    return found, wrong, slowest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=20.0, help="the longest it may take")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), rate=1e9) as service:
        assert service.enrol("ada", picture(1)).status == 201
        first = service.memory()
        begun = time.monotonic()
        found, wrong, slowest = ask_all(
            service, given.count, given.seed, begun + 60 * given.minutes
        )
        seconds = time.monotonic() - begun
        if service.ask("GET", "/ready").status != 200:
            wrong.append("it is not ready at the end")
        wrong += service.defects()
        print(f"{sum(found.values()):,} requests in {seconds:.0f} s, seed {given.seed}")
        for status, count in sorted(found.items()):
            print(f"  {status}: {count:,}")
        print(f"slowest answer: {slowest:.2f} s")
        print(f"memory: {first:,} kB at first, {service.peak_memory():,} kB at its peak (VmHWM)")
    for one in wrong[:20]:
        print(one)
    print("FAIL" if wrong else "PASS: no 5xx but 503, no path told, no defect logged")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
