"""An Outbound Message wakes the poll: record saved → message → acknowledged → its folder."""

import asyncio
from datetime import timedelta

import pytest
import requests

from e2e.test_crm import in_step
from e2e.test_hub import eventually, running
from fakes.sandbox import SandboxProcess, until
from inkwire.access.gate import CLI
from inkwire.engine.schedule import slot_of
from inkwire.integrations.box_salesforce import INTEGRATION
from inkwire.integrations.desk import IntegrationChange
from inkwire.model.crm import FolderState
from inkwire.model.event import EventState
from inkwire.model.source import Secret
from inkwire.model.verdict import Reason
from inkwire.model.work import WorkState
from inkwire.providers.registry import case
from inkwire.providers.salesforce import PROVIDER
from inkwire.sources.desk import SourceDraft
from inkwire.sources.drafting import SourceChange
from inkwire.store.acting import WorkQuery
from inkwire.store.contract import EventQuery, RejectionQuery

SECRET = "q7Jd0xV1mZ4sB9tYc2LhRw8u"
#: Seconds for all of it: far less than a slot of the poll (60 s) with its runs.
SEEN_S = 40
#: Seconds of the poll's slot that must be left, so that the clock finds nothing first.
LEFT_S = 20


class World:
    """A hub, the vendors, and what went between them."""

    def __init__(self, hub, sandbox) -> None:
        self.hub, self.sandbox = hub, sandbox
        self.store = hub.hub.store
        self.integration = in_step(hub.hub, sandbox)

    def listen(self, *, organization: str) -> None:
        """A source for Salesforce, heard by the integration, and told by Salesforce."""
        desk, secrets = self.hub.hub.desk, {"secret": SECRET}
        settings = {"organization_id": organization}
        desk.create(
            CLI,
            SourceDraft(
                id="crm", provider="salesforce", name="CRM", settings=settings, secrets=secrets
            ),
        )
        # The web process knows it within a second; without a secret it refuses, then.
        until(lambda: requests.post(f"{self.hub.url}/in/crm", timeout=60).status_code == 401)
        both = IntegrationChange(source_ids=["crm", "box-sandbox"])
        heard = self.hub.hub.integrations.change(CLI, self.integration.id, both)
        assert [one.text for one in heard.problems if one.blocks] == []
        for name in ("Account", "Opportunity"):
            url = f"{self.hub.url}/in/crm?secret={SECRET}"
            self.sandbox.call(
                "POST", "/salesforce/outbound", {"object": name, "fields": ["Id"], "url": url}
            )

    def rows(self, workflow: str):
        """Work of the integration, newest first."""
        query = WorkQuery(integration_id=self.integration.id, workflow=workflow, limit=200)
        return self.store.works.page(query)

    def woken(self):
        """Polls that a message made."""
        return [row for row in self.rows("poll_records") if "/at/" in row.key]

    def waiting(self) -> int:
        """Notifications that are not acknowledged."""
        return sum(one["waiting"] for one in self.sandbox.call("GET", "/salesforce/outbound"))

    def events(self, **more):
        """Salesforce's events."""
        found = self.store.events.page(EventQuery(source_id="crm", limit=200, **more))
        return [event for event in found if event.type.startswith("salesforce.")]

    async def until(self, ask) -> None:
        """Asks, away from the loop that serves, until it is so."""

        async def found():
            return await asyncio.to_thread(ask)

        await eventually(found, seconds=SEEN_S)

    async def early_in_a_slot(self) -> None:
        """The clock's next poll is far away, and none is under way."""
        (upkeep,) = (one for one in INTEGRATION.upkeep if one.workflow == "poll_records")

        def quiet():
            now = self.hub.hub.clock.now()
            later = now + timedelta(seconds=LEFT_S)
            slots = {slot_of(self.integration.id, upkeep, one) for one in (now, later)}
            rows = self.rows("poll_records")
            return len(slots) == 1 and rows and all(r.state is WorkState.DONE for r in rows)

        await self.until(quiet)

    def folder(self, record: str):
        """The record's folder, if it has one."""
        return self.store.record_folders.of_record(self.integration.id, record)

    def still(self) -> bool:
        """Nothing is on its way: no message, no event, no work."""
        busy = (WorkState.NEW, WorkState.RUNNING)
        works = [row for name in ("poll_records", "provision") for row in self.rows(name)]
        return self.waiting() == 0 and all(row.state not in busy for row in works)


@pytest.fixture
def sandbox(tmp_path):
    """The vendors."""
    with SandboxProcess(tmp_path / "sandbox") as started:
        yield started


