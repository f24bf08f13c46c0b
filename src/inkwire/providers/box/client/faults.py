"""An answer of Box that is no success, or none at all, as an error with a sentence. Pure.

Box's error codes are open: what is not known here goes by its status (box.com's own list has 17
generic values, and its answers hold others).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from inkwire.errors import (
    Ambiguous,
    CallFailed,
    LimitReached,
    NeedsAttention,
    Permanent,
    Transient,
)
from inkwire.providers.answers import one_line, wait_s

_WAIT_S = 60.0
#: Characters of a text of Box in a sentence of ours.
MOST_SAID = 200
_REAUTHORISE = "save, then an admin must re-authorise the app in the Admin Console"
READ_WRITE = "Read and write all files and folders stored in Box"
WEBHOOKS = "Manage webhooks"
SIGN = "Manage signature requests"
AS_USER = "Make API calls using the as-user header"
#: 403 for what is there, and not for who asks: the connection is well.
_NOT_RIGHTS = {
    "storage_limit_exceeded": "the folder's owner has no room left; free some, or raise the quota",
    "file_size_limit_exceeded": "the file is larger than the folder's owner may store",
    "access_denied_item_locked": "the file is locked by a user; have it unlocked",
    "forbidden_by_policy": "a policy of the enterprise forbids it; ask the Box admin",
    "access_denied_by_policy": "a policy of the enterprise forbids it; ask the Box admin",
}
#: 403 for who asks, at what the request names: one folder must not park all other work.
_NOT_INVITED = "access_denied_insufficient_permissions"
#: Where bodies name the item: a folder's parent, a request's folder, a webhook's target, what is
#: shared.
_IN_BODIES = ("parent", "parent_folder", "target", "item")
#: 409 that passes by itself.
_PASSING = frozenset({"operation_blocked_temporary", "name_temporarily_reserved", "conflict_retry"})
_CREATES = re.compile(
    r"/2\.0/(folders|files/content|sign_requests|webhooks|files/upload_sessions/[^/]+/commit)\Z"
)
_TEMPLATES = "/2.0/metadata_templates/schema"
_TEMPLATES_ADMIN = (
    "Box lets only an admin or co-admin make a metadata template. Have one make it in the Admin "
    "Console under Content → Metadata, with the key and the text fields that the guide names; "
    "then retry."
)
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ITEM = re.compile(r"/2\.0/(folder|file)s/([0-9]+)(?![^/?])")
_HEADER_ERROR = re.compile(r'error="([A-Za-z0-9_]{1,64})"')


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back for one request."""

    status: int
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def table(self) -> dict[str, Any]:
        """The body's JSON object; empty if it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def code(self) -> str:
        """Box's error code, from the body or from WWW-Authenticate; "" if it gave none."""
        code = self.table.get("code") if self.status >= 400 else None
        if isinstance(code, str) and _CODE.fullmatch(code):
            return code
        named = _HEADER_ERROR.search(self.headers.get("www-authenticate", ""))
        return named[1] if named else ""

    @property
    def request_id(self) -> str:
        """Box's id of the request."""
        given = self.headers.get("box-request-id") or self.table.get("request_id")
        return given if isinstance(given, str) and _CODE.fullmatch(given) else ""


class BoxRefused(Permanent):
    """Box refused it as it stands."""

    def __init__(self, message: str, answer: Answer) -> None:
        """`answer`: what Box said; callers know some refusals."""
        self.answer = answer
        super().__init__(message)


def is_create(method: str, path: str) -> bool:
    """Whether the request makes something that a repeat would make twice."""
    return method == "POST" and _CREATES.search(path.partition("?")[0]) is not None


def unanswered(method: str, path: str, *, why: str, sent: bool) -> CallFailed:
    """The error when no answer, or only a part of one, came. `sent`: it may have arrived."""
    if sent and is_create(method, path):
        return Ambiguous(
            f"{method} {path} was sent, and no answer came ({why}): nobody knows whether Box did "
            "it. Inkwire looks before it sends it again."
        )
    return Transient(f"{method} {path} got no answer from Box ({why}); it is tried again.")


def unreadable(method: str, path: str, status: int) -> CallFailed:
    """The error for a success that holds nothing of what it should."""
    return unanswered(method, path, why=f"{status} without the object it should hold", sent=True)


def foreign(method: str, path: str) -> NeedsAttention:
    """The error for a 404 that is no JSON: it says nothing of what was asked for."""
    return NeedsAttention(
        f"Something answered 404 to {method} {path} in Box's place, for it was not from its API: "
        "compare the addresses of the connection, and look at what stands between, such as a "
        "proxy; then check the connection."
    )


