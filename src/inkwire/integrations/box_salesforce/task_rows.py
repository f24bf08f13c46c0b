"""What batches and jobs of Tasks share: how an activity becomes one, and what came of it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from inkwire.engine.contract import Run
from inkwire.errors import Permanent
from inkwire.integrations.box_salesforce.asking import ask_tasks
from inkwire.integrations.box_salesforce.clients import salesforce
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.integrations.box_salesforce.settling import TRANSIENT_CODES
from inkwire.model.crm import Activity
from inkwire.model.work import LedgerEntry, LedgerState
from inkwire.providers.salesforce.client import MOST_ROWS
from inkwire.providers.salesforce.objects import Record, RowResult
from inkwire.providers.salesforce.soql import select

#: Key of `Integration.remote`: the status as the organisation spells it, once it was looked up.
STATUS = "task_status"
#: Seconds until rows that were locked are tried again.
_AGAIN_S = 60.0

T = TypeVar("T")


def task_of(row: Activity, contacts: Mapping[str, str], status: str) -> Record:
    """The Task of an activity; `contacts`: by activity."""
    task: dict[str, Any] = {
        "Subject": row.subject,
        "Description": row.description,
        "Status": status,
        "ActivityDate": row.activity_date.isoformat(),
    }
    if row.what_id:
        task["WhatId"] = row.what_id
    if who := row.who_id or contacts.get(row.id):
        task["WhoId"] = who
    return task


def status_of(run: Run) -> str:
    """The status as the organisation spells it, looked up once a day. Raises Permanent.

    Salesforce keeps any text as a status, so a wrong one would not be noticed.
    """
    store = run.services.store.integrations
    wanted, today = chosen(run.integration).task_status, run.services.clock.now().date()
    label, _, day = store.get(run.integration.id).remote.get(STATUS, "").rpartition("@")
    if label.casefold() == wanted.casefold() and day == today.isoformat():
        return label
    rows = salesforce(run).query(select("TaskStatus", ["MasterLabel"], order=["SortOrder"]))
    known = [str(row["MasterLabel"]) for row in rows]
    found = next((one for one in known if one.casefold() == wanted.casefold()), None)
    if found is None:
        raise Permanent(
            f"The organisation has no Task status “{wanted}”; choose one of: {', '.join(known)}. "
            "Tasks wait until then."
        )
    store.set_remote(run.integration.id, {STATUS: f"{found}@{today.isoformat()}"})
    return found


def keep(
    run: Run, batch: str, pairs: Sequence[tuple[Activity, RowResult]], did: dict[str, Any]
) -> None:
    """What came of each row: a Task, another try, or the organisation's own words."""
    store, now = run.services.store.activities, run.services.clock.now()
    for some in pieces(pairs):
        done = {row.id: result.id for row, result in some if result.ok}
        locked = [row.id for row, result in some if result.code in TRANSIENT_CODES]
        refused = {
            row.id: f"Salesforce refuses the Task: {result.message}"[:500]
            for row, result in some
            if not result.ok and result.code not in TRANSIENT_CODES
        }
        store.done(done, at=now)
        store.failed(refused, at=now)
        store.release(locked, batch_id=batch)
        did["made"] += len(done)
        did["failed"] += len(refused)
        if locked:
            again(did, now + timedelta(seconds=_AGAIN_S))


def release(run: Run, batch: str, ids: Sequence[str]) -> None:
    """Nothing was made of these: they wait again, and somebody is asked to send them."""
    for some in pieces(ids):
        run.services.store.activities.release(some, batch_id=batch)
    if ids:
        ask_tasks(run)


def pieces(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Two hundred at a time: a long transaction would keep webhooks waiting."""
    for start in range(0, len(values), MOST_ROWS):
        yield values[start : start + MOST_ROWS]


def again(did: dict[str, Any], at: datetime) -> None:
    """Another run is wanted at that time, or before."""
    did["again_at"] = min(did["again_at"] or at.isoformat(), at.isoformat())


def key_of(run: Run, batch: str) -> str:
    """Key of a batch's ledger entry."""
    return f"tasks/{run.integration.id}/{batch}"


def entry_for(run: Run, key: str) -> LedgerEntry:
    """A batch's ledger entry before it is sent."""
    return LedgerEntry(
        key=key,
        kind="tasks",
        integration_id=run.integration.id,
        work_id=run.work.id,
        entity_key=run.work.entity_key,
        state=LedgerState.INTENDED,
        fence=0,
        updated_at=run.services.clock.now(),
    )
