"""Webhooks in a real Chromium, with the real worker and a real endpoint behind them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from fakes.desk import Desk, chromium_of, until
from fakes.pages import open_pages, served
from fakes.sent import Sent
from fakes.sites import Endpoint, endpoint, working
from inkwire.access.gate import CLI
from inkwire.clock import SystemClock
from inkwire.model.webhook import WebhookState
from inkwire.store.sending import WebhookQuery

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests here."""
    with chromium_of() as browser:
        yield browser


@pytest.fixture
def sink() -> Iterator[Endpoint]:
    """A subscriber's endpoint."""
    with endpoint() as opened:
        yield opened


@pytest.fixture
def desk(chromium: Browser, tmp_path: Path) -> Iterator[Desk]:
    """A hub with one application, its worker running."""
    with open_pages(tmp_path / "hub", clock=SystemClock(), outbound_allow="127.0.0.0/8") as pages:
        app = Sent(pages).application("Northwind")
        pages.hub.applications.set_grants(CLI, app, ["order.signed"])
        with served(pages) as address, working(pages):
            yield Desk(chromium, pages, address)


def shop(desk: Desk) -> str:
    """The one application."""
    return desk.pages.hub.applications.all(CLI)[0].id


def test_from_a_new_webhook_to_the_answer_of_its_endpoint(desk, sink):
    """Made with a key shown once, tested by one click; what came back fills in by itself."""
    with desk.open("/webhooks") as page:
        page.get_by_role("link", name="New webhook").click()
        page.get_by_label("Application").select_option(label="Northwind")
        page.get_by_label("Topic").select_option("order.signed")
        page.get_by_label("Address", exact=True).fill(sink.url)
        page.get_by_role("button", name="Make the webhook").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("is made")
        key = page.locator(".command code").inner_text()
        assert key.startswith("whsec_")
        page.reload()
        assert key not in page.content()
        page.get_by_role("button", name="Send a test").click()
        page.wait_for_url("**/console/deliveries/dlv_*")
        came = page.get_by_role("region", name="What came back")
        expect(came).to_contain_text("HTTP 200", timeout=10_000)
        expect(came).to_contain_text('"received": true')
        expect(page.get_by_role("region", name="What was sent")).to_contain_text(
            "webhook-signature"
        )
        expect(page.locator(".title .mark")).to_contain_text("Delivered")
        expect(page.locator("#live")).not_to_have_attribute("hx-trigger", "every 1s")
        page.get_by_role("navigation", name="Where you are").get_by_role("link").click()
        expect(page.locator(".totals")).to_contain_text("1 of 1 attempts")
    (headers, body), *rest = sink.got
    assert not rest
    assert b"order.signed" in body
    assert "webhook-signature" in {name.lower() for name in headers}


def test_a_test_works_without_script(desk, sink):
    """The same by loading the page again."""
    hook = Sent(desk.pages).webhook(shop(desk), sink.url)
    sink.status = 500
    with desk.open(f"/webhooks/{hook.id}", java_script_enabled=False) as page:
        page.get_by_role("button", name="Send a test").click()
        until(lambda: bool(sink.got), seconds=10)
        again = page.get_by_role("link", name="Load it again")
        if again.count():
            until(lambda: desk.pages.hub.store.outbox.failures(since=hook.created_at) != [])
            again.click()
        expect(page.get_by_role("region", name="What came back")).to_contain_text("HTTP 500")


def test_a_key_is_rotated_with_an_overlap(desk, sink):
    """Both keys sign until the old one ends."""
    hook = Sent(desk.pages).webhook(shop(desk), sink.url)
    with desk.open(f"/webhooks/{hook.id}") as page:
        page.get_by_text("Replace it").click()
        page.get_by_label("The present one goes on signing for").select_option("3600")
        page.get_by_role("button", name="Use the new key").click()
        expect(page.locator(".command code")).to_contain_text("whsec_")
        page.get_by_role("link", name="I have copied it").click()
        expect(page.locator(".secrets li")).to_have_count(2)
        page.get_by_role("button", name="Send a test").click()
        sent = page.get_by_role("region", name="What was sent")
        expect(sent).to_contain_text("webhook-signature", timeout=10_000)
        signature = dict(sink.got[0][0])["webhook-signature"]
        assert len(signature.split()) == 2


