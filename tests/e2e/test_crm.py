"""An opportunity gets its folder, a file there reaches it, a signature wins it: in a browser."""

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from e2e.test_hub import Running, eventually, running
from e2e.test_orders import PASSWORD, SEEN_MS, SEEN_S
from fakes.browser import ARGUMENTS, CHROMIUM
from fakes.sandbox import SandboxProcess
from inkwire.access.gate import CLI
from inkwire.cli.demo.vendor import connect, connect_salesforce, keep_in_step
from inkwire.integrations.desk import IntegrationChange
from inkwire.model.access import Role

ACCOUNT, DEAL, SIGNER = "Northwind Ltd", "Renewal 2027", "kim.lee@northwind.example"
#: Of a metadata template that holds values beside the record's ids.
FIELDS = ["opportunity_id", "account_id", "record_id", "next_step", "stage"]
#: A file that Salesforce takes as it is and that Box Sign makes a PDF of.
NAME, CONTRACT = "Agreement.txt", b"Services agreement between Northwind Ltd and us.\n"


@dataclass
class People:
    """Who looks at what: operations at the console, a seller at both vendors, the customer."""

    hub: Running
    sandbox: SandboxProcess
    browser: Browser
    wrong: list[str] = field(default_factory=list)

    async def page(self) -> Page:
        """Another window."""
        page = await self.browser.new_page()
        page.set_default_timeout(SEEN_MS)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        return page

    async def operations(self, path: str) -> Page:
        """The console at `path`, signed in."""
        page = await self.page()
        await page.goto(f"{self.hub.url}/console{path}")
        await page.get_by_label("Name").fill("ada")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("link", name="Files & records").first).to_be_attached()
        return page

    async def sells(self) -> Page:
        """A seller makes an account and an opportunity."""
        page = await self.page()
        await page.goto(f"{self.sandbox.url}/salesforce")
        await page.get_by_label("Account name").fill(ACCOUNT)
        await page.get_by_role("button", name="Create account").click()
        await expect(page.get_by_role("heading", name=ACCOUNT)).to_be_visible()
        await page.get_by_label("Opportunity name").fill(DEAL)
        await page.get_by_role("button", name="Create opportunity").click()
        await expect(page.get_by_role("heading", name=DEAL)).to_be_visible()
        return page

    async def puts_a_file(self) -> Page:
        """The opportunity's owner has access to its folder in Box, and drops a file there."""
        page = await self.page()
        await page.goto(f"{self.sandbox.url}/box/files")
        await page.get_by_label("You are").select_option(label="Sam Sales")
        await page.get_by_role("button", name="Change").click()
        place = page.locator("#folders").get_by_role("link", name="Contracts", exact=True)
        await seen(page, place)
        await place.first.click()
        await page.locator("#file-input").set_input_files(
            {"name": NAME, "mimeType": "text/plain", "buffer": CONTRACT}
        )
        await page.get_by_role("button", name="Upload", exact=True).click()
        await expect(page.get_by_role("button", name=NAME)).to_be_visible()
        return page

    async def signs(self) -> None:
        """The customer finds the mail, and signs."""
        page = await self.page()
        await page.goto(f"{self.sandbox.url}/")
        letter = page.get_by_role("link", name="Open")
        await seen(page, letter)
        await letter.first.click()
        name = page.get_by_label("Your name, as your signature")
        await name.fill("Kim Lee")
        # By the keyboard: a click while Chromium attaches the frame of the PDF is lost.
        await name.press("Enter")
        await expect(page.get_by_text("You have signed this")).to_be_visible()


def in_step(hub, sandbox):
    """Both connections, checked, the source, the template that Box's admin makes, all active."""
    assert all(check.ok for check in connect(hub, sandbox.box, name="box-sandbox"))
    found = connect_salesforce(hub, sandbox.salesforce, name="salesforce-sandbox")
    assert all(check.ok for check in found)
    fields = ["opportunity_id", "account_id", "record_id"]
    template = {"key": "salesforce_mapping", "title": "Salesforce", "fields": fields}
    sandbox.call("POST", "/box/templates", template)
    return keep_in_step(hub, box="box-sandbox", salesforce="salesforce-sandbox")


