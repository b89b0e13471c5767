"""What is PostgreSQL's own: servers that go and come, rights, layouts, order of numbers, damage."""

import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_galleries import DIM, drawn_rows, numbers_model, open_numbers, pictures_model, tamper
from small_server import Server
from typer.testing import CliRunner

from gemel import Gallery, Items, Siamese, encoders, inputs, metrics
from gemel.cli.app import app
from gemel.errors import GalleryError, SettingsError
from gemel.gallery.layouts import STEPS
from gemel.gallery.places import address_of
from gemel.gallery.postgres import PostgresStore
from gemel.gallery.store import Facts, Store

SECRET = "hunter2"


def schema_of(url: str) -> str:
    return address_of(url).gallery


def at_once(count: int, task: Callable[[], object]) -> list[GalleryError]:
    """What went wrong in some threads that do the same at the same moment."""
    wrong: list[GalleryError] = []
    ready = threading.Barrier(count)

    def run() -> None:
        ready.wait()
        try:
            task()
        except GalleryError as error:
            wrong.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


class TestServer:
    def test_stopped_and_started_again(self, url: str, model: Siamese, server: Server) -> None:
        """While it is down a question fails; once it is back the next one is answered."""
        rows = drawn_rows(3, 0)
        with open_numbers(url, model, rows, ["ada", "bob", "cy"]) as gallery:
            server.stop()
            try:
                for ask in (
                    lambda: gallery.nearest(rows[0]),
                    lambda: gallery.enrol("dee", rows[0]),
                    gallery.list,
                ):
                    with pytest.raises(GalleryError, match="is the server running") as caught:
                        ask()
                    assert url not in str(caught.value)
            finally:
                server.start()
            assert gallery.nearest(rows[1])[0].identity == "bob"
            server.stop()
            server.start()  # nothing was asked meanwhile: nobody notices
            assert gallery.enrol("dee", rows[0] + 1) == 4
            server.kill()
            server.start()
            assert [entry.identity for entry in gallery.list()] == ["ada", "bob", "cy", "dee"]
            assert gallery.check() == ()

    def test_gone_in_the_middle(self, url: str, model: Siamese, server: Server) -> None:
        with open_numbers(url, model, drawn_rows(1, 0), ["ada"]) as gallery:
            store = gallery._store
            with pytest.raises(GalleryError, match="may or may not be there"):
                self.asked_of_a_lost_connection(store, server)
            assert store.state().changes == 1

    def asked_of_a_lost_connection(self, store: Store, server: Server) -> None:
        with store.snapshot():
            server.ask(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'gemel' AND state LIKE 'idle in%'"
            )
            store.state()

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (
                lambda url: url.replace("postgres@", f"locked:{SECRET}@"),
                "user or password is wrong",
            ),
            (lambda url: url.replace("postgres@", "locked@"), "PGPASSWORD"),
            (lambda url: url.replace("/postgres?", "/absent?"), "correct the database"),
            (lambda url: f"postgresql://u:{SECRET}@/x?host=/nowhere", "is the server running"),
            (lambda url: f"{url}&nonsense={SECRET}", "invalid connection option"),
        ],
    )
    def test_no_connection_and_no_secret(
        self,
        url: str,
        model: Siamese,
        server: Server,
        change: Callable[[str], str],
        said: str,
    ) -> None:
        server.ask("DROP ROLE IF EXISTS locked")
        server.ask("CREATE ROLE locked LOGIN PASSWORD 'sesame'")
        with pytest.raises(GalleryError, match=said) as caught:
            Gallery.open(change(url), model)
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None
        model_there = numbers_model(metrics.Cosine())
        good = url.replace("postgres@", "locked:sesame@")
        with pytest.raises(GalleryError, match="must GRANT it") as caught:
            Gallery.open(good, model_there)  # may connect, and not make a schema
        assert "sesame" not in str(caught.value)

    def test_without_pgvector(self, model: Siamese, server: Server) -> None:
        """What a user may not make, the administrator is asked for; who may makes it."""
        server.ask("DROP DATABASE IF EXISTS bare")
        server.ask("CREATE DATABASE bare")
        server.ask("GRANT CREATE ON DATABASE bare TO PUBLIC")
        server.ask("DROP ROLE IF EXISTS maker")
        server.ask("CREATE ROLE maker LOGIN")
        with pytest.raises(GalleryError, match=r"lacks pgvector.*CREATE EXTENSION vector"):
            Gallery.open(server.url("g", who="maker", database="bare"), model)
        with Gallery.open(server.url("h", database="bare"), model) as gallery:
            gallery.enrol("ada", np.ones(DIM))
        with Gallery.open(server.url("g", who="maker", database="bare"), model) as gallery:
            assert gallery.enrol("ada", np.ones(DIM)) == 1
        server.ask("DROP DATABASE bare")
        server.ask("DROP ROLE maker")

    def test_pgvector_is_put_there_once(self, model: Siamese, server: Server) -> None:
        """Four processes open the first gallery of a database at the same moment."""
        server.ask("DROP DATABASE IF EXISTS first")
        server.ask("CREATE DATABASE first")
        place = server.url("g", database="first")
        assert at_once(4, lambda: Gallery.open(place, model).close()) == []
        server.ask("DROP DATABASE first")

    def test_how_it_is_kept(self, url: str, model: Siamese) -> None:
        with Gallery.open(f"{url}&options=-csynchronous_commit%3Doff", model, timeout=3) as gallery:
            store = gallery._store
            assert isinstance(store, PostgresStore)
            for setting, value in {
                "synchronous_commit": "on",
                "lock_timeout": "3s",
                "search_path": schema_of(url),
                "client_encoding": "UTF8",
            }.items():
                assert store._server.rows("SELECT current_setting(%s)", setting)[0][0] == value
            known = store._server._connection.info.get_parameters()
            silent = int(known["keepalives_idle"]) + int(known["keepalives_interval"]) * int(
                known["keepalives_count"]
            )  # seconds until a machine that fell silent is given up
            assert silent <= 60
            assert int(known["tcp_user_timeout"]) <= 60_000


