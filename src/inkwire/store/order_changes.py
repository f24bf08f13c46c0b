"""What one happening changes about an order, in one transaction.

The order's row is locked first (SQLite: there is one writer), so changes of one order follow one
another: the chain of its evidence has one next link, a name for `once` is used once, and whoever
read an older version is told so.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from inkwire.errors import Conflict, NotFound, StoreError
from inkwire.model.document import EvidenceItem, SignState
from inkwire.model.evidence import chained
from inkwire.model.order import Order
from inkwire.store import order_rows, rows
from inkwire.store import schema_orders as tables
from inkwire.store.cipher import Cipher
from inkwire.store.contract import ORDER, WORK
from inkwire.store.database import Database, one_of
from inkwire.store.faults import Violated
from inkwire.store.intake import clean
from inkwire.store.ordering import NewDocument, OrderChange
from inkwire.store.schema_sending import messages
from inkwire.store.sealed_messages import SealedMessages, seal_messages
from inkwire.store.work_lanes import keep_work

_orders = tables.orders
_changes = tables.order_changes
_statuses = tables.order_statuses
_links = tables.evidence_links
_documents = tables.documents
_requests = tables.sign_requests
_OPEN = SignState.OPEN.value
#: What a sign request keeps for good.
_FIXED = ("id", "integration_id", "order_id", "created_at")


class OrderWriter:
    """Adds orders and applies changes."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        """`cipher` seals orders and messages, outside the transactions."""
        self._database = database
        self._cipher = cipher

    def add(self, order: Order, change: OrderChange) -> None:
        """Keeps a new order with its change. Raises Conflict if the number is taken."""
        _require_one_order(replace(change, order=order))
        row = order_rows.sealed_order(self._cipher, order)
        sealed = seal_messages(self._cipher, change.messages)
        try:
            with self._database.writing() as conn:
                _require_status(conn, order.status)
                conn.execute(_orders.insert().values(row))
                if change.once is not None:
                    _note_once(conn, change.order_id, change.once)
                self._keep(conn, change, sealed)
        except Violated:
            self._refuse_taken(order)
            raise

    def apply(self, change: OrderChange) -> bool:
        """See `ordering.Orders.apply`."""
        _require_one_order(change)
        order = change.order
        row = None if order is None else order_rows.sealed_order(self._cipher, order)
        sealed = seal_messages(self._cipher, change.messages)
        try:
            with self._database.writing() as conn:
                before = _locked(conn, change.order_id)
                if change.once is not None and not _note_once(conn, change.order_id, change.once):
                    return False
                if row is not None:
                    _replace_order(conn, before, row)
                self._keep(conn, change, sealed)
        except Violated:
            if order is not None:
                self._refuse_taken(order)
            raise
        return True

    def _keep(self, conn: sa.Connection, change: OrderChange, sealed: SealedMessages) -> None:
        """All but the order's row; the counters come last."""
        if change.lines:
            conn.execute(
                tables.order_lines.insert(), [order_rows.line_row(line) for line in change.lines]
            )
        _extend_chain(conn, change.order_id, change.evidence)
        _add_documents(conn, change.order_id, change.documents)
        if change.sign_request is not None:
            _put_sign_request(conn, order_rows.sign_request_row(change.sign_request))
        if change.audit is not None:
            rows.add_audit(conn, change.audit)
        made = keep_work(self._database, conn, change.work)
        _unsent(conn, sealed).write(self._database, conn)
        self._database.bump(conn, ORDER, *([WORK] if made else ()))

    def _refuse_taken(self, order: Order) -> None:
        """Raises Conflict if another order has the number."""
        with self._database.reading() as conn:
            taken = conn.scalar(
                sa.select(_orders.c.id).where(
                    _orders.c.number == order.number, tables.NOT_DELETED, _orders.c.id != order.id
                )
            )
        if taken is not None and order.deleted_at is None:
            raise Conflict(
                f"There is an order {order.number} already; choose another number, or change "
                "that order.",
                code="order_number_taken",
            ) from None


def _require_one_order(change: OrderChange) -> None:
    """A change that speaks of two orders is a defect of its maker, and would mix their proofs."""
    named = {line.order_id for line in change.lines}
    named |= {new.document.order_id for new in change.documents}
    named |= {change.order.id} if change.order else set()
    named |= {change.sign_request.order_id} if change.sign_request else set()
    if others := named - {change.order_id}:
        raise StoreError(
            f"A change of order {change.order_id} names {', '.join(sorted(others))} too; make one "
            "change for each order."
        )


