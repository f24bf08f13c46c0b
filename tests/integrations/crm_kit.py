"""A world for Box and Salesforce in step: a real store and clients, and the real sandbox."""

import asyncio
import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from fakes.empty import empty_folder
from fakes.run import StraightRun
from fakes.sandbox import SandboxProcess
from inkwire.access.gate import CLI
from inkwire.clock import ManualClock
from inkwire.config import Settings, load_settings
from inkwire.engine.contract import Outcome
from inkwire.hub import Hub, open_hub
from inkwire.ids import SortableIds
from inkwire.integrations.box_salesforce import INTEGRATION as KIND
from inkwire.model.access import AuditEntry
from inkwire.model.crm import Activity, Attachment, RecordFolder
from inkwire.model.work import Integration, IntegrationState, Work, WorkState
from inkwire.sources.desk import SourceDraft
from inkwire.store.acting import WorkQuery

TEMPLATE = "salesforce_mapping"
#: Seconds within which the sandbox does what it held back, once that is due.
HELD_S = 0.5
TEMPLATE_FIELDS = ("opportunity_id", "account_id", "record_id", "object")


class Crm:
    """The sandbox as its own users know it: Box by its API, Salesforce by its operator's hand."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.process = SandboxProcess(folder, **more)
        self.box = self.process.box
        self.salesforce: dict[str, Any] = self.process.ready["salesforce"]
        self._token = ""
        self._named = 0
        try:
            # Templates are made by an admin or co-admin.
            self.process.change_app(rights=["as_user", "user_tokens", "co_admin"])
            self._template()
            self.root = self.folder("Clients")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.process.stop()

    def advance(self, seconds: float) -> None:
        """The sandbox's clock goes on; what it held back and is due is done before this returns.

        It looks at its clock every few hundredths of a second.
        """
        self.process.advance(seconds)
        rules = self.process.call("GET", "/faults")
        struck = sum(rule["kind"] == "late_commit" and rule["left"] == 0 for rule in rules)
        ends = time.monotonic() + HELD_S
        while self._committed() < struck and time.monotonic() < ends:
            time.sleep(0.02)

    def clear_faults(self) -> None:
        """Everything works again, and what was held back and never came is forgotten."""
        self.process.clear_faults()
        self.process.call("DELETE", "/journal")

    def _committed(self) -> int:
        return sum(call["fault"] == "late_commit" for call in self.process.calls())

    # --- Box

    def call(self, method: str, path: str, **more: Any) -> Any:
        """A call of Box's API as the application; the JSON of its answer."""
        if not self._token:
            form = {
                "client_id": self.box["client_id"],
                "client_secret": self.box["client_secret"],
                "grant_type": "client_credentials",
                "box_subject_type": "enterprise",
                "box_subject_id": self.box["enterprise_id"],
            }
            url = f"{self.box['base_url']}/oauth2/token"
            self._token = requests.post(url, data=form, timeout=60).json()["access_token"]
        headers = {"Authorization": f"Bearer {self._token}", **more.pop("headers", {})}
        url = f"{self.box['base_url']}/2.0{path}"
        answer = requests.request(method, url, headers=headers, timeout=30, **more)
        if answer.status_code == 401:  # the sandbox's clock went on
            self._token = ""
            return self.call(method, path, **more)
        assert answer.ok, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def _template(self) -> None:
        fields = [{"type": "string", "key": key, "displayName": key} for key in TEMPLATE_FIELDS]
        body = {
            "scope": "enterprise",
            "templateKey": TEMPLATE,
            "displayName": "Salesforce",
            "fields": fields,
        }
        self.call("POST", "/metadata_templates/schema", json=body)

    def folder(self, name: str, parent: str = "0") -> str:
        body = {"name": name, "parent": {"id": parent}}
        return str(self.call("POST", "/folders", json=body)["id"])

    def named(self, prefix: str) -> str:
        """A name that nothing else in this sandbox has."""
        self._named += 1
        return f"{prefix} {self._named}"

    def deal(self, name: str = "", **values: str) -> str:
        """A folder below the root folder, with metadata if values are given."""
        made = self.folder(name or self.named("Deal"), self.root)
        if values:
            self.metadata(made, **values)
        return made

    def metadata(self, folder: str, **values: str) -> None:
        self.call("POST", f"/folders/{folder}/metadata/enterprise/{TEMPLATE}", json=values)

    def upload(self, folder: str, name: str, content: bytes) -> dict[str, Any]:
        """A new file; as Box answers."""
        attributes = {"name": name, "parent": {"id": folder}}
        return self._content("/files/content", attributes, name, content)

    def new_version(self, file_id: str, content: bytes, name: str = "") -> dict[str, Any]:
        attributes = {"name": name} if name else {}
        return self._content(f"/files/{file_id}/content", attributes, name or "x", content)

    def _content(
        self, path: str, attributes: dict[str, Any], name: str, content: bytes
    ) -> dict[str, Any]:
        parts = [
            ("attributes", (None, json.dumps(attributes))),
            ("file", (name.encode("ascii", "replace").decode(), content)),
        ]
        return dict(self.call("POST", path, files=parts)["entries"][0])

    def move(self, file_id: str, folder: str) -> None:
        self.call("PUT", f"/files/{file_id}", json={"parent": {"id": folder}})

    def trash(self, file_id: str) -> None:
        self.call("DELETE", f"/files/{file_id}")

    # --- Salesforce

    def add(self, object_name: str, **fields: Any) -> str:
        """A record that another user makes; its id."""
        path = f"/salesforce/records/{object_name}"
        return str(self.process.call("POST", path, {"fields": fields})["Id"])

    def change(self, object_name: str, record: str, **fields: Any) -> None:
        path = f"/salesforce/records/{object_name}/{record}"
        self.process.call("PATCH", path, {"fields": fields})

    def delete(self, object_name: str, record: str) -> None:
        self.process.call("DELETE", f"/salesforce/records/{object_name}/{record}")

    def all(self, object_name: str) -> list[dict[str, Any]]:
        """Every record that is there."""
        found = self.process.call("GET", f"/salesforce/records/{object_name}")
        return [row for row in found if not row.get("IsDeleted")]

    def one(self, object_name: str, record: str) -> dict[str, Any]:
        return next(row for row in self.all(object_name) if row["Id"] == record)

    def files(self, record: str) -> list[dict[str, Any]]:
        """Versions of the documents that are linked to a record, oldest first."""
        found = self.process.call("GET", "/salesforce/files")
        here = [row for row in found if record in row["LinkedEntityIds"]]
        return sorted(here, key=lambda row: (row["ContentDocumentId"], int(row["VersionNumber"])))

    def tasks(self, record: str) -> list[dict[str, Any]]:
        return [row for row in self.all("Task") if record in (row["WhatId"], row["WhoId"])]

    def account(self, name: str = "") -> str:
        return self.add("Account", Name=name or self.named("Account"))

    def opportunity(self, account: str | None = None, name: str = "", **more: Any) -> str:
        fields = {"Name": name or self.named("Opportunity"), "CloseDate": "2027-01-31"}
        given = fields | {"StageName": "Prospecting", "AccountId": account} | more
        return self.add("Opportunity", **given)

    def contact(self, account: str, email: str, name: str = "Doe") -> str:
        return self.add("Contact", AccountId=account, Email=email, LastName=name)

    def calls(self, *, since: int = 0) -> int:
        """API calls that count, as the sandbox counted them."""
        return int(self.process.call("GET", "/salesforce/counts")["used"]) - since


