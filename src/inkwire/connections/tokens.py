"""Tokens of connections: fetched ahead of their end, by one at a time, kept sealed in the store.

Single-flight holds within a process by a lock, and across processes by a lease in the store: who
does not get the lease waits for the other's token (R70, R73).
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

from inkwire.clock import Clock
from inkwire.errors import Transient
from inkwire.model.connection import HeldToken, Token
from inkwire.store.acting import Connections

#: Seconds before its end from which a token is replaced, and up to which it may still be used.
AHEAD_S, LAST_S = 300.0, 30.0
#: Seconds that a process may take to fetch one; longer than all its time-outs together.
LEASE_S = 30.0
_POLL_S = 0.1
_MOST_POLLS = int(2 * LEASE_S / _POLL_S)

#: A refresh token, if the last token came with one, to a new token. Raises as `Tokens.access`.
Fetch = Callable[[str | None], Token]


class TokenKeeper:
    """The access token of one connection; safe for threads. See `box.client.Tokens`."""

    def __init__(
        self,
        connections: Connections,
        connection_id: str,
        fetch: Fetch,
        *,
        clock: Clock,
        lock: threading.Lock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`lock`: the one of this connection in this process. `sleep`: seconds."""
        self._connections = connections
        self._id = connection_id
        self._fetch = fetch
        self._clock = clock
        self._lock = lock
        self._sleep = sleep

    def access(self, *, refused: str | None = None) -> str:
        """A token that is good for a while. `refused`: one that was answered 401: get another.

        Raises NeedsAttention, LimitReached, Transient, and NotFound if the connection is gone.
        """
        held = self._connections.token(self._id)
        if good := self._usable(held, refused, AHEAD_S):
            return good
        if good := self._usable(held, refused, LAST_S):
            # It will do for now: only one caller fetches the next, and nobody waits for that.
            if not self._lock.acquire(blocking=False):
                return good
        else:
            self._lock.acquire()
        try:
            return self._renewed(refused)
        finally:
            self._lock.release()

    def renew(self) -> Token:
        """Fetches a token whatever is held, to see that the credentials are good."""
        held = self._connections.token(self._id)
        token = self._fetch(held.token.refresh if held.token else None)
        # If another was faster, its token stays; this one was good as well.
        self._connections.put_token(self._id, token, generation=held.generation)
        return token

    def _renewed(self, refused: str | None) -> str:
        for _ in range(_MOST_POLLS):
            held = self._connections.token(self._id)
            if good := self._usable(held, refused, AHEAD_S):
                return good
            if self._lease(held):
                return self._fetched(held)
            if good := self._usable(held, refused, LAST_S):
                return good
            self._sleep(_POLL_S)
        raise Transient("Another process fetches a token for this connection, and takes too long.")

    def _lease(self, held: HeldToken) -> bool:
        return self._connections.lease_refresh(
            self._id, generation=held.generation, now=self._clock.now(), lease_s=LEASE_S
        )

    def _fetched(self, held: HeldToken) -> str:
        try:
            token = self._fetch(held.token.refresh if held.token else None)
        except BaseException:
            self._connections.drop_lease(self._id, generation=held.generation)
            raise
        if self._connections.put_token(self._id, token, generation=held.generation):
            return token.access
        # The credentials were changed, or our lease ran out: what is stored is newer.
        newer = self._usable(self._connections.token(self._id), None, LAST_S)
        return newer or token.access

    def _usable(self, held: HeldToken, refused: str | None, left_s: float) -> str | None:
        token = held.token
        if token is None or token.access == refused:
            return None
        late = token.expires_at - timedelta(seconds=left_s)
        return token.access if self._clock.now() < late else None
