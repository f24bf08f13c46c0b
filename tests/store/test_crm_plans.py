"""Hot queries about folders, attachments and activities walk their index; see `test_plans`."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from fakes.empty import empty_folder
from inkwire.clock import ManualClock
from inkwire.config import load_settings
from inkwire.ids import SortableIds
from inkwire.model.crm import ActivityState, AttachmentState, FieldAgreement, FolderState
from inkwire.store.crm import AttachmentQuery, FolderQuery
from inkwire.store.open import SqlStore, open_store

NOW = datetime(2026, 3, 1, tzinfo=UTC)
Call = Callable[[SqlStore], object]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """An empty store: SQLite tells its plan without data."""
    clock = ManualClock(NOW)
    settings = load_settings(data_dir=empty_folder(tmp_path_factory.mktemp("plans")))
    store = open_store(settings, clock=clock, ids=SortableIds(clock))
    yield store
    store.close()


def plans(store: SqlStore, call: Call) -> list[str]:
    """How SQLite runs each query of the call, which reads or writes."""
    said: list[tuple[str, object]] = []

    def hear(_conn, _cursor, statement, values, *_) -> None:
        if statement.split(maxsplit=1)[0] in ("SELECT", "UPDATE", "DELETE"):
            said.append((statement, values[0] if isinstance(values, list) else values))

    engines = (store._database.engine, store._database._writers)
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", hear)
    call(store)
    for engine in engines:
        sa.event.remove(engine, "before_cursor_execute", hear)
    with engines[0].connect() as conn:
        driver = conn.connection.driver_connection
        return [
            row[3]
            for statement, values in said
            for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        ]


def folders(**query: object) -> Call:
    """A call for one page of folders."""
    return lambda store: store.record_folders.page(FolderQuery(**query))


def attachments(**query: object) -> Call:
    """A call for one page of attachments."""
    return lambda store: store.attachments.page(AttachmentQuery(**query))


def activities(**query: object) -> Call:
    """A call for one page of activities."""
    return lambda store: store.activities.page(**query)


@pytest.mark.parametrize(
    ("call", "index"),
    [
        (folders(), "ix_record_folders_updated"),
        (folders(integration_id=1), "ix_record_folders_integration (integration_id=?)"),
        (folders(state=FolderState.GONE), "ix_record_folders_state (state=?)"),
        (
            folders(state=FolderState.GONE, integration_id=1),
            "ix_record_folders_integration_state (integration_id=? AND state=?)",
        ),
        (folders(record_id="006A"), "ix_record_folders_record (record_id=?)"),
        (
            folders(record_id="006A", integration_id=1, state=FolderState.MAPPED),
            "ix_record_folders_record (record_id=?)",
        ),
        (lambda store: store.record_folders.get(1, "11"), "(integration_id=? AND folder_id=?)"),
        (
            lambda store: store.record_folders.known(1, ["11", "12"]),
            "(integration_id=? AND folder_id=?)",
        ),
        (
            lambda store: store.record_folders.of_record(1, "006A"),
            "ix_record_folders_mapped (integration_id=? AND record_id=?)",
        ),
        (
            lambda store: store.record_folders.of_records(1, ["006A", "006B"]),
            "ix_record_folders_mapped (integration_id=? AND record_id=?)",
        ),
        (
            lambda store: store.record_folders.touch(1, "11", synced_at=NOW),
            "(integration_id=? AND folder_id=?)",
        ),
        (
            lambda store: store.record_folders.counts(),
            "COVERING INDEX ix_record_folders_state (state=?)",
        ),
        (
            lambda store: store.record_folders.counts(1),
            "COVERING INDEX ix_record_folders_integration_state (integration_id=? AND state=?)",
        ),
        (
            lambda store: store.attachments.of_version(1, "21", "31"),
            "(integration_id=? AND file_id=? AND version_id=?)",
        ),
        (
            lambda store: store.attachments.latest(1, "21"),
            "ix_attachments_latest (integration_id=? AND file_id=?)",
        ),
        (
            lambda store: store.attachments.unsettled(1),
            "ix_attachments_integration_state (integration_id=? AND state=?)",
        ),
        (
            lambda store: store.attachments.unsettled(1),
            "(integration_id=? AND file_id=? AND version_id=?)",
        ),
        (lambda store: store.field_states.page(), "ix_field_states_updated"),
        (
            lambda store: store.field_states.page(integration_id=1),
            "ix_field_states_integration (integration_id=?)",
        ),
        (
            lambda store: store.field_states.page(state=FieldAgreement.CONFLICT),
            "ix_field_states_state (state=?)",
        ),
        (
            lambda store: store.field_states.page(integration_id=1, state=FieldAgreement.FAILED),
            "ix_field_states_integration_state (integration_id=? AND state=?)",
        ),
        (
            lambda store: store.field_states.counts(1),
            "COVERING INDEX ix_field_states_integration_state (integration_id=? AND state=?)",
        ),
        (
            lambda store: store.field_states.of_folder(1, "11"),
            "(integration_id=? AND folder_id=?)",
        ),
        (attachments(), "SCAN attachments USING INDEX sqlite_autoindex_attachments_1"),
        (attachments(before="att_9"), "sqlite_autoindex_attachments_1 (id<?)"),
        (attachments(integration_id=1), "ix_attachments_integration (integration_id=?)"),
        (attachments(state=AttachmentState.FAILED), "ix_attachments_state (state=?)"),
        (
            attachments(state=AttachmentState.FAILED, integration_id=1, before="att_9"),
            "ix_attachments_integration_state (integration_id=? AND state=? AND id<?)",
        ),
        (attachments(file_id="21"), "ix_attachments_file (file_id=?)"),
        (attachments(version_id="31"), "ix_attachments_version (version_id=?)"),
        (attachments(record_id="006A"), "ix_attachments_record (record_id=?)"),
        (attachments(work_id="wrk_1"), "ix_attachments_work (work_id=?)"),
        (
            attachments(record_id="006A", integration_id=1, state=AttachmentState.VERIFIED),
            "ix_attachments_record (record_id=?)",
        ),
        (
            lambda store: store.attachments.counts(1),
            "COVERING INDEX ix_attachments_integration_state (integration_id=? AND state=?)",
        ),
        (
            lambda store: store.activities.claim(1, batch_id="bat_1", limit=200),
            "ix_activities_batch (integration_id=? AND batch_id=?)",
        ),
        (
            lambda store: store.activities.claim(1, batch_id="bat_1", limit=200),
            "ix_activities_integration_state (integration_id=? AND state=?)",
        ),
        (
            lambda store: store.activities.sending(1, "blk_1"),
            "ix_activities_batch (integration_id=? AND batch_id=?)",
        ),
        (
            lambda store: store.activities.waiting(1, most=2_000),
            "COVERING INDEX ix_activities_integration_state (integration_id=? AND state=?)",
        ),
        (lambda store: store.bulk_jobs.newest(1), "ix_bulk_jobs_integration (integration_id=?)"),
        (lambda store: store.bulk_jobs.under_way(1), "ix_bulk_jobs_under_way (integration_id=?)"),
        (lambda store: store.bulk_jobs.of(["blk_1"]), "(batch_id=?)"),
        (lambda store: store.activities.of_work("wrk_1"), "ix_activities_work (work_id=?)"),
        (activities(), "SCAN activities USING INDEX sqlite_autoindex_activities_1"),
        (activities(integration_id=1), "ix_activities_integration (integration_id=?)"),
        (activities(state=ActivityState.FAILED), "ix_activities_state (state=?)"),
        (
            activities(state=ActivityState.FAILED, integration_id=1),
            "ix_activities_integration_state (integration_id=? AND state=?)",
        ),
        (activities(what_id="006A", before="act_9"), "ix_activities_what (what_id=? AND id<?)"),
        (
            activities(what_id="006A", integration_id=1, state=ActivityState.DONE),
            "ix_activities_what (what_id=?)",
        ),
        (
            lambda store: store.activities.counts(),
            "COVERING INDEX ix_activities_state (state=?)",
        ),
    ],
)
def test_it_walks_its_index(store: SqlStore, call: Call, index: str):
    """In the order of the list: it reads what it returns, and nothing is sorted."""
    found = plans(store, call)
    assert any(index in plan for plan in found), found
    walked = [plan for plan in found if plan.startswith("SCAN ") and "INDEX" not in plan]
    assert set(walked) <= {"SCAN anon_1"}, found  # what an index gave is counted
    assert not [plan for plan in found if plan == "USE TEMP B-TREE FOR ORDER BY"], found


@pytest.mark.parametrize("others", [{}, {"integration_id": 1, "offset": 9}])
def test_names_of_folders(store: SqlStore, others: dict):
    """Few have such a name: they are looked up, and only they are sorted."""
    found = plans(store, folders(name="acme", state=FolderState.MAPPED, **others))
    for column in ("name_term", "record_term"):
        index = f"USING INDEX ix_record_folders_{column} ({column}>? AND {column}<?)"
        assert any(index in plan for plan in found), found
    assert not [plan for plan in found if plan.startswith("SCAN record_folders")], found


@pytest.mark.parametrize("others", [{}, {"integration_id": 1, "before": "att_9", "after": "a"}])
def test_names_of_files(store: SqlStore, others: dict):
    """As those of folders."""
    found = plans(store, attachments(name="offer", state=AttachmentState.VERIFIED, **others))
    index = "USING INDEX ix_attachments_name_term (name_term>? AND name_term<?)"
    assert any(index in plan for plan in found), found
    assert not [plan for plan in found if plan.startswith("SCAN attachments")], found


def test_batches_read_what_is_under_way(store: SqlStore):
    """However many were sent before."""
    found = plans(store, lambda store: store.activities.batches(1))
    assert any("(integration_id=? AND state=?)" in plan for plan in found), found
