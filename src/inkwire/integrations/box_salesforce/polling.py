"""Which records are new or changed: asked for again and again, with overlap (salesforce.md §3).

A pass reads an object's records by SystemModstamp, in pieces, from some time before the last pass
on: a record has the time of its statement, and is seen only after its commit. What comes twice is
one work row, for the key holds the record and its time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.errors import Permanent
from inkwire.integrations.box_salesforce import field_sync, placing, tree
from inkwire.integrations.box_salesforce.asking import require_budget
from inkwire.integrations.box_salesforce.clients import salesforce
from inkwire.integrations.box_salesforce.owners import NOBODY
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.integrations.box_salesforce.tree import ACCOUNT
from inkwire.model.crm import RecordFolder
from inkwire.model.work import Work, WorkState
from inkwire.moments import EPOCH
from inkwire.providers.salesforce.objects import Record, moment_of
from inkwire.providers.salesforce.soql import at_least, select
from inkwire.store.acting import WorkQuery
from inkwire.store.contract import MAX_PAGE

#: How far each pass goes back behind the one before.
OVERLAP = timedelta(minutes=15)
#: Salesforce's clock and ours may differ by this much: what was made so shortly before the first
#: poll counts as new.
_SKEW = timedelta(minutes=15)
#: Rows that one run makes at most, and records that it reads; rows kept in one transaction.
MOST_MADE, MOST_READ, _BATCH = 2_000, 20_000, 100
#: Rows that may wait before no more are made.
MOST_WAITING = 2_000
#: SystemModstamp has whole seconds: a record is looked at when its second is over, for a further
#: change within it would have the same key.
_SECOND = timedelta(seconds=2)
#: Seconds from one piece to the next, and from one look at deleted records to the next.
_NEXT_S, DELETED_S = 15, 900
#: The list of deleted records goes back so far (15 days is what Salesforce promises).
_DELETED_MOST = timedelta(days=14)
#: A run that was due so long before the last whole look began has nothing left to look for. More
#: than the clocks of two of our machines differ: what asked for it must have come before that look.
_SEEN = timedelta(seconds=60)
#: Keys of `remote`: since when records count as new; who Inkwire is there; when the last look began
#: that saw all; of each object the end of the last pass, the start and the position of one that
#: goes on, the end of the deleted ones.
SINCE, USER, WHOLE, LOOKED = "poll_since", "salesforce_user", "poll_existing", "poll_looked"


def cursor_key(object_name: str, what: str) -> str:
    """Of `remote`; `what`: `cursor`, `began`, `at` or `deleted`."""
    return f"poll_{what}_{object_name.lower()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """What one run read of an object."""

    made: int
    #: SystemModstamp of the last record; None: there was none.
    last: datetime | None
    #: Whether there is no more.
    whole: bool


async def poll_records(run: Run) -> Outcome:
    """New and changed records become work; a bounded number of them in each run.

    Outbound Messages go on asking while runs wait, for a person or for Salesforce; of those that
    queued up one looks, and the others see that it did. What counts is when its pass began: a late
    row may come to stand behind where a long one is.
    """
    if not _objects(run):
        return Outcome.done("Making folders is switched off in the settings.")
    begun = await run.step("begin", lambda: _begin(run))
    if not begun["objects"]:
        return Outcome.done("All was looked at since this was asked for.")
    made, more = 0, False
    began: list[str] = []
    for object_name in begun["objects"]:
        did = await run.step(
            f"poll:{object_name}",
            lambda name=object_name: _poll(run, name),  # type: ignore[misc]
            plan=f"Make work of each new or changed {object_name}",
            pretend={"made": 0, "more": False},
        )
        made, more = made + did["made"], more or did["more"]
        # A run that an earlier release began may have kept a value without `began`.
        began.append(did.get("began", ""))
    gone = await run.step(
        "deleted",
        lambda: _all_deleted(run, begun["objects"], looked="" if more else min(began)),
        plan="Note which records were deleted",
        pretend={"gone": 0, "why": ""},
    )
    told = f"{made} new or changed records." if made else "No record is new or changed."
    if gone["gone"]:
        told = f"{told} {gone['gone']} with a folder were deleted."
    told = f"{told} {gone['why']}".strip()
    if more:
        return Outcome.later(
            f"{told} There are more; they follow as folders are made.",
            at=run.services.clock.now() + timedelta(seconds=_NEXT_S),
        )
    return Outcome.done(told)


def _begin(run: Run) -> dict[str, Any]:
    """The objects that have folders or mapped fields; keeps when the first poll was.

    None if all was looked at since the run was due.
    """
    remote, now = _remote(run), run.services.clock.now()
    looked = moment_of(remote.get(LOOKED))
    if looked is not None and run.work.due_at + _SEEN < looked and not run.dry:
        return {"objects": []}
    require_budget(run)
    objects, given = _objects(run), chosen(run.integration)
    changes: dict[str, str] = {}
    if not remote.get(SINCE):
        changes[SINCE] = now.isoformat()
    existing = given.provision and given.provision_existing
    if existing and not remote.get(WHOLE):
        # From the very beginning, once; whatever was read before is read again.
        changes[WHOLE] = now.isoformat()
        for name in objects:
            changes[cursor_key(name, "cursor")] = EPOCH.isoformat()
            changes[cursor_key(name, "began")] = changes[cursor_key(name, "at")] = ""
    elif given.provision and not existing and remote.get(WHOLE):
        changes[WHOLE] = ""
    if changes and not run.dry:
        _set(run, changes)
    return {"objects": list(objects)}


def _objects(run: Run) -> tuple[str, ...]:
    """Those that get folders, and those that have mapped fields."""
    given = chosen(run.integration)
    own = placing.whole(run).objects if given.provision else ()
    return tuple(dict.fromkeys((*own, *given.mapped.objects)))


def _poll(run: Run, object_name: str) -> dict[str, Any]:
    """The next piece of an object's pass, or its next pass."""
    remote, now = _remote(run), run.services.clock.now()
    cursor, began, at = (
        moment_of(remote.get(cursor_key(object_name, what))) for what in ("cursor", "began", "at")
    )
    if _waiting(run) >= MOST_WAITING:
        return {"made": 0, "more": True}
    since = moment_of(remote.get(SINCE)) or now
    start = at if began is not None and at is not None else (cursor or since - _SKEW) - OVERLAP
    began = began if at is not None and began is not None else now
    piece = _read(run, object_name, max(start, EPOCH), since)
    last = max(piece.last or EPOCH, (cursor or since) if piece.whole else EPOCH)
    if piece.whole:
        # Rows of before the pass began may still appear: the next one begins behind that.
        kept = {"cursor": min(last, began).isoformat(), "began": "", "at": ""}
    else:
        kept = {"began": began.isoformat(), "at": last.isoformat()}
    _set(run, {cursor_key(object_name, what): text for what, text in kept.items()})
    return {"made": piece.made, "more": not piece.whole, "began": began.isoformat()}


