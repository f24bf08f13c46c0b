"""A file's event: its version onto its records (R54–R61). An event says little: Box is asked."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.errors import Transient
from inkwire.integrations.box_salesforce import activity, placing
from inkwire.integrations.box_salesforce.attaching import (
    Cargo,
    attach,
    ledger_key,
    left_out,
    pending,
    plan,
    refused,
    wait,
)
from inkwire.integrations.box_salesforce.clients import box
from inkwire.integrations.box_salesforce.finding import below_root, find
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.integrations.box_salesforce.stage import ask_executed
from inkwire.model.crm import FolderState, RecordFolder
from inkwire.model.work import LedgerState, ParkCause
from inkwire.providers.box.client import BoxClient
from inkwire.providers.box.objects import BoxFile, BoxVersion

_MEGABYTE = 1024 * 1024
#: Seconds that a version waits for an older one that was just started.
AFTER_S = 5
#: Triggers that speak of one version; the others mean the file, whatever its version.
_OF_A_VERSION = frozenset({"FILE.UPLOADED", "FILE.VERSION.RESTORED", ""})
#: Name of the folders in which a lock executes a contract.
CONTRACTS = "contracts"


async def sync_file(run: Run) -> Outcome:
    """The version that the event speaks of is attached to the record of its folder."""
    left = await run.step(
        "find", lambda: _under_way(run), plan="Look for a file whose answer was lost", pretend={}
    )
    if left.get("again_at"):
        return wait(left["again_at"])
    look = await run.step("look", lambda: _look(run))
    if look["stop"]:
        return Outcome.done(look["stop"])
    if look["unmapped"]:
        return Outcome.unmapped(look["unmapped"])
    if look["after"]:
        return wait(look["after"], f"An older version of {look['name']} is attached first.")
    did = await run.step(
        "attach",
        lambda: _attach(run, look, again=bool(left.get("resend"))),
        plan=f"POST /sobjects/ContentVersion: {look['name']} to {look['object']} {look['record']}",
        pretend={"version": "", "note": ""},
    )
    if did.get("again_at"):
        return wait(did["again_at"], did.get("why", ""))
    if did.get("unmapped"):
        return Outcome.unmapped(did["unmapped"])
    await run.step("note", lambda: _note(run, look), plan="Note what happened, for a Task")
    return Outcome.done(_told(look, did))


def _under_way(run: Run) -> dict[str, Any]:
    subject = run.work.subject
    if not subject.get("version_id"):
        return {}
    return pending(run, subject["file_id"], subject["version_id"])


def _look(run: Run) -> dict[str, Any]:
    """The file at Box and its record: or why nothing is to be done (`stop`, `unmapped`)."""
    client, subject = box(run), run.work.subject
    file = client.file(subject["file_id"])
    if file is None:
        return _stop("The file is no longer in Box, so there is nothing to attach.")
    if below_root(run, file.path) is None:
        return _stop(f"{file.name} is not below {chosen(run.integration).root_folder}.")
    folder = find(run, file.path)
    if folder.state is not FolderState.MAPPED or folder.record_id is None:
        return {"stop": "", "unmapped": folder.note}
    version = _version(run, client, file)
    return {
        "stop": "",
        "unmapped": "",
        "skip": _skip(run, file, version),
        "after": _after(run),
        "file": file.id,
        "version": version.id,
        "number": version.number,
        "name": version.name or file.name,
        "size": version.size,
        "sha1": version.sha1,
        "path": folder.path,
        "parent": file.path[-1].name,
        "locked": file.locked,
        "contracts": any(ref.name.casefold() == CONTRACTS for ref in file.path),
        "folder": folder.folder_id,
        "object": folder.object,
        "record": folder.record_id,
        "record_name": folder.record_name,
        "account": _account(run, folder),
        "lock": folder.account_id or folder.record_id,
    }


def _attach(run: Run, look: Mapping[str, Any], *, again: bool) -> dict[str, Any]:
    cargo = cargo_of(look)
    if look["skip"]:
        end = left_out if look["skip"][0] == "newer" else refused
        end(run, plan(run, cargo), look["skip"][1])
        return {"version": "", "note": look["skip"][1]}
    did = attach(run, cargo, again=again)
    if did.get("version"):
        now = run.services.clock.now()
        run.services.store.record_folders.touch(run.integration.id, cargo.folder_id, synced_at=now)
    return did


def cargo_of(look: Mapping[str, Any]) -> Cargo:
    """What is to be attached, and where."""
    records = [(look["object"], look["record"])]
    if look["account"]:
        records.append(("Account", look["account"]))
    return Cargo(
        file_id=look["file"],
        version_id=look["version"],
        number=look["number"],
        name=look["name"],
        size=look["size"],
        sha1=look["sha1"],
        folder_id=look["folder"],
        lock=look["lock"],
        records=tuple(dict.fromkeys(records)),
    )


def _note(run: Run, look: Mapping[str, Any]) -> str:
    """The Task of this event; a lock may execute a contract."""
    activity.note_file(run, look, by=_changed_by(run, look))
    given = chosen(run.integration)
    if (
        run.work.subject.get("trigger") == "FILE.LOCKED"
        and given.executed_by_lock
        and look["locked"]
        and look["contracts"]
    ):
        ask_executed(run, look["file"], look["version"])
    return ""


def _changed_by(run: Run, look: Mapping[str, Any]) -> str:
    """Who made the version, asked if no event says who; "" if nobody knows."""
    if run.work.subject.get("actor") or not chosen(run.integration).log_activity:
        return ""
    client = box(run)
    file = client.file(look["file"])
    by = _version(run, client, file).modified_by if file is not None else None
    return by.name if by is not None else ""


def _version(run: Run, client: BoxClient, file: BoxFile) -> BoxVersion:
    """The version that the event speaks of; the present one if it names none, or it is gone.

    An event of the file means the newest version that is attached, if that is newer: it is to be
    on the record, too. Never a newer one: versions between would be overtaken, whose own events
    still wait.
    """
    subject = run.work.subject
    wanted = subject.get("version_id", "") or file.version_id
    if wanted == file.version_id and file.version_number:
        return BoxVersion(
            id=file.version_id,
            number=file.version_number,
            sha1=file.sha1,
            size=file.size,
            name=file.name,
            modified_by=file.modified_by,
        )
    newest = list(client.versions(file.id))
    versions = [_numbered(one, len(newest) - index) for index, one in enumerate(newest)]
    if not versions:
        raise Transient(f"Box shows no version of {file.name} just now.")
    found = next((one for one in versions if one.id == wanted), versions[0])
    latest = run.services.store.attachments.latest(run.integration.id, file.id)
    if subject.get("trigger", "") not in _OF_A_VERSION and latest is not None:
        attached = next((one for one in versions if one.id == latest.version_id), found)
        return max(found, attached, key=lambda one: one.number)
    return found


def _numbered(version: BoxVersion, number: int) -> BoxVersion:
    """With the number that its place in the list gives, if Box says none."""
    return version if version.number else replace(version, number=number)


def _after(run: Run) -> str:
    """When to go on, if an older event of the file waited for this record and starts only now."""
    work, now = run.work, run.services.clock.now()
    waits = any(
        row.integration_id == work.integration_id
        and row.workflow == work.workflow
        and row.park_cause is ParkCause.MAPPING
        and (row.created_at, row.id) < (work.created_at, work.id)
        for row in run.services.store.works.unfinished([work.entity_key])
    )
    if not waits or run.dry:
        return ""
    placing.wake(run, asked=True)
    return (now + timedelta(seconds=AFTER_S)).isoformat()


def _skip(run: Run, file: BoxFile, version: BoxVersion) -> list[str]:
    """Why this version is not to be attached, as (kind, sentence); [] if it is."""
    most, store = chosen(run.integration).most_megabytes, run.services.store
    if version.size == 0:
        return ["empty", f"{file.name} is empty, and Salesforce takes no empty files."]
    if version.size > most * _MEGABYTE:
        size = f"{version.size / _MEGABYTE:,.0f} MB"
        return ["large", f"{file.name} has {size}, more than {most} MB: it stays in Box."]
    entry = store.ledger.get(ledger_key(run, file.id, version.id))
    if entry is not None and entry.state is not LedgerState.INTENDED:
        return []  # it is there, or on its way
    if version.id == file.version_id:
        return []  # Box shows nothing newer: what was, was deleted there
    latest = store.attachments.latest(run.integration.id, file.id)
    if latest is not None and latest.version_number > version.number:
        newer = f"version {latest.version_number} ({latest.version_id})"
        why = "Salesforce takes no older version after a newer one"
        return ["newer", f"Left out: {newer} is attached already, and {why}."]
    return []


def _account(run: Run, folder: RecordFolder) -> str:
    """The account that gets the file, too; "" if none does."""
    wanted = chosen(run.integration).attach_to_account or run.work.subject.get("to_account")
    if not wanted or folder.object == "Account":
        return ""
    return folder.account_id or ""


def _told(look: Mapping[str, Any], did: Mapping[str, Any]) -> str:
    number = f", version {look['number']}," if look["number"] else ""
    if look["skip"]:
        return str(look["skip"][1])
    where = f"{look['object']} {look['record_name'] or look['record']}"
    note = f" It {did['note']}." if did.get("note") else ""
    return f"{look['name']}{number} is on {where}.{note}"


def _stop(why: str) -> dict[str, Any]:
    return {"stop": why, "unmapped": ""}
