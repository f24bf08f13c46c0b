"""An answer of Salesforce that is no success, or none at all, as an error with a sentence. Pure.

Codes are open: what is not known here goes by its status.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from inkwire.errors import (
    Ambiguous,
    CallFailed,
    LimitReached,
    NeedsAttention,
    Permanent,
    Transient,
)
from inkwire.providers.answers import wait_s
from inkwire.providers.salesforce.client.advice import advice
from inkwire.providers.salesforce.client.answers import Answer

#: Seconds to wait: for the day's calls; for storage, which a person frees; when nothing is said;
#: for other calls to end.
DAY_WAIT_S, STORAGE_WAIT_S, _WAIT_S, _CONCURRENT_S = 300.0, 3600.0, 60.0, 5.0
#: Refusals that pass by themselves; nothing was done.
PASSING = frozenset(
    {
        "UNABLE_TO_LOCK_ROW",
        "QUERY_TIMEOUT",
        "INVALID_QUERY_LOCATOR",
        "SERVER_UNAVAILABLE",
        "API_CURRENTLY_DISABLED",
        "REQUEST_RUNNING_TOO_LONG",
    }
)
_PASSING_STATUS = frozenset({409, 420, 421, 425})
_STORAGE = frozenset({"STORAGE_LIMIT_EXCEEDED"})
_LIMIT = "REQUEST_LIMIT_EXCEEDED"
#: Refusals that every call of the connection would meet.
_WHOLE = {
    "API_DISABLED_FOR_ORG": "the organisation's edition or the user's profile has no API: have "
    "“API Enabled” granted to the connection's user",
    "ORG_LOCKED": "the organisation is locked; ask Salesforce",
    "INVALID_OPERATION_WITH_EXPIRED_PASSWORD": "the user's password has expired; set a new one",
    "PASSWORD_LOCKOUT": "the user is locked out; have it unlocked",
    "Inactive_User": "the connection's user is inactive; activate it, or connect as another",
    "Wrong_Org": "the token is another organisation's; connect anew",
    "UNSUPPORTED_API_VERSION": "choose a newer API version in the connection's settings",
}
_GONE = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND"})
_SCOPE = re.compile(r"scopes?\b[^:\[]{0,60}[:\[][\s\[]*([\w ,.-]{1,200})", re.IGNORECASE)
_RECORD = re.compile(r"with id: ?([A-Za-z0-9]{18}|[A-Za-z0-9]{15})(?![A-Za-z0-9])")


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """What was asked, as far as an error's kind and words depend on it."""

    method: str
    #: Without host and query values.
    path: str
    #: The object that it is about, if it is about one: a refusal of it is not the connection's.
    object_name: str = ""
    #: Whether a repeat would make something twice.
    makes: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class SalesforceRefused(Permanent):
    """Salesforce refused it as it stands."""

    def __init__(self, message: str, answer: Answer) -> None:
        """`answer`: what Salesforce said; callers know some refusals."""
        self.answer = answer
        super().__init__(message)

    @property
    def reason(self) -> str:
        """Salesforce's code, e.g. `REQUIRED_FIELD_MISSING`; "" if it gave none."""
        return self.answer.code

    @property
    def gone(self) -> bool:
        """Whether the record of the address is deleted, or not to be seen."""
        code = self.answer.code
        if self.answer.status == 404:
            return code in _GONE
        return code == "INVALID_CROSS_REFERENCE_KEY" and not self.answer.fields

    @property
    def record_id(self) -> str | None:
        """The record that the message names (DUPLICATE_VALUE)."""
        found = _RECORD.search(self.answer.message)
        return found[1] if found else None


def lacking_scope(answer: Answer) -> str:
    """The scopes that a 401 asks for, in words; "" if it is about the token.

    A token that lacks a scope says INVALID_SESSION_ID too, and no refresh would give it one.
    """
    for one in answer.problems:
        text = one.message.lower()
        if "scope" in text:
            found = _SCOPE.search(one.message)
            return (found[1].strip(" .,") if found else "") or "api"
        if "not valid for use with the" in text:
            return "api"
    return ""


def scope_missing(call: Call, answer: Answer) -> NeedsAttention:
    """The error for a token that may not do this; see `lacking_scope`."""
    return NeedsAttention(
        f"Salesforce refuses {call}: “{answer.message}”. The app lacks the scope "
        f"“{lacking_scope(answer)}”, or the user's session policy keeps it from the API: add the "
        "scope to the External Client App (or Connected App) under OAuth Settings, look at its "
        "policies and the user's session settings, then connect anew."
    )


def unanswered(call: Call, *, why: str, sent: bool, wait_s: float | None = None) -> CallFailed:
    """The error when no answer, or only a part of one, came. `sent`: it may have arrived whole."""
    if sent and call.makes:
        return Ambiguous(
            f"{call} was sent, and no answer came ({why}): nobody knows whether Salesforce did "
            "it. Inkwire looks before it sends it again."
        )
    return Transient(
        f"{call} got no answer from Salesforce ({why}); it is tried again.", retry_after_s=wait_s
    )