class TestWriters:
    def test_a_writer_that_does_not_end(self, url: str, model: Siamese, server: Server) -> None:
        with open_numbers(url, model, drawn_rows(1, 0), ["ada"]):
            pass
        with Gallery.open(url, model, timeout=0.05) as gallery, server.connect() as other:
            with other.transaction():
                other.execute(f"SELECT 1 FROM {schema_of(url)}.gallery FOR UPDATE")
                with pytest.raises(GalleryError, match="another process has been writing"):
                    gallery.enrol("bob", np.ones(DIM))
                assert gallery.nearest(np.zeros(DIM))[0].identity == "ada"  # reading goes on
            assert gallery.enrol("bob", np.ones(DIM)) == 2

    def test_numbers_rise_as_transactions_are_stored(self, url: str, model: Siamese) -> None:
        """Whoever has seen a number has seen all below it, with four writers at once."""
        Gallery.open(url, model).close()
        done = threading.Event()

        def write(seed: int) -> None:
            with Gallery.open(url, model, timeout=60) as gallery:
                for row in drawn_rows(25, seed):
                    gallery.enrol(f"{seed}", row)

        writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
        seen: list[int] = []
        with Gallery.open(url, model) as gallery:
            for writer in writers:
                writer.start()
            while not done.is_set():
                if not any(writer.is_alive() for writer in writers):
                    done.set()
                seen += gallery._store.block(seen[-1] if seen else 0).ids.tolist()
            assert seen == gallery._store.ids().tolist() == list(range(1, 101))
            assert gallery.check() == ()

    def test_a_snapshot_sees_one_state(self, url: str, model: Siamese) -> None:
        rows = drawn_rows(2, 0)
        with (
            open_numbers(url, model, rows[:1], ["ada"]) as gallery,
            Gallery.open(url, model) as other,
        ):
            with gallery._store.snapshot():
                before = gallery._store.state()
                other.enrol("bob", rows[1])
                assert gallery._store.state() == before
                assert gallery._store.ids().tolist() == [1]
            assert gallery._store.ids().tolist() == [1, 2]

    def test_a_full_disk(self, url: str, model: Siamese, server: Server) -> None:
        """Stands in: the server is told to say so at the 700th reference."""
        rows = drawn_rows(1000, 0)
        items = Items(rows, np.array([f"{row}" for row in range(1000)]), kind="numbers")
        schema = schema_of(url)
        with Gallery.open(url, model) as gallery:
            server.ask(
                f"CREATE FUNCTION {schema}.brim() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN IF NEW.id >= 700 THEN RAISE disk_full USING MESSAGE = 'no space left'; "
                "END IF; RETURN NEW; END$$"
            )
            server.ask(
                f"CREATE TRIGGER brim BEFORE INSERT ON {schema}.refs FOR EACH ROW "
                f"EXECUTE FUNCTION {schema}.brim()"
            )
            with pytest.raises(GalleryError, match="disk is full; nothing of this was stored"):
                gallery.enrol_items(items)
            assert gallery.stats().references == 512
            assert gallery.check() == ()
            server.ask(f"DROP TRIGGER brim ON {schema}.refs")
            assert gallery.enrol_items(items).added == 1000 - 512
            assert gallery.nearest(rows[900], 1)[0].reference == 901


