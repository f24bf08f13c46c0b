"""Whether a changed connection still speaks for who signed in for it. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime

from inkwire.model.connection import Connection
from inkwire.providers.contract import Connector, TokenRequest

#: A connection and its secrets.
Held = tuple[Connection, Mapping[str, str]]
_SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def same_account(connector: Connector, old: Held, new: Held) -> bool:
    """Whether a person's sign-in outlives the change: same method, app and token endpoint.

    A new name or API version does not ask anybody to sign in again, nor does a new client secret:
    vendors tie a refresh token to the app, not to its secret. Of methods where nobody signs in it
    is False: a fresh token costs one request.
    """
    before, after = old[0], new[0]
    signs_in = any(one.authorizes for one in connector.methods if one.name == after.method)
    if not signs_in or before.method != after.method:
        return False
    return _asked(connector, old) == _asked(connector, new)


def _asked(connector: Connector, held: Held) -> tuple[str, dict[str, str]]:
    """Where a token is asked for, and as whom."""
    connection, secrets = held
    request: TokenRequest = connector.token_request(
        connection.method,
        connection.settings,
        secrets,
        now=_SOME_TIME,
        jti="jti",
        refresh="refresh",
    )
    return request.url, {k: v for k, v in request.form.items() if k != "client_secret"}