def _read(run: Run, object_name: str, start: datetime, since: datetime) -> Piece:
    """Makes work of records until enough was made or read.

    A piece ends in a later second than it began, so that the next one goes on; what is read twice
    of its last second has its rows already.
    """
    rows, made, read, last = _records(run, object_name, start), 0, 0, None
    given, user = chosen(run.integration), _user(run)
    folders = given.provision and object_name in placing.whole(run).objects
    mapped = bool(given.mapped.of(object_name))
    while batch := list(islice(rows, _BATCH)):
        wanted = [row for row in batch if folders and _wanted(run, row, since=since, user=user)]
        works = [_work(run, object_name, row) for row in wanted]
        if mapped:
            asked = field_sync.for_records(run, ((row, _stamp(row)) for row in batch))
            works += [replace(one, due_at=one.due_at + _SECOND) for one in asked]
        made += len(run.services.store.works.add(works)) if works else 0
        read += len(batch)
        last = stamp_of(batch[-1])
        if (made >= MOST_MADE or read >= MOST_READ) and last > start:
            return Piece(made=made, last=last, whole=False)
    return Piece(made=made, last=last, whole=True)


def _records(run: Run, object_name: str, start: datetime) -> Iterator[Record]:
    fields = ["Id", "SystemModstamp"]
    if object_name in tree.OBJECTS:
        fields += ["Name", "CreatedDate", "LastModifiedById", "Owner.Email"]
        fields += ["AccountId"] if object_name != ACCOUNT else []
    query = select(
        object_name, fields, at_least("SystemModstamp", start), order=["SystemModstamp", "Id"]
    )
    return salesforce(run).query(query, most=MOST_READ * 100)


