"""The life of one opportunity: its folders, a contract in them, a second version, their Tasks.

Every create of Box and Salesforce in step happens in it: folders, metadata, a collaboration, the
two ContentVersions, links, a batch of Tasks. The judge asks both sandboxes.
"""

from typing import Any

from crash.crm_crew import Crew
from crash.crm_judge import Deeds, Version, judge
from inkwire.model.crm import RecordFolder
from inkwire.model.work import Work
from integrations.crm_kit import TEMPLATE, bytes_of

FOLDERS = ["Contracts", "Proposals"]


class Deal(Crew):
    """One opportunity after the other, each with an account of its own."""

    account = opportunity = ""

    def upload(self, deeds: Deeds, folder: str) -> Work:
        """A contract comes into a folder of the opportunity; its work."""
        return self._put(deeds, folder, "")[1]

    def live(self, deeds: Deeds) -> None:
        """From the record to its Tasks; what was done is added to the deeds."""
        self.account = self.crm.account()
        self.opportunity = self.crm.opportunity(self.account)
        subject = {"object": "Opportunity", "record_id": self.opportunity}
        self._do("provision", f"salesforce:record:{self.opportunity}", subject)
        self.carry_out()
        contracts = self._items(self.folder(self.opportunity).folder_id)["Contracts"]
        made, _ = self._put(deeds, contracts, "")
        self.carry_out()
        self._put(deeds, contracts, made)
        self.carry_out()

    def folder(self, record: str) -> RecordFolder:
        """The record's, as the hub knows it."""
        found = self.hub.store.record_folders.of_record(1, record)
        assert found is not None, f"no folder of {record} is known"
        return found

    def _put(self, deeds: Deeds, folder: str, file_id: str) -> tuple[str, Work]:
        """A file, or another version of it; its id and its work."""
        content = bytes_of(20_000)
        made = (
            self.crm.new_version(file_id, content)
            if file_id
            else self.crm.upload(folder, "MSA.pdf", content)
        )
        file_id, version_id = str(made["id"]), str(made["file_version"]["id"])
        deeds.versions.append(Version(file_id=file_id, version_id=version_id, content=content))
        deeds.tasks[f"version/{file_id}/{version_id}"] = self.opportunity
        subject = {
            "file_id": file_id,
            "version_id": version_id,
            "trigger": "FILE.UPLOADED",
            "actor": "Jane Doe",
            "actor_email": "jane@example.com",
        }
        deeds.records[file_id] = self.opportunity
        return file_id, self._do("sync_file", f"box:file:{file_id}", subject)

    def _do(self, workflow: str, entity: str, subject: dict[str, str]) -> Work:
        now, work_id = self.hub.clock.now(), self.hub.ids.new("wrk")
        row = Work(
            id=work_id,
            integration_id=1,
            key=work_id.replace("wrk", "evt"),
            workflow=workflow,
            entity_key=entity,
            subject=subject | {"at": now.isoformat()},
            due_at=now,
            created_at=now,
        )
        self.hub.store.works.add([row])
        return row

    def wrong(self, deeds: Deeds) -> list[str]:
        """What is wrong at the end of a life; of files and Tasks, with all that came before."""
        return [*self._tree(), *self._links(deeds), *judge(deeds, self.seen(), self.hub.store)]

    def _tree(self) -> list[str]:
        """Each folder, instance and collaboration once, and the hub knows them by their ids."""
        account, deal = self.folder(self.account), self.folder(self.opportunity)
        found, own = [], self._items(account.folder_id)
        if own != {deal.name: deal.folder_id}:
            found.append(f"in the account's folder: {own}")
        if sorted(self._items(deal.folder_id)) != FOLDERS:
            found.append(f"in the opportunity's folder: {self._items(deal.folder_id)}")
        root = self._items(self.crm.root)
        ours = [name for name in root if name.startswith(account.name)]
        if ours != [account.name] or root[account.name] != account.folder_id:
            found.append(f"in the root folder: {ours}")
        for row, record in ((account, self.account), (deal, self.opportunity)):
            instance = self.crm.call(
                "GET", f"/folders/{row.folder_id}/metadata/enterprise/{TEMPLATE}"
            )
            named = instance.get("opportunity_id") or instance.get("account_id")
            if named != record:
                found.append(f"{row.path}: its metadata names {named}")
            people = self.crm.call("GET", f"/folders/{row.folder_id}/collaborations")["entries"]
            if [one["id"] for one in people] != [row.collaboration_id]:
                found.append(f"{row.path}: {len(people)} collaborations")
        return found

    def _links(self, deeds: Deeds) -> list[str]:
        """Both versions are on the opportunity and on its account."""
        found, files = [], {one["Id"]: one for one in self.seen()["files"]}
        for one in deeds.versions[-2:]:
            rows = self.hub.store.attachments.of_version(1, one.file_id, one.version_id)
            if {row.record_id for row in rows} != {self.account, self.opportunity}:
                found.append(f"version {one.version_id}: {[row.record_id for row in rows]}")
            for row in rows:
                links = files.get(row.content_version_id, {}).get("LinkedEntityIds", [])
                if links.count(row.record_id) != 1:
                    found.append(f"version {one.version_id}: {links.count(row.record_id)} links")
        return found

    def _items(self, folder_id: str) -> dict[str, str]:
        found: Any = self.crm.call("GET", f"/folders/{folder_id}/items?limit=1000")["entries"]
        names = [one["name"] for one in found]
        assert len(names) == len(set(names))
        return {one["name"]: str(one["id"]) for one in found}
