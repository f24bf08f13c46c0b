"""Making the deliveries of messages, once each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from inkwire.clock import Clock
from inkwire.errors import CipherError
from inkwire.ids import SortableIds
from inkwire.model.message import Message
from inkwire.model.webhook import Webhook, WebhookState
from inkwire.moments import to_micros
from inkwire.store import schema_sending as tables
from inkwire.store import sending_rows
from inkwire.store.cipher import Cipher
from inkwire.store.contract import DELIVERY
from inkwire.store.database import Database, one_of
from inkwire.store.rows import Row
from inkwire.store.sealed_messages import BODY_FIELDS, open_message_body
from inkwire.store.sending import Fanned, Unfanned
from inkwire.store.sending_rows import DELIVERY_COLUMNS, delivery_row

#: Bytes of bodies that a fan-out opens at once, or one body that is larger by itself.
MAX_FAN_OUT_BYTES = 16 * 1024 * 1024

_messages = tables.messages
_webhooks = tables.webhooks
_UNFANNED = (
    sa.select(*sending_rows.MESSAGE_FIELDS)
    .where(tables.IS_UNFANNED)
    .order_by(_messages.c.id)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
)
_STILL = "SELECT id FROM messages WHERE id = ANY (?) AND fanned_at IS NULL ORDER BY id"
_HEARS = (WebhookState.ACTIVE.value, WebhookState.PAUSED.value)


class FanOuts:
    """Fans messages out."""

    def __init__(self, database: Database, cipher: Cipher, clock: Clock) -> None:
        """`clock` tells when the deliveries were made."""
        self._database = database
        self._cipher = cipher
        self._clock = clock
        self._ids = SortableIds(clock)

    def fan_out(self, limit: int, work: Callable[[Sequence[Unfanned]], Sequence[Fanned]]) -> int:
        """Gives messages without deliveries to `work`, oldest first, and keeps what it returns.

        The webhooks come without their keys. A message whose body does not open goes to all of
        its webhooks: its deliveries then tell of it. PostgreSQL locks the messages and holds its
        transaction open around `work`; SQLite reads, works, then writes about those that still
        wait, so that others can write meanwhile.
        """
        if limit <= 0:
            return 0
        if self._database.locks_rows:
            with self._database.writing() as conn:
                waiting, broken = self._unfanned(conn, limit)
                return self._keep(conn, [*waiting, *broken], self._work(work, waiting, broken))
        with self._database.reading() as conn:
            waiting, broken = self._unfanned(conn, limit)
        if not waiting and not broken:
            return 0
        fanned = self._work(work, waiting, broken)
        with self._database.writing() as conn:
            return self._keep(conn, [*waiting, *broken], fanned)

    def _unfanned(self, conn: sa.Connection, limit: int) -> tuple[list[Unfanned], list[Unfanned]]:
        """Waiting messages with their webhooks; and those whose body a filter needs but is shut."""
        found = conn.execute(_UNFANNED, {"most": limit})
        messages = [sending_rows.message(row) for row in found]
        webhooks = self._hearing(conn, messages)
        wanted, taken = _bounded(messages, webhooks)
        sealed = self._sealed_bodies(conn, wanted)
        waiting: list[Unfanned] = []
        broken: list[Unfanned] = []
        for message in taken:
            hearing = webhooks.get((message.application_id, message.topic), ())
            try:
                body = (
                    open_message_body(self._cipher, sealed[message.id])
                    if message.id in wanted
                    else None
                )
                waiting.append(Unfanned(message=message, webhooks=hearing, body=body))
            except CipherError:
                broken.append(Unfanned(message=message, webhooks=hearing, body=None))
        return waiting, broken

    def _hearing(
        self, conn: sa.Connection, messages: Sequence[Message]
    ) -> dict[tuple[str, str], tuple[Webhook, ...]]:
        """Active and paused webhooks by (application, topic)."""
        if not messages:
            return {}
        found = conn.execute(
            sa.select(*sending_rows.WEBHOOK_FIELDS)
            .where(
                one_of(conn, _webhooks.c.topic, {one.topic for one in messages}),
                one_of(conn, _webhooks.c.application_id, {one.application_id for one in messages}),
                _webhooks.c.state.in_(_HEARS),
            )
            .order_by(_webhooks.c.id)
        )
        webhooks: dict[tuple[str, str], tuple[Webhook, ...]] = {}
        for row in found:
            key = (row.application_id, row.topic)
            webhooks[key] = (*webhooks.get(key, ()), sending_rows.webhook(row))
        return webhooks

    def _sealed_bodies(self, conn: sa.Connection, ids: set[str]) -> dict[str, Row]:
        if not ids:
            return {}
        found = conn.execute(BODY_FIELDS.where(one_of(conn, _messages.c.id, ids)))
        return {row.id: row for row in found}

    def _work(
        self,
        work: Callable[[Sequence[Unfanned]], Sequence[Fanned]],
        waiting: Sequence[Unfanned],
        broken: Sequence[Unfanned],
    ) -> list[Fanned]:
        fanned = list(work(waiting)) if waiting else []
        for item in broken:
            to_all = tuple([(self._ids.new("dlv"), webhook.id) for webhook in item.webhooks])
            fanned.append(Fanned(message_id=item.message.id, deliveries=to_all))
        return fanned

    def _keep(
        self, conn: sa.Connection, given: Sequence[Unfanned], fanned: Sequence[Fanned]
    ) -> int:
        """Makes the deliveries of messages that still wait; returns how many those were."""
        items = {item.message.id: item for item in given}
        wanted = {one.message_id: one for one in fanned if one.message_id in items}
        still = [row[0] for row in self._database.rows(conn, _STILL, list(wanted))]
        if not still:
            return 0
        at = to_micros(self._clock.now())
        self._database.update(
            conn, "messages", ("id", "fanned_at"), [(message_id, at) for message_id in still]
        )
        self._database.insert(
            conn,
            "deliveries",
            DELIVERY_COLUMNS,
            [
                row
                for message_id in still
                for row in _delivery_rows(items[message_id], wanted[message_id], at)
            ],
        )
        self._database.bump(conn, DELIVERY)
        return len(still)


def _bounded(
    messages: Sequence[Message], webhooks: Mapping[tuple[str, str], Sequence[Webhook]]
) -> tuple[set[str], list[Message]]:
    """Ids of messages whose body a filter needs, and the messages up to MAX_FAN_OUT_BYTES of it."""
    wanted: set[str] = set()
    taken: list[Message] = []
    total = 0
    for message in messages:
        hearing = webhooks.get((message.application_id, message.topic), ())
        if any(webhook.filters for webhook in hearing):
            total += message.body_size
            if wanted and total > MAX_FAN_OUT_BYTES:
                break
            wanted.add(message.id)
        taken.append(message)
    return wanted, taken


def _delivery_rows(item: Unfanned, fanned: Fanned, at: int) -> list[tuple[Any, ...]]:
    """One for each webhook that was offered; another application's is none of them."""
    message, offered = item.message, {webhook.id for webhook in item.webhooks}
    return [
        delivery_row(
            delivery_id,
            message.id,
            webhook_id,
            application_id=message.application_id,
            topic=message.topic,
            at=at,
        )
        for delivery_id, webhook_id in fanned.deliveries
        if webhook_id in offered
    ]
