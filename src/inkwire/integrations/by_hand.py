"""What a person says of a folder: which record it is, checked and made a row. Pure."""

import re
from dataclasses import replace
from datetime import datetime

from inkwire.errors import InvalidInput
from inkwire.model.crm import FolderOrigin, FolderState, RecordFolder
from inkwire.providers.salesforce.standard import object_of, whole_id

FOLDER = re.compile(r"[0-9]{1,20}", re.ASCII)
_OBJECT = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}", re.ASCII)


def checked_record(folder_id: str, record_id: str, object_name: str) -> tuple[str, str]:
    """The record's id with 18 characters, and its object. Raises InvalidInput."""
    wrong: dict[str, str] = {}
    if not FOLDER.fullmatch(folder_id):
        wrong["folder_id"] = "must be the number at the end of the folder's address in Box"
    whole = whole_id(record_id)
    if whole is None:
        wrong["record_id"] = (
            "must be a record's id of 15 or 18 characters, as the record's address in Salesforce "
            "has it"
        )
    known = object_of(record_id)
    named = known or object_name
    if whole is not None and not _OBJECT.fullmatch(named):
        wrong["object"] = "is needed for this record: the API name of its object, e.g. Project__c"
    if known is not None and object_name not in ("", known):
        wrong["object"] = f"must be {known}: the record's id begins like one"
    if wrong or whole is None:
        raise InvalidInput(fields=wrong)
    return whole, named


def mapped_by_hand(
    old: RecordFolder, *, record: str, object_name: str, note: str, at: datetime
) -> RecordFolder:
    """The folder as that record, by a person's word."""
    same = old.record_id == record
    return replace(
        old,
        state=FolderState.MAPPED,
        origin=FolderOrigin.PERSON,
        object=object_name,
        record_id=record,
        record_name=old.record_name if same else "",
        account_id=record if object_name == "Account" else old.account_id if same else None,
        note=note,
        checked_at=at,
        updated_at=at,
    )


def unknown_folder(integration_id: int, folder_id: str, now: datetime) -> RecordFolder:
    """A folder of which nobody knew before."""
    return RecordFolder(
        integration_id=integration_id,
        folder_id=folder_id,
        name="",
        path="",
        state=FolderState.UNMAPPED,
        origin=FolderOrigin.PERSON,
        checked_at=now,
        created_at=now,
        updated_at=now,
    )
