"""The outbox: publishing and sending again; its other parts stand apart.

`fanning` makes deliveries, `claims` leases them, `completion` records what came of them, and
`sent_log` reads.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from inkwire.clock import Clock
from inkwire.errors import Conflict
from inkwire.model.access import AuditEntry
from inkwire.model.message import (
    Claimed,
    Delivery,
    DeliveryState,
)
from inkwire.moments import to_micros
from inkwire.store import rows, sending_rows
from inkwire.store import schema_sending as tables
from inkwire.store.claims import Claims
from inkwire.store.completion import Completer
from inkwire.store.contract import DELIVERY
from inkwire.store.database import Database
from inkwire.store.fanning import FanOuts
from inkwire.store.idtime import IdTime
from inkwire.store.sealed_messages import seal_messages
from inkwire.store.seals import Seals
from inkwire.store.sending import (
    Completion,
    Fanned,
    Idempotency,
    NewMessage,
    Notice,
    Unfanned,
)
from inkwire.store.sending_rows import DELIVERY_COLUMNS, delivery_row
from inkwire.store.sent_log import SentLog, delivery_of, no_delivery
from inkwire.store.webhook_states import ENDED

_deliveries = tables.deliveries
_webhooks = tables.webhooks
_keys = tables.idempotency_keys


class SqlOutbox(SentLog):
    """See `sending.Outbox`; what it reads is in `sent_log`."""

    def __init__(
        self, database: Database, seals: Seals, clock: Clock, idtime: IdTime | None = None
    ) -> None:
        """`idtime`: bounds lists of a time by their ids too; None: by their times alone."""
        super().__init__(database, seals.cipher, idtime)
        self._seals = seals
        self._clock = clock
        self._fan_outs = FanOuts(database, seals.cipher, clock)
        self._completer = Completer(database, seals.cipher, clock)
        self._claims = Claims(database, seals.cipher, clock, self._completer)

    def publish(
        self, messages: Sequence[NewMessage], *, idempotency: Idempotency | None = None
    ) -> tuple[list[str], bool]:
        """Keeps messages durably. Raises Conflict, CipherError."""
        ids = [new.message.id for new in messages]
        sealed = seal_messages(self._seals.cipher, messages)
        key = None if idempotency is None else self._key(idempotency)
        with self._database.writing() as conn:
            if idempotency is not None and key is not None:
                before = self._used(conn, key, idempotency.request_hash, ids)
                if before != ids:
                    return before, False
            sealed.write(self._database, conn)
        return ids, True

    def _key(self, idempotency: Idempotency) -> bytes:
        return self._seals.hashes.idempotency(idempotency.scope, idempotency.key)

    def _used(
        self, conn: sa.Connection, key: bytes, request_hash: bytes, ids: list[str]
    ) -> list[str]:
        """The ids that the key stands for: `ids` if nobody used it before.

        Whoever adds the key first wins: PostgreSQL waits for another who is adding it right now,
        SQLite has one writer.
        """
        at = to_micros(self._clock.now())
        self._database.add_missing(
            conn,
            "idempotency_keys",
            ("key", "request_hash", "message_ids", "created_at"),
            [(key, request_hash, msgspec.json.encode(ids).decode(), at)],
        )
        row = conn.execute(
            sa.select(_keys.c.request_hash, _keys.c.message_ids).where(_keys.c.key == key)
        ).one()
        if row.request_hash != request_hash:
            raise Conflict(
                "This idempotency key was used for another request; use a new key for each "
                "request, and the same one only to repeat it.",
                code="idempotency_key_reused",
            )
        return list(row.message_ids)

    def fan_out(self, limit: int, work: Callable[[Sequence[Unfanned]], Sequence[Fanned]]) -> int:
        """See `fanning`."""
        return self._fan_outs.fan_out(limit, work)

    def claim(self, *, now: datetime, limit: int, share: int, lease_s: float) -> list[Claimed]:
        """See `claims`."""
        return self._claims.claim(now=now, limit=limit, share=share, lease_s=lease_s)

    def complete(self, done: Sequence[Completion], *, notice: Notice) -> list[bool]:
        """See `completion`."""
        return self._completer.complete(done, notice)

    def renew(self, claims: Sequence[Claimed], *, until: datetime) -> None:
        """See `claims`."""
        self._claims.renew(claims, until=until)

    def let_go(self, claims: Sequence[Claimed]) -> None:
        """See `claims`."""
        self._claims.let_go(claims)

    def waiting(self, now: datetime) -> tuple[int, datetime | None]:
        """See `claims`."""
        return self._claims.waiting(now)

    def resend(self, delivery_id: str, *, new_id: str, at: datetime, audit: AuditEntry) -> Delivery:
        """One that waits is due at once (one that is being sent stays), else a new delivery."""
        with self._database.writing() as conn:
            row = conn.execute(
                sa.select(*sending_rows.DELIVERY_FIELDS)
                .where(_deliveries.c.id == delivery_id)
                .with_for_update()
            ).one_or_none()
            if row is None:
                raise no_delivery(delivery_id)
            state = conn.scalar(
                sa.select(_webhooks.c.state).where(_webhooks.c.id == row.webhook_id)
            )
            if state is None or state in ENDED:
                raise Conflict(
                    f"Webhook {row.webhook_id} is {state or 'gone'}; activate it, then send again."
                )
            if row.state == DeliveryState.WAITING.value:
                sent = delivery_id
                if row.claimed_until is None or row.claimed_until <= at:
                    due = _deliveries.update().where(_deliveries.c.id == delivery_id)
                    conn.execute(due.values(due_at=at))
            else:
                sent = new_id
                again = delivery_row(
                    new_id,
                    row.message_id,
                    row.webhook_id,
                    application_id=row.application_id,
                    topic=row.topic,
                    at=to_micros(at),
                )
                self._database.insert(conn, "deliveries", DELIVERY_COLUMNS, [again])
            rows.add_audit(conn, audit)
            self._database.bump(conn, DELIVERY)
            return delivery_of(conn, sent, None)
