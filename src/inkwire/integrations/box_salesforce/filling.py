"""What no webhook told of: Box's own list of changes, and a slow walk through the folders.

Box delivers an event some times over two hours and then never again. So each hour the stream of
the connected user's changes is read, and some of the mapped folders are walked; a version that no
record has gets a work row, once, marked as reconciled.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.errors import Permanent
from inkwire.integrations.box_salesforce import placing
from inkwire.integrations.box_salesforce.clients import box
from inkwire.integrations.box_salesforce.finding import below_root
from inkwire.integrations.box_salesforce.keeping import GAP_AT
from inkwire.model.crm import AttachmentState, FolderState, RecordFolder
from inkwire.model.event import Origin
from inkwire.model.work import ParkCause, Work, WorkState
from inkwire.providers.box.objects import BoxItem
from inkwire.store.acting import WorkQuery
from inkwire.store.contract import MAX_PAGE
from inkwire.store.crm import FolderQuery

#: Keys of `remote`: place in the stream, place in the walk.
POSITION, WALK = "stream_position", "walk"
#: Pages of the stream, and files that are looked up, in one run.
MOST_PAGES, MOST_FILES = 20, 500
#: Folders that one run lists, and rows that it makes; rows that may wait before it makes more.
MOST_FOLDERS, MOST_MADE, MOST_WAITING = 600, 500, 1_000
#: Folders that the walk remembers; in a tree that is wider the rest has its turn another time.
_MOST_LEFT = 10_000
#: Mapped folders that are asked of the store at once; rows that are kept at once.
_PAGE, _BATCH = 50, 100
#: Seconds until a run goes on that left something.
_NEXT_S = 60
#: Changes after which a file's present version may be one that nobody told of.
_CHANGES = frozenset(
    {"ITEM_CREATE", "ITEM_UPLOAD", "ITEM_COPY", "ITEM_MOVE", "ITEM_UNDELETE_VIA_TRASH"}
)


async def fill_gaps(run: Run) -> Outcome:
    """Reads the stream, then walks on; what was found becomes work."""
    begun = await run.step("begin", lambda: _begin(run))
    if begun["busy"]:
        return _later(run, "Enough files wait already.")
    heard = await run.step(
        "stream",
        lambda: _stream(run),
        plan="GET /events, and work for versions that nobody told of",
        pretend={"made": 0, "more": False},
    )
    walked = await run.step(
        "walk",
        lambda: _walk(run),
        plan="GET /folders/{id}/items, and work for versions that nobody told of",
        pretend={"made": 0, "more": False, "gone": 0},
    )
    made = heard["made"] + walked["made"]
    told = f"{made} versions were found that no webhook had told." if made else "All is known."
    if walked["gone"]:
        told = f"{told} {walked['gone']} mapped folders are no longer in Box."
    if heard["more"] or walked["more"]:
        return _later(run, f"{told} There is more.")
    return Outcome.done(told)


def _later(run: Run, note: str) -> Outcome:
    return Outcome.later(note, at=run.services.clock.now() + timedelta(seconds=_NEXT_S))


def _begin(run: Run) -> dict[str, Any]:
    """Whether so much waits that nothing is to be added."""
    return {"busy": _waiting(run) >= MOST_WAITING}


# --- the stream


def _stream(run: Run) -> dict[str, Any]:
    """Changes since the last run; the first run only learns where the stream is."""
    integrations, client = run.services.store.integrations, box(run)
    position = integrations.get(run.integration.id).remote.get(POSITION)
    if not position:
        position = client.changes("now").next_position
        integrations.set_remote(run.integration.id, {POSITION: position})
        return {"made": 0, "more": False}
    seen: set[str] = set()
    made = 0
    for _ in range(MOST_PAGES):
        page = client.changes(position)
        changed = (
            one.item_id for one in page.changes if one.item_type == "file" and one.type in _CHANGES
        )
        files = [one for one in dict.fromkeys(changed) if one not in seen]
        seen.update(files)
        made += _add(run, _changed_files(run, files))
        ended = not page.changes or page.next_position == position
        position = page.next_position
        # After the rows: a crash between reads the page again, and its rows are there.
        integrations.set_remote(run.integration.id, {POSITION: position})
        if ended:
            return {"made": made, "more": False}
        if len(seen) >= MOST_FILES:
            break
    return {"made": made, "more": True}


def _changed_files(run: Run, file_ids: Iterable[str]) -> list[BoxItem]:
    """Those below the root folder, at their present version."""
    found = []
    for file_id in file_ids:
        file = box(run).file(file_id)
        if file is not None and below_root(run, file.path) is not None:
            found.append(
                BoxItem(type="file", id=file.id, name=file.name, version_id=file.version_id)
            )
    return found


# --- the walk


def _walk(run: Run) -> dict[str, Any]:
    """The next folders of the walk: `offset` in the list of mapped ones, `left` of the present."""
    integrations = run.services.store.integrations
    place = _place(integrations.get(run.integration.id).remote.get(WALK, ""))
    did: dict[str, Any] = {"made": 0, "more": False, "gone": 0}
    listed = 0
    try:
        while listed < MOST_FOLDERS and did["made"] < MOST_MADE:
            if not place["left"]:
                rows = _mapped(run, place["offset"])
                if not rows:
                    place = {"offset": 0, "left": []}
                    break
                left = _still_there(run, [row for row in rows if not _with_parent(row)], did)
                place = {"offset": place["offset"] + len(rows), "left": left}
                listed += len(rows)
                continue
            files, below = _items(run, place["left"][-1])
            listed += 1
            did["made"] += _add(run, files)
            _wake(run, files)
            place["left"] = [*place["left"][:-1], *below][-_MOST_LEFT:]
    finally:
        # A walk that is broken off goes on there: of many calls one fails now and then.
        integrations.set_remote(run.integration.id, {WALK: json.dumps(place)})
    did["more"] = did["made"] >= MOST_MADE
    return did


def _place(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
        return {"offset": int(found["offset"]), "left": [str(one) for one in found["left"]]}
    except (ValueError, KeyError, TypeError):
        return {"offset": 0, "left": []}


def _mapped(run: Run, offset: int) -> list[RecordFolder]:
    query = FolderQuery(
        integration_id=run.integration.id, state=FolderState.MAPPED, offset=offset, limit=_PAGE
    )
    return run.services.store.record_folders.page(query)


def _still_there(run: Run, rows: Sequence[RecordFolder], did: dict[str, Any]) -> list[str]:
    """Folders that are to be listed; one that is no longer in Box is noted as gone."""
    folders, now, found = run.services.store.record_folders, run.services.clock.now(), []
    for row in rows:
        if box(run).folder(row.folder_id) is not None:
            found.append(row.folder_id)
            continue
        note = "The folder is no longer in Box, or the connected user may not see it."
        folders.put(replace(row, state=FolderState.GONE, note=note, checked_at=now, updated_at=now))
        did["gone"] += 1
    return found


def _items(run: Run, folder_id: str) -> tuple[list[BoxItem], list[str]]:
    """Its files, and the folders in it that are walked with it.

    Those of another record have their own turn, or wait for a person. A folder that is gone
    meanwhile, or may not be seen, has nothing.
    """
    try:
        items = list(box(run).items(folder_id))
    except Permanent:
        return [], []
    below = [one.id for one in items if one.type == "folder"]
    known: set[str] = set()
    for start in range(0, len(below), MAX_PAGE):
        part = below[start : start + MAX_PAGE]
        rows = run.services.store.record_folders.known(run.integration.id, part)
        known |= {key for key, row in rows.items() if not _with_parent(row)}
    files = [one for one in items if one.type == "file"]
    return files, [one for one in below if one not in known]


def _with_parent(row: RecordFolder) -> bool:
    """Whether it is walked with the folder above it, whose record is its own."""
    return row.state in (FolderState.BELOW, FolderState.UNMAPPED)


# --- rows


def _add(run: Run, files: Sequence[BoxItem]) -> int:
    """Work for each version that no record has, and no event is about; how many rows that made."""
    store, made = run.services.store, 0
    missing = (one for one in files if one.version_id and not _known(run, one))
    while batch := list(islice(missing, _BATCH)):
        busy = _under_way(run, batch)
        made += len(store.works.add([_work(run, one) for one in batch if one.id not in busy]))
    if made:
        now = run.services.clock.now()
        store.integrations.set_remote(run.integration.id, {GAP_AT: now.isoformat()})
    return made


def _under_way(run: Run, files: Sequence[BoxItem]) -> set[str]:
    """Files whose event was delivered, and is worked on or waits for a person."""
    busy = {row.entity_key for row in _unfinished(run, files)}
    return {one.id for one in files if _entity(one) in busy}


def _unfinished(run: Run, files: Sequence[BoxItem]) -> list[Work]:
    keys = [_entity(one) for one in files]
    return [
        row
        for row in run.services.store.works.unfinished(keys, limit=_BATCH * 10)
        if row.integration_id == run.integration.id and row.workflow == "sync_file"
    ]


def _wake(run: Run, files: Sequence[BoxItem]) -> None:
    """Files below a record that wait for one start: their folder was moved there, say."""
    missing = (one for one in files if one.version_id and not _known(run, one))
    while batch := list(islice(missing, _BATCH)):
        if any(row.park_cause is ParkCause.MAPPING for row in _unfinished(run, batch)):
            placing.wake(run)
            return


def _work(run: Run, item: BoxItem) -> Work:
    now = run.services.clock.now()
    return Work(
        id=run.services.ids.new("wrk"),
        integration_id=run.integration.id,
        key=f"walk/{item.id}/{item.version_id}",
        workflow="sync_file",
        entity_key=_entity(item),
        origin=Origin.RECONCILED,
        subject={"file_id": item.id, "version_id": item.version_id},
        due_at=now,
        created_at=now,
    )


def _entity(item: BoxItem) -> str:
    return f"box:file:{item.id}"


def _known(run: Run, item: BoxItem) -> bool:
    rows = run.services.store.attachments.of_version(run.integration.id, item.id, item.version_id)
    # One that was left out for a newer version may be the present one again: that was deleted.
    return any(row.state is not AttachmentState.LEFT_OUT for row in rows)


def _waiting(run: Run) -> int:
    """How many files wait, counted up to the most that may."""
    found = 0
    before = None
    while found < MOST_WAITING:
        page = run.services.store.works.page(
            WorkQuery(
                integration_id=run.integration.id,
                workflow="sync_file",
                state=WorkState.NEW,
                before=before,
                limit=MAX_PAGE,
            )
        )
        found += len(page)
        if len(page) < MAX_PAGE:
            break
        before = page[-1].id
    return found
