"""Tokens of connections: fetched ahead of their end, by one at a time, kept sealed in the store.

Single-flight holds within a process by a lock, and across processes by a lease in the store: who
does not get the lease waits for the other's token (R70, R73).

**Refresh tokens that are good once** (Box's always, Salesforce's with rotation): an answer brings
the next pair and ends the one that was sent. So the pair is stored before anything is called by
it, and until that commit the old pair stays what the store holds:

- The answer came and the store does not take it: it stays in this process, and is stored before
  anything else is tried; meanwhile calls fail, none is made by a pair that could be lost.
- Another won the race for the generation: if what it stored still holds the refresh token that we
  sent, ours is its successor, and replaces it; else theirs is newer (somebody signed in anew, or
  the credentials were changed), and stays.
- The vendor refuses a refresh token while another has stored its successor: that one is used.
- The process died between answer and commit: the old pair is in the store. If the vendor does not
  take it a second time, the connection needs attention and a person signs in again; its work is
  parked, none is lost.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from inkwire.clock import Clock
from inkwire.errors import NeedsAttention, NotFound, StoreBusy, StoreError, Transient
from inkwire.model.connection import HeldToken, Token
from inkwire.store.acting import Connections

#: Seconds before its end from which a token is replaced, and up to which it may still be used.
AHEAD_S, LAST_S = 300.0, 30.0
#: Seconds that a process may take to fetch one; longer than all its time-outs together.
LEASE_S = 30.0
_POLL_S = 0.1
_MOST_POLLS = int(2 * LEASE_S / _POLL_S)
#: Tries to store an answer, in a row.
_MOST_PUTS = 5

#: A refresh token, if the last token came with one, to a new token. Raises as `Tokens.access`.
Fetch = Callable[[str | None], Token]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """A token that the vendor gave, and what it was asked by."""

    token: Token
    #: The generation of the pair that was sent, and its refresh token.
    generation: int
    used: str | None = field(repr=False)


@dataclass(kw_only=True, slots=True)
class Turn:
    """What the threads of this process share of one connection."""

    #: Who holds it fetches the token.
    lock: threading.Lock = field(default_factory=threading.Lock)
    #: A pair that the store has not taken yet; only for who holds the lock.
    unstored: _Answer | None = None


class TokenKeeper:
    """The token of one connection; safe for threads.

    See `box.client.Tokens` and `salesforce.client.Tokens`.
    """

    def __init__(
        self,
        connections: Connections,
        connection_id: str,
        fetch: Fetch,
        *,
        clock: Clock,
        turn: Turn,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`turn`: the one of this connection in this process. `sleep`: seconds."""
        self._connections = connections
        self._id = connection_id
        self._fetch = fetch
        self._clock = clock
        self._turn = turn
        self._sleep = sleep

    def access(self, *, refused: str | None = None) -> str:
        """The access token alone; see `token`."""
        return self.token(refused=refused).access

    def token(self, *, refused: str | None = None) -> Token:
        """A token that is good for a while, with the address that it is good for.

        `refused`: an access token that was answered 401: get another. Raises NeedsAttention,
        LimitReached, Transient, and NotFound if the connection is gone.
        """
        held = self._connections.token(self._id)
        if good := self._usable(held, refused, AHEAD_S):
            return good
        if good := self._usable(held, refused, LAST_S):
            # It will do for now: only one caller fetches the next, and nobody waits for that.
            if not self._turn.lock.acquire(blocking=False):
                return good
        else:
            self._turn.lock.acquire()
        try:
            return self._renewed(refused)
        finally:
            self._turn.lock.release()

    def renew(self) -> Token:
        """Fetches a token whatever is held, to see that the credentials are good.

        One that another fetches in the meantime will do as well. Raises as `token`.
        """
        with self._turn.lock:
            self._store()
            before = self._connections.token(self._id).generation
            for _ in range(_MOST_POLLS):
                held = self._connections.token(self._id)
                if held.generation != before and held.token is not None:
                    return held.token
                if until := self._lease(held):
                    return self._fetched(held, until)
                self._sleep(_POLL_S)
        raise _too_long()

    def _renewed(self, refused: str | None) -> Token:
        self._store()
        for _ in range(_MOST_POLLS):
            held = self._connections.token(self._id)
            if good := self._usable(held, refused, AHEAD_S):
                return good
            if until := self._lease(held):
                return self._fetched(held, until)
            if good := self._usable(held, refused, LAST_S):
                return good
            self._sleep(_POLL_S)
        raise _too_long()

    def _lease(self, held: HeldToken) -> datetime | None:
        """When our lease ends; None: another has it."""
        now = self._clock.now()
        taken = self._connections.lease_refresh(
            self._id, generation=held.generation, now=now, lease_s=LEASE_S
        )
        return now + timedelta(seconds=LEASE_S) if taken else None

    def _fetched(self, held: HeldToken, until: datetime) -> Token:
        used = held.token.refresh if held.token else None
        try:
            token = self._fetch(used)
        except BaseException as error:
            # A store that cannot hides nothing of what the vendor said: the lease ends by itself.
            with suppress(StoreError):
                self._connections.drop_lease(
                    self._id, generation=held.generation, leased_until=until
                )
            # Refused, perhaps, because another whose lease had run out was faster by the same.
            if isinstance(error, NeedsAttention) and (good := self._since(held)):
                return good
            raise
        self._turn.unstored = _Answer(token=token, generation=held.generation, used=used)
        if self._store():
            return token
        # The credentials were changed, or our lease ran out: what is stored is newer.
        if good := self._usable(self._connections.token(self._id), None, LAST_S):
            return good
        raise Transient(
            "The connection was changed while its token was fetched; it is tried again."
        )

    def _store(self) -> bool:
        """Stores the answer in hand, if there is one; False if another's stays in its place.

        Raises StoreError with the answer still in hand, if losing it would cost a sign-in.
        """
        answer = self._turn.unstored
        if answer is None:
            return False
        if answer.token.refresh is None:
            self._turn.unstored = None
        generation = answer.generation
        for tried in range(1, _MOST_PUTS + 1):
            try:
                if self._connections.put_token(self._id, answer.token, generation=generation):
                    self._turn.unstored = None
                    return True
                held = self._connections.token(self._id)
            except StoreBusy:
                if tried == _MOST_PUTS:
                    raise
                self._sleep(_POLL_S * tried)
                continue
            except NotFound:
                self._turn.unstored = None
                raise
            if not _follows(answer, held):
                break
            generation = held.generation
        self._turn.unstored = None
        return False

    def _since(self, held: HeldToken) -> Token | None:
        """What another has stored since `held` was read, if it is good."""
        newer = self._connections.token(self._id)
        return None if newer.generation == held.generation else self._usable(newer, None, LAST_S)

    def _usable(self, held: HeldToken, refused: str | None, left_s: float) -> Token | None:
        token = held.token
        if token is None or token.access == refused:
            return None
        late = token.expires_at - timedelta(seconds=left_s)
        return token if self._clock.now() < late else None


def _follows(answer: _Answer, held: HeldToken) -> bool:
    """Whether the answer's pair is the next after the stored one, whose refresh token is spent."""
    return answer.used is not None and held.token is not None and held.token.refresh == answer.used


def _too_long() -> Transient:
    return Transient("Another process fetches a token for this connection, and takes too long.")
