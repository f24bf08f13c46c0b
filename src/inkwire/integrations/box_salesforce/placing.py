"""What provisioning does to a record's folder, each a step that may be run again.

Only Inkwire's own folders follow the record: for each the ledger has an entry
`folder/INTEGRATION/RECORD/FOLDER`, DONE once the tree in it is complete.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from inkwire.engine.contract import Run
from inkwire.errors import Permanent, Transient
from inkwire.integrations.box_salesforce import claiming, tree
from inkwire.integrations.box_salesforce.asking import WAKE_S, ask_wake
from inkwire.integrations.box_salesforce.clients import box
from inkwire.integrations.box_salesforce.seeing import Seen
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.integrations.box_salesforce.tree import ACCOUNT, Level
from inkwire.model.crm import FolderOrigin, FolderState, RecordFolder
from inkwire.model.event import Origin
from inkwire.model.work import LedgerEntry, LedgerState, Work
from inkwire.providers.box.objects import BoxFolder, NameTaken
from inkwire.providers.salesforce import ids
from inkwire.store.crm import FolderQuery

#: Names that are tried for a folder; the last is no other record's.
NAMES = 3
#: Rows that one start starts; those that waited longest first.
_WOKEN = 10_000
#: In the ledger in place of a folder's id: its metadata turned out to name another record.
_TAKEN = "taken"
#: Key of `remote`: when that was last done.
WOKEN = "woken_at"
#: Note of a folder whose record Salesforce no longer shows.
DELETED = "Its record was deleted in Salesforce, or the connected user may no longer see it."


def find(run: Run, seen: Seen) -> dict[str, Any]:
    """The known folder if it is still there, and what has to be done to it."""
    folders, nothing = run.services.store.record_folders, {"folder": ""}
    row = folders.of_record(run.integration.id, seen.id)
    if row is None:
        return nothing
    folder = box(run).folder(row.folder_id)
    if folder is None:
        if not run.dry:
            mark_gone(run, seen.id, "The folder is no longer in Box; another one was made.")
        return nothing
    entry = run.services.store.ledger.get(_key(run, seen.id, row.folder_id))
    ours = entry is not None and entry.remote_id != _TAKEN
    return {
        "folder": row.folder_id,
        "whole": entry is None or entry.state is LedgerState.DONE,
        # An account's account is itself; what a person moved or renamed by hand stays so.
        "moved": ours and seen.object != ACCOUNT and (row.account_id or None) != seen.account_id,
        "renamed": ours and bool(seen.name) and row.record_name != seen.name,
    }


def named(run: Run, seen: Seen, parent: str, index: int) -> str:
    """The folder of that name, made or found; "" if it cannot be this record's."""
    names = _names(run, seen)
    made = box(run).create_folder(names[min(index, len(names) - 1)], parent_id=parent)
    if isinstance(made, BoxFolder):
        return made.id
    return made.id if made.type == "folder" and _free(run, made.id, seen.id) else ""


def _free(run: Run, folder_id: str, record_id: str) -> bool:
    """Whether no other record is known to have it; the metadata has the last word."""
    row = run.services.store.record_folders.get(run.integration.id, folder_id)
    return row is None or row.record_id is None or ids.same(row.record_id, record_id)


def claim(run: Run, seen: Seen, folder: str) -> bool:
    """Sets the metadata; before that the ledger notes that the folder is about to be ours."""
    now = run.services.clock.now()
    run.services.store.ledger.intend(
        LedgerEntry(
            key=_key(run, seen.id, folder),
            kind="folder",
            integration_id=run.integration.id,
            work_id=run.work.id,
            entity_key=run.work.entity_key,
            state=LedgerState.INTENDED,
            fence=0,
            updated_at=now,
        )
    )
    if claiming.claim(run, folder, _values(run, seen), record_id=seen.id):
        return True
    run.services.store.ledger.settle(_key(run, seen.id, folder), remote_id=_TAKEN, at=now)
    return False


def move(run: Run, seen: Seen, folder: str, parent: str) -> str:
    """To the account's folder, under a name that is free there, and its metadata after it."""
    there = box(run).folder(folder)
    if there is None or there.parent_id == parent:
        return ""
    for name in dict.fromkeys((there.name, *_names(run, seen))):
        if isinstance(box(run).change_folder(folder, name=name, parent_id=parent), BoxFolder):
            return ""
    raise Permanent(
        f"The folder {there.name} cannot go to the folder of its account: all its names are taken "
        "there. Rename what stands there, then retry."
    )


def rename(run: Run, seen: Seen, folder: str) -> str:
    """To the record's name, or one with its id if that is taken."""
    names, there = _names(run, seen), box(run).folder(folder)
    if there is None or there.name in names:
        return ""
    for name in names:
        if isinstance(box(run).change_folder(folder, name=name), BoxFolder):
            return ""
    raise Permanent(
        f"The folder {there.name} cannot be renamed to {names[0]}: all names for it are taken. "
        "Rename what stands there, then retry."
    )


def chain(run: Run, top: str, path: tuple[str, ...]) -> str:
    """Folders one in the other, found or made; the id of the last."""
    at = top
    for name in path:
        made = box(run).create_folder(name, parent_id=at)
        if isinstance(made, NameTaken) and made.type != "folder":
            raise Permanent(
                f"A file stands at Box where the folder “{name}” should; rename it, then retry."
            )
        at = made.id
    return at


