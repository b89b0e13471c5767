"""A service that a browser can be sent to, and hands that draw; not a test itself."""

import io
import math
import shutil
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image, ImageDraw

import gemel
from gemel import Gallery, Siamese, encoders, inputs, metrics
from gemel.data import drawn
from gemel.serving.app import make_app
from gemel.serving.keys import Keys
from gemel.serving.live import Live
from gemel.serving.settings import Settings

CHROMIUM = shutil.which("chromium")
MAX_PIXELS = 200_000
COUNT = 4
Stroke = Sequence[tuple[float, float]]

_CIRCLE = [i / 7 * math.pi for i in range(15)]
RING = [(0.5 + 0.25 * math.cos(a), 0.42 + 0.25 * math.sin(a)) for a in _CIRCLE]
VENUS: list[Stroke] = [RING, [(0.5, 0.67), (0.5, 0.92)], [(0.3, 0.82), (0.7, 0.82)]]
CORNER: list[Stroke] = [[(0.3, 0.2), (0.3, 0.8), (0.7, 0.8)]]


def pictures_model(path: Path) -> Path:
    """An untrained network, calibrated on drawn symbols."""
    network = encoders.Conv(width=(4, 8), dim=8)
    given = inputs.Images(16, channels=1, light_on_dark=True, trim=True)
    model = Siamese(given, network, metrics.Cosine(), seed=0)
    symbols = drawn(alphabets=3, characters=6, drawers=6, size=16, seed=3, name="symbols")
    gemel.calibrate(model, symbols, false_accepts=0.05)
    model.save(path)
    return path


def numbers_model(path: Path, threshold: float | None = 0.5) -> Path:
    """A linear map of rows of four numbers, without a calibration."""
    model = Siamese(inputs.Numbers(COUNT), encoders.Dense((), dim=COUNT), metrics.Euclidean())
    model.threshold = threshold
    model.save(path)
    return path


def picture(strokes: Sequence[Stroke], side: int = 120) -> bytes:
    """Strokes as a PNG, black on white."""
    image = Image.new("L", (side, side), 255)
    pen = ImageDraw.Draw(image)
    for stroke in strokes:
        pen.line([(x * side, y * side) for x, y in stroke], fill=0, width=side // 28)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


class Service:
    """A service in a thread; it can go, and come back on its port."""

    def __init__(self, model: Path, gallery: Path, keys: Path | None = None) -> None:
        self._model = model
        self._gallery = gallery
        self._keys = keys
        self._port = 0
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.start()

    def take(self, gallery: Path) -> "Service":
        """Serve a copy of `gallery` from now on; it is opened at the next request."""
        copy = self._gallery.with_suffix(".new")
        shutil.copy(gallery, copy)
        copy.replace(self._gallery)
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/"

    def start(self) -> None:
        listening = socket.create_server(("127.0.0.1", self._port))
        self._port = listening.getsockname()[1]
        settings = Settings(port=self._port, keys=self._keys, max_pixels=MAX_PIXELS, grace=1)

        def open_gallery(model: Siamese, create: bool) -> Gallery:
            keep = True if create else None
            return Gallery.open(self._gallery, model, create=create, keep_originals=keep)

        app = make_app(lambda: Live(self._model, str(self._gallery), open_gallery), settings)
        options: dict[str, Any] = {"log_config": None, "access_log": False, "ws": "none"}
        options["timeout_graceful_shutdown"] = settings.grace
        self._server = uvicorn.Server(uvicorn.Config(app, **options))
        self._thread = threading.Thread(target=self._run, args=[self._server, listening])
        self._thread.start()

    def stop(self) -> None:
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join()
        self._server = None

    @staticmethod
    def _run(server: uvicorn.Server, listening: socket.socket) -> None:
        with listening:
            server.run([listening])


def keys_file(path: Path) -> dict[str, str]:
    """A file with two keys; gives them by role."""
    keys = Keys.open(path, create=True)
    return {role: keys.add(role, role) for role in ("admin", "read")}