async def test_a_message_wakes_the_poll(tmp_path, sandbox):
    """A folder without waiting for the minute; a storm is one poll; our own writes end by it."""
    async with running(tmp_path / "data", outbound_allow="127.0.0.1/32", patience_s=180) as hub:
        world = await asyncio.to_thread(World, hub, sandbox)
        await asyncio.to_thread(
            lambda: world.listen(organization=sandbox.salesforce["organization_id"])
        )
        await world.early_in_a_slot()
        account = await asyncio.to_thread(lambda: sandbox.add_record("Account", Name="Northwind"))
        await world.until(lambda: world.folder(account["Id"]) is not None)
        folder = world.folder(account["Id"])
        assert folder.state is FolderState.MAPPED
        woken = world.woken()
        assert woken and "new or changed" in " ".join(row.note for row in woken)
        assert all(row.event_id for row in woken)
        [provision] = world.rows("provision")[-1:]
        assert provision.subject["record_id"] == account["Id"]

        # A hundred and twenty saved at once are one or two polls, and as many events.
        await world.until(world.still)
        before = len(world.woken())
        for number in range(3):
            rows = {"Name": f"Storm {number}"}
            await asyncio.to_thread(lambda rows=rows: sandbox.add_record("Account", **rows))
        await asyncio.to_thread(lambda: _touch(sandbox, account["Id"], 120))
        await world.until(lambda: len(world.events()) >= 120)
        await world.until(world.still)
        assert 1 <= len(world.woken()) - before <= 8, "never one each"
        assert len({row.key for row in world.woken()}) == len(world.woken())

        # What Inkwire writes itself is told as well, and wakes no more work.
        assert [event for event in world.events() if event.dispatch_error] == []
        works = len(world.rows("provision"))
        await asyncio.to_thread(lambda: _deliver(hub, sandbox))
        await world.until(world.still)
        assert len(world.rows("provision")) == works


def _touch(sandbox, record: str, times: int) -> None:
    """Somebody saves a record again and again, each with a notification of its own."""
    for number in range(times):
        sandbox.change_record("Account", record, Description=f"touched {number}")


def _deliver(hub, sandbox) -> None:
    """The same message twice, as Salesforce repeats one whose answer was lost: both acknowledged."""
    receiver = PROVIDER.receive
    source = hub.hub.desk.get(CLI, "crm")
    body = receiver.fresh(case(PROVIDER, "account-notified").body, "twice")
    signed = receiver.sign(
        body, [Secret(id="x", role="secret", value=SECRET.encode())], source.settings,
        hub.hub.clock.now(),
        event_type="salesforce.Account.notified", delivery_id="x",
    )  # fmt: skip
    # Salesforce repeats a notification with the record as it is by then.
    for text in (signed.body, signed.body.replace(b"Acme", b"Acme Ltd")):
        answer = requests.post(
            f"{hub.url}/in/crm?{signed.query}", data=text, headers=dict(signed.headers),
            timeout=60,
        )  # fmt: skip
        assert answer.status_code == 200 and b"<Ack>true</Ack>" in answer.content
        assert answer.headers["content-type"].startswith("text/xml")
    events = hub.hub.store.events.page(EventQuery(source_id="crm", limit=2))
    assert [event.state for event in events] == [EventState.DUPLICATE, EventState.NEW]
    assert not events[0].conflict, "that is no other event under the same id"


async def test_what_is_not_acknowledged_comes_again(tmp_path, sandbox):
    """A source that names another organisation refuses; once it is corrected, nothing was lost."""
    async with running(tmp_path / "data", outbound_allow="127.0.0.1/32", patience_s=120) as hub:
        world = await asyncio.to_thread(World, hub, sandbox)
        await asyncio.to_thread(lambda: world.listen(organization="00D000000000001EAA"))
        await asyncio.to_thread(lambda: sandbox.add_record("Account", Name="Patient"))

        def refused():
            query = RejectionQuery(source_id="crm", reason=Reason.MISMATCH)
            return hub.hub.store.events.rejections(query)

        await world.until(refused)
        assert SECRET not in repr(refused())
        assert world.waiting() == 1 and world.events() == []
        change = SourceChange(settings={"organization_id": sandbox.salesforce["organization_id"]})
        await asyncio.to_thread(lambda: hub.hub.desk.update(CLI, "crm", change))

        def acknowledged():
            sandbox.advance(20)
            return world.waiting() == 0

        await world.until(acknowledged)
        await world.until(lambda: len(world.events()) == 1)
        [event] = world.events()
        assert event.type == "salesforce.Account.notified" and event.state is EventState.NEW
