"""What doctor and `/metrics` say of acting: a person learns what waits for them, and what to do."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from cli.kit import KEY
from inkwire.access.gate import CLI
from inkwire.auditing import Auditor
from inkwire.cli import acting_checks
from inkwire.config import load_settings
from inkwire.hub import open_hub
from inkwire.ingest.metrics import Metrics
from inkwire.metrics import metrics_registry
from inkwire.model.connection import Connection, ConnectionHealth, Token
from inkwire.model.work import (
    ErrorKind,
    Executor,
    Integration,
    IntegrationState,
    LedgerEntry,
    LedgerState,
    Work,
    WorkState,
)
from inkwire.store.acting import Ending, SecretText


@pytest.fixture
def hub(cli):
    """The hub that doctor looks at."""
    with open_hub(load_settings(data_dir=cli.folder)) as hub:
        yield hub


@pytest.fixture
def connection(hub):
    """A connection that nobody has tried."""
    now = hub.clock.now()
    made = Connection(
        id="box-main", provider="box", name="Box", method="ccg", settings={},
        created_at=now, updated_at=now,
    )  # fmt: skip
    secrets = [SecretText(name="client_secret", value="very-secret")]
    audit = Auditor(hub.clock, hub.ids).entry(CLI, "connection.create", made.id)
    hub.store.connections.add(made, secrets, audit=audit)
    return made


@pytest.fixture
def integration(cli, hub, connection):
    """An active integration of that connection, which hears a source."""
    cli("sources", "create", "box", "--provider", "box", "--secret", f"primary={KEY}")
    now = hub.clock.now()
    made = Integration(
        id=0, kind="box_sign_orders", name="Orders", state=IntegrationState.ACTIVE, settings={},
        connection_id=connection.id, source_ids=("box",), created_at=now, updated_at=now,
    )  # fmt: skip
    audit = Auditor(hub.clock, hub.ids).entry(CLI, "integration.create", "")
    return hub.store.integrations.add(made, audit=audit)


@pytest.fixture
def dead(hub, integration):
    """A dead letter, and a create whose outcome nobody knows."""
    now = hub.clock.now()
    work = Work(
        id=hub.ids.new("wrk"), integration_id=integration.id, key="c1", workflow="request_signature",
        entity_key="order:ord_1", due_at=now, created_at=now,
    )  # fmt: skip
    hub.store.works.add([work])
    (run,) = hub.store.works.claim(executor_id="exe_1", now=now, limit=1)
    entry = LedgerEntry(
        key="sign_request/ord_1", kind="sign_request", integration_id=integration.id,
        work_id=work.id, entity_key="order:ord_1", state=LedgerState.INTENDED, fence=0,
        updated_at=now,
    )  # fmt: skip
    hub.store.ledger.intend(entry)
    hub.store.ledger.send(entry.key, fence=0, run_id=run.run_id, at=now)
    hub.store.ledger.probed(entry.key, fence=1, at=now, doubt=True)
    ending = Ending(state=WorkState.DEAD, note="No address.", error_kind=ErrorKind.PERMANENT)
    hub.store.works.end(run.id, run_number=1, ending=ending, at=now)
    return work


def said(found):
    """Level, text and advice of each finding."""
    return [(one.level.value, one.text, one.advice) for one in found]


def test_connections_by_their_health(hub, connection):
    """Not tried warns, well tells the token's age, and what needs attention fails in its words."""
    (line,) = said(acting_checks.connections(hub))
    assert (line[0], line[2]) == ("warn", "inkwire connections check box-main")
    now, store = hub.clock.now(), hub.store.connections
    token = Token(access="t", expires_at=now + timedelta(minutes=40))
    store.put_token(connection.id, token, generation=store.token(connection.id).generation)
    store.set_health(connection.id, ConnectionHealth.OK, "", at=now)
    ((level, text, _),) = said(acting_checks.connections(hub))
    assert level == "ok" and "token ends in " in text
    store.set_health(connection.id, ConnectionHealth.NEEDS_ATTENTION, "Tick that box.", at=now)
    assert said(acting_checks.connections(hub)) == [
        ("fail", "Tick that box.", "Then: inkwire connections check box-main")
    ]


