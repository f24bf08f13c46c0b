"""What Box's token endpoint says, as a token or as a sentence for the operator. Pure.

Box answers an error with 400 or 401 and `{"error": …, "error_description": …}` (RFC 6749, section
5.2); the descriptions are matched by words, because Box changes them.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from inkwire.errors import CallFailed, LimitReached, NeedsAttention, Transient
from inkwire.model.connection import Token

#: Seconds that a token is good for if the answer does not say, and at most believed (R70).
_LIFE_S, _MOST_LIFE_S = 3600, 24 * 3600
_MOST_WAIT_S = 3600.0
_CONSOLE = "in Box's Developer Console"
AUTHORISE = (
    "an admin must authorise the app: Admin Console → Integrations → Platform Apps Manager "
    "(before: Apps → Custom Apps Manager) → Add App, with the Client ID"
)


def read_token(
    status: int, body: bytes, *, now: datetime, retry_after_s: float | None = None
) -> Token:
    """The answer's token. Raises NeedsAttention, LimitReached or Transient."""
    table = _table(body)
    if status == 200:
        return _token(table, now)
    raise _refusal(status, table, retry_after_s)


def wants_other_clock(status: int, body: bytes) -> bool:
    """Whether the answer blames the claim `exp`."""
    table = _table(body)
    return status == 400 and table.get("error") == "invalid_grant" and "exp" in _words(table)


def _table(body: bytes) -> dict[str, Any]:
    """The answer's JSON object; empty if it is none, such as a proxy's HTML page."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _token(table: dict[str, Any], now: datetime) -> Token:
    access = table.get("access_token")
    if not isinstance(access, str) or not access.isascii() or not access.isprintable():
        raise Transient(
            "Box's token endpoint answered 200, but with no token; something between here and Box "
            "answers in its place, such as a proxy's login page."
        )
    life = table.get("expires_in", _LIFE_S)
    if isinstance(life, bool) or not isinstance(life, int | float) or not life > 0:
        life = _LIFE_S
    return Token(access=access, expires_at=now + timedelta(seconds=min(life, _MOST_LIFE_S)))


def _refusal(status: int, table: dict[str, Any], retry_after_s: float | None) -> CallFailed:
    if status == 429:
        wait = 60.0 if retry_after_s is None else min(max(retry_after_s, 1.0), _MOST_WAIT_S)
        return LimitReached("Box gives out no more tokens for a while.", retry_after_s=wait)
    if status >= 500:
        return Transient(
            f"Box's token endpoint answered {status}; it is tried again.",
            retry_after_s=None if retry_after_s is None else min(retry_after_s, _MOST_WAIT_S),
        )
    error = table.get("error")
    if not isinstance(error, str):
        if status in (404, 405) or 300 <= status < 400:
            return NeedsAttention(
                f"The token address answered {status}: it is no token endpoint; correct token_url "
                "of the connection."
            )
        return Transient(f"Box's token endpoint answered {status} and said nothing more.")
    return _explained(status, error, _words(table))


def _explained(status: int, error: str, words: frozenset[str]) -> CallFailed:
    """The sentence for an error by its name and the words of its description."""
    if error == "invalid_grant" and "jti" in words:
        return Transient("Box has seen this statement already; a new one is made.")
    if error in ("temporarily_unavailable", "server_error"):
        return Transient(f"Box's token endpoint answered {error}; it is tried again.")
    sentences = {
        "invalid_client": "Box does not know this client ID with this client secret; compare both "
        f"with the app's Configuration {_CONSOLE} (a secret that was reset must be entered anew).",
        "unauthorized_client": f"The app is not authorised by an admin of the enterprise: "
        f"{AUTHORISE}. If it is, check {_CONSOLE} that the app authenticates the way that the "
        "connection does (JWT or client credentials), and that it is not disabled.",
        "invalid_grant": _grant_sentence(words),
        "invalid_request": "Box does not take the request for a token; check that the connection "
        "authenticates the way that the app does (JWT or client credentials).",
        "unsupported_grant_type": "The app does not authenticate this way; choose the other method "
        f"for the connection, or make a new app {_CONSOLE}.",
    }
    known = sentences.get(error)
    if known is not None:
        return NeedsAttention(known)
    name = error if error.isascii() and error.replace("_", "").isalnum() else "an unknown error"
    return NeedsAttention(
        f"Box's token endpoint answered {status} ({name[:64]}); compare the connection with the "
        f"app {_CONSOLE}."
    )


def _grant_sentence(words: frozenset[str]) -> str:
    if "exp" in words:
        return (
            "Box says that our statement has expired or is too far ahead: the clock of this "
            "machine is wrong; set it by NTP."
        )
    if words & {"kid", "signature", "public"}:
        return (
            "Box cannot check our signature: the public key ID and the private key do not belong "
            f"together, or the key was removed; compare with Manage Public Keys {_CONSOLE}."
        )
    if words & {"sub", "subject"}:
        return (
            "Box does not take the enterprise ID; compare it with General Settings of the app "
            f"{_CONSOLE}, and check that {AUTHORISE}."
        )
    if "iss" in words:
        return f"Box does not take the client ID; compare it with the app {_CONSOLE}."
    return (
        "Box does not take these credentials: the enterprise ID is another's, or the app is not "
        f"authorised there; {AUTHORISE}."
    )


def _words(table: dict[str, Any]) -> frozenset[str]:
    """The words of the description, lower case, without quotes and stops."""
    text = table.get("error_description")
    if not isinstance(text, str):
        return frozenset()
    return frozenset(word.strip("'\"`.,:;()").lower() for word in text[:500].split())
