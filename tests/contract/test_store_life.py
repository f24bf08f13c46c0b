"""A store's life: made, migrated, opened, shared, watched, full, locked, its keys changed."""

import asyncio
import base64
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from contract.store_kit import START, Hub
from inkwire.config import Settings, load_settings
from inkwire.errors import (
    CipherError,
    ConfigError,
    Conflict,
    NotFound,
    StoreBusy,
    StoreFull,
    StoreOutdated,
)
from inkwire.model.crm import FolderState
from inkwire.model.event import DedupeKind, EventState
from inkwire.model.receipt import Stored
from inkwire.model.verdict import Accepted
from inkwire.model.work import CommandState, WorkState
from inkwire.store import open as open_module
from inkwire.store import schema, schema_sending
from inkwire.store.contract import TOPICS
from inkwire.store.keys import key_file, load_keyring, rotate
from inkwire.store.open import migrate, open_store

NEW = EventState.NEW


def new_key() -> str:
    """A master key as it is configured."""
    return base64.b64encode(os.urandom(32)).decode()


@pytest.fixture
def empty(request: pytest.FixtureRequest, maker, tmp_path: Path) -> Settings:
    """Settings of a store that nobody has migrated yet."""
    if maker.dialect == "sqlite":
        return load_settings(data_dir=tmp_path / "data")
    url = request.getfixturevalue("postgres_url")
    return load_settings(data_dir=tmp_path / "data", database_url=url)


