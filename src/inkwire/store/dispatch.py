"""Handing stored events on, once each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from inkwire.clock import Clock
from inkwire.errors import CipherError, Conflict, NotFound
from inkwire.model.access import AuditEntry
from inkwire.model.event import HANDED_ON, Event, EventState, Term, TermKind
from inkwire.model.receipt import OpenedReceipt
from inkwire.providers.payload import MAX_TERMS, fold
from inkwire.store import rows, schema, schema_sending
from inkwire.store.cipher import Cipher
from inkwire.store.contract import DISPATCHED, EVENT, WORK, Dispatched, Undispatched
from inkwire.store.database import Database, one_of
from inkwire.store.inbound import open_row, opened_fields
from inkwire.store.intake import clean
from inkwire.store.sealed_messages import SealedMessages, seal_messages
from inkwire.store.terms import TermRow, TermWriter
from inkwire.store.work_lanes import keep_work, unkeepable

MAX_TAKE = 100
#: Bytes of bodies that a take opens at once, or one body that is larger by itself.
MAX_TAKE_BYTES = 16 * 1024 * 1024
MAX_BACKLOG = 10_000
#: Candidates read for each event taken, so that several processes find unlocked ones.
_SHARE = 4

_GONE = "Its receipt is not in the store. Restore it from a backup, then dispatch it again."

_events = schema.events


class SqlDispatch:
    """See `contract.Dispatch`."""

    def __init__(self, database: Database, cipher: Cipher, terms: TermWriter, clock: Clock) -> None:
        """`clock` gives `dispatched_at`."""
        self._terms = terms
        self._database = database
        self._cipher = cipher
        self._clock = clock

    def take(
        self, limit: int, work: Callable[[Sequence[Undispatched]], Sequence[Dispatched]]
    ) -> int:
        """Gives waiting events to `work`, oldest first, and keeps what it returns.

        An event whose receipt does not open is noted as failed and holds up no other. PostgreSQL
        locks the events and holds its transaction open around `work`. SQLite must not keep others
        from writing for so long: it reads, works, and then writes about the events that still
        wait.
        """
        limit = max(0, min(limit, MAX_TAKE))
        if self._database.locks_rows:
            with self._database.writing() as conn:
                waiting, failed = self._waiting(conn, limit)
                done = failed + _done(work, waiting)
                return self._keep(conn, done, self._seal(done))
        with self._database.reading() as conn:
            waiting, failed = self._waiting(conn, limit)
        done = failed + _done(work, waiting)
        if not done:
            return 0
        sealed = self._seal(done)
        with self._database.writing() as conn:
            return self._keep(conn, done, sealed)

    def again(self, event_id: str, *, audit: AuditEntry) -> None:
        """Puts an event back to waiting; of duplicates only conflicts, which hold another body.

        Raises NotFound, Conflict if it may not be dispatched.
        """
        with self._database.writing() as conn:
            changed = conn.execute(
                _events.update()
                .where(
                    _events.c.id == event_id,
                    sa.or_(
                        _events.c.state.in_([state.value for state in HANDED_ON]),
                        sa.and_(_events.c.state == EventState.DUPLICATE.value, _events.c.conflict),
                    ),
                )
                .values(dispatched_at=None, dispatch_error=None)
            )
            if changed.rowcount == 0:
                self._refuse(conn, event_id)
            conn.execute(schema.terms.delete().where(schema.terms.c.event_id == event_id))
            rows.add_audit(conn, audit)
            self._database.bump(conn, EVENT)

    def backlog(self) -> int:
        """How many events wait (counted up to 10,000)."""
        with self._database.reading() as conn:
            return len(_candidates(conn, MAX_BACKLOG))

    def _refuse(self, conn: sa.Connection, event_id: str) -> None:
        state = conn.scalar(sa.select(_events.c.state).where(_events.c.id == event_id))
        if state is None:
            raise NotFound(f"There is no event {event_id}.")
        kind = EventState(state).value.replace("_", " ")
        raise Conflict(f"Event {event_id} is {kind}; only new events and conflicts are dispatched.")

    def _waiting(
        self, conn: sa.Connection, limit: int
    ) -> tuple[list[Undispatched], list[tuple[Event, Dispatched]]]:
        """Waiting events, opened; and those that do not open, with a sentence that says why."""
        share = _SHARE if self._database.locks_rows else 1
        ids = self._database.keep_waiting(conn, _candidates(conn, limit * share), limit)
        if not ids:
            return [], []
        found = conn.execute(
            sa.select(*rows.EVENT_FIELDS)
            .where(one_of(conn, _events.c.id, ids))
            .order_by(_events.c.id)
        )
        events = _bounded(conn, [rows.event(row) for row in found])
        receipts = self._open(conn, {event.receipt_id for event in events})
        waiting, failed = [], []
        for event in events:
            opened = receipts.get(event.receipt_id, _GONE)
            if isinstance(opened, str):
                failed.append((event, Dispatched(event_id=event.id, error=opened)))
            else:
                receipt, canonical = opened
                waiting.append(Undispatched(event=event, opened=receipt, canonical=canonical))
        return waiting, failed

    def _open(
        self, conn: sa.Connection, ids: set[str]
    ) -> dict[str, tuple[OpenedReceipt, bytes | None] | str]:
        """Receipts with their canonical text, or why one does not open; by id, if it is there."""
        opened: dict[str, tuple[OpenedReceipt, bytes | None] | str] = {}
        for row in conn.execute(opened_fields().where(one_of(conn, schema.receipts.c.id, ids))):
            try:
                opened[row.id] = open_row(row, self._cipher)
            except CipherError as error:
                opened[row.id] = (
                    f"Its receipt {row.id} does not open. {error.message} Then dispatch it again."
                )
        return opened

    def _seal(self, done: Sequence[tuple[Event, Dispatched]]) -> dict[str, SealedMessages]:
        """The messages of each event that has any, as rows."""
        return {
            event.id: seal_messages(self._cipher, found.messages)
            for event, found in done
            if found.messages
        }

    def _keep(
        self,
        conn: sa.Connection,
        done: Sequence[tuple[Event, Dispatched]],
        sealed: Mapping[str, SealedMessages],
    ) -> int:
        """Notes what was found for the events that still wait; returns how many those were."""
        ids = [event.id for event, _ in done]
        still = set(
            conn.scalars(
                sa.select(_events.c.id).where(one_of(conn, _events.c.id, ids), schema.IS_WAITING)
            )
            if ids
            else ()
        )
        done = [(event, found) for event, found in done if event.id in still]
        if not done:
            return 0
        self._mark(conn, done)
        types = sorted({(event.type,) for event, _ in done})
        self._database.add_missing(conn, "event_types", ("type",), types)
        self._terms.add(
            conn, (row for event, found in done for row in _term_rows(event, found.terms))
        )
        kept = keep_work(self._database, conn, [one for _, found in done for one in found.work])
        messages = [sealed[event.id] for event, _ in done if event.id in sealed]
        if messages:
            joined = SealedMessages.joined(messages)
            joined.without(_forwarded(conn, list(sealed))).write(self._database, conn)
        self._database.bump(conn, DISPATCHED, *([WORK] if kept else []))
        return len(done)

    def _mark(self, conn: sa.Connection, done: Sequence[tuple[Event, Dispatched]]) -> None:
        """One statement for all that went well, and one for each that did not."""
        update = _events.update().values(dispatched_at=self._clock.now(), dispatch_error=None)
        well = [event.id for event, found in done if found.error is None]
        conn.execute(update.where(one_of(conn, _events.c.id, well)))
        for event, found in done:
            if found.error is not None:
                conn.execute(
                    update.where(_events.c.id == event.id).values(dispatch_error=clean(found.error))
                )


def _done(
    work: Callable[[Sequence[Undispatched]], Sequence[Dispatched]],
    waiting: Sequence[Undispatched],
) -> list[tuple[Event, Dispatched]]:
    """What `work` returned for the events that it was given."""
    if not waiting:
        return []
    events = {item.event.id: item.event for item in waiting}
    return [
        (events[found.event_id], _checked(found))
        for found in work(waiting)
        if found.event_id in events
    ]


def _checked(found: Dispatched) -> Dispatched:
    """Work that cannot be kept is an error of its event: it holds up no other."""
    wrong = unkeepable(found.work)
    return found if wrong is None else replace(found, work=(), error=wrong)


def _bounded(conn: sa.Connection, events: Sequence[Event]) -> list[Event]:
    """The first events whose bodies come to MAX_TAKE_BYTES, at least one."""
    table = schema.receipts
    wanted = {event.receipt_id for event in events}
    found = conn.execute(
        sa.select(table.c.id, table.c.body_size).where(one_of(conn, table.c.id, wanted))
    )
    sizes = {row.id: row.body_size for row in found}
    taken: list[Event] = []
    total = 0
    for event in events:
        total += sizes.pop(event.receipt_id, 0)  # the events of one body share it
        if taken and total > MAX_TAKE_BYTES:
            break
        taken.append(event)
    return taken


def _forwarded(conn: sa.Connection, event_ids: Sequence[str]) -> set[tuple[str, str]]:
    """(event, application) that have their message: an event dispatched again makes no other."""
    table = schema_sending.messages
    found = conn.execute(
        sa.select(table.c.event_id, table.c.application_id).where(
            one_of(conn, table.c.event_id, event_ids)
        )
    )
    return {(row.event_id, row.application_id) for row in found}


def _term_rows(event: Event, terms: Sequence[Term]) -> list[TermRow]:
    found = [(fold(term.value), event.id, term.kind.value) for term in terms[:MAX_TERMS]]
    if event.entity_key is not None:
        found.append((fold(event.entity_key), event.id, TermKind.ENTITY.value))
    return found


def _candidates(conn: sa.Connection, limit: int) -> list[str]:
    """Ids of waiting events whose source is not paused, oldest first.

    Goes source by source, so that a paused source's backlog is never read.
    """
    paused = set(conn.scalars(sa.select(schema.sources.c.id).where(schema.sources.c.paused)))
    found: list[str] = []
    for source_id in _waiting_sources(conn):
        if source_id not in paused:
            found += conn.scalars(
                sa.select(_events.c.id)
                .where(schema.IS_WAITING, _events.c.source_id == source_id)
                .order_by(_events.c.id)
                .limit(limit)
            )
    return sorted(found)[:limit]


def _waiting_sources(conn: sa.Connection) -> list[str]:
    """Sources with waiting events: one index look-up for each."""
    found: list[str] = []
    source_id = ""
    while True:
        following = conn.scalar(
            sa.select(_events.c.source_id)
            .where(schema.IS_WAITING, _events.c.source_id > source_id)
            .order_by(_events.c.source_id)
            .limit(1)
        )
        if following is None:
            return found
        source_id = following
        found.append(source_id)
