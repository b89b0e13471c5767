"""The published systems in their full form, and their tables in docs/results.md.

    python benchmarks/published_systems.py koch2015 --data FOLDER_OF_DATA_SETS --out FOLDER
    python benchmarks/published_systems.py koch2015 ... --resume      # goes on where it stopped

Each table stands between two marks in docs/results.md, and is replaced there, with the commit that
measured it, the seed and the minutes of training.
"""

import argparse
import json
import re
import subprocess
from pathlib import Path

from gemel.systems import SYSTEMS, reproduce
from gemel.systems.reproduction import FIGURES, Request

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results.md"


def commit() -> str:
    """The commit that is checked out; with "+" where files differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *words], check=True, capture_output=True, text=True
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src")
    return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")


def section(name: str, table: str, facts: dict[str, object]) -> str:
    """What stands between the marks of a system."""
    threads = facts["threads"]
    earlier = ", by models of an earlier run" if facts["resumed"] else ""
    return (
        f"### {name}\n{SYSTEMS[name].paper}\n\n"
        f"`gemel reproduce {name} --data DATA`, seed {facts['seed']}, measured at commit "
        f"{facts['commit']}{earlier}; {facts['training_minutes']} minutes of training, "
        f"{facts['device']}, {threads} thread{'s' * (threads != 1)}, torch {facts['torch']}\n\n"
        f"{table}"
    )


def put(name: str, text: str) -> None:
    """Replace the section of `name` in docs/results.md."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    whole = RESULTS.read_text(encoding="utf-8")
    found = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not found.search(whole):
        raise SystemExit(f"docs/results.md has no place for {name}: add {begin.strip()} and {end}")
    RESULTS.write_text(found.sub(lambda _: begin + text + end, whole), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", choices=list(SYSTEMS), metavar="NAME")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="a folder for models and pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    words = parser.parse_args()
    for name in words.names:
        out = words.out / name
        made_by = commit()
        request = Request(words.data, out, seed=words.seed, resume=words.resume)
        table = reproduce(name, request)
        print(table, flush=True)
        facts = json.loads((out / FIGURES).read_text(encoding="utf-8"))
        facts |= {"commit": made_by, "resumed": words.resume}
        put(name, section(name, table.as_markdown(), facts))


if __name__ == "__main__":
    main()