class TestMigrations:
    def test_models_and_migrations_agree(self, hub: Hub):
        """The tables that the code believes in are those that the migrations make."""
        assert schema_sending.webhooks.metadata is schema.metadata
        schema.for_postgresql()
        with hub.store._database.engine.connect() as conn:
            context = MigrationContext.configure(conn, opts={"compare_server_default": True})
            assert compare_metadata(context, schema.metadata) == []

    def test_indexes_and_storage_agree(self, maker, empty: Settings, hub: Hub):
        """What that comparison does not see: conditions of indexes, tables without row ids."""
        schema.for_postgresql()
        url = empty.store_url.replace("postgresql:", "postgresql+psycopg:")
        if maker.dialect == "sqlite":
            empty.data_dir.mkdir()
        engine = sa.create_engine(url)
        with engine.begin() as conn:
            schema.metadata.create_all(conn)
            believed = _definitions(conn)
        engine.dispose()
        with hub.store._database.engine.connect() as conn:
            made = _definitions(conn)
        assert {row for row in made if "alembic" not in row[0]} == believed

    def test_a_store_with_rows_migrates(self, empty: Settings, hub: Hub):
        """An update keeps what is there: a key of the time before is an operator's."""
        _migrate_to(empty, "0001")
        database = open_module.open_database(empty)
        with database.writing() as conn:
            conn.execute(
                sa.text(
                    "INSERT INTO api_keys (id, name, key_hash, hint, scopes, created_at, "
                    "created_by) VALUES ('key_1', 'CI', :hash, 'ink_', '[\"events:read\"]', 0, "
                    "'cli')"
                ),
                {"hash": b"h" * 32},
            )
            conn.execute(sa.text("INSERT INTO counters VALUES ('config', 0, 7)"))
        with pytest.raises(StoreOutdated, match="0001"):
            database.require_head()
        database.close()
        migrate(empty)
        store = open_store(empty, clock=hub.clock, ids=hub.ids)
        try:
            key = store.access.api_key(b"h" * 32)
            assert key is not None
            assert (key.id, key.application_id) == ("key_1", None)
            assert store.counters()["config"] == 7
            assert store.subscribers.applications() == []
        finally:
            store.close()

    def test_integrations_of_the_release_before_migrate(self, empty: Settings, hub: Hub):
        """They have one connection still, and their work waits for what it waited for."""
        _migrate_to(empty, "0004")
        database = open_module.open_database(empty)
        with database.writing() as conn:
            for text in _AT_0004:
                conn.execute(sa.text(text))
        database.close()
        migrate(empty)
        store = open_store(empty, clock=hub.clock, ids=hub.ids)
        try:
            [one] = store.integrations.all()
            assert (one.connection_id, one.second_connection_id) == ("box", None)
            claimed = store.works.claim(executor_id="w", now=hub.clock.now(), limit=9)
            assert [work.id for work in claimed] == ["wrk_1"]
            assert store.works.counts(1)[WorkState.PARKED] == 1
            assert store.record_folders.counts()[FolderState.MAPPED] == 0
            with pytest.raises(Conflict, match="int_1 uses"):
                store.connections.delete("box", audit=hub.audit())
        finally:
            store.close()

    def test_commands_of_revision_0006(self, empty: Settings, hub: Hub):
        """What stood there in plain is gone; a check that waits is carried out."""
        _migrate_to(empty, "0006")
        here = replace(hub, settings=empty)
        here.store.close()  # only what goes behind a store's back is wanted of it
        for text in _AT_0006:
            here.sql(text)
        assert b"mark-of-" in here.everything()
        migrate(empty)
        store = open_store(empty, clock=hub.clock, ids=hub.ids)
        try:
            taken = store.commands.take(now=hub.clock.now(), lease_s=30)
            assert taken is not None and (taken.id, taken.asks) == ("cmd_4", None)
            assert store.commands.take(now=hub.clock.now(), lease_s=30) is None
            for gone in ("cmd_1", "cmd_2"):
                with pytest.raises(NotFound):
                    store.commands.get(gone)
            assert store.commands.get("cmd_3").state is CommandState.DONE
            store.commands.done("cmd_4", at=hub.clock.now(), result=["x"])
            assert store.commands.get("cmd_4").result == ["x"]
        finally:
            store.close()
        if empty.database_url is None:  # its log holds old pages until it is written over
            here.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"mark-of-" not in here.everything()

    def test_this_release_needs_the_newest_revision(self):
        """`check` compares with the last migration that ships."""
        scripts = Path(schema.__file__).parent / "migrations"
        assert ScriptDirectory(str(scripts)).get_heads() == [schema.HEAD]

    def test_before_the_first_migration(self, empty: Settings, hub: Hub):
        """Nothing works, every call says what to run, and no key is made for nothing."""
        store = open_store(empty, clock=hub.clock, ids=hub.ids)
        try:
            with pytest.raises(StoreOutdated, match="inkwire migrate"):
                store.check()
            with pytest.raises(StoreOutdated, match="inkwire migrate"):
                store.inbound.seal(hub.intake())
            with pytest.raises(StoreOutdated):
                store.sources.all()
            with pytest.raises(StoreOutdated):
                store.dispatch.take(1, list)
            migrate(empty)
            assert store.check()["schema"] == schema.HEAD
            assert store.inbound.append([store.inbound.seal(hub.intake())])
        finally:
            store.close()

    def test_another_releases_schema(self, hub: Hub):
        """A schema that this release does not know is named."""
        hub.sql("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(StoreOutdated, match="9999"):
            hub.store.check()

    def test_migrating_twice_and_at_the_same_time(self, empty: Settings):
        """Many processes may start at once: one migrates, the others wait and find it done."""
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(migrate, empty) for _ in range(4)]:
                done.result(timeout=60)
        migrate(empty)

    def test_the_data_folder_is_private(self, tmp_path: Path):
        """Nobody else on the machine reads the store or its key."""
        settings = load_settings(data_dir=tmp_path / "a" / "data")
        migrate(settings)
        open_store(settings, clock=None, ids=None).close()
        assert settings.data_dir.stat().st_mode & 0o777 == 0o700
        for path in settings.data_dir.iterdir():
            assert path.stat().st_mode & 0o077 == 0, path

    def test_a_check_tells_the_facts(self, hub: Hub):
        """What doctor and readiness show."""
        facts = hub.store.check()
        assert facts["dialect"] == hub.dialect
        assert facts["journal"] == "wal"
        assert facts["bytes"] > 0
        assert all(isinstance(text, str) for text in facts["warnings"])


