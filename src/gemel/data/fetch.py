"""Published data sets fetched on request: resumed where they broke off, checked before they count.

A file is written beside its place as FILE.part and moved there only when its content is right, so
whatever happens, a file under its own name is whole. Nothing here runs unless it is asked to.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from os import PathLike
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from gemel.data.sources import DATA_SETS, DataSet, Source
from gemel.errors import DownloadError, Problem, SettingsError

if sys.platform != "win32":
    import fcntl

Progress = Callable[[str, int, int | None], None]
"""Told, while a file comes, its name, the bytes there are, and of how many (None: unsaid)."""

_BLOCK = 1 << 16
_LARGEST = 1 << 28  # bytes; the largest file of the known data sets has 170,052,171


@dataclass(frozen=True)
class FolderCheck:
    """What is in a folder that should hold a data set.

    Attributes:
        good: the files whose content is as published.
        missing: the files that are absent.
        bad: the files that are there but wrong, each with its place and what is wrong.
    """

    good: tuple[str, ...]
    missing: tuple[str, ...]
    bad: tuple[Problem, ...]

    @property
    def complete(self) -> bool:
        """Whether every file is there and good."""
        return not self.missing and not self.bad


@dataclass(frozen=True)
class Fetched:
    """What `fetch` did: the folder, the files it fetched, and those that were good already."""

    folder: Path
    fetched: tuple[str, ...]
    present: tuple[str, ...]


def fetch(
    name: str | DataSet,
    folder: str | PathLike[str],
    *,
    progress: Progress | None = None,
    base_url: str | None = None,
    attempts: int = 3,
    timeout: float = 30.0,
) -> Fetched:
    """Fetches the files of a data set that are not in `folder` yet, from their publisher.

    A file that is there and right, packed in whatever way, is left alone; one that is wrong is
    replaced, once the right one has come. A transfer that broke off goes on where it stopped, in
    this call or the next.

    Args:
        name: one of `DATA_SETS`, such as "mnist", or a data set described by the caller.
        folder: where to; made if it is absent.
        progress: called with (file, bytes there, bytes in all or None) as a file comes.
        base_url: a mirror's http(s) address to use in place of the publisher's; what comes is
            checked alike.
        attempts: how often to try each file, when the connection breaks off on the way.
        timeout: seconds to wait for an answer, or for the next bytes.

    Raises:
        SettingsError: no such data set, or an impossible setting.
        DownloadError: the network or the publisher cannot be reached, what came is wrong, or the
            folder cannot be written. No file is left half-written under its own name.
    """
    data_set = _data_set(name)
    base = (data_set.base if base_url is None else base_url).rstrip("/") + "/"
    if not base.startswith(("https://", "http://")):
        raise SettingsError(f"`base_url` must begin with https:// or http://; got {base_url!r}")
    if attempts < 1 or not timeout > 0:
        raise SettingsError(
            f"`attempts` must be 1 or more and `timeout` above 0; got {attempts} and {timeout}"
        )
    place = Path(folder)
    fetched = []
    try:
        place.mkdir(parents=True, exist_ok=True)
        with _alone(place):
            present = verify_folder(data_set, place).good
            for source in data_set.files:
                if source.file not in present:
                    task = _Task(data_set.name, source, base + source.address, place, timeout)
                    _bring(task, attempts, progress)
                    fetched.append(source.file)
    except OSError as error:
        raise DownloadError(
            f"{place} cannot be written ({error}); give a folder that can, with enough free space. "
            f"What was fetched before stays, and `gemel fetch {data_set.name}` goes on from there"
        ) from error
    return Fetched(place, tuple(fetched), present)


def verify_folder(name: str | DataSet, folder: str | PathLike[str]) -> FolderCheck:
    """Which files of a data set are in `folder`, and whether each holds what was published.

    Args:
        name: one of `DATA_SETS`, such as "mnist", or a data set described by the caller.
        folder: the folder to look into; nothing in it is changed.

    Raises:
        SettingsError: no such data set.
    """
    data_set, place = _data_set(name), Path(folder)
    good: list[str] = []
    missing: list[str] = []
    bad: list[Problem] = []
    for source in data_set.files:
        there = [place / n for n in (source.file, *source.also) if (place / n).is_file()]
        flaws = [source.flaw(path) for path in there]
        if not there:
            missing.append(source.file)
        elif "" in flaws:
            good.append(source.file)
        else:
            remedy = f"fetch it again with `gemel fetch {data_set.name}`"
            bad += [
                Problem(str(path), flaw, remedy) for path, flaw in zip(there, flaws, strict=True)
            ]
    return FolderCheck(tuple(good), tuple(missing), tuple(bad))


@dataclass(frozen=True)
class _Task:
    """One file to fetch: what, from where, to where."""

    data_set: str
    source: Source
    url: str
    folder: Path
    timeout: float

    @property
    def target(self) -> Path:
        return self.folder / self.source.file

    @property
    def part(self) -> Path:
        return self.folder / f"{self.source.file}.part"

    @property
    def kept(self) -> int:
        """Bytes that an earlier try has left behind."""
        return self.part.stat().st_size if self.part.exists() else 0

    def failed(self, reason: str) -> DownloadError:
        kept = f" {self.kept:,} bytes are kept in {self.part.name}." if self.kept else ""
        return DownloadError(
            f"{self.source.file} of {self.data_set} could not be fetched.\n"
            f"Tried: {self.url}\n"
            f"What happened: {reason}\n"
            f"{self.target} was not changed.{kept} What was fetched before stays, and "
            f"`gemel fetch {self.data_set}` goes on from there.\n"
            f"By hand: get that address by any other way and put the file at {self.target}; "
            "it is checked by content, so a copy that was packed again is as good."
        )


class _BrokenOffError(Exception):
    """The connection ended before the file did."""


def _bring(task: _Task, attempts: int, progress: Progress | None) -> None:
    """Fetches one file: a broken transfer is resumed, and only a right file gets its name."""
    reason = ""
    for _ in range(attempts):
        resumed = task.kept > 0
        try:
            _receive(task, progress)
        except _BrokenOffError as error:
            reason = str(error)
            continue
        reason = task.source.flaw(task.part)
        if not reason:
            # A rename is atomic, but only what has reached the disk survives a crash.
            _to_disk(task.part)
            task.part.replace(task.target)
            return
        if _first_byte(task.part) == b"<":
            reason = "a web page came in place of the file: does this network ask for a login?"
        task.part.unlink()
        # Where the beginning came from an earlier try, it may be of another version: once more.
        if not resumed:
            break
    raise task.failed(reason)


def _receive(task: _Task, progress: Progress | None) -> None:
    """Adds to the part file what is still missing of it, or all if the server sends all."""
    kept = task.kept
    response = _open(task, kept)
    if response is None:
        return
    with response:
        if response.status != 206:
            kept = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {kept}-"):
            task.part.unlink(missing_ok=True)
            raise _BrokenOffError(f"bytes from another place than {kept}, where the rest begins")
        length = response.headers.get("Content-Length")
        total = kept + int(length) if length is not None and length.isdecimal() else None
        with task.part.open("ab" if kept else "wb") as out:
            for block in _blocks(response, task.timeout):
                out.write(block)
                kept += len(block)
                if kept > _LARGEST:
                    break
                if progress is not None:
                    progress(task.source.file, kept, total)
    if kept > _LARGEST:
        task.part.unlink()
        raise task.failed(f"more than {_LARGEST:,} bytes, far more than was published")
    if total is not None and kept < total:
        raise _BrokenOffError(f"the connection broke off after {kept:,} of {total:,} bytes")


def _open(task: _Task, kept: int) -> HTTPResponse | None:
    """The server's answer to a request for all but the first `kept` bytes; None: none are left."""
    headers = {"User-Agent": "gemel"}
    if kept:
        headers["Range"] = f"bytes={kept}-"
    try:
        response: HTTPResponse = urlopen(Request(task.url, headers=headers), timeout=task.timeout)
    except HTTPError as error:
        error.close()
        if error.code == 416 and kept:  # range not satisfiable: the file ends here or before
            return None
        remedy = "try again later" if error.code >= 500 else "try another mirror with `base_url`"
        raise task.failed(f"the answer {error.code} {error.reason}; {remedy}") from error
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise task.failed(f"no answer ({reason}); is there a network?") from error
    return response


def _blocks(response: HTTPResponse, timeout: float) -> Iterator[bytes]:
    """What comes, until the connection ends, in order or not."""
    while True:
        try:
            block = response.read(_BLOCK)
        except TimeoutError as error:
            raise _BrokenOffError(f"nothing more for {timeout:g} s") from error
        except (OSError, HTTPException) as error:
            raise _BrokenOffError(f"the connection broke off ({error!r})") from error
        if not block:
            return
        yield block


def _first_byte(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(1)


def _to_disk(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps a second fetch out of the folder, where the system can: two would mix their bytes."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DownloadError(
                f"another fetch is writing to {folder}; wait for it, then call this again"
            ) from error
        except OSError:
            pass  # this file system has no locks
        yield
    finally:
        os.close(handle)


def _data_set(name: str | DataSet) -> DataSet:
    if isinstance(name, DataSet):
        return name
    if name not in DATA_SETS:
        raise SettingsError(f"no data set {name!r}; there are {', '.join(DATA_SETS)}")
    return DATA_SETS[name]
