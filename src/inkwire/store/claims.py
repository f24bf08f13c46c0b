"""Leasing due deliveries, fairly.

A claimed delivery keeps waiting, but is due only when its lease ends, and its fence is one
greater: what a dead worker held comes due by itself, and what it says after that is not taken.

Which webhooks have something due is found by a loose index scan (from webhook to webhook, never
through their deliveries), so a claim costs the same with a million waiting. Webhooks take turns:
each call starts behind the one that the last call ended with, and deals out one delivery a turn.
Their health rows are locked meanwhile (SKIP LOCKED), so that caps hold across workers.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from inkwire.clock import Clock
from inkwire.errors import CipherError, StoreError
from inkwire.ids import SortableIds
from inkwire.model.message import (
    AttemptResult,
    Claimed,
    Decision,
    DeliveryState,
    Exchange,
)
from inkwire.model.webhook import WebhookState
from inkwire.moments import from_micros, to_micros
from inkwire.store import schema_sending as tables
from inkwire.store.breaker import Health
from inkwire.store.cipher import Cipher
from inkwire.store.claimed import Opener, PickedRow, RouteRow, Sealed, read_sealed
from inkwire.store.completion import Completer
from inkwire.store.contract import DELIVERY
from inkwire.store.database import Database, one_of
from inkwire.store.sending import Completion, NewMessage, WebhookChange
from inkwire.store.webhook_states import ENDED, HealthRows, cancel_waiting

#: Bytes of bodies that a claim opens at once, or one body that is larger by itself.
MAX_CLAIM_BYTES = 16 * 1024 * 1024
MAX_WAITING = 10_000
#: Webhooks looked at together: their health rows are locked together.
_MIN_PAGE, _MAX_PAGE = 16, 200
_LAST_ID = 2**63 - 1

#: Steps from webhook to webhook on ix_deliveries_due; only that index gives this order. It starts
#: behind `after` and ends with `upto`.
_STEPS = """\
WITH RECURSIVE step(id) AS (
  SELECT (SELECT webhook_id FROM deliveries WHERE state = 'waiting' AND webhook_id > :after
          ORDER BY webhook_id, due_at LIMIT 1)
  UNION ALL
  SELECT (SELECT webhook_id FROM deliveries WHERE state = 'waiting' AND webhook_id > step.id
          ORDER BY webhook_id, due_at LIMIT 1)
  FROM step WHERE step.id < :upto
)
"""
DUE_WEBHOOKS = sa.text(
    f"""{_STEPS}SELECT id FROM step WHERE id <= :upto AND (
  SELECT due_at FROM deliveries WHERE state = 'waiting' AND webhook_id = step.id
  ORDER BY due_at LIMIT 1) <= :now LIMIT :most"""  # noqa: S608 - our own text
)
#: Every webhook for which something waits: when its first is due, and its first after `now`.
WAITING_WEBHOOKS = sa.text(
    f"""{_STEPS}SELECT id,
  (SELECT due_at FROM deliveries WHERE state = 'waiting' AND webhook_id = step.id
   ORDER BY due_at LIMIT 1) AS first,
  (SELECT due_at FROM deliveries WHERE state = 'waiting' AND webhook_id = step.id
   AND due_at > :now ORDER BY due_at LIMIT 1) AS next
