"""Mapped fields of folders and their records, and whether both sides agree."""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from inkwire.model.access import AuditEntry
from inkwire.model.crm import FieldAgreement, FieldState
from inkwire.store import crm_rows, rows
from inkwire.store import schema_crm as tables
from inkwire.store.contract import WORK
from inkwire.store.crm_lists import Condition, conditions, counts, page_size
from inkwire.store.database import Database, one_of
from inkwire.store.intake import clean
from inkwire.store.keepable import known

_fields = tables.field_states
_COLUMNS = crm_rows.FIELD_COLUMNS
_KEY = ("integration_id", "folder_id", "field")
_SETTERS = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in _KEY)
_PUT = sa.text(
    f"INSERT INTO field_states ({', '.join(_COLUMNS)}) "  # noqa: S608 - our own text
    f"VALUES ({', '.join(f':{name}' for name in _COLUMNS)}) "
    f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {_SETTERS}"
)


class SqlFieldStates:
    """See `crm.FieldStates`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_folder(self, integration_id: int, folder_id: str) -> list[FieldState]:
        """All of one folder, by field."""
        wanted = (
            sa.select(_fields).where(*_here(integration_id, folder_id)).order_by(_fields.c.field)
        )
        return self._all(wanted)

    def put(self, states: Sequence[FieldState], *, audit: AuditEntry | None = None) -> None:
        """Keeps each in place of one of the same integration, folder and field.

        `audit`: of a person who asked, kept even without rows.
        """
        if not states and audit is None:
            return
        # In one order always, so that two writers never wait for each other.
        ordered = sorted(states, key=lambda one: (one.integration_id, one.folder_id, one.field))
        values = [dict(zip(_COLUMNS, crm_rows.field_row(one), strict=True)) for one in ordered]
        with self._database.writing() as conn:
            if values:
                conn.execute(_PUT, values)
            if audit is not None:
                rows.add_audit(conn, audit)
            self._database.bump(conn, WORK)

    def forget(self, integration_id: int, folder_id: str, fields: Collection[str]) -> None:
        """Takes rows out, of fields that are no longer mapped."""
        if not fields:
            return
        with self._database.writing() as conn:
            conn.execute(
                _fields.delete().where(
                    *_here(integration_id, folder_id),
                    one_of(conn, _fields.c.field, {clean(one) for one in fields}),
                )
            )
            self._database.bump(conn, WORK)

    def page(
        self,
        *,
        integration_id: int | None = None,
        state: FieldAgreement | None = None,
        limit: int = 50,
    ) -> list[FieldState]:
        """At most `limit` (≤ MAX_PAGE) fields, newest change first."""
        where = conditions(
            (), ((_fields.c.state, state), (_fields.c.integration_id, integration_id))
        )
        order = (_fields.c.updated_at, *(_fields.c[name] for name in _KEY))
        return self._all(
            sa.select(_fields)
            .where(*where)
            .order_by(*(column.desc() for column in order))
            .limit(page_size(limit))
        )

    def counts(self, integration_id: int | None = None) -> Mapping[FieldAgreement, int]:
        """How many are in each state (each counted up to 10,000)."""
        with self._database.reading() as conn:
            return counts(conn, _fields, FieldAgreement, integration_id)

    def _all(self, wanted: sa.Select[tuple[object, ...]]) -> list[FieldState]:
        with self._database.reading() as conn:
            return [crm_rows.field_state(row) for row in conn.execute(wanted)]


def _here(integration_id: int, folder_id: str) -> tuple[Condition, Condition]:
    return (
        _fields.c.integration_id == known(integration_id),
        _fields.c.folder_id == clean(folder_id),
    )
