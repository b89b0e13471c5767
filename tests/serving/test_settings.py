"""What a service can be told."""

from pathlib import Path
from typing import Any

import pytest

from gemel.errors import SettingsError
from gemel.serving.settings import Settings


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"host": "0.0.0.0"}, "keys are needed"),
        ({"host": "::"}, "keys are needed"),
        ({"host": "gemel.example"}, "keys are needed"),
        ({"certificate": Path("c")}, "both a certificate and its private key"),
        ({"private_key": Path("k")}, "both a certificate and its private key"),
        ({"max_body": 1023}, "`max_body` must be 1024 or more; got 1023"),
        ({"rate": 0}, "`rate` must be 1 or more"),
        ({"queue": 0}, "`queue` must be 1 or more"),
    ],
)
def test_what_is_not_possible(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Settings(**wrong)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_local(host: str) -> None:
    assert Settings(host=host).is_local


def test_addresses() -> None:
    assert Settings().url_at(8000) == "http://127.0.0.1:8000/"
    tls = Settings(host="::1", certificate=Path("c"), private_key=Path("k"))
    assert tls.url_at(443) == "https://[::1]:443/"
    assert not Settings(host="0.0.0.0", keys=Path("keys")).is_local