class TestOpening:
    @pytest.mark.parametrize(
        "url", ["mysql://u:p@h/d", "nonsense", "sqlite://", "postgresql://u:hunter2@h:x/d"]
    )
    def test_a_wrong_address(self, tmp_path: Path, url: str):
        """The message names the setting and never the password."""
        with pytest.raises(ConfigError, match="INKWIRE_DATABASE_URL") as caught:
            migrate(load_settings(data_dir=tmp_path, database_url=url))
        assert "hunter2" not in caught.value.message

    def test_a_server_that_is_not_there(self, tmp_path: Path):
        """A database that is down is busy, not broken."""
        settings = load_settings(
            data_dir=tmp_path, database_url="postgresql://u:hunter2@127.0.0.1:1/d"
        )
        with pytest.raises(StoreBusy) as caught:
            open_store(settings, clock=None, ids=None)
        assert "hunter2" not in caught.value.message

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path):
        """The message names the setting."""
        (tmp_path / "file").write_text("x")
        with pytest.raises(ConfigError, match="INKWIRE_DATA_DIR"):
            migrate(load_settings(data_dir=tmp_path / "file" / "data"))

    def test_closing_twice(self, hub: Hub):
        """The last of several owners may close again."""
        hub.store.close()
        hub.store.close()


class TestKeys:
    def test_another_master_key_is_refused_at_once(self, hub: Hub):
        """A store sealed by another key does not open, and the message names the key it needs."""
        needed = load_keyring(hub.settings).current.id.hex()
        wrong = hub.settings.model_copy(
            update={"master_key": load_settings(master_key=new_key()).master_key}
        )
        with pytest.raises(CipherError, match=needed):
            open_store(wrong, clock=hub.clock, ids=hub.ids)

    def test_a_lost_key_file_is_not_replaced(self, hub: Hub):
        """A new key beside sealed values would only hide the loss."""
        key_file(hub.settings).unlink()
        with pytest.raises(ConfigError, match="put it back"):
            hub.open()
        assert not key_file(hub.settings).exists()

    def test_after_a_rotation_old_and_new_open(self, hub: Hub):
        """The new key seals, the old one still opens; after re-wrapping it can go."""
        hub.add_source("box", hub.secret(b"top"))
        intakes = [hub.intake(hub.event(b"%d" % n), body=b"body %d" % n) for n in range(7)]
        hub.put(*intakes)
        old = key_file(hub.settings).read_text()
        hub.store.close()
        rotate(hub.settings)
        hub.store = hub.open()
        late = hub.intake(hub.event(b"late"))
        hub.put(late)
        counts = []
        while done := hub.store.rewrap(limit=3):
            counts.append(done)
        assert sum(counts) == 7 + 2, "seven receipts, one secret, the hub's key"
        assert max(counts) <= 5
        assert hub.store.rewrap() == 0
        hub.store.close()
        path = key_file(hub.settings)
        path.write_text(path.read_text().replace(old, ""))
        assert len(load_keyring(hub.settings).keys) == 1
        hub.store = hub.open()
        for intake in (*intakes, late):
            assert hub.store.inbound.open_receipt(intake.receipt_id).body == intake.body
        assert hub.store.sources.open_secrets(START)["box"][0].value == b"top"
        assert hub.state(hub.put_event(b"3")) is EventState.DUPLICATE, "the hub's key is the same"

    def test_a_receipt_of_a_removed_key_names_it(self, hub: Hub):
        """Removing a key too early is told in plain words, and putting it back helps."""
        intake = hub.intake()
        hub.put(intake)
        old = load_keyring(hub.settings).current.id.hex()
        hub.store.close()
        rotate(hub.settings)
        hub.store = hub.open()
        hub.store._rewrapper._walks = []
        hub.store.rewrap()
        hub.store.close()
        path = key_file(hub.settings)
        both = path.read_text()
        path.write_text(both.splitlines()[0])
        hub.store = hub.open()
        with pytest.raises(CipherError, match=old):
            hub.store.inbound.open_receipt(intake.receipt_id)
        hub.store.close()
        path.write_text(both)
        hub.store = hub.open()
        assert hub.store.inbound.open_receipt(intake.receipt_id).body == intake.body

    def test_nothing_plain_reaches_the_disk(self, hub: Hub):
        """Bodies, headers, canonical text and secrets lie sealed, in file, log and free pages."""
        marks = {name: os.urandom(12).hex().encode() for name in ("body", "head", "canon", "key")}
        hub.add_source("box", hub.secret(marks["key"]))
        proof = Accepted(secret_id="s", canonical=b'{"c":"' + marks["canon"] + b'"}')
        fields = {
            "body": b'{"b":"' + marks["body"] + b'"}',
            "headers": ((b"authorization", b"Bearer " + marks["head"]),),
            "proof": proof,
        }
        event = hub.event(marks["body"], dedupe_kind=DedupeKind.DERIVED)
        hub.put(hub.intake(event, **fields), hub.stale(**fields))
        hub.dispatch(terms=["findable-term"])
        everything = hub.everything()
        assert b"findable-term" in everything, "the search looks where the data is"
        for name, mark in marks.items():
            assert mark not in everything, name
            assert base64.b64encode(mark)[:12] not in everything, name


