"""Clients that keep a connection and do not do their part."""

import socket
import time
from pathlib import Path

import pytest
from service import Service, received, running

SHEET = b"GET /page/page.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
COUNT = 500  # of sheets: more than any buffer on the way holds


def taken(service: Service, *, after: float) -> int:
    """How many bytes a client gets that begins to read only then."""
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.settimeout(10)
        lazy.connect(("127.0.0.1", service.port))
        lazy.sendall(COUNT * SHEET)
        time.sleep(after)
        return len(received(lazy))


@pytest.mark.parametrize(("patience", "whole"), [(1.0, False), (30.0, True)])
def test_an_answer_that_nobody_takes_is_not_kept(
    tmp_path: Path, patience: float, whole: bool
) -> None:
    patches = {"gemel.serving.connections.TAKING_SECONDS": patience}
    with running(tmp_path, patches=patches) as service:
        size = len(service.ask("GET", "/page/page.css").body)
        assert (taken(service, after=4) > COUNT * size) == whole
