"""Orders and templates in a real Chromium: the PDF in the page, the forms, the news, the look."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from fakes.desk import DESK, OPEN_FOLDS, PHONE, Desk, chromium_of, judged
from fakes.orders import OLGA, fill_orders
from fakes.pages import open_pages, served
from inkwire.access.gate import CLI
from inkwire.clock import ManualClock, SystemClock

pytestmark = pytest.mark.browser
#: All folds but those that hold a PDF.
UNFOLD = OPEN_FOLDS.replace("'details'", "'details:not(:has(iframe))'")


@pytest.fixture(scope="module")
def day(tmp_path_factory: Any) -> Iterator[tuple[Desk, dict[str, str]]]:
    """A hub with an order in every condition, in front of one browser."""
    clock = ManualClock(SystemClock().now() - timedelta(hours=3))
    with open_pages(tmp_path_factory.mktemp("orders") / "hub", clock=clock) as pages:
        ids = fill_orders(pages, lambda seconds: clock.advance(seconds=seconds))
        with chromium_of() as chromium, served(pages) as address:
            yield Desk(chromium, pages, address), ids


def sees_a_pdf(page: Page) -> None:
    """Waits until the browser shows one: its viewer is a frame of its own, apart from our pages."""
    for _ in range(200):
        if any(frame.url.startswith("chrome-extension://") for frame in page.frames):
            return
        page.wait_for_timeout(50)
    raise AssertionError("no PDF came into view")


def test_a_stored_pdf_is_looked_at_in_the_page(day):
    """The browser's own viewer takes it under our policy, once it is asked for."""
    desk, ids = day
    with desk.open(f"/orders/{ids['order_signed']}") as page:
        expect(page.get_by_text("Chain intact")).to_be_visible()
        assert {frame.url for frame in page.frames} == {page.url, ""}, "nobody opened one yet"
        page.locator(f"#{ids['document']} summary").click()
        page.locator(f"#{ids['document']} iframe").scroll_into_view_if_needed()
        sees_a_pdf(page)
        shown = page.request.get(f"{desk.address}/documents/{ids['document']}/raw")
        assert shown.body().startswith(b"%PDF-")


def test_a_template_is_written_with_its_preview_beside_it(day):
    """The PDF, then an error at its line, a click to it, and a save after a preview."""
    desk, ids = day
    with desk.open(f"/templates/{ids['template']}", expected=422) as page:
        sees_a_pdf(page)
        source = page.get_by_label("Source")
        source.fill("One\n#nothing\nThree")
        expect(page.locator(".gutter")).to_have_text("1\n2\n3\n")
        page.get_by_role("button", name="Preview").click()
        frame = page.frame_locator("iframe.pdf")
        expect(frame.get_by_text("Line 2, column 2")).to_be_visible()
        expect(frame.locator("pre")).to_contain_text("#nothing")
        page.get_by_role("button", name="Save as version 2").click()
        expect(page.locator(".gutter mark")).to_have_text("2")
        page.get_by_role("link", name="Line 2, column 2").click()
        assert page.evaluate("document.activeElement.selectionStart") == len("One\n#")
        source.fill("One\nTwo")
        page.get_by_label("Number or id of the order").fill("1042")
        page.get_by_role("button", name="Preview").click()
        sees_a_pdf(page)
        page.get_by_role("button", name="Save as version 2").click()
        expect(page.get_by_role("status").first).to_contain_text("Saved as version 2.")


def test_an_order_from_the_form_to_its_signature_request(day):
    """Typed by hand with a line more; what it will send is said before it is sent; news arrive."""
    desk, _ = day
    with desk.open("/orders") as listed, desk.open("/new-order") as page:
        page.get_by_role("textbox", name="Number").fill("2026-7")
        customer = page.get_by_role("group", name="Customer")
        customer.get_by_label("Name").fill("Ann")
        customer.get_by_label("E-mail address").fill("ann@example.com")
        page.get_by_label("Description").nth(2).fill("Third")
        page.get_by_role("button", name="Add a line").click()
        expect(page.get_by_label("Description")).to_have_count(4)
        expect(page.get_by_label("Description").nth(2)).to_have_value("Third")
        page.get_by_label("Description").nth(3).fill("Fourth")
        page.get_by_label("Unit price").nth(3).fill("12.50")
        page.get_by_role("button", name="Take in the order").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(
            "Order 2026-7 of Ann was taken in"
        )
        expect(page.get_by_role("table", name="Lines of the order")).to_contain_text("12.50 EUR")
        expect(listed.locator(".news")).to_contain_text("1 new order")
        page.get_by_role("button", name="Request signature…").click()
        expect(page.locator("#sure")).to_contain_text("Sends the document to ann@example.com")
        page.get_by_role("button", name="Move to Request signature").click()
        expect(page.locator(".timeline .next")).to_contain_text("begins its work")
        desk.pages.hub.orders.change(OLGA, "2026-7", {"company": {"name": "Acme"}})
        expect(page.locator(".news")).to_contain_text("1 new line")
        page.locator(".news").click()
        expect(page.locator(".timeline")).to_contain_text("Changed: company.name.")
        expect(page.get_by_role("complementary")).to_contain_text("Acme")


def test_the_same_works_without_script(day):
    """Another row, another status, the chain: by plain forms and links."""
    desk, _ = day
    order = desk.pages.hub.orders.add(CLI, {"number": "plain-1", "customer": {"name": "Bo"}})
    with desk.open(f"/orders/{order.id}/edit", java_script_enabled=False) as page:
        page.get_by_role("button", name="Add a field").click()
        expect(page.get_by_role("group", name="Field 2")).to_be_visible()
        page.get_by_role("group", name="Field 2").get_by_label("Name").fill("po")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/console/orders/{order.id}")
        expect(page.get_by_role("complementary")).to_contain_text("po")
        page.get_by_role("button", name="Cancelled").click()
        expect(page.locator(".title .mark")).to_have_text("Cancelled")
        page.get_by_role("link", name="Check the chain").click()
        expect(page.locator("#chain")).to_contain_text("3 links")


def test_the_pages_are_fit_for_everybody(day, chromium_rules):
    """No serious finding of axe in light and dark, nothing wider than a phone, nothing jumps."""
    desk, ids = day
    signed = f"/orders/{ids['order_signed']}"
    judged_paths = ["/orders", signed, f"{signed}/edit", "/statuses", "/new-template"]
    others = [f"{signed}/evidence", f"/orders/{ids['order_new']}?move=request_signature"]
    found: dict[str, list[str]] = {}
    with desk.open("/orders", color_scheme="light", viewport=PHONE) as page:
        for path in (*judged_paths, *others):
            page.goto(f"{desk.address}{path}")
            assert page.evaluate("window.shifts") < 0.02, path
            page.evaluate(UNFOLD)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
            if path == signed:
                found |= judged(page, f"{path} light", chromium_rules)
    with desk.open("/orders", color_scheme="dark", viewport=DESK) as page:
        for path in judged_paths:
            page.goto(f"{desk.address}{path}")
            page.evaluate(UNFOLD)
            found |= judged(page, f"{path} dark", chromium_rules)
    assert found == {}


@pytest.fixture
def chromium_rules() -> dict[str, Any]:
    """What axe looks at: our pages, not the browser's viewer in a frame."""
    return {"iframes": False}
