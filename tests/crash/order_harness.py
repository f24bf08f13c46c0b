"""A hub that is copied for each order, and the order in it: its workers, its clock, its sandbox.

A cell is one order with what befalls it; `order_life` plays it and judges the end.
"""

import contextlib
import itertools
import os
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crash.nursery import Nursery, until
from fakes.sandbox import SandboxProcess
from inkwire.access.gate import CLI
from inkwire.config import Settings, load_settings
from inkwire.hub import Hub, open_hub
from inkwire.integrations.desk import IntegrationChange, IntegrationDraft
from inkwire.model.event import Origin
from inkwire.model.work import IntegrationState, ParkCause, Work, WorkState
from inkwire.orders.templates import default_source
from inkwire.sources.desk import SourceDraft
from inkwire.store.acting import WorkQuery
from inkwire.store.open import migrate

SOURCE = "crash"
TOPICS = ("order.signed", "order.status_changed", "document.filed")
#: Short waits, so that a test need not wait for those of a killed worker.
HASTY = {"sweep_s": 0.1, "repair_s": 0.3, "unit_s": 0.01, "poll_s": 0.1, "beat_s": 0.5}
#: Seconds that the sandbox holds a late commit back; a token's life is longer.
LATE_S = 600.0
_numbers = itertools.count(1)


# --- the hub that is copied


@dataclass(frozen=True, kw_only=True)
class Base:
    """A hub with everything but an order; nobody has it open."""

    folder: Path
    database_url: str | None

    def settings(self) -> Settings:
        return settings_of(self.folder, self.database_url)


def settings_of(folder: Path, url: str | None, *, port: int = 0) -> Settings:
    """A hub's settings, as its processes get them from the environment."""
    return load_settings(
        data_dir=folder,
        database_url=url,
        clock_file=folder / "clock",
        outbound_allow="127.0.0.1/32",
        disk_reserve_bytes=0,
        log_level="error",
        port=port,
    )


def environment_of(settings: Settings) -> dict[str, str]:
    """What a process of a hub with these settings is started with."""
    own = {
        "INKWIRE_DATA_DIR": str(settings.data_dir),
        "INKWIRE_CLOCK_FILE": str(settings.clock_file),
        "INKWIRE_OUTBOUND_ALLOW": settings.outbound_allow,
        "INKWIRE_DISK_RESERVE_BYTES": "0",
        "INKWIRE_LOG_LEVEL": settings.log_level,
        "INKWIRE_PORT": str(settings.port),
    }
    if settings.database_url is not None:
        own["INKWIRE_DATABASE_URL"] = settings.database_url.get_secret_value()
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("INKWIRE_")}
    return {**inherited, **own}


def set_up(settings: Settings, sandbox: SandboxProcess) -> None:
    """Migrates; connection, source, template, integration, and an application that hears."""
    migrate(settings)
    with open_hub(settings) as hub:
        box = sandbox.box
        hub.connections.add(
            CLI,
            connection_id="box",
            provider="box",
            name="Box (sandbox)",
            method="ccg",
            settings={
                "client_id": box["client_id"],
                "enterprise_id": box["enterprise_id"],
                "api_url": box["base_url"],
                "upload_url": box["upload_url"],
                "token_url": f"{box['base_url']}/oauth2/token",
            },
            secrets={"client_secret": box["client_secret"]},
        )
        assert all(check.ok for check in hub.connections.check("box"))
        keys = {"primary": box["primary_key"], "secondary": box["secondary_key"]}
        hub.desk.create(CLI, SourceDraft(id=SOURCE, provider="box", name="Box", secrets=keys))
        template = hub.templates.add(CLI, name="Confirmation", source=default_source())
        made = hub.integrations.add(
            CLI,
            IntegrationDraft(
                kind="box_sign_orders",
                name="Box Sign orders",
                settings={"templates": template.id, "order_field": "sign_request_id"},
                connection_id="box",
                source_ids=(SOURCE,),
            ),
        )
        hub.integrations.move(CLI, made.integration.id, IntegrationState.ACTIVE)
        application = hub.applications.create(CLI, name="Crash test")
        hub.applications.set_grants(CLI, application.id, TOPICS)


@contextlib.contextmanager
def copy_of(base: Base, folder: Path, server: Any, *, port: int = 0) -> Iterator[Settings]:
    """The base in another folder, and in another database of `server` if it has one."""
    shutil.copytree(base.folder, folder)
    with contextlib.ExitStack() as stack:
        url = base.database_url
        if url is not None:
            url = stack.enter_context(server.database(url))
        yield settings_of(folder, url, port=port)


# --- one cell


