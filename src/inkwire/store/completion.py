"""What came of claimed deliveries: attempts, deliveries, health and webhooks in one transaction.

Locks are taken in one order: webhooks (only if one may end), deliveries by id, health by webhook.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from inkwire.clock import Clock
from inkwire.model.message import DeliveryState
from inkwire.model.webhook import WebhookState
from inkwire.moments import from_micros, to_micros
from inkwire.store import schema_sending as tables
from inkwire.store import sending_rows
from inkwire.store.breaker import Health
from inkwire.store.cipher import Cipher
from inkwire.store.contract import ATTEMPT, CONFIG, DELIVERY
from inkwire.store.database import Database, one_of, one_of_numbers
from inkwire.store.intake import clean
from inkwire.store.sealed_attempts import seal_attempt
from inkwire.store.sealed_messages import seal_messages
from inkwire.store.sending import Completion, NewMessage, Notice, WebhookChange
from inkwire.store.webhook_states import ENDED, HealthRows, cancel_waiting

#: Webhooks on these topics hear of others; nobody hears of them, or it would never end.
OPERATIONAL = "webhook."

_ATTEMPT_COLUMNS = (
    "id",
    "delivery_id",
    "fence",
    "webhook_id",
    "application_id",
    "number",
    "address",
    "remote",
    "result",
    "status",
    "detail",
    "started_at",
    "duration_us",
    "connect_us",
    "head_us",
    "data_key",
    "sealed",
)
_DELIVERY_COLUMNS = (
    "id",
    "state",
    "due_at",
    "claimed_until",
    "attempts",
    "first_attempt_at",
    "last_attempt_at",
    "last_result",
    "last_status",
    "done_at",
)
_deliveries = tables.deliveries
_webhooks = tables.webhooks
_HELD = (
    "SELECT id, fence, webhook_id, application_id, attempts, first_attempt_at FROM deliveries "
    "WHERE id = ANY (?) AND state = 'waiting' AND claimed_until IS NOT NULL "
    "ORDER BY id FOR UPDATE"
)
_Told = tuple[int, str, str]


class _Held(NamedTuple):
    """A claimed delivery, as `_HELD` finds it."""

    id: str
    fence: int
    webhook_id: int
    application_id: str
    attempts: int
    #: Microseconds.
    first_attempt_at: int | None


@dataclass(slots=True)
class _Batch:
    """The completions that count, with the rows of their deliveries, and what they changed."""

    now: int
    taken: list[tuple[Completion, _Held]]
    health: dict[int, Health] = field(default_factory=dict)
    #: (webhook id, kind, reason), in order.
    told: list[_Told] = field(default_factory=list)


class Completer:
    """Records completions."""

    def __init__(self, database: Database, cipher: Cipher, clock: Clock) -> None:
        """`clock` tells when it was recorded, and from when a breaker is open."""
        self._database = database
        self._cipher = cipher
        self._clock = clock
        self._rows = HealthRows(database)

    def complete(self, done: Sequence[Completion], notice: Notice) -> list[bool]:
        """See `sending.Outbox.complete`."""
        if not done:
            return []
        sealed = [seal_attempt(self._cipher, one.attempt_id, one.exchange) for one in done]
        with self._database.writing() as conn:
            if any(one.decision.webhook_state is not None for one in done):
                self._lock_webhooks(conn, done)
            rows = self._held(conn, done)
            kept = [_take(one, rows) for one in done]
            taken = [(one, row) for one, row in zip(done, kept, strict=True) if row is not None]
            if taken:
                parts = [part for part, row in zip(sealed, kept, strict=True) if row is not None]
                self._keep(conn, _Batch(to_micros(self._clock.now()), taken), parts, notice)
        return [row is not None for row in kept]

    def _keep(
        self,
        conn: sa.Connection,
        batch: _Batch,
        sealed: Sequence[tuple[bytes, bytes]],
        notice: Notice,
    ) -> None:
        self._database.insert(
            conn,
            "attempts",
            _ATTEMPT_COLUMNS,
            [
                _attempt_row(one, row) + part
                for (one, row), part in zip(batch.taken, sealed, strict=True)
            ],
        )
        self._database.update(
            conn,
            "deliveries",
            _DELIVERY_COLUMNS,
            [_delivery_row(one, row, batch.now) for one, row in batch.taken],
        )
        self._note_health(conn, batch)
        self._end_webhooks(conn, batch)
        self._tell(conn, batch, notice)
        self._database.bump(conn, ATTEMPT, DELIVERY)

    def _lock_webhooks(self, conn: sa.Connection, done: Sequence[Completion]) -> None:
        """The webhooks that may end, before anything else is locked."""
        ids = [one.delivery_id for one in done if one.decision.webhook_state is not None]
        mine = sa.select(_deliveries.c.webhook_id).where(one_of(conn, _deliveries.c.id, ids))
        conn.execute(
            sa.select(_webhooks.c.id)
            .where(_webhooks.c.id.in_(mine))
            .order_by(_webhooks.c.id)
            .with_for_update()
        ).all()

    def _held(self, conn: sa.Connection, done: Sequence[Completion]) -> dict[str, _Held]:
        """The claimed deliveries, by id."""
        ids = [one.delivery_id for one in done]
        return {row[0]: _Held._make(row) for row in self._database.rows(conn, _HELD, ids)}

    def _note_health(self, conn: sa.Connection, batch: _Batch) -> None:
        """One row for each webhook, whatever the number of its attempts."""
        batch.health = self._rows.hold(conn, (row.webhook_id for _, row in batch.taken), wait=True)
        for one, row in batch.taken:
            exchange = one.exchange
            kind = batch.health[row.webhook_id].note(
                exchange.result, ended=_ended(one), now=batch.now
            )
            if kind is not None:
                batch.told.append((row.webhook_id, kind, exchange.detail))
        self._rows.write(conn, batch.health)

    def _end_webhooks(self, conn: sa.Connection, batch: _Batch) -> None:
        """Disables or deletes where a decision says so, and nothing succeeded meanwhile."""
        ended = set()
        for one, row in batch.taken:
            state = one.decision.webhook_state
            if state is None or _is_spared(one, batch.health[row.webhook_id]):
                continue
            if self._end(conn, row.webhook_id, one, state, batch.now):
                ended.add(row.webhook_id)
                batch.told.append((row.webhook_id, state.value, one.decision.reason))
        for webhook_id in sorted(ended):
            cancel_waiting(conn, webhook_id, now=batch.now)
        if ended:
            self._database.bump(conn, CONFIG)

    def _end(
        self, conn: sa.Connection, webhook_id: int, one: Completion, state: WebhookState, now: int
    ) -> bool:
        at = from_micros(now)
        changed = conn.execute(
            _webhooks.update()
            .where(
                _webhooks.c.id == webhook_id,
                _webhooks.c.state.not_in(ENDED),
                # What an old address answered says nothing about the one that took its place.
                _webhooks.c.address == clean(one.address),
            )
            .values(
                state=state.value,
                state_reason=clean(one.decision.reason),
                state_changed_at=at,
                updated_at=at,
            )
        )
        return changed.rowcount == 1

    def _tell(self, conn: sa.Connection, batch: _Batch, notice: Notice) -> None:
        """Keeps the operational messages."""
        if not batch.told:
            return
        fields = sa.select(*sending_rows.WEBHOOK_FIELDS).where(
            one_of_numbers(conn, _webhooks.c.id, {told[0] for told in batch.told})
        )
        webhooks = {row.id: sending_rows.webhook(row) for row in conn.execute(fields)}
        messages: list[NewMessage] = []
        for webhook_id, kind, reason in batch.told:
            webhook = webhooks.get(webhook_id)
            if webhook is not None and not webhook.topic.startswith(OPERATIONAL):
                change = WebhookChange(
                    kind=kind,
                    webhook=webhook,
                    reason=reason,
                    failures=batch.health[webhook_id].failures,
                    at=from_micros(batch.now),
                )
                messages.append(notice(change))
        seal_messages(self._cipher, messages).write(self._database, conn)


def _take(one: Completion, rows: dict[str, _Held]) -> _Held | None:
    """The delivery's row if this completion's claim still holds it; only the first one's does."""
    row = rows.get(one.delivery_id)
    if row is None or row.fence != one.fence:
        return None
    return rows.pop(one.delivery_id)