@dataclass
class World:
    """A hub with one active integration, its clock standing still."""

    crm: Crm
    hub: Hub
    clock: ManualClock
    integration: Integration
    runs: dict[str, int] = field(default_factory=dict)

    @property
    def store(self) -> Any:
        return self.hub.store

    def work(self, workflow: str, *, key: str = "", entity: str = "", **subject: str) -> Work:
        """A row as an event would make it, not kept."""
        now = self.clock.now()
        work_id = self.hub.ids.new("wrk")
        return Work(
            id=work_id,
            integration_id=self.integration.id,
            key=key or work_id,
            workflow=workflow,
            entity_key=entity or f"box:file:{subject.get('file_id', '0')}",
            event_id=None,
            subject=subject,
            due_at=now,
            created_at=now,
        )

    def keep(self, work: Work) -> Work:
        self.store.works.add([work])
        return work

    def uploaded(self, made: dict[str, Any], **more: str) -> Work:
        """The work of an upload, by Box's answer to it; kept."""
        subject = {
            "file_id": str(made["id"]),
            "version_id": str(made["file_version"]["id"]),
            "trigger": "FILE.UPLOADED",
            "actor": "Jane Doe",
            "actor_email": "jane@example.com",
            "at": self.clock.now().isoformat(),
        }
        return self.keep(self.work("sync_file", **(subject | more)))

    def run(self, work: Work, *, dry: bool = False) -> Outcome:
        """One run of a row, straight on; raises what the workflow raises."""
        self.integration = self.store.integrations.get(self.integration.id)
        number = self.runs[work.id] = self.runs.get(work.id, 0) + 1
        run = StraightRun(
            work=replace(work, run_number=number),
            integration=self.integration,
            services=self.hub.services,
            dry=dry,
        )
        return asyncio.run(KIND.workflows[work.workflow](run))  # type: ignore[arg-type]

    def note(self, work: Work) -> str:
        """What a run that ends done says."""
        ending = self.run(work).ending
        assert ending.state is WorkState.DONE, ending
        return ending.note

    def settle(self) -> Outcome:
        return self.run(self.work("settle"))

    def send_tasks(self) -> Outcome:
        return self.run(self.work("send_tasks"))

    def rows(self, made: dict[str, Any]) -> list[Attachment]:
        """The attachments of the version that Box answered with."""
        version = str(made["file_version"]["id"])
        found: list[Attachment] = self.store.attachments.of_version(
            self.integration.id, str(made["id"]), version
        )
        return found

    def activities(self) -> list[Activity]:
        """Oldest first."""
        found: list[Activity] = self.store.activities.page(
            integration_id=self.integration.id, limit=200
        )
        return found[::-1]

    def asked(self, workflow: str) -> list[Work]:
        """Rows of a workflow that runs asked for."""
        query = WorkQuery(integration_id=self.integration.id, workflow=workflow, limit=200)
        found: list[Work] = self.store.works.page(query)
        return found

    def known(self, folder: str) -> RecordFolder | None:
        found: RecordFolder | None = self.store.record_folders.get(self.integration.id, folder)
        return found

    def settings(self, **changes: Any) -> None:
        """Changes the integration's settings."""
        now = self.store.integrations.get(self.integration.id)
        self.integration = self.store.integrations.update(
            replace(now, settings={**now.settings, **changes}),
            expected=now.updated_at,
            audit=AuditEntry(
                id=self.hub.ids.new("aud"),
                at=self.clock.now(),
                actor="test",
                action="x",
                target="x",
            ),
        )

    def to(self, moment: datetime | None) -> None:
        """The clock goes on to that moment."""
        assert moment is not None
        seconds = (moment - self.clock.now()).total_seconds()
        self.clock.advance(seconds=max(0.0, seconds))


