import fcntl
import gzip
import hashlib
import os
import socket
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gemel.data import sources
from gemel.data.fetch import Fetched, FolderCheck, fetch, verify_folder
from gemel.data.mnist import content_digest
from gemel.data.sources import CIFAR10, MNIST, OMNIGLOT, ORL_FACES, DataSet, Source
from gemel.errors import DataError, DownloadError, SettingsError

BODY = bytes(range(256)) * 1_000  # 256,000 bytes, more than one block
OTHER = b"the second file"


@dataclass
class Server:
    """A publisher on this machine that can be told to misbehave; it counts what it serves."""

    files: dict[str, bytes]
    address: str = ""
    ranges: bool = True
    lengths: bool = True
    cuts: list[int] = field(default_factory=list)  # break off after so many bytes, once each
    shift: int = 0  # answer a range from so many bytes further on
    status: int = 0  # answer everything with this
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    served: list[int] = field(default_factory=list)


def handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            server.asked.append((self.path, wanted))
            if server.status or self.path not in server.files:
                self.send_error(server.status or 404)
                return
            body, start, status = server.files[self.path], 0, 200
            if wanted is not None and server.ranges:
                start, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
                if start >= len(body):
                    self.send_error(416)
                    return
                start += server.shift
            self.send_response(status)
            if server.lengths:
                self.send_header("Content-Length", str(len(body) - start))
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.end_headers()
            rest = body[start:][: server.cuts.pop(0) if server.cuts else None]
            server.served.append(len(rest))  # before the other side can be done with it
            self.wfile.write(rest)

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    about = Server({"/data/one.bin": BODY, "/data/sub/two.bin": OTHER})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(about)) as http:
        about.address = f"http://127.0.0.1:{http.server_address[1]}/data/"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield about
        http.shutdown()
        thread.join()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def unpacked(path: Path) -> str:
    """The digest of what is in a file: of all but its first line where that says `packed`."""
    return sha256(path.read_bytes().removeprefix(b"packed again\n"))


def source(file: str, content: bytes, address: str = "") -> Source:
    return Source(file, address or file, f"sha256:{sha256(content)}", sha256(content), unpacked)


@pytest.fixture
def toys(server: Server) -> DataSet:
    files = (source("one.bin", BODY), source("two.bin", OTHER, "sub/two.bin"))
    return DataSet("toys", "Toys", "free", server.address, files)


