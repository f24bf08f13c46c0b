"""Lanes: of each (integration, entity), which work row is the next, and when it is due.

A lane's row is the lock of its entity: whoever adds work, or changes what waits or runs, holds it
first (`hold`, in one order of all lanes), then changes the work, and then lets the lane say what
is the next (`settle`). So a claim reads one row for each entity, whatever its backlog, and two
workers never start two rows of one entity. A lane without work is gone.

Locks on PostgreSQL: lanes, then work by (integration, key), and the counters last.
"""

import re
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from inkwire.errors import StoreError
from inkwire.model.work import Work
from inkwire.store import schema_acting as tables
from inkwire.store.acting_rows import WORK_COLUMNS, work_row
from inkwire.store.database import Database, one_of
from inkwire.store.intake import MAX_NAME
from inkwire.store.keepable import keepable

#: See `Work.key`.
_KEY = re.compile(r"[!-~]{1,200}")
#: (integration, entity).
Lane = tuple[int, str]

_HERE = "integration_id = :integration AND entity_key = :entity"
_MINE = (
    "work.integration_id = work_lanes.integration_id AND work.entity_key = work_lanes.entity_key"
)
#: An insert that does nothing but lock what is there; also if it is being deleted right now.
_HOLD = sa.text(
    "INSERT INTO work_lanes (integration_id, entity_key) VALUES (:integration, :entity) "
    "ON CONFLICT (integration_id, entity_key) DO UPDATE SET due_at = work_lanes.due_at"
)
_SETTLE = sa.text(
    "UPDATE work_lanes SET (work_id, due_at) = ("  # noqa: S608 - our own text
    f"SELECT id, due_at FROM work WHERE {_MINE} AND {tables.WAITS} "
    f"AND NOT EXISTS (SELECT 1 FROM work AS other WHERE {_MINE.replace('work.', 'other.')} "
    f"AND other.{tables.RUNS}) ORDER BY created_at, id LIMIT 1) WHERE {_HERE}"
)
_LEAVE = sa.text(
    f"DELETE FROM work_lanes WHERE {_HERE} AND work_id IS NULL "  # noqa: S608 - our own text
    f"AND NOT EXISTS (SELECT 1 FROM work WHERE {_MINE} AND {tables.RUNS})"
)


def hold(conn: sa.Connection, lanes: Iterable[Lane]) -> None:
    """Locks the lanes until the transaction ends, making those that are missing."""
    found = _values(lanes)
    if found:
        conn.execute(_HOLD, found)


def settle(conn: sa.Connection, lanes: Iterable[Lane]) -> None:
    """Lets lanes that are held say what is the next of each."""
    found = _values(lanes)
    if found:
        conn.execute(_SETTLE, found)
        conn.execute(_LEAVE, found)


def keep_work(database: Database, conn: sa.Connection, rows: Sequence[Work]) -> list[str]:
    """Keeps those whose (integration, key) is free, in the caller's transaction; their ids.

    The caller bumps WORK if any was kept, after all else that it locks. Raises StoreError for a
    row that is not keepable.
    """
    if not rows:
        return []
    if (wrong := unkeepable(rows)) is not None:
        raise StoreError(wrong)
    lanes = {(one.integration_id, one.entity_key) for one in rows}
    hold(conn, lanes)
    ids = [one.id for one in rows]
    before = _there(conn, ids)
    ordered = sorted(rows, key=lambda one: (one.integration_id, one.key))
    database.add_missing(conn, "work", WORK_COLUMNS, [work_row(one) for one in ordered])
    kept = _there(conn, ids) - before
    settle(conn, lanes)
    return [work_id for work_id in dict.fromkeys(ids) if work_id in kept]


def unkeepable(rows: Sequence[Work]) -> str | None:
    """Why one of the rows cannot be kept, in a sentence; None if all can."""
    for one in rows:
        texts = (one.id, one.workflow, one.entity_key, one.event_id, *one.subject.values())
        if not _KEY.fullmatch(one.key) or len(one.entity_key) > MAX_NAME or not keepable(*texts):
            return (
                f"{one.workflow} of int_{one.integration_id} made work with a key or an id that "
                "no store keeps; this is a fault of the integration, report it."
            )
    return None


def _there(conn: sa.Connection, ids: Sequence[str]) -> set[str]:
    column = tables.work.c.id
    return set(conn.scalars(sa.select(column).where(one_of(conn, column, ids))))


def _values(lanes: Iterable[Lane]) -> list[dict[str, object]]:
    return [{"integration": number, "entity": entity} for number, entity in sorted(set(lanes))]
