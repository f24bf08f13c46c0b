"""What the tests of Box and Salesforce in step are written with: folders, files, activities."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from contract.acting_kit import Acting
from inkwire.model.crm import (
    Activity,
    Attachment,
    AttachmentState,
    FolderOrigin,
    FolderState,
    RecordFolder,
)
from inkwire.store.crm import Activities, Attachments, FolderQuery, RecordFolders


@dataclass
class Crm(Acting):
    """Keeps folders, attachments and activities in one hub's store."""

    @property
    def folders(self) -> RecordFolders:
        return self.store.record_folders

    @property
    def attachments(self) -> Attachments:
        return self.store.attachments

    @property
    def activities(self) -> Activities:
        return self.store.activities

    def folder(self, folder_id: str = "11", **fields: Any) -> RecordFolder:
        """A mapped folder that is not kept yet."""
        values: dict[str, Any] = {
            "integration_id": 1,
            "folder_id": folder_id,
            "name": "Renewal",
            "path": "/Clients/Acme/Renewal",
            "state": FolderState.MAPPED,
            "origin": FolderOrigin.METADATA,
            "object": "Opportunity",
            "record_id": "006000000000001AAA",
            "record_name": "Acme renewal",
            "account_id": "001000000000001AAA",
            "checked_at": self.now,
            "created_at": self.now,
            "updated_at": self.now,
            **fields,
        }
        return RecordFolder(**values)

    def put(self, folder_id: str = "11", **fields: Any) -> RecordFolder:
        """A kept one, a second after the last."""
        self.hub.clock.advance(seconds=1)
        return self.folders.put(self.folder(folder_id, **fields))

    def folder_ids(self, **query: Any) -> list[str]:
        """Ids of the folders of a page."""
        return [one.folder_id for one in self.folders.page(FolderQuery(**query))]

    def attachment(self, record_id: str = "006A", **fields: Any) -> Attachment:
        """A first attachment that is not kept yet."""
        values: dict[str, Any] = {
            "id": self.hub.ids.new("att"),
            "integration_id": 1,
            "file_id": "21",
            "version_id": "31",
            "version_number": 1,
            "name": "Offer 😀.pdf",
            "size": 1000,
            "sha1": "ab" * 20,
            "record_id": record_id,
            "object": "Opportunity",
            "first": True,
            "work_id": "wrk_1",
            "created_at": self.now,
            **fields,
        }
        return Attachment(**values)

    def link(self, record_id: str = "001A", **fields: Any) -> Attachment:
        """A further record of a version, not kept yet."""
        return self.attachment(record_id, first=False, object="Account", **fields)

    def plan(self, *rows: Attachment) -> list[Attachment]:
        return self.attachments.plan(rows)

    def planned(self, **fields: Any) -> Attachment:
        """A kept one."""
        [made] = self.plan(self.attachment(**fields))
        return made

    def stored(self, one: Attachment, version: str = "068A") -> Attachment:
        return self.attachments.stored(
            one.id, content_version_id=version, md5="cd" * 16, size=one.size, at=self.now
        )

    def verified(self, one: Attachment, version: str = "068A") -> Attachment:
        return self.attachments.verified(
            one.id, document_id="069A", content_version_id=version, at=self.now
        )

    def arrived(self, state: AttachmentState, **fields: Any) -> Attachment:
        """A kept one in that state."""
        made = self.planned(**fields)
        if state is AttachmentState.STORED:
            return self.stored(made)
        if state is AttachmentState.VERIFIED:
            return self.verified(made)
        if state is AttachmentState.FAILED:
            return self.attachments.failed(made.id, note="No.", at=self.now)
        return made

    def activity(self, key: str = "", **fields: Any) -> Activity:
        """An activity that is not kept yet, of a key of its own."""
        self._count += 1
        values: dict[str, Any] = {
            "id": self.hub.ids.new("act"),
            "integration_id": 1,
            "key": key or f"evt_{self._count}",
            "subject": "Box: Ada viewed Offer 😀.pdf",
            "description": "Seen in Box.\nInkwire: act_1",
            "who_id": None,
            "what_id": "006A",
            "activity_date": date(2026, 3, 1),
            "work_id": "wrk_1",
            "created_at": self.now,
            **fields,
        }
        return Activity(**values)

    def noted(self, count: int = 1, **fields: Any) -> list[Activity]:
        """Kept ones, oldest first."""
        made = [self.activity(**fields) for _ in range(count)]
        assert self.activities.add(made) == count
        return made

    def claimed(self, batch_id: str = "bat_1", limit: int = 200, **fields: Any) -> list[str]:
        """Ids of the activities of a batch that was claimed."""
        store = fields.pop("store", self.store)
        integration_id = fields.pop("integration_id", 1)
        found = store.activities.claim(integration_id, batch_id=batch_id, limit=limit)
        return [one.id for one in found]

    def of(self, activity: Activity) -> Activity:
        """The activity as it is kept."""
        [found] = [
            one for one in self.activities.of_work(activity.work_id) if one.id == activity.id
        ]
        return found
