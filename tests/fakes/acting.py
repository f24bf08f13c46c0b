"""Connections, integrations and work as a test needs them, put straight into the store."""

from datetime import timedelta

from fakes.crm_rows import CrmRows
from inkwire.access.gate import CLI
from inkwire.auditing import Auditor
from inkwire.integrations.desk import IntegrationDraft
from inkwire.model.connection import Connection
from inkwire.model.work import (
    ErrorKind,
    IntegrationState,
    LedgerEntry,
    LedgerState,
    ParkCause,
    Work,
    WorkState,
)
from inkwire.store.acting import Ending, SecretText

KEY = "sign_request/ord_1:int_1/change-1"


def add_connection(rooms, connection_id="silent-main", provider="silent"):
    """Keeps a connection with one secret."""
    now = rooms.clock.now()
    connection = Connection(
        id=connection_id,
        provider=provider,
        name="Silent",
        method="token",
        settings={"account": "main"},
        created_at=now,
        updated_at=now,
    )
    audit = Auditor(rooms.clock, rooms.ids).entry(CLI, "connection.create", connection_id)
    secret = SecretText(name="token", value="very-secret-token")
    rooms.store.connections.add(connection, [secret], audit=audit)
    return connection


def add_integration(rooms, **fields):
    """Makes a toy integration by its desk."""
    given = {"kind": "toy_copy", "name": "Copies", "settings": {"word": "go", "ids": "1"}} | fields
    return rooms.hub.integrations.add(CLI, IntegrationDraft(**given)).integration


def add_work(rooms, key="change-1", *, integration_id=1, entity="order:ord_1", **fields):
    """Keeps one work row, due now."""
    rooms.clock.advance(seconds=1)
    now = rooms.clock.now()
    work = Work(
        id=rooms.ids.new("wrk"),
        integration_id=integration_id,
        key=key,
        workflow="copy",
        entity_key=entity,
        subject={"order": "ord_1"},
        due_at=now,
        created_at=now,
        **fields,
    )
    assert rooms.store.works.add([work]) == [work.id]
    return work


def started(rooms, work_id):
    """Claims work until that row runs; the others are put off."""
    works = rooms.store.works
    for one in works.claim(executor_id="exe_1", now=rooms.clock.now(), limit=100):
        if one.id == work_id:
            return one
        later = rooms.clock.now() + timedelta(hours=1)
        ending = Ending(state=WorkState.NEW, note="", due_at=later)
        works.end(one.id, run_number=one.run_number, ending=ending, at=rooms.clock.now())
    raise AssertionError(f"{work_id} could not be claimed")


def ended(rooms, work_id, state, *, cause=None, kind=None, note="So it is."):
    """Runs a row to an end."""
    run = started(rooms, work_id)
    ending = Ending(
        state=state,
        note=note,
        due_at=rooms.clock.now() if state is WorkState.PARKED else None,
        park_cause=cause,
        error_kind=kind,
    )
    now = rooms.clock.now()
    assert rooms.store.works.end(work_id, run_number=run.run_number, ending=ending, at=now)
    return rooms.store.works.get(work_id)


def dead(rooms, key="change-1", *, kind=ErrorKind.PERMANENT, **fields):
    """A dead letter."""
    return ended(rooms, add_work(rooms, key, **fields).id, WorkState.DEAD, kind=kind)


def in_doubt(rooms, key=KEY):
    """Work that waits for a person, and the create that nobody knows about."""
    work = add_work(rooms)
    now, ledger = rooms.clock.now(), rooms.store.ledger
    ledger.intend(
        LedgerEntry(
            key=key,
            kind="sign_request",
            integration_id=1,
            work_id=work.id,
            entity_key=work.entity_key,
            state=LedgerState.INTENDED,
            fence=0,
            updated_at=now,
        )
    )
    sent = ledger.send(key, fence=0, run_id=work.run_id, at=now)
    assert ledger.probed(key, fence=sent.fence, at=now, doubt=True).state is LedgerState.DOUBT
    return ended(rooms, work.id, WorkState.PARKED, cause=ParkCause.PERSON)


def acting_ids(rooms):
    """One of everything that acts, by the name of the path's parameter."""
    add_connection(rooms)
    add_integration(rooms, connection_id="silent-main")
    rooms.hub.integrations.move(CLI, 1, IntegrationState.ACTIVE)
    work = in_doubt(rooms)
    crm = CrmRows(rooms.hub, rooms.store.integrations.get(1))
    arrived = crm.attachment(work.id)
    return {
        "folder_id": crm.folder().folder_id,
        "file_id": arrived.file_id,
        "version_id": arrived.version_id,
        "connection_id": "silent-main",
        "integration_id": "int_1",
        "work_id": work.id,
        "command_id": rooms.hub.work.dry_run(CLI, work.id).id,
    }
