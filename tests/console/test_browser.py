"""The console in a real Chromium: what people see and do, with and without script.

Every page of every test is watched: one console error, one refused script or style, one failed
request, and the test fails.
"""

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from fakes.acted import fill_acting
from fakes.desk import DESK, OPEN_FOLDS, PHONE, Desk, chromium_of, judged, until
from fakes.pages import PASSWORD, fill, open_pages, served
from fakes.sent import fill_sent
from inkwire.clock import ManualClock, SystemClock
from inkwire.model.event import EventState

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests here."""
    with chromium_of() as browser:
        yield browser


@pytest.fixture(scope="module")
def day(chromium: Browser, tmp_path_factory: Any) -> Iterator[tuple[Desk, dict[str, str]]]:
    """A filled hub for tests that only look."""
    clock = ManualClock(SystemClock().now() - timedelta(hours=57))
    folder = tmp_path_factory.mktemp("day") / "hub"
    with open_pages(folder, clock=clock) as pages:
        ids = fill_sent(pages, lambda seconds: clock.advance(seconds=seconds))
        clock.advance(
            seconds=(SystemClock().now() - timedelta(hours=9) - clock.now()).total_seconds()
        )
        ids |= fill(pages, lambda seconds: clock.advance(seconds=seconds))
        ids |= fill_acting(pages, lambda seconds: clock.advance(seconds=seconds))
        with served(pages) as address:
            yield Desk(chromium, pages, address), ids


@pytest.fixture
def desk(chromium: Browser, tmp_path: Path) -> Iterator[Desk]:
    """A hub with one source and a few events, for tests that change something."""
    with open_pages(tmp_path / "hub", clock=SystemClock()) as pages:
        pages.source("boxc", "boxc", "BoxC fulfilment")
        for number in range(5):
            pages.send("boxc", "shipments-status", token=f"n{number}")
        pages.dispatch()
        with served(pages) as address:
            yield Desk(chromium, pages, address)


def looked_at(ids: dict[str, str]) -> list[str]:
    """Every kind of page, and an event in every state."""
    events = ("first", "two", "probable", "quarantined", "unparsable", "waiting")
    return [
        *(f"/events/{ids[name]}" for name in events),
        "/",
        "/events",
        "/events?source=box-contracts&state=quarantined",
        "/events?q=nothing-has-this",
        "/rejected",
        f"/rejected/{ids['rejected']}",
        "/sources",
        "/sources/box-contracts",
        "/new-source",
        "/new-source/generic?recipe=stripe",
        "/webhooks",
        "/webhooks?q=nothing-has-this",
        *(f"/webhooks/{ids[name]}" for name in ("good", "down", "gone", "paused")),
        f"/webhooks/{ids['good']}/edit",
        f"/webhooks/{ids['good']}/test",
        f"/webhooks/{ids['down']}/recover?kind=recover&since=2026-11-01T00:00",
        "/new-webhook",
        "/deliveries",
        *(f"/deliveries/{ids[name]}" for name in ("delivered", "retried", "due")),
        "/messages",
        f"/messages/{ids['message']}",
        "/failures?range=7d",
        "/jobs",
        f"/jobs/{ids['job']}",
        "/applications",
        f"/applications/{ids['shop']}",
        f"/applications/{ids['shop']}/grants",
        "/new-application",
        "/topics",
        "/topics/order.signed",
        "/topics/invoice.paid/edit",
        "/connections",
        "/connections/box-main",
        "/connections/box-old",
        "/new-connection/box/jwt",
        "/integrations",
        f"/integrations/{ids['integration']}",
        f"/integrations/{ids['integration']}/edit",
        "/runs",
        "/runs?state=dead",
        *(f"/runs/{ids[f'run_{name}']}" for name in ("doubt", "dead", "done")),
        "/settings/workers",
        "/settings",
        "/settings/users",
        "/settings/keys",
        "/settings/audit",
    ]


# --- coming in


def test_signing_in_by_keyboard(desk):
    """The name has the focus, Enter sends, a wrong password is told, and the way leads on."""
    with desk.open("/events?source=boxc", name="") as page:
        expect(page.get_by_label("Name")).to_be_focused()
        page.keyboard.type("admin")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/events?source=boxc")
        expect(page.get_by_role("heading", level=1)).to_have_text("Events")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("status").first).to_contain_text("You are signed out.")


# --- the list


def test_news_arrive_under_a_quiet_bar(desk):
    """Within two seconds of the commit, shifting nothing; a click shows them, and more may come."""
    with desk.open("/events") as page:
        rows = page.locator("[data-row]")
        expect(rows).to_have_count(5)
        before = rows.first.bounding_box()
        began = time.monotonic()
        desk.pages.send("boxc", "orders-status", token="new1")
        expect(page.locator(".news")).to_contain_text("1 new event", timeout=2_000)
        assert time.monotonic() - began < 2
        assert rows.first.bounding_box() == before
        assert rows.count() == 5
        desk.pages.send("boxc", "orders-status", token="new2")
        expect(page.locator(".news")).to_contain_text("2 new events")
        assert page.evaluate("window.shifts") < 0.02
        page.locator(".news").click()
        expect(rows).to_have_count(7)
        expect(page.locator(".news")).to_have_count(0)
        expect(rows.first).to_contain_text("boxc.orders_status")
        desk.pages.send("boxc", "orders-status", token="new3")
        expect(page.locator(".news")).to_contain_text("1 new event")


def test_filters_are_chips_in_the_address(day):
    """Choosing filters changes the address without loading the page; chips and Back undo it."""
    desk, _ = day
    with desk.open("/events") as page:
        page.evaluate("window.same = true")
        page.get_by_label("Source", exact=True).select_option("box-contracts")
        page.wait_for_url("**/console/events?source=box-contracts")
        page.get_by_label("State", exact=True).select_option("quarantined")
        page.wait_for_url("**/console/events?source=box-contracts&state=quarantined")
        expect(page.locator("[data-row]")).to_have_count(3)
        expect(page.locator(".chip")).to_have_count(2)
        assert page.evaluate("window.same"), "the page was not loaded anew"
        page.locator(".chip", has_text="Quarantined").click()
        page.wait_for_url("**/console/events?source=box-contracts")
        expect(page.get_by_label("State", exact=True)).to_have_value("")
        page.go_back()
        page.wait_for_url("**/console/events?source=box-contracts&state=quarantined")
        expect(page.locator("[data-row]")).to_have_count(3)


def test_search_finds_as_one_types(day):
    """A prefix of an e-mail address; the field keeps the focus, the address can be sent."""
    desk, _ = day
    with desk.open("/events") as page:
        page.keyboard.press("/")
        page.keyboard.type("jane.doe@")
        page.wait_for_url("**/console/events?q=jane.doe%40")
        expect(page.locator("[data-row]")).to_have_count(2)
        expect(page.locator("#q")).to_be_focused()
        expect(page.locator(".chip")).to_contain_text("jane.doe@")
        page.locator("#q").fill("zzz-none")
        expect(page.locator("#results")).to_contain_text("Nothing fits these filters")


def test_the_search_of_every_page_leads_to_the_list(day):
    """`/` and Enter, from anywhere."""
    desk, _ = day
    with desk.open("/sources") as page:
        page.keyboard.press("/")
        page.keyboard.type("jane.doe")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/events?q=jane.doe")
        expect(page.locator("[data-row]")).to_have_count(2)


def test_keys_move_and_open(desk):
    """`j`, `k`, Enter, `n`, `?`, Escape; typing in a field is typing."""
    with desk.open("/events") as page:
        focused = page.locator("[data-row]:focus-within")
        page.keyboard.press("j")
        expect(page.locator("[data-row]").nth(0).locator(".row-link")).to_be_focused()
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        expect(page.locator("[data-row]").nth(1).locator(".row-link")).to_be_focused()
        expect(focused).to_have_count(1)
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        page.keyboard.press("/")
        page.keyboard.type("jk?")
        expect(page.locator("#q")).to_have_value("jk?")
        expect(page.locator("#results")).to_contain_text("Nothing fits these filters")
        page.locator("#q").fill("")
        expect(page.locator("[data-row]")).to_have_count(5)
        page.keyboard.press("Escape")
        desk.pages.send("boxc", "orders-status", token="key")
        expect(page.locator(".news")).to_be_visible()
        page.keyboard.press("n")
        expect(page.locator("[data-row]")).to_have_count(6)
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/console/events/evt_"))


# --- an event


def test_an_event_page_is_worked_with(day):
    """Ids copy, times say local time on hover, the raw body opens as inert text."""
    desk, ids = day
    with desk.open(
        f"/events/{ids['first']}", permissions=["clipboard-read", "clipboard-write"]
    ) as page:
        page.get_by_role("button", name="Copy the receipt's id").click()
        expect(page.locator("#notice")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()").startswith("rcp_")
        page.get_by_role("button", name="Copy the indented body").click()
        until(lambda: "SIGN_REQUEST" in page.evaluate("navigator.clipboard.readText()"))
        expect(page.locator(".timeline time").first).to_have_attribute(
            "title", re.compile("UTC · .* local")
        )
        page.get_by_role("link", name="Open as received").click()
        assert page.evaluate("document.contentType") == "text/plain"


def test_release_from_quarantine_takes_one_click(desk):
    """The sentence stands beside the button; afterwards the page says what comes next."""
    late = SystemClock().now() - timedelta(hours=2)
    desk.pages.source("box", "box")
    event_id = desk.pages.event_id(desk.pages.send("box", "file-moved", token="l", signed=late))
    with desk.open(f"/events/{event_id}", name="olga") as page:
        expect(page.locator(".banner.attention")).to_contain_text("Releasing lets it in")
        page.get_by_role("button", name="Release from quarantine").click()
        expect(page.get_by_role("status").first).to_contain_text("Released.")
        expect(page.locator(".timeline")).to_contain_text("Released from the quarantine by olga.")
        assert desk.pages.state(event_id) is EventState.NEW


# --- sources


def test_a_source_is_made_and_its_secret_rotated(desk):
    """From the button to the made-up secret, shown once even if the page is loaded again."""
    with desk.open("/sources") as page:
        page.get_by_role("link", name="New source").click()
        page.get_by_role("link", name="BoxC Logistics").click()
        page.get_by_label("Name", exact=True).fill("Warehouse")
        page.get_by_label("Id", exact=True).fill("warehouse")
        page.get_by_role("button", name="Make the source").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("The source Warehouse is made")
        secret = page.locator(".command code").inner_text()
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("Warehouse")
        assert secret not in page.content()
        expect(page.locator(".prose")).to_contain_text("/in/warehouse")
        page.get_by_text("Replace it").click()
        page.get_by_label("New secret").fill("another-key-of-24-chars.")
        page.get_by_label("The present one stays valid for").select_option("3600")
        page.get_by_role("button", name="Use the new secret").click()
        expect(page.get_by_role("status").first).to_contain_text("The new secret is in use")
        expect(page.locator(".secrets li")).to_have_count(2)
        expect(page.locator(".secrets")).to_contain_text("ends in 59 min")


def test_a_wrong_field_is_told_beside_it(desk):
    """The sentence is tied to its input for screen readers, and what was typed stays."""
    with desk.open("/new-source/boxc", expected=422) as page:
        page.get_by_label("Id", exact=True).fill("Not An Id")
        page.get_by_role("button", name="Make the source").click()
        field = page.get_by_label("Id", exact=True)
        expect(field).to_have_value("Not An Id")
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#f-id-error")).to_contain_text("lower-case letters")


# --- every page


@pytest.mark.parametrize(
    ("scheme", "rules"),
    [("light", {}), ("dark", {"runOnly": ["color-contrast", "link-in-text-block"]})],
    ids=["light, all rules", "dark, colours"],
)
def test_nothing_serious_for_axe(day, scheme, rules):
    """Names, roles, contrast: 0 serious or critical findings on every page, light and dark."""
    desk, ids = day
    found: dict[str, list[str]] = {}
    with desk.open("/sign-in", name="", color_scheme=scheme) as page:
        found |= judged(page, "/sign-in", rules)
    with desk.open("/", color_scheme=scheme) as page:
        for path in looked_at(ids):
            page.goto(f"{desk.address}{path}")
            page.evaluate(OPEN_FOLDS)
            found |= judged(page, path, rules)
    assert found == {}


def test_a_phone_never_scrolls_sideways(day):
    """At 360 px, on every page, with every fold open."""
    desk, ids = day
    too_wide = {}
    with desk.open("/", viewport=PHONE) as page:
        for path in looked_at(ids):
            page.goto(f"{desk.address}{path}")
            page.evaluate(OPEN_FOLDS)
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > PHONE["width"]:
                too_wide[path] = width
        assert too_wide == {}
        page.goto(f"{desk.address}/")
        page.get_by_role("button", name="More").click()
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings").click()
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_nothing_jumps_while_a_page_loads(day):
    """Layout shift stays below 0.02 on every page, wide and narrow."""
    desk, ids = day
    for size in (DESK, PHONE):
        with desk.open("/", viewport=size) as page:
            for path in looked_at(ids):
                page.goto(f"{desk.address}{path}", wait_until="load")
                page.evaluate(
                    "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
                )
                assert page.evaluate("window.shifts") < 0.02, path


def test_nothing_jumps_when_the_script_comes_late(day):
    """The first picture on a phone has the place of everything, whatever the script adds to it."""
    desk, ids = day
    drawn = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    with desk.open("/", viewport=PHONE) as page:
        held: list[Any] = []

        def hold(route: Any) -> None:
            held.append(route)

        page.route("**/console*.js*", hold)
        for path in looked_at(ids):
            page.goto(f"{desk.address}{path}", wait_until="commit")
            page.locator("main").wait_for()
            page.evaluate(drawn)
            assert page.evaluate("document.documentElement.className") == "", "it is not there yet"
            for route in held:
                route.continue_()
            held.clear()
            page.wait_for_load_state("load")
            page.evaluate(drawn)
            assert page.evaluate("window.shifts") < 0.02, path


def test_light_and_dark_follow_the_system_until_chosen(desk):
    """The same tokens give both; the choice outlives the page."""

    def ground(page: Page) -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    with desk.open("/", color_scheme="dark") as page:
        dark = ground(page)
        page.get_by_role("button", name="Light").click()
        light = ground(page)
        assert light != dark
        page.goto(f"{desk.address}/events")
        assert ground(page) == light
        page.get_by_role("button", name="Follow the system").click()
        assert ground(page) == dark
        page.emulate_media(color_scheme="light")
        assert ground(page) == light


def test_everything_works_without_script(desk):
    """Sign in, filter, open, release, rotate: forms and links alone."""
    late = SystemClock().now() - timedelta(hours=2)
    desk.pages.source("box", "box")
    desk.pages.send("box", "file-moved", token="l", signed=late)
    with desk.open("/", name="", java_script_enabled=False) as page:
        page.get_by_label("Name").fill("admin")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Events").click()
        assert page.locator("[data-row]").count() == 6
        page.get_by_label("State", exact=True).select_option("quarantined")
        page.get_by_role("button", name="Apply").click()
        page.wait_for_url("**/console/events?state=quarantined")
        assert page.locator("[data-row]").count() == 1
        assert page.locator("button.copy:visible").count() == 0
        page.get_by_role("button", name="Release this one").click()
        assert "Released 1" in page.get_by_role("status").first.inner_text()
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Sources").click()
        page.get_by_role("link", name="BoxC fulfilment").click()
        page.get_by_role("button", name="Pause").click()
        assert "Paused." in page.get_by_role("status").first.inner_text()
        page.get_by_role("button", name="Dark").click()
        assert page.locator("html").get_attribute("data-theme") == "dark"
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/console/sign-in")


HOSTILE = '"><img src=x onerror="window.owned=1"></pre></script><script>window.owned=1</script>'


def test_hostile_content_stays_inert(desk):
    """Type, id, header, body, name, URL: the browser runs none of it and asks for none of it."""
    desk.pages.source("orders", "standardwebhooks", HOSTILE)
    text = HOSTILE.replace('"', '\\"')
    body = f'{{"type": "{text}", "id": "{text}", "data": {{"id": "{text}"}}}}'.encode()
    headers = ((b"x-evil", HOSTILE.encode()),)
    intake = desk.pages.send("orders", "contact-created", body=body, headers=headers)
    desk.pages.send(
        "orders", "contact-created", token="r", secret="whsec_" + "A" * 32, headers=headers
    )
    desk.pages.dispatch()
    with desk.open("/") as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for path in (
            "/",
            "/events",
            "/events?q=%22%3E%3Cscript%3Ewindow.owned%3D1%3C%2Fscript%3E",
            f"/events/{desk.pages.event_id(intake)}",
            "/sources/orders",
            "/rejected?source=orders",
            "/settings/audit",
            f"/receipts/{intake.receipt_id}/raw",
        ):
            page.goto(f"{desk.address}{path}")
            assert page.evaluate("window.owned") is None, path
            assert page.locator("img").count() == 0, path
        assert [url for url in asked if url.endswith("/x")] == []


def test_a_news_bar_with_a_hostile_filter_is_inert(desk):
    """The bar's markup comes over the wire: its link is escaped like everything else."""
    desk.pages.source("orders", "standardwebhooks")
    entity = "%22%3E%3Cimg%20src%3Dx%20onerror%3Dwindow.owned%3D1%3E"
    with desk.open(f"/events?entity={entity}") as page:
        expect(page.locator(".chip")).to_contain_text("<img src=x")
        assert page.evaluate("window.owned") is None