class TestTogether:
    def test_one_key_from_many_threads(self, hub: Hub):
        """Eight threads send the same event at the same moment: exactly one is new."""
        start = threading.Barrier(8)

        def send(_number: int):
            intakes = [hub.intake(hub.event(b"%d" % n)) for n in range(10)]
            start.wait(timeout=20)
            return [outcome.states[0] for outcome in hub.put(*intakes)]

        with ThreadPoolExecutor(8) as pool:
            columns = list(zip(*pool.map(send, range(8)), strict=True))
        assert [states.count(NEW) for states in columns] == [1] * 10
        assert [states.count(EventState.DUPLICATE) for states in columns] == [7] * 10

    def test_keys_in_opposite_orders(self, hub: Hub):
        """Two batches that hold the same keys the other way round do not wait for each other."""

        def send(order: list[int]) -> int:
            new = 0
            for round_ in range(15):
                events = [hub.event(b"%d-%d" % (round_, n)) for n in order]
                new += sum(
                    outcome.states == (NEW,) for outcome in hub.put(*map(hub.intake, events))
                )
            return new

        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(send, [list(range(30)), list(range(29, -1, -1))]))
        assert sum(found) == 15 * 30

    def test_one_key_from_two_processes(self, hub: Hub):
        """The same holds between processes, which share nothing but the store."""
        code = (
            "import sys; from pathlib import Path; from contract.store_kit import Hub;"
            "from inkwire.config import load_settings;"
            "url = sys.argv[2] or None;"
            "hub = Hub(load_settings(data_dir=Path(sys.argv[1]), database_url=url));"
            "print('ready', flush=True); sys.stdin.readline();"
            "print(sum(hub.put(hub.intake(hub.event(b'%d' % n)))[0].states == ('new',)"
            " for n in range(40))); hub.store.close()"
        )
        secret = hub.settings.database_url
        command = [
            sys.executable,
            "-c",
            code,
            str(hub.settings.data_dir),
            secret.get_secret_value() if secret else "",
        ]
        tests = Path(__file__).parents[1]
        processes = [
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(tests)},
            )
            for _ in range(2)
        ]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        found = [int(process.communicate(timeout=60)[0]) for process in processes]
        assert sum(found) == 40, found