def items_of(path: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    """The folders and files that a request is about, as "folder 7"; `body`: its JSON object.

    Folder 0 is none: it is the user's own, so what is refused there is refused everywhere.
    """
    found = [] if (inside := _ITEM.search(path)) is None else [inside.groups()]
    found += [("folder", body.get("folder_id"))]
    files = body.get("source_files")
    for one in [*(files if isinstance(files, list) else []), *map(body.get, _IN_BODIES)]:
        if isinstance(one, Mapping):
            found.append((str(one.get("type") or "folder"), one.get("id")))
    return tuple(f"{kind} {item}" for kind, item in found if item and item != "0")


def refused(
    method: str,
    path: str,
    answer: Answer,
    *,
    now: datetime,
    as_user: str,
    items: tuple[str, ...] = (),
) -> CallFailed:
    """The error for an answer outside 200–299; 401 is for after the token was refreshed.

    `items`: see `items_of`.
    """
    status, code = answer.status, answer.code
    if status == 401:
        return NeedsAttention(
            f"Box refuses a token that it gave a moment ago ({method} {path}): the app was "
            "disabled, or its authorisation withdrawn. An admin must authorise it again in the "
            "Admin Console; then request authentication anew."
        )
    if status == 403:
        return _forbidden(method, path, answer, as_user, items)
    if status == 429:
        wait = wait_s(answer.headers, now)
        return LimitReached(
            f"Box's limit of calls is used up ({method} {path}).",
            retry_after_s=_WAIT_S if wait is None else max(wait, 1.0),
        )
    if status >= 500:
        if is_create(method, path):
            return unanswered(method, path, why=f"it answered {status}", sent=True)
        return Transient(
            f"Box answered {status} to {method} {path}; it is tried again.",
            retry_after_s=wait_s(answer.headers, now),
        )
    if status == 409 and code in _PASSING:
        return Transient(
            f"Box is busy with the item ({code}; {method} {path}); it is tried again.",
            retry_after_s=wait_s(answer.headers, now),
        )
    return BoxRefused(_refusal(method, path, answer), answer)


def _forbidden(
    method: str, path: str, answer: Answer, as_user: str, items: tuple[str, ...]
) -> CallFailed:
    """Of one folder or file: Permanent. Of the whole connection, or who knows: NeedsAttention."""
    code = answer.code
    if (method, path) == ("POST", _TEMPLATES):
        return BoxRefused(_TEMPLATES_ADMIN, answer)
    at = f" on {', '.join(items)}" if items else ""
    if code in _NOT_RIGHTS:
        return BoxRefused(f"Box refuses {method} {path}{at}: {_NOT_RIGHTS[code]}.", answer)
    if code == _NOT_INVITED and items:
        who = f"user {as_user}, whom calls act as," if as_user else "the connection's user"
        invited = f"user {as_user}" if as_user else "it (a check of the connection shows its login)"
        return BoxRefused(
            f"Box refuses {method} {path}{at}: {who} may not do that there. Invite {invited} as "
            "editor of the folder in Box, then retry.",
            answer,
        )
    right = right_for(path)
    if code == "insufficient_scope":
        box = f"“{right}”" if right else "every scope that docs/how-to/connect-box.md names"
        return NeedsAttention(
            f"Box refuses {method} {path}: the app lacks a scope. Tick {box} in Box's Developer "
            f"Console under Configuration → Application Scopes, {_REAUTHORISE}."
        )
    scope = f"that “{right}” is ticked in Box's Developer Console" if right else "the app's scopes"
    user = (
        f"; and, since calls act as user {as_user}, that “{AS_USER}” is ticked and the user is "
        "active" if as_user else ""
    )  # fmt: skip
    return NeedsAttention(
        f"Box refuses {method} {path} ({code or 403}): the connected user may not do that there. "
        f"Invite the user to the folder as editor; check {scope} (after a change an admin must "
        f"re-authorise the app){user}."
    )


def right_for(path: str) -> str:
    """The box in Box's Developer Console that lets an app call this path; "" if none is known."""
    _, _, rest = path.partition("/2.0/")
    kind = rest.split("/", 1)[0].split("?", 1)[0]
    return {
        "sign_requests": SIGN,
        "webhooks": WEBHOOKS,
        "folders": READ_WRITE,
        "files": READ_WRITE,
        "collaborations": READ_WRITE,
        "metadata_templates": READ_WRITE,
        "events": READ_WRITE,
    }.get(kind, "")


def _refusal(method: str, path: str, answer: Answer) -> str:
    """A sentence for a 3xx or 4xx that a person must do something about."""
    said = one_line(answer.table.get("message"), MOST_SAID)
    if answer.status == 404:
        return (
            f"Box knows nothing at {method} {path}, or the connected user may not see it: it was "
            "deleted or moved, or the user is no longer invited. Restore it, or invite the user."
        )
    if 300 <= answer.status < 400:
        return (
            f"Box answered {answer.status} to {method} {path}, a redirect that is not followed; "
            "correct the addresses of the connection."
        )
    code = f" {answer.code}" if answer.code else ""
    tail = f": {said}" if said else ""
    return f"Box answered {answer.status}{code} to {method} {path}{tail}."
