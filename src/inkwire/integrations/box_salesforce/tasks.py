"""Activities become Tasks, two hundred in a call, none of them twice (DESIGN §6).

A batch has one ledger entry. When its answer was lost, Tasks are looked for by the mark in their
Description; what is not found goes into another batch once Salesforce must have given up.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.errors import Ambiguous, Fenced, InkwireError, Permanent
from inkwire.integrations.box_salesforce.asking import ask_tasks, require_budget
from inkwire.integrations.box_salesforce.clients import salesforce
from inkwire.integrations.box_salesforce.doubt import PAUSES_S, UNDER_WAY, due
from inkwire.integrations.box_salesforce.people import contacts_of
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.integrations.box_salesforce.settling import TRANSIENT_CODES
from inkwire.integrations.box_salesforce.texts import activity_in
from inkwire.model.crm import Activity
from inkwire.model.work import LedgerEntry, LedgerState
from inkwire.providers.salesforce.client import MOST_ROWS
from inkwire.providers.salesforce.objects import Record, RowResult
from inkwire.providers.salesforce.soql import at_least, one_of, select

#: Batches of one round, for which people are looked up together, and rounds of one run.
_BATCHES, _ROUNDS = 5, 10
#: Clocks differ: a Task may be this much older than our note of sending it.
_SKEW = timedelta(minutes=10)
#: Key of `Integration.remote`: the status as the organisation spells it, once it was looked up.
STATUS = "task_status"
#: Seconds until rows that were locked are tried again.
_AGAIN_S = 60.0


async def send_tasks(run: Run) -> Outcome:
    """Sends what waits; what is in doubt is looked for first."""
    made = failed = 0
    more = False
    again_at: list[str] = []
    for number in range(1, _ROUNDS + 1):
        did = await run.step(
            f"send:{number}",
            lambda: _round(run),
            plan="POST /composite/sobjects: up to 1,000 Tasks",
            pretend={"made": 0, "failed": 0, "again_at": "", "more": False},
        )
        made, failed = made + did["made"], failed + did["failed"]
        again_at += [did["again_at"]] if did["again_at"] else []
        more = did["more"]
        if not more:
            break
    note = f"{made} Tasks were made, {failed} were refused."
    if more:
        return Outcome.later(note, at=run.services.clock.now())
    if again_at:
        return Outcome.later(
            f"{note} Salesforce did not say whether it took some; they are looked for again.",
            at=datetime.fromisoformat(min(again_at)),
        )
    return Outcome.done(note)


def _round(run: Run) -> dict[str, Any]:
    """At most five batches: those that are left, then new ones."""
    store, integration = run.services.store.activities, run.integration.id
    did: dict[str, Any] = {"made": 0, "failed": 0, "again_at": "", "more": False}
    left = store.batches(integration)
    doubtful = [batch for batch in left if _entry_of(run, batch) is not None]
    ready = {batch: _claimed(run, batch) for batch in left if batch not in doubtful}
    while len(ready) < _BATCHES:
        batch = run.services.ids.new("bat")
        rows = _claimed(run, batch)
        if not rows:
            break
        ready[batch] = rows
    if not ready and not doubtful:
        return did
    require_budget(run)
    for batch in doubtful:
        _look_for(run, batch, _claimed(run, batch), did)
    chosen_now = dict(list(ready.items())[:_BATCHES])
    if chosen_now:
        status = _status(run)
        contacts = contacts_of(run, [row for rows in chosen_now.values() for row in rows])
        for batch, rows in chosen_now.items():
            _send(run, batch, [_task(row, contacts, status) for row in rows], rows, did)
    did["more"] = len(ready) >= _BATCHES
    return did


def _send(
    run: Run,
    batch: str,
    tasks: Sequence[Record],
    rows: Sequence[Activity],
    did: dict[str, Any],
) -> None:
    """One call with one batch."""
    services, key = run.services, _key(run, batch)
    entry = services.store.ledger.intend(_entry(run, key))
    now = services.clock.now()
    claimed = services.store.ledger.send(key, fence=entry.fence, run_id=run.work.run_id, at=now)
    if claimed is None:
        raise Fenced
    try:
        results = salesforce(run).create_rows("Task", tasks)
    except Ambiguous:
        _look_for(run, batch, rows, did)
        return
    except InkwireError:
        # Refused as a whole, or not sent at all: only Ambiguous says that some may be there.
        services.store.ledger.unsent(key, fence=claimed.fence, at=services.clock.now())
        raise
    first = next((result.id for result in results if result.ok), "none")
    services.store.ledger.settle(key, remote_id=first, at=services.clock.now())
    _keep(run, batch, rows, results, did)


def _keep(
    run: Run,
    batch: str,
    rows: Sequence[Activity],
    results: Sequence[RowResult],
    did: dict[str, Any],
) -> None:
    """What came of each row: a Task, another try, or the organisation's own words."""
    store, now = run.services.store.activities, run.services.clock.now()
    pairs = list(zip(rows, results, strict=True))
    done = {row.id: result.id for row, result in pairs if result.ok}
    locked = [row.id for row, result in pairs if result.code in TRANSIENT_CODES]
    refused = {
        row.id: f"Salesforce refuses the Task: {result.message}"[:500]
        for row, result in pairs
        if not result.ok and result.code not in TRANSIENT_CODES
    }
    store.done(done, at=now)
    store.failed(refused, at=now)
    store.release(locked, batch_id=batch)
    did["made"] += len(done)
    did["failed"] += len(refused)
    if locked:
        _again(did, now + timedelta(seconds=_AGAIN_S))


