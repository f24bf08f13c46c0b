"""What Box's token endpoint says, as a token or as a sentence for the operator. Pure.

Box answers an error with 400 or 401 and `{"error": …, "error_description": …}` (RFC 6749, section
5.2); the descriptions are matched by words, because Box changes them.
"""

from datetime import datetime, timedelta
from typing import Any

from inkwire.errors import CallFailed, NeedsAttention, Transient
from inkwire.model.connection import Token
from inkwire.providers.oauth import (
    answer_table,
    described_words,
    error_name,
    no_token,
    not_now,
    token_text,
)

#: Seconds that a token is good for if the answer does not say, and at most believed (R70).
_LIFE_S, _MOST_LIFE_S = 3600, 24 * 3600
_CONSOLE = "in Box's Developer Console"
AUTHORISE = (
    "an admin must authorise the app: Admin Console → Integrations → Platform Apps Manager "
    "(before: Apps → Custom Apps Manager) → Add App, with the Client ID"
)


def read_token(
    status: int, body: bytes, *, now: datetime, retry_after_s: float | None = None
) -> Token:
    """The answer's token. Raises NeedsAttention, LimitReached or Transient."""
    table = answer_table(body)
    if status == 200:
        return _token(table, now)
    raise _refusal(status, table, retry_after_s)


def wants_other_clock(status: int, body: bytes) -> bool:
    """Whether the answer blames the claim `exp`."""
    table = answer_table(body)
    return (
        status == 400 and table.get("error") == "invalid_grant" and "exp" in described_words(table)
    )


def _token(table: dict[str, Any], now: datetime) -> Token:
    access = token_text(table, "access_token")
    if access is None:
        raise no_token("Box")
    life = table.get("expires_in", _LIFE_S)
    if isinstance(life, bool) or not isinstance(life, int | float) or not life > 0:
        life = _LIFE_S
    return Token(
        access=access,
        expires_at=now + timedelta(seconds=min(life, _MOST_LIFE_S)),
        refresh=token_text(table, "refresh_token"),
    )


def _refusal(status: int, table: dict[str, Any], retry_after_s: float | None) -> CallFailed:
    if busy := not_now("Box", status, retry_after_s):
        return busy
    error = table.get("error")
    if not isinstance(error, str):
        if status in (404, 405) or 300 <= status < 400:
            return NeedsAttention(
                f"The token address answered {status}: it is no token endpoint; correct token_url "
                "of the connection."
            )
        return Transient(f"Box's token endpoint answered {status} and said nothing more.")
    return _explained(status, error, described_words(table))


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
        "redirect_uri_mismatch": "The app does not know the address that the sign-in returns to; "
        f"add it as a Redirect URI under Configuration {_CONSOLE}; the connection's page shows it.",
        "unsupported_grant_type": "The app does not authenticate this way; choose the other method "
        f"for the connection, or make a new app {_CONSOLE}.",
    }
    known = sentences.get(error)
    if known is not None:
        return NeedsAttention(known)
    return NeedsAttention(
        f"Box's token endpoint answered {status} ({error_name(error)}); compare the connection "
        f"with the app {_CONSOLE}."
    )


def _grant_sentence(words: frozenset[str]) -> str:
    if "refresh" in words:
        return (
            "The sign-in at Box is over: its refresh token was used already, was revoked, or lay "
            "for 60 days. Sign in again: open the connection and press “Sign in again”."
        )
    if words & {"authorization", "code"}:
        return (
            "The code of the sign-in was used already or is older than 30 seconds. Sign in again: "
            "open the connection and press “Connect”."
        )
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
