"""The demo's sending part: a subscriber, its webhooks, and what becomes of a failing one."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import aiohttp
import msgspec
from rich.progress import Progress

from inkwire.access.gate import CLI
from inkwire.cli.demo.sink import Heard, Sink
from inkwire.cli.demo.stage import Stage
from inkwire.delivery.drafts import WebhookDraft
from inkwire.delivery.profiles import PROFILES
from inkwire.model.access import APPLICATION_SCOPES
from inkwire.model.event import EventState
from inkwire.model.message import Attempt, Delivery, DeliveryState
from inkwire.model.webhook import Application, ProfileName, Webhook, WebhookState
from inkwire.providers.registry import cases, registry
from inkwire.store.contract import MAX_PAGE, EventQuery
from inkwire.store.sending import DeliveryQuery, MessageQuery

BOXC = PROFILES[ProfileName.BOXC]
#: BoxC's keys are chosen by the application.
KEY = "the-demo-chose-this-one"
TOPIC = "fulfillments_complete"
HEALTHY_TOPIC = "shipments_status"
FORWARDED = "box.FILE.UPLOADED"
#: Paths of the sink.
FAILING, HEALTHY, NOTICES, INBOUND = "/boxc", "/healthy", "/notices", "/inbound"
#: Seconds that one step may take.
PATIENCE_S = 8.0
#: Seconds until every process has read a moved clock (they read it every 50 ms).
CLOCK_READ_S = 0.06
#: Attempts stay this close to their plan: it may stretch by 5 %, plus the work itself.
SLACK_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """What had to come of one thing, and what came."""

    title: str
    expected: str
    happened: str

    @property
    def right(self) -> bool:
        """Whether it came as it had to."""
        return self.expected == self.happened


@dataclass(frozen=True, kw_only=True, slots=True)
class Try:
    """One attempt at the failing endpoint."""

    attempt: Attempt
    #: Seconds after the attempt before it: by the plan, and really.
    planned_s: float
    waited_s: float

    @property
    def on_time(self) -> bool:
        """Never before its time, and not long after it."""
        latest = self.planned_s * (1 + BOXC.jitter[1]) + SLACK_S
        return self.planned_s <= self.waited_s <= latest


@dataclass(kw_only=True, slots=True)
class Sending:
    """Plays the part, and notes what had to come of each step."""

    built: Stage
    sink: Sink
    client: aiohttp.ClientSession
    bar: Progress
    checks: list[Check] = field(default_factory=list)
    tries: list[Try] = field(default_factory=list)
    portal: str = ""
    _application: Application | None = None
    _key: str = field(default="", repr=False)

    def differences(self) -> list[str]:
        """What is not as it must be, in words."""
        return [
            f"{one.title}: must be {one.expected}, was {one.happened}"
            for one in self.checks
            if not one.right
        ]

    @property
    def application(self) -> Application:
        """The subscriber, once it is there."""
        if self._application is None:
            raise RuntimeError("the application is made first")
        return self._application

    async def perform(self) -> None:
        """All of it, up to the present; forwarding is looked at after the receiving part."""
        try:
            await asyncio.to_thread(self._subscribe)
            webhook = await self._register()
            if webhook is not None and await self._deliver(webhook) and await self._fail(webhook):
                await self._restore(webhook)
        finally:  # whatever came of it, the receiving part is in the present
            self.built.set_clock(0)
            await asyncio.sleep(CLOCK_READ_S)
        await self._open_portal()

    # --- what is there

    def _subscribe(self) -> None:
        """An application with a key, and three webhooks of profile standard that listen."""
        hub = self.built.hub
        made = self._application = hub.applications.create(CLI, name="Demo shop")
        hub.applications.set_grants(CLI, made.id, [FORWARDED])
        _, self._key = hub.gate.add_api_key(
            CLI, name="Demo", scopes=APPLICATION_SCOPES, application_id=made.id
        )
        for topic, path in (
            (HEALTHY_TOPIC, HEALTHY),
            ("webhook.failing", NOTICES),
            ("webhook.deleted", NOTICES),
            (FORWARDED, INBOUND),
        ):
            # One path hears two topics, so both webhooks sign with one key.
            known = self.sink.keys.get(path)
            draft = WebhookDraft(
                topic=topic, address=f"{self.sink.url}{path}", key=known[1] if known else None
            )
            _, key = hub.webhooks.create(CLI, made.id, draft)
            if key is not None:
                self.sink.keys[path] = (ProfileName.STANDARD, key)

    async def _register(self) -> Webhook | None:
        """A webhook by BoxC's own API; None if the API did not make it."""
        task = self.bar.add_task("a webhook made by BoxC's API", total=1)
        self.sink.keys[FAILING] = (ProfileName.BOXC, KEY)
        wanted = {"address": f"{self.sink.url}{FAILING}", "key": KEY, "topic": TOPIC}
        asked = msgspec.json.encode({"webhook": wanted})
        status, body = await self._api("POST", "/webhooks", asked)
        answer = msgspec.json.decode(body) if status == 201 else {}
        hidden = "its key kept secret" if KEY.encode() not in body else "its key shown"
        self._check("POST /webhooks, as BoxC's API takes it", "201, its key kept secret",
                    f"{status}, {hidden}")  # fmt: skip
        self.bar.advance(task)
        if status != 201:
            return None
        number = answer["webhook"]["id"]
        return await asyncio.to_thread(self.built.hub.webhooks.get, CLI, number)

    # --- what is sent

    async def _deliver(self, webhook: Webhook) -> bool:
        """An event queued by BoxC's API arrives, unaltered and signed; whether it did."""
        task = self.bar.add_task("an event queued, delivered and proven", total=1)
        status, _ = await self._queue(webhook)
        await self._until(lambda: bool(self.sink.at(FAILING)))
        got = self.sink.at(FAILING)
        self._check(
            f"POST /webhooks/{{id}}/queue with {TOPIC}",
            "201; 1 request, byte for byte, signature right",
            f"{status}; {_described(got, _sample())}",
        )
        self.bar.advance(task)
        return status == 201 and await self._until(self._quiet)

    async def _fail(self, webhook: Webhook) -> bool:
        """The endpoint fails: twelve attempts over a day and a half, then it is given up.

        Returns whether the webhook is gone by that.
        """
        task = self.bar.add_task("the endpoint fails: the clock moves on", total=BOXC.attempts)
        self.sink.failing.add(FAILING)
        await self._queue(webhook)
        for number in range(1, BOXC.attempts + 1):
            if number > 1:
                await self._move_on(webhook)
            if not await self._until(partial(self._tried, webhook, number)):
                break
            self.bar.advance(task)
        delivery = self._failing(webhook)
        await self._until(lambda: len(self._notices()) == 2)
        self._note_tries(delivery)
        self.sink.failing.clear()
        status, _ = await self._api("GET", f"/webhooks/{webhook.id}")
        now = await asyncio.to_thread(self.built.hub.webhooks.get, CLI, webhook.id)
        late = sum(not one.on_time for one in self.tries)
        self._check("attempts at the failing endpoint", f"{BOXC.attempts}, none out of time",
                    f"{len(self.tries)}, {late or 'none'} out of time")  # fmt: skip
        self._check("its event after the last", "evicted", delivery.state.value)
        self._check("its webhook", "deleted, GET /webhooks/{id} says 404",
                    f"{now.state.value}, GET /webhooks/{{id}} says {status}")  # fmt: skip
        self._check("what the application heard of it, signed", "webhook.failing, webhook.deleted",
                    ", ".join(self._notices()))  # fmt: skip
        fine = self.sink.at(HEALTHY)
        self._check("a healthy webhook meanwhile", f"{BOXC.attempts - 1} of {BOXC.attempts - 1}",
                    f"{sum(one.proven for one in fine)} of {len(fine)}")  # fmt: skip
        return now.state is WebhookState.DELETED

    async def _move_on(self, webhook: Webhook) -> None:
        """To the moment of the next attempt; and another message, for a webhook that is well."""
        self.built.move_to(self._failing(webhook).due_at + timedelta(milliseconds=1))
        await asyncio.sleep(CLOCK_READ_S)
        payload = msgspec.json.encode(self.built.hub.catalogue.get(HEALTHY_TOPIC).example)
        await asyncio.to_thread(
            lambda: self.built.hub.publisher.publish(
                CLI, topic=HEALTHY_TOPIC, payload=payload, application_id=self.application.id
            )
        )

    async def _restore(self, webhook: Webhook) -> None:
        """A person brings the webhook back and sends the event again: nothing was lost."""
        hub, before = self.built.hub, len(self.sink.at(FAILING))
        delivery = self._failing(webhook)
        await asyncio.to_thread(hub.webhooks.activate, CLI, webhook.id)
        await asyncio.to_thread(hub.deliveries.resend, CLI, delivery.id)
        await self._until(lambda: len(self.sink.at(FAILING)) > before and self._quiet())
        got = self.sink.at(FAILING)[before:]
        self._check("webhook restored, event sent again",
                    "1 request, byte for byte, signature right",
                    _described(got, _sample()))  # fmt: skip

    async def _open_portal(self) -> None:
        """The link comes last: it is good for ten minutes."""
        path = f"/v1/applications/{self.application.id}/portal-link"
        status, body = await self._api("POST", path)
        self.portal = msgspec.json.decode(body)["url"] if status == 201 else ""
        here = self.portal.startswith(f"{self.built.url}/portal/#")
        self._check("a link into the application's portal", "201, into this hub",
                    f"{status}, {'into this hub' if here else 'elsewhere'}")  # fmt: skip

    async def forwarded(self, sent: set[bytes]) -> None:
        """Inbound events of the granted type, those of the receiving part, reached the subscriber.

        `sent`: every body that this part sent to the hub; the sandbox sends events of its own.
        """
        ours = {actor.source_id for actor in self.built.actors}
        sources = await asyncio.to_thread(lambda: list(self._new_events()))
        expected = sum(source in ours for source in sources)
        others = len(sources) - expected
        await self._until(lambda: len(self.sink.at(INBOUND)) >= len(sources) and self._quiet())
        got = self.sink.at(INBOUND)
        right = sum(one.proven and one.body in sent for one in got)
        self._check(
            f"inbound {FORWARDED} forwarded, as received",
            f"{expected} of {expected}" if expected else "at least one",
            f"{right} of {len(got) - others}",
        )

    # --- looking

    def _new_events(self) -> Iterator[str]:
        query = EventQuery(type=FORWARDED, state=EventState.NEW, limit=MAX_PAGE)
        while page := self.built.hub.store.events.page(query):
            yield from (event.source_id for event in page if not event.test)
            query = EventQuery(
                type=FORWARDED, state=EventState.NEW, limit=MAX_PAGE, before=page[-1].id
            )

    def _failing(self, webhook: Webhook) -> Delivery:
        """The delivery that fails: the newest of its webhook."""
        query = DeliveryQuery(webhook_id=webhook.id, limit=1)
        return self.built.hub.store.outbox.deliveries(query)[0]

    def _tried(self, webhook: Webhook, times: int) -> bool:
        return self._failing(webhook).attempts >= times and self._quiet()

    def _quiet(self) -> bool:
        """Nothing is on its way: only then may the clock move, or a lease would end too early."""
        outbox, mine = self.built.hub.store.outbox, self.application.id
        if any(one.fanned_at is None
               for one in outbox.messages(MessageQuery(application_id=mine))):  # fmt: skip
            return False
        query = DeliveryQuery(application_id=mine, state=DeliveryState.WAITING)
        now = self.built.hub.clock.now()
        return all(
            one.claimed_until is None and one.due_at > now for one in outbox.deliveries(query)
        )

    def _notices(self) -> list[str]:
        """Topics of the notices that came and are proven, in the order of their webhook's life."""
        return [
            msgspec.json.decode(one.body)["type"] for one in self.sink.at(NOTICES) if one.proven
        ]

    def _note_tries(self, delivery: Delivery) -> None:
        before: datetime | None = None
        for attempt in self.built.hub.store.outbox.attempts(delivery.id):
            waited = (attempt.started_at - before).total_seconds() if before else 0.0
            planned = BOXC.delays_s[attempt.number - 2] if before else 0.0
            self.tries.append(Try(attempt=attempt, planned_s=planned, waited_s=waited))
            before = attempt.started_at

    # --- inside

    async def _queue(self, webhook: Webhook) -> tuple[int, bytes]:
        return await self._api("POST", f"/webhooks/{webhook.id}/queue", _sample())

    async def _api(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of a request with the application's own key."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        url = f"{self.built.url}{path}"
        async with self.client.request(method, url, data=body, headers=headers) as answer:
            return answer.status, await answer.read()

    async def _until(self, true: Callable[[], bool]) -> bool:
        """Whether it came true in time."""
        give_up_at = time.monotonic() + PATIENCE_S
        while not await asyncio.to_thread(true):
            if time.monotonic() > give_up_at:
                return False
            await asyncio.sleep(0.02)
        return True

    def _check(self, title: str, expected: str, happened: str) -> None:
        self.checks.append(Check(title=title, expected=expected, happened=happened))


def _sample() -> bytes:
    """BoxC's own sample of the topic, byte for byte."""
    found = cases(registry().get("boxc"))
    return next(case.body for case in found if case.event_type == f"boxc.{TOPIC}")


def _described(got: list[Heard], body: bytes) -> str:
    whole = "byte for byte" if all(one.body == body for one in got) else "altered"
    signed = "right" if all(one.proven for one in got) else "wrong"
    return f"{len(got)} request{'s' * (len(got) != 1)}, {whole}, signature {signed}"
