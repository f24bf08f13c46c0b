"""What Salesforce's token endpoint says, as a token or as a sentence for the operator. Pure.

An error is 400 or 401 with `{"error": …, "error_description": …}` (RFC 6749 §5.2). An answer names
no time until which its token is good: it is good for the organisation's session time-out, two
hours unless an administrator shortened it, and each use prolongs it. So it is renewed 90 minutes
after it was made, and a token that was refused before that is replaced by the 401.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

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

#: From an answer's `issued_at` on.
LIFE = timedelta(minutes=90)
#: An `issued_at` that lies further back is not believed: the token would be renewed at each call.
_OLDEST = timedelta(minutes=60)
_MOST_ADDRESS = 255
_APP = "in Salesforce under Setup → External Client App Manager"
#: Words of the descriptions about a statement (JWT bearer): its time, and whether it is proven.
_EXPIRED = frozenset({"expired", "authorization", "code"})
_UNPROVEN = frozenset({"invalid", "assertion"})
#: For sign-ins that are over.
SIGN_IN_AGAIN = "Sign in again: open the connection and press “Sign in again”."


def read_token(
    status: int, body: bytes, *, now: datetime, retry_after_s: float | None = None
) -> Token:
    """The answer's token. Raises NeedsAttention, LimitReached or Transient.

    Its `base_url` is a plain address by its spelling; whose it is, `connections` judges.
    """
    table = answer_table(body)
    if status == 200:
        return _token(table, now)
    raise _refusal(status, table, retry_after_s)


def wants_other_clock(status: int, body: bytes) -> bool:
    """Whether the answer may blame a statement's time: it asks for one more by Salesforce's own.

    A statement that is too old “expired”, like a code of a sign-in (which is never asked for
    again); one that lies too far ahead is just “invalid”, like one whose signature is wrong.
    """
    table = answer_table(body)
    if status != 400 or table.get("error") != "invalid_grant":
        return False
    words = described_words(table)
    return words >= _EXPIRED or words >= _UNPROVEN


def _token(table: Mapping[str, Any], now: datetime) -> Token:
    access, base_url = token_text(table, "access_token"), _address(table.get("instance_url"))
    if access is None or base_url is None:
        raise no_token("Salesforce")
    return Token(
        access=access,
        expires_at=_issued(table.get("issued_at"), now) + LIFE,
        refresh=token_text(table, "refresh_token"),
        base_url=base_url,
    )


def _issued(value: Any, now: datetime) -> datetime:
    """When it was made (milliseconds since 1970, as text); `now` if that cannot be so."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        return now
    made = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(text))
    return made if now - _OLDEST <= made <= now else now


def _address(value: Any) -> str | None:
    """`instance_url` as scheme, host and port alone; None if it is no such address."""
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_ADDRESS or not value.isascii():
        return None
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or port == 0:
        return None
    if parts.path not in ("", "/") or parts.query or parts.fragment or not value.isprintable():
        return None
    return f"{parts.scheme}://{parts.netloc}"


def _refusal(status: int, table: Mapping[str, Any], retry_after_s: float | None) -> CallFailed:
    if busy := not_now("Salesforce", status, retry_after_s):
        return busy
    error = table.get("error")
    if not isinstance(error, str):
        if status in (404, 405) or 300 <= status < 400:
            return NeedsAttention(
                f"The address of the connection answered {status}: it is no organisation of "
                "Salesforce, or it was renamed; compare it with Setup → My Domain."
            )
        return Transient(f"Salesforce's token endpoint answered {status} and said nothing more.")
    if error in ("temporarily_unavailable", "server_error", "unknown_error"):
        return Transient(f"Salesforce's token endpoint answered {error}; it is tried again.")
    words = described_words(table)
    if error == "invalid_grant":
        return _grant_refused(words)
    sentence = _SENTENCES.get(error)
    if sentence is None:
        sentence = (
            f"Salesforce's token endpoint answered {status} ({error_name(error)}); compare the "
            f"connection with the app {_APP}."
        )
    return NeedsAttention(sentence)


