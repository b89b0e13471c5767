"""The real service in a process of its own, to be asked, attacked and killed; not a test itself.

The processes are forked from one that has everything imported, so that one starts in a moment.
"""

import base64
import functools
import http.client
import importlib
import json
import multiprocessing
import os
import resource
import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from gemel import Siamese, encoders, inputs, metrics
from gemel.serving.keys import Keys
from gemel.serving.settings import Settings

SIDE = 16  # pixels of what the small model takes
COUNT = 6  # numbers of what the model of numbers takes


@dataclass(frozen=True)
class Answer:
    """What the service said; the names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a failure."""
        return str(self.json["error"]["code"])


@dataclass
class Service:
    """A running service, and how to ask it."""

    process: BaseProcess
    port: int
    model: Path
    gallery: Path
    log_file: Path
    keys: dict[str, str] = field(default_factory=dict)
    """The keys by name: "admin" and "read"; empty without keys."""
    tls: ssl.SSLContext | None = None

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def connection(self, timeout: float = 30) -> http.client.HTTPConnection:
        if self.tls is not None:
            return http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=timeout, context=self.tls
            )
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(
        self,
        method: str,
        path: str,
        json_body: Any = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = "admin",
        on: http.client.HTTPConnection | None = None,
    ) -> Answer:
        """One request; `key` is the name of one, or a key itself, or None."""
        sent = dict(headers or {})
        if json_body is not None:
            body = json.dumps(json_body).encode()
            sent.setdefault("Content-Type", "application/json")
        if key is not None and (self.keys or key not in ("admin", "read")):
            sent.setdefault("Authorization", f"Bearer {self.keys.get(key, key)}")
        connection = on or self.connection()
        try:
            connection.request(method, path, body, sent)
            found = connection.getresponse()
            names = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, names, found.read())
        finally:
            if on is None:
                connection.close()

    def enrol(self, identity: str, picture: bytes, **more: Any) -> Answer:
        return self.ask(
            "POST", "/v1/enrol", {"identity": identity, "item": as_item(picture)}, **more
        )

    def identify(self, picture: bytes, **more: Any) -> Answer:
        return self.ask("POST", "/v1/identify", {"item": as_item(picture)}, **more)

    def names(self, key: str = "admin") -> list[str]:
        """Who is enrolled."""
        found = self.ask("GET", "/v1/identities?limit=500", key=key).json
        return [one["identity"] for one in found["identities"]]

    def raw(self, sent: bytes, *, wait: float = 10) -> bytes:
        """All that comes back for some bytes, until the service hangs up or says no more."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as plain:
            try:
                plain.sendall(sent)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return received(plain)

    def peak_memory(self) -> int:
        """The most memory that it ever had, in kB."""
        return self._status("VmHWM")

    def memory(self) -> int:
        """The memory it has, in kB."""
        return self._status("VmRSS")

    def _status(self, name: str) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
        raise ValueError(name)


def received(plain: socket.socket) -> bytes:
    """What comes until the other side hangs up, or is silent for as long as the socket waits."""
    found = b""
    try:
        while some := plain.recv(65536):
            found += some
    except (TimeoutError, ConnectionResetError):
        pass
    return found


@contextmanager
def running(
    folder: Path,
    *,
    model: Path | None = None,
    gallery: Path | None = None,
    keyed: bool = False,
    keep_originals: bool = True,
    patches: Mapping[str, Any] | None = None,
    file_size: int | None = None,
    tls: ssl.SSLContext | None = None,
    **settings: Any,
) -> Iterator[Service]:
    """A service until the block ends.

    Args:
        folder: where its files lie; made by whoever calls.
        model: the model's file; unless given, a small one of pictures is made.
        gallery: the gallery's file.
        keyed: whether there are keys, "admin" and "read".
        keep_originals: whether the gallery keeps the items.
        patches: what else is set before it starts, such as {"gemel.serving.bodies.SECONDS": 1.0}.
        file_size: no file may grow beyond so many bytes: a disk that is full.
        tls: who is trusted, where it speaks TLS.
        settings: of `Settings`.
    """
    model = model or saved_model(folder / "model.gemel")
    gallery = gallery or folder / "office.gallery"
    keys = {}
    if keyed:
        path = folder / "keys.json"
        path.unlink(missing_ok=True)
        known = Keys.open(path, create=True)
        keys = {"admin": known.add("desk", "admin"), "read": known.add("guest", "read")}
        settings["keys"] = path
    log = folder / "log.jsonl"
    told, tell = multiprocessing.Pipe(duplex=False)
    asked = Settings(port=0, log_format="json", **settings)
    process = _context().Process(
        target=_serve, args=(model, gallery, keep_originals, asked, patches, file_size, log, tell)
    )
    process.start()
    tell.close()
    try:
        with told:
            port = _port(told, log)
        yield Service(process, port, model, gallery, log, keys, tls)
    finally:
        process.terminate()
        process.join(15)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()


@functools.cache
def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gemel.serving.app", "gemel.serving.server"])
    return context


def _port(told: Connection, log: Path) -> int:
    if not told.poll(60):
        raise RuntimeError(f"the service did not start: {log.read_text()}")
    try:
        said: str = told.recv()
    except EOFError:
        raise RuntimeError(f"the service ended: {log.read_text()}") from None
    return int(said.split("/")[2].rpartition(":")[2])


def _serve(
    model: Path,
    gallery: Path,
    keep_originals: bool,
    settings: Settings,
    patches: Mapping[str, Any] | None,
    file_size: int | None,
    log: Path,
    tell: Connection,
) -> None:
    import torch

    from gemel.serving import serve

    torch.set_num_threads(1)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    for name, value in (patches or {}).items():
        module, _, attribute = name.rpartition(".")
        setattr(importlib.import_module(module), attribute, value)
    if file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, resource.RLIM_INFINITY))
    kept = None if gallery.exists() else keep_originals
    serve(model, str(gallery), settings, keep_originals=kept, say=tell.send)


def pictures_model(seed: int = 0) -> Siamese:
    """An untrained network of small pictures."""
    model = Siamese(
        inputs.Images(SIDE, channels=1),
        encoders.Conv(width=(4, 8), dim=8),
        metrics.Cosine(),
        seed=seed,
    )
    model.threshold = 0.05
    return model


def numbers_model() -> Siamese:
    model = Siamese(inputs.Numbers(COUNT), encoders.Dense((8,), dim=4), metrics.Euclidean())
    model.threshold = 0.5
    return model


def saved_model(path: Path, model: Siamese | None = None) -> Path:
    """The file of a model; unless given, the one of small pictures; one that is there is kept."""
    if model is not None or not path.exists():
        (model or pictures_model()).save(path)
    return path


def picture(seed: int, form: str = "PNG", size: Sequence[int] = (SIDE, SIDE)) -> bytes:
    """The file of a picture of grey noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, tuple(size)[::-1], dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def as_item(data: bytes) -> dict[str, str]:
    """The bytes of a picture as JSON has them."""
    return {"image": base64.b64encode(data).decode()}


def form(fields: Sequence[tuple[str, bytes | str]], boundary: str = "edge") -> tuple[bytes, str]:
    """A form's body and its type; bytes are sent as files."""
    parts = []
    for name, value in fields:
        file = b'; filename="a.png"' if isinstance(value, bytes) else b""
        data = value if isinstance(value, bytes) else value.encode()
        head = b'Content-Disposition: form-data; name="' + name.encode() + b'"' + file
        parts.append(b"--" + boundary.encode() + b"\r\n" + head + b"\r\n\r\n" + data + b"\r\n")
    end = b"--" + boundary.encode() + b"--\r\n"
    return b"".join(parts) + end, f"multipart/form-data; boundary={boundary}"


def wait_for(what: Any, seconds: float = 10) -> None:
    """Ask until it is so.

    Raises:
        AssertionError: it is not so by then.
    """
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def documented() -> dict[str, Any]:
    """What a service says of itself in OpenAPI, but for its version."""
    with TemporaryDirectory() as folder, running(Path(folder)) as service:
        found: dict[str, Any] = service.ask("GET", "/openapi.json").json
    del found["info"]["version"]
    return found


if __name__ == "__main__":
    print(json.dumps(documented(), indent=1, sort_keys=True))
