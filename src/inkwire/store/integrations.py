"""Integrations: configured business processes, numbered from 1."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from inkwire.errors import Conflict, NotFound
from inkwire.model.access import AuditEntry
from inkwire.model.work import Integration
from inkwire.store import acting_rows, rows
from inkwire.store import schema_acting as tables
from inkwire.store.connections import missing_connection
from inkwire.store.contract import CONFIG, WORK
from inkwire.store.database import Database
from inkwire.store.keepable import known, require_keepable

_integrations = tables.integrations
_connections = tables.connections
_NUMBER = sa.text(
    "INSERT INTO numbers (name, value) VALUES ('integration', 1) "
    "ON CONFLICT (name) DO UPDATE SET value = numbers.value + 1 RETURNING value"
)


class SqlIntegrations:
    """See `acting.Integrations`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Integration]:
        """Every integration, by number."""
        wanted = sa.select(_integrations).order_by(_integrations.c.id)
        with self._database.reading() as conn:
            return [acting_rows.integration(row) for row in conn.execute(wanted)]

    def get(self, integration_id: int) -> Integration:
        """One integration. Raises NotFound."""
        with self._database.reading() as conn:
            return _one(conn, integration_id)

    def add(self, integration: Integration, *, audit: AuditEntry) -> Integration:
        """Numbers and keeps it. Raises NotFound if a connection of it is not there."""
        require_keepable(integration.kind, integration.name)
        with self._database.writing() as conn:
            _require_connections(conn, integration)
            number = int(conn.execute(_NUMBER).scalar_one())
            conn.execute(
                _integrations.insert().values(
                    id=number,
                    kind=integration.kind,
                    remote=integration.remote,
                    created_at=integration.created_at,
                    **_changeable(integration),
                )
            )
            made = _one(conn, number)
            rows.add_audit(conn, replace(audit, target=made.label))
            self._database.bump(conn, CONFIG, WORK)
            return made

    def update(
        self, integration: Integration, *, expected: datetime, audit: AuditEntry
    ) -> Integration:
        """Replaces name, state, settings, connections and sources. Raises NotFound, Conflict."""
        require_keepable(integration.name)
        with self._database.writing() as conn:
            _one(conn, integration.id)
            _require_connections(conn, integration)
            changed = conn.execute(
                _integrations.update()
                .where(_integrations.c.id == integration.id, _integrations.c.updated_at == expected)
                .values(_changeable(integration))
            )
            if changed.rowcount == 0:
                raise Conflict(f"{integration.label} was changed meanwhile; read it again.")
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG, WORK)
            return _one(conn, integration.id)

    def set_remote(self, integration_id: int, remote: Mapping[str, str]) -> Integration:
        """Merges into `remote`; an empty value removes its key. Raises NotFound."""
        with self._database.writing() as conn:
            held = _one(conn, integration_id, lock=True)  # two at once take turns
            merged = {key: value for key, value in {**held.remote, **remote}.items() if value}
            if merged == held.remote:
                return held
            conn.execute(
                _integrations.update()
                .where(_integrations.c.id == integration_id)
                .values(remote=merged)
            )
            self._database.bump(conn, CONFIG)
            return replace(held, remote=merged)


def _changeable(integration: Integration) -> dict[str, object]:
    return {
        "name": integration.name,
        "state": integration.state.value,
        "settings": integration.settings,
        "connection_id": integration.connection_id,
        "second_connection_id": integration.second_connection_id,
        "source_ids": integration.source_ids,
        "updated_at": integration.updated_at,
    }


def _require_connections(conn: sa.Connection, integration: Integration) -> None:
    """Raises NotFound if one is not there; locked so that nobody deletes it meanwhile."""
    named = (integration.connection_id, integration.second_connection_id)
    for connection_id in sorted(one for one in named if one is not None):
        require_keepable(connection_id)
        wanted = sa.select(_connections.c.id).where(_connections.c.id == connection_id)
        if conn.scalar(wanted.with_for_update(read=True)) is None:
            raise missing_connection(connection_id)


def _one(conn: sa.Connection, integration_id: int, *, lock: bool = False) -> Integration:
    wanted = sa.select(_integrations).where(_integrations.c.id == known(integration_id))
    row = conn.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise NotFound(f"There is no integration int_{integration_id}.")
    return acting_rows.integration(row)
