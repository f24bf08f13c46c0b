"""Box's JSON as our values. Pure.

Only what is needed is asked for: a field that lacks or is of another type than the API description
says is taken as absent. ValueError: the object itself is missing.
"""

from collections.abc import Mapping
from typing import Any

from inkwire.providers.answers import rows_of, table_of
from inkwire.providers.box.objects import (
    BoxChange,
    BoxChanges,
    BoxCollaboration,
    BoxFile,
    BoxFolder,
    BoxItem,
    BoxRef,
    BoxSign,
    BoxTemplateField,
    BoxUser,
    BoxVersion,
    BoxWebhook,
    NameTaken,
)
from inkwire.providers.signing import parse_rfc3339

#: Characters of one text; and of a reason, which a signer writes.
MAX_TEXT, MAX_REASON = 8_000, 500
#: The folder above all others, which every path begins with.
_ROOT = "0"


def text(table: Mapping[str, Any], key: str) -> str:
    """A text or number as text; "" if there is none.

    JSON may spell half a character (a lone surrogate), which nothing can keep: it becomes `?`.
    """
    value = table.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return ""
    return value.encode("utf-8", "replace").decode("utf-8")[:MAX_TEXT]


def _id(table: Mapping[str, Any]) -> str:
    found = text(table, "id")
    if not found:
        raise ValueError("no id")
    return found


def _whole(table: Mapping[str, Any], key: str) -> int:
    """A whole number from 0, also one that is written as text; 0 if there is none."""
    written = text(table, key)
    return int(written) if written.isascii() and written.isdigit() and len(written) < 19 else 0


def _path(table: Mapping[str, Any]) -> tuple[BoxRef, ...]:
    """The folders above, the nearest last, without All Files."""
    entries = rows_of(table_of(table.get("path_collection")).get("entries"))
    rows = ((text(row, "id"), text(row, "name")) for row in entries)
    return tuple(BoxRef(id=key, name=name) for key, name in rows if key and key != _ROOT)


def _person(value: Any) -> BoxUser | None:
    """A user; None if Box does not name one."""
    return user(value) if text(table_of(value), "id") else None


def _version(table: Mapping[str, Any], version_id: str) -> BoxVersion:
    if not version_id:
        raise ValueError("no version")
    return BoxVersion(
        id=version_id,
        number=_whole(table, "version_number"),
        sha1=text(table, "sha1").lower(),
        size=_whole(table, "size"),
        name=text(table, "name"),
        modified_by=_person(table.get("modified_by")),
    )


def user(data: Any) -> BoxUser:
    """A user. Raises ValueError."""
    table = table_of(data)
    return BoxUser(id=_id(table), name=text(table, "name"), login=text(table, "login"))


def folder(data: Any) -> BoxFolder:
    """A folder. Raises ValueError."""
    table = table_of(data)
    return BoxFolder(
        id=_id(table),
        name=text(table, "name"),
        parent_id=text(table_of(table.get("parent")), "id") or None,
        status=text(table, "item_status") or "active",
        path=_path(table),
    )


def file(data: Any) -> BoxFile:
    """A file. Raises ValueError."""
    table = table_of(data)
    return BoxFile(
        id=_id(table),
        version_id=text(table_of(table.get("file_version")), "id"),
        name=text(table, "name"),
        sha1=text(table, "sha1").lower(),
        size=_whole(table, "size"),
        parent_id=text(table_of(table.get("parent")), "id") or None,
        version_number=_whole(table, "version_number"),
        path=_path(table),
        locked=bool(table_of(table.get("lock"))),
        modified_by=_person(table.get("modified_by")),
    )


def present_version(data: Any) -> BoxVersion:
    """The newest version of a file, out of the file itself. Raises ValueError."""
    table = table_of(data)
    return _version(table, text(table_of(table.get("file_version")), "id"))


def version(data: Any) -> BoxVersion:
    """A version as the list of the older ones has it. Raises ValueError."""
    table = table_of(data)
    return _version(table, text(table, "id"))


def item(data: Any) -> BoxItem:
    """A file or folder in a folder. Raises ValueError."""
    table = table_of(data)
    return BoxItem(
        type=text(table, "type"),
        id=_id(table),
        name=text(table, "name"),
        version_id=text(table_of(table.get("file_version")), "id"),
        sha1=text(table, "sha1").lower(),
        size=_whole(table, "size"),
    )