class TestTrouble:
    def test_a_locked_store_is_busy(self, hub: Hub):
        """Somebody holds the store: the batch is told so once, in time, and nothing is kept."""
        intakes = [hub.intake(hub.event(b"%d" % n)) for n in range(300)]
        with _locked(hub):
            outcomes = hub.append(*intakes)
        assert {type(outcome) for outcome in outcomes} == {StoreBusy}
        assert hub.found() == []
        assert all(isinstance(outcome, Stored) for outcome in hub.append(*intakes))

    def test_a_full_disk_keeps_nothing(self, hub: Hub):
        """No room: every waiter hears it at once; when there is room again all goes on."""
        small = hub.intake(hub.event(b"small"))
        intakes = [hub.intake(hub.event(b"%d" % n), body=os.urandom(20_000)) for n in range(300)]
        make_room = _fill_up(hub)
        outcomes = hub.append(*intakes)
        assert {type(outcome) for outcome in outcomes} == {StoreFull}
        assert hub.found() == []
        make_room()
        assert hub.put(small)[0].states == (NEW,)
        assert all(outcome.states == (NEW,) for outcome in hub.put(*intakes))

    def test_a_failed_call_moves_no_counter(self, hub: Hub):
        """Whoever watches is not woken for nothing."""
        before = hub.store.counters()
        with pytest.raises(NotFound):
            hub.store.sources.delete("none", audit=hub.audit())
        make_room = _fill_up(hub)
        hub.append(*(hub.intake(body=os.urandom(900_000)) for _ in range(3)))
        make_room()
        assert hub.store.counters() == before


class TestWatching:
    async def test_it_tells_at_once_and_after_each_commit(self, hub: Hub):
        """A watcher hears of another store's commits within moments; reads do not wake it."""
        other = await asyncio.to_thread(hub.open)
        try:
            async with aclosing(other.watch()) as changes:
                async with asyncio.timeout(20):
                    assert await anext(changes) == dict.fromkeys(TOPICS, 0)
                    await asyncio.to_thread(hub.put_event)
                    assert (await anext(changes))["event"] == 1
                    await asyncio.to_thread(hub.add_source)
                    assert (await anext(changes))["config"] == 1
                    await asyncio.to_thread(hub.dispatch)
                    assert (await anext(changes))["dispatched"] == 1
                loop = asyncio.get_running_loop()
                following = asyncio.ensure_future(anext(changes))
                await asyncio.wait({following}, timeout=0.2)
                assert not following.done(), "nothing happened, nothing is told"
                before = loop.time()
                await asyncio.to_thread(hub.put_event, b"2")
                async with asyncio.timeout(20):
                    assert (await following)["event"] == 2
                assert loop.time() - before < 0.9, "not by the poll behind it"
        finally:
            other.close()

    async def test_it_ends_when_the_caller_stops(self, hub: Hub):
        """No connection stays behind."""
        async with aclosing(hub.store.watch()) as changes:
            await anext(changes)
        with pytest.raises(StopAsyncIteration):
            await anext(changes)

    async def test_it_survives_a_lost_connection(self, hub: Hub):
        """A restarted database server costs the watcher time, not the news."""
        async with aclosing(hub.store.watch()) as changes:
            await anext(changes)
            if hub.dialect == "postgresql":
                await asyncio.to_thread(_cut_watchers, hub)
            await asyncio.to_thread(hub.put_event)
            async with asyncio.timeout(20):
                assert (await anext(changes))["event"] == 1


_WORK = (
    "INSERT INTO work (id, integration_id, key, workflow, entity_key, origin, subject, state, "
    "run_number, failures, takeovers, due_at, park_cause, note, cancel_asked, created_at) VALUES "
    "('{id}', 1, '{id}', 'x', '{id}', 'webhook', '{{}}', '{state}', 1, 0, 0, 0, {cause}, '', "
    "false, 0)"
)
#: What a store of revision 0004 may hold.
_AT_0004 = (
    "INSERT INTO connections (id, provider, name, method, settings, health, health_note, "
    "generation, created_at, updated_at) VALUES "
    "('box', 'box', 'Box', 'ccg', '{}', 'ok', '', 0, 0, 0)",
    "INSERT INTO integrations (id, kind, name, state, settings, connection_id, source_ids, "
    "remote, created_at, updated_at) VALUES "
    "(1, 'x', 'X', 'active', '{}', 'box', '[]', '{}', 0, 0)",
    _WORK.format(id="wrk_1", state="new", cause="NULL"),
    _WORK.format(id="wrk_2", state="parked", cause="'person'"),
    "INSERT INTO work_lanes (integration_id, entity_key, work_id, due_at) "
    "VALUES (1, 'wrk_1', 'wrk_1', 0)",
)


