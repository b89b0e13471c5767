"""Keys: who gets in, what the file gives away, and when a removed key is refused."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import SettingsError
from gemel.serving import keys as keys_module
from gemel.serving.keys import Keys, new_key


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def change(file: Path, **facts: Any) -> None:
    """Change the first key of a file by hand."""
    whole = json.loads(file.read_text())
    whole["keys"][0].update(facts)
    file.write_text(json.dumps(whole))


def test_new_keys_differ_and_have_one_shape() -> None:
    made = {new_key() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"gemel_[A-Za-z0-9_-]{43}", key) for key in made)


def test_a_key_opens_with_its_own_role(file: Path) -> None:
    keys = Keys.open(file, create=True)
    front, boss = keys.add("front", "read"), keys.add("boss", "admin")
    for known in (keys, Keys.open(file)):
        for key, name, role in ((front, "front", "read"), (boss, "boss", "admin")):
            found = known.role_of(key)
            assert found is not None
            assert (found.name, found.role) == (name, role)
            assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", found.made)
    assert [key.name for key in keys.list()] == ["front", "boss"]


def test_no_other_text_opens(file: Path) -> None:
    keys = Keys.open(file, create=True)
    key = keys.add("front", "read")
    last = "A" if key[-2] != "A" else "B"
    near = key[:-2] + last + key[-1]
    for wrong in ("", "gemel_", key[:-1], key + "A", key + "\n", " " + key, near, new_key()):
        assert keys.role_of(wrong) is None
    stored = json.loads(file.read_text())["keys"][0]
    assert keys.role_of(stored["hash"]) is None


@given(st.text(max_size=80))
def test_any_text_is_answered(presented: str) -> None:
    assert Keys(Path("nowhere")).role_of(presented) is None


def test_the_file_has_a_salted_hash_and_not_the_key(file: Path) -> None:
    keys = Keys.open(file, create=True)
    key = keys.add("front", "read")
    keys.add("back", "read")
    text = file.read_text()
    assert key not in text
    assert key.removeprefix("gemel_") not in text
    one, other = json.loads(text)["keys"]
    assert set(one) == {"name", "role", "made", "salt", "hash"}
    assert one["salt"] != other["salt"]
    assert one["hash"] == hashlib.sha256(bytes.fromhex(one["salt"]) + key.encode()).hexdigest()
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_all_keys_are_compared(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys.open(file, create=True)
    made = [keys.add(name, "read") for name in "abc"]
    calls = []

    def compare(one: bytes, other: bytes) -> bool:
        calls.append(len(one))
        return one == other

    monkeypatch.setattr(keys_module.hmac, "compare_digest", compare)
    for key in (made[0], made[2], new_key()):
        calls.clear()
        keys.role_of(key)
        assert calls == [32] * 3


def test_a_removed_key_is_refused_without_opening_anew(file: Path) -> None:
    service = Keys.open(file, create=True)
    assert not service.reload_if_changed()
    admin = Keys.open(file)
    first, second = admin.add("first", "read"), admin.add("second", "admin")
    assert service.role_of(first) is None
    assert service.reload_if_changed()
    assert service.role_of(first) is not None
    assert not service.reload_if_changed()
    admin.remove("first")
    assert service.reload_if_changed()
    assert service.role_of(first) is None
    assert service.role_of(second) is not None


def test_what_another_process_wrote_is_kept(file: Path) -> None:
    one, other = Keys.open(file, create=True), Keys.open(file)
    one.add("a", "read")
    other.add("b", "read")
    one.remove("a")
    other.add("c", "read")
    assert [key.name for key in Keys.open(file).list()] == ["b", "c"]


def test_processes_at_once_lose_no_key(file: Path) -> None:
    Keys.open(file, create=True)
    script = (
        "import sys; from pathlib import Path; from gemel.serving.keys import Keys\n"
        "[Keys.open(Path(sys.argv[1])).add(f'{sys.argv[2]}{n}', 'read') for n in range(20)]"
    )
    words = [sys.executable, "-c", script, str(file)]
    running = [subprocess.Popen([*words, name]) for name in "ab"]
    assert [one.wait(60) for one in running] == [0, 0]
    expected = {f"{name}{n}" for name in "ab" for n in range(20)}
    assert {key.name for key in Keys.open(file).list()} == expected


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_rights_of_others_are_refused_when_opened_and_later(file: Path, mode: int) -> None:
    keys = Keys.open(file, create=True)
    key = keys.add("front", "read")
    file.chmod(mode)
    with pytest.raises(SettingsError, match=rf"{mode:04o}.*chmod 600"):
        Keys.open(file)
    for _ in range(2):
        with pytest.raises(SettingsError, match="chmod 600"):
            keys.reload_if_changed()
        assert keys.role_of(key) is None
    file.chmod(0o600)
    assert keys.reload_if_changed()
    assert keys.role_of(key) is not None


def test_a_file_that_is_gone_lets_nobody_in(file: Path) -> None:
    keys = Keys.open(file, create=True)
    key = keys.add("front", "admin")
    file.unlink()
    with pytest.raises(SettingsError, match="there is no file of keys"):
        keys.reload_if_changed()
    assert keys.role_of(key) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\xff",
        "[]",
        "null",
        "{}",
        '{"format": 2, "keys": []}',
        '{"format": 1, "keys": [1]}',
        '{"format": 1, "keys": [{"name": "a"}]}',
    ],
)
def test_a_damaged_file_is_refused(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match="damaged, or no file of keys"):
        Keys.open(file)


@pytest.mark.parametrize(
    "facts",
    [
        {"role": "root"},
        {"name": "a\nb"},
        {"name": 3},
        {"made": None},
        {"salt": ""},
        {"hash": "zz" * 32},
        {"name": "other"},
    ],
)
def test_a_changed_entry_is_refused(file: Path, facts: dict[str, Any]) -> None:
    keys = Keys.open(file, create=True)
    keys.add("one", "read")
    keys.add("other", "read")
    change(file)
    assert len(Keys.open(file).list()) == 2
    change(file, **facts)
    with pytest.raises(SettingsError, match="damaged"):
        Keys.open(file)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no file of keys.*gemel keys add"):
        Keys.open(tmp_path / "none")
    with pytest.raises(SettingsError, match="cannot be read"):
        Keys.open(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SettingsError, match="no regular file"):
        Keys.open(tmp_path / "pipe")
    with pytest.raises(SettingsError, match=r"cannot use the folder .*none"):
        Keys.open(tmp_path / "none" / "keys", create=True)


def test_wrong_words(file: Path) -> None:
    keys = Keys.open(file, create=True)
    keys.add("front", "read")
    with pytest.raises(SettingsError, match="has a key named front"):
        keys.add("front", "admin")
    with pytest.raises(SettingsError, match="no key named 'back'"):
        keys.remove("back")
    for name in ("", "a b", "a\n", "é", "a" * 65):
        with pytest.raises(SettingsError, match="1 to 64"):
            keys.add(name, "read")
    with pytest.raises(SettingsError, match="'read' or 'admin'"):
        Keys.add.__wrapped__(keys, "other", "root")  # past the checks of types
    assert [key.name for key in Keys.open(file).list()] == ["front"]


def test_a_write_that_fails_leaves_the_old_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys.open(file, create=True)
    key = keys.add("front", "read")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(SettingsError, match=r"cannot write the keys .*No space left"):
        keys.add("back", "read")
    assert list(file.parent.iterdir()) == [file]
    assert Keys.open(file).role_of(key) is not None


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)
    Keys.open(link, create=True).add("front", "read")
    assert link.is_symlink()
    assert len(Keys.open(file).list()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_the_owner_stays_when_root_changes_the_file(file: Path) -> None:
    keys = Keys.open(file, create=True)
    os.chown(file, 12345, 12346)
    keys.add("front", "read")
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 12346)
    assert file.stat().st_mode & 0o777 == 0o600
