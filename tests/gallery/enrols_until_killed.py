"""Real processes that enrol until they, or their server, are killed.

    python enrols_until_killed.py PLACE ROUNDS PROCESSES    kills the processes
    python enrols_until_killed.py server ROUNDS PROCESSES   kills a PostgreSQL server of its own

After every round the gallery must be whole, and at the end every reference that was said to be
stored must be there. Says how many there were.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from small_galleries import Place, drawn_rows, numbers_model
from small_server import Server

from gemel import Gallery, metrics
from gemel.errors import GalleryError

LIFE = {"file": (0.02, 0.06), "url": (0.02, 0.12), "server": (0.05, 0.5)}
"""Seconds from the fork to the kill; a connection alone takes some."""
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


def begin(place: Place, seeds: range, out: int) -> list[int]:
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
    place: Place, count: int, processes: int, kill: Callable[[list[int]], None]
) -> list[tuple[int, int, int]]:
    said = []
    for turn in range(count):
        reading, writing = os.pipe()
        children = begin(place, range(processes * turn, processes * (turn + 1)), writing)
        os.close(writing)
        kill(children)
        for child in children:
            os.waitpid(child, 0)
        with os.fdopen(reading) as lines:
            said += [tuple(map(int, line.split())) for line in lines]
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
    where, count, processes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    moments = random.Random(processes)
    life = LIFE["url" if where.startswith("postgresql:") else "file"]

    def kill_processes(children: list[int]) -> None:
        time.sleep(moments.uniform(*life))
        for child in children:
            os.kill(child, signal.SIGKILL)

    def kill_server(children: list[int]) -> None:
        time.sleep(moments.uniform(*LIFE["server"]))
        server.kill()
        server.start()
        for child in children:  # one that asked nothing meanwhile goes on
            os.kill(child, signal.SIGKILL)

    if where == "server":
        with Server() as server:
            where = server.url("killed")
            said = rounds(where, count, processes, kill_server)
            check_kept(where, said)
    else:
        said = rounds(where, count, processes, kill_processes)
        check_kept(where, said)
    print(f"{count} rounds of {processes}: {len(said)} said to be stored, all there")


if __name__ == "__main__":
    main()
