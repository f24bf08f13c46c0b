"""Which Salesforce record a Box folder stands for (R50–R53).

Asked from the nearest folder upwards, and the first that answers counts: what is known of it, the
metadata on it, the rule on its name. Above the root folder nobody is asked. What nobody answers is
unmapped: kept and listed until somebody does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from inkwire.engine.contract import Run
from inkwire.integrations.box_salesforce.clients import box, salesforce
from inkwire.integrations.box_salesforce.records import (
    FoundRecord,
    object_of,
    read_record,
)
from inkwire.integrations.box_salesforce.rules import NAMED, records_meant
from inkwire.integrations.box_salesforce.settings import Chosen, chosen
from inkwire.integrations.box_webhooks import FOLDER_ID
from inkwire.model.crm import FolderOrigin, FolderState, RecordFolder
from inkwire.providers.box.objects import BoxRef
from inkwire.providers.salesforce.standard import whole_id

#: Key of `Integration.remote` that holds the root folder's id.
ROOT = FOLDER_ID
#: How long a folder that says nothing of a record is not asked again. Box tells of metadata that it
#: gets, but not of a record that gets its name.
PASSED_S = 3600
#: States of folders that a folder above may answer for.
_PASSED = (FolderState.UNMAPPED, FolderState.BELOW)


def below_root(run: Run, path: Sequence[BoxRef]) -> tuple[BoxRef, ...] | None:
    """The folders of a path below the root folder; None if it does not lead through that."""
    known = run.integration.remote.get(ROOT)
    name = chosen(run.integration).root_folder
    for index, ref in enumerate(path):
        if ref.id == known or (not known and ref.name == name):
            return tuple(path[index + 1 :])
    return None


def find(run: Run, path: Sequence[BoxRef]) -> RecordFolder:
    """The folder on this path, nearest last, that has a record; else why none has, in `note`.

    `path` leads through the root folder. What is found is kept, in a dry run nothing is.
    """
    folders = run.services.store.record_folders
    below = below_root(run, path) or ()
    above = len(path) - len(below)
    known = folders.known(run.integration.id, [ref.id for ref in below])
    found: RecordFolder | None = None
    for index in range(len(below) - 1, -1, -1):
        at = path_text(path[: above + index + 1])
        row = known.get(below[index].id)
        if row is not None and _stands(run, row, at):
            if row.record_id is None:
                continue
            found = row
        else:
            found = _looked_at(run, below[index], at, below[:index])
        if found is not None:
            break
    if found is None:
        return _unmapped(run, below, path_text(path))
    if found.state is FolderState.MAPPED:
        _pass_through(run, path[:above], below, known, found)
    return found


def _looked_at(run: Run, ref: BoxRef, at: str, above: Sequence[BoxRef]) -> RecordFolder | None:
    """As `look_at`; of a hundred files that come to a new folder at once only one asks."""
    with salesforce(run).turn(ref.id):
        row = run.services.store.record_folders.get(run.integration.id, ref.id)
        if row is not None and _stands(run, row, at):
            return row if row.record_id is not None else None
        return look_at(run, ref, at, above=above)


def look_at(run: Run, ref: BoxRef, at: str, *, above: Sequence[BoxRef] = ()) -> RecordFolder | None:
    """What metadata or the rule says of one folder, kept; None if neither says anything.

    `at`: its path. `above`: the folders between it and the root folder.
    """
    given = chosen(run.integration)
    values = box(run).metadata(ref.id, given.mapping_template) or {}
    for field in given.record_fields:
        text = str(values.get(field) or "").strip()
        if text:
            return _by_metadata(run, ref, at, field=field, text=text, values=values)
    if given.path_rule == "off":
        return None
    return _by_rule(run, given, ref, at, above)


def gone(run: Run, folder_id: str, *, note: str) -> None:
    """Notes that a folder's record was deleted."""
    folders, now = run.services.store.record_folders, run.services.clock.now()
    row = folders.get(run.integration.id, folder_id)
    if row is not None:
        _put(run, _changed(row, state=FolderState.GONE, note=note, at=now))


def _by_metadata(
    run: Run, ref: BoxRef, at: str, *, field: str, text: str, values: Mapping[str, object]
) -> RecordFolder:
    given, crm = chosen(run.integration), salesforce(run)
    wanted = whole_id(text)
    kind = object_of(crm, wanted) if wanted is not None else None
    if wanted is None or kind is None:
        note = (
            f"The metadata field {field} of {at} holds “{text[:40]}”, which is no record's id. "
            "Correct it there."
        )
        return _put(
            run,
            _row(run, ref, at, state=FolderState.CONFLICT, origin=FolderOrigin.METADATA, note=note),
        )
    if (ours := _provisioned(run, ref, at, wanted)) is not None:
        return ours
    found = read_record(crm, kind, wanted)
    if found is None:
        note = (
            f"Salesforce shows no {kind} {wanted}, which the metadata of {at} names: it was "
            "deleted or merged, or the connected user may not see it. Correct the metadata."
        )
        return _put(
            run,
            _row(
                run,
                ref,
                at,
                state=FolderState.GONE,
                origin=FolderOrigin.METADATA,
                note=note,
                kind=kind,
                record=wanted,
            ),
        )
    account = found.account_id or whole_id(str(values.get(given.account_field) or "").strip())
    return _mapped(run, ref, at, found, origin=FolderOrigin.METADATA, account=account)


