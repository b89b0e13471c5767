"""`gemel serve`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gemel.cli.gallery import Model, OneByOne, Originals, Place


class LogFormat(StrEnum):
    """How the log is written."""

    text = "text"
    json = "json"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(serve)


def serve(
    model: Model,
    gallery: Place,
    host: Annotated[
        str, typer.Option(help="The address to listen on; beyond this machine only with --keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8000,
    keys: Annotated[
        Path | None, typer.Option(help="A file of API keys: see `gemel keys add`.")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="A TLS certificate (PEM), with its chain.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key (PEM).")] = None,
    audit: Annotated[
        Path | None, typer.Option(help="A file for the audit log: who asked what, no images.")
    ] = None,
    log_format: Annotated[
        LogFormat | None,
        typer.Option(help="text or json [default: text on a terminal, else json]."),
    ] = None,
    max_body: Annotated[int, typer.Option(help="Bytes that a request may have.")] = 8 * 2**20,
    max_pixels: Annotated[int, typer.Option(help="Pixels that a picture may have.")] = 25_000_000,
    rate: Annotated[
        float, typer.Option(help="Requests a minute of one key, or one address.")
    ] = 6000,
    queue: Annotated[
        int, typer.Option(help="Requests in hand at one time; the next ones get 503.")
    ] = 64,
    originals: Annotated[
        Originals | None,
        typer.Option(help="When the gallery is made: keep or forget [default: forget]."),
    ] = None,
    one_by_one: OneByOne = False,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.")
    ] = False,
) -> None:
    """Serve a gallery over HTTP, with a page to use it, until Ctrl-C or SIGTERM."""
    from gemel.serving import Settings
    from gemel.serving import serve as serve_

    settings = Settings(
        host=host,
        port=port,
        keys=keys,
        certificate=tls_cert,
        private_key=tls_key,
        audit=audit,
        log_format=None if log_format is None else log_format.value,
        max_body=max_body,
        max_pixels=max_pixels,
        rate=rate,
        queue=queue,
    )
    serve_(
        model,
        gallery,
        settings,
        keep_originals=None if originals is None else originals is Originals.keep,
        one_by_one=one_by_one,
        open_browser=open_page,
        say=typer.echo,
    )
