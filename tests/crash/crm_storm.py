"""A storm of events between Box and Salesforce: what is done, and what befalls it.

`crm_crew` carries it out, `crm_judge` says what came of it.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from crash.crm_crew import Crew
from crash.crm_judge import Deeds, Version
from crash.nursery import Nursery
from inkwire.hub import Hub
from inkwire.model.work import Work
from integrations.crm_kit import Crm

UPLOAD, ROWS = "/sobjects/ContentVersion$", "/composite/sobjects$"
FAULTS: Mapping[str, Mapping[str, Any]] = {
    "reset before commit": {"kind": "reset_before_commit"},
    "reset after commit": {"kind": "reset_after_commit"},
    "late commit": {"kind": "late_commit", "delay_s": 60},
    "very late commit": {"kind": "late_commit", "delay_s": 500},
    "503": {"kind": "status", "status": 503},
    "500 html": {"kind": "status", "status": 500, "code": "html"},
    "lock": {"kind": "status", "status": 400, "code": "UNABLE_TO_LOCK_ROW"},
    "the day": {"kind": "status", "status": 403, "code": "TotalRequests"},
    "at once": {"kind": "status", "status": 403, "code": "ConcurrentRequests"},
    "token": {"kind": "status", "status": 401, "code": "INVALID_SESSION_ID"},
}
#: Of a hundred uploads, how many each fault befalls.
PER_CENT = 5


class Storm(Crew):
    """One hub, one sandbox, and what is done in waves."""

    def __init__(self, hub: Hub, crm: Crm, nursery: Nursery, *, seed: int, **crew: Any) -> None:
        """`crew`: see `Crew`."""
        super().__init__(hub, crm, nursery, **crew)
        self.random = random.Random(seed)
        self.deeds = Deeds()
        #: Faults that came to their call.
        self.befell = 0
        self._number = 0
        self._files: list[str] = []
        self._folders: dict[str, str] = {}
        #: Folders that get their record a wave later.
        self._unmapped: dict[str, str] = {}
        for _ in range(3):
            account = crm.account()
            for _ in range(2):
                opportunity = crm.opportunity(account)
                self._folders[crm.deal(opportunity_id=opportunity)] = opportunity

    # --- what is done

    def wave(self, number: int, *, faulty: bool) -> None:
        """So many mixed events, and then everything that follows from them."""
        rows = self._map()
        for _ in range(number):
            what = self.random.random()
            if what < 0.4 or not self._files:
                rows.append(self._upload())
            elif what < 0.6:
                rows.append(self._new_version())
            elif what < 0.75:
                rows.append(self._move())
            elif what < 0.8:
                rows.append(self._lock())
            elif what < 0.92:
                rows.append(self._collaboration())
            else:
                rows.append(self._view())
        if faulty:
            self._befall(uploads=sum(row.workflow == "sync_file" for row in rows))
        self._expect(rows)
        self.hub.store.works.add(rows)
        self.carry_out()
        rules = self.crm.process.call("GET", "/faults")
        self.befell += sum(rule["left"] == 0 for rule in rules)
        self.crm.clear_faults()  # each rule that is set costs every later call

    def _upload(self) -> Work:
        """A file in some folder; now and then in one that has no record yet."""
        folder = self.random.choice(list(self._folders))
        if self.random.random() < 0.1:
            folder = self.crm.deal()
            opportunity = self.crm.opportunity(self.crm.account())
            self._unmapped[folder] = opportunity
        self._number += 1
        name, content = f"File {self._number}.pdf", self._bytes()
        made = self.crm.upload(folder, name, content)
        if folder in self._folders:
            self._files.append(str(made["id"]))
            self.deeds.records[str(made["id"])] = self._folders[folder]
        else:
            self.deeds.records[str(made["id"])] = self._unmapped[folder]
        return self._uploaded(made, content)

    def _new_version(self) -> Work:
        content = self._bytes()
        made = self.crm.new_version(self.random.choice(self._files), content)
        return self._uploaded(made, content)

    def _uploaded(self, made: Mapping[str, Any], content: bytes) -> Work:
        file_id, version_id = str(made["id"]), str(made["file_version"]["id"])
        self.deeds.versions.append(Version(file_id=file_id, version_id=version_id, content=content))
        return self._row("sync_file", file_id=file_id, version_id=version_id,
                         trigger="FILE.UPLOADED")  # fmt: skip

    def _move(self) -> Work:
        file_id = self.random.choice(self._files)
        here = self.deeds.records[file_id]
        folder, record = self.random.choice(
            [(one, of) for one, of in self._folders.items() if of != here]
        )
        self.crm.move(file_id, folder)
        self.deeds.records[file_id] = record
        return self._of_file(file_id, "FILE.MOVED")

    def _lock(self) -> Work:
        return self._of_file(self.random.choice(self._files), "FILE.LOCKED")

    def _of_file(self, file_id: str, trigger: str) -> Work:
        """An event that names the version of its time."""
        version = next(
            one.version_id for one in reversed(self.deeds.versions) if one.file_id == file_id
        )
        return self._row("sync_file", file_id=file_id, version_id=version, trigger=trigger)

    def _collaboration(self) -> Work:
        folder = self.random.choice(list(self._folders))
        return self._row("note_activity", entity=f"box:folder:{folder}", folder_id=folder,
                         trigger="COLLABORATION.CREATED", role="viewer",
                         collaborator=f"guest{self._number}@example.com")  # fmt: skip

    def _view(self) -> Work:
        file_id = self.random.choice(self._files)
        return self._row("note_activity", file_id=file_id, trigger="FILE.PREVIEWED",
                         viewer="yes")  # fmt: skip

    def _map(self) -> list[Work]:
        """The folders of the wave before get their metadata; Box tells of it."""
        rows = []
        for folder, opportunity in self._unmapped.items():
            self.crm.metadata(folder, opportunity_id=opportunity)
            rows.append(
                self._row("refresh_mapping", entity=f"box:folder:{folder}", folder_id=folder)
            )
        self._unmapped = {}
        return rows

    def last(self) -> None:
        """What waits for a record gets it."""
        rows = self._map()
        self.hub.store.works.add(rows)
        self.carry_out()

    def _expect(self, rows: Sequence[Work]) -> None:
        """The Tasks of these rows: what a row is about lies where Box has it after the wave."""
        for row in rows:
            subject = row.subject
            trigger, file_id = subject.get("trigger", ""), subject.get("file_id", "")
            record = (
                self._folders[subject["folder_id"]]
                if trigger.startswith("COLLABORATION")
                else self.deeds.records.get(file_id, "")
            )
            if trigger == "FILE.UPLOADED":
                self.deeds.tasks[f"version/{file_id}/{subject['version_id']}"] = record
            elif trigger == "FILE.PREVIEWED":
                key = f"view/{file_id}/{subject['at'][:10]}/jane@example.com"
                self.deeds.tasks.setdefault(key, record)
            elif trigger:
                self.deeds.tasks[row.key] = record

    def _row(self, workflow: str, *, entity: str = "", **subject: str) -> Work:
        now = self.hub.clock.now()
        one = self.hub.ids.new("wrk")
        given = {"actor": "Jane Doe", "actor_email": "jane@example.com", "at": now.isoformat()}
        return Work(
            id=one,
            integration_id=1,
            key=one.replace("wrk", "evt"),
            workflow=workflow,
            entity_key=entity or f"box:file:{subject['file_id']}",
            subject=given | subject,
            due_at=now,
            created_at=now,
        )

    def _bytes(self) -> bytes:
        return self.random.randbytes(self.random.randint(1, 40_000))

    # --- what befalls it

    def _befall(self, *, uploads: int) -> None:
        """Each fault strikes its share of the uploads, and one call for many rows."""
        share = max(1, uploads * PER_CENT // 100)
        for rule in FAULTS.values():
            for _ in range(share):
                self.crm.process.fault(
                    method="POST", path=UPLOAD, nth=self.random.randint(1, max(1, uploads)), **rule
                )
        for nth, rule in enumerate(self.random.sample(list(FAULTS.values()), len(FAULTS)), 1):
            self.crm.process.fault(method="POST", path=ROWS, nth=nth, **rule)
