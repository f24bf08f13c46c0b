"""Hot queries walk the index that was made for them: at a million rows nothing else is fast.

SQLite tells its plan without data; PostgreSQL's planner decides by statistics, so there the
benchmarks watch it.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from fakes.empty import empty_folder
from inkwire.clock import ManualClock
from inkwire.config import load_settings
from inkwire.ids import SortableIds
from inkwire.model.access import AuditEntry
from inkwire.model.event import EventState
from inkwire.model.source import Source
from inkwire.model.work import CommandKind, LedgerState, ParkCause, WorkState
from inkwire.store import schema
from inkwire.store.acting import WorkQuery
from inkwire.store.contract import EventQuery, RejectionQuery
from inkwire.store.open import SqlStore, open_store
from inkwire.store.sending import WebhookQuery
from inkwire.store.terms import having

NOW = datetime(2026, 3, 1, tzinfo=UTC)
Plans = Callable[[Callable[[], object]], list[str]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    """A store with one source."""
    clock = ManualClock(NOW)
    settings = load_settings(data_dir=empty_folder(tmp_path))
    store = open_store(settings, clock=clock, ids=SortableIds(clock))
    store.sources.create(
        Source(
            id="box",
            provider="box",
            name="Box",
            settings={},
            max_body_bytes=1,
            created_at=NOW,
            updated_at=NOW,
        ),
        [],
        audit=AuditEntry(id="aud_1", at=NOW, actor="cli", action="a", target="box"),
    )
    yield store
    store.close()


@pytest.fixture
def plans(store: SqlStore) -> Plans:
    """Runs a call and returns how SQLite runs each of its queries."""
    said: list[tuple[str, object]] = []
    engine = store._database.engine
    sa.event.listen(
        engine,
        "before_cursor_execute",
        lambda _conn, _cursor, statement, values, *_: said.append((statement, values)),
    )

    def of(call: Callable[[], object]) -> list[str]:
        said.clear()
        call()
        with engine.connect() as conn:
            driver = conn.connection.driver_connection
            return [
                row[3]
                for statement, values in list(said)
                if statement.startswith("SELECT")
                for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            ]

    return of


def page(store: SqlStore, **query: object) -> Callable[[], object]:
    """A call for one page of events."""
    return lambda: store.events.page(EventQuery(**query))


def test_dispatch_reads_only_what_waits(store: SqlStore, plans: Plans):
    """However many events were handed on before, the worker never looks at them."""
    for call in (lambda: store.dispatch.take(100, list), store.dispatch.backlog):
        found = [plan for plan in plans(call) if "events" in plan]
        assert found
        assert all("ix_events_waiting" in plan for plan in found), found


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "sqlite_autoindex|PRIMARY KEY|SCAN events"),
        ({"before": "evt_1"}, "PRIMARY KEY"),
        ({"source_id": "box"}, "ix_events_source"),
        ({"source_id": "box", "before": "evt_1"}, "ix_events_source"),
        ({"type": "box.A"}, "ix_events_type"),
        ({"state": EventState.DUPLICATE}, "ix_events_state"),
        ({"since": NOW, "until": NOW + timedelta(days=1)}, "PRIMARY KEY"),
        ({"source_id": "box", "since": NOW}, "ix_events_source"),
    ],
    ids=str,
)
def test_a_list_walks_one_index(store: SqlStore, plans: Plans, query: dict, index: str):
    """In the order of the list: nothing is sorted, and it stops when the page is full."""
    found = plans(page(store, **query))
    assert any(name in plan for plan in found for name in index.split("|")), found
    assert not [plan for plan in found if "TEMP B-TREE" in plan], found


def test_text_walks_the_terms(store: SqlStore, plans: Plans):
    """A prefix is a range of the terms' own key; an id is looked up."""
    with store._database.writing() as conn:
        conn.execute(schema.term_buckets.insert().values(id=1, newest="evt_1"))
    found = plans(page(store, text="ada", source_id="box"))
    assert any(
        "terms USING PRIMARY KEY (bucket=? AND value>? AND value<?)" in plan for plan in found
    ), found
    assert any("ix_events_receipt" in plan for plan in found), found
    assert not [plan for plan in found if plan in ("SCAN events", "SCAN terms")], found


def test_testing_an_event_for_a_term(store: SqlStore, plans: Plans):
    """The other way round: from the events to their terms, by the events' ids."""

    def call() -> None:
        with store._database.reading() as conn:
            having(conn, ["evt_1", "evt_2"], [schema.terms.c.value >= "a"])

    assert any("ix_terms_event (event_id=?" in plan for plan in plans(call)), plans(call)


