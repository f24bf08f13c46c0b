"""The desk of connections: made, changed, checked; and the clients that call by them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.connections.calling import Calling, OpenSession, guarded_sessions
from inkwire.connections.check import check_box
from inkwire.errors import InvalidInput, NotFound, StoreError
from inkwire.ids import Ids
from inkwire.model.access import Caller, Scope
from inkwire.model.connection import Connection, ConnectionHealth
from inkwire.model.source import SOURCE_ID
from inkwire.providers.box.client import BoxClient
from inkwire.providers.contract import Check, Connector
from inkwire.providers.registry import Registry
from inkwire.providers.settings import complete_settings
from inkwire.store.acting import SecretText
from inkwire.store.contract import Store

__all__ = ["ConnectionDesk", "OpenSession", "guarded_sessions"]

log = structlog.get_logger()
MAX_NAME = 100


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
        wrong = _id_problem(connection_id) | _name_problem(name)
        connector = self._connector(provider, wrong)
        checked, kept = _cleaned(connector, method, settings, secrets, wrong)
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
        self._store.connections.add(made, _secret_texts(kept), audit=audit)
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
        """
        caller.require(Scope.INTEGRATIONS_WRITE)
        old = self._get(connection_id)
        held = self._store.connections.open_secrets(old.id)
        wrong = _name_problem(old.name if name is None else name)
        connector = self._connector(old.provider, wrong)
        way = old.method if method is None else method
        known_settings, known_roles = _known(connector, way)
        laid = {key: value for key, value in old.settings.items() if key in known_settings}
        given = {role: value for role, value in held.items() if role in known_roles}
        checked, kept = _cleaned(
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
        fields = _differences(old, new, {*changed, *removed})
        if not fields:
            return old
        audit = self._audit.entry(caller, "connection.update", old.id, changed=", ".join(fields))
        return self._store.connections.update(
            new, _secret_texts(changed), removed=removed, expected=old.updated_at, audit=audit
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
        connector = self._connector_of(connection)
        journal = self._calling.journal(connection.id, None, None)
        tokens = self._calling.tokens(connection, connector, journal)
        client = self._calling.box(
            connection, connector.domains, tokens, journal, attention=lambda _: None
        )
        found = check_box(
            lambda: f"It is good until {tokens.renew().expires_at:%Y-%m-%d %H:%M} UTC.",
            client,
            as_user=str(connection.settings.get("as_user", "")),
        )
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
        connection = self._whole(connection_id)
        if connection.provider != "box":
            raise InvalidInput(
                f"The connection {connection.id} is for {connection.provider}; choose one for Box."
            )
        connector = self._connector_of(connection)
        journal = self._calling.journal(connection.id, work_id, run_id)
        return self._calling.box(
            connection,
            connector.domains,
            self._calling.tokens(connection, connector, journal),
            journal,
            attention=lambda error: self._note(
                connection.id, ConnectionHealth.NEEDS_ATTENTION, error.message
            ),
        )

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


def _cleaned(
    connector: Connector,
    method: str,
    settings: Mapping[str, Any],
    secrets: Mapping[str, str],
    wrong: Mapping[str, str],
) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """What the connector makes of it. Raises InvalidInput, which names `wrong`, too."""
    try:
        checked, kept = connector.clean(method, settings, secrets)
    except InvalidInput as error:
        raise InvalidInput(fields={**wrong, **error.fields}) from None
    if wrong:
        raise InvalidInput(fields=wrong)
    return checked, kept


def _known(connector: Connector, method: str) -> tuple[set[str], set[str]]:
    """Keys of the method's settings and roles of its secrets; none if there is no such method."""
    for one in connector.methods:
        if one.name == method:
            return {item.key for item in one.settings}, {item.role for item in one.secrets}
    return set(), set()


def _id_problem(connection_id: str) -> dict[str, str]:
    if SOURCE_ID.fullmatch(connection_id):
        return {}
    return {
        "id": "must be 1 to 64 lower-case letters, digits and hyphens, with no hyphen at the ends"
    }


def _name_problem(name: str) -> dict[str, str]:
    if 1 <= len(name) <= MAX_NAME and name.isprintable() and name == name.strip():
        return {}
    return {"name": f"must be 1 to {MAX_NAME} printable characters, without blanks at the ends"}


def _secret_texts(secrets: Mapping[str, str]) -> list[SecretText]:
    return [SecretText(name=role, value=value) for role, value in secrets.items()]


def _differences(old: Connection, new: Connection, roles: set[str]) -> list[str]:
    """Paths of what changed; of secrets the names only."""
    fields = [key for key in ("name", "method") if getattr(old, key) != getattr(new, key)]
    keys = sorted(old.settings.keys() | new.settings.keys())
    fields += [f"settings.{key}" for key in keys if old.settings.get(key) != new.settings.get(key)]
    return fields + [f"secrets.{role}" for role in sorted(roles)]