FROM step WHERE id IS NOT NULL"""  # noqa: S608 - our own text
)

_deliveries = tables.deliveries
#: Columns of `RouteRow`.
_ROUTES = (
    "SELECT id, application_id, address, profile, state, headers, rate_per_minute, max_in_flight "
    "FROM webhooks WHERE id = ANY (?)"
)
_IN_FLIGHT = (
    "SELECT webhook_id, count(*) FROM deliveries WHERE claimed_until IS NOT NULL "
    "AND webhook_id = ANY (?) AND claimed_until > ? GROUP BY webhook_id"
)
#: Columns of `PickedRow`.
_PICKED = (
    "SELECT d.id, d.message_id, d.webhook_id, d.application_id, d.topic, d.created_at, d.fence, "
    "d.attempts, d.first_attempt_at, d.last_attempt_at, d.last_result, d.last_status, "
    "coalesce(m.body_size, 0) FROM deliveries AS d "
    "LEFT JOIN messages AS m ON m.id = d.message_id WHERE d.id = ANY (?)"
)


@dataclass(frozen=True, slots=True)
class _Route:
    """A webhook that may get something now."""

    row: RouteRow
    health: Health
    room: int


class Claims:
    """Claims, and gives back."""

    def __init__(
        self, database: Database, cipher: Cipher, clock: Clock, completer: Completer
    ) -> None:
        """`completer` records what cannot be opened."""
        self._database = database
        self._cipher = cipher
        self._clock = clock
        self._completer = completer
        self._rows = HealthRows(database)
        self._ids = SortableIds(clock)
        #: The webhook that the last call ended with.
        self._last = 0

    def claim(self, *, now: datetime, limit: int, share: int, lease_s: float) -> list[Claimed]:
        """See `sending.Outbox.claim`."""
        if limit <= 0 or share <= 0:
            return []
        at, until = to_micros(now), to_micros(now + timedelta(seconds=lease_s))
        with self._database.writing() as conn:
            routes = self._routes(conn, at, limit, share)
            picked = self._pick(conn, routes, at, limit)
            if not picked:
                return []
            self._lease(conn, picked, until)
            self._charge(conn, routes, picked, at)
            webhooks = {webhook_id: route.row for webhook_id, route in routes.items()}
            sealed = read_sealed(self._database, conn, picked, webhooks, at)
            self._last = picked[-1].webhook_id
        return self._open(sealed, from_micros(until))

    def renew(self, claims: Sequence[Claimed], *, until: datetime) -> None:
        """See `sending.Outbox.renew`. Nobody hears of it: nothing comes due by that."""
        if not claims:
            return
        ends = to_micros(until)
        with self._database.writing() as conn:
            rows = [(one, ends, ends) for one in self._still_held(conn, claims)]
            self._database.update(conn, "deliveries", ("id", "due_at", "claimed_until"), rows)

    def let_go(self, claims: Sequence[Claimed]) -> None:
        """See `sending.Outbox.let_go`."""
        if not claims:
            return
        with self._database.writing() as conn:
            at = to_micros(self._clock.now())
            rows = [(one, at, None) for one in self._still_held(conn, claims)]
            self._database.update(conn, "deliveries", ("id", "due_at", "claimed_until"), rows)
            self._database.bump(conn, DELIVERY)

    def _still_held(self, conn: sa.Connection, claims: Sequence[Claimed]) -> list[str]:
        """Ids of the deliveries that nobody has claimed or recorded since; locked."""
        fences = {one.delivery.id: one.delivery.fence for one in claims}
        held = conn.execute(
            sa.select(_deliveries.c.id, _deliveries.c.fence)
            .where(
                one_of(conn, _deliveries.c.id, fences),
                tables.IS_CLAIMED,
                tables.IS_DUE_SOME_TIME,
            )
            .order_by(_deliveries.c.id)
            .with_for_update()
        )
        return [row.id for row in held if row.fence == fences[row.id]]

    def waiting(self, now: datetime) -> tuple[int, datetime | None]:
        """See `sending.Outbox.waiting`; what waits for a paused webhook is not counted.

        The moment: when a lease ends, a retry comes due, or what is due already passes a breaker
        or a rate.
        """
        at = to_micros(now)
        with self._database.reading() as conn:
            found = conn.execute(WAITING_WEBHOOKS, {"after": 0, "upto": _LAST_ID, "now": at}).all()
            ids = [row.id for row in found]
            routes = self._read_webhooks(conn, ids)
            health = self._rows.read(conn, ids)
            moments, due = [], []
            for row in found:
                route = routes.get(row.id)
                if route is not None and route.state == WebhookState.PAUSED.value:
                    continue
                if row.next is not None:
                    moments.append(row.next)
                if row.first <= at:
                    due.append(row.id)
                    rate = None if route is None else route.rate_per_minute
                    free = health.get(row.id, Health()).free_at(now=at, rate_per_minute=rate)
                    moments += [free] if free > at else []
            count = self._database.count_due(conn, due, at, MAX_WAITING)
        return count, from_micros(min(moments)) if moments else None

    # --- which webhooks, and how many of each

    def _routes(self, conn: sa.Connection, now: int, limit: int, share: int) -> dict[int, _Route]:
        """Webhooks that may get something, in turn; no more than can get one each."""
        routes: dict[int, _Route] = {}
        size = min(max(limit, _MIN_PAGE), _MAX_PAGE)
        for page in self._due_webhooks(conn, now, size):
            for route in self._with_room(conn, page, now, share):
                routes[route.row.id] = route
                if len(routes) == limit:
                    return routes
        return routes

    def _due_webhooks(self, conn: sa.Connection, now: int, size: int) -> Iterator[list[int]]:
        """Ids of webhooks with something due, once round from the one behind the last."""
        start = self._last
        for after, upto in ((start, _LAST_ID), (0, start)):
            while after < upto:
                values = {"after": after, "upto": upto, "now": now, "most": size}
                page = list(conn.scalars(DUE_WEBHOOKS, values))
                if page:
                    yield page
                if len(page) < size:
                    break
                after = page[-1]  # noqa: PLW2901 - the next page

    def _with_room(
        self, conn: sa.Connection, ids: list[int], now: int, share: int
    ) -> Iterator[_Route]:
        """Those of `ids` that may get something; what waits for ended ones is cancelled."""
        rows = self._read_webhooks(conn, ids)
        self._cancel(conn, [one for one in ids if one not in rows or rows[one].state in ENDED], now)
        active = [one for one in rows if rows[one].state == WebhookState.ACTIVE.value]
        health = self._rows.hold(conn, active, wait=False)
        in_flight = self._in_flight(conn, health, now)
        for webhook_id in ids:
            if webhook_id not in health:
                continue
            row = rows[webhook_id]
            room = health[webhook_id].room(
                now=now,
                in_flight=in_flight[webhook_id],
                max_in_flight=row.max_in_flight,
                rate_per_minute=row.rate_per_minute,
            )
            if room > 0:
                yield _Route(row, health[webhook_id], min(room, share))

    def _read_webhooks(self, conn: sa.Connection, ids: list[int]) -> dict[int, RouteRow]:
        return {row[0]: RouteRow._make(row) for row in self._database.rows(conn, _ROUTES, ids)}

    def _cancel(self, conn: sa.Connection, ids: Sequence[int], now: int) -> None:
        cancelled = sum(cancel_waiting(conn, webhook_id, now=now) for webhook_id in ids)
        if cancelled:
            self._database.bump(conn, DELIVERY)

    def _in_flight(self, conn: sa.Connection, ids: Iterable[int], now: int) -> Counter[int]:
        """Live leases by webhook."""
        return Counter(dict(self._database.rows(conn, _IN_FLIGHT, list(ids), now)))

    # --- which deliveries

    def _pick(
        self, conn: sa.Connection, routes: Mapping[int, _Route], now: int, limit: int
    ) -> list[PickedRow]:
        """Due deliveries with their messages: one of each webhook, then a second, up to `limit`."""
        rooms = [(webhook_id, min(route.room, limit)) for webhook_id, route in routes.items()]
        queues: dict[int, list[str]] = {}
        for webhook_id, delivery_id in self._database.due(conn, rooms, now):
            queues.setdefault(webhook_id, []).append(delivery_id)
        ids = _dealt([queues[one] for one in routes if one in queues], limit)
        found = self._database.rows(conn, _PICKED, ids) if ids else ()
        rows = {row[0]: PickedRow._make(row) for row in found}
        return _bounded([rows[one] for one in ids])

    def _lease(self, conn: sa.Connection, picked: Sequence[PickedRow], until: int) -> None:
        self._database.update(
            conn,
            "deliveries",
            ("id", "due_at", "claimed_until", "fence"),
            [(row.id, until, until, row.fence + 1) for row in picked],
        )

    def _charge(
        self,
        conn: sa.Connection,
        routes: Mapping[int, _Route],
        picked: Sequence[PickedRow],
        now: int,
    ) -> None:
        """Notes what was taken of those webhooks that have a rate."""
        charged: dict[int, Health] = {}
        for webhook_id, count in Counter(row.webhook_id for row in picked).items():
            route = routes[webhook_id]
            if route.row.rate_per_minute is not None:
                route.health.charge(count, now=now, rate_per_minute=route.row.rate_per_minute)
                charged[webhook_id] = route.health
        if charged:
            self._rows.write(conn, charged)

    # --- opening, after the transaction

    def _open(self, sealed: Sealed, until: datetime) -> list[Claimed]:
        """The claims opened; what does not open is given up, and holds up no other."""
        opener = Opener(self._cipher, sealed)
        claimed: list[Claimed] = []
        failed: list[Completion] = []
        for row in sealed.picked:
            try:
                claimed.append(opener.open(row, until))
            except CipherError as error:
                failed.append(self._given_up(row, sealed.routes[row.webhook_id].address, error))
        with suppress(StoreError):  # those come again when their leases end
            self._completer.complete(failed, _no_notice)
        return claimed

    def _given_up(self, row: PickedRow, address: str, error: CipherError) -> Completion:
        now = self._clock.now()
        return Completion(
            delivery_id=row.id,
            fence=row.fence + 1,
            attempt_id=self._ids.new("att"),
            address=address,
            exchange=Exchange(
                result=AttemptResult.INTERNAL,
                detail=f"Nothing was sent. {error.message} Then send the delivery again.",
                started_at=now,
                duration_s=0.0,
            ),
            decision=Decision(state=DeliveryState.EVICTED, reason=error.message),
        )


def _dealt(queues: Sequence[list[str]], limit: int) -> list[str]:
    """The first of each queue, then the second of each, up to `limit`."""
    dealt: list[str] = []
    turn = 0
    while len(dealt) < limit:
        some = [queue[turn] for queue in queues if turn < len(queue)]
        if not some:
            break
        dealt += some
        turn += 1
    return dealt[:limit]


def _bounded(picked: Sequence[PickedRow]) -> list[PickedRow]:
    """The first rows whose bodies come to MAX_CLAIM_BYTES, at least one."""
    taken: list[PickedRow] = []
    seen: set[str] = set()
    total = 0
    for row in picked:
        if row.message_id not in seen:
            seen.add(row.message_id)
            total += row.body_size
        if taken and total > MAX_CLAIM_BYTES:
            break
        taken.append(row)
    return taken


def _no_notice(change: WebhookChange) -> NewMessage:
    """What does not open is nobody's endpoint's fault, so there is nothing to tell."""
    raise AssertionError(change.kind)
