"""Requests for signatures at a vendor; `order_changes` adds and changes them."""

from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa

from inkwire.model.document import SignRequest, SignState
from inkwire.store import order_rows
from inkwire.store import schema_orders as tables
from inkwire.store.contract import MAX_PAGE, ORDER
from inkwire.store.database import Database, one_of
from inkwire.store.intake import clean

_requests = tables.sign_requests


class SqlSignRequests:
    """See `ordering.SignRequests`."""

    def __init__(self, database: Database) -> None:
        """Ids, states and times are plain; so is the signer's address, which finds the order."""
        self._database = database

    def get(self, sign_request_id: str) -> SignRequest | None:
        """One, or None."""
        found = self._all(sa.select(_requests).where(_requests.c.id == clean(sign_request_id)))
        return found[0] if found else None

    def of_order(self, order_id: str) -> list[SignRequest]:
        """Newest first, at most MAX_PAGE."""
        return self._all(_newest_first(_requests.c.order_id == clean(order_id)))

    def latest(self, order_ids: Collection[str]) -> Mapping[str, SignRequest]:
        """The newest request of each of these orders (≤ MAX_PAGE) that has one."""
        if not order_ids:
            return {}
        among = _requests.c.order_id.in_([clean(one) for one in order_ids])
        found = self._all(sa.select(_requests).where(among))  # an order has a few at most
        return {
            one.order_id: one for one in sorted(found, key=lambda one: (one.created_at, one.id))
        }

    def known(self, ids: Collection[str]) -> frozenset[str]:
        """Those of `ids` (≤ 1,000) that are kept here."""
        if not ids:
            return frozenset()
        with self._database.reading() as conn:
            wanted = one_of(conn, _requests.c.id, {clean(one) for one in ids})
            return frozenset(conn.scalars(sa.select(_requests.c.id).where(wanted)))

    def open_since(
        self, integration_id: int, order_id: str, states: Collection[SignState]
    ) -> list[SignRequest]:
        """An order's requests of one integration in one of these states, newest first."""
        return self._all(
            _newest_first(
                _requests.c.order_id == clean(order_id),
                _requests.c.integration_id == integration_id,
                _requests.c.state.in_([state.value for state in states]),
            )
        )

    def due(self, integration_id: int, *, now: datetime, limit: int) -> list[SignRequest]:
        """Those whose `next_check_at` has come, oldest first, at most MAX_PAGE."""
        return self._all(
            sa.select(_requests)
            .where(
                tables.IS_TO_BE_CHECKED,
                _requests.c.integration_id == integration_id,
                _requests.c.next_check_at <= now,
            )
            .order_by(_requests.c.next_check_at)
            .limit(max(0, min(limit, MAX_PAGE)))
        )

    def checked(
        self, sign_request_id: str, *, vendor_status: str, next_at: datetime | None, at: datetime
    ) -> None:
        """Notes that it was read, and when it is read again; `checks` + 1.

        Moves the counters only if the vendor's status is news. One that is gone stays gone, and
        one that is read no more stays so: its outcome came home while it was read.
        """
        here, status = _requests.c.id == clean(sign_request_id), clean(vendor_status)
        with self._database.writing() as conn:
            before = conn.execute(
                sa.select(_requests.c.vendor_status, _requests.c.next_check_at)
                .where(here)
                .with_for_update()
            ).one_or_none()
            if before is None:
                return
            conn.execute(
                _requests.update()
                .where(here)
                .values(
                    vendor_status=status,
                    next_check_at=None if before.next_check_at is None else next_at,
                    checks=_requests.c.checks + 1,
                    updated_at=at,
                )
            )
            if before.vendor_status != status:
                self._database.bump(conn, ORDER)

    def _all(self, wanted: sa.Select[tuple[object, ...]]) -> list[SignRequest]:
        with self._database.reading() as conn:
            return [order_rows.sign_request(row) for row in conn.execute(wanted)]


def _newest_first(*conditions: sa.ColumnElement[bool]) -> sa.Select[tuple[object, ...]]:
    return (
        sa.select(_requests)
        .where(*conditions)
        .order_by(_requests.c.created_at.desc(), _requests.c.id.desc())
        .limit(MAX_PAGE)
    )
