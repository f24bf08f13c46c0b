"""The record's owner has access to its folder, by e-mail (R68).

Inkwire takes away only what it gave: the row of the folder notes whom it invites before it does,
and the collaboration's id after. A name without an id is an invitation whose answer was lost.
"""

from dataclasses import replace

from inkwire.engine.contract import Run
from inkwire.errors import Permanent
from inkwire.integrations.box_salesforce.clients import box
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.model.crm import RecordFolder
from inkwire.providers.box.objects import BoxCollaboration

NOBODY = "none"


def ensure_owner(run: Run, folder_id: str, email: str) -> str:
    """Gives the owner access, and takes back that of the owner before; a sentence, or "".

    Without an account at Box the owner is invited by mail. What Box refuses is told, not raised.
    """
    role = chosen(run.integration).owner_role
    row = run.services.store.record_folders.get(run.integration.id, folder_id)
    if role == NOBODY or row is None:
        return ""
    if row.owner_email and not _same(row.owner_email, email):
        row = _take_back(run, row)
    if not email:
        return "Its owner has no e-mail address, so nobody was given access."
    if row.collaboration_id:
        return ""
    there = _find(run, folder_id, email)
    if there is not None:
        # Noted before: we invited, and the answer was lost. Else somebody else did.
        return _settle(run, row, email, there.id) if row.owner_email else ""
    return _invite(run, row, email, role)


def _invite(run: Run, row: RecordFolder, email: str, role: str) -> str:
    asked_before = bool(row.owner_email)
    row = _put(run, row, email=email, collaboration_id="")
    try:
        made = box(run).collaborate(row.folder_id, email, role)
    except Permanent as error:
        _put(run, row, email="", collaboration_id="")
        return f"Its owner was not given access: {error.message}"
    if made is None and asked_before:
        # The first invitation came through after all, between our looking and asking.
        made = _find(run, row.folder_id, email)
    if made is None:
        _put(run, row, email="", collaboration_id="")
        return ""
    return _settle(run, row, email, made.id)


def _settle(run: Run, row: RecordFolder, email: str, collaboration_id: str) -> str:
    _put(run, row, email=email, collaboration_id=collaboration_id)
    return "Its owner has access."


def _take_back(run: Run, row: RecordFolder) -> RecordFolder:
    """Removes what the owner before was given."""
    ours = row.collaboration_id
    if not ours:
        there = _find(run, row.folder_id, row.owner_email)
        ours = there.id if there is not None else ""
    if ours:
        box(run).remove_collaboration(ours)
    return _put(run, row, email="", collaboration_id="")


def _find(run: Run, folder_id: str, email: str) -> BoxCollaboration | None:
    for one in box(run).collaborations(folder_id):
        if _same(one.login, email):
            return one
    return None


def _put(run: Run, row: RecordFolder, *, email: str, collaboration_id: str) -> RecordFolder:
    now = run.services.clock.now()
    kept = run.services.store.record_folders.shared(
        run.integration.id,
        row.folder_id,
        owner_email=email,
        collaboration_id=collaboration_id,
        at=now,
    )
    return kept or replace(row, owner_email=email, collaboration_id=collaboration_id)


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
