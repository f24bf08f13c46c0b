"""Heartbeats of workers."""

from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa

from inkwire.model.work import Executor
from inkwire.moments import to_micros
from inkwire.store import acting_rows
from inkwire.store import schema_acting as tables
from inkwire.store.database import Database
from inkwire.store.keepable import require_keepable

_executors = tables.executors


class SqlExecutors:
    """See `acting.Executors`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, executor: Executor) -> None:
        """Adds or renews the row of this executor."""
        require_keepable(executor.id, executor.host, executor.version)
        values = asdict(executor)
        first = (executor.id, executor.host, executor.version, *_times(executor))
        columns = ("id", "host", "version", "started_at", "beat_at")
        with self._database.writing() as conn:
            changed = conn.execute(
                _executors.update().where(_executors.c.id == executor.id).values(values)
            )
            if changed.rowcount == 0:
                self._database.add_missing(conn, "executors", columns, [first])

    def stop(self, executor_id: str, *, at: datetime) -> None:
        """Notes an orderly end."""
        require_keepable(executor_id)
        with self._database.writing() as conn:
            conn.execute(
                _executors.update().where(_executors.c.id == executor_id).values(stopped_at=at)
            )

    def all(self) -> list[Executor]:
        """Every executor, newest beat first."""
        wanted = sa.select(_executors).order_by(_executors.c.beat_at.desc(), _executors.c.id)
        with self._database.reading() as conn:
            return [acting_rows.executor(row) for row in conn.execute(wanted)]

    def forget(self, executor_id: str) -> None:
        """Removes a row whose work was taken over."""
        require_keepable(executor_id)
        with self._database.writing() as conn:
            conn.execute(_executors.delete().where(_executors.c.id == executor_id))


def _times(executor: Executor) -> tuple[int, int]:
    return to_micros(executor.started_at), to_micros(executor.beat_at)
