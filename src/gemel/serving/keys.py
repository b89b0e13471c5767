"""API keys: who may ask, and who may change a gallery.

A key is 256 random bits. What is stored of it is SHA-256 of a salt and the key, which is fast, and
right here: slow hashes (Argon2, scrypt) make up for passwords that can be guessed, as in OWASP's
Password Storage Cheat Sheet, and 2^256 keys cannot. NIST SP 800-63B (5.1.2.2) and OWASP ASVS 4.0
(2.6.2) ask for slow or salted hashes only below 112 bits of randomness. The salt hides whether two
files hold the same key.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from gemel.errors import SettingsError

FORMAT = 1
PREFIX = "gemel_"
Role = Literal["read", "admin"]

_KEY = re.compile(PREFIX + "[A-Za-z0-9_-]{43}")
_NAME = re.compile("[A-Za-z0-9._@-]{1,64}")
_SALT_BYTES = 16
_HASHED = {"salt": re.compile("[0-9a-f]{32}"), "hash": re.compile("[0-9a-f]{64}")}
_Seen = tuple[int, ...]


@dataclass(frozen=True)
class Key:
    """What is known of a key, without the key.

    Attributes:
        name: whose it is; it stands in logs.
        role: "read" asks, "admin" changes the gallery too.
        made: when, by the clock of the machine, in UTC.
    """

    name: str
    role: Role
    made: str


@dataclass(frozen=True)
class _Stored:
    key: Key
    salt: bytes
    hash: bytes

    def is_of(self, presented: str) -> bool:
        return hmac.compare_digest(self.hash, _hash(self.salt, presented))

    def as_dict(self) -> dict[str, str]:
        return {
            "name": self.key.name,
            "role": self.key.role,
            "made": self.key.made,
            "salt": self.salt.hex(),
            "hash": self.hash.hex(),
        }


def new_key() -> str:
    """A new key: `gemel_` and 43 characters that stand for 32 random bytes."""
    return PREFIX + secrets.token_urlsafe(32)


class Keys:
    """The keys of one file. Open it with `Keys.open`.

    A file without any key is one that lets nobody in. Threads may share an object of this class.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # one attribute, so that a thread sees keys and the file that they came from together
        self._read: tuple[_Seen | None, tuple[_Stored, ...]] = (None, ())

    @classmethod
    def open(cls, path: str | Path, *, create: bool = False) -> "Keys":
        """The keys in the file at `path`; with `create`, an empty one is made where there is none.

        Raises:
            SettingsError: the file is missing, damaged, of a newer gemel, cannot be read or
                written, or can be read by others than its owner.
        """
        keys = cls(Path(path))
        if create and not keys.path.exists():
            with _locked(keys.path):
                if not keys.path.exists():
                    _write(keys.path, ())
        keys._load()
        return keys

    def role_of(self, presented: str) -> Key | None:
        """Whose key this is, or None.

        How long it takes tells nothing of the keys: all are compared, each in constant time. Only
        what does not have the shape of a key, which is no secret, is refused at once.
        """
        if not _KEY.fullmatch(presented):
            return None
        found = None
        for stored in self._read[1]:
            if stored.is_of(presented):
                found = stored.key
        return found

    def add(self, name: str, role: Role) -> str:
        """Make a key and store its hash. The key is returned here, and never again.

        Raises:
            SettingsError: the name is taken or not possible, the role is unknown, or the file
                cannot be read or written.
        """
        if not _NAME.fullmatch(name):
            raise SettingsError(
                f"the name of a key has 1 to 64 letters a-z, digits, and . _ @ -; got {name!r}"
            )
        if role not in get_args(Role):
            raise SettingsError(f"the role of a key is 'read' or 'admin'; got {role!r}")
        key, salt = new_key(), secrets.token_bytes(_SALT_BYTES)
        made = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        with _locked(self.path):
            known = self._load()
            if any(stored.key.name == name for stored in known):
                raise SettingsError(
                    f"{self.path} has a key named {name}; remove it first, or take another name"
                )
            _write(self.path, [*known, _Stored(Key(name, role, made), salt, _hash(salt, key))])
            self._load()
        return key

    def remove(self, name: str) -> None:
        """Remove a key: it opens nothing from the next `reload_if_changed` of any process on.

        Raises:
            SettingsError: there is no key of this name, or the file cannot be read or written.
        """
        with _locked(self.path):
            known = self._load()
            rest = [stored for stored in known if stored.key.name != name]
            if len(rest) == len(known):
                raise SettingsError(
                    f"{self.path} has no key named {name!r}; `gemel keys list {self.path}` names "
                    "them"
                )
            _write(self.path, rest)
            self._load()

    def list(self) -> tuple[Key, ...]:
        """All keys, the oldest first."""
        return tuple(stored.key for stored in self._read[1])

    def reload_if_changed(self) -> bool:
        """Read the file again if it, or its rights, changed; whether they did.

        It costs one look at the file's facts, so ask it before every request. Where the file can
        no longer be used, no key is good until it can.

        Raises:
            SettingsError: as of `open`, at every call until the file is mended.
        """
        try:
            if _seen(self.path.stat()) == self._read[0]:
                return False
        except OSError:
            pass  # reading it says what is wrong
        self._load()
        return True

    def _load(self) -> tuple[_Stored, ...]:
        try:
            self._read = _load(self.path)
        except SettingsError:
            self._read = (None, ())
            raise
        return self._read[1]


