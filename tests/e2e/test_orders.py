"""An order goes out to be signed and comes home, in a browser, as a person sees it."""

import re

import pytest
from playwright.async_api import async_playwright, expect

from e2e.test_hub import eventually, running
from fakes.box_sign import an_order, box_sign_orders
from fakes.browser import ARGUMENTS, CHROMIUM
from fakes.sandbox import SandboxProcess
from inkwire.access.gate import CLI
from inkwire.delivery.drafts import WebhookDraft
from inkwire.documents.verifying import holds, verify
from inkwire.model.access import Role
from inkwire.model.message import DeliveryState
from inkwire.store.sending import DeliveryQuery

PASSWORD = "correct horse battery staple"
#: A slow machine takes its time; nothing here waits longer than it must.
SEEN_S = 60
SEEN_MS = SEEN_S * 1000


@pytest.mark.browser
async def test_a_person_has_an_order_signed_and_finds_all_of_it(tmp_path):
    """Trigger status in the console, mail, signing page, status, documents, evidence, webhook."""
    with SandboxProcess(tmp_path / "sandbox") as sandbox:
        async with (
            running(tmp_path / "data", outbound_allow="127.0.0.1/32", patience_s=5 * SEEN_S) as hub,
            async_playwright() as playwright,
        ):
            box_sign_orders(hub.hub, sandbox.box)
            order = an_order(hub.hub)
            hub.hub.gate.add_user(CLI, name="ada", password=PASSWORD, role=Role.OPERATOR)
            application = hub.hub.applications.create(CLI, name="Shop")
            hub.hub.applications.set_grants(CLI, application.id, ["order.signed"])
            draft = WebhookDraft(topic="order.signed", address=f"{sandbox.url}/heard")
            webhook, _ = hub.hub.webhooks.create(CLI, application.id, draft)
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = await browser.new_page()
            wrong = []
            page.on("pageerror", lambda error: wrong.append(str(error)))

            # The operations person sends the order.
            await page.goto(f"{hub.url}/console/orders/{order.id}")
            await page.get_by_label("Name").fill("ada")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.keyboard.press("Enter")
            await page.get_by_role("button", name="Request signature").click()
            await expect(page.get_by_text("jane.doe@example.com for signature")).to_be_visible(
                timeout=SEEN_MS
            )
            async with page.expect_navigation():
                await page.get_by_role("button", name=re.compile("Move to")).click()
            sent = page.get_by_text(re.compile("Sent to jane.doe@example.com for signature"))
            await eventually(lambda: _seen(page, sent), seconds=SEEN_S)

            # The customer finds the mail, and signs.
            customer = await browser.new_page()
            await eventually(lambda: _mailed(customer, sandbox), seconds=SEEN_S)
            await customer.get_by_role("link", name="Open").click()
            name = customer.get_by_label("Your name, as your signature")
            await name.fill("Jane Doe")
            # By the keyboard: a click while Chromium attaches the frame of the PDF is lost.
            await name.press("Enter")
            thanks = customer.get_by_text("You have signed this")
            await expect(thanks).to_be_visible(timeout=SEEN_MS)

            # Within seconds the order is signed, with its documents.
            home = page.get_by_text(re.compile("signing log .* was stored"))
            await eventually(lambda: _seen(page, home), seconds=SEEN_S)
            await expect(page.get_by_role("heading", level=1)).to_contain_text(
                "signed", timeout=SEEN_MS
            )
            kept = hub.hub.documents.of_order(order.id)
            assert sorted(one.kind.value for one in kept) == ["prepared", "signed", "signing_log"]
            for one in kept:
                await expect(page.locator(f"#{one.id}")).to_be_visible(timeout=SEEN_MS)

            # The evidence is exported from the page and verified without the hub.
            async with page.expect_download() as waiting:
                await page.get_by_role("link", name="Export the evidence").click()
            bundle = (await (await waiting.value).path()).read_bytes()
            assert holds(verify(bundle, hub.hub.evidence.public_key()))

            # And the subscriber heard of it.
            query = DeliveryQuery(webhook_id=webhook.id)

            async def told():
                found = hub.hub.store.outbox.deliveries(query)
                return found and found[0].attempts > 0 and found

            (delivery,) = await eventually(told, seconds=SEEN_S)
            assert delivery.topic == "order.signed"
            assert delivery.state in (DeliveryState.DELIVERED, DeliveryState.WAITING)
            assert wrong == []
            await browser.close()


async def _seen(page, what) -> bool:
    """Whether the page shows it; loaded again, for its news come under a quiet bar."""
    await page.goto(page.url.partition("?")[0].partition("#")[0])
    return await what.count() > 0


async def _mailed(page, sandbox) -> bool:
    await page.goto(f"{sandbox.url}/")
    return await page.get_by_role("link", name="Open").count() > 0
