"""Workflows that keep folders, on the world of `crm_kit`: one for a module, an integration a test."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fakes.empty import empty_folder
from fakes.run import StraightRun
from fakes.sandbox import SandboxProcess
from inkwire.access.gate import CLI
from inkwire.auditing import Auditor
from inkwire.config import load_settings
from inkwire.engine.contract import Outcome, Services
from inkwire.hub import Hub, open_hub
from inkwire.integrations.box_salesforce import INTEGRATION
from inkwire.model.access import AuditEntry
from inkwire.model.crm import RecordFolder
from inkwire.model.work import Integration, IntegrationState, Work
from inkwire.store.acting import WorkQuery
from integrations.crm_kit import TEMPLATE, Crm, connect

_numbers = itertools.count(1)


class Moving:
    """The machine's clock and what was added to it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Watched(StraightRun):
    """Shows what each step returns."""

    watch: Callable[[Any], Any]

    async def step(self, *given: Any, **more: Any) -> Any:
        return self.watch(await super().step(*given, **more))


@dataclass
class Town:
    """A hub and the Box and Salesforce that it calls; shared by the tests of a module."""

    hub: Hub
    crm: Crm
    clock: Moving

    @property
    def sandbox(self) -> SandboxProcess:
        return self.crm.process

    def office(self, **settings: Any) -> "Office":
        """An integration of its own, with a root folder of its own."""
        number, now = next(_numbers), self.clock.now()
        made = self.hub.store.integrations.add(
            Integration(
                id=0,
                kind=INTEGRATION.name,
                name=f"Records {number}",
                state=IntegrationState.ACTIVE,
                settings={"root_folder": f"Clients {number}", **settings},
                connection_id="box",
                second_connection_id="salesforce",
                source_ids=("box",),
                created_at=now,
                updated_at=now,
            ),
            audit=self.audit(),
        )
        return Office(town=self, number=made.id)

    def audit(self) -> AuditEntry:
        return Auditor(self.hub.clock, self.hub.ids).entry(CLI, "test", "x")

    def box(self, method: str, path: str, **more: Any) -> Any:
        """A call of Box by the application, as an administrator might make it."""
        return self.crm.call(method, path, **more)

    def advance(self, seconds: float) -> None:
        """Time passes, here and in the sandbox."""
        self.clock.ahead += timedelta(seconds=seconds)
        self.sandbox.advance(seconds)