class TestLayouts:
    def test_from_the_oldest(self, url: str, model: Siamese, server: Server) -> None:
        """A schema as the first layout had it, with two references in it."""
        rows = drawn_rows(2, 0)
        with server.connect() as connection:
            connection.execute(f"CREATE SCHEMA {schema_of(url)}")
            connection.execute(f"SET search_path TO {schema_of(url)}")
            connection.execute(STEPS[0])
            connection.execute(
                "INSERT INTO gallery (layout, fingerprint, dim, kind, keeps_originals, "
                "last_identity, last_reference, identity_count, reference_count) "
                "VALUES (1, %s, %s, 'numbers', false, 1, 7, 1, 2)",
                (model.fingerprint, DIM),
            )
            connection.execute("INSERT INTO identities VALUES (1, 'ada')")
            for number, row in zip((3, 7), rows, strict=True):
                connection.execute(
                    "INSERT INTO refs VALUES (%s, 1, %s, %s, %s, NULL, '2026-01-01T00:00:00')",
                    (number, row.tobytes(), zlib.crc32(row.tobytes()), bytes([number]) * 16),
                )
        with Gallery.open(url, model) as gallery:
            assert gallery.nearest(rows[1])[0].reference == 7
            assert gallery.enrol("bob", rows[0]) == 8
            assert gallery.check() == ()
        assert server.ask(f"SELECT layout FROM {schema_of(url)}.gallery") == [(len(STEPS),)]

    def test_a_newer_one_is_refused(self, url: str, model: Siamese, server: Server) -> None:
        Gallery.open(url, model).close()
        server.ask(f"UPDATE {schema_of(url)}.gallery SET layout = {len(STEPS) + 1}")
        with pytest.raises(GalleryError, match="of a newer gemel"):
            Gallery.open(url, model)

    def test_what_is_no_gallery(self, url: str, model: Siamese, server: Server) -> None:
        with pytest.raises(GalleryError, match="there is no gallery"):
            Gallery.open(url, model, create=False)
        server.ask(f"CREATE SCHEMA {schema_of(url)}")
        with pytest.raises(GalleryError, match="there is no gallery"):
            Gallery.open(url, model, create=False)
        server.ask(f"CREATE TABLE {schema_of(url)}.songs (title text)")
        with pytest.raises(GalleryError, match="of another program"):
            Gallery.open(url, model)
        server.ask(f"DROP TABLE {schema_of(url)}.songs")
        Gallery.open(url, model).close()  # an empty one, as an administrator makes it
        server.ask(f"DELETE FROM {schema_of(url)}.gallery")
        with pytest.raises(GalleryError, match="has lost what holds for all of it"):
            Gallery.open(url, model)

    def test_made_by_four_at_once(self, url: str, model: Siamese) -> None:
        new = Facts(model.fingerprint, DIM, "numbers", keeps_originals=False)
        assert at_once(4, lambda: PostgresStore(address_of(url), new).close()) == []

    def test_two_galleries_in_one_database(self, server: Server, model: Siamese) -> None:
        first, second = server.url("two_a"), server.url("two_b")
        with (
            open_numbers(first, model, drawn_rows(1, 0), ["ada"]) as a,
            Gallery.open(second, numbers_model(metrics.Cosine())) as b,
        ):
            assert b.list() == ()
            assert b.enrol("bob", np.ones(DIM)) == 1
            assert [entry.identity for entry in a.list()] == ["ada"]


