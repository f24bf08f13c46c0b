"""Box's JSON as our values. Pure.

Only what is needed is asked for: a field that lacks or is of another type than the API description
says is taken as absent. ValueError: the object itself is missing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from inkwire.providers.box.objects import (
    BoxFile,
    BoxFolder,
    BoxSign,
    BoxUser,
    BoxWebhook,
    NameTaken,
)
from inkwire.providers.signing import parse_rfc3339

#: Characters of one text; and of a reason, which a signer writes.
MAX_TEXT, MAX_REASON = 8_000, 500


def table_of(value: Any) -> Mapping[str, Any]:
    """The object at hand, or an empty one."""
    return value if isinstance(value, dict) else {}


def rows_of(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects in an array, whatever else is in it."""
    return (row for row in value if isinstance(row, dict)) if isinstance(value, list) else iter(())


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
    )


def file(data: Any) -> BoxFile:
    """A file. Raises ValueError."""
    table = table_of(data)
    size = table.get("size")
    return BoxFile(
        id=_id(table),
        version_id=text(table_of(table.get("file_version")), "id"),
        name=text(table, "name"),
        sha1=text(table, "sha1").lower(),
        size=size if isinstance(size, int) else 0,
        parent_id=text(table_of(table.get("parent")), "id") or None,
    )


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