def _is_spared(one: Completion, health: Health) -> bool:
    since = one.decision.unless_success_since
    return (
        since is not None
        and health.last_success_at is not None
        and health.last_success_at >= to_micros(since)
    )


def _ended(one: Completion) -> int:
    return to_micros(one.exchange.started_at) + int(one.exchange.duration_s * 1e6)


def _attempt_row(one: Completion, row: _Held) -> tuple[Any, ...]:
    exchange = one.exchange
    return (
        one.attempt_id,
        one.delivery_id,
        one.fence,
        row.webhook_id,
        row.application_id,
        row.attempts + 1,
        clean(one.address),
        exchange.remote,
        exchange.result.value,
        exchange.status,
        clean(exchange.detail),
        to_micros(exchange.started_at),
        int(exchange.duration_s * 1e6),
        None if exchange.connect_s is None else int(exchange.connect_s * 1e6),
        None if exchange.head_s is None else int(exchange.head_s * 1e6),
    )


def _delivery_row(one: Completion, row: _Held, now: int) -> tuple[Any, ...]:
    exchange, decision = one.exchange, one.decision
    started = to_micros(exchange.started_at)
    waits = decision.state is DeliveryState.WAITING
    due = to_micros(decision.due_at) if waits and decision.due_at is not None else started
    return (
        one.delivery_id,
        decision.state.value,
        due,
        None,
        row.attempts + 1,
        started if row.first_attempt_at is None else row.first_attempt_at,
        started,
        exchange.result.value,
        exchange.status,
        None if waits else now,
    )