class TestDamage:
    def test_in_an_embedding(self, url: str, model: Siamese) -> None:
        rows = drawn_rows(50, 0)
        with open_numbers(url, model, rows, [f"{i}" for i in range(50)]) as gallery:
            tamper(gallery, "UPDATE refs SET embedding = set_byte(embedding, 3, 1) WHERE id = 10")
            with pytest.raises(GalleryError, match=r"1 embeddings are not .* reference 10"):
                gallery.nearest(rows[9])
            assert gallery.check()[0] == "the embedding of reference 10 is not as it was stored"

    def test_in_the_counts(self, url: str, model: Siamese) -> None:
        with open_numbers(url, model, drawn_rows(2, 0), ["ada", "bob"]) as gallery:
            tamper(gallery, "UPDATE gallery SET reference_count = 5")
            assert gallery.check() == (
                "there are 2 identities and 2 references, where 2 and 5 were counted",
            )

    def test_a_table_that_is_gone(self, url: str, model: Siamese) -> None:
        with Gallery.open(url, model) as gallery:
            tamper(gallery, "DROP TABLE originals")
            with pytest.raises(GalleryError, match="a table of the gallery is gone"):
                gallery.original(1)

    def test_a_server_that_does_not_wait_for_the_disk(
        self, url: str, model: Siamese, server: Server
    ) -> None:
        with Gallery.open(url, model) as gallery:
            server.ask("ALTER SYSTEM SET fsync = off")
            server.ask("SELECT pg_reload_conf()")
            time.sleep(0.2)
            try:
                assert "fsync = off" in gallery.check()[0]
            finally:
                server.ask("ALTER SYSTEM RESET fsync")
                server.ask("SELECT pg_reload_conf()")


class TestRemoved:
    def test_what_is_left_is_said(self, url: str, model: Siamese) -> None:
        with open_numbers(url, model, drawn_rows(2, 0), ["ada", "bob"]) as gallery:
            found = gallery.remove("ada")
            assert not found.erased
            assert "its log (WAL), backups and replicas may hold" in str(found)
            assert gallery.stats().references == 1


class TestCommands:
    """A URL where a path stands elsewhere."""

    def test_of_a_gallery(self, url: str, small_model: Siamese, few: Items, tmp_path: Path) -> None:
        from PIL import Image

        small_model.threshold = 0.001
        small_model.save(tmp_path / "a.gemel")
        Image.fromarray(few.values[0]).save(tmp_path / "0.png")
        model, item = str(tmp_path / "a.gemel"), str(tmp_path / "0.png")
        for words, output in (
            (["enrol", model, url, "ada", item], "ada: reference 1"),
            (["enrol", model, url, "bob", item], "bob: reference 2"),
            (["gallery", "list", model, url, "--after", "ada", "--most", "1"], "bob: 1 reference"),
            (["verify", model, url, "ada", item], "same"),
            (["gallery", "check", model, url], "the gallery is whole"),
            (["gallery", "stats", model, url], "exact (pgvector)"),
            (["remove", model, url, "bob"], "removed 1 reference of bob"),
        ):
            result = CliRunner().invoke(app, words, catch_exceptions=False)
            assert result.exit_code == 0, result.output
            assert output in result.output

    def test_a_joint_comparer(self, url: str, few: Items) -> None:
        model = Siamese(
            inputs.Images(16, channels=1), encoders.Joint(encoders.Conv(width=4, dim=1))
        )
        with pytest.raises(SettingsError, match="no embeddings to keep or to search"):
            Gallery.open(url, model)
        with pytest.raises(GalleryError, match="there is no gallery"):
            Gallery.open(url, model, one_by_one=True)
        Gallery.open(url, model, keep_originals=True, one_by_one=True).close()
        with Gallery.open(url, model, one_by_one=True) as gallery:
            gallery.enrol("ada", few.values[0])
            assert gallery.nearest(few.values[1])[0].identity == "ada"
            assert gallery.check() == ()
        with pytest.raises(SettingsError, match="chosen when it was made") as caught:
            Gallery.open(url, pictures_model(), keep_originals=False)
        assert "postgres@" not in str(caught.value)
