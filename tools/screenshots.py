"""Takes a picture of every console page: light, dark and phone (`python tools/screenshots.py DIR`).

For a person to look at before a release. The hub is a fresh one in a temporary folder, filled with
the providers' samples at fixed times, so that two runs can be compared.
"""

import sys
import tempfile
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from inkwire.access.gate import CLI
from inkwire.clock import ManualClock

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
BROWSER, PAGES = import_module("fakes.browser"), import_module("fakes.pages")
SENT, CRM = import_module("fakes.sent"), import_module("fakes.crm_rows")

START = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 900}
#: Pixels of a page that are taken.
TALLEST = 1700
LOOKS = (("light", "light", DESK), ("dark", "dark", DESK), ("phone", "light", PHONE))


def main(folder: Path) -> None:
    """Writes `NAME.LOOK.png` for each page and look into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    clock = ManualClock(START)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER.CHROMIUM, args=BROWSER.ARGUMENTS
        )
        with (
            PAGES.open_pages(Path(data) / "hub", clock=clock) as pages,
            PAGES.served(pages) as address,
        ):
            take(
                browser,
                address,
                {
                    "overview-empty": "/",
                    "events-empty": "/events",
                    "webhooks-empty": "/webhooks",
                    "records-empty": "/records",
                    "arrivals-empty": "/records/arrivals",
                },
                folder,
                START,
            )
            ids = SENT.fill_sent(pages, lambda seconds: clock.advance(seconds=seconds))
            ids |= PAGES.fill(pages, lambda seconds: clock.advance(seconds=seconds))
            ids |= CRM.fill_crm(pages, lambda seconds: clock.advance(seconds=seconds))
            take(browser, address, views(ids) | sending(ids) | records(ids), folder, clock.now())
            portal = address.replace("/console", "/portal")
            take_portal(browser, portal, pages.hub, ids, folder=folder, now=clock.now())
        browser.close()


def views(ids: dict[str, str]) -> dict[str, str]:
    """Name of each picture → the page's address."""
    events = {
        f"event-{name}": f"/events/{ids[name]}"
        for name in ("first", "two", "probable", "quarantined", "unparsable", "waiting")
    }
    return events | {
        "sign-in": "/sign-in",
        "overview": "/",
        "events": "/events",
        "events-filtered": "/events?source=box-contracts&state=quarantined",
        "events-nothing": "/events?q=nothing+has+this",
        "events-wrong": "/events?range=century",
        "rejected": "/rejected",
        "rejected-one": f"/rejected/{ids['rejected']}",
        "sources": "/sources",
        "source": "/sources/box-contracts",
        "source-generated": "/sources/boxc",
        "choose-provider": "/new-source",
        "new-source": "/new-source/box",
        "account": "/settings",
        "users": "/settings/users",
        "keys": "/settings/keys",
        "audit": "/settings/audit",
        "not-found": "/sources/gone",
    }


def sending(ids: dict[str, str]) -> dict[str, str]:
    """The pages of webhooks and of what was sent."""
    hooks = {
        f"webhook-{name}": f"/webhooks/{ids[name]}" for name in ("good", "down", "paused", "gone")
    }
    deliveries = {
        f"delivery-{name}": f"/deliveries/{ids[name]}" for name in ("delivered", "retried", "due")
    }
    recover = f"/webhooks/{ids['down']}/recover"
    return (
        hooks
        | deliveries
        | {
            "webhooks": "/webhooks",
            "webhooks-nothing": "/webhooks?q=nothing+has+this",
            "new-webhook": "/new-webhook",
            "webhook-edit": f"/webhooks/{ids['good']}/edit",
            "webhook-test": f"/webhooks/{ids['good']}/test",
            "recover": f"{recover}?kind=replay_missing&since=2026-11-01T00:00",
            "recover-wrong": f"{recover}?kind=recover&since=soon",
            "deliveries": "/deliveries",
            "messages": "/messages",
            "message": f"/messages/{ids['message']}",
            "failures": "/failures?range=7d",
            "jobs": "/jobs",
            "job": f"/jobs/{ids['job']}",
            "applications": "/applications",
            "application": f"/applications/{ids['shop']}",
            "grants": f"/applications/{ids['shop']}/grants",
            "topics": "/topics",
            "topic": "/topics/order.signed",
            "new-topic": "/new-topic",
        }
    )


def records(ids: dict[str, str]) -> dict[str, str]:
    """The pages between Box and Salesforce."""
    label = ids["crm"]
    return {
        "records": "/records",
        "folders": "/records/folders",
        "folders-nothing": "/records/folders?q=nothing+has+this",
        "folder": f"/records/folders/{label}/501",
        "folder-conflict": f"/records/folders/{label}/504",
        "field-map": f"/records/field-map/{label}",
        "field-map-tried": f"/records/field-map/{label}?try={ids['crm_trial']}",
        "arrivals": "/records/arrivals",
        "arrival": f"/records/arrivals/{ids['crm_arrival']}",
        "arrival-failed": f"/records/arrivals/{ids['crm_failed']}",
        "arrival-left-out": f"/records/arrivals/{ids['crm_left_out']}",
        "record-tasks": "/records/tasks",
        "unmapped": "/records/unmapped",
    }


def take_portal(
    browser: Browser, address: str, hub: Any, ids: dict[str, str], *, folder: Path, now: datetime
) -> None:
    """Pictures of the portal in each look: its entry, and pages inside."""
    wanted = {
        "webhooks": "/webhooks",
        "webhook": f"/webhooks/{ids['down']}",
        "delivery": f"/deliveries/{ids['retried']}",
        "topic": "/topics/order.signed",
    }
    for look, scheme, size in LOOKS:
        context = browser.new_context(color_scheme=scheme, viewport=size)  # type: ignore[arg-type]
        page = context.new_page()
        page.clock.set_fixed_time(now)
        page.goto(f"{address}/")
        page.screenshot(path=folder / f"portal-entry.{look}.png")
        page.goto("about:blank")  # from here on another fragment is another page
        page.goto(f"{address}/#{hub.portal.link(CLI, ids['shop'])[0]}")
        page.wait_for_url(f"{address}/webhooks")
        for name, path in wanted.items():
            page.goto(f"{address}{path}")
            page.screenshot(path=folder / f"portal-{name}.{look}.png", full_page=look != "phone")
        context.close()


def take(
    browser: Browser, address: str, wanted: dict[str, str], folder: Path, now: datetime
) -> None:
    """Pictures of each page in each look."""
    for look, scheme, size in LOOKS:
        context = browser.new_context(color_scheme=scheme, viewport=size)  # type: ignore[arg-type]
        page = context.new_page()
        page.clock.set_fixed_time(now)
        if "sign-in" in wanted:
            page.goto(f"{address}/sign-in")
            page.screenshot(path=folder / f"sign-in.{look}.png")
        sign_in(page, address)
        for name, path in wanted.items():
            if name != "sign-in":
                page.goto(f"{address}{path}")
                height = page.evaluate("document.documentElement.scrollHeight")
                area = {"x": 0, "y": 0, "width": size["width"], "height": min(height, TALLEST)}
                page.screenshot(
                    path=folder / f"{name}.{look}.png",
                    full_page=look != "phone",
                    clip=area if look != "phone" else None,  # type: ignore[arg-type]
                )
        context.close()


def sign_in(page: Page, address: str) -> None:
    """As the administrator of the sample hub."""
    page.goto(f"{address}/sign-in")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(PAGES.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{address}/")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"))