def _locked(conn: sa.Connection, order_id: str) -> Any:
    """The order's plain columns; nobody else changes it until the end. Raises NotFound."""
    row = conn.execute(
        sa.select(_orders.c.version, _orders.c.status)
        .where(_orders.c.id == clean(order_id))
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no order {order_id}.")
    return row


def _note_once(conn: sa.Connection, order_id: str, once: str) -> bool:
    """False if it was noted before."""
    here = sa.and_(_changes.c.order_id == order_id, _changes.c.once == once)
    if conn.scalar(sa.select(_changes.c.once).where(here)) is not None:
        return False
    conn.execute(_changes.insert().values(order_id=order_id, once=once))
    return True


def _replace_order(conn: sa.Connection, before: Any, row: dict[str, Any]) -> None:
    if before.version != row["version"] - 1:
        raise Conflict(
            "The order was changed by somebody else meanwhile; read it again and decide anew.",
            code="order_changed",
        )
    if before.status != row["status"]:
        _require_status(conn, row["status"])
    conn.execute(_orders.update().where(_orders.c.id == row["id"]).values(row))


def _require_status(conn: sa.Connection, code: str) -> None:
    """Refuses a status that was taken away meanwhile; a store without statuses knows none.

    Reading the table holds `set_statuses` of other processes off until the end.
    """
    codes = set(conn.scalars(sa.select(_statuses.c.code)))
    if codes and code not in codes:
        raise Conflict(
            f"There is no status {code} any more; choose one of {', '.join(sorted(codes))}.",
            code="status_gone",
        )


def _extend_chain(conn: sa.Connection, order_id: str, items: Sequence[EvidenceItem]) -> None:
    if not items:
        return
    last = conn.execute(
        sa.select(_links)
        .where(_links.c.order_id == order_id)
        .order_by(_links.c.seq.desc())
        .limit(1)
    ).one_or_none()
    before = None if last is None else order_rows.link(last)
    for item in items:
        before = chained(order_id, before, order_rows.as_kept(item))
        conn.execute(_links.insert().values(order_rows.link_row(before)))


def _add_documents(conn: sa.Connection, order_id: str, new: Sequence[NewDocument]) -> None:
    """Those whose origin is free."""
    origins = [one.document.origin for one in new]
    kept = set(
        conn.scalars(
            sa.select(_documents.c.origin).where(
                _documents.c.order_id == order_id, one_of(conn, _documents.c.origin, origins)
            )
        )
        if new
        else ()
    )
    for one in new:
        if one.document.origin in kept:
            continue
        if not one.data_key:
            raise StoreError(
                f"Document {one.document.id} comes without its key and is not kept yet; seal it "
                "again."
            )
        conn.execute(
            _documents.insert().values(order_rows.document_row(one.document, one.data_key))
        )
        kept.add(one.document.origin)


def _put_sign_request(conn: sa.Connection, row: dict[str, Any]) -> None:
    """Adds or replaces; who it belongs to stays, and what has ended is not opened again."""
    kept = conn.execute(
        sa.select(_requests.c.order_id, _requests.c.state).where(_requests.c.id == row["id"])
    ).one_or_none()
    if kept is None:
        conn.execute(_requests.insert().values(row))
    elif kept.order_id != row["order_id"]:
        raise Conflict(
            f"Sign request {row['id']} belongs to order {kept.order_id}; look there for its "
            "outcome.",
            code="sign_request_taken",
        )
    elif kept.state == _OPEN or row["state"] != _OPEN:
        changed = {name: value for name, value in row.items() if name not in _FIXED}
        conn.execute(_requests.update().where(_requests.c.id == row["id"]).values(changed))


def _unsent(conn: sa.Connection, sealed: SealedMessages) -> SealedMessages:
    """Those messages whose id is free, with their deliveries."""
    if not sealed.messages:
        return sealed
    ids = [row[0] for row in sealed.messages]
    kept = set(conn.scalars(sa.select(messages.c.id).where(one_of(conn, messages.c.id, ids))))
    return SealedMessages(
        [row for row in sealed.messages if row[0] not in kept],
        [row for row in sealed.deliveries if row[1] not in kept],
    )
