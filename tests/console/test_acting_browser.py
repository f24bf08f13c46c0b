"""Connections and runs in a real Chromium: what fills in by itself, and what works without."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from fakes.acted import CHECKS, Acted
from fakes.desk import PHONE, Desk, chromium_of
from fakes.pages import open_pages, served
from inkwire.clock import SystemClock
from inkwire.model.connection import ConnectionHealth
from inkwire.model.work import CommandKind, IntegrationState, LedgerState

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests here."""
    with chromium_of() as browser:
        yield browser


@pytest.fixture(scope="module")
def acted(chromium: Browser, tmp_path_factory: Any) -> Iterator[tuple[Desk, Acted]]:
    """A hub with a connection and an active integration."""
    folder = tmp_path_factory.mktemp("acting") / "hub"
    with open_pages(folder, clock=SystemClock()) as pages:
        day = Acted(pages, lambda seconds: None)
        pages.source("box", "box")
        day.connection("box-main", "Box – main", health=ConnectionHealth.OK)
        day.integration = day.integrate(
            "Contracts", IntegrationState.ACTIVE, connection_id="box-main"
        )
        with served(pages) as address:
            yield Desk(chromium, pages, address), day


def test_a_check_fills_in_by_itself(acted):
    """From the button to the findings, without another click."""
    desk, _ = acted
    with desk.open("/connections/box-main") as page:
        page.get_by_role("button", name="Request authentication").click()
        expect(page.locator("#check")).to_contain_text("The answer appears here by itself.")
        commands, now = desk.pages.hub.store.commands, desk.pages.hub.clock.now()
        asked = commands.latest(CommandKind.CHECK_CONNECTION, "box-main")
        commands.done(asked.id, at=now, result=CHECKS)
        expect(page.locator(".checks .failed")).to_contain_text("Manage signature requests")
        expect(page.locator("#live")).not_to_have_attribute("hx-trigger", "every 1s")


def test_a_file_that_is_chosen_goes_into_its_field(acted, tmp_path: Path):
    """The console's file is read by the page; what is wrong in it is told beside its field."""
    desk, _ = acted
    file = tmp_path / "config.json"
    file.write_text('{"boxAppSettings": "no"}')
    with desk.open("/new-connection/box/jwt", expected=422) as page:
        page.locator('[id="f-secrets.config_file"] ~ label input').set_input_files(file)
        field = page.get_by_label("Configuration file", exact=True)
        expect(field).to_have_value('{"boxAppSettings": "no"}')
        page.get_by_role("button", name="Make the connection").click()
        expect(page.locator('[id="f-secrets.config_file-error"]')).to_contain_text("boxAppSettings")
        expect(field).to_have_value("")


def test_a_doubt_is_decided_without_script(acted):
    """Forms and links alone."""
    desk, day = acted
    work, key = day.doubt("chg", "ord_1")
    with desk.open("/runs?parked=person", java_script_enabled=False) as page:
        page.get_by_role("link", name="Send for signature").click()
        page.get_by_label("Its id at the vendor").fill("5f0c1d2e")
        page.get_by_role("button", name="I found it: use this one").click()
        assert "Noted." in page.get_by_role("status").first.inner_text()
    entry = desk.pages.hub.store.ledger.get(key)
    assert (entry.state, entry.remote_id) == (LedgerState.DONE, "5f0c1d2e")
    assert desk.pages.hub.store.works.get(work.id).run_number == 2


def test_more_opens_on_a_phone(acted):
    """Five places stand in the bar; the others are one touch away, without script too."""
    desk, _ = acted
    with desk.open("/", viewport=PHONE, java_script_enabled=False) as page:
        bar = page.get_by_role("navigation", name="Main")
        assert bar.get_by_role("link").count() == 5
        bar.get_by_role("button", name="More").click()
        bar.get_by_role("link", name="Integrations").click()
        page.wait_for_url("**/console/integrations")
        assert "Contracts" in page.locator("main").inner_text()