def collaboration(data: Any) -> BoxCollaboration:
    """Somebody's access; who was only invited has no account, and is named by the e-mail.

    Raises ValueError.
    """
    table = table_of(data)
    login = text(table_of(table.get("accessible_by")), "login") or text(table, "invite_email")
    return BoxCollaboration(
        id=_id(table), login=login, role=text(table, "role"), status=text(table, "status")
    )


def template_field(row: Mapping[str, Any]) -> BoxTemplateField:
    """A field of a metadata template; its key is "" if it has none."""
    options = rows_of(row.get("options"))
    return BoxTemplateField(
        key=text(row, "key"),
        type=text(row, "type"),
        options=tuple(key for one in options if (key := text(one, "key"))),
    )


def changes(data: Any) -> BoxChanges:
    """A page of the event stream; entries that are about no item are left out.

    Raises ValueError if it does not say where the next page begins.
    """
    table = table_of(data)
    position = text(table, "next_stream_position")
    if not position:
        raise ValueError("no position")
    found = []
    for row in rows_of(table.get("entries")):
        # Box names the item in one of two ways, by the kind of event.
        source = table_of(row.get("source"))
        item_type = text(source, "item_type") or text(source, "type")
        item_id = text(source, "item_id") or text(source, "id")
        event_id = text(row, "event_id")
        if event_id and item_type and item_id:
            kind = text(row, "event_type")
            found.append(
                BoxChange(event_id=event_id, type=kind, item_type=item_type, item_id=item_id)
            )
    return BoxChanges(changes=tuple(found), next_position=position)


def first_file(data: Any) -> BoxFile:
    """The file of an answer that holds a list of one. Raises ValueError."""
    for row in rows_of(table_of(data).get("entries")):
        return file(row)
    raise ValueError("no file")


def webhook(data: Any) -> BoxWebhook:
    """A webhook, also in the short form of the list. Raises ValueError."""
    table = table_of(data)
    target = table_of(table.get("target"))
    triggers = table.get("triggers")
    return BoxWebhook(
        id=_id(table),
        target_id=text(target, "id"),
        target_type=text(target, "type"),
        address=text(table, "address"),
        triggers=tuple(one for one in triggers if isinstance(one, str))
        if isinstance(triggers, list)
        else (),
    )


def name_taken(error: Mapping[str, Any]) -> NameTaken | None:
    """What a 409 `item_name_in_use` says stands there: an object for files, an array for folders.

    None if the answer does not name it.
    """
    conflicts = table_of(error.get("context_info")).get("conflicts")
    for row in rows_of(conflicts if isinstance(conflicts, list) else [conflicts]):
        if found := text(row, "id"):
            return NameTaken(
                id=found,
                type=text(row, "type") or "folder",
                sha1=text(row, "sha1").lower()
                or text(table_of(row.get("file_version")), "sha1").lower(),
            )
    return None


def sign(data: Any) -> BoxSign:
    """A sign request. Raises ValueError."""
    table = table_of(data)
    signed = table_of(table.get("sign_files"))
    log = table.get("signing_log")
    signing_log = file(log) if text(table_of(log), "id") else None
    signers = list(rows_of(table.get("signers")))
    return BoxSign(
        id=_id(table),
        status=text(table, "status"),
        external_id=text(table, "external_id") or None,
        created_at=parse_rfc3339(text(table, "created_at")),
        files=tuple(file(row) for row in rows_of(signed.get("files")) if text(row, "id")),
        ready=signed.get("is_ready_for_download") is True and signing_log is not None,
        signing_log=signing_log,
        reason=_reason(table, signers),
        expires_at=parse_rfc3339(text(table, "auto_expire_at")),
        signer_emails=tuple(
            email
            for row in signers
            if (email := text(row, "email")) and text(row, "role") not in _READERS
        ),
    )


#: Box adds the sender as one of these, often the first of the list.
_READERS = ("final_copy_reader",)


def _reason(table: Mapping[str, Any], signers: list[Mapping[str, Any]]) -> str:
    """Why a signer declined, else the error's code."""
    for row in signers:
        decision = table_of(row.get("signer_decision"))
        if text(decision, "type") == "declined" and (why := text(decision, "additional_info")):
            return why[:MAX_REASON]
    return text(table, "error_code")
