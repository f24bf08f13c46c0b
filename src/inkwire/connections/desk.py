"""The desk of connections: made, changed, checked; and the clients that call by them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.connections.calling import Calling, OpenSession, guarded_sessions
from inkwire.connections.check import Probe, tried
from inkwire.connections.check_box import box_probes
from inkwire.connections.check_salesforce import salesforce_probes
from inkwire.connections.given import (
    cleaned,
    differences,
    id_problem,
    known,
    name_problem,
    secret_texts,
)
from inkwire.connections.same_account import same_account
from inkwire.connections.signing_in import SignIns, refused
from inkwire.connections.tokens import TokenKeeper
from inkwire.errors import InvalidInput, NeedsAttention, NotFound, StoreError
from inkwire.ids import Ids
from inkwire.model.access import Caller, Scope
from inkwire.model.connection import Connection, ConnectionHealth
from inkwire.model.source import SOURCE_ID
from inkwire.providers.box.client import BoxClient
from inkwire.providers.contract import Check, Connector, Journal
from inkwire.providers.registry import Registry
from inkwire.providers.salesforce.client import SalesforceClient
from inkwire.providers.settings import complete_settings
from inkwire.store.contract import Store

__all__ = ["ConnectionDesk", "OpenSession", "guarded_sessions"]

log = structlog.get_logger()


class ConnectionDesk:
    """The only room that sees API credentials in plain.

    Methods with a caller need `integrations:read` or `integrations:write`, and raise Forbidden.
    """

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        clock: Clock,
        ids: Ids,
        sessions: OpenSession,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`sessions`: see `guarded_sessions`. `sleep`: seconds, while another fetches a token."""
        self._store = store
        self._registry = registry
        self._clock = clock
        self._audit = Auditor(clock, ids)
        self._calling = Calling(store=store, clock=clock, ids=ids, sessions=sessions, sleep=sleep)
        self._sign_ins = SignIns(
            store.connections,
            lambda connection, connector: self._calling.fetcher(
                connection, connector, self._calling.journal(connection.id, None, None)
            ),
            clock=clock,
            audit=self._audit,
        )

    def all(self, caller: Caller) -> list[Connection]:
        """Every connection, by id."""
        caller.require(Scope.INTEGRATIONS_READ)
        return self._store.connections.all()

    def get(self, caller: Caller, connection_id: str) -> Connection:
        """One connection. Raises NotFound."""
        caller.require(Scope.INTEGRATIONS_READ)
        return self._get(connection_id)

    def add(
        self,
        caller: Caller,
        *,
        connection_id: str,
        provider: str,
        name: str,
        method: str,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
    ) -> Connection:
        """Checks without any network call and keeps. Raises InvalidInput, Conflict."""
        caller.require(Scope.INTEGRATIONS_WRITE)
        wrong = id_problem(connection_id) | name_problem(name)
        connector = self._connector(provider, wrong)
        checked, kept = cleaned(connector, method, settings, secrets, wrong)
        now = self._clock.now()
        made = Connection(
            id=connection_id,
            provider=provider,
            name=name,
            method=method,
            settings=checked,
            created_at=now,
            updated_at=now,
        )
        audit = self._audit.entry(
            caller, "connection.create", made.id, provider=provider, name=name, method=method
        )
        self._store.connections.add(made, secret_texts(kept), audit=audit)
        return self._store.connections.get(made.id)

    def change(
        self,
        caller: Caller,
        connection_id: str,
        *,
        name: str | None = None,
        method: str | None = None,
        settings: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> Connection:
        """Replaces what is given; secrets that are not given stay. Raises as `add`, NotFound.

        Settings are laid over the present ones. With another method, what it does not know goes.
        The token is fetched anew; a person's sign-in stays while it is the same app at the vendor.
        """
        caller.require(Scope.INTEGRATIONS_WRITE)
        old = self._get(connection_id)
        held = self._store.connections.open_secrets(old.id)
        wrong = name_problem(old.name if name is None else name)
        connector = self._connector(old.provider, wrong)
        way = old.method if method is None else method
        known_settings, known_roles = known(connector, way)
        laid = {key: value for key, value in old.settings.items() if key in known_settings}
        given = {role: value for role, value in held.items() if role in known_roles}
        checked, kept = cleaned(
            connector, way, {**laid, **(settings or {})}, {**given, **(secrets or {})}, wrong
        )
        new = replace(
            old,
            name=old.name if name is None else name,
            method=way,
            settings=checked,
            updated_at=self._clock.now(),
        )
        changed = {role: value for role, value in kept.items() if held.get(role) != value}
        removed = held.keys() - kept.keys()
        fields = differences(old, new, {*changed, *removed})
        if not fields:
            return old
        audit = self._audit.entry(caller, "connection.update", old.id, changed=", ".join(fields))
        return self._store.connections.update(
            new,
            secret_texts(changed),
            removed=removed,
            keep_token=same_account(connector, (self._whole(old.id), held), (new, kept)),
            expected=old.updated_at,
            audit=audit,
        )

    def delete(self, caller: Caller, connection_id: str) -> None:
        """Removes it. Raises NotFound, Conflict while an integration names it."""
        caller.require(Scope.INTEGRATIONS_WRITE)
        old = self._get(connection_id)
        audit = self._audit.entry(
            caller, "connection.delete", old.id, provider=old.provider, name=old.name
        )
        self._store.connections.delete(old.id, audit=audit)

    def check(self, connection_id: str) -> Sequence[Check]:
        """Fetches a token, asks who we are, tries every scope one by one; keeps the health.

        If all is well, work that waited for the connection goes on. Calls the provider, so: on a
        thread of a worker or of the command line. Raises NotFound.
        """
        connection = self._whole(connection_id)
        found = tried(self._probes(connection))
        now = self._clock.now()
        if found.fault:
            self._note(connection.id, ConnectionHealth.NEEDS_ATTENTION, found.fault)
        elif found.complete:
            self._note(connection.id, ConnectionHealth.OK, "")
            self._store.works.wake(connection_id=connection.id, at=now)
        return found.checks

    def box(
        self, connection_id: str, *, work_id: str | None = None, run_id: str | None = None
    ) -> BoxClient:
        """A client that calls by this connection and records each call with these ids.

        A NeedsAttention that it raises is noted as the connection's health. Raises NotFound.
        """
        connection = self._for("box", connection_id)
        connector, tokens, journal = self._calls(connection, work_id, run_id)
        attention = self._attention(connection.id)
        return self._calling.box(
            connection, connector.domains, tokens, journal, attention=attention
        )

    def salesforce(
        self, connection_id: str, *, work_id: str | None = None, run_id: str | None = None
    ) -> SalesforceClient:
        """A client of Salesforce; see `box`."""
        connection = self._for("salesforce", connection_id)
        connector, tokens, journal = self._calls(connection, work_id, run_id)
        attention = self._attention(connection.id)
        return self._calling.salesforce(
            connection, connector.domains, tokens, journal, attention=attention
        )

    def begin_authorization(
        self, caller: Caller, connection_id: str, *, redirect_uri: str, session: str
    ) -> str:
        """Where a person signs in at the vendor for this connection; good for ten minutes.

        `redirect_uri`: where the vendor sends the browser back to; `session`: whose browser it is.
        Raises NotFound, InvalidInput if nobody signs in for it.
        """
        caller.require(Scope.INTEGRATIONS_WRITE)
        connection = self._whole(connection_id)
        return self._sign_ins.begun(
            caller,
            connection,
            self._connector_of(connection),
            redirect_uri=redirect_uri,
            session=session,
        )

    def finish_authorization(
        self, caller: Caller, *, state: str, code: str, session: str
    ) -> Connection:
        """Fetches and keeps the token for the code that came back; asks the vendor at once.

        Raises Conflict (state or code are not good any more), Forbidden (another session),
        NeedsAttention, LimitReached, each in words.
        """
        caller.require(Scope.INTEGRATIONS_WRITE)
        pending = self._sign_ins.taken(state=state, session=session)
        connection = self._whole(pending.connection_id)
        connector = self._connector_of(connection)
        self._sign_ins.finished(caller, pending, connection, connector, code=code)
        return self._store.connections.get(connection.id)

    def refuse_authorization(
        self, caller: Caller, *, state: str, error: str, description: str, session: str
    ) -> NeedsAttention:
        """Ends a sign-in that came back with the vendor's `error`; what that means, in words.

        Raises as `finish_authorization`: only an error of a sign-in that was begun is told.
        """
        caller.require(Scope.INTEGRATIONS_WRITE)
        self._sign_ins.taken(state=state, session=session)
        return refused(error, description)

    def close(self) -> None:
        """Closes the sessions that were opened."""
        self._calling.close()

    def _get(self, connection_id: str) -> Connection:
        if not SOURCE_ID.fullmatch(connection_id):
            raise NotFound("There is no connection of that id.")
        return self._store.connections.get(connection_id)

    def _whole(self, connection_id: str) -> Connection:
        """A connection to call by: settings that came with an upgrade have their defaults."""
        found = self._get(connection_id)
        described = [
            field
            for method in self._connector_of(found).methods
            if method.name == found.method
            for field in method.settings
        ]
        return replace(found, settings=complete_settings(described, found.settings)[0])

    def _for(self, provider: str, connection_id: str) -> Connection:
        """A connection to call that provider by. Raises NotFound, InvalidInput."""
        found = self._whole(connection_id)
        if found.provider != provider:
            title = self._registry.get(provider).title
            raise InvalidInput(
                f"The connection {found.id} is for {found.provider}; choose one for {title}."
            )
        return found

    def _calls(
        self, connection: Connection, work_id: str | None = None, run_id: str | None = None
    ) -> tuple[Connector, TokenKeeper, Journal]:
        connector = self._connector_of(connection)
        journal = self._calling.journal(connection.id, work_id, run_id)
        return connector, self._calling.tokens(connection, connector, journal), journal

    def _probes(self, connection: Connection) -> Sequence[Probe]:
        """What a connection of its provider must be able to do."""
        connector, tokens, journal = self._calls(connection)
        if connection.provider == "salesforce":
            self._calling.forget(connection.id)
            crm = self._calling.salesforce(
                connection, connector.domains, tokens, journal, attention=lambda _: None
            )
            return salesforce_probes(tokens.renew, crm)
        client = self._calling.box(
            connection, connector.domains, tokens, journal, attention=lambda _: None
        )
        return box_probes(
            tokens.renew,
            client,
            as_user=str(connection.settings.get("as_user", "")),
            signed_in=self._authorizes(connection),
        )

    def _authorizes(self, connection: Connection) -> bool:
        methods = self._connector_of(connection).methods
        return any(one.authorizes for one in methods if one.name == connection.method)

    def _attention(self, connection_id: str) -> Callable[[NeedsAttention], None]:
        return lambda error: self._note(
            connection_id, ConnectionHealth.NEEDS_ATTENTION, error.message
        )

    def _connector(self, provider: str, wrong: dict[str, str]) -> Connector:
        try:
            connector = self._registry.get(provider).connect
        except NotFound as error:
            raise InvalidInput(fields={**wrong, "provider": error.message}) from None
        if connector is None:
            text = "has no API that Inkwire calls; choose another provider"
            raise InvalidInput(fields={**wrong, "provider": text})
        return connector

    def _connector_of(self, connection: Connection) -> Connector:
        return self._connector(connection.provider, {})

    def _note(self, connection_id: str, health: ConnectionHealth, note: str) -> None:
        try:
            self._store.connections.set_health(connection_id, health, note, at=self._clock.now())
        except StoreError as error:
            log.warning("health_not_noted", connection=connection_id, why=error.message)