def _hash(salt: bytes, key: str) -> bytes:
    return hashlib.sha256(salt + key.encode()).digest()


def _seen(facts: os.stat_result) -> _Seen:
    """What changes when a file does; the change time tells of rights, and cannot be set back."""
    return facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time: else a key that one removes comes back with what another writes.

    The lock is on the folder, since the file itself is replaced.
    """
    import fcntl  # POSIX only; a service without keys needs none of this

    folder = path.resolve().parent
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise SettingsError(
            f"cannot use the folder {folder} of the keys: {error.strerror}; make it first, and "
            "correct its rights"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _load(path: Path) -> tuple[_Seen, tuple[_Stored, ...]]:
    """The keys of a file, and which file that was, so that no change between the two is missed."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            facts = os.fstat(file.fileno())
            _check_rights(path, facts)
            text = file.read()
    except FileNotFoundError as error:
        raise SettingsError(
            f"there is no file of keys {path}; make one: gemel keys add {path} NAME --role admin"
        ) from error
    except OSError as error:
        raise SettingsError(
            f"the keys {path} cannot be read: {error.strerror}; correct the path or its rights"
        ) from error
    try:
        return _seen(facts), _parsed(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{path} is damaged, or no file of keys: {error}; take it from a copy, or make the "
            "keys anew: gemel keys add"
        ) from error


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe, which is none, does not keep the reader waiting."""
    return os.open(path, flags | os.O_NONBLOCK)


def _check_rights(path: Path, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise SettingsError(f"{path} is no regular file; expected a file of keys")
    if facts.st_mode & 0o077:
        raise SettingsError(
            f"others than its owner may read or change the keys {path} (mode "
            f"{stat.S_IMODE(facts.st_mode):04o}); take that right away: chmod 600 {path}"
        )


def _parsed(facts: Any) -> tuple[_Stored, ...]:
    if facts["format"] != FORMAT:
        raise ValueError(f"its format is {facts['format']!r}, and this gemel reads {FORMAT}")
    known = tuple(_parsed_key(one) for one in facts["keys"])
    if len({stored.key.name for stored in known}) != len(known):
        raise ValueError("two keys have one name")
    return known


def _parsed_key(one: dict[str, str]) -> _Stored:
    good = (
        _NAME.fullmatch(one["name"])
        and one["role"] in get_args(Role)
        and isinstance(one["made"], str)
        and all(shape.fullmatch(one[field]) for field, shape in _HASHED.items())
    )
    if not good:
        raise ValueError("what it says of a key is not what was written")
    role: Role = "admin" if one["role"] == "admin" else "read"
    key = Key(one["name"], role, one["made"])
    return _Stored(key, bytes.fromhex(one["salt"]), bytes.fromhex(one["hash"]))


def _write(path: Path, known: Sequence[_Stored]) -> None:
    """Replace the file at once or not at all; it is its owner's alone from its first byte on."""
    text = json.dumps({"format": FORMAT, "keys": [one.as_dict() for one in known]}, indent=2)
    whole = path.resolve()  # a link stays a link
    try:
        descriptor, temporary = tempfile.mkstemp(dir=whole.parent, prefix=f".{whole.name}.")
        try:
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
                _keep_owner(whole, descriptor)
                file.write(text + "\n")
                file.flush()
                os.fsync(descriptor)
            Path(temporary).replace(whole)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise SettingsError(
            f"cannot write the keys {path}: {error.strerror}; its folder must exist, be writable "
            "and have room"
        ) from error


def _keep_owner(path: Path, descriptor: int) -> None:
    """What root changes stays the service's own."""
    if path.exists() and (old := path.stat()).st_uid != os.fstat(descriptor).st_uid:
        os.fchown(descriptor, old.st_uid, old.st_gid)