@dataclass
class Office:
    """One integration at work."""

    town: Town
    number: int
    #: Sees what each step returns.
    watch: Callable[[Any], Any] = lambda value: value

    @property
    def services(self) -> Services:
        return self.town.hub.services

    @property
    def store(self) -> Any:
        return self.services.store

    @property
    def integration(self) -> Integration:
        return self.store.integrations.get(self.number)

    @property
    def root(self) -> str:
        return str(self.integration.settings["root_folder"])

    # --- Salesforce

    def add(self, object_name: str, *, late_s: float = 0, **fields: Any) -> str:
        """Somebody makes a record, seen only `late_s` later; its id."""
        body = {"fields": fields, "late_s": late_s}
        return str(self.control("POST", f"/records/{object_name}", body)["Id"])

    def account(self, name: str = "Acme", **fields: Any) -> str:
        return self.add("Account", Name=name, **fields)

    def deal(self, name: str = "Renewal", account: str | None = None, **fields: Any) -> str:
        return self.town.crm.opportunity(account, name, **fields)

    def change(self, object_name: str, record_id: str, **fields: Any) -> None:
        """Somebody changes a record."""
        self.town.crm.change(object_name, record_id, **fields)

    def delete(self, object_name: str, record_id: str) -> None:
        """Somebody deletes a record."""
        self.town.crm.delete(object_name, record_id)

    def record(self, object_name: str, record_id: str) -> dict[str, Any]:
        """A record as the sandbox keeps it."""
        return self.town.crm.one(object_name, record_id)

    def users(self) -> list[dict[str, str]]:
        """The organisation's people: id, name, email."""
        return list(self.control("GET", "")["users"])

    def used(self) -> int:
        """Calls of the day that Salesforce has counted."""
        return self.town.crm.calls()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """What only the sandbox's Salesforce can do."""
        return self.town.sandbox.call(method, f"/salesforce{path}", body)

    # --- Box

    def items(self, folder_id: str) -> dict[str, str]:
        """What a folder holds, names to ids."""
        found = self.town.box("GET", f"/folders/{folder_id}/items?limit=1000")
        return {one["name"]: one["id"] for one in found["entries"]}

    def tree(self, folder_id: str | None = None) -> dict[str, Any]:
        """The folders below a folder, by name; below the root folder if none is given."""
        at = folder_id or self.items("0").get(self.root, "")
        if not at:
            return {}
        found = self.town.box("GET", f"/folders/{at}/items?limit=1000")
        return {
            one["name"]: self.tree(one["id"]) for one in found["entries"] if one["type"] == "folder"
        }

    def metadata(self, folder_id: str, template: str = TEMPLATE) -> dict[str, str]:
        """The instance on a folder, without Box's own fields."""
        found = self.town.box("GET", f"/folders/{folder_id}/metadata/enterprise/{template}")
        return {key: text for key, text in found.items() if not key.startswith("$")}

    def people(self, folder_id: str) -> dict[str, str]:
        """Who has access to a folder, with the role."""
        found = self.town.box("GET", f"/folders/{folder_id}/collaborations")["entries"]
        return {
            (one.get("accessible_by") or {}).get("login") or one["invite_email"]: one["role"]
            for one in found
        }

    def put(self, folder_id: str, name: str, content: bytes = b"%PDF-1.4 x") -> dict[str, str]:
        """Somebody uploads a file: its id and version."""
        made = self.town.crm.upload(folder_id, name, content)
        return {"id": made["id"], "version": made["file_version"]["id"]}

    # --- Inkwire

    def run(self, work: Work, *, dry: bool = False) -> tuple[Outcome, Watched]:
        """One run of a work row, straight on; raises what the workflow raises."""
        run = Watched(work=work, integration=self.integration, services=self.services, dry=dry)
        run.watch = self.watch
        return asyncio.run(INTEGRATION.workflows[work.workflow](run)), run

    def work(self, workflow: str, entity: str = "", **subject: str) -> Work:
        """A row, not kept."""
        now, number = self.services.clock.now(), next(_numbers)
        return Work(
            id=self.services.ids.new("wrk"),
            integration_id=self.number,
            key=f"{workflow}/test/{number}",
            workflow=workflow,
            entity_key=entity or f"integration:{self.number}:{workflow}",
            subject=subject,
            due_at=now,
            created_at=now,
        )

    def upkeep(self, workflow: str, **subject: str) -> str:
        """A run of upkeep; its note."""
        return self.run(self.work(workflow, **subject))[0].ending.note

    def provision(self, object_name: str, record_id: str) -> str:
        """A run for a record; its note."""
        work = self.work(
            "provision", f"salesforce:record:{record_id}", object=object_name, record_id=record_id
        )
        return self.run(work)[0].ending.note

    def folder(self, record_id: str) -> RecordFolder:
        """The record's folder."""
        found = self.store.record_folders.of_record(self.number, record_id)
        assert found is not None
        return found

    def rows(self, workflow: str) -> list[Work]:
        """Work that was made, oldest first."""
        query = WorkQuery(integration_id=self.number, workflow=workflow, limit=200)
        return list(reversed(self.store.works.page(query)))

    def settings(self, **changes: Any) -> None:
        """Changes the integration's settings."""
        old = self.integration
        self.store.integrations.update(
            replace(old, settings={**old.settings, **changes}),
            expected=old.updated_at,
            audit=self.town.audit(),
        )


@contextlib.contextmanager
def town(folder: Path) -> Iterator[Town]:
    """A sandbox, and a hub with a connection to both sides and a source."""
    settings = load_settings(
        data_dir=empty_folder(folder / "hub"), outbound_allow="127.0.0.1/32", disk_reserve_bytes=0
    )
    clock = Moving()
    with (
        contextlib.closing(Crm(folder / "sandbox")) as crm,
        open_hub(settings, clock=clock) as hub,
    ):
        connect(hub, crm)
        yield Town(hub, crm, clock)


def owner(place, office, name: str, *, in_box: bool = True) -> tuple[str, str]:
    """A user of Salesforce, perhaps with an account at Box: id and e-mail."""
    email = f"{name}@example.com"
    if in_box:
        place.sandbox.call("POST", "/users", {"name": name, "login": email})
    fields = {"Username": f"{name}@crm", "LastName": name, "Email": email}
    return office.add("User", **fields), email