_COMMAND = (
    "INSERT INTO commands (id, kind, target, state, result, error, created_at, created_by, "
    "done_at) VALUES ('{id}', '{kind}', 'box', '{state}', {value}, '', 0, 'user:ada', {done})"
)
#: Questions with their plain text, an answered check without, and one that waits.
_AT_0006 = (
    _COMMAND.format(
        id="cmd_1", kind="ask", state="new", value='\'{"a":"mark-of-one"}\'', done="NULL"
    ),
    _COMMAND.format(id="cmd_2", kind="ask", state="done", value="'[\"mark-of-two\"]'", done=1),
    _COMMAND.format(id="cmd_3", kind="check_connection", state="done", value="NULL", done=1),
    _COMMAND.format(id="cmd_4", kind="check_connection", state="new", value="NULL", done="NULL"),
)


def _migrate_to(settings: Settings, revision: str) -> None:
    """As an older release migrated it."""
    config = Config()
    config.set_main_option("script_location", "inkwire.store:migrations")
    config.set_main_option("path_separator", "os")
    database = open_module.open_database(settings)
    with database.migrating() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, revision)
    database.close()


def _definitions(conn: sa.Connection) -> set[tuple[object, ...]]:
    """Every index as the database describes it; on SQLite also how each table is kept."""
    if conn.dialect.name == "postgresql":
        found = conn.exec_driver_sql(
            "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        )
        return {tuple(row) for row in found}
    indexes = conn.exec_driver_sql(
        "SELECT tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    )
    kept = conn.exec_driver_sql(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite%'"
    )
    said = {(name, " ".join(sql.replace("WHERE (", "WHERE ").split())) for name, sql in indexes}
    return {(name, sql.rstrip(")")) for name, sql in said} | {tuple(row) for row in kept}


def _cut_watchers(hub: Hub) -> None:
    hub.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'inkwire-watch'"
    )


def _locked(hub: Hub):
    """Holds the whole store as a stranger's program would."""
    database = hub.store._database
    if hub.dialect == "sqlite":
        engine = sa.create_engine(f"sqlite:///{hub.settings.data_dir / 'inkwire.db'}")
        begin = "BEGIN EXCLUSIVE"
    else:
        engine, begin = database.engine, "LOCK TABLE receipts IN ACCESS EXCLUSIVE MODE"

    class Held:
        def __enter__(self) -> None:
            self.conn = engine.connect()
            self.conn.exec_driver_sql(begin)

        def __exit__(self, *_error: object) -> None:
            self.conn.rollback()
            self.conn.close()
            if engine is not database.engine:
                engine.dispose()

    return Held()


def _fill_up(hub: Hub) -> Callable[[], None]:
    """Takes the room away; returns how it comes back.

    SQLite: the page limit, which gives the very error of a full disk. PostgreSQL: a trigger that
    raises the server's own code for it.
    """
    if hub.dialect == "sqlite":
        writer = hub.store._database._writer

        def limit(pages: int) -> None:
            writer.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            writer.rollback()

        limit(writer.exec_driver_sql("PRAGMA page_count").scalar() + 4)
        return lambda: limit(1_000_000)
    hub.sql(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END$$"
    )
    hub.sql(
        "CREATE TRIGGER full_disk BEFORE INSERT ON events "
        "FOR EACH STATEMENT EXECUTE FUNCTION full_disk()"
    )
    return lambda: hub.sql("DROP TRIGGER full_disk ON events")
