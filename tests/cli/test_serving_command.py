"""`gemel serve`, as a user types it: what it hands to the service."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gemel import serving
from gemel.cli.app import app
from gemel.errors import SettingsError
from gemel.serving import Settings


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """What `serve` is asked for: it serves nothing."""
    asked: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    monkeypatch.setattr(serving, "serve", lambda *words, **named: asked.append((words, named)))
    return asked


def run(*words: str) -> None:
    result = CliRunner().invoke(app, ["serve", "m.gemel", "g", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_left_out_everything_is_as_in_python(served: list[Any]) -> None:
    run()
    ((words, named),) = served
    assert words == (Path("m.gemel"), "g", Settings())
    del named["say"]
    assert named == {"keep_originals": None, "one_by_one": False, "open_browser": False}


def test_every_option_arrives(served: list[Any]) -> None:
    files = "--keys k --tls-cert c --tls-key p --audit a"
    numbers = "--port 1 --max-body 2000 --max-pixels 3 --rate 4.5 --queue 5"
    words = f"--host 0.0.0.0 {files} {numbers} --log-format text --originals keep"
    run(*words.split(), "--one-by-one", "--open")
    ((words, named),) = served
    assert words[2] == Settings(
        host="0.0.0.0",
        port=1,
        keys=Path("k"),
        certificate=Path("c"),
        private_key=Path("p"),
        audit=Path("a"),
        log_format="text",
        max_body=2000,
        max_pixels=3,
        rate=4.5,
        queue=5,
    )
    del named["say"]
    assert named == {"keep_originals": True, "one_by_one": True, "open_browser": True}
    run("--originals", "forget")
    assert served[1][1]["keep_originals"] is False


def test_beyond_this_machine_only_with_keys(served: list[Any]) -> None:
    with pytest.raises(SettingsError, match="keys are needed"):
        run("--host", "0.0.0.0")
    assert not served