@pytest.fixture
def one(toys: DataSet) -> DataSet:
    return replace(toys, files=toys.files[:1])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_all_files_are_fetched(server: Server, toys: DataSet, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    folder = tmp_path / "new" / "toys"
    result = fetch(toys, folder, progress=lambda *news: told.append(news))
    assert result == Fetched(folder, ("one.bin", "two.bin"), ())
    assert (folder / "one.bin").read_bytes() == BODY
    assert (folder / "two.bin").read_bytes() == OTHER
    assert names(folder) == ["one.bin", "two.bin"]
    assert server.asked == [("/data/one.bin", None), ("/data/sub/two.bin", None)]
    assert told[-1] == ("two.bin", len(OTHER), len(OTHER))
    bytes_there = [done for file, done, total in told if file == "one.bin" and total == len(BODY)]
    assert bytes_there == sorted(set(bytes_there))
    assert len(bytes_there) >= 4
    assert bytes_there[-1] == len(BODY)


def test_good_files_are_left_alone_and_bad_ones_replaced(
    server: Server, toys: DataSet, tmp_path: Path
) -> None:
    (tmp_path / "one.bin").write_bytes(b"packed again\n" + BODY)
    (tmp_path / "two.bin").write_bytes(b"spoilt")
    assert fetch(toys, str(tmp_path)) == Fetched(tmp_path, ("two.bin",), ("one.bin",))
    assert server.asked == [("/data/sub/two.bin", None)]
    assert (tmp_path / "one.bin").read_bytes() == b"packed again\n" + BODY
    assert (tmp_path / "two.bin").read_bytes() == OTHER
    server.asked.clear()
    assert fetch(toys, tmp_path).present == ("one.bin", "two.bin")
    assert server.asked == []


def test_a_copy_that_was_packed_again_passes(server: Server, one: DataSet, tmp_path: Path) -> None:
    server.files["/data/one.bin"] = b"packed again\n" + BODY
    assert fetch(one, tmp_path).fetched == ("one.bin",)
    assert (tmp_path / "one.bin").read_bytes() == b"packed again\n" + BODY


def test_a_mirror_is_used_in_place_of_the_publisher(
    server: Server, one: DataSet, tmp_path: Path
) -> None:
    elsewhere = replace(one, base="https://publisher.invalid/")
    fetch(elsewhere, tmp_path, base_url=server.address.rstrip("/"))
    assert server.asked == [("/data/one.bin", None)]


def test_a_broken_transfer_goes_on_where_it_stopped(
    server: Server, one: DataSet, tmp_path: Path
) -> None:
    server.cuts = [100_000, 50_000]
    fetch(one, tmp_path)
    assert (tmp_path / "one.bin").read_bytes() == BODY
    assert [wanted for _, wanted in server.asked] == [None, "bytes=100000-", "bytes=150000-"]
    assert server.served == [100_000, 50_000, len(BODY) - 150_000]


def test_the_next_call_goes_on_too(server: Server, one: DataSet, tmp_path: Path) -> None:
    server.cuts = [100_000]
    with pytest.raises(DownloadError, match="broke off after 100,000 of 256,000 bytes") as error:
        fetch(one, tmp_path, attempts=1)
    assert "100,000 bytes are kept in one.bin.part" in str(error.value)
    assert names(tmp_path) == ["one.bin.part"]
    told: list[tuple[str, int, int | None]] = []
    fetch(one, tmp_path, progress=lambda *news: told.append(news))
    assert (tmp_path / "one.bin").read_bytes() == BODY
    assert sum(server.served) == len(BODY)
    assert told[0][1] > 100_000
    assert told[-1] == ("one.bin", len(BODY), len(BODY))
    assert names(tmp_path) == ["one.bin"]


def test_a_connection_that_keeps_breaking_is_given_up(
    server: Server, one: DataSet, tmp_path: Path
) -> None:
    server.cuts = [10, 10, 10]
    with pytest.raises(DownloadError, match="broke off after 30 of 256,000 bytes"):
        fetch(one, tmp_path, attempts=3)
    assert len(server.asked) == 3


def test_a_server_without_ranges_sends_all_again(
    server: Server, one: DataSet, tmp_path: Path
) -> None:
    server.ranges = False
    server.cuts = [100_000]
    fetch(one, tmp_path)
    assert (tmp_path / "one.bin").read_bytes() == BODY
    assert server.served == [100_000, len(BODY)]


def test_a_server_that_sends_another_range_is_asked_for_all(
    server: Server, one: DataSet, tmp_path: Path
) -> None:
    server.shift = 7
    (tmp_path / "one.bin.part").write_bytes(BODY[:1_000])
    fetch(one, tmp_path)
    assert (tmp_path / "one.bin").read_bytes() == BODY
    assert [wanted for _, wanted in server.asked] == ["bytes=1000-", None]


def test_a_beginning_of_another_version_is_thrown_away(
    server: Server, one: DataSet, tmp_path: Path
) -> None:
    (tmp_path / "one.bin.part").write_bytes(b"x" * 1_000)
    fetch(one, tmp_path)
    assert (tmp_path / "one.bin").read_bytes() == BODY
    assert server.served == [len(BODY) - 1_000, len(BODY)]


def test_a_part_that_is_whole_needs_only_its_name(
    server: Server, one: DataSet, tmp_path: Path
) -> None:
    (tmp_path / "one.bin.part").write_bytes(BODY)
    fetch(one, tmp_path)
    assert names(tmp_path) == ["one.bin"]
    assert server.served == []
    (tmp_path / "one.bin").unlink()
    (tmp_path / "one.bin.part").write_bytes(BODY + b"too long")
    fetch(one, tmp_path)
    assert (tmp_path / "one.bin").read_bytes() == BODY


def test_a_wrong_file_never_gets_the_name(server: Server, one: DataSet, tmp_path: Path) -> None:
    server.files["/data/one.bin"] = BODY[::-1]
    with pytest.raises(DownloadError) as error:
        fetch(one, tmp_path)
    assert names(tmp_path) == []
    assert len(server.asked) == 1  # the same would come again
    message = str(error.value)
    assert f"expected content {sha256(BODY)}, got {sha256(BODY[::-1])}" in message
    assert f"Tried: {server.address}one.bin" in message
    assert f"{tmp_path / 'one.bin'} was not changed." in message
    assert f"put the file at {tmp_path / 'one.bin'}" in message


def test_a_wrong_file_does_not_replace_what_is_there(
    server: Server, one: DataSet, tmp_path: Path
) -> None:
    server.files["/data/one.bin"] = b"<!DOCTYPE html><p>Please log in"
    (tmp_path / "one.bin").write_bytes(b"mine")
    with pytest.raises(DownloadError, match="a web page came in place of the file"):
        fetch(one, tmp_path)
    assert (tmp_path / "one.bin").read_bytes() == b"mine"
    assert names(tmp_path) == ["one.bin"]


def test_a_transfer_of_unsaid_length_is_checked_by_its_content(
    server: Server, one: DataSet, tmp_path: Path
) -> None:
    server.lengths = False
    told: list[int | None] = []
    fetch(one, tmp_path, progress=lambda _, __, total: told.append(total))
    assert (tmp_path / "one.bin").read_bytes() == BODY
    assert set(told) == {None}


def test_far_too_much_is_cut_short(
    server: Server, one: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["gemel.data.fetch"], "_LARGEST", 100_000)
    with pytest.raises(DownloadError, match="more than 100,000 bytes"):
        fetch(one, tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "said"), [(404, "404 Not Found; try another mirror"), (503, "503 .*try again later")]
)
def test_a_refusal_is_said(
    server: Server, toys: DataSet, tmp_path: Path, status: int, said: str
) -> None:
    server.status = status
    (tmp_path / "one.bin.part").write_bytes(BODY[:9])
    with pytest.raises(DownloadError, match=f"the answer {said}"):
        fetch(toys, tmp_path)
    assert len(server.asked) == 1
    assert (tmp_path / "one.bin.part").read_bytes() == BODY[:9]


