"""Real processes that enrol until they, or their server, are killed.

    python enrols_until_killed.py PLACE ROUNDSxPROCESSES ...    kills the processes
    python enrols_until_killed.py server ROUNDSxPROCESSES ...   kills a PostgreSQL server of its own

The kill comes a while after up to three references were said to be stored. After every round the
gallery must be whole, and at the end every reference that was said to be stored must be there.
Says how many there were.
"""

import gc
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count, islice

from small_galleries import Place, drawn_rows, numbers_model
from small_server import Server

from gemel import Gallery, metrics
from gemel.errors import GalleryError

LIFE = {"file": 0.012, "url": 0.025, "server": 0.3}
"""The longest while, in seconds: that of a few enrolments."""
Kill = Callable[[list[int]], None]
MODEL = numbers_model(metrics.Euclidean())


def enrol(place: Place, seed: int, out: int) -> None:
    """Say "seed row number" of each reference once it was said to be stored."""
    with Gallery.open(place, MODEL) as gallery:
        for row, item in enumerate(drawn_rows(2000, seed)):
            number = gallery.enrol(f"{seed}.{row % 3}", item)
            if row % 5 == 4:
                gallery.remove(number)
            else:
                os.write(out, f"{seed} {row} {number}\n".encode())


def begin(place: Place, seeds: list[int], out: int) -> list[int]:
    children = []
    for seed in seeds:
        child = os.fork()
        if child == 0:
            with suppress(GalleryError):  # the server was killed
                enrol(place, seed, out)
            os._exit(0)
        children.append(child)
    return children


def rounds(
    place: Place, seeds: Iterator[int], turns: int, processes: int, kill: Kill
) -> list[tuple[int, int, int]]:
    said = []
    for turn in range(turns):
        reading, writing = os.pipe()
        children = begin(place, list(islice(seeds, processes)), writing)
        os.close(writing)
        with os.fdopen(reading) as lines:
            heard = list(islice(lines, turn % 4))
            kill(children)
            for child in children:
                os.waitpid(child, 0)
            heard += lines
        said += [tuple(map(int, line.split())) for line in heard]
        with Gallery.open(place, MODEL) as gallery:
            assert gallery.check() == (), gallery.check()
    return said


def check_kept(place: Place, said: list[tuple[int, int, int]]) -> None:
    with Gallery.open(place, MODEL) as gallery:
        kept = {one.id: one for one in gallery._store.lookup([one[2] for one in said])}
    assert len(kept) == len(said)
    rows = {seed: drawn_rows(2000, seed) for seed in {one[0] for one in said}}
    for seed, row, number in said:
        assert kept[number].embedding == rows[seed][row].tobytes()
        assert kept[number].identity == f"{seed}.{row % 3}"


def main() -> None:
    where, seeds, moments = sys.argv[1], count(), random.Random(0)
    kinds = [tuple(map(int, word.split("x"))) for word in sys.argv[2:]]
    life = LIFE["url" if where.startswith("postgresql:") else "file"]
    MODEL.embed(drawn_rows(1, 0))  # the first time takes longest
    gc.freeze()  # else every child's collector copies all that the fork shares

    def kill_processes(children: list[int]) -> None:
        time.sleep(moments.uniform(0, life))
        for child in children:
            os.kill(child, signal.SIGKILL)

    def kill_server(children: list[int]) -> None:
        time.sleep(moments.uniform(0, LIFE["server"]))
        server.kill()
        server.start()
        for child in children:  # one that asked nothing meanwhile goes on
            os.kill(child, signal.SIGKILL)

    def all_rounds(place: Place, kill: Kill) -> int:
        said = [one for kind in kinds for one in rounds(place, seeds, *kind, kill)]
        check_kept(place, said)
        return len(said)

    if where == "server":
        with Server() as server:
            stored = all_rounds(server.url("killed"), kill_server)
    else:
        stored = all_rounds(where, kill_processes)
    print(f"{', '.join(sys.argv[2:])}: {stored} said to be stored, all there")


if __name__ == "__main__":
    main()