def connect(hub: Hub, crm: Crm) -> None:
    """Both connections and the source."""
    app, org = crm.box, crm.salesforce
    hub.connections.add(
        CLI,
        connection_id="box",
        provider="box",
        name="Box",
        method="ccg",
        settings={
            "client_id": app["client_id"],
            "enterprise_id": app["enterprise_id"],
            "api_url": app["base_url"],
            "upload_url": app["upload_url"],
            "token_url": f"{app['base_url']}/oauth2/token",
        },
        secrets={"client_secret": app["client_secret"]},
    )
    hub.connections.add(
        CLI,
        connection_id="salesforce",
        provider="salesforce",
        name="Salesforce",
        method="client_credentials",
        settings={"client_id": org["client_id"], "my_domain": org["base_url"]},
        secrets={"client_secret": org["client_secret"]},
    )
    keys = {"primary": app["primary_key"], "secondary": app["secondary_key"]}
    hub.desk.create(CLI, SourceDraft(id="box", provider="box", name="Box", secrets=keys))


def integrate(hub: Hub, crm: Crm, **settings: Any) -> Integration:
    """The integration, active, put straight into the store; it knows the root folder."""
    now = hub.clock.now()
    made = hub.store.integrations.add(
        Integration(
            id=0,
            kind=KIND.name,
            name="Box and Salesforce",
            state=IntegrationState.ACTIVE,
            settings={"provision": False, **settings},
            connection_id="box",
            second_connection_id="salesforce",
            source_ids=("box",),
            created_at=now,
            updated_at=now,
        ),
        audit=AuditEntry(id=hub.ids.new("aud"), at=now, actor="test", action="x", target="x"),
    )
    return hub.store.integrations.set_remote(made.id, {"folder_id": crm.root})


def _config(folder: Path) -> Settings:
    return load_settings(data_dir=folder, outbound_allow="127.0.0.1/32", disk_reserve_bytes=0)


@contextlib.contextmanager
def world(folder: Path, crm: Crm, **settings: Any) -> Iterator[World]:
    """A hub on SQLite whose clock stands still at about the sandbox's time."""
    empty_folder(folder)
    config = _config(folder)
    clock = ManualClock(datetime.now(UTC))
    with open_hub(config, clock=clock, ids=SortableIds(clock)) as hub:
        connect(hub, crm)
        yield World(crm, hub, clock, integrate(hub, crm, **settings))


def md5(content: bytes) -> str:
    """In hex."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def bytes_of(size: int) -> bytes:
    """Content that no other file has."""
    return os.urandom(size)
