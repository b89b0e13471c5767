"""Clients that identify, verify, enrol, remove and list at once; does memory grow, is all right?

    python benchmarks/mixed_load.py                          # 30 minutes, 8 clients
    python benchmarks/mixed_load.py --minutes 1

Each client has names of its own, so it knows what every answer must be: what it enrolled is found,
what it removed is not. PASS: every answer is right, and memory does not surely grow by more than
50 kB a minute: that is, the lower end of the slope's 95 % interval is below that. The slope is
that of a line through the means of 20 spans of time, after the first fifth of it.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "serving"))

from service import Answer, Service, as_item, picture, running

MOST_GROWTH = 50.0  # kB a minute
WARM_UP = 0.2  # share of the time
SPANS = 20
FEW, MANY = 10, 40  # how many names a client has enrolled at one time


class Client(threading.Thread):
    """Asks until it is told to stop; keeps how long each answer took, and what was wrong."""

    def __init__(self, service: Service, place: int, seed: int, stop: threading.Event) -> None:
        super().__init__()
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.wrong: list[str] = []
        self._service, self._place, self._stop_asking = service, place, stop
        self._draw = random.Random(f"{seed} {place}")
        self._line = service.connection()
        self._enrolled: dict[str, bytes] = {}
        self._removed: list[tuple[str, bytes]] = []
        self._count = 0

    def run(self) -> None:
        """Ask."""
        verbs: list[tuple[Callable[[], None], int]] = [
            (self._identify, 8),
            (self._verify, 5),
            (self._compare, 2),
            (self._grow_or_shrink, 6),
            (self._list, 2),
            (self._ask_for_what_was_removed, 2),
        ]
        kinds, weights = zip(*verbs, strict=True)
        while not self._stop_asking.is_set():
            try:
                self._draw.choices(kinds, weights)[0]()
            except Exception as error:
                self.wrong.append(repr(error))
                self._line.close()
        self._line.close()

    def _grow_or_shrink(self) -> None:
        count = len(self._enrolled)
        if count < FEW or (count < MANY and self._draw.random() < 0.5):
            self._enrol()
        else:
            self._remove()

    def _enrol(self) -> None:
        self._count += 1
        name = f"client {self._place} name {self._count}"
        item = picture(1_000_000 * self._place + self._count)
        body = {"identity": name, "item": as_item(item), "note": "n" * 50}
        first = self._ask("enrol", "POST", "/v1/enrol", body)
        self._check(first.status == 201 and first.json["new"], "enrol", first)
        self._enrolled[name] = item
        if self._draw.random() < 0.2:
            again = self._ask("enrol", "POST", "/v1/enrol", body)
            same = again.status == 200 and again.json["reference"] == first.json["reference"]
            self._check(same, "enrol again", again)

    def _remove(self) -> None:
        name = self._any_name()
        answer = self._ask("remove", "POST", "/v1/remove", {"identity": name})
        self._check(answer.status == 200 and answer.json["whole"], "remove", answer)
        self._removed = [*self._removed[-20:], (name, self._enrolled.pop(name))]

    def _identify(self) -> None:
        if not self._enrolled:
            return
        name = self._any_name()
        body = {"item": as_item(self._enrolled[name]), "top": 3}
        answer = self._ask("identify", "POST", "/v1/identify", body)
        self._check(answer.status == 200 and answer.json["identity"] == name, "identify", answer)

    def _verify(self) -> None:
        if not self._enrolled:
            return
        name = self._any_name()
        body = {"identity": name, "item": as_item(self._enrolled[name])}
        answer = self._ask("verify", "POST", "/v1/verify", body)
        self._check(answer.status == 200 and answer.json["same"] is True, "verify", answer)

    def _compare(self) -> None:
        item = as_item(picture(self._draw.randrange(1000)))
        answer = self._ask("compare", "POST", "/v1/compare", {"left": item, "right": item})
        self._check(answer.status == 200 and answer.json["distance"] < 1e-5, "compare", answer)

    def _list(self) -> None:
        path = f"/v1/identities?limit=500&search=client%20{self._place}%20"
        answer = self._ask("list", "GET", path)
        names = {one["identity"] for one in answer.json["identities"]}
        self._check(names == set(self._enrolled), "list", answer)

    def _ask_for_what_was_removed(self) -> None:
        if not self._removed:
            return
        name, item = self._draw.choice(self._removed)
        answer = self._ask("identify", "POST", "/v1/identify", {"item": as_item(item), "top": 100})
        named = {one["identity"] for one in answer.json["candidates"]}
        self._check(answer.status == 200 and name not in named, "identify removed", answer)
        body = {"identity": name, "item": as_item(item)}
        answer = self._ask("verify", "POST", "/v1/verify", body)
        self._check(answer.status == 404, "verify removed", answer)

    def _any_name(self) -> str:
        return self._draw.choice(list(self._enrolled))

    def _ask(self, verb: str, method: str, path: str, body: object = None) -> Answer:
        begun = time.perf_counter()
        answer = self._service.ask(method, path, body, on=self._line)
        self.seconds[verb].append(time.perf_counter() - begun)
        return answer

    def _check(self, right: bool, what: str, answer: Answer) -> None:
        if not right:
            self.wrong.append(f"{what}: {answer.status} {answer.body[:300]!r}")


def slope(minutes: list[float], kilobytes: list[float]) -> tuple[float, float, float]:
    """Growth in kB a minute, with its 95 % interval: a line through the means of spans."""
    spans = np.array_split(np.arange(len(minutes)), min(SPANS, len(minutes)))
    x = np.array([np.mean([minutes[row] for row in span]) for span in spans])
    y = np.array([np.mean([kilobytes[row] for row in span]) for span in spans])
    line = stats.linregress(x, y)
    margin = float(stats.t.ppf(0.975, len(x) - 2)) * float(line.stderr)
    return float(line.slope), float(line.slope) - margin, float(line.slope) + margin


def sampled(service: Service, minutes: float) -> tuple[list[float], list[float]]:
    """Memory by time, after the warm-up; at least 60 samples."""
    every = min(3.0, 60 * minutes / 100)
    begun = time.monotonic()
    times, memory = [], []
    while (passed := (time.monotonic() - begun) / 60) < minutes:
        time.sleep(every)
        if passed >= WARM_UP * minutes:
            times.append(passed)
            memory.append(float(service.memory()))
    return times, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), rate=1e9, audit=Path(folder) / "audit.jsonl") as service,
    ):
        stop = threading.Event()
        clients = [Client(service, place, given.seed, stop) for place in range(given.clients)]
        for client in clients:
            client.start()
        try:
            times, memory = sampled(service, given.minutes)
        finally:
            stop.set()
            for client in clients:
                client.join()
        peak = service.peak_memory()
        defects = len(service.defects())
    wrong = [one for client in clients for one in client.wrong]
    verbs = sorted({verb for client in clients for verb in client.seconds})
    print(f"{given.minutes:g} minutes, {given.clients} clients, seed {given.seed}")
    for verb in verbs:
        took = 1000 * np.concatenate([client.seconds[verb] for client in clients])
        p50, p95, p99 = np.percentile(took, (50, 95, 99))
        print(f"  {verb:9}{len(took):9,}  p50 {p50:.1f}  p95 {p95:.1f}  p99 {p99:.1f} ms")
    print(f"wrong answers: {len(wrong)}; defects logged: {defects}")
    for one in wrong[:10]:
        print(f"  {one}")
    rise, low, high = slope(times, memory)
    print(
        f"memory: {memory[0]:,.0f} kB after the warm-up, {memory[-1]:,.0f} at the end, peak "
        f"{peak:,}; slope {rise:.1f} kB/min (95 % interval {low:.1f} to {high:.1f}, "
        f"{len(memory)} samples)"
    )
    tenths = np.array_split(np.array(memory), 10)
    print("by tenths of the time:", " ".join(f"{np.mean(some):,.0f}" for some in tenths))
    failed = bool(wrong) or bool(defects) or low > MOST_GROWTH
    print("FAIL" if failed else "PASS")
    sys.exit(failed)


if __name__ == "__main__":
    main()
