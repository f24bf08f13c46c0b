"""Connections, integrations and runs after a working day, in every state."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from fakes.pages import Pages
from inkwire.access.gate import CLI
from inkwire.auditing import Auditor
from inkwire.integrations.desk import IntegrationDraft
from inkwire.model.connection import Connection, ConnectionHealth
from inkwire.model.event import Origin
from inkwire.model.work import (
    Call,
    ErrorKind,
    Executor,
    Integration,
    IntegrationState,
    LedgerEntry,
    LedgerState,
    ParkCause,
    Step,
    StepResult,
    Work,
    WorkState,
)
from inkwire.store.acting import Ending, SecretText

REFUSED = "Box does not know this app: the client secret is wrong. Copy it again."
SETTINGS = {"client_id": "abc123", "enterprise_id": "1234567"}
CHECKS = [
    {"name": "token", "title": "A token", "ok": True, "detail": "It is good for an hour."},
    {"name": "user", "title": "Connected as", "ok": True, "detail": "Inkwire Contracts"},
    {
        "name": "sign",
        "title": "Manage signature requests",
        "ok": False,
        "detail": "Tick “Manage signature requests” in Box's Developer Console.",
    },
]


@dataclass
class Acted:
    """Puts into the store what workers would."""

    pages: Pages
    later: Callable[[float], None]
    #: The integration that its work is of.
    integration: Integration | None = None

    def connection(
        self, connection_id: str, name: str, *, health: ConnectionHealth, note: str = ""
    ) -> None:
        """Credentials, as they stand after a call."""
        hub, now = self.pages.hub, self.pages.hub.clock.now()
        made = Connection(
            id=connection_id,
            provider="box",
            name=name,
            method="ccg",
            settings=SETTINGS,
            created_at=now,
            updated_at=now,
        )
        audit = Auditor(hub.clock, hub.ids).entry(CLI, "connection.create", connection_id)
        secret = SecretText(name="client_secret", value="a-client-secret-of-box")
        hub.store.connections.add(made, [secret], audit=audit)
        hub.store.connections.set_health(connection_id, health, note, at=now)

    def integrate(self, name: str, state: IntegrationState, **fields: Any) -> Integration:
        """An integration in that state, whatever its kind thinks of it."""
        hub = self.pages.hub
        draft = IntegrationDraft(kind="box_sign_orders", name=name, **fields)
        made = hub.store.integrations.get(hub.integrations.add(CLI, draft).integration.id)
        audit = Auditor(hub.clock, hub.ids).entry(CLI, "integration.activate", made.label)
        later = made.updated_at + timedelta(microseconds=1)
        return hub.store.integrations.update(
            replace(made, state=state, updated_at=later), expected=made.updated_at, audit=audit
        )

    def add(self, key: str, workflow: str, entity: str, **fields: Any) -> Work:
        """One row of work, due now."""
        assert self.integration is not None
        self.later(1)
        hub, now = self.pages.hub, self.pages.hub.clock.now()
        work = Work(
            id=hub.ids.new("wrk"),
            integration_id=self.integration.id,
            key=key,
            workflow=workflow,
            entity_key=entity,
            due_at=now,
            created_at=now,
            **fields,
        )
        assert hub.store.works.add([work]) == [work.id]
        return work

    def run(self, key: str, workflow: str, entity: str, **fields: Any) -> Work:
        """A row that runs now."""
        work = self.add(key, workflow, entity, **fields)
        works, now = self.pages.hub.store.works, self.pages.hub.clock.now()
        taken = works.claim(executor_id="exe_1", now=now, limit=100)
        return next(one for one in taken if one.id == work.id)

    def end(self, work: Work, state: WorkState, note: str, **more: Any) -> Work:
        """Ends a run."""
        works, now = self.pages.hub.store.works, self.pages.hub.clock.now()
        ending = Ending(state=state, note=note, **more)
        assert works.end(work.id, run_number=work.run_number, ending=ending, at=now)
        return works.get(work.id)

    def dead(self, key: str, kind: ErrorKind = ErrorKind.PERMANENT, note: str = "No.") -> Work:
        """A dead letter."""
        work = self.run(key, "request_signature", f"order:{key}", subject={"order_id": key})
        return self.end(work, WorkState.DEAD, note, error_kind=kind)

    def step(self, work: Work, name: str, result: StepResult, **more: Any) -> None:
        """A try of a step."""
        hub = self.pages.hub
        self.later(0.2)
        step = Step(
            id=hub.ids.new("stp"),
            work_id=work.id,
            run_id=work.run_id,
            name=name,
            result=result,
            started_at=hub.clock.now(),
            duration_us=200_000,
            **({"attempt": 1} | more),
        )
        hub.store.run_log.add_step(step)

    def call(self, work: Work | None, method: str, path: str, status: int | None) -> None:
        """An API request."""
        hub = self.pages.hub
        call = Call(
            id=hub.ids.new("cal"),
            connection_id="box-main",
            work_id=work.id if work else None,
            run_id=work.run_id if work else None,
            method=method,
            path=path,
            status=status,
            started_at=hub.clock.now(),
            duration_us=420_000,
        )
        hub.store.run_log.add_call(call)

    def entry(self, work: Work) -> LedgerEntry:
        """The create that a work row means."""
        return self.pages.hub.store.ledger.intend(
            LedgerEntry(
                key=f"sign_request/{work.entity_key}:int_{work.integration_id}/{work.key}",
                kind="sign_request",
                integration_id=work.integration_id,
                work_id=work.id,
                entity_key=work.entity_key,
                state=LedgerState.INTENDED,
                fence=0,
                updated_at=self.pages.hub.clock.now(),
            )
        )

    def doubt(self, key: str, order_id: str) -> tuple[Work, str]:
        """Work that waits for a person, and the key of the create that nobody knows of."""
        ledger = self.pages.hub.store.ledger
        work = self.run(
            key, "request_signature", f"order:{order_id}", subject={"order_id": order_id}
        )
        self.step(work, "read_order", StepResult.OK, value={"version": 3})
        now, entry = self.pages.hub.clock.now(), self.entry(work)
        sent = ledger.send(entry.key, fence=0, run_id=work.run_id, at=now)
        assert sent is not None
        self.call(work, "POST", "/2.0/sign_requests", None)
        self.step(work, "send", StepResult.AMBIGUOUS, detail="The connection broke.")
        assert ledger.probed(entry.key, fence=sent.fence, at=now, doubt=True) is not None
        self.step(work, "probe", StepResult.HELD, detail="Box shows none with our mark.")
        note = "Nobody knows whether the request was made."
        return self.end(work, WorkState.PARKED, note, park_cause=ParkCause.PERSON), entry.key


def fill_acting(pages: Pages, later: Callable[[float], None]) -> dict[str, str]:
    """One of everything that acts, in every state; ids by what they are."""
    day, store = Acted(pages, later), pages.hub.store
    now = pages.hub.clock.now()
    store.executors.beat(
        Executor(id="exe_1", host="worker-1", version="1", started_at=now, beat_at=now)
    )
    day.connection("box-main", "Box – main", health=ConnectionHealth.OK)
    day.connection("box-old", "Box – old", health=ConnectionHealth.NEEDS_ATTENTION, note=REFUSED)
    day.integrate("Contracts, old", IntegrationState.INACTIVE, connection_id="box-old")
    day.integration = day.integrate(
        "Contracts",
        IntegrationState.ACTIVE,
        connection_id="box-main",
        settings={"order_field": "sign_request_id", "trigger_status": "request_signature"},
    )
    store.integrations.set_remote(day.integration.id, {"folder_id": "240123456789"})
    ids = {"connection": "box-main", "integration": day.integration.label}
    order = pages.hub.orders.add(CLI, {"number": "2042", "customer": {"name": "Jane Doe"}})
    done = day.run(
        "chg-1", "request_signature", f"order:{order.id}", subject={"order_id": order.id}
    )
    day.step(done, "upload:tpl_1", StepResult.TRANSIENT, detail="Box answered 503.")
    day.step(done, "upload:tpl_1", StepResult.OK, value={"file_id": "12345"}, attempt=2)
    day.call(done, "POST", "/2.0/sign_requests", 201)
    store.ledger.settle(day.entry(done).key, remote_id="5f0c1d2e", at=pages.hub.clock.now())
    ids["run_done"] = day.end(done, WorkState.DONE, "Sent for signature.").id
    ids["run_doubt"] = day.doubt("chg-2", order.id)[0].id
    note = "Box refuses the signer's address `jane@@example`; correct it on the order."
    ids["run_dead"] = day.dead("chg-3", note=note).id
    day.dead("chg-4", ErrorKind.TRANSIENT)
    parked = day.run("5f/COMPLETED", "bring_home", "box:sign_request:5f0c1d2e")
    ids["run_parked"] = day.end(
        parked,
        WorkState.PARKED,
        "Box refuses the token.",
        park_cause=ParkCause.CONNECTION,
        error_kind=ErrorKind.AUTH,
    ).id
    upkeep = f"integration:{day.integration.id}:reconcile"
    swept = day.run("reconcile/1", "reconcile", upkeep, origin=Origin.RECONCILED)
    ids["run_upkeep"] = day.end(swept, WorkState.DONE, "All is known.").id
    ids["run_running"] = day.run("5e/DECLINED", "bring_home", "box:sign_request:5e0c1d2e").id
    ids["run_new"] = day.add("5d/EXPIRED", "bring_home", "box:sign_request:5d0c1d2e").id
    day.call(None, "GET", "/2.0/users/me", 200)
    asked = pages.hub.work.check_connection(CLI, "box-main")
    store.commands.done(asked.id, at=pages.hub.clock.now(), result=CHECKS)
    dry = pages.hub.work.dry_run(CLI, ids["run_dead"])
    plans = [{"step": "send", "plan": "POST /sign_requests for order 2042"}]
    result = {"plans": plans, "state": "done", "note": "Sent for signature."}
    store.commands.done(dry.id, at=pages.hub.clock.now(), result=result)
    return ids
