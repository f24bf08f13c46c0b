"""The portal in a real Chromium: entered by a link, framed by its application's site alone."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from fakes.desk import DESK, OPEN_FOLDS, PHONE, Desk, chromium_of, judged
from fakes.pages import open_pages, served
from fakes.sent import Sent, fill_sent
from fakes.sites import endpoint, framing, working
from inkwire.access.gate import CLI
from inkwire.clock import ManualClock, SystemClock

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests here."""
    with chromium_of() as browser:
        yield browser


@pytest.fixture
def desk(chromium: Browser, tmp_path: Path) -> Iterator[Desk]:
    """A hub that has just been set up, its portal open."""
    with (
        open_pages(tmp_path / "hub", clock=SystemClock(), outbound_allow="127.0.0.0/8") as pages,
        served(pages) as address,
    ):
        yield Desk(chromium, pages, address.replace("/console", "/portal"))


def application(desk: Desk, *origins: str) -> str:
    """An application that may hear the tests' topic."""
    app = Sent(desk.pages).application("Northwind", *origins)
    desk.pages.hub.applications.set_grants(CLI, app, ["order.signed"])
    return app


def link(desk: Desk, app: str) -> str:
    """A link into its portal."""
    return f"{desk.address}/#{desk.pages.hub.portal.link(CLI, app)[0]}"


def test_a_link_opens_the_portal_and_leaves_no_trace(desk):
    """The token is out of the address and the history at once; the link opens nothing twice."""
    used = link(desk, application(desk))
    with desk.open("/", name="", expected=401) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto("about:blank")
        page.goto(used)
        page.wait_for_url("**/portal/webhooks")
        expect(page.get_by_role("heading", level=1)).to_have_text("Webhooks")
        expect(page.locator(".brand")).to_contain_text("Northwind")
        token = used.partition("#")[2]
        page.go_back()
        assert token not in page.url
        assert not [url for url in asked if token in url]
        page.context.clear_cookies()
        page.goto("about:blank")
        page.goto(used)
        expect(page.get_by_role("alert")).to_contain_text("used already")


def test_a_token_is_pasted_without_script(desk):
    """Everything in the portal works by forms and links alone."""
    whole = link(desk, application(desk))
    with (
        endpoint() as sink,
        working(desk.pages),
        desk.open("/", name="", java_script_enabled=False) as page,
    ):
        page.get_by_label("Link, or the token").fill(whole)
        page.get_by_role("button", name="Come in").click()
        page.get_by_role("link", name="New webhook").click()
        page.get_by_label("Topic").select_option("order.signed")
        page.get_by_label("Address").fill(sink.url)
        page.get_by_role("button", name="Make the webhook").click()
        assert "whsec_" in page.locator(".command code").inner_text()
        page.get_by_role("link", name="I have copied it").click()
        page.get_by_role("button", name="Pause").click()
        assert "Paused." in page.get_by_role("status").first.inner_text()
        page.get_by_role("button", name="Dark").click()
        assert page.locator("html").get_attribute("data-theme") == "dark"
        page.get_by_role("button", name="Leave").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You have left")


def test_the_applications_site_frames_its_portal(desk, chromium):
    """A frame of an allowed site shows it and works; one of another site shows nothing."""
    frame = [""]
    with ExitStack() as stack:
        allowed = stack.enter_context(framing(frame))
        other = stack.enter_context(framing(frame))
        sink = stack.enter_context(endpoint())
        stack.enter_context(working(desk.pages))
        app = application(desk, allowed)
        hook = Sent(desk.pages).webhook(app, sink.url)
        context = chromium.new_context(viewport=DESK)
        stack.callback(context.close)
        page = context.new_page()
        frame[0] = link(desk, app)
        page.goto(allowed)
        inside = page.frame_locator("iframe")
        expect(inside.get_by_role("heading", level=1)).to_have_text("Webhooks")
        inside.locator("[data-row] .row-link").click()
        inside.get_by_role("button", name="Send a test").click()
        came = inside.get_by_role("region", name="What came back")
        expect(came).to_contain_text("HTTP 200", timeout=10_000)
        inside.get_by_role("link", name="Open as it came").click()
        expect(inside.locator("body")).to_contain_text('{"received": true}')
        assert hook.id

        strange = chromium.new_context(viewport=DESK)
        stack.callback(strange.close)
        page = strange.new_page()
        refused: list[str] = []
        page.on("console", lambda m: refused.append(m.text) if m.type == "error" else None)
        frame[0] = link(desk, app)
        page.goto(other)
        page.wait_for_timeout(200)
        for _ in range(50):
            if refused:
                break
            page.wait_for_timeout(100)
        assert any("frame-ancestors" in text for text in refused), refused
        assert "Northwind" not in str([f.content() for f in page.frames if "error" not in f.url])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_fit_for_all(chromium, tmp_path, scheme):
    """axe finds nothing serious; at 360 px nothing scrolls sideways; no error on the console."""
    clock = ManualClock(SystemClock().now())
    found, too_wide = {}, {}
    with open_pages(tmp_path / "hub", clock=clock) as pages:
        ids = fill_sent(pages, lambda seconds: clock.advance(seconds=seconds))
        paths = [
            "/webhooks",
            f"/webhooks/{ids['down']}",
            f"/webhooks/{ids['good']}",
            f"/webhooks/{ids['good']}/edit",
            f"/webhooks/{ids['good']}/test",
            "/new-webhook",
            "/deliveries",
            f"/deliveries/{ids['retried']}",
            "/messages",
            f"/messages/{ids['message']}",
            "/topics",
            "/topics/order.signed",
        ]
        with served(pages) as address:
            desk = Desk(chromium, pages, address.replace("/console", "/portal"))
            with desk.open("/", name="", color_scheme=scheme) as page:
                found |= judged(page, "/", {})
                page.goto("about:blank")
                page.goto(link(desk, ids["shop"]))
                page.wait_for_url("**/portal/webhooks")
                for path in paths:
                    page.set_viewport_size(DESK)
                    page.goto(f"{desk.address}{path}")
                    page.evaluate(OPEN_FOLDS)
                    found |= judged(page, path, {})
                    page.set_viewport_size(PHONE)
                    width = page.evaluate("document.documentElement.scrollWidth")
                    if width > PHONE["width"]:
                        too_wide[path] = width
    assert found == {}
    assert too_wide == {}
