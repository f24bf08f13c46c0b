"""The demo's Salesforce part: an opportunity gets its folders, and what is put there reaches it."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from rich.progress import Progress

from inkwire.access.gate import CLI
from inkwire.cli.demo.sending import Check
from inkwire.cli.demo.stage import Stage
from inkwire.cli.demo.vendor import Vendor, connect_salesforce, keep_in_step
from inkwire.model.crm import AttachmentState, FolderState, RecordFolder
from inkwire.model.work import Integration, WorkState
from inkwire.store.acting import WorkQuery

#: Of the connection to Salesforce; Box's is the one of the signing part.
NAME, BOX = "salesforce-sandbox", "box-sandbox"
ACCOUNT, DEAL, CONTRACT = "Northwind Ltd", "Renewal 2027", "Contract.pdf"
#: Who signs, and is the account's contact.
SIGNER = "kim.lee@northwind.example"
WON = "Closed Won"
#: Seconds that one step may take.
PATIENCE_S = 30.0


@dataclass(kw_only=True, slots=True)
class InStep:
    """Plays the part, and notes what had to come of each step."""

    built: Stage
    vendor: Vendor
    client: aiohttp.ClientSession
    bar: Progress
    #: The contract, a PDF.
    content: bytes = field(repr=False)
    checks: list[Check] = field(default_factory=list)
    #: Where a person sees it: what, and the page's address.
    links: list[tuple[str, str]] = field(default_factory=list)

    def differences(self) -> list[str]:
        """What is not as it must be, in words."""
        return [
            f"{one.title}: must be {one.expected}, was {one.happened}"
            for one in self.checks
            if not one.right
        ]

    async def perform(self) -> None:
        """An opportunity appears, gets its folders, a file, a Task; it is signed and won."""
        task = self.bar.add_task("Box and Salesforce in step (sandbox)", total=5)
        integration = await self._set_up()
        self.bar.advance(task)
        deal = await self._deal()
        folder = await self._folders(integration, deal)
        self.bar.advance(task)
        if folder is not None:
            place = await self._place(folder)
            file = await self._file(integration, deal, place)
            self.bar.advance(task)
            await self._signed(integration, deal, file)
            self.bar.advance(task)
            await self._tasks(integration, deal)
        self.bar.advance(task)
        self._link(integration, deal)

    # --- what is there

    async def _set_up(self) -> Integration:
        """The connection, the template that Box's admin makes once, and the integration."""
        hub = self.built.hub
        checks = await asyncio.to_thread(connect_salesforce, hub, self.vendor.salesforce, name=NAME)
        missing = [one.title for one in checks if not one.ok]
        found = f"without {', '.join(missing)}" if missing else "every right there"
        self._check("“Request authentication” at Salesforce", "every right there", found)
        fields = {"key": "salesforce_mapping", "title": "Salesforce",
                  "fields": ["opportunity_id", "account_id", "record_id"]}  # fmt: skip
        await self.vendor.call(self.client, "POST", "/box/templates", fields)
        integration = await asyncio.to_thread(keep_in_step, hub, box=BOX, salesforce=NAME)
        remote = hub.store.integrations
        ready = ("poll_since", "webhook_id")
        await self._until(lambda: all(remote.get(integration.id).remote.get(k) for k in ready))
        return integration

    async def _deal(self) -> str:
        """A seller makes an account, its contact and an opportunity; the opportunity's id."""
        account = await self._record("Account", Name=ACCOUNT)
        await self._record("Contact", AccountId=account, LastName="Lee", FirstName="Kim",
                           Email=SIGNER)  # fmt: skip
        return await self._record(
            "Opportunity", AccountId=account, Name=DEAL, StageName="Prospecting",
            CloseDate="2027-06-30",
        )  # fmt: skip

    async def _record(self, kind: str, **fields: str) -> str:
        path = f"/salesforce/records/{kind}"
        made = await self.vendor.call(self.client, "POST", path, {"fields": fields})
        return str(made["Id"])

    # --- what happens

    async def _folders(self, integration: Integration, deal: str) -> RecordFolder | None:
        """The clock finds it; asked now, it need not wait for its minute."""
        folders = self.built.hub.store.record_folders
        begun = time.monotonic()
        await self._now(integration, "poll_records")
        await self._until(lambda: folders.of_record(integration.id, deal) is not None)
        folder = await asyncio.to_thread(folders.of_record, integration.id, deal)
        took = time.monotonic() - begun
        await self._until(lambda: self._idle(integration, "provision"))
        inside = await self._inside(folder.folder_id) if folder is not None else []
        mapped = folder is not None and folder.state is FolderState.MAPPED
        self._check(
            f"the opportunity “{DEAL}” appears",
            f"/Clients/{ACCOUNT}/{DEAL} with Contracts, Proposals, within 20 s",
            f"{folder.path if folder and mapped else 'no folder'} with "
            f"{', '.join(sorted(one['name'] for one in inside)) or 'nothing'}, "
            f"{'within 20 s' if took < 20 else f'after {took:.0f} s'}",
        )
        return folder

    async def _inside(self, folder_id: str) -> list[dict[str, Any]]:
        tree = await self.vendor.call(self.client, "GET", "/box/tree")
        return [one for one in tree if str(one["parent"]) == folder_id]

    async def _place(self, folder: RecordFolder) -> str:
        """The folder that contracts are put into."""
        inside = {one["name"]: str(one["id"]) for one in await self._inside(folder.folder_id)}
        return inside.get("Contracts", folder.folder_id)

    async def _file(self, integration: Integration, deal: str, place: str) -> str:
        """A person drops a file; it is on the opportunity, proven by its MD5. The file's id."""
        store = self.built.hub.store
        begun = time.monotonic()
        query = f"?folder={place}&name={CONTRACT}"
        made = await self.vendor.put(self.client, f"/box/upload{query}", self.content)
        file, version = str(made["id"]), str(made["file_version"]["id"])

        def proven() -> bool:
            rows = store.attachments.of_version(integration.id, file, version)
            return bool(rows) and all(one.state is AttachmentState.VERIFIED for one in rows)

        await self._until(proven)
        took = time.monotonic() - begun
        there = [one for one in await self._files(deal) if one["Title"] == "Contract"]
        sums = {str(one["Checksum"]) for one in there}
        same = sums == {hashlib.md5(self.content, usedforsecurity=False).hexdigest()}
        self._check(
            f"“{CONTRACT}” is put into its Contracts",
            "1 file on the opportunity, its MD5 as sent, verified within 25 s",
            f"{len(there)} file on the opportunity, its MD5 "
            f"{'as sent' if same else 'another'}, "
            f"{'verified' if await asyncio.to_thread(proven) else 'not verified'} "
            f"{'within 25 s' if took < 25 else f'after {took:.0f} s'}",
        )
        self.links.append(
            ("Its arrival", f"{self.built.console}records/arrivals/{integration.label}/{file}/"
             f"{version}")
        )  # fmt: skip
        return file

    async def _files(self, record: str) -> list[dict[str, Any]]:
        found = await self.vendor.call(self.client, "GET", "/salesforce/files")
        return [one for one in found if record in one["LinkedEntityIds"]]

    async def _signed(self, integration: Integration, deal: str, file: str) -> None:
        """It is sent for signature at Box and signed there; the stage follows by itself."""
        deed = {"do": "sign", "item": f"file:{file}", "email": SIGNER}
        await self.vendor.call(self.client, "POST", "/box/do", deed)
        request = await self._mailed()
        begun = time.monotonic()
        if request:
            await self.vendor.sign(self.client, request)
        stage = ""
        while time.monotonic() < begun + PATIENCE_S and stage != WON:
            stage = str((await self._fields("Opportunity", deal)).get("StageName", ""))
            await asyncio.sleep(0.05)
        took = time.monotonic() - begun
        self._check(
            "it is signed at Box",
            f"the opportunity is {WON}, within 20 s",
            f"the opportunity is {stage or 'gone'}, "
            f"{'within 20 s' if took < 20 else f'after {took:.0f} s'}",
        )

    async def _mailed(self) -> str:
        """Id of the sign request, once its mail is there; the sandbox takes a moment for both."""
        for _ in range(int(PATIENCE_S / 0.05)):
            if await self.vendor.signing_page(self.client, SIGNER):
                newest = await self.vendor.call(self.client, "GET", "/sign")
                return str(newest[0]["id"])
            await asyncio.sleep(0.05)
        return ""

    async def _tasks(self, integration: Integration, deal: str) -> None:
        """What happened stands as Tasks on the opportunity, each once."""
        await self._until(lambda: self._idle(integration, "contract_executed"))
        await self._until(lambda: self._idle(integration, "sync_file"))
        await self._now(integration, "send_tasks")
        wanted, subjects = (f"uploaded {CONTRACT}", "executed"), ""
        give_up_at = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_at:
            found = await self.vendor.call(self.client, "GET", "/salesforce/records/Task")
            here = [str(one["Subject"]) for one in found if one["WhatId"] == deal]
            subjects = "; ".join(sorted(here))
            if len(here) >= len(wanted):
                break
            await asyncio.sleep(0.05)
        self._check("what happened", "Tasks on it: upload, execution",
                    f"Tasks on it: {_told(subjects)}")  # fmt: skip

    async def _fields(self, kind: str, record: str) -> dict[str, Any]:
        found = await self.vendor.call(self.client, "GET", f"/salesforce/records/{kind}")
        return next((one for one in found if one["Id"] == record), {})

    # --- looking

    def _link(self, integration: Integration, deal: str) -> None:
        console, label = self.built.console, integration.label
        self.links += [
            ("The mapping", f"{console}records/folders"),
            ("Its backlog", f"{console}records?integration={label}"),
            ("Salesforce", f"{self.vendor.url}/salesforce#{deal}"),
            ("Box", f"{self.vendor.url}/box/files"),
        ]

    async def _now(self, integration: Integration, workflow: str) -> None:
        """As the button “Now” on the integration's page, once nothing of it runs."""
        await self._until(lambda: self._idle(integration, workflow, all_of_it=False))
        await asyncio.to_thread(self.built.hub.work.upkeep_now, CLI, integration.id, workflow)

    def _idle(self, integration: Integration, workflow: str, *, all_of_it: bool = True) -> bool:
        """Whether some of it has been done, and nothing runs (nor, with `all_of_it`, waits)."""
        works = self.built.hub.store.works
        rows = works.page(WorkQuery(integration_id=integration.id, workflow=workflow, limit=20))
        going = {WorkState.RUNNING} | ({WorkState.NEW} if all_of_it else set())
        done = any(one.state is WorkState.DONE for one in rows)
        return done and all(one.state not in going for one in rows)

    async def _until(self, true: Callable[[], bool]) -> bool:
        """Whether it came true in time."""
        give_up_at = time.monotonic() + PATIENCE_S
        while not await asyncio.to_thread(true):
            if time.monotonic() > give_up_at:
                return False
            await asyncio.sleep(0.05)
        return True

    def _check(self, title: str, expected: str, happened: str) -> None:
        self.checks.append(Check(title=title, expected=expected, happened=happened))


def _told(subjects: str) -> str:
    """Which of the Tasks that must be there are."""
    there = [("upload", "uploaded" in subjects), ("execution", "executed" in subjects)]
    return ", ".join(name for name, found in there if found) or "none"
