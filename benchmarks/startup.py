"""How long `import gemel` and `gemel --help` take: whole processes, median of several runs."""

import argparse
import statistics
import subprocess
import sys
import time


def seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11)
    runs = parser.parse_args().runs
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import gemel": [sys.executable, "-c", "import gemel"],
        "gemel --help": [sys.executable, "-m", "gemel", "--help"],
    }
    for name, command in commands.items():
        seconds(command)  # warms the disk's cache
        times = [seconds(command) for _ in range(runs)]
        print(
            f"{name:<16} median {statistics.median(times):.3f} s "
            f"(min {min(times):.3f}, max {max(times):.3f}, {runs} runs)"
        )


if __name__ == "__main__":
    main()
