"""Activities become Tasks, two hundred in a call, none of them twice (DESIGN §6).

A batch has one ledger entry. When its answer was lost, Tasks are looked for by the mark in their
Description; what is not found goes into another batch once Salesforce must have given up. When
thousands wait they go as one job instead: see `tasks_bulk`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.errors import Ambiguous, Fenced, InkwireError
from inkwire.integrations.box_salesforce import tasks_bulk
from inkwire.integrations.box_salesforce.asking import require_budget
from inkwire.integrations.box_salesforce.clients import salesforce
from inkwire.integrations.box_salesforce.doubt import PAUSES_S, UNDER_WAY, due
from inkwire.integrations.box_salesforce.people import contacts_of
from inkwire.integrations.box_salesforce.task_rows import (
    again,
    entry_for,
    keep,
    key_of,
    pieces,
    release,
    status_of,
    task_of,
)
from inkwire.integrations.box_salesforce.texts import activity_in
from inkwire.model.crm import Activity
from inkwire.model.work import LedgerEntry, LedgerState
from inkwire.providers.salesforce.client import MOST_ROWS
from inkwire.providers.salesforce.objects import Record
from inkwire.providers.salesforce.soql import at_least, one_of, select

#: Batches of one round, for which people are looked up together, and rounds of one run.
_BATCHES, _ROUNDS = 5, 10
#: Clocks differ: a Task may be this much older than our note of sending it.
_SKEW = timedelta(minutes=10)
#: Records of one query: it has at most 100,000 characters.
_MOST_IDS = 1_000


async def send_tasks(run: Run) -> Outcome:
    """Sends what waits; what is in doubt is looked for first."""
    made = failed = queued = 0
    more = False
    again_at: list[str] = []
    for number in range(1, _ROUNDS + 1):
        did = await run.step(
            f"send:{number}",
            lambda: _round(run),
            plan="POST /composite/sobjects: up to 1,000 Tasks; thousands as a Bulk job",
            pretend={"made": 0, "failed": 0, "queued": 0, "again_at": "", "more": False},
        )
        # A run that an earlier release began may have kept a value without `queued`.
        made, failed, queued = made + did["made"], failed + did["failed"], did.get("queued", 0)
        again_at += [did["again_at"]] if did["again_at"] else []
        more = did["more"]
        if not more:
            break
    note = f"{made} Tasks were made, {failed} were refused."
    if queued:
        note += f" {queued} are in a Bulk job, which is looked at again."
    if more:
        return Outcome.later(note, at=run.services.clock.now())
    if again_at:
        return Outcome.later(
            f"{note} Salesforce did not say whether it took some; they are looked for again.",
            at=datetime.fromisoformat(min(again_at)),
        )
    return Outcome.done(note)


def _round(run: Run) -> dict[str, Any]:
    """One job, if enough wait; else at most five batches: those that are left, then new ones."""
    store, integration = run.services.store.activities, run.integration.id
    did: dict[str, Any] = {"made": 0, "failed": 0, "queued": 0, "again_at": "", "more": False}
    tasks_bulk.tend(run, did)
    if tasks_bulk.begin(run, did):
        did["more"] = True
        return did
    left = store.batches(integration)
    for batch in run.services.store.bulk_jobs.of(left):
        if _entry_of(run, batch) is None:  # the job was given up before anything was uploaded
            release(run, batch, [row.id for row in store.sending(integration, batch)])
            left.remove(batch)
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
        _look_for(run, batch, store.sending(integration, batch), did)
    chosen_now = dict(list(ready.items())[:_BATCHES])
    if chosen_now:
        status = status_of(run)
        contacts = contacts_of(run, [row for rows in chosen_now.values() for row in rows])
        for batch, rows in chosen_now.items():
            _send(run, batch, [task_of(row, contacts, status) for row in rows], rows, did)
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
    services, key = run.services, key_of(run, batch)
    entry = services.store.ledger.intend(entry_for(run, key))
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
    keep(run, batch, list(zip(rows, results, strict=True)), did)


def _look_for(run: Run, batch: str, rows: Sequence[Activity], did: dict[str, Any]) -> None:
    """Of a batch that was sent: Tasks that are found are done, the rest waits, then is released."""
    services, now = run.services, run.services.clock.now()
    ledger, key = services.store.ledger, key_of(run, batch)
    entry = ledger.get(key)
    if entry is None:
        raise Fenced
    if entry.probes and entry.state in UNDER_WAY and now < due(entry):
        again(did, due(entry))
        return
    found = probe(run, rows, entry)
    for some in pieces(sorted(found)):
        services.store.activities.done({one: found[one] for one in some}, at=now)
    did["made"] += len(found)
    left = [row.id for row in rows if row.id not in found]
    if left and entry.state in UNDER_WAY and entry.probes < len(PAUSES_S):
        after = ledger.probed(key, fence=entry.fence, at=now, doubt=False)
        if after is None:
            raise Fenced
        again(did, due(after))
        return
    ledger.settle(key, remote_id=next(iter(found.values()), "none"), at=now)
    release(run, batch, left)


def probe(run: Run, rows: Sequence[Activity], entry: LedgerEntry) -> dict[str, str]:
    """Tasks in Salesforce that bear these activities' marks: their ids by activity."""
    since = (entry.sent_at or entry.updated_at) - _SKEW
    wanted = {row.id for row in rows}
    found: dict[str, str] = {}
    on = sorted({row.what_id for row in rows if row.what_id})
    about = sorted({row.who_id for row in rows if row.who_id and not row.what_id})
    for field, ids in (
        *(("WhatId", on[at : at + _MOST_IDS]) for at in range(0, len(on), _MOST_IDS)),
        *(("WhoId", about[at : at + _MOST_IDS]) for at in range(0, len(about), _MOST_IDS)),
    ):
        query = select(
            "Task",
            ["Id", "Description"],
            one_of(field, ids),
            at_least("CreatedDate", since),
            order=["Id"],
        )
        for task in salesforce(run).query(query):
            activity = activity_in(task.get("Description"))
            if activity in wanted:
                found.setdefault(str(activity), str(task["Id"]))
    return found


def _claimed(run: Run, batch: str) -> list[Activity]:
    return run.services.store.activities.claim(run.integration.id, batch_id=batch, limit=MOST_ROWS)


def _entry_of(run: Run, batch: str) -> LedgerEntry | None:
    """The entry of a batch that was sent; None if it was not."""
    entry = run.services.store.ledger.get(key_of(run, batch))
    sent = entry is not None and entry.state not in (LedgerState.INTENDED, LedgerState.REPEAT)
    return entry if sent else None
