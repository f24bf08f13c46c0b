"""What the tests of acting are written with: integrations, work, and workers that race."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any, TypeVar

import sqlalchemy as sa

from contract.store_kit import Hub
from inkwire.model.connection import Connection, ConnectionHealth, Token
from inkwire.model.work import (
    Integration,
    IntegrationState,
    LedgerEntry,
    LedgerState,
    ParkCause,
    Work,
    WorkState,
)
from inkwire.store.acting import Ending, SecretText
from inkwire.store.contract import Store

T = TypeVar("T")
ME = "worker-1"


@dataclass
class Acting:
    """Acts through one hub's store."""

    hub: Hub
    _count: int = 0

    @property
    def store(self) -> Store:
        return self.hub.store

    @property
    def now(self) -> datetime:
        return self.hub.clock.now()

    @property
    def database(self) -> Any:
        return self.hub.store._database

    def after(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)

    def connection(self, connection_id: str = "box-main", **fields: Any) -> Connection:
        """A kept connection with a secret."""
        values: dict[str, Any] = {
            "id": connection_id,
            "provider": "box",
            "name": "Box",
            "method": "ccg",
            "settings": {"client_id": "abc"},
            "created_at": self.now,
            "updated_at": self.now,
            **fields,
        }
        secrets = [SecretText(name="client_secret", value="s3cret")]
        self.store.connections.add(Connection(**values), secrets, audit=self.hub.audit())
        return self.store.connections.get(connection_id)

    def integration(self, **fields: Any) -> Integration:
        """A kept integration, ACTIVE unless told otherwise."""
        values: dict[str, Any] = {
            "id": 0,
            "kind": "box_sign_orders",
            "name": "Orders",
            "state": IntegrationState.ACTIVE,
            "settings": {"folder": "Orders"},
            "connection_id": None,
            "source_ids": ("box",),
            "created_at": self.now,
            "updated_at": self.now,
            **fields,
        }
        return self.store.integrations.add(Integration(**values), audit=self.hub.audit())

    def put_integration(self, one: Integration) -> Integration:
        """Updates what was read last."""
        expected = self.store.integrations.get(one.id).updated_at
        return self.store.integrations.update(one, expected=expected, audit=self.hub.audit())

    def health(self, health: ConnectionHealth, connection_id: str = "box-main") -> bool:
        return self.store.connections.set_health(connection_id, health, "", at=self.now)

    def token(self, access: str = "t0ken", **fields: Any) -> Token:
        return Token(access=access, expires_at=self.after(3600), **fields)

    def work(self, integration_id: int = 1, entity: str = "order:1", **fields: Any) -> Work:
        """A work row that is not kept yet; due at once, of a key of its own."""
        self._count += 1
        values: dict[str, Any] = {
            "id": self.hub.ids.new("wrk"),
            "integration_id": integration_id,
            "key": f"key-{self._count}",
            "workflow": "request_signature",
            "entity_key": entity,
            "due_at": self.now,
            "created_at": self.now,
            **fields,
        }
        return Work(**values)

    def add(self, integration_id: int = 1, *entities: str, **fields: Any) -> list[str]:
        """Keeps one row for each entity, in that order; returns their ids."""
        made = [self.work(integration_id, entity, **fields) for entity in entities or ["order:1"]]
        kept = self.store.works.add(made)
        assert kept == [one.id for one in made]
        return kept

    def claim(self, limit: int = 100, *, by: str = ME, store: Store | None = None) -> list[str]:
        """Ids of the rows that were claimed."""
        works = (store or self.store).works
        return [one.id for one in works.claim(executor_id=by, now=self.now, limit=limit)]

    def end(
        self,
        work_id: str,
        state: WorkState = WorkState.DONE,
        cause: ParkCause | None = None,
        **fields: Any,
    ) -> bool:
        """Ends the row's run as it runs now."""
        ending = Ending(state=state, note=fields.pop("note", "So."), park_cause=cause, **fields)
        number = self.store.works.get(work_id).run_number
        return self.store.works.end(work_id, run_number=number, ending=ending, at=self.now)

    def dead(self, work_id: str) -> None:
        """Claims the row, which must be the next, and gives it up."""
        assert work_id in self.claim()
        assert self.end(work_id, WorkState.DEAD)

    def state(self, work_id: str) -> tuple[WorkState, int]:
        """State and run number."""
        found = self.store.works.get(work_id)
        return found.state, found.run_number

    def entry(self, key: str = "sign_request/x/y", **fields: Any) -> LedgerEntry:
        values: dict[str, Any] = {
            "key": key,
            "kind": "sign_request",
            "integration_id": 1,
            "work_id": "wrk_1",
            "entity_key": "order:1",
            "state": LedgerState.INTENDED,
            "fence": 0,
            "updated_at": self.now,
            **fields,
        }
        return LedgerEntry(**values)

    def intend(self, key: str = "sign_request/x/y", **fields: Any) -> LedgerEntry:
        return self.store.ledger.intend(self.entry(key, **fields))

    def moved(self, call: Callable[[], object]) -> set[str]:
        """Topics whose counters a call moves."""
        before = self.store.counters()
        call()
        after = self.store.counters()
        return {topic for topic in after if after[topic] != before[topic]}

    @contextmanager
    def stores(self, count: int) -> Iterator[list[Store]]:
        """Other store objects on the same database, as other processes have them."""
        with ExitStack() as stack:
            yield [stack.enter_context(closing(self.hub.open())) for _ in range(count)]

    def raw(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Adds rows as they lie in the table."""
        with self.database.writing() as conn:
            self.database.insert(conn, table, columns, rows)

    def plans(self, call: Callable[[], object]) -> list[str]:
        """How the dialect runs each statement of a call, by its own statistics."""
        said: list[tuple[str, Any]] = []

        def hear(_conn: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
            if statement.split(maxsplit=1)[0] in ("SELECT", "UPDATE", "DELETE"):
                said.append((statement, values[0] if isinstance(values, list) else values))

        engines = {self.database.engine, getattr(self.database, "_writers", self.database.engine)}
        for engine in engines:
            sa.event.listen(engine, "before_cursor_execute", hear)
        call()
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", hear)
        explain = "EXPLAIN QUERY PLAN " if self.hub.dialect == "sqlite" else "EXPLAIN "
        with self.database.engine.connect() as conn:
            return [
                f"{statement}\n"
                + "\n".join(
                    str(row[-1]) for row in conn.exec_driver_sql(explain + statement, values)
                )
                for statement, values in said
            ]


def race(calls: Sequence[Callable[[], T]]) -> list[T]:
    """What the calls return, all begun at the same moment."""
    gate = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        gate.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result() for done in [pool.submit(run, call) for call in calls]]
