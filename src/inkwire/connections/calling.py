"""What calls by a connection: its tokens, its guarded sessions, and the record of calls."""

import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from inkwire.clock import Clock
from inkwire.connections.fetching import TokenFetcher
from inkwire.connections.tokens import TokenKeeper
from inkwire.errors import NeedsAttention, StoreError
from inkwire.ids import Ids
from inkwire.model.connection import Connection
from inkwire.model.work import Call
from inkwire.outbound.guard import Guard
from inkwire.providers.box.client import BoxCalling, BoxClient, Tokens, open_client
from inkwire.providers.contract import Connector, Journal
from inkwire.store.contract import Store

if TYPE_CHECKING:
    import requests

log = structlog.get_logger()
#: Makes a session that reaches the hosts of these domains and of the operator's allow-list only;
#: without any, every public host.
OpenSession = Callable[[tuple[str, ...]], "requests.Session"]


def guarded_sessions(
    guard: Guard, *, proxy: str | None = None, ca_file: Path | None = None
) -> OpenSession:
    """Sessions behind the guard; `requests` is imported when the first is opened."""

    def opened(domains: tuple[str, ...]) -> "requests.Session":
        from inkwire.outbound.requests_adapter import (  # noqa: PLC0415 - only for vendors' APIs
            session,
        )

        return session(guard, domains=domains, proxy=proxy, ca_file=ca_file)

    return opened


class Calling:
    """Opens clients and tokens for connections; one for each process."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        ids: Ids,
        sessions: OpenSession,
        sleep: Callable[[float], None],
    ) -> None:
        """See `ConnectionDesk`."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._open_session = sessions
        self._sleep = sleep
        self._guarding = threading.Lock()
        self._sessions: dict[tuple[str, ...], requests.Session] = {}
        #: Of each connection: who holds it fetches its token in this process.
        self._fetching: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def box(
        self,
        connection: Connection,
        domains: tuple[str, ...],
        tokens: Tokens,
        journal: Journal,
        *,
        attention: Callable[[NeedsAttention], None],
    ) -> BoxClient:
        """A client of Box; `domains`: the hosts that get its token."""
        settings = connection.settings
        return open_client(
            BoxCalling(
                api_url=str(settings["api_url"]),
                upload_url=str(settings["upload_url"]),
                tokens=tokens,
                session=self._session(domains),
                files=self._session(()),
                journal=journal,
                now=self._clock.now,
                as_user=str(settings.get("as_user", "")),
                attention=attention,
            )
        )

    def tokens(self, connection: Connection, connector: Connector, journal: Journal) -> TokenKeeper:
        """The tokens of a connection; whoever asks in this process shares the lock."""
        fetcher = TokenFetcher(
            connector,
            connection,
            lambda: self._store.connections.open_secrets(connection.id),
            lambda: self._session(connector.domains),
            journal,
            clock=self._clock,
            ids=self._ids,
        )
        with self._guarding:
            lock = self._fetching[connection.id]
        return TokenKeeper(
            self._store.connections,
            connection.id,
            fetcher.fetch,
            clock=self._clock,
            lock=lock,
            sleep=self._sleep,
        )

    def journal(self, connection_id: str, work_id: str | None, run_id: str | None) -> Journal:
        """Keeps calls with these ids."""

        def keep(**fields: Any) -> None:
            call = Call(
                id=self._ids.new("cal"),
                connection_id=connection_id,
                work_id=work_id,
                run_id=run_id,
                **fields,
            )
            try:
                self._store.run_log.add_call(call)
            except StoreError as error:
                # The call is made, and its outcome must reach the caller all the same.
                log.warning("call_not_recorded", connection=connection_id, why=error.message)

        return keep

    def close(self) -> None:
        """Closes the sessions that were opened."""
        with self._guarding:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()

    def _session(self, domains: tuple[str, ...]) -> "requests.Session":
        with self._guarding:
            if domains not in self._sessions:
                self._sessions[domains] = self._open_session(domains)
            return self._sessions[domains]
