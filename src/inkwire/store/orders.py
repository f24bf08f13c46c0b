"""Orders, their statuses and timelines; how they change is in `order_changes`."""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from inkwire.errors import Conflict, NotFound
from inkwire.model.access import AuditEntry
from inkwire.model.order import Order, OrderStatus, TimelineLine
from inkwire.providers.payload import fold
from inkwire.store import order_rows, rows
from inkwire.store import schema_orders as tables
from inkwire.store.cipher import Cipher
from inkwire.store.contract import CONFIG, MAX_PAGE
from inkwire.store.database import Database
from inkwire.store.intake import clean
from inkwire.store.keepable import require_keepable
from inkwire.store.order_changes import OrderWriter
from inkwire.store.ordering import OrderChange, OrderQuery
from inkwire.store.search import after_prefix

_orders = tables.orders
_statuses = tables.order_statuses
_lines = tables.order_lines
_requests = tables.sign_requests


class SqlOrders:
    """See `ordering.Orders`."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        """`cipher` seals what an order holds."""
        self._database = database
        self._cipher = cipher
        self._writer = OrderWriter(database, cipher)

    def statuses(self) -> list[OrderStatus]:
        """The site's statuses, by position."""
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(_statuses).order_by(_statuses.c.position, _statuses.c.code)
            )
            return [order_rows.status(row) for row in found]

    def set_statuses(self, statuses: Sequence[OrderStatus], *, audit: AuditEntry) -> None:
        """Replaces all. Raises Conflict if an order is in one that would be gone."""
        values = [_status_values(status) for status in statuses]
        with self._database.writing() as conn:
            if self._database.locks_rows:  # waits for those who put an order into a status
                conn.execute(sa.text("LOCK TABLE order_statuses IN ACCESS EXCLUSIVE MODE"))
            _require_none_left(_counts(conn), {status.code for status in statuses})
            conn.execute(_statuses.delete())
            if values:
                conn.execute(_statuses.insert(), values)
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG)

    def page(self, query: OrderQuery) -> list[Order]:
        """At most `query.limit` (≤ MAX_PAGE) orders that are not deleted, newest first.

        Of one whose content does not open, only what is plain is there; `get` says why.
        """
        wanted = (
            sa.select(_orders)
            .where(*_conditions(query))
            .order_by(_orders.c.id.desc())
            .limit(max(0, min(query.limit, MAX_PAGE)))
        )
        with self._database.reading() as conn:
            found = conn.execute(wanted).all()
        return [order_rows.listed_order(self._cipher, row) for row in found]

    def get(self, order_id: str) -> Order:
        """One order, a deleted one too. Raises NotFound, CipherError."""
        found = self._one(_orders.c.id == clean(order_id))
        if found is None:
            raise NotFound(f"There is no order {order_id}.")
        return found

    def by_number(self, number: str) -> Order | None:
        """The order of that number that is not deleted. Raises CipherError."""
        return self._one(sa.and_(_orders.c.number == clean(number), tables.NOT_DELETED))

    def numbers(self, order_ids: Collection[str]) -> Mapping[str, str]:
        """The numbers of those orders (≤ MAX_PAGE) that are there, deleted ones too."""
        if not order_ids:
            return {}
        among = _orders.c.id.in_([clean(one) for one in order_ids])
        with self._database.reading() as conn:
            found = conn.execute(sa.select(_orders.c.id, _orders.c.number).where(among))
            return {row.id: row.number for row in found}

    def add(self, order: Order, change: OrderChange) -> None:
        """Keeps a new order with its change.

        Raises Conflict if the number is taken (code `order_number_taken`) or the site took its
        status away (code `status_gone`).
        """
        self._writer.add(order, change)

    def apply(self, change: OrderChange) -> bool:
        """Applies a change, whole or not at all; False if `once` was there already.

        Raises NotFound, and Conflict as `add` does, and if the order was changed since (code
        `order_changed`) or the sign request is another order's (code `sign_request_taken`).
        """
        return self._writer.apply(change)

    def timeline(
        self, order_id: str, *, before: str | None = None, limit: int = 200
    ) -> list[TimelineLine]:
        """Lines, newest first, at most MAX_PAGE."""
        wanted = (
            sa.select(_lines)
            .where(_lines.c.order_id == clean(order_id))
            .order_by(_lines.c.id.desc())
            .limit(max(0, min(limit, MAX_PAGE)))
        )
        if before is not None:
            wanted = wanted.where(_lines.c.id < clean(before))
        with self._database.reading() as conn:
            return [order_rows.line(row) for row in conn.execute(wanted)]

    def count_by_status(self) -> Mapping[str, int]:
        """How many orders that are not deleted are in each status."""
        with self._database.reading() as conn:
            return _counts(conn)

    def _one(self, where: sa.ColumnElement[bool]) -> Order | None:
        with self._database.reading() as conn:
            row = conn.execute(sa.select(_orders).where(where)).one_or_none()
        return None if row is None else order_rows.opened_order(self._cipher, row)


def _status_values(status: OrderStatus) -> dict[str, object]:
    require_keepable(status.code, status.name, *status.transitions)
    return {
        "code": status.code,
        "name": status.name,
        "transitions": status.transitions,
        "terminal": status.terminal,
        "position": status.position,
    }


def _counts(conn: sa.Connection) -> dict[str, int]:
    found = conn.execute(
        sa.select(_orders.c.status, sa.func.count())
        .where(tables.NOT_DELETED)
        .group_by(_orders.c.status)
    )
    return {row[0]: int(row[1]) for row in found}


def _require_none_left(counts: Mapping[str, int], codes: set[str]) -> None:
    left = {code: count for code, count in sorted(counts.items()) if code not in codes}
    if not left:
        return
    named = ", ".join(f"{code} ({_orders_of(count)})" for code, count in left.items())
    raise Conflict(
        f"Orders are still in a status that would be gone: {named}. Move them to another status "
        "first, or keep it.",
        code="status_in_use",
    )


def _orders_of(count: int) -> str:
    return f"{count} order" if count == 1 else f"{count} orders"


def _conditions(query: OrderQuery) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = [tables.NOT_DELETED]
    if query.before is not None:
        where.append(_orders.c.id < clean(query.before))
    if query.after is not None:
        where.append(_orders.c.id > clean(query.after))
    if query.status is not None:
        where.append(_orders.c.status == clean(query.status))
    if query.waiting:
        waiting = sa.select(_requests.c.order_id).where(tables.IS_OPEN)
        where.append(_orders.c.id.in_(waiting))
    if query.text and fold(query.text):
        where.append(_orders.c.id.in_(_having(query.text)))
    return where


def _having(text: str) -> sa.CompoundSelect[str]:
    """Ids of orders with a term of that prefix, or of that id or sign-request id.

    Each part is one range or one key of an index.
    """
    prefix, whole = fold(text), clean(text.strip())
    within = [
        sa.select(_orders.c.id).where(
            column >= prefix, column < after_prefix(prefix), tables.NOT_DELETED
        )
        for column in (_orders.c.number_term, _orders.c.name_term, _orders.c.email_term)
    ]
    return sa.union(
        *within,
        sa.select(_orders.c.id).where(_orders.c.id == whole),
        sa.select(_requests.c.order_id).where(_requests.c.id == whole),
    )