def _wanted(run: Run, row: Record, *, since: datetime, user: str) -> bool:
    """Whether a record gets a folder, or its folder has to follow it."""
    folder = run.services.store.record_folders.of_record(run.integration.id, str(row["Id"]))
    if folder is not None:
        return row.get("LastModifiedById") != user or _matters(run, row, folder)
    created = moment_of(row.get("CreatedDate"))
    return chosen(run.integration).provision_existing or (
        created is not None and created >= since - _SKEW
    )


def _matters(run: Run, row: Record, folder: RecordFolder) -> bool:
    """Whether what our own user wrote concerns the folder: the link and the stage do not."""
    account = row["Id"] if folder.object == ACCOUNT else row.get("AccountId") or None
    email = str((row.get("Owner") or {}).get("Email") or "")
    shared = chosen(run.integration).owner_role == NOBODY or folder.owner_email == email
    return row.get("Name") != folder.record_name or account != folder.account_id or not shared


def _work(run: Run, object_name: str, row: Record) -> Work:
    record_id = str(row["Id"])
    made = placing.work_for(run, object_name, record_id, key=f"record/{record_id}/{_stamp(row)}")
    return replace(made, due_at=made.due_at + _SECOND)


def _stamp(row: Record) -> str:
    return stamp_of(row).strftime("%Y%m%dT%H%M%S.%fZ")


def _all_deleted(run: Run, objects: Sequence[str], *, looked: str) -> dict[str, Any]:
    """How many folders lost their record; why Salesforce would not say, if it would not.

    `looked`: when the pass began that has seen all else; "": there is more.
    """
    gone = 0
    if looked:
        _set(run, {LOOKED: looked})
    for name in objects:
        try:
            gone += _deleted(run, name)
        except Permanent as error:
            # New folders must not wait for that; a deleted record is noticed at its next use, too.
            _set(run, {cursor_key(name, "deleted"): run.services.clock.now().isoformat()})
            return {"gone": gone, "why": f"Which were deleted is not known: {error.message}"}
    return {"gone": gone, "why": ""}


def _deleted(run: Run, object_name: str) -> int:
    """Folders whose records were deleted lately; asked for at most each quarter of an hour."""
    now, key = run.services.clock.now(), cursor_key(object_name, "deleted")
    last = moment_of(_remote(run).get(key))
    if last is None:
        _set(run, {key: now.isoformat()})
        return 0
    if now - last < timedelta(seconds=DELETED_S):
        return 0
    start = max(last - OVERLAP, now - _DELETED_MOST)
    ids = salesforce(run).deleted(object_name, start, now)
    gone = sum(placing.mark_gone(run, record_id, placing.DELETED) for record_id in ids)
    _set(run, {key: now.isoformat()})
    return gone


def _waiting(run: Run) -> int:
    """How many records wait for their folders, counted up to the most that may."""
    found = 0
    for state in (WorkState.NEW, WorkState.PARKED):
        before = None
        while found < MOST_WAITING:
            page = run.services.store.works.page(
                WorkQuery(
                    integration_id=run.integration.id,
                    workflow="provision",
                    state=state,
                    before=before,
                    limit=MAX_PAGE,
                )
            )
            found += len(page)
            if len(page) < MAX_PAGE:
                break
            before = page[-1].id
    return found


def _user(run: Run) -> str:
    """Whom Inkwire calls Salesforce as; asked once for each connection."""
    connection = run.integration.second_connection_id
    known = _remote(run).get(USER, "")
    of, _, user = known.partition("/")
    if user and of == connection:
        return user
    try:
        user = salesforce(run).me().id
    except Permanent:
        return ""  # without it our own writes cost one more look at the folder, nothing else
    _set(run, {USER: f"{connection}/{user}"})
    return user


def _remote(run: Run) -> Mapping[str, str]:
    return run.services.store.integrations.get(run.integration.id).remote


def _set(run: Run, changes: Mapping[str, str]) -> None:
    run.services.store.integrations.set_remote(run.integration.id, changes)


def stamp_of(row: Record) -> datetime:
    """When a record last changed, in UTC."""
    found = moment_of(row.get("SystemModstamp"))
    return found if found is not None else EPOCH
