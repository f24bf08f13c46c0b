"""Reading events, receipts and rejections."""

import sqlalchemy as sa

from inkwire.errors import NotFound
from inkwire.model.event import Event, Term, TermKind
from inkwire.model.receipt import Receipt, Rejection
from inkwire.store import rows, schema
from inkwire.store.contract import MAX_PAGE, EventQuery, RejectionQuery
from inkwire.store.database import Database
from inkwire.store.idtime import IdTime
from inkwire.store.search import search

#: The types of a chatty sender must not fill a page's drop-down list.
MAX_TYPES = 1000
_events = schema.events


class SqlEvents:
    """See `contract.Events`."""

    def __init__(self, database: Database, idtime: IdTime) -> None:
        """`idtime` turns times into ids."""
        self._database = database
        self._idtime = idtime

    def page(self, query: EventQuery) -> list[Event]:
        """At most `query.limit` (≤ MAX_PAGE) events, newest first."""
        with self._database.reading() as conn:
            return search(conn, query, self._idtime)

    def get(self, event_id: str) -> Event:
        """One event. Raises NotFound."""
        with self._database.reading() as conn:
            row = conn.execute(
                sa.select(*rows.EVENT_FIELDS).where(_events.c.id == event_id)
            ).one_or_none()
        if row is None:
            raise NotFound(f"There is no event {event_id}.")
        return rows.event(row)

    def deliveries(self, event: Event) -> list[Event]:
        """All deliveries of the same event: the first and its duplicates, oldest first, ≤ 200."""
        first = event.duplicate_of or event.id
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(*rows.EVENT_FIELDS)
                .where(sa.or_(_events.c.id == first, _events.c.duplicate_of == first))
                .order_by(_events.c.id)
                .limit(MAX_PAGE)
            ).all()
        return [rows.event(row) for row in found]

    def of_receipt(self, receipt_id: str) -> list[Event]:
        """The events of one receipt, by position."""
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(*rows.EVENT_FIELDS)
                .where(_events.c.receipt_id == receipt_id)
                .order_by(_events.c.position)
            ).all()
        return [rows.event(row) for row in found]

    def receipt(self, receipt_id: str) -> Receipt:
        """One receipt, unopened. Raises NotFound."""
        with self._database.reading() as conn:
            row = conn.execute(
                sa.select(*rows.RECEIPT_FIELDS).where(schema.receipts.c.id == receipt_id)
            ).one_or_none()
        if row is None:
            raise NotFound(f"There is no receipt {receipt_id}.")
        return rows.receipt(row)

    def terms(self, event_id: str) -> list[Term]:
        """What the event can be found by, by kind and value."""
        table = schema.terms
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(table.c.kind, table.c.value)
                .where(table.c.event_id == event_id)
                .distinct()
                .order_by(table.c.kind, table.c.value)
            ).all()
        return [Term(kind=TermKind(row.kind), value=row.value) for row in found]

    def types(self) -> list[str]:
        """Event types seen so far, sorted."""
        column = schema.event_types.c.type
        with self._database.reading() as conn:
            return list(conn.scalars(sa.select(column).order_by(column).limit(MAX_TYPES)))

    def rejections(self, query: RejectionQuery) -> list[Rejection]:
        """The rejected log, newest first."""
        table = schema.rejections
        wanted = sa.select(table).order_by(table.c.id.desc()).limit(_limit(query.limit))
        if query.source_id is not None:
            wanted = wanted.where(table.c.source_id == query.source_id)
        if query.reason is not None:
            wanted = wanted.where(table.c.reason == query.reason.value)
        if query.before is not None:
            wanted = wanted.where(table.c.id < query.before)
        with self._database.reading() as conn:
            return [rows.rejection(row) for row in conn.execute(wanted)]

    def rejection(self, rejection_id: str) -> Rejection:
        """One rejected request. Raises NotFound."""
        table = schema.rejections
        with self._database.reading() as conn:
            row = conn.execute(sa.select(table).where(table.c.id == rejection_id)).one_or_none()
        if row is None:
            raise NotFound(
                f"There is no rejected request {rejection_id}; the log keeps the newest only."
            )
        return rows.rejection(row)


def _limit(wanted: int) -> int:
    return max(0, min(wanted, MAX_PAGE))
