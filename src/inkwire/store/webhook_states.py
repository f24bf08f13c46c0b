"""Rows of webhooks as sending changes them: health, state, and what waits for one that ended."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from inkwire.model.message import DeliveryState
from inkwire.model.webhook import WebhookState
from inkwire.moments import from_micros
from inkwire.store import schema_sending as tables
from inkwire.store.breaker import Health
from inkwire.store.database import Database

ENDED = (WebhookState.DISABLED.value, WebhookState.DELETED.value)
#: Deliveries cancelled in one transaction; those that are left are met by the next claim.
CANCEL_STEP = 500

_HEALTH_COLUMNS = (
    "webhook_id",
    "failures",
    "last_success_at",
    "last_failure_at",
    "breaker_until",
    "breaker_opens",
    "rate_at",
)
_deliveries = tables.deliveries
_SELECT_HEALTH = (
    f"SELECT {', '.join(_HEALTH_COLUMNS)} FROM webhook_health "  # noqa: S608 - our own text
    "WHERE webhook_id = ANY (?) ORDER BY webhook_id"
)


@dataclass(frozen=True, slots=True)
class HealthRows:
    """Health by webhook, locked until the transaction ends."""

    database: Database

    def hold(
        self, conn: sa.Connection, webhook_ids: Iterable[int], *, wait: bool
    ) -> dict[int, Health]:
        """The health of these webhooks, made if missing; without `wait` only what is not locked.

        Locks are taken in the order of the ids, so that two transactions never wait in a circle.
        """
        ids = sorted(set(webhook_ids))
        if not ids:
            return {}
        found = self._read(conn, ids, wait=wait)
        missing = [one for one in ids if one not in found]
        if missing:
            self.database.add_missing(
                conn,
                "webhook_health",
                ("webhook_id", "failures", "breaker_opens"),
                [(one, 0, 0) for one in missing],
            )
            found |= self._read(conn, missing, wait=wait)
        return found

    def read(self, conn: sa.Connection, webhook_ids: Sequence[int]) -> dict[int, Health]:
        """What there is, unlocked."""
        found = self.database.rows(conn, _SELECT_HEALTH, list(webhook_ids))
        return {row[0]: Health(*row[1:]) for row in found}

    def write(self, conn: sa.Connection, changed: Mapping[int, Health]) -> None:
        """Keeps what was changed of rows that are held."""
        self.database.update(
            conn,
            "webhook_health",
            _HEALTH_COLUMNS,
            [
                (
                    webhook_id,
                    health.failures,
                    health.last_success_at,
                    health.last_failure_at,
                    health.breaker_until,
                    health.breaker_opens,
                    health.rate_at,
                )
                for webhook_id, health in sorted(changed.items())
            ],
        )

    def _read(self, conn: sa.Connection, ids: list[int], *, wait: bool) -> dict[int, Health]:
        held = _SELECT_HEALTH + (" FOR UPDATE" if wait else " FOR UPDATE SKIP LOCKED")
        return {row[0]: Health(*row[1:]) for row in self.database.rows(conn, held, ids)}


def cancel_waiting(conn: sa.Connection, webhook_id: int, *, now: int) -> int:
    """Cancels up to CANCEL_STEP deliveries that wait for an ended webhook; returns how many.

    What is being sent stays: its attempt is recorded, and it is cancelled when met again.
    """
    some = (
        sa.select(_deliveries.c.id)
        .where(
            tables.IS_DUE_SOME_TIME,
            _deliveries.c.webhook_id == webhook_id,
            sa.or_(
                _deliveries.c.claimed_until.is_(None),
                _deliveries.c.claimed_until <= sa.literal(now, sa.BigInteger()),
            ),
        )
        .order_by(_deliveries.c.due_at)
        .limit(CANCEL_STEP)
        .with_for_update(skip_locked=True)
    )
    changed = conn.execute(
        _deliveries.update()
        .where(_deliveries.c.id.in_(some))
        .values(
            state=DeliveryState.CANCELLED.value,
            claimed_until=None,
            done_at=from_micros(now),
        )
    )
    return changed.rowcount