@dataclass(kw_only=True)
class Cell:
    """One order, its workers, and what befalls them."""

    hub: Hub
    sandbox: SandboxProcess
    nursery: Nursery
    #: Of each worker but the last: where it is killed, and at which time that it comes by.
    kills: Sequence[tuple[str, int]] = ()
    #: A safeguard to leave out: `ledger` or `fence`.
    without: str = ""
    #: Empty probes after which what the sandbox holds back is committed; None: at the end.
    late_after: int | None = None
    late: bool = False
    #: Settings of the engine that differ from the product's.
    engine: Mapping[str, float] = field(default_factory=lambda: HASTY)
    #: Folder at Box; one of its own without a name.
    folder_name: str = ""
    number: int = field(default_factory=lambda: next(_numbers))
    workers: list[int] = field(default_factory=list)
    #: Seconds that the hub's clock was moved by.
    shift: float = 0.0
    #: How the doubt ended, if there was one.
    doubt: str = ""

    def __post_init__(self) -> None:
        """An order, a customer and a folder at Box of its own: cells share the sandbox."""
        hub = self.hub
        self.folder_name = self.folder_name or f"Crash {self.number}"
        self.email = f"customer{self.number}@example.com"
        settings = {"folder_name": self.folder_name}
        hub.integrations.change(CLI, 1, IntegrationChange(settings=settings))
        customer = {"name": "Jane Doe", "email": self.email}
        self.order = hub.orders.add(CLI, {"number": f"{self.number}", "customer": customer})

    # its workers

    def start(self, *, stop_at: str = "", upkeep: bool = False) -> int:
        """Another worker, killed where the next of `kills` says, or stopped there."""
        index, points = len(self.workers), []
        flag = str(self.flag(index))
        if index < len(self.kills):
            at, nth = self.kills[index]
            points.append({"at": at, "nth": nth, "do": "kill", "flag": flag})
        elif stop_at:
            points.append({"at": stop_at, "nth": 1, "do": "stop", "flag": flag})
        pid = self.nursery.worker(
            {
                "environment": environment_of(self.hub.settings),
                "points": points,
                "without": self.without,
                "engine": dict(self.engine),
                "upkeep": upkeep,
            }
        )
        self.workers.append(pid)
        return pid

    def flag(self, index: int) -> Path:
        """Made by the worker that is struck."""
        return self.hub.settings.data_dir / f"struck-{index}"

    def tend(self) -> None:
        """Starts the next worker if the last was killed as it should be."""
        code = self.nursery.code(self.workers[-1])
        if code is None:
            return
        index = len(self.workers) - 1
        assert code == -signal.SIGKILL, f"the worker ended by itself with {code}"
        assert self.flag(index).exists(), "it was killed elsewhere"
        self.start()

    def stop(self) -> None:
        """No worker lives after this."""
        for pid in self.workers:
            self.nursery.end(pid)

    # time

    def move_to(self, moment: Any) -> None:
        """The hub's clock goes on to that moment, if it is not there yet."""
        ahead = (moment - self.hub.clock.now()).total_seconds()
        if ahead > 0:
            self.shift += ahead + 1
            path = self.hub.settings.data_dir / "clock"
            new = path.with_suffix(".new")
            new.write_text(f"{self.shift:.6f}\n", "ascii")
            new.replace(path)
            until(lambda: self.hub.clock.now() >= moment, "the moved clock")

    def commit_late(self) -> None:
        """What the sandbox held back happens."""
        self.late = False
        self.sandbox.advance(LATE_S + 1)

        def seen() -> list[int]:
            calls = self.sandbox.calls()
            return [call["status"] for call in calls if call["fault"] == "late_commit"]

        until(seen, "the late commit")
        # Before its clock goes back: else the conversion would wait for that long.
        until(lambda: "converting" not in [one["status"] for one in self.requests()], "the mails")
        self.sandbox.advance(-LATE_S - 1)
        assert seen() in ([201], [409]), "it was neither done nor there already"

    # its work

    def add(self, workflow: str, key: str = "") -> Work:
        """A row as the clock makes it."""
        now = self.hub.clock.now()
        row = Work(
            id=self.hub.ids.new("wrk"),
            integration_id=1,
            key=key or f"{workflow}/{now.timestamp():.0f}",
            workflow=workflow,
            entity_key=f"integration:1:{workflow}",
            origin=Origin.RECONCILED,
            due_at=now,
            created_at=now,
        )
        assert self.hub.store.works.add([row]) == [row.id]
        return row

    def row(self, workflow: str, key: str = "") -> Work:
        """The newest row of that workflow whose key begins so."""
        rows = self.hub.store.works.page(WorkQuery(workflow=workflow))
        return next(row for row in rows if row.key.startswith(key))

    def ended(self, work: Work) -> Work:
        """The row when all is done that is done without a person; time goes on as it must."""

        def settled() -> Work | None:
            self.tend()
            row = self.hub.store.works.get(work.id)
            if row.state in (WorkState.DONE, WorkState.DEAD, WorkState.CANCELLED):
                return row
            if row.park_cause is ParkCause.PERSON:
                return row
            waits = row.state in (WorkState.NEW, WorkState.PARKED)
            if waits and row.started_at is not None and row.due_at > self.hub.clock.now():
                if self.late and self.late_after == self.probes():
                    self.commit_late()
                self.move_to(row.due_at)
            return None

        return until(settled, f"the end of {work.workflow}")

    def probes(self) -> int:
        """Looks at Box that found nothing."""
        return max((entry.probes for entry in self.hub.store.ledger.page()), default=0)

    # what really happened

    def requests(self) -> list[dict[str, Any]]:
        """The order's sign requests at the sandbox."""
        wanted = f"{self.order.id}:int_1"
        return [one for one in self.sandbox.sign_requests() if one["external_id"] == wanted]

    def signing_mails(self) -> int:
        """Mails that asked the customer to sign."""
        mails = self.sandbox.mails(self.email)
        return sum("signature" in mail["subject"] for mail in mails)