def test_offline_is_said_with_what_to_do(
    toys: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/"
    with pytest.raises(DownloadError) as error:
        fetch(toys, tmp_path, base_url=address)
    message = str(error.value)
    assert f"Tried: {address}one.bin\n" in message
    assert "refused" in message
    assert "is there a network?" in message
    assert f"{tmp_path / 'one.bin'} was not changed." in message
    assert f"By hand: get that address by any other way and put the file at {tmp_path}" in message
    assert names(tmp_path) == []


def test_silence_counts_as_a_broken_connection(one: DataSet, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def answer() -> None:
            for _ in range(2):
                connection, _ = silent.accept()
                with connection:
                    connection.recv(10_000)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
                    connection.recv(1)  # until the other side hangs up

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(DownloadError, match=r"nothing more for 0\.2 s"):
            fetch(one, tmp_path, base_url=address, attempts=2, timeout=0.2)
        thread.join()


def test_a_connection_that_is_reset_is_a_broken_one(one: DataSet, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as rude:

        def answer() -> None:
            connection, _ = rude.accept()
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno length")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"http://127.0.0.1:{rude.getsockname()[1]}"
        with pytest.raises(DownloadError, match="the connection broke off"):
            fetch(one, tmp_path, base_url=address, attempts=1)
        thread.join()


def test_a_folder_that_cannot_be_written_is_said(toys: DataSet, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(DownloadError, match=r"file cannot be written .*give a folder that can"):
        fetch(toys, tmp_path / "file")


def test_two_fetches_into_one_folder_do_not_mix(
    server: Server, toys: DataSet, tmp_path: Path
) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(DownloadError, match="another fetch is writing to"):
        fetch(toys, tmp_path)
    os.close(handle)
    assert server.asked == []
    assert len(fetch(toys, tmp_path).fetched) == 2


def test_a_file_system_without_locks_will_do(
    one: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handle: int, how: int) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert fetch(one, tmp_path).fetched == ("one.bin",)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": "file:///etc"}, "`base_url` must begin with https:// or http://; got 'file"),
        ({"attempts": 0}, "`attempts` must be 1 or more"),
        ({"timeout": 0.0}, "`timeout` above 0; got 3 and 0.0"),
        ({"timeout": float("nan")}, "`timeout` above 0"),
    ],
)
def test_impossible_settings_are_refused(
    toys: DataSet, tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        fetch(toys, tmp_path, **settings)  # type: ignore[arg-type]


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    for call in (fetch, verify_folder):
        with pytest.raises(
            SettingsError, match=r"no data set 'imagenet'; there are .*, orl_faces, cifar10"
        ):
            call("imagenet", tmp_path)


def test_verify_names_what_is_missing_and_what_is_bad(toys: DataSet, tmp_path: Path) -> None:
    assert verify_folder(toys, tmp_path / "nowhere").missing == ("one.bin", "two.bin")
    (tmp_path / "two.bin").write_bytes(b"spoilt")
    check = verify_folder(toys, tmp_path)
    assert (check.good, check.missing) == ((), ("one.bin",))
    assert not check.complete
    (problem,) = check.bad
    assert problem.where == str(tmp_path / "two.bin")
    assert problem.what.startswith("it is not what was published")
    assert "`gemel fetch toys`" in problem.remedy
    (tmp_path / "one.bin").write_bytes(BODY)
    (tmp_path / "two.bin").write_bytes(OTHER)
    assert verify_folder(toys, tmp_path) == FolderCheck(("one.bin", "two.bin"), (), ())
    assert verify_folder(toys, tmp_path).complete


def test_another_known_name_counts_as_there(toys: DataSet, tmp_path: Path) -> None:
    also = replace(toys, files=(replace(toys.files[1], also=("zwei.bin",)),))
    (tmp_path / "zwei.bin").write_bytes(OTHER)
    assert verify_folder(also, tmp_path).good == ("two.bin",)
    (tmp_path / "two.bin").write_bytes(b"spoilt")  # one good copy is enough
    assert verify_folder(also, tmp_path).complete


def test_a_file_that_cannot_be_read_is_bad(tmp_path: Path) -> None:
    (tmp_path / "all_runs.zip").write_bytes(b"no zip")
    (problem,) = verify_folder("omniglot", tmp_path).bad
    assert problem.what.startswith("it cannot be used: ")
    assert "truncated" in problem.what


def test_the_publishers_own_file_passes_by_its_digest(tmp_path: Path) -> None:
    def never(path: Path) -> str:
        raise DataError("not to be called")

    (tmp_path / "f").write_bytes(OTHER)
    md5 = hashlib.md5(OTHER, usedforsecurity=False).hexdigest()
    for published in (f"md5:{md5}", f"sha256:{sha256(OTHER)}"):
        assert Source("f", "f", published, "", never).flaw(tmp_path / "f") == ""
    assert Source("f", "f", f"md5:{'0' * 32}", "", never).flaw(tmp_path / "f") != ""


def test_the_catalogue_is_whole() -> None:
    every = (OMNIGLOT, MNIST, ORL_FACES, CIFAR10)
    assert {data_set.name: data_set for data_set in every} == sources.DATA_SETS
    for data_set in sources.DATA_SETS.values():
        assert data_set.base.startswith("https://")
        assert data_set.base.endswith("/")
        for file in data_set.files:
            if file.published:
                kind, digest = file.published.split(":")
                assert len(bytes.fromhex(digest)) == {"md5": 16, "sha256": 32}[kind]
            assert len(bytes.fromhex(file.content)) == 32
            assert file.address.endswith((file.file, *file.also))
    assert MNIST.files[0].also[0] == "train-images-idx3-ubyte"


def test_the_known_copies_hold_what_was_published(data_folder: Callable[[str], Path]) -> None:
    # MNIST's training images are packed again there, and so are Omniglot's two large zips. The
    # content of the largest is compared with its digest in test_omniglot.py.
    mnist = verify_folder("mnist", data_folder("mnist"))
    assert mnist == FolderCheck(tuple(file.file for file in MNIST.files), (), ())
    assert verify_folder("orl_faces", data_folder("orl_faces")).complete
    files = OMNIGLOT.files[1:]
    omniglot = verify_folder(replace(OMNIGLOT, files=files), data_folder("omniglot"))
    assert omniglot == FolderCheck(tuple(file.file for file in files), (), ())


def test_content_constants_agree_with_the_publishers_files(
    data_folder: Callable[[str], Path],
) -> None:
    # These come in the publisher's packing, so `flaw` never looks at their content.
    for file in OMNIGLOT.files[3:]:
        assert file.digest(data_folder("omniglot") / file.file) == file.content
    for file in MNIST.files:
        assert file.digest(data_folder("mnist") / file.file) == file.content


def test_real_files_packed_again_are_fetched(
    data_folder: Callable[[str], Path], server: Server, tmp_path: Path
) -> None:
    packed = tmp_path / "again.zip"
    with (
        zipfile.ZipFile(data_folder("omniglot") / "images_background_small1.zip") as old,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as new,
    ):
        for name in sorted(old.namelist(), reverse=True):
            new.writestr(f"python/{name}", old.read(name))
    server.files["/data/images_background_small1.zip"] = packed.read_bytes()
    small = replace(OMNIGLOT, base=server.address, files=OMNIGLOT.files[2:3])
    folder = tmp_path / "omniglot"
    assert fetch(small, folder).fetched == ("images_background_small1.zip",)
    assert verify_folder(small, folder).complete

    plain = gzip.decompress((data_folder("mnist") / "t10k-labels-idx1-ubyte.gz").read_bytes())
    server.files["/data/t10k-labels-idx1-ubyte.gz"] = gzip.compress(plain, 1)
    labels = replace(MNIST, base=server.address, files=MNIST.files[3:])
    assert fetch(labels, tmp_path / "mnist").fetched == ("t10k-labels-idx1-ubyte.gz",)
    assert content_digest(tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz") == sha256(plain)