def keep(run: Run, seen: Seen, folder: str, *, claimed: bool) -> str:
    """The row, and the ledger's word that all in it is made; a sentence if it is another's now."""
    store, now = run.services.store, run.services.clock.now()
    client, given = box(run), chosen(run.integration)
    there = client.folder(folder)
    if there is None:
        raise Transient(f"The folder {folder} is no longer in Box; another one is made.")
    note = ""
    if not claimed and not claiming.update(
        client, given, folder, _values(run, seen), record_id=seen.id
    ):
        note = f"Its metadata names another record than {seen.object} {seen.id}; correct it there."
    row = _row(run, seen, there, at=now)
    store.record_folders.put(
        replace(row, state=FolderState.CONFLICT if note else FolderState.MAPPED, note=note)
    )
    if store.ledger.get(_key(run, seen.id, folder)) is not None:
        store.ledger.settle(_key(run, seen.id, folder), remote_id=folder, at=now)
    return note


def _row(run: Run, seen: Seen, there: BoxFolder, *, at: datetime) -> RecordFolder:
    """The folder's row; whom Inkwire gave access stays noted while it is the same record's."""
    old = run.services.store.record_folders.get(run.integration.id, there.id)
    same = old is not None and old.record_id == seen.id
    return RecordFolder(
        integration_id=run.integration.id,
        folder_id=there.id,
        name=there.name,
        path="/" + "/".join((*(one.name for one in there.path), there.name)),
        state=FolderState.MAPPED,
        origin=FolderOrigin.PROVISIONED,
        object=seen.object,
        record_id=seen.id,
        record_name=seen.name,
        account_id=seen.account_id,
        owner_email=old.owner_email if old is not None and same else "",
        collaboration_id=old.collaboration_id if old is not None and same else "",
        checked_at=at,
        synced_at=old.synced_at if old is not None else None,
        created_at=at,
        updated_at=at,
    )


def wake(run: Run, *, asked: bool = False) -> int | None:
    """Starts what waited for a record to become known; how many rows that were.

    What waits is not asked for each of a thousand new folders: within a minute of the last start
    it is left (None) to one more at the minute's end. That one is asked for always: a run that
    looked before the folder was known may park only after this. `asked`: this is that one.
    """
    integrations, now = run.services.store.integrations, run.services.clock.now()
    last = integrations.get(run.integration.id).remote.get(WOKEN)
    if not asked:
        ask_wake(run)
        if last and now - datetime.fromisoformat(last) < timedelta(seconds=WAKE_S):
            return None
    integrations.set_remote(run.integration.id, {WOKEN: now.isoformat()})
    return run.services.store.works.wake_unmapped(run.integration.id, at=now, limit=_WOKEN)


def ask_account(run: Run, account_id: str) -> int:
    """The account's own run gives its owner access and writes the link."""
    row = work_for(run, ACCOUNT, account_id, key=f"record/{account_id}/folder")
    return len(run.services.store.works.add([row]))


def work_for(run: Run, object_name: str, record_id: str, *, key: str) -> Work:
    """A row that looks after a record's folder."""
    now = run.services.clock.now()
    return Work(
        id=run.services.ids.new("wrk"),
        integration_id=run.integration.id,
        key=key,
        workflow="provision",
        entity_key=f"salesforce:record:{record_id}",
        origin=Origin.RECONCILED,
        subject={"object": object_name, "record_id": record_id},
        due_at=now,
        created_at=now,
    )


def held(run: Run, record_id: str) -> RecordFolder | None:
    """A folder of the record that waits for a person."""
    query = FolderQuery(
        integration_id=run.integration.id,
        record_id=record_id,
        state=FolderState.CONFLICT,
        limit=1,
    )
    return next(iter(run.services.store.record_folders.page(query)), None)


def _values(run: Run, seen: Seen) -> dict[str, str]:
    return claiming.values_for(
        run, object_name=seen.object, record_id=seen.id, account_id=seen.account_id
    )


def _names(run: Run, seen: Seen) -> tuple[str, ...]:
    """Names for its folder, the nicest first; a record without a name has its id."""
    names = {seen.object: seen.name or seen.id}
    if seen.object != ACCOUNT:
        names[ACCOUNT] = seen.account_name or seen.account_id or tree.NO_ACCOUNT
    return tree.candidates(tree.rendered(level(run, seen.object).name, names), seen.id)


def _key(run: Run, record_id: str, folder_id: str) -> str:
    return f"folder/{run.integration.id}/{record_id}/{folder_id}"


def whole(run: Run) -> tree.Tree:
    """The tree of the settings. Raises Permanent if it means nothing."""
    return tree.parse(chosen(run.integration).folder_tree)


def level(run: Run, which: str) -> Level:
    """Where the folders of an object stand. Raises Permanent if they stand nowhere."""
    found = whole(run).level(which)
    if found is None:
        raise Permanent(f"The folder tree has no folder for the object {which} any more.")
    return found


def mark_gone(run: Run, record_id: str, note: str) -> bool:
    """The record's folder is of no record any more; whether there was one."""
    folders, now = run.services.store.record_folders, run.services.clock.now()
    row = folders.of_record(run.integration.id, record_id)
    if row is None:
        return False
    folders.put(replace(row, state=FolderState.GONE, note=note, checked_at=now, updated_at=now))
    return True
