"""Files and records in a real Chromium: looks, layout, the keyboard, and news as they come."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from fakes.acted import Acted
from fakes.crm_rows import CrmRows, fill_crm
from fakes.desk import DESK, OPEN_FOLDS, PHONE, Desk, chromium_of, judged
from fakes.pages import open_pages, served
from inkwire.access.gate import CLI
from inkwire.clock import SystemClock
from inkwire.model.work import IntegrationState, WorkState

pytestmark = pytest.mark.browser

#: Largest shift of what is being read (console.md).
CALM = 0.02


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests here."""
    with chromium_of() as browser:
        yield browser


@pytest.fixture(scope="module")
def filled(chromium: Browser, tmp_path_factory: Any) -> Iterator[tuple[Desk, dict[str, str]]]:
    """A hub after a day between Box and Salesforce."""
    folder = tmp_path_factory.mktemp("crm") / "hub"
    with open_pages(folder, clock=SystemClock()) as pages:
        pages.source("box-contracts", "box", "Box – contracts")
        ids = fill_crm(pages, lambda seconds: None)
        with served(pages) as address:
            yield Desk(chromium, pages, address), ids


def paths(ids: dict[str, str]) -> list[str]:
    """Every page of the room, normal and empty."""
    label = ids["crm"]
    return [
        "/records",
        "/records/folders",
        "/records/folders?q=zzz",
        f"/records/folders/{label}/501",
        f"/records/folders/{label}/504",
        f"/records/field-map/{label}",
        f"/records/field-map/{label}?try={ids['crm_trial']}",
        "/records/arrivals",
        "/records/arrivals?q=zzz",
        f"/records/arrivals/{ids['crm_arrival']}",
        f"/records/arrivals/{ids['crm_failed']}",
        f"/records/arrivals/{ids['crm_left_out']}",
        "/records/tasks",
        "/records/unmapped",
        f"/integrations/{label}",
        f"/integrations/{label}/edit",
    ]


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("look", ["light", "dark"])
def test_the_pages_are_calm_fit_and_speak_to_everybody(filled, viewport, look):
    """Nothing scrolls sideways, nothing moves, and axe-core finds nothing serious."""
    desk, ids = filled
    found: dict[str, list[str]] = {}
    with desk.open("/records", viewport=viewport, color_scheme=look) as page:
        for path in paths(ids):
            page.goto(f"{desk.address}{path}")
            page.wait_for_load_state("load")
            assert page.evaluate("window.shifts") < CALM, path
            page.evaluate(OPEN_FOLDS)
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(wide) <= 0, path
            found |= judged(page, path, {})
    assert found == {}


def test_an_arrival_is_found_by_the_keyboard(filled):
    """The search narrows the list as one types; j and Enter open the row."""
    desk, _ = filled
    with desk.open("/records/arrivals") as page:
        page.get_by_placeholder("File name, or any id").focus()
        page.keyboard.type("annex")
        expect(page.locator("[data-row]")).to_have_count(1)
        page.wait_for_url("**q=annex*")
        page.reload()  # a view is its address
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/records/arrivals/int_*/9002/8003")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Annex 3")


def test_a_new_arrival_comes_under_a_quiet_bar(filled):
    """Nothing that is being read moves until one asks for it."""
    desk, ids = filled
    hub = desk.pages.hub
    integration = hub.store.integrations.get(int(ids["crm"].removeprefix("int_")))
    day = Acted(desk.pages, lambda seconds: None, integration)
    with desk.open("/records/arrivals") as page:
        rows = page.locator("[data-row]").count()
        work = day.run("evt_live", "sync_file", "box:file:9777")
        crm = CrmRows(hub, integration)
        crm.attachment(work.id, file_id="9777", version_id="8777", name="Live.pdf")
        day.end(work, WorkState.DONE, "Live.pdf is on Opportunity Renewal.")
        bar = page.get_by_text("1 new arrival")
        expect(bar).to_be_visible()
        assert page.locator("[data-row]").count() == rows
        page.keyboard.press("n")
        expect(page.get_by_role("link", name="Live.pdf, version 1")).to_be_visible()


def test_the_numbers_of_the_overview_move_by_themselves(filled):
    """Told by an event, not asked for; the focus stays on the number that it was on."""
    desk, ids = filled
    integration = desk.pages.hub.store.integrations.get(int(ids["crm"].removeprefix("int_")))
    day = Acted(desk.pages, lambda seconds: None, integration)
    with desk.open("/records") as page:
        link = page.locator("#n-work-1")
        before = int(link.inner_text())
        link.focus()
        for step in (1, 2):
            day.add(f"evt_live_{step}", "sync_file", f"box:file:98{step}")
            expect(link).to_have_text(str(before + step))
            expect(link).to_be_focused()


def test_the_field_map_is_edited_by_the_keyboard(filled):
    """A row opens with the focus in it, Enter keeps it, and the draft waits to be saved."""
    desk, ids = filled
    with desk.open(f"/records/field-map/{ids['crm']}") as page:
        page.get_by_role("button", name="Change line 1").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("group", name="Change the field")).to_be_focused()
        assert judged(page, "open row", {}) == {}
        page.keyboard.press("Tab")
        expect(page.get_by_label("Field in Box", exact=True)).to_be_focused()
        page.get_by_label("When both have changed").select_option("salesforce")
        page.get_by_role("button", name="Done").press("Enter")
        expect(page.get_by_role("button", name="Add a field")).to_be_focused()
        row = page.get_by_role("row", name="amount")
        expect(row).to_contain_text("Salesforce")
        expect(page.get_by_text("Not saved yet")).to_be_visible()


def test_a_folder_is_mapped_without_script(filled):
    """A form and a button alone; what waited is started."""
    desk, ids = filled
    with desk.open(
        f"/records/folders/{ids['crm']}/502", viewport=PHONE, java_script_enabled=False
    ) as page:
        page.get_by_label("Record in Salesforce").fill("006Dn00000QrStUIAV")
        page.get_by_role("button", name="Map the folder").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Letters is Opportunity")
    assert desk.pages.hub.store.works.get(ids["crm_work"]).state is WorkState.NEW


def test_the_field_map_is_changed_without_script(filled):
    """Buttons of one form: a row is taken away, the others are saved."""
    desk, ids = filled
    number = int(ids["crm"].removeprefix("int_"))
    # An active one is kept only with nothing else that is wrong with it.
    desk.pages.hub.integrations.move(CLI, number, IntegrationState.INACTIVE)
    with desk.open(
        f"/records/field-map/{ids['crm']}", viewport=PHONE, java_script_enabled=False
    ) as page:
        page.get_by_role("button", name="Remove line 4").click()
        expect(page.get_by_role("button", name="Remove line 4")).to_have_count(0)
        page.get_by_role("button", name="Change line 3").click()
        page.get_by_label("Direction").select_option("both")
        page.get_by_role("button", name="Save the map").click()
        expect(page.get_by_text("Saved. Every folder")).to_be_visible()
    kept = desk.pages.hub.store.integrations.get(number).settings["field_map"].split("\n")
    assert len(kept) == 3
    assert kept[2].startswith("close_date = Opportunity.CloseDate date both")
