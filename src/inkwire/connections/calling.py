"""What calls by a connection: its tokens, its guarded sessions, and the record of calls."""

import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from inkwire.clock import Clock
from inkwire.connections.fetching import TokenFetcher
from inkwire.connections.tokens import TokenKeeper, Turn
from inkwire.errors import NeedsAttention, StoreError
from inkwire.ids import Ids
from inkwire.model.connection import Connection
from inkwire.model.crm import ApiUsage
from inkwire.model.work import Call
from inkwire.outbound.guard import Guard
from inkwire.providers.box import client as box
from inkwire.providers.contract import Connector, Journal
from inkwire.providers.salesforce import client as salesforce
from inkwire.providers.salesforce.client.keeping import Descriptions
from inkwire.providers.salesforce.client.places import Places
from inkwire.providers.salesforce.objects import Usage
from inkwire.store.contract import Store

if TYPE_CHECKING:
    import requests

log = structlog.get_logger()
#: Makes a session that reaches the hosts of these domains and of the operator's allow-list only;
#: without any, every public host.
OpenSession = Callable[[tuple[str, ...]], "requests.Session"]
#: What an organisation has used of its day is kept at most this often by a process.
USAGE_EVERY = timedelta(seconds=10)


def guarded_sessions(
    guard: Guard, *, proxy: str | None = None, ca_file: Path | None = None
) -> OpenSession:
    """Sessions behind the guard; `requests` is imported when the first is opened."""

    def opened(domains: tuple[str, ...]) -> "requests.Session":
        from inkwire.outbound.requests_adapter import (  # noqa: PLC0415 - only for vendors' APIs
            MAX_ANSWER,
            session,
        )

        # Without domains: for files, of any size, which their readers take in pieces.
        most = MAX_ANSWER if domains else None
        return session(guard, domains=domains, proxy=proxy, ca_file=ca_file, max_answer=most)

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
        self._turns: defaultdict[str, Turn] = defaultdict(Turn)
        #: What describe said, by connection.
        self._described: defaultdict[str, Descriptions] = defaultdict(Descriptions)
        #: Which calls of each connection may go.
        self._places: defaultdict[str, Places] = defaultdict(Places)
        #: When each connection's usage was kept last.
        self._noted: dict[str, datetime] = {}

    def box(
        self,
        connection: Connection,
        domains: tuple[str, ...],
        tokens: box.Tokens,
        journal: Journal,
        *,
        attention: Callable[[NeedsAttention], None],
    ) -> box.BoxClient:
        """A client of Box; `domains`: the hosts that get its token."""
        settings = connection.settings
        return box.open_client(
            box.BoxCalling(
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

    def salesforce(
        self,
        connection: Connection,
        domains: tuple[str, ...],
        tokens: salesforce.Tokens,
        journal: Journal,
        *,
        attention: Callable[[NeedsAttention], None],
    ) -> salesforce.SalesforceClient:
        """A client of Salesforce; `domains`: the hosts that get its token."""
        with self._guarding:
            described, places = self._described[connection.id], self._places[connection.id]
        return salesforce.open_client(
            salesforce.SalesforceCalling(
                api_version=str(connection.settings["api_version"]),
                tokens=tokens,
                session=self._session(domains),
                journal=journal,
                now=self._clock.now,
                attention=attention,
                usage=lambda usage: self._note_usage(connection.id, usage),
                descriptions=described,
                places=places,
            )
        )

    def forget(self, connection_id: str) -> None:
        """What was described is asked for anew: a person may have changed what is allowed."""
        with self._guarding:
            self._described[connection_id].clear()

    def tokens(self, connection: Connection, connector: Connector, journal: Journal) -> TokenKeeper:
        """The tokens of a connection; whoever asks in this process shares the turn."""
        with self._guarding:
            turn = self._turns[connection.id]
        return TokenKeeper(
            self._store.connections,
            connection.id,
            self.fetcher(connection, connector, journal).fetch,
            clock=self._clock,
            turn=turn,
            sleep=self._sleep,
        )

    def fetcher(
        self, connection: Connection, connector: Connector, journal: Journal
    ) -> TokenFetcher:
        """What asks the vendor's token endpoint."""
        return TokenFetcher(
            connector,
            connection,
            lambda: self._store.connections.open_secrets(connection.id),
            lambda: self._session(connector.domains),
            journal,
            clock=self._clock,
            ids=self._ids,
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

    def _note_usage(self, connection_id: str, usage: Usage) -> None:
        """Keeps what an answer says of the day's calls, now and then: each answer says it."""
        now = self._clock.now()
        with self._guarding:
            last = self._noted.get(connection_id)
            if last is not None and last <= now < last + USAGE_EVERY:
                return
            self._noted[connection_id] = now
        try:
            self._store.api_usages.note(
                ApiUsage(connection_id=connection_id, used=usage.used, most=usage.most, at=now)
            )
        except StoreError as error:
            log.warning("usage_not_noted", connection=connection_id, why=error.message)

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