def test_integrations_with_their_problems_and_webhook(hub, integration):
    """An active one that cannot work fails by field; one that Box cannot tell anything warns."""
    found = said(acting_checks.integrations(hub))
    assert any(level == "fail" and "order_field" in text for level, text, _ in found)
    assert any(level == "warn" and "no webhook" in text for level, text, _ in found)
    hub.store.integrations.set_remote(integration.id, {"webhook_id": "77"})
    assert not any("no webhook" in text for _, text, _ in said(acting_checks.integrations(hub)))
    stored = hub.store.integrations.get(integration.id)
    audit = Auditor(hub.clock, hub.ids).entry(CLI, "integration.deactivate", stored.label)
    off = replace(stored, state=IntegrationState.INACTIVE)
    hub.store.integrations.update(off, expected=stored.updated_at, audit=audit)
    assert {level for level, _, _ in said(acting_checks.integrations(hub))} <= {"ok"}


def test_what_waits_for_a_person(hub, dead):
    """Dead letters and creates in doubt come with the commands that go on with them."""
    advice = [line[2] for line in said(acting_checks.integrations(hub)) if line[0] == "warn"]
    assert any(f"inkwire runs show {dead.id}" in one for one in advice)
    assert any("inkwire runs decide 'sign_request/ord_1'" in one for one in advice)


def test_executors_that_fell_silent(hub):
    """A living one is fine, a silent one is named, one that ended in good order is not."""
    now = hub.clock.now()
    for number, age in enumerate((1, 3600, 7200)):
        beat = now - timedelta(seconds=age)
        names = {"id": f"exe_{number}", "host": f"node{number}", "version": "1"}
        hub.store.executors.beat(Executor(**names, started_at=beat, beat_at=beat))
    hub.store.executors.stop("exe_2", at=now)
    lines = said(acting_checks.executors(hub))
    assert [level for level, _, _ in lines] == ["ok", "warn"]
    assert "node0" in lines[0][1] and "exe_1 on node1" in lines[1][1]


def test_the_engines_file_is_in_wal(tmp_path):
    """Any other journal fails; a file that is not there yet, or empty, is no fault."""
    settings = load_settings(data_dir=tmp_path)
    assert said(acting_checks.engine(settings)) == []
    for mode, level in (("delete", "fail"), ("wal", "ok")):
        conn = sqlite3.connect(tmp_path / "engine.db")
        conn.execute(f"PRAGMA journal_mode={mode}")
        conn.execute(f"CREATE TABLE {mode}_ (x)")
        conn.commit()
        conn.close()
        assert [line[0] for line in said(acting_checks.engine(settings))] == [level]


def test_blobs_that_cannot_be_written(hub, tmp_path):
    """A remote store is tried for real, and what it says is shown; a folder is looked at."""
    assert [line[0] for line in said(acting_checks.blobs(hub, offline=False))] == ["ok"]
    settings = load_settings(data_dir=tmp_path, blob_url="s3://nowhere/x")
    tried = []
    documents = SimpleNamespace(try_blobs=lambda: tried.append(hub.documents.try_blobs()))
    remote = SimpleNamespace(settings=settings, documents=documents)
    assert [line[0] for line in said(acting_checks.blobs(remote, offline=False))] == ["ok"]
    assert said(acting_checks.blobs(remote, offline=True)) == [] and len(tried) == 1
    assert list((hub.settings.data_dir / "blobs").iterdir()) == []


def test_doctor_fails_for_a_connection(cli, hub, connection):
    """The whole command: these checks are part of it, and decide its exit code."""
    hub.store.connections.set_health(
        connection.id, ConnectionHealth.NEEDS_ATTENTION, "Tick that box.", at=hub.clock.now()
    )
    found = cli.json("doctor", "--offline", code=1)
    assert [one["text"] for one in found["checks"] if one["level"] == "fail"] == ["Tick that box."]
    assert "blob store" in {one["about"] for one in found["checks"]}


def test_metrics_of_acting(hub, dead):
    """What waits, what is dead and which connections are ill can be alerted on."""
    shown = metrics_registry(Metrics, hub.store, hub.clock).get_sample_value
    assert shown("inkwire_work", {"state": "dead"}) == 1
    assert shown("inkwire_work", {"state": "parked"}) == 0
    letters = {"integration": f"int_{dead.integration_id}", "kind": "permanent"}
    assert shown("inkwire_dead_letters", letters) == 1
    assert shown("inkwire_connections", {"health": "unchecked"}) == 1
    assert shown("inkwire_connections", {"health": "needs_attention"}) == 0
