"""Broken pictures, pen recordings and bodies against the real service, on this machine.

    python benchmarks/fuzz_service.py                     # 10,000, half a minute or a few
    python benchmarks/fuzz_service.py --count 1000000 --minutes 60 --seed 7
    python benchmarks/fuzz_service.py --kind pens         # against a model of pen recordings

PASS: every answer is a success or says what is wrong with the request (503 too, if busy), none
tells a path or a traceback, and the service has logged no defect and lives.
"""

import argparse
import base64
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "serving"))

from fuzzing import Sent, bombs, broken_recordings, polyglots, requests, strangers, wild_recordings
from pen_service import files_of, pens_model, signature
from service import Service, form, picture, pictures_model, running, saved_model
from test_attacks import LEAKS


def pictures_sent(seed: int) -> Iterator[Sent]:
    """The files with a name first, then endless random ones."""
    for data in (bombs() | strangers() | polyglots()).values():
        yield from forms_of(data)
    yield from requests(seed)


def pens_sent(seed: int) -> Iterator[Sent]:
    """The recordings with a name first, then endless broken ones."""
    for data in chain((wild_recordings() | strangers()).values(), broken_recordings(seed)):
        yield from forms_of(data)


def forms_of(data: bytes) -> Iterator[Sent]:
    """A file that is asked about, then enrolled."""
    for path, more in (("identify", []), ("enrol", [("identity", "file")])):
        body, kind = form([("item", data), *more])
        yield Sent("POST", f"/v1/{path}", body, kind)


KINDS = {
    "images": (pictures_model, picture(1), pictures_sent),
    "pens": (pens_model, files_of(signature(1))["inkml"], pens_sent),
}
"""Of each kind a model, an item, and what is sent."""


def ask_all(
    service: Service, broken: Iterator[Sent], until: float
) -> tuple[Counter[str], list[str], float]:
    """What was answered, by path and status; what was wrong; the slowest answer's seconds."""
    found: Counter[str] = Counter()
    wrong: list[str] = []
    slowest = 0.0
    line = service.connection()
    for place, sent in enumerate(broken):
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
    parser.add_argument("--kind", choices=KINDS, default="images", help="what the model takes")
    given = parser.parse_args()
    make_model, item, all_sent = KINDS[given.kind]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = saved_model(folder / "model.gemel", make_model())
        service = stack.enter_context(running(folder, model=model, rate=1e9))
        enrolled = {"identity": "ada", "item": {"file": base64.b64encode(item).decode()}}
        assert service.ask("POST", "/v1/enrol", enrolled).status == 201
        first = service.memory()
        begun = time.monotonic()
        broken = islice(all_sent(given.seed), given.count)
        found, wrong, slowest = ask_all(service, broken, begun + 60 * given.minutes)
        seconds = time.monotonic() - begun
        if service.ask("GET", "/ready").status != 200:
            wrong.append("it is not ready at the end")
        wrong += service.defects()
        what = f"{sum(found.values()):,} requests, most with files of {given.kind}"
        print(f"{what}, in {seconds:.0f} s, seed {given.seed}")
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
