"""A folder's metadata changed: its record is looked up again, and what waited for it starts."""

from dataclasses import replace
from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.integrations.box_salesforce import field_sync, placing
from inkwire.integrations.box_salesforce.clients import box
from inkwire.integrations.box_salesforce.finding import (
    below_root,
    find,
    gone,
    look_at,
    path_text,
)
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.model.crm import FolderOrigin, FolderState
from inkwire.providers.box.objects import BoxRef


async def refresh_mapping(run: Run) -> Outcome:
    """The folder's record is what its metadata says now."""
    look = await run.step(
        "look", lambda: _look(run), plan="Read the metadata", pretend={"note": "", "wake": False}
    )
    if not look["wake"]:
        return Outcome.done(look["note"])
    woken = await run.step(
        "wake", lambda: placing.wake(run), plan="Start what waited for a record", pretend=0
    )
    await run.step("fields", lambda: _ask_fields(run), plan="Ask for its mapped fields", pretend=0)
    if woken is None:
        return Outcome.done(f"{look['note']} What waited starts within a minute.")
    return Outcome.done(f"{look['note']} {woken} events that waited start again.")


def _ask_fields(run: Run) -> int:
    """What else the metadata says is another run's work, if it is more than the record."""
    subject = run.work.subject
    folder = run.services.store.record_folders.get(run.integration.id, subject["folder_id"])
    return field_sync.ask(
        run,
        folder,
        key=run.work.key,
        **{field_sync.BY_BOX: "yes"},
        **{key: subject[key] for key in ("actor",) if key in subject},
    )


def _look(run: Run) -> dict[str, Any]:
    folder_id = run.work.subject["folder_id"]
    folder = box(run).folder(folder_id)
    if folder is None:
        note = "The folder is no longer in Box, or the connected user may not see it."
        gone(run, folder_id, note=note)
        return {"note": note, "wake": False}
    path = (*folder.path, BoxRef(id=folder.id, name=folder.name))
    below = below_root(run, path)
    if not below:
        where = chosen(run.integration).root_folder
        return {"note": f"{folder.name} is not below {where}.", "wake": False}
    found = look_at(run, below[-1], path_text(path), above=below[:-1])
    if found is None:
        _forget(run, folder_id)
        found = find(run, path)
    if found.state is not FolderState.MAPPED:
        return {"note": found.note, "wake": False}
    record = f"{found.object} {found.record_name or found.record_id}"
    return {"note": f"{found.path or path_text(path)} is {record}.", "wake": True}


def _forget(run: Run, folder_id: str) -> None:
    """Nothing on the folder itself names a record any more; what Inkwire made stays known."""
    folders, now = run.services.store.record_folders, run.services.clock.now()
    row = folders.get(run.integration.id, folder_id)
    if row is not None and row.origin is not FolderOrigin.PROVISIONED:
        folders.put(
            replace(
                row,
                state=FolderState.UNMAPPED,
                object="",
                record_id=None,
                record_name="",
                account_id=None,
                note="Neither its metadata nor its name say which record it is.",
                checked_at=now,
                updated_at=now,
            )
        )
