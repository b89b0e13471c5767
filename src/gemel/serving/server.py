"""`serve`: the service on a port, until it is told to stop."""

import socket
import ssl
import webbrowser
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import uvicorn

from gemel.errors import SettingsError
from gemel.gallery import Gallery
from gemel.inputs import AnyInput
from gemel.model import Siamese
from gemel.serving.app import make_app
from gemel.serving.connections import Connection
from gemel.serving.live import Live
from gemel.serving.logs import configure
from gemel.serving.settings import Settings

CONNECTIONS = 1000
"""The most open connections; beyond them the answer is 503."""
WAITING = 2048
"""Connections that may wait to be taken, those among them that come before the service is up."""


def serve(
    model: str | PathLike[str],
    gallery: str,
    settings: Settings | None = None,
    *,
    input: AnyInput | None = None,
    keep_originals: bool | None = None,
    one_by_one: bool = False,
    open_browser: bool = False,
    say: Callable[[str], object] = print,
) -> None:
    """Serve a gallery and its page, until SIGTERM or Ctrl-C; what is in flight then is answered.

    Args:
        model: the model's file.
        gallery: the gallery's file or URL; made where there is none.
        settings: how the service behaves; default: on 127.0.0.1, port 8000.
        input: the model's input, where it is one that gemel does not make: the items of a request
            are then files, and come to its `read` as bytes.
        keep_originals: when the gallery is made: whether enrolled items are kept whole.
        one_by_one: let a joint comparer look at each original.
        open_browser: open the page.
        say: gets the line that tells where the page is.

    Raises:
        SettingsError: a setting that is not possible, the port is taken, or the certificate and
            its key cannot be used.
        GemelError: the model or the gallery cannot be opened.
    """
    settings = Settings() if settings is None else settings
    listening = _listen(settings)
    try:
        _check_certificate(settings)

        def open_gallery(loaded: Siamese, create: bool) -> Gallery:
            return Gallery.open(
                gallery,
                loaded,
                create=create,
                keep_originals=keep_originals if create else None,
                one_by_one=one_by_one,
            )

        app = make_app(lambda: Live(Path(model), gallery, open_gallery, input=input), settings)
        configure(settings.log_format)
        url = settings.url_at(listening.getsockname()[1])
        say(f"the page is at {url}  (Ctrl-C stops)")
        if open_browser:
            webbrowser.open(url)
        uvicorn.Server(uvicorn.Config(app, http=Connection, **_options(settings))).run([listening])
    finally:
        listening.close()


def _listen(settings: Settings) -> socket.socket:
    """The socket, taken before anything is loaded, so that a taken port is told at once.

    Raises:
        SettingsError: it cannot be taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(WAITING)
        except BaseException:
            found.close()
            raise
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {settings.host}, port {settings.port}: {error.strerror}; choose "
            "another port: --port"
        ) from error
    return found


def _check_certificate(settings: Settings) -> None:
    """Look at the TLS files before anything is opened or made.

    Raises:
        SettingsError: they cannot be used.
    """
    if settings.certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.certificate, settings.private_key
        )
    except OSError as error:
        raise SettingsError(
            f"cannot use the certificate {settings.certificate} with the private key "
            f"{settings.private_key}: {error.strerror or error}; expected two PEM files that can "
            "be read and belong together"
        ) from error


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "access_log": False,
        "lifespan": "on",
        "limit_concurrency": CONNECTIONS,
        "log_config": None,
        "proxy_headers": False,  # whose address it is, nobody else may say
        "server_header": False,
        "ssl_certfile": settings.certificate,
        "ssl_keyfile": settings.private_key,
        "timeout_graceful_shutdown": settings.grace,
        "ws": "none",
    }
