"""The demo's signing part: an order is sent for signature, signed, and comes home."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
import msgspec
from rich.progress import Progress

from inkwire.access.gate import CLI
from inkwire.cli.demo.sending import Check
from inkwire.cli.demo.sink import Sink
from inkwire.cli.demo.stage import Stage
from inkwire.cli.demo.vendor import Vendor, connect, integrate
from inkwire.delivery.drafts import WebhookDraft
from inkwire.documents.verifying import holds, verify
from inkwire.model.document import DocumentKind, SignState
from inkwire.model.order import Order
from inkwire.model.webhook import ProfileName
from inkwire.model.work import Integration
from inkwire.orders.sample import SAMPLE

#: Of the connection and the source.
NAME = "box-sandbox"
TOPICS = ("order.signed", "document.filed")
ORDERS = "/orders"
#: What the demo's orders have from the sample order.
COPIED = ("customer", "company", "currency", "blocks")
#: Seconds that one step may take; the first order waits for the engine to be loaded.
PATIENCE_S = 30.0
#: Who signs: the first order by itself, the second by the person who looks on.
CUSTOMER, ONLOOKER = "jane.doe@example.com", "you@example.com"


@dataclass(kw_only=True, slots=True)
class Signing:
    """Plays the part, and notes what had to come of each step."""

    built: Stage
    vendor: Vendor
    sink: Sink
    client: aiohttp.ClientSession
    bar: Progress
    application_id: str
    checks: list[Check] = field(default_factory=list)
    #: Where the onlooker signs the second order, and where they see it.
    page: str = ""
    order_page: str = ""

    def differences(self) -> list[str]:
        """What is not as it must be, in words."""
        return [
            f"{one.title}: must be {one.expected}, was {one.happened}"
            for one in self.checks
            if not one.right
        ]

    async def perform(self) -> None:
        """Sets all up, has one order signed, and leaves another to be signed by the onlooker."""
        task = self.bar.add_task("an order signed through Box Sign (sandbox)", total=5)
        await asyncio.to_thread(self._subscribe)
        await self._connect()
        self.bar.advance(task)
        integration = await asyncio.to_thread(integrate, self.built.hub, name=NAME)
        self.bar.advance(task)
        order = await asyncio.to_thread(self._order, "1042", "Jane Doe", CUSTOMER)
        if await self._sent(order, CUSTOMER):
            self.bar.advance(task)
            await self._signed(order)
            self.bar.advance(task)
            await self._proven(order)
        await self._webhook(integration)
        second = await asyncio.to_thread(self._order, "1043", "You", ONLOOKER)
        if await self._sent(second, ONLOOKER):
            self.page = await self.vendor.signing_page(self.client, ONLOOKER)
            self.order_page = f"{self.built.console}orders/{second.id}"
        self.bar.advance(task)

    # --- what is there

    def _subscribe(self) -> None:
        """The demo's application hears of signed orders, too."""
        hub = self.built.hub
        granted = hub.applications.grants(CLI, self.application_id)
        hub.applications.set_grants(CLI, self.application_id, [*granted, *TOPICS])
        for topic in TOPICS:
            known = self.sink.keys.get(ORDERS)
            draft = WebhookDraft(
                topic=topic, address=f"{self.sink.url}{ORDERS}", key=known[1] if known else None
            )
            _, key = hub.webhooks.create(CLI, self.application_id, draft)
            if key is not None:
                self.sink.keys[ORDERS] = (ProfileName.STANDARD, key)

    async def _connect(self) -> None:
        """A connection by the JSON file of Box's console, and "Request authentication"."""
        checks = await asyncio.to_thread(connect, self.built.hub, self.vendor.box, name=NAME)
        missing = [one.title for one in checks if not one.ok]
        found = f"without {', '.join(missing)}" if missing else "every right there"
        self._check("“Request authentication” at Box", "every right there", found)

    def _order(self, number: str, name: str, email: str) -> Order:
        sample = {key: msgspec.to_builtins(getattr(SAMPLE, key)) for key in COPIED}
        customer = {**sample["customer"], "name": name, "email": email}
        draft = {**sample, "number": number, "customer": customer}
        return self.built.hub.orders.add(CLI, draft)

    # --- what happens

    async def _sent(self, order: Order, email: str) -> bool:
        """The trigger status alone sends it: PDF, folder, upload, one sign request, one mail."""
        hub = self.built.hub
        await asyncio.to_thread(hub.orders.move, CLI, order.id, "request_signature")
        await self._until(lambda: bool(hub.store.sign_requests.of_order(order.id)))
        requests = await asyncio.to_thread(hub.store.sign_requests.of_order, order.id)
        await self._mailed(email)
        mails = [mail for mail in await self.vendor.mails(self.client) if mail["to"] == email]
        kept = (await asyncio.to_thread(hub.orders.get, CLI, order.id)).fields
        noted = bool(requests) and kept.get("sign_request_id") == requests[0].id
        self._check(
            f"order {order.number} to “request signature”",
            "1 sign request, 1 mail, its id on the order",
            f"{len(requests)} sign request, {len(mails)} mail, "
            f"{'its id on the order' if noted else 'nothing on the order'}",
        )
        return bool(requests)

    async def _mailed(self, email: str) -> None:
        """The sandbox takes a moment to convert the file before it sends its mail."""
        for _ in range(int(PATIENCE_S / 0.05)):
            if await self.vendor.signing_page(self.client, email):
                return
            await asyncio.sleep(0.05)

    async def _signed(self, order: Order) -> None:
        """The customer signs; status, signed PDF, signing log and the webhook follow by itself."""
        store = self.built.hub.store
        request = store.sign_requests.of_order(order.id)[0]
        begun = time.monotonic()
        await self.vendor.sign(self.client, request.id)

        def home() -> bool:
            kept = store.sign_requests.get(request.id)
            return kept is not None and kept.state is SignState.SIGNED and not kept.next_check_at

        await self._until(home)
        took = time.monotonic() - begun
        await self._until(lambda: bool(self._heard("order.signed")))
        status = store.orders.get(order.id).status
        kinds = [one.kind for one in store.documents.of_order(order.id)]
        heard = self._heard("order.signed")
        self._check(
            "signed by the customer",
            "signed, 1 signed PDF, 1 signing log, within 10 s; order.signed delivered, proven",
            f"{status}, {kinds.count(DocumentKind.SIGNED)} signed PDF, "
            f"{kinds.count(DocumentKind.SIGNING_LOG)} signing log, "
            f"{'within 10 s' if took < 10 else f'after {took:.0f} s'}; "
            f"order.signed {'delivered, proven' if heard else 'not delivered'}",
        )

    async def _proven(self, order: Order) -> None:
        """The evidence of the order, verified as a stranger would."""
        hub = self.built.hub
        await self._until(lambda: not hub.store.documents.unjudged(1))
        bundle = await asyncio.to_thread(hub.evidence.export, order.id)
        findings = verify(bundle, hub.evidence.public_key())
        signed = [
            one for one in hub.store.documents.of_order(order.id) if one.kind is DocumentKind.SIGNED
        ]
        verdicts = {str((one.verdict or {}).get("outcome")) for one in signed}
        self._check(
            "its evidence, exported and verified",
            "every check holds; the PDF's signature intact",
            f"{'every check holds' if holds(findings) else 'a check fails'}; the PDF's signature "
            f"{', '.join(sorted(verdicts)) or 'missing'}",
        )

    async def _webhook(self, integration: Integration) -> None:
        """The integration made its own webhook at Box."""
        store = self.built.hub.store
        await self._until(
            lambda: bool(store.integrations.get(integration.id).remote.get("webhook_id"))
        )
        remote = store.integrations.get(integration.id).remote
        self._check("the webhook on its folder", "made by itself",
                    "made by itself" if remote.get("webhook_id") else "missing")  # fmt: skip

    # --- looking

    def _heard(self, topic: str) -> list[str]:
        return [
            topic
            for one in self.sink.at(ORDERS)
            if one.proven and msgspec.json.decode(one.body)["type"] == topic
        ]

    async def _until(self, true: Callable[[], bool]) -> bool:
        """Whether it came true in time."""
        give_up_at = time.monotonic() + PATIENCE_S
        while not await asyncio.to_thread(true):
            if time.monotonic() > give_up_at:
                return False
            await asyncio.sleep(0.05)
        return True

    def _check(self, title: str, expected: str, happened: str) -> None:
        self.checks.append(Check(title=title, expected=expected, happened=happened))
