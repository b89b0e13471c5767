"""The command line. It only translates: words to objects, errors to one line and a status."""

import sys

SAME, DIFFERENT, ERROR, TOO_CLOSE, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit statuses: done or the same; different; an error; too close to call; stopped by Ctrl-C."""


def main() -> None:
    """Run the command that the program's arguments name, and exit."""
    from gemel.cli.app import app
    from gemel.errors import BadItemsError, GemelError

    try:
        app()
    except GemelError as error:
        told = error.listing() if isinstance(error, BadItemsError) else str(error)
        print(f"gemel: {told}", file=sys.stderr)
        sys.exit(ERROR)
    except OSError as error:
        print(f"gemel: {error}; check the path, its folder, and the room there", file=sys.stderr)
        sys.exit(ERROR)
    except KeyboardInterrupt:
        print("gemel: stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)