def test_activity_counts_in_an_index(store: SqlStore, plans: Plans):
    """The counts of a day read no row of events or receipts."""
    found = plans(lambda: store.sources.activity(NOW))
    assert any("COVERING INDEX ix_events_source" in plan for plan in found), found
    assert any("ix_receipts_quarantined" in plan for plan in found), found
    assert not [plan for plan in found if plan in ("SCAN events", "SCAN receipts")], found


def test_the_rejected_log_walks_an_index(store: SqlStore, plans: Plans):
    """By source and by reason, newest first."""
    for query, index in (({"source_id": "box"}, "ix_rejections_source"),):
        found = plans(lambda query=query: store.events.rejections(RejectionQuery(**query)))
        assert any(index in plan for plan in found), found
        assert not [plan for plan in found if "TEMP B-TREE" in plan], found


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "sqlite_autoindex_webhooks|SCAN webhooks"),
        ({"after": 9}, "sqlite_autoindex_webhooks"),
        ({"application_id": "app_1"}, "ix_webhooks_application"),
        ({"application_id": "app_1", "after": 9, "ascending": True}, "ix_webhooks_application"),
    ],
    ids=str,
)
def test_webhooks_are_listed_along_one_index(
    store: SqlStore, plans: Plans, query: dict, index: str
):
    """A page of an application's webhooks costs the same however many there are."""
    found = plans(lambda: store.subscribers.webhooks(WebhookQuery(**query)))
    found = [plan for plan in found if "webhooks" in plan]
    assert any(name in plan for plan in found for name in index.split("|")), found
    assert not [plan for plan in found if "TEMP B-TREE" in plan], found


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "sqlite_autoindex_work_1|SCAN work"),
        ({"before": "wrk_9"}, "sqlite_autoindex_work_1"),
        ({"integration_id": 1}, "ix_work_integration"),
        ({"state": WorkState.DEAD}, "ix_work_state"),
        ({"park_cause": ParkCause.PERSON, "integration_id": 1}, "ix_work_parked"),
        ({"park_cause": ParkCause.MAPPING, "integration_id": 1}, "ix_work_parked"),
        ({"state": WorkState.DEAD, "integration_id": 1, "upkeep": False}, "ix_work_acted"),
        ({"entity_key": "order:1", "before": "wrk_9"}, "ix_work_entity"),
        ({"event_id": "evt_1"}, "ix_work_event"),
        ({"entity_key": "order:1", "integration_id": 1, "state": WorkState.DONE}, "ix_work_entity"),
        ({"event_id": "evt_1", "integration_id": 1}, "ix_work_event"),
        ({"workflow": "poll", "integration_id": 1, "state": WorkState.NEW}, "ix_work_state"),
        ({"park_cause": ParkCause.PERSON}, "ix_work_cause"),
        ({"park_cause": ParkCause.PERSON, "upkeep": False}, "ix_work_cause"),
        ({"state": WorkState.PARKED, "park_cause": ParkCause.MAPPING}, "ix_work_cause"),
        (
            {"park_cause": ParkCause.MAPPING, "integration_id": 1, "upkeep": False},
            "ix_work_parked",
        ),
        ({"state": WorkState.DONE, "integration_id": 1}, "ix_work_integration"),
    ],
    ids=str,
)
def test_work_is_listed_along_one_index(store: SqlStore, plans: Plans, query: dict, index: str):
    """A page of work costs the same however much was done before."""
    found = plans(lambda: store.works.page(WorkQuery(**query)))
    assert any(name in plan for plan in found for name in index.split("|")), found
    assert not [plan for plan in found if "TEMP B-TREE" in plan], found


def test_what_a_run_did_is_found_by_an_index(store: SqlStore, plans: Plans):
    """Steps, calls, ledger, commands: of one run among millions, in order, nothing sorted."""
    for call, index in (
        (lambda: store.run_log.steps("wrk_1"), "ix_steps_work"),
        (lambda: store.run_log.calls(work_id="wrk_1"), "ix_calls_work"),
        (lambda: store.run_log.calls(connection_id="box"), "ix_calls_connection"),
        (lambda: store.run_log.forget(before=NOW, limit=100), "ix_steps_started"),
        (lambda: store.ledger.of_work("wrk_1"), "ix_ledger_work"),
        (lambda: store.ledger.page(state=LedgerState.DOUBT), "ix_ledger_state"),
        (store.ledger.page, "ix_ledger_updated"),
        (lambda: store.commands.take(now=NOW, lease_s=1), "ix_commands_asked"),
        (lambda: store.commands.latest(CommandKind.DRY_RUN, "wrk_1"), "ix_commands_target"),
    ):
        found = plans(call)
        assert any(index in plan for plan in found), (index, found)
        assert not [plan for plan in found if "TEMP B-TREE" in plan], found
