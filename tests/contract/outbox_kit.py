"""What the outbox's tests are written with: webhooks, messages, and what comes of their claims."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from contract.store_kit import Hub
from inkwire.model.message import (
    AttemptResult,
    Claimed,
    Decision,
    Delivery,
    DeliveryState,
    Exchange,
    Message,
    MessageOrigin,
)
from inkwire.model.webhook import WebhookHealth, WebhookState
from inkwire.store import schema_sending as tables
from inkwire.store.cipher import place
from inkwire.store.contract import Store
from inkwire.store.jobs import SqlJobs
from inkwire.store.sending import Completion, Fanned, NewMessage, Unfanned, WebhookChange

APP = "app_1"
TOPIC = "orders/created"
KEY = b"0123456789abcdef01234567"


@dataclass
class Desk:
    """Sends through one hub's store, and keeps the notices it was told of."""

    hub: Hub
    told: list[WebhookChange] = field(default_factory=list)
    _numbers: int = 100_000

    @property
    def outbox(self) -> Any:
        return self.hub.store.outbox

    @property
    def database(self) -> Any:
        return self.hub.store._database

    @property
    def jobs(self) -> SqlJobs:
        return SqlJobs(self.database)

    def webhook(self, **fields: Any) -> int:
        """A webhook with one key and one header of its own; returns its number."""
        self._numbers += 1
        number = fields.pop("id", self._numbers)
        cipher, now = self.outbox._seals.cipher, self.hub.clock.now()
        headers = cipher.wrap(
            msgspec.msgpack.encode((("X-Own", "mine"),)), place("webhooks", str(number), "headers")
        )
        values: dict[str, Any] = {
            "id": number,
            "application_id": APP,
            "topic": TOPIC,
            "address": f"https://example.com/{number}",
            "profile": "standard",
            "state": WebhookState.ACTIVE.value,
            "state_changed_at": now,
            "description": "",
            "document_ids": [],
            "filters": [],
            "header_names": ["X-Own"],
            "headers": headers,
            "max_in_flight": 10,
            "created_at": now,
            "updated_at": now,
            **fields,
        }
        with self.database.writing() as conn:
            conn.execute(tables.webhooks.insert().values(values))
        self.key(number, "whk_1", KEY)
        return number

    def key(self, webhook_id: int, key_id: str, value: bytes, **fields: Any) -> None:
        """A signing key made now."""
        sealed = self.outbox._seals.cipher.wrap(
            value, place("webhook_keys", f"{webhook_id}/{key_id}", "sealed")
        )
        values = {"webhook_id": webhook_id, "id": key_id, "sealed": sealed}
        values |= {"created_at": self.hub.clock.now(), **fields}
        with self.database.writing() as conn:
            conn.execute(tables.webhook_keys.insert().values(values))

    def message(self, body: bytes = b'{"n":1}', **fields: Any) -> NewMessage:
        delivery_id = fields.pop("delivery_id", None)
        values: dict[str, Any] = {
            "id": self.hub.ids.new("msg"),
            "application_id": APP,
            "topic": TOPIC,
            "origin": MessageOrigin.PUBLISHED,
            "created_at": self.hub.clock.now(),
            "body_size": len(body),
            **fields,
        }
        return NewMessage(message=Message(**values), body=body, delivery_id=delivery_id)

    def publish(self, count: int = 1, **fields: Any) -> list[str]:
        ids, _ = self.outbox.publish([self.message(**fields) for _ in range(count)])
        return ids

    def to(self, webhook_id: int, count: int = 1, **fields: Any) -> list[str]:
        """Messages for one webhook only; returns the delivery ids."""
        messages = [
            self.message(webhook_id=webhook_id, delivery_id=self.hub.ids.new("dlv"), **fields)
            for _ in range(count)
        ]
        self.outbox.publish(messages)
        return [str(one.delivery_id) for one in messages]

    def all_of_them(self, waiting: Sequence[Unfanned]) -> list[Fanned]:
        """Every webhook gets every message."""
        return [
            Fanned(
                message_id=item.message.id,
                deliveries=tuple((self.hub.ids.new("dlv"), one.id) for one in item.webhooks),
            )
            for item in waiting
        ]

    def fan_out(self, limit: int = 100, *, store: Store | None = None) -> int:
        return (store or self.hub.store).outbox.fan_out(limit, self.all_of_them)

    def claim(
        self,
        limit: int = 100,
        *,
        share: int = 100,
        lease_s: float = 60,
        store: Store | None = None,
    ) -> list[Claimed]:
        outbox = (store or self.hub.store).outbox
        return outbox.claim(now=self.hub.clock.now(), limit=limit, share=share, lease_s=lease_s)

    def exchange(self, result: AttemptResult = AttemptResult.OK, **fields: Any) -> Exchange:
        values: dict[str, Any] = {
            "result": result,
            "status": 200 if result is AttemptResult.OK else None,
            "started_at": self.hub.clock.now(),
            "duration_s": 0.25,
            **fields,
        }
        return Exchange(**values)

    def completion(
        self, claim: Claimed, result: AttemptResult = AttemptResult.OK, **decided: Any
    ) -> Completion:
        """OK delivers; a failure is tried again after a minute, unless it is decided otherwise."""
        exchange = decided.pop("exchange", None) or self.exchange(result)
        done = exchange.result is AttemptResult.OK
        decided.setdefault("state", DeliveryState.DELIVERED if done else DeliveryState.WAITING)
        if decided["state"] is DeliveryState.WAITING:
            decided.setdefault("due_at", self.hub.clock.now() + timedelta(seconds=60))
        return Completion(
            delivery_id=claim.delivery.id,
            fence=claim.delivery.fence,
            attempt_id=self.hub.ids.new("att"),
            address=claim.target.address,
            exchange=exchange,
            decision=Decision(**decided),
        )

    def complete(self, *done: Completion, store: Store | None = None) -> list[bool]:
        return (store or self.hub.store).outbox.complete(list(done), notice=self.notice)

    def finish(
        self,
        claims: Sequence[Claimed],
        result: AttemptResult = AttemptResult.OK,
        **decided: Any,
    ) -> list[bool]:
        return self.complete(*(self.completion(one, result, **decided) for one in claims))

    def notice(self, change: WebhookChange) -> NewMessage:
        self.told.append(change)
        return self.message(
            topic=f"webhook.{change.kind}",
            application_id=change.webhook.application_id,
            origin=MessageOrigin.OPERATIONAL,
        )

    def delivery(self, delivery_id: str) -> Delivery:
        found: Delivery = self.outbox.delivery(delivery_id, application_id=None)
        return found

    def health(self, webhook_id: int) -> WebhookHealth:
        found: WebhookHealth = self.hub.store.subscribers.health([webhook_id])[webhook_id]
        return found

    def webhook_row(self, webhook_id: int) -> Any:
        table = tables.webhooks
        with self.database.reading() as conn:
            return conn.execute(sa.select(table).where(table.c.id == webhook_id)).one()

    def fail_until_open(self, webhook_id: int, count: int = 10) -> None:
        """`count` failed attempts, one after another; their deliveries are given up."""
        for _ in range(count):
            self.to(webhook_id)
            [claim] = self.claim(1)
            self.complete(
                self.completion(claim, AttemptResult.CONNECT, state=DeliveryState.EVICTED)
            )

    def plan(self, statement: str) -> str:
        """How the dialect would run a statement, given as it is sent."""
        explain = "EXPLAIN QUERY PLAN " if self.hub.dialect == "sqlite" else "EXPLAIN "
        with self.database.reading() as conn:
            rows = conn.exec_driver_sql(explain + statement).all()
        return "\n".join(str(row[-1]) for row in rows)


def by_webhook(claims: Sequence[Claimed]) -> dict[int, int]:
    """How many of each webhook were claimed."""
    found: dict[int, int] = {}
    for claim in claims:
        found[claim.delivery.webhook_id] = found.get(claim.delivery.webhook_id, 0) + 1
    return found
