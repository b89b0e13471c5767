"""The commands of keys, as a user types them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gemel.cli.app import app
from gemel.errors import SettingsError
from gemel.serving.keys import Keys

runner = CliRunner()


def run(*words: object) -> tuple[str, str]:
    """What a command writes to standard output and to standard error."""
    result = runner.invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def test_add_list_remove(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    out, told = run("keys", "add", file, "front")
    assert told == "the key of front (read); keep it, it is not shown again\n"
    found = Keys.open(file).role_of(out.removesuffix("\n"))
    assert found is not None
    assert (found.name, found.role) == ("front", "read")
    run("keys", "add", file, "boss", "--role", "admin")
    lines = run("keys", "list", file)[0].splitlines()
    assert [line.split("  ")[:2] for line in lines] == [["front", "read"], ["boss", "admin"]]
    assert run("keys", "remove", file, "front") == ("removed the key of front\n", "")
    assert Keys.open(file).role_of(out.strip()) is None
    run("keys", "remove", file, "boss")
    assert run("keys", "list", file) == ("no keys\n", "")


def test_json(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    out, told = run("keys", "add", file, "boss", "--role", "admin", "--json")
    made = json.loads(out)
    assert (made["name"], made["role"], told) == ("boss", "admin", "")
    assert Keys.open(file).role_of(made["key"]) is not None
    (listed,) = json.loads(run("keys", "list", file, "--json")[0])["keys"]
    assert set(listed) == {"name", "role", "made"}
    assert listed["name"] == "boss"
    assert json.loads(run("keys", "remove", file, "boss", "--json")[0]) == {"removed": "boss"}


def test_refusals(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    for words in (("list", file), ("remove", file, "a")):
        with pytest.raises(SettingsError, match="there is no file of keys"):
            run("keys", *words)
    assert not file.exists()
    result = runner.invoke(app, ["keys", "add", str(file), "a", "--role", "root"])
    assert result.exit_code == 2
