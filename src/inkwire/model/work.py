"""Acting: integrations, their work, runs, steps, and what was asked of others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from inkwire.model.event import Origin
from inkwire.model.source import SettingValue


class IntegrationState(StrEnum):
    """Whether an integration acts."""

    #: New work is made and started.
    ACTIVE = "active"
    #: New work is made, none is started.
    PAUSED = "paused"
    #: Orders make no new work, and upkeep only where it sees open requests through. Events are
    #: still heard: an outcome of what is under way must be acted on (rollback of a set-up).
    INACTIVE = "inactive"


@dataclass(frozen=True, kw_only=True, slots=True)
class Integration:
    """A configured instance of a business process; people write it `int_7`."""

    id: int
    #: Name of the kind, e.g. `box_sign_orders`.
    kind: str
    name: str
    state: IntegrationState
    #: Checked against the kind's described settings.
    settings: Mapping[str, SettingValue]
    #: The connection it calls by; None if its kind calls nobody.
    connection_id: str | None
    #: The other connection of a kind that stands between two systems; else None.
    second_connection_id: str | None = None
    #: Sources whose events it hears.
    source_ids: tuple[str, ...] = ()
    #: What it knows of the other side: folder id, webhook id. Written by its runs.
    remote: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime
    updated_at: datetime

    @property
    def label(self) -> str:
        """`int_7`."""
        return f"int_{self.id}"

    @property
    def connection_ids(self) -> tuple[str, ...]:
        """The connections that it has, its first before its second."""
        return tuple(one for one in (self.connection_id, self.second_connection_id) if one)


class WorkState(StrEnum):
    """How far a work row is."""

    #: Starts when it is due and nothing else of its entity runs.
    NEW = "new"
    RUNNING = "running"
    #: Not started until its cause clears, see `ParkCause`.
    PARKED = "parked"
    DONE = "done"
    #: Only a person revives it.
    DEAD = "dead"
    CANCELLED = "cancelled"


class ParkCause(StrEnum):
    """Why work is not started."""

    #: Its connection needs attention; ends when the connection is well again.
    CONNECTION = "connection"
    #: A vendor's limit; ends at `due_at`.
    LIMIT = "limit"
    #: A person must decide; see the ledger row that its note names.
    PERSON = "person"
    #: What it is about belongs to no record yet; ends when a folder's record becomes known.
    MAPPING = "mapping"


class ErrorKind(StrEnum):
    """Kinds of failure; the kind alone decides what follows (DESIGN §6)."""

    TRANSIENT = "transient"
    #: A create whose outcome is unknown: probe first.
    AMBIGUOUS = "ambiguous"
    AUTH = "auth"
    LIMIT = "limit"
    PERMANENT = "permanent"


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What is to be done about one event by one integration."""

    id: str
    integration_id: int
    #: Unique within the integration: a change's id, or `SIGN_REQUEST_ID/TRIGGER`. Printable ASCII
    #: without blanks, ≤ 200.
    key: str
    #: Name of the kind's workflow that does it.
    workflow: str
    #: Rows of one entity run one at a time, in order of arrival.
    entity_key: str
    origin: Origin = Origin.WEBHOOK
    #: The inbound event, if one caused it.
    event_id: str | None = None
    #: Ids that the workflow needs; never payloads or secrets.
    subject: Mapping[str, str] = field(default_factory=dict)
    state: WorkState = WorkState.NEW
    #: From 1; a retry or replay is the next one.
    run_number: int = 1
    #: Runs that ended in a transient failure since a person last touched it.
    failures: int = 0
    #: Starts of its current run on another executor.
    takeovers: int = 0
    due_at: datetime
    #: Executor that runs it.
    executor_id: str | None = None
    park_cause: ParkCause | None = None
    error_kind: ErrorKind | None = None
    #: How it ended, or what hinders it: a sentence for a person.
    note: str = ""
    #: A person asked to cancel the current run.
    cancel_asked: bool = False
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def run_id(self) -> str:
        """`int_7/KEY/RUN`: the durable execution's id, never used twice."""
        return f"int_{self.integration_id}/{self.key}/{self.run_number}"


class StepResult(StrEnum):
    """How one try of a step ended."""

    OK = "ok"
    TRANSIENT = "transient"
    AMBIGUOUS = "ambiguous"
    AUTH = "auth"
    LIMIT = "limit"
    PERMANENT = "permanent"
    #: A person must decide.
    HELD = "held"
    #: Another executor has taken the run over.
    FENCED = "fenced"
    #: A defect of ours.
    INTERNAL = "internal"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One try of one checkpointed effect of a run."""

    id: str
    work_id: str
    run_id: str
    name: str
    #: From 1, within the run.
    attempt: int
    result: StepResult
    #: A sentence if it failed.
    detail: str = ""
    #: Ids and counts that it gave; small.
    value: Any = None
    started_at: datetime
    duration_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One recorded API request."""

    id: str
    connection_id: str
    work_id: str | None
    run_id: str | None
    method: str
    #: Path without the host; query values are left out.
    path: str
    #: None: no answer came.
    status: int | None
    #: The vendor's id of the request, and the error's code if any.
    vendor_id: str = ""
    error: str = ""
    #: SHA-256 of the request's body (hex); empty without one.
    body_sha256: str = ""
    started_at: datetime
    duration_us: int


class LedgerState(StrEnum):
    """How sure we are of an external create."""

    #: Meant, not sent.
    INTENDED = "intended"
    #: Sent or about to be: never sent again without settle time and probe.
    SENDING = "sending"
    DONE = "done"
    #: Probes found nothing, and a repeat could reach a customer: a person decides.
    DOUBT = "doubt"
    #: A person said: send it once more. As INTENDED.
    REPEAT = "repeat"
    #: A person said: leave it.
    ABANDONED = "abandoned"


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerEntry:
    """One external create (DESIGN §6)."""

    #: `sign_request/EXTERNAL_ID/WORK_KEY`.
    key: str
    kind: str
    integration_id: int
    work_id: str
    #: What it is about, e.g. `order:ID`.
    entity_key: str
    state: LedgerState
    #: Grows with each claim.
    fence: int
    remote_id: str | None = None
    run_id: str | None = None
    sent_at: datetime | None = None
    #: Probes since it was sent that found nothing.
    probes: int = 0
    #: How often it was sent.
    sends: int = 0
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Executor:
    """One worker's identity in the workflow engine."""

    id: str
    host: str
    version: str
    started_at: datetime
    beat_at: datetime
    #: Set at an orderly end: nothing of it is taken over.
    stopped_at: datetime | None = None


class CommandKind(StrEnum):
    """What a web process asks of a worker."""

    #: Fetch a token, show the connected user, check every scope. Target: a connection.
    CHECK_CONNECTION = "check_connection"
    #: Run a work row without effects and list what it would call. Target: a work id.
    DRY_RUN = "dry_run"
    #: Answer a question of an integration's kind, with reads only. Target: `int_7/QUESTION`.
    ASK = "ask"


class CommandState(StrEnum):
    """How far a command is."""

    NEW = "new"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A request from `web` to `worker`, and its answer."""

    id: str
    kind: CommandKind
    target: str
    state: CommandState = CommandState.NEW
    #: What is asked for beside the target, as JSON; None once it is answered.
    asks: Mapping[str, Any] | None = None
    result: Any = None
    #: A sentence if it failed.
    error: str = ""
    created_at: datetime
    created_by: str
    done_at: datetime | None = None
