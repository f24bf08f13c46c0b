"""What the tests of the sender share: endpoints that do as they are told, and a running sender."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable

from inkwire.access.gate import CLI
from inkwire.delivery.drafts import WebhookDraft
from inkwire.delivery.sender import Sender
from inkwire.hub import Hub
from inkwire.model.message import AttemptResult, DeliveryState, Exchange
from inkwire.model.webhook import Webhook
from inkwire.store.live import LiveCounters
from inkwire.store.sending import DeliveryQuery

TOPIC = "order.tested"
WITHIN_S = 60


class Endpoints:
    """Answers each address by what `answers` says of it: a status, or something to await."""

    def __init__(self, clock):
        self.clock = clock
        self.answers: dict[str, int | Callable] = {}
        self.heard: Counter[str] = Counter()
        self.ids: list[str] = []
        self.at_once = self.most_at_once = 0

    async def __call__(self, url, *, headers, body, timeout_s, connect_timeout_s):
        self.heard[url] += 1
        self.ids.append(dict(headers).get("webhook-id", ""))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            answer = self.answers.get(url, 200)
            if callable(answer):
                answer = await answer()
        finally:
            self.at_once -= 1
        good = 200 <= answer < 300
        return Exchange(
            result=AttemptResult.OK if good else AttemptResult.STATUS,
            status=answer,
            request_headers=headers,
            response_body=b"heard",
            started_at=self.clock.now(),
            duration_s=0.001,
        )


def subscribe(hub: Hub, number: int = 1, **fields) -> Webhook:
    """A webhook of one application; `address` is http://127.0.0.1/hook/NUMBER."""
    applications = hub.applications.all(CLI)
    application = applications[0] if applications else hub.applications.create(CLI, name="Shop")
    draft = WebhookDraft(
        topic=fields.pop("topic", TOPIC), address=f"http://127.0.0.1/hook/{number}", **fields
    )
    return hub.webhooks.create(CLI, application.id, draft)[0]


def publish(hub: Hub, count: int = 1, topic: str = TOPIC) -> list[str]:
    """Messages for that application."""
    application = hub.applications.all(CLI)[0]
    return [
        hub.publisher.publish(
            CLI, topic=topic, application_id=application.id, payload=b'{"number":%d}' % number
        )[0][0]
        for number in range(count)
    ]


@contextlib.asynccontextmanager
async def sending(
    hub: Hub, post, *, stop=None, store=None, grace_s=WITHIN_S, **options
) -> AsyncIterator[Sender]:
    """A sender that runs for as long as the block lasts, and stops in good order.

    `stop`: an event that tells it to stop earlier. `store`: instead of the hub's.
    """
    live, stop = LiveCounters(), stop or asyncio.Event()
    watching = asyncio.create_task(live.run(hub.store))
    sender = Sender(
        store=store or hub.store,
        live=live,
        post=post,
        clock=hub.clock,
        ids=hub.ids,
        random=lambda: 0.5,
        in_flight=options.pop("in_flight", 50),
        retry_s=0.01,
        sweep_s=0.02,
        **options,
    )
    running = asyncio.create_task(sender.run(stop, grace_s=grace_s))
    try:
        yield sender
    finally:
        stop.set()
        await asyncio.wait_for(running, WITHIN_S)
        watching.cancel()


async def until(condition: Callable[[], object]) -> None:
    """Waits until the condition holds."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.01)


def deliveries(hub: Hub, **query):
    """The log of deliveries, newest first."""
    return hub.store.outbox.deliveries(DeliveryQuery(**query))


def done(hub: Hub) -> list:
    """Those that were delivered."""
    return deliveries(hub, state=DeliveryState.DELIVERED)
