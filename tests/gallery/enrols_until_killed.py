"""Real processes that enrol until they are killed: PATH ROUNDS PROCESSES.

Says "seed place number" of each reference once it was said to be stored, and looks after every
round whether the gallery is whole.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from small_galleries import drawn_rows, numbers_model

from gemel import Gallery, metrics


def enrol(path: Path, seed: int, out: int) -> None:
    with Gallery.open(path, numbers_model(metrics.Euclidean())) as gallery:
        for place, row in enumerate(drawn_rows(2000, seed)):
            number = gallery.enrol(f"{seed}.{place % 3}", row)
            if place % 5 == 4:
                gallery.remove(number)
            else:
                os.write(out, f"{seed} {place} {number}\n".encode())


def main() -> None:
    path, rounds, processes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    moments = random.Random(processes)
    for turn in range(rounds):
        reading, writing = os.pipe()
        children = []
        for each in range(processes):
            child = os.fork()
            if child == 0:
                enrol(path, processes * turn + each, writing)
                os._exit(0)
            children.append(child)
        time.sleep(moments.uniform(0.02, 0.25))
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(writing)
        with os.fdopen(reading) as lines:
            print(lines.read(), end="")
        with Gallery.open(path, numbers_model(metrics.Euclidean())) as gallery:
            assert gallery.check() == (), gallery.check()


main()