@asynccontextmanager
async def people(tmp_path):
    """A hub, the vendors, and a browser."""
    with SandboxProcess(tmp_path / "sandbox") as sandbox:
        async with (
            running(tmp_path / "data", outbound_allow="127.0.0.1/32", patience_s=6 * SEEN_S) as hub,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            yield People(hub, sandbox, browser)
            await browser.close()


@pytest.mark.browser
async def test_a_person_finds_everything_in_step(tmp_path):
    """New opportunity, its folder, a file in it, its Task, the ledger's proof, signed and won."""
    async with people(tmp_path) as cast:
        hub = cast.hub.hub
        integration = in_step(hub, cast.sandbox)
        hub.gate.add_user(CLI, name="ada", password=PASSWORD, role=Role.OPERATOR)
        console = await cast.operations(f"/integrations/{integration.label}")
        await seen(console, console.get_by_text("No record is new or changed."))

        # An opportunity appears; nobody need wait for the minute: “Now”.
        salesforce = await cast.sells()
        await console.get_by_role("button", name=re.compile("Now: Look for new")).click()
        await expect(console).to_have_url(re.compile("/runs/wrk_"))
        await console.goto(f"{cast.hub.url}/console/records/folders")
        mapped = console.get_by_role("link", name=DEAL)
        await seen(console, mapped)
        await mapped.click()
        heading = console.get_by_role("heading", level=1)
        await expect(heading).to_have_text(f"{DEAL} is Opportunity {DEAL}")

        # A file in its folder stands on it, with a Task that names who did it.
        box = await cast.puts_a_file()
        file = salesforce.get_by_role("row", name=re.compile("TXT ?Agreement"))
        await seen(salesforce, file)
        await seen(salesforce, salesforce.get_by_text(f"Sam Sales uploaded {NAME}, version 1"))

        # The console proves it: the same MD5 as Salesforce shows.
        md5 = await file.locator("code").inner_text()
        await console.goto(f"{cast.hub.url}/console/records/arrivals")
        await console.get_by_placeholder("File name, or any id").fill("agree")
        await expect(console.get_by_role("link", name=f"{NAME}, version 1")).to_be_visible()
        await seen(console, console.get_by_text("Verified"))
        await console.get_by_role("link", name=f"{NAME}, version 1").click()
        await expect(console.get_by_text(md5)).to_be_visible()
        await expect(console.get_by_role("heading", name=f"Opportunity {DEAL}")).to_be_visible()

        # It is sent for signature in Box and signed; within seconds the opportunity is won.
        await box.get_by_text("Actions").last.click()
        await box.get_by_label("Signer’s e-mail").fill(SIGNER)
        await box.get_by_role("button", name="Send for signature").click()
        await cast.signs()
        deal = salesforce.locator("article.deal", has=salesforce.get_by_role("heading", name=DEAL))
        await seen(salesforce, deal.locator(".pill", has_text="Closed Won"))
        assert cast.wrong == []


@pytest.mark.browser
async def test_a_person_maps_fields_tries_them_and_saves(tmp_path):
    """Fields chosen as both vendors describe them; the dry run writes nothing, the map does."""
    async with people(tmp_path) as cast:
        hub, sandbox = cast.hub.hub, cast.sandbox
        integration = in_step(hub, sandbox)
        sandbox.call("POST", "/box/templates", {"key": "deal", "title": "Deal", "fields": FIELDS})
        hub.integrations.change(
            CLI, integration.id, IntegrationChange(settings={"mapping_template": "deal"})
        )
        hub.gate.add_user(CLI, name="ada", password=PASSWORD, role=Role.ADMIN)
        console = await cast.operations(f"/integrations/{integration.label}")
        await seen(console, console.get_by_text("No record is new or changed."))
        await cast.sells()
        await console.get_by_role("button", name=re.compile("Now: Look for new")).click()
        await console.goto(f"{cast.hub.url}/console/records/folders")
        await seen(console, console.get_by_role("link", name=DEAL))

        # From the integration to its map; a worker asks both vendors while the page is open.
        await console.goto(f"{cast.hub.url}/console/integrations/{integration.label}")
        await console.get_by_role("link", name="Field map").click()
        await console.get_by_role("button", name="Add a field").click()
        await console.locator("select#f-box").select_option("next_step")
        await console.locator("select#f-target").select_option("Opportunity.StageName")
        await console.get_by_role("button", name="Add it to the map").click()
        await console.get_by_role("button", name="Add a field").click()
        await console.locator("select#f-box").select_option("stage")
        await console.locator("select#f-target").select_option("Opportunity.IsWon")
        await console.get_by_role("button", name="Add it to the map").click()
        await expect(console.get_by_text("cannot be changed by the connected user")).to_be_visible()
        await console.get_by_role("button", name="Change line 2").click()
        await console.get_by_label("Direction").select_option("to_box")
        await console.get_by_role("button", name="Done").click()
        await expect(console.get_by_text("cannot be changed")).to_have_count(0)

        before = written(sandbox)
        await console.get_by_label("Records to try it on").fill("5")
        await console.get_by_role("button", name="Dry run").click()
        await expect(console.get_by_text("nothing written")).to_be_visible()
        tried = console.get_by_role("article", name=f"Opportunity {DEAL}")
        await expect(tried).to_contain_text(re.compile("To Box.*Box gets “[A-Z]", re.DOTALL))
        await expect(tried).to_contain_text("1 field is in step")  # a flag that is not set is false
        assert written(sandbox) == before
        assert not hub.integrations.get(CLI, integration.id).settings["field_map"]

        await console.get_by_role("button", name="Save the map").click()
        await expect(console.get_by_text("Saved. Every folder")).to_be_visible()
        kept = hub.integrations.get(CLI, integration.id).settings["field_map"]
        assert kept == (
            "next_step = Opportunity.StageName text both nobody\n"
            "stage = Opportunity.IsWon flag to_box nobody"
        )
        assert cast.wrong == []


def written(sandbox: SandboxProcess) -> list[str]:
    """Calls that changed a record, or a folder's metadata."""
    return [
        f"{call['method']} {call['path']}"
        for call in sandbox.calls()
        if call["method"] in ("POST", "PUT", "PATCH", "DELETE")
        and ("metadata/enterprise" in call["path"] or "sobjects" in call["path"])
    ]


async def seen(page: Page, what: Locator) -> None:
    """Waits until the page shows it, loaded again and again; its address stays."""

    async def there() -> bool:
        await page.goto(page.url.partition("#")[0])
        return await what.count() > 0

    await eventually(there, seconds=SEEN_S)
