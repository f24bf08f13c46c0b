"""What the API answers about work, its runs, the ledger, commands and executors."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from pydantic import Field

from inkwire.api.fields import Next, Output
from inkwire.engine.desk import WorkDetail
from inkwire.model.event import Origin
from inkwire.model.work import (
    CommandKind,
    CommandState,
    ErrorKind,
    LedgerEntry,
    LedgerState,
    ParkCause,
    StepResult,
    Work,
    WorkState,
)


class WorkOut(Output):
    """What is to be done about one event by one integration, and how far it is."""

    id: str
    integration_id: str = Field(examples=["int_7"])
    key: str = Field(description="Unique within the integration.")
    workflow: str
    entity_key: str = Field(description="Work of one entity runs one after the other.")
    origin: Origin
    event_id: str | None = Field(description="The inbound event that caused it.")
    subject: Mapping[str, str] = Field(description="Ids that it is about.")
    state: WorkState
    run_id: str = Field(examples=["int_7/1234/1"], description="Of its present or last run.")
    run_number: int
    failures: int = Field(description="Failed runs since a person last touched it.")
    takeovers: int = Field(description="Starts of its run on another executor.")
    due_at: datetime = Field(description="While it waits: when it starts.")
    executor_id: str | None
    park_cause: ParkCause | None
    error_kind: ErrorKind | None
    note: str = Field(description="How it ended, or what hinders it.")
    cancel_asked: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def shown(cls, work: Work) -> Self:
        """With the integration's label."""
        return cls(**_labelled(cls, work))


class WorkPage(Output):
    """A page of work, newest first."""

    items: list[WorkOut]
    next: Next


class StepOut(Output):
    """One try of one step of a run."""

    id: str
    run_id: str
    name: str
    attempt: int = Field(description="From 1, within the run.")
    result: StepResult
    detail: str = Field(description="What went wrong, if it did.")
    value: Any = Field(description="Ids and counts that it gave.")
    started_at: datetime
    duration_us: int = Field(description="Microseconds.")


class CallOut(Output):
    """One API request; not its body."""

    id: str
    connection_id: str
    work_id: str | None
    run_id: str | None
    method: str
    path: str
    status: int | None = Field(description="null: no answer came.")
    vendor_id: str = Field(description="The vendor's id of the request.")
    error: str = Field(description="The vendor's code of the error.")
    body_sha256: str
    started_at: datetime
    duration_us: int = Field(description="Microseconds.")


class LedgerOut(Output):
    """One create at a vendor, and how sure we are of it."""

    key: str
    kind: str
    integration_id: str = Field(examples=["int_7"])
    work_id: str
    entity_key: str = Field(examples=["order:ord_1"])
    state: LedgerState
    fence: int = Field(description="Grows with each claim.")
    remote_id: str | None = Field(description="The vendor's id, once it is known.")
    run_id: str | None
    sent_at: datetime | None
    probes: int = Field(description="Searches since it was sent that found nothing.")
    sends: int = Field(description="How often it was sent.")
    updated_at: datetime

    @classmethod
    def shown(cls, entry: LedgerEntry) -> Self:
        """With the integration's label."""
        return cls(**_labelled(cls, entry))


class LedgerPage(Output):
    """Creates, newest change first."""

    items: list[LedgerOut]


class WorkDetailOut(Output):
    """A work row with all that its runs did."""

    work: WorkOut
    steps: list[StepOut] = Field(description="All tries of all runs, oldest first.")
    calls: list[CallOut] = Field(description="Newest first, at most 200.")
    ledger: list[LedgerOut]

    @classmethod
    def shown(cls, detail: WorkDetail) -> Self:
        """From the desk."""
        return cls(
            work=WorkOut.shown(detail.work),
            steps=[StepOut.of(one) for one in detail.steps],
            calls=[CallOut.of(one) for one in detail.calls],
            ledger=[LedgerOut.shown(one) for one in detail.ledger],
        )


class RetriedOut(Output):
    """What a retry of many did."""

    work_ids: list[str] = Field(description="Work that was started again; at most 200.")
    more: bool = Field(description="There are others: call again.")


class CommandOut(Output):
    """What a worker was asked for, and its answer."""

    id: str
    kind: CommandKind
    target: str = Field(
        description="Id of the connection or of the work, or the integration and what it is asked.",
        examples=["int_7/try_fields"],
    )
    state: CommandState
    result: Any = Field(description="Once it is done.")
    error: str = Field(description="Why it failed, if it did.")
    created_at: datetime
    created_by: str
    done_at: datetime | None


class ExecutorOut(Output):
    """One worker's identity."""

    id: str
    host: str
    version: str
    started_at: datetime
    beat_at: datetime = Field(description="When it was last heard of.")
    stopped_at: datetime | None = Field(description="When it ended in good order.")


class ExecutorsOut(Output):
    """Every executor, newest beat first."""

    items: list[ExecutorOut]


def _labelled(model: type[Output], value: Work | LedgerEntry) -> dict[str, Any]:
    """The model's fields as the value has them, the integration by its label."""
    given = {name: getattr(value, name) for name in model.model_fields}
    return given | {"integration_id": f"int_{value.integration_id}"}