_RUN_AS = (
    "enable the client credentials flow under Policies → OAuth Policies of the app "
    f"{_APP}, and name a “Run As” user there"
)
_BY_KEY = (
    "tick Enable JWT Bearer Flow under Settings → OAuth Settings → Flow Enablement, and "
    "upload the certificate of the private key there"
)
_NOT_THIS_WAY = (
    f"The app does not allow this way to authenticate; for client credentials, {_RUN_AS}; for JWT, "
    f"{_BY_KEY}; or choose another method for the connection."
)
_PERMIT = (
    f"open the app {_APP} → Policies → Edit → OAuth Policies, set Permitted Users to “Admin "
    "approved users are pre-authorized”, and under App Policies select a permission set without "
    "a licence of its own that the user has; a set with the licence Salesforce API Integration "
    "cannot hold an app"
)
_SENTENCES = {
    "invalid_client": "Salesforce does not take this consumer secret; compare it with the app "
    f"{_APP} → Settings → OAuth Settings → Consumer Key and Secret. "
    f"A connection by JWT has no secret: {_BY_KEY}.",
    "app_not_found": "The app is not in the organisation that was asked. Enter the My Domain "
    "address of the organisation that has it: External Client Apps refuse login.salesforce.com "
    "and test.salesforce.com, and a sandbox has apps of its own.",
    "invalid_client_id": "Salesforce does not know this consumer key here; compare it with the app "
    f"{_APP}. A new app is known after up to ten minutes, and a sandbox has apps of its own.",
    "invalid_client_credentials": "Salesforce does not take this consumer secret; compare it with "
    f"the app {_APP} → Settings → OAuth Settings → Consumer Key and Secret.",
    "inactive_user": "The user that calls are made as is not active; activate the user in "
    "Salesforce under Setup → Users, or name another.",
    "inactive_org": "The organisation is locked, closed or suspended; an administrator of "
    "Salesforce must look into it.",
    "unauthorized_client": _NOT_THIS_WAY,
    "unsupported_grant_type": _NOT_THIS_WAY,
    "invalid_app_access": f"The user may not use the app; to pre-authorise the user, {_PERMIT}.",
    "invalid_scope": "The app lacks the OAuth scopes “Manage user data via APIs (api)” and "
    f"“Perform requests at any time (refresh_token)”; add them to the app {_APP}.",
    "redirect_uri_mismatch": "The app does not know the address that the sign-in returns to; add "
    f"it as a callback URL of the app {_APP}; the connection's page shows it.",
    "rate_limit_exceeded": "Salesforce refuses more sign-ins of this user for an hour; see Login "
    "History in Salesforce for what else signs in.",
}


def _grant_refused(words: frozenset[str]) -> CallFailed:
    """`invalid_grant`, by the words of its description."""
    if statement := _statement_refused(words):
        return NeedsAttention(statement)
    if "code" in words or "verifier" in words:
        return NeedsAttention(
            "The code of the sign-in was used already or is too old. Sign in again: open the "
            "connection and press “Connect”."
        )
    if words & {"ip", "restricted"}:
        return NeedsAttention(
            "Salesforce does not let this machine's address sign in; relax the IP restrictions "
            f"under Policies of the app {_APP}, or add the address to the user's login ranges."
        )
    if "client" in words or "enabled" in words:
        return NeedsAttention(f"Salesforce gives the app no token of its own; {_RUN_AS}.")
    if "inactive" in words:
        return NeedsAttention(
            "The user that calls are made as is not active; activate the user in Salesforce under "
            f"Setup → Users. If a person signed in: {SIGN_IN_AGAIN}"
        )
    if words & {"expired", "refresh", "revoked", "token"}:
        return NeedsAttention(
            f"The sign-in at Salesforce is over: it was revoked or has expired. {SIGN_IN_AGAIN}"
        )
    return NeedsAttention(
        "Salesforce does not take these credentials; compare the connection with the app "
        f"{_APP}: {_RUN_AS}; or, if a person signed in, press “Sign in again”."
    )


def _statement_refused(words: frozenset[str]) -> str:
    """What is wrong with a signed statement (JWT bearer); "" if the words are not about one."""
    if words >= _EXPIRED:
        return (
            "Salesforce finds it expired. By JWT: the clock of this machine is wrong; set it by "
            "NTP. If a person signs in: begin again by “Connect” on the connection's page."
        )
    if "audience" in words:
        return (
            "Salesforce does not take the address that the statement is made out to; enter the My "
            "Domain address of the organisation (Setup → My Domain). A sandbox takes neither "
            "https://login.salesforce.com nor the address of production."
        )
    if words >= _UNPROVEN:
        return (
            "Salesforce does not take our statement: the certificate that the app holds does not "
            f"belong to this private key, or has expired; compare them in the app {_APP} → "
            f"Settings → OAuth Settings, and {_BY_KEY}. If all of that is right, "
            "the clock of this machine is wrong."
        )
    if words & {"approved", "consumer"}:
        return (
            "The user has not been allowed to use the app, or there is no such user: compare the "
            f"user name with Setup → Users (a sandbox's ends in its name); then {_PERMIT}."
        )
    return ""