def unreadable(call: Call, status: int) -> CallFailed:
    """The error for a success that holds nothing of what it should."""
    return unanswered(call, why=f"{status} without what it should hold", sent=True)


def refused(call: Call, answer: Answer, *, now: datetime, whole: bool = True) -> CallFailed:
    """The error for an answer outside 200–299; a 401 is for after the token was refreshed.

    `whole`: whether all of the request had left; if not, nothing was made.
    """
    status, code = answer.status, answer.code
    if answer.bad_token:
        return NeedsAttention(
            f"Salesforce refuses a token that it gave a moment ago ({call}"
            f"{_said(answer)}): the app was blocked, or the user's access withdrawn. Look at the "
            "app's policies in Setup, then connect anew."
        )
    if code == _LIMIT:
        return _limit(call, answer, now)
    if status >= 500 or status < 200 or status == 408:
        why = f"it answered {status}{_said(answer)}"
        return unanswered(call, why=why, sent=whole, wait_s=wait_s(answer.headers, now))
    if status == 429:
        return _limit(call, answer, now)
    if status == 412 and call.method == "PATCH":
        return Transient(
            f"Somebody changed the record after it was read, so {call} was not carried out; it is "
            "read again."
        )
    if code in PASSING or (status in _PASSING_STATUS and code != "DUPLICATE_VALUE"):
        return Transient(
            f"Salesforce cannot do {call} just now ({code or status}{_said(answer)}); it is tried "
            "again.",
            retry_after_s=wait_s(answer.headers, now),
        )
    if code in _STORAGE:
        return LimitReached(
            f"Salesforce has no room left ({call}{_said(answer)}): free some under Setup → "
            "Storage Usage, or buy more. It goes on by itself then.",
            retry_after_s=STORAGE_WAIT_S,
        )
    return _attention(call, answer) or SalesforceRefused(_refusal(call, answer), answer)


def _limit(call: Call, answer: Answer, now: datetime) -> CallFailed:
    wait = wait_s(answer.headers, now)
    if answer.status == 429 and answer.code != _LIMIT:
        return LimitReached(
            f"Salesforce's limit of calls is used up ({call}{_said(answer)}).",
            retry_after_s=_WAIT_S if wait is None else max(wait, 1.0),
        )
    if "concurrent" in answer.message.lower():
        return Transient(
            f"Too many calls to Salesforce are under way ({call}{_said(answer)}); it is tried "
            "again.",
            retry_after_s=_CONCURRENT_S if wait is None else max(wait, 1.0),
        )
    return LimitReached(
        f"The organisation's calls of 24 hours are used up ({call}{_said(answer)}). Work waits "
        "until some are free again; Setup → System Overview shows who uses them.",
        retry_after_s=DAY_WAIT_S if wait is None else max(wait, 1.0),
    )


def _attention(call: Call, answer: Answer) -> NeedsAttention | None:
    """The error for what every call of the connection would meet, or nobody knows."""
    status, code = answer.status, answer.code
    if code in _WHOLE:
        return NeedsAttention(f"Salesforce refuses {call} ({code}{_said(answer)}): {_WHOLE[code]}.")
    if status == 410 and code not in _GONE:
        return NeedsAttention(
            f"Salesforce answered 410 to {call}{_said(answer)}: the API version is retired. Choose "
            "a newer one in the connection's settings."
        )
    if status == 404 and not code:
        return NeedsAttention(
            f"Something answered 404 to {call} in Salesforce's place, for it was not from its API: "
            "compare the organisation's address with Setup → My Domain, and look at what stands "
            "between, such as a proxy; then check the connection."
        )
    if 300 < status < 400:
        return NeedsAttention(
            f"Salesforce answered {status} to {call}, a redirect that is not followed: the "
            "organisation's address has changed. Correct it in the connection, then connect anew."
        )
    if status == 403 and not (code and call.object_name):
        return NeedsAttention(
            f"Salesforce refuses {call} ({code or 403}{_said(answer)}): the connection's user may "
            "not do that. Check “API Enabled” in the user's profile, its permission sets, and "
            "the app's IP policy."
        )
    return None


def _refusal(call: Call, answer: Answer) -> str:
    """A sentence for a 3xx or 4xx that a person must do something about."""
    what = " ".join(filter(None, (str(answer.status), answer.code)))
    fields = f" ({', '.join(answer.fields[:8])})" if answer.fields else ""
    said = f": “{answer.message}”" if answer.message else ""
    return (
        f"Salesforce answered {what} to {call}{fields}{said}. "
        f"{advice(answer.code, answer.fields, answer.message, call.object_name, answer.status)}"
    )


def _said(answer: Answer) -> str:
    return f": “{answer.message}”" if answer.message else ""
