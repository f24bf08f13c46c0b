"""A day of sending for the pages: applications, webhooks in every state, deliveries of every kind.

Nothing is written round the rooms: webhooks are made at the desk, messages published, deliveries
fanned out, claimed, decided and completed as the worker does; only the endpoints are pretended.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from fakes.pages import Pages
from inkwire.access.gate import CLI
from inkwire.delivery.decide import decide
from inkwire.delivery.drafts import WebhookDraft
from inkwire.delivery.fan_out import FanOut
from inkwire.delivery.notices import Notices
from inkwire.delivery.profiles import PROFILES, signed
from inkwire.errors import InkwireError
from inkwire.model.access import Caller
from inkwire.model.job import JobKind
from inkwire.model.message import AttemptResult, Claimed, Exchange
from inkwire.model.webhook import ProfileName, Topic, Webhook
from inkwire.store.sending import Completion, DeliveryQuery

BOXC_KEY = "9FkaaYZILF9pWHqJzXDD"
TOPIC = "order.signed"
Answer = Callable[[Claimed], Exchange]


@dataclass
class Sent:
    """A worker whose endpoints answer as the test says."""

    pages: Pages
    #: Webhook id → how its endpoint answers; others answer 200.
    answers: dict[int, AttemptResult | int] = field(default_factory=dict)
    #: What endpoints answer with.
    answer_body: bytes = b'{"received": true}'
    answer_headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)

    def application(self, name: str, *origins: str) -> str:
        """A new application; its id."""
        return self.pages.hub.applications.create(CLI, name=name, frame_ancestors=origins).id

    def webhook(
        self,
        application_id: str,
        address: str = "https://hooks.example.com/in",
        topic: str = TOPIC,
        *,
        caller: Caller = CLI,
        **more: object,
    ) -> Webhook:
        """A new webhook."""
        draft = WebhookDraft(topic=topic, address=address, **more)
        webhook, _ = self.pages.hub.webhooks.create(caller, application_id, draft)
        return webhook

    def publish(self, application_id: str, topic: str = TOPIC, **changes: object) -> str:
        """One message with the topic's example, changed; its id."""
        example = self.pages.hub.catalogue.get(topic).example
        payload = msgspec.json.encode((example or {}) | changes)
        ids, _ = self.pages.hub.publisher.publish(
            CLI, topic=topic, payload=payload, application_id=application_id
        )
        return ids[0]

    def work(self) -> int:
        """One round of the worker: fans out, claims what is due, sends it; how many attempts."""
        hub = self.pages.hub
        outbox = hub.store.outbox
        while outbox.fan_out(100, FanOut(hub.ids)):
            pass
        claims = outbox.claim(now=hub.clock.now(), limit=100, share=100, lease_s=60)
        done = [self._attempt(claim) for claim in claims]
        if done:
            outbox.complete(done, notice=Notices(hub.ids))
        return len(done)

    def _attempt(self, claim: Claimed) -> Completion:
        hub, profile = self.pages.hub, PROFILES[claim.target.profile]
        exchange = self._exchange(claim)
        decision = decide(profile, claim.delivery, exchange, now=hub.clock.now(), jitter=0.0)
        return Completion(
            delivery_id=claim.delivery.id,
            fence=claim.delivery.fence,
            attempt_id=hub.ids.new("att"),
            address=claim.target.address,
            exchange=exchange,
            decision=decision,
        )

    def _exchange(self, claim: Claimed) -> Exchange:
        now = self.pages.hub.clock.now()
        how = self.answers.get(claim.target.webhook_id, 200)
        try:
            headers = signed(claim, now).headers
        except InkwireError:
            headers = ()
        answered = isinstance(how, int)
        status = how if answered else None
        result = AttemptResult.OK if status and 200 <= status < 300 else AttemptResult.STATUS
        return Exchange(
            result=result if answered else how,
            detail="" if result is AttemptResult.OK else _DETAIL.get(how, f"It answered {how}."),
            status=status,
            request_headers=headers,
            response_headers=self.answer_headers if answered else (),
            response_body=self.answer_body if answered else b"",
            remote="93.184.215.14",
            started_at=now,
            duration_s=0.182 if answered else 5.0,
            connect_s=0.041,
            head_s=0.174 if answered else None,
        )


_DETAIL = {
    AttemptResult.TIMEOUT: "No whole answer came within 15 s.",
    AttemptResult.DNS: "The name does not resolve.",
    AttemptResult.CONNECT: "Nothing listens at that port.",
}


def fill_sent(pages: Pages, later: Callable[[float], None]) -> dict[str, str]:
    """A hub that has sent for a day; ids by what they are. `later(seconds)` lets time pass."""
    ids: dict[str, str] = {}
    sent = Sent(pages)
    shop = ids["shop"] = sent.application("Northwind web shop", "https://app.example.com")
    store = ids["warehouse"] = sent.application("Warehouse")
    desk = pages.hub.webhooks
    pages.hub.applications.put_topic(
        CLI, Topic(name="invoice.paid", description="An invoice was paid.", example={"id": "inv_1"})
    )
    pages.hub.applications.set_grants(
        CLI, shop, [TOPIC, "order.created", "invoice.paid", "box.FILE.UPLOADED"]
    )
    pages.hub.applications.set_grants(CLI, store, [TOPIC])
    good = sent.webhook(
        shop,
        "https://shop.example.com/hooks/orders",
        description="Marks orders as signed",
        headers={"Authorization": "Bearer secret-of-the-shop"},
        document_ids=(),
        rate_per_minute=600,
    )
    down = sent.webhook(shop, "https://erp.example.com/inkwire/webhooks/order-signed")
    slow = sent.webhook(store, "https://warehouse.example.com/in")
    boxc = sent.webhook(
        store,
        "https://wms.example.com/boxc",
        "shipments_label",
        profile=ProfileName.BOXC,
        key=BOXC_KEY,
    )
    gone = sent.webhook(shop, "https://old.example.com/hook")
    paused = sent.webhook(shop, "https://paused.example.com/hook")
    disabled = sent.webhook(store, "https://disabled.example.com/hook")
    desk.pause(CLI, paused.id)
    sent.answers |= {down.id: 503, slow.id: AttemptResult.TIMEOUT}
    for _ in range(6):
        ids["message"] = sent.publish(shop)
        sent.publish(store)
        later(40)
        sent.work()
        later(500)
        sent.work()
    desk.delete(CLI, gone.id)
    desk.disable(CLI, disabled.id)
    for _ in range(14):
        later(7000)
        sent.work()
    sent.publish(shop)
    sent.publish(store, "shipments_label")
    later(20)
    sent.work()
    job = pages.hub.jobs.start(
        CLI, JobKind.RECOVER, down.id, since=pages.hub.clock.now() - timedelta(days=7)
    )
    log = pages.hub.store.outbox
    failing = log.deliveries(DeliveryQuery(webhook_id=down.id))
    ids |= {
        "job": job.id,
        "delivered": log.deliveries(DeliveryQuery(webhook_id=good.id))[0].id,
        "retried": failing[-1].id,
        "due": failing[0].id,
        "attempt": log.attempts(failing[-1].id)[-1].id,
        "good": str(good.id),
        "down": str(down.id),
        "slow": str(slow.id),
        "boxc": str(boxc.id),
        "gone": str(gone.id),
        "paused": str(paused.id),
        "disabled": str(disabled.id),
    }
    return ids