def _look_for(run: Run, batch: str, rows: Sequence[Activity], did: dict[str, Any]) -> None:
    """Of a batch that was sent: Tasks that are found are done, the rest waits, then is released."""
    services, now = run.services, run.services.clock.now()
    ledger, key = services.store.ledger, _key(run, batch)
    entry = ledger.get(key)
    if entry is None:
        raise Fenced
    if entry.probes and entry.state in UNDER_WAY and now < due(entry):
        _again(did, due(entry))
        return
    found = probe(run, rows, entry)
    services.store.activities.done(found, at=now)
    did["made"] += len(found)
    left = [row.id for row in rows if row.id not in found]
    if left and entry.state in UNDER_WAY and entry.probes < len(PAUSES_S):
        after = ledger.probed(key, fence=entry.fence, at=now, doubt=False)
        if after is None:
            raise Fenced
        _again(did, due(after))
        return
    ledger.settle(key, remote_id=next(iter(found.values()), "none"), at=now)
    if left:
        services.store.activities.release(left, batch_id=batch)
        ask_tasks(run)


def probe(run: Run, rows: Sequence[Activity], entry: LedgerEntry) -> dict[str, str]:
    """Tasks in Salesforce that bear these activities' marks: their ids by activity."""
    since = (entry.sent_at or entry.updated_at) - _SKEW
    wanted = {row.id for row in rows}
    found: dict[str, str] = {}
    for field, ids in (
        ("WhatId", {row.what_id for row in rows if row.what_id}),
        ("WhoId", {row.who_id for row in rows if row.who_id and not row.what_id}),
    ):
        if not ids:
            continue
        query = select(
            "Task",
            ["Id", "Description"],
            one_of(field, sorted(ids)),
            at_least("CreatedDate", since),
            order=["Id"],
        )
        for task in salesforce(run).query(query):
            activity = activity_in(task.get("Description"))
            if activity in wanted:
                found.setdefault(str(activity), str(task["Id"]))
    return found


def _task(row: Activity, contacts: Mapping[str, str], status: str) -> Record:
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


def _status(run: Run) -> str:
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


def _claimed(run: Run, batch: str) -> list[Activity]:
    return run.services.store.activities.claim(run.integration.id, batch_id=batch, limit=MOST_ROWS)


def _entry_of(run: Run, batch: str) -> LedgerEntry | None:
    """The entry of a batch that was sent; None if it was not."""
    entry = run.services.store.ledger.get(_key(run, batch))
    sent = entry is not None and entry.state not in (LedgerState.INTENDED, LedgerState.REPEAT)
    return entry if sent else None


def _key(run: Run, batch: str) -> str:
    return f"tasks/{run.integration.id}/{batch}"


def _again(did: dict[str, Any], at: datetime) -> None:
    did["again_at"] = min(did["again_at"] or at.isoformat(), at.isoformat())


def _entry(run: Run, key: str) -> LedgerEntry:
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
