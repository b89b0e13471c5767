"""The audit log: who asked what about whom, and what was answered; one JSON object a line.

It names identities, so it is personal data itself: keep it no longer than it is needed. It holds no
keys, images or embeddings.
"""

import errno
import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from gemel.errors import GalleryError, SettingsError

Verb = Literal[
    "enrol",
    "remove",
    "rename",
    "identify",
    "verify",
    "compare",
    "embed",
    "list",
    "thumbnail",
    "map",
]
CHANGES = frozenset({"enrol", "remove", "rename"})


@dataclass(frozen=True)
class Entry:
    """One line of the log; when it was written is added.

    Attributes:
        request_id: of the request, as in the other logs.
        verb: what was asked.
        key: the name of the key, never the key; None without keys.
        identity: who it was about: the name enrolled, removed, renamed or verified, or the one
            that `identify` found; None if there was none.
        new_name: of `rename`, the name from then on.
        references: the numbers of the references.
        verdict: what was answered.
        client: the address, where it is to be kept.
    """

    request_id: str
    verb: Verb
    key: str | None = None
    identity: str | None = None
    new_name: str | None = None
    references: tuple[int, ...] = ()
    verdict: str | None = None
    client: str | None = None


class Audit:
    """A file that lines are added to. Threads may share an object of this class.

    - After `write` of a verb that changes the gallery (`CHANGES`) the line is on the disk (fsync):
      write it before the answer goes out. Lines of other verbs are with the operating system,
      which outlives a crash of the program, but not one of the machine.
    - When the file has been moved or removed (logrotate without `copytruncate`), the next line
      begins a new one.
    - A new file is its owner's alone (0600); one that is there keeps its rights.
    - Whatever a name holds, it stays within its line: JSON escapes line ends and controls, and
      all that is not ASCII. A line that a full disk or a crash cut short is ended before the next.
    """

    def __init__(self, path: str | Path) -> None:
        """Open the file, or make it.

        Raises:
            SettingsError: it is no regular file, or cannot be made or written.
        """
        self.path = Path(path)
        self._lock = threading.Lock()
        self._owed: list[bytes] = []  # lines of changes that could not be written yet
        try:
            self._file = self._open()
        except OSError as error:
            raise SettingsError(
                f"cannot write the audit log {self.path}: {error.strerror}; its folder must exist "
                "and be writable"
            ) from error

    def write(self, entry: Entry) -> None:
        """Add a line.

        Raises:
            GalleryError: the disk is full, or failed. What was asked of the gallery is done; the
                line of a change is kept in memory, and written once it can be.
        """
        facts = {"when": _now(), **asdict(entry)}
        line = json.dumps(facts).encode("ascii") + b"\n"
        with self._lock, self._in_words():
            if entry.verb in CHANGES:
                self._owed.append(line)
                self._settle()
            else:
                self._follow()
                self._add(line)

    def settle(self) -> None:
        """Write what could not be written; ask this before a change, so that none goes unrecorded.

        Raises:
            GalleryError: it cannot be written still.
        """
        with self._lock, self._in_words():
            self._settle()

    def close(self) -> None:
        """Close the file; nothing can be written from then on."""
        with self._lock:
            os.close(self._file)
            self._file = -1

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK
        file = os.open(self.path, flags, 0o600)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise OSError(errno.EINVAL, "it is no regular file")
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # else a crash of the machine may lose a new file's name
        finally:
            os.close(folder)
        return file

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise GalleryError(
                f"cannot write the audit log {self.path}: {error.strerror}; make room, and look "
                "at its folder and the disk"
            ) from error

    def _settle(self) -> None:
        self._follow()
        if self._owed:
            for line in self._owed:
                self._add(line)
            os.fsync(self._file)
            self._owed.clear()

    def _follow(self) -> None:
        """Begin a new file where the old one was moved."""
        if self._was_moved():
            self._reopen()

    def _reopen(self) -> None:
        new = self._open()
        with suppress(OSError):
            os.close(self._file)
        self._file = new

    def _was_moved(self) -> bool:
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return True
        return not os.path.samestat(there, os.fstat(self._file))

    def _add(self, line: bytes) -> None:
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            line = b"\n" + line
        while line:
            line = line[os.write(self._file, line) :]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
