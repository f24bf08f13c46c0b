"""A person signs in at a vendor for a connection: OAuth 2.0, authorisation code with PKCE.

`begun` gives the address to send the browser to; `finished` takes what it comes back with. The
`state` holds 256 random bits and the connection's id; only its hash is stored, bound to the browser
session that began, for ten minutes and one use (RFC 6749 §10.12, RFC 9700 §4.7). The verifier is
sealed. A code is good for seconds (Box: 30), so it is exchanged at once, where it arrives.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.connections.fetching import TokenFetcher
from inkwire.errors import Conflict, Forbidden, InvalidInput, NeedsAttention, Transient
from inkwire.model.access import Caller
from inkwire.model.connection import Authorization, Connection, Token
from inkwire.providers.contract import Connector
from inkwire.providers.oauth import challenge, error_name
from inkwire.store.acting import Connections

#: How long a person may take at the vendor.
PATIENCE = timedelta(minutes=10)
#: Tries to store the token while others store theirs.
_MOST_PUTS = 10
_CODE = re.compile(r"[\x21-\x7e]{1,4096}")
_MOST_STATE = 200


class SignIns:
    """Begins and finishes sign-ins; callers are let in by `ConnectionDesk`."""

    def __init__(
        self,
        connections: Connections,
        fetcher: Callable[[Connection, Connector], TokenFetcher],
        *,
        clock: Clock,
        audit: Auditor,
    ) -> None:
        """`fetcher`: what asks a connection's token endpoint."""
        self._connections = connections
        self._fetcher = fetcher
        self._clock = clock
        self._audit = audit

    def begun(
        self,
        caller: Caller,
        connection: Connection,
        connector: Connector,
        *,
        redirect_uri: str,
        session: str,
    ) -> str:
        """The vendor's address to sign in at. Raises InvalidInput, StoreError."""
        if not any(one.authorizes for one in connector.methods if one.name == connection.method):
            raise InvalidInput(
                f"Nobody signs in for the connection {connection.id}: its app authenticates by "
                "itself. Request authentication instead."
            )
        state = f"{connection.id}.{secrets.token_urlsafe(32)}"
        verifier = secrets.token_urlsafe(48)
        url = connector.authorize_url(
            connection.method,
            connection.settings,
            state=state,
            challenge=challenge(verifier),
            redirect_uri=redirect_uri,
        )
        self._connections.begin_authorization(
            connection.id,
            state_hash=_hash(state),
            verifier=verifier,
            redirect_uri=redirect_uri,
            session=session,
            until=self._clock.now() + PATIENCE,
            audit=self._audit.entry(
                caller, "connection.sign_in", connection.id, at=urlsplit(url).hostname or ""
            ),
        )
        return url

    def taken(self, *, state: str, session: str) -> Authorization:
        """The sign-in that this state was made for; good once.

        Raises Conflict if there is none (any more), Forbidden if another session began it.
        """
        found = None
        if 0 < len(state) <= _MOST_STATE:
            found = self._connections.take_authorization(
                state_hash=_hash(state), now=self._clock.now()
            )
        if found is None:
            raise Conflict(
                "This sign-in is not known here any more: it was used, lies more than "
                f"{PATIENCE.seconds // 60} minutes back, or another was begun since. Begin again "
                "by “Connect” on the connection's page."
            )
        if not hmac.compare_digest(found.session.encode(), session.encode()):
            raise Forbidden(
                "This sign-in was begun in another session, so nothing was kept. Sign in to the "
                "console at its public address, then begin again by “Connect” on the connection's "
                "page."
            )
        return found

    def finished(
        self,
        caller: Caller,
        pending: Authorization,
        connection: Connection,
        connector: Connector,
        *,
        code: str,
    ) -> Token:
        """Turns the code into a token and keeps it. Raises Conflict, CallFailed, StoreError."""
        if not _CODE.fullmatch(code):
            raise Conflict("The vendor sent no code along; begin again by “Connect”.")
        held = self._connections.token(connection.id)
        try:
            token = self._fetcher(connection, connector).exchange(
                code=code, verifier=pending.verifier, redirect_uri=pending.redirect_uri
            )
        except Transient as error:
            raise Conflict(
                "You were signed in, but no token came for it while the code was good: "
                f"{error.message.removesuffix('; it is tried again.')}. Begin again by “Connect”."
            ) from None
        audit = self._audit.entry(caller, "connection.signed_in", connection.id)
        generation = held.generation
        for _ in range(_MOST_PUTS):
            if self._connections.put_token(
                connection.id, token, generation=generation, audit=audit
            ):
                return token
            # A refresh by an older sign-in was faster; it gives way. Changed credentials do not.
            if self._connections.get(connection.id).updated_at != connection.updated_at:
                break
            generation = self._connections.token(connection.id).generation
        raise Conflict(
            "The connection was changed while you signed in, so nothing was kept; begin again by "
            "“Connect”."
        )


def refused(error: str, description: str) -> NeedsAttention:
    """What a vendor's `error` in place of a code means."""
    if error == "access_denied":
        return NeedsAttention(
            "The access was not allowed at the vendor, so nothing has changed. Begin again by "
            "“Connect”, and press “Allow” there."
        )
    told = description if 0 < len(description) <= 200 and description.isprintable() else ""
    more = f": {told.rstrip('.')}" if told else ""
    return NeedsAttention(
        f"The vendor ended the sign-in ({error_name(error)}{more}). Compare the app at the vendor "
        "with the connection: its callback address, its scopes and the client ID; then begin again "
        "by “Connect”."
    )


def _hash(state: str) -> bytes:
    return hashlib.sha256(state.encode("utf-8", "replace")).digest()