def _provisioned(run: Run, ref: BoxRef, at: str, record: str) -> RecordFolder | None:
    """A folder that Inkwire made for that record: what it was made for is kept.

    Provisioning sees by that what the record has become meanwhile, and our own metadata costs no
    call.
    """
    old = run.services.store.record_folders.get(run.integration.id, ref.id)
    if (
        old is None
        or old.origin is not FolderOrigin.PROVISIONED
        or old.state is not FolderState.MAPPED
        or old.record_id != record
    ):
        return None
    now = run.services.clock.now()
    return _put(run, replace(old, name=ref.name, path=at, checked_at=now, updated_at=now))


def _by_rule(
    run: Run, given: Chosen, ref: BoxRef, at: str, above: Sequence[BoxRef]
) -> RecordFolder | None:
    """Exactly one record that the folder's name fits; two are a conflict, none is nothing."""
    found, hidden = records_meant(run, given, ref.name, above)
    if len(found) == 1:
        return _mapped(
            run, ref, at, found[0], origin=FolderOrigin.RULE, account=found[0].account_id
        )
    if not found and not hidden:
        return None
    ids = ", ".join([*(f"{one.object} {one.id}" for one in found), *hidden][:NAMED])
    if found:
        note = f"More than one record fits {at}: {ids}. Set the metadata on the folder."
        return _put(
            run, _row(run, ref, at, state=FolderState.CONFLICT, origin=FolderOrigin.RULE, note=note)
        )
    note = (
        f"Salesforce shows no record {ids}, which the name of {at} holds. Rename the folder, or "
        "set the metadata on it."
    )
    return _put(
        run, _row(run, ref, at, state=FolderState.GONE, origin=FolderOrigin.RULE, note=note)
    )


def _stands(run: Run, row: RecordFolder, at: str) -> bool:
    """Whether what is known can be relied on: it was not moved or renamed since."""
    if row.state is FolderState.BELOW:
        age = run.services.clock.now() - row.checked_at
        return row.path == at and age < timedelta(seconds=PASSED_S)
    if row.state is not FolderState.MAPPED:
        return False
    return row.path == at or row.origin in (FolderOrigin.PERSON, FolderOrigin.PROVISIONED)


def _pass_through(
    run: Run,
    above: Sequence[BoxRef],
    below: Sequence[BoxRef],
    known: Mapping[str, RecordFolder],
    found: RecordFolder,
) -> None:
    """Notes of folders on the way that one above them answers, so that no file asks them again."""
    for index in range(len(below) - 1, -1, -1):
        ref = below[index]
        if ref.id == found.folder_id:
            return
        row, at = known.get(ref.id), path_text((*above, *below[: index + 1]))
        if row is not None and (row.state not in _PASSED or _stands(run, row, at)):
            continue
        # What became known of it meanwhile, by its metadata, counts.
        if run.services.store.record_folders.get(run.integration.id, ref.id) == row:
            note = f"Its record is that of the folder above it, {found.name}."
            _put(
                run,
                _row(run, ref, at, state=FolderState.BELOW, origin=FolderOrigin.RULE, note=note),
            )


def _unmapped(run: Run, below: Sequence[BoxRef], at: str) -> RecordFolder:
    given, state, origin = chosen(run.integration), FolderState.UNMAPPED, FolderOrigin.RULE
    if not below:  # the root folder belongs to nobody, and is never asked
        root = BoxRef(id="0", name=given.root_folder)
        note = f"It lies right in {root.name}, which is no record's: move it to a record's folder."
        return _row(run, root, at, state=state, origin=origin, note=note)
    note = (
        f"No folder above it names a record: {at}. Set the metadata {given.mapping_template} on "
        "the folder, with the record's id."
    )
    return _put(run, _row(run, below[-1], at, state=state, origin=origin, note=note))


def _mapped(
    run: Run, ref: BoxRef, at: str, found: FoundRecord, *, origin: FolderOrigin, account: str | None
) -> RecordFolder:
    return _put(
        run,
        _row(
            run,
            ref,
            at,
            state=FolderState.MAPPED,
            origin=origin,
            note="",
            kind=found.object,
            record=found.id,
            name=found.name,
            account=account,
        ),
    )


def _row(
    run: Run,
    ref: BoxRef,
    at: str,
    *,
    state: FolderState,
    origin: FolderOrigin,
    note: str,
    kind: str = "",
    record: str | None = None,
    name: str = "",
    account: str | None = None,
) -> RecordFolder:
    """The row, with what is kept of the folder's owner and of what went through it."""
    now = run.services.clock.now()
    old = run.services.store.record_folders.get(run.integration.id, ref.id)
    same = old is not None and old.record_id == record
    if old is not None and same and old.origin is FolderOrigin.PROVISIONED:
        origin = old.origin  # Inkwire's own metadata says nothing new
    return RecordFolder(
        integration_id=run.integration.id,
        folder_id=ref.id,
        name=ref.name,
        path=at,
        state=state,
        origin=origin,
        object=kind,
        record_id=record,
        record_name=name,
        account_id=account,
        owner_email=old.owner_email if old is not None and same else "",
        collaboration_id=old.collaboration_id if old is not None and same else "",
        note=note,
        checked_at=now,
        synced_at=old.synced_at if old is not None else None,
        created_at=now,
        updated_at=now,
    )


def _changed(row: RecordFolder, *, state: FolderState, note: str, at: datetime) -> RecordFolder:
    return replace(row, state=state, note=note, checked_at=at, updated_at=at)


def _put(run: Run, row: RecordFolder) -> RecordFolder:
    return row if run.dry else run.services.store.record_folders.put(row)


def path_text(path: Sequence[BoxRef]) -> str:
    """The names of a path, as it is kept: `/Clients/Acme/Renewal`."""
    return "/" + "/".join(ref.name for ref in path)