def test_a_deleted_webhook_is_restored_and_its_messages_recovered(desk, sink):
    """Deleted by mistake: found in the list, brought back, what it missed sent as a job."""
    sent = Sent(desk.pages)
    hook = sent.webhook(shop(desk), sink.url)
    with desk.open(f"/webhooks/{hook.id}") as page:
        page.get_by_text("Delete this webhook").click()
        page.get_by_label(f"Type {hook.id} to confirm").fill(str(hook.id))
        page.get_by_role("button", name=f"Delete webhook {hook.id}").click()
        expect(page.get_by_role("status").first).to_contain_text("Deleted.")
        for _ in range(3):
            sent.publish(shop(desk))
        page.goto(f"{desk.address}/webhooks?state=deleted")
        page.locator("[data-row] .row-link").click()
        page.get_by_role("button", name="Restore").click()
        expect(page.get_by_role("status").first).to_contain_text("Restored.")
        page.get_by_role("link", name="Recover or replay").click()
        page.get_by_label("Replay what is missing").check()
        page.get_by_role("button", name="Count them").click()
        expect(page.get_by_role("heading", level=2)).to_contain_text("3 deliveries")
        assert sink.got == []
        page.get_by_role("button", name="Send these 3").click()
        expect(page.locator(".title .mark")).to_contain_text("Done", timeout=15_000)
        expect(page.locator("#live")).to_contain_text("3 of 3")
        until(lambda: len(sink.got) == 3, seconds=15)


def test_several_are_paused_from_the_list(desk):
    """Checkboxes by keyboard and mouse; the row's own link stays a link."""
    sent = Sent(desk.pages)
    hooks = [sent.webhook(shop(desk), f"http://127.0.0.1:9/{n}") for n in range(3)]
    with desk.open("/webhooks") as page:
        page.get_by_label(f"Choose webhook {hooks[0].id}").check()
        page.get_by_label(f"Choose webhook {hooks[2].id}").focus()
        page.keyboard.press("Space")
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("status").first).to_contain_text("Done for 2.")
        expect(page.locator(".mark.waiting")).to_have_count(2)
    query = WebhookQuery(state=WebhookState.PAUSED)
    paused = {one.id for one in desk.pages.hub.store.subscribers.webhooks(query)}
    assert paused == {hooks[0].id, hooks[2].id}


def test_rows_are_chosen_by_keys_and_all_at_once(desk):
    """`j`, `x`, and the box in the head of the list."""
    sent = Sent(desk.pages)
    for n in range(3):
        sent.webhook(shop(desk), f"http://127.0.0.1:9/{n}")
    with desk.open("/webhooks") as page:
        page.keyboard.press("j")
        page.keyboard.press("x")
        expect(page.locator("[data-choose]").first).to_be_checked()
        assert page.locator("[data-choose]:checked").count() == 1
        page.get_by_label("Choose all").check()
        assert page.locator("[data-choose]:checked").count() == 3


HOSTILE = '"><img src=x onerror="window.owned=1"></pre></script><script>window.owned=1</script>'


def test_hostile_content_stays_inert(desk, sink):
    """Description, name, filter, payload, and what an endpoint answers: the browser runs none."""
    app = Sent(desk.pages).application(HOSTILE[:100])
    desk.pages.hub.applications.set_grants(CLI, app, ["order.signed"])
    hook = Sent(desk.pages).webhook(
        app,
        sink.url,
        description=HOSTILE,
        filters=[{"path": "data.x", "op": "equals", "value": HOSTILE}],
        document_ids=[HOSTILE],
    )
    sink.body = HOSTILE.encode()
    with desk.open(f"/webhooks/{hook.id}") as page:
        page.get_by_role("button", name="Send a test").click()
        came = page.get_by_role("region", name="What came back")
        expect(came).to_contain_text("onerror", timeout=10_000)
        for path in (
            page.url.removeprefix(desk.address),
            f"/webhooks/{hook.id}",
            f"/webhooks/{hook.id}/edit",
            f"/applications/{app}",
            f"/applications/{app}/grants",
            "/webhooks?q=%22%3E%3Cscript%3Ewindow.owned%3D1%3C%2Fscript%3E",
            "/applications",
            "/failures",
            "/messages",
        ):
            page.goto(f"{desk.address}{path}")
            assert page.evaluate("window.owned") is None, path
            assert page.locator("img").count() == 0, path


def test_the_list_is_searched_as_one_types(desk):
    """Part of the address; the view can be sent as a link, and a chip takes it off."""
    sent = Sent(desk.pages)
    for host in ("erp", "crm"):
        sent.webhook(shop(desk), f"https://{host}.example.com/in")
    with desk.open("/webhooks") as page:
        page.get_by_label("Part of the address").fill("crm")
        page.wait_for_url("**/console/webhooks?q=crm")
        expect(page.locator("[data-row]")).to_have_count(1)
        page.locator(".chip").click()
        expect(page.locator("[data-row]")).to_have_count(2)
