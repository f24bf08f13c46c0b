"""`/v1/work`, `/v1/ledger`, `/v1/commands`, `/v1/executors`: what integrations do."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from inkwire.api.callers import Allowed
from inkwire.api.fields import Id, Input, Page, Term, Text
from inkwire.api.integration_models import IntegrationTerm, number
from inkwire.api.parts import With
from inkwire.api.work_models import (
    CommandOut,
    ExecutorOut,
    ExecutorsOut,
    LedgerOut,
    LedgerPage,
    RetriedOut,
    WorkDetailOut,
    WorkOut,
    WorkPage,
)
from inkwire.engine.desk import MAX_KEY, MAX_REMOTE_ID, Decision
from inkwire.model.access import Caller, Scope
from inkwire.model.work import Command, ErrorKind, LedgerState, ParkCause, WorkState
from inkwire.store.acting import WorkQuery
from inkwire.store.contract import MAX_PAGE

router = APIRouter(tags=["Work"])

Reader = Annotated[Caller, Allowed(Scope.RUNS_READ)]
Writer = Annotated[Caller, Allowed(Scope.RUNS_WRITE)]


class WorkFilters(Page):
    """The filters of the list of work; all that are given must hold."""

    integration: IntegrationTerm | None = None
    state: WorkState | None = Field(None, description="`dead`: the dead letters.")
    park_cause: ParkCause | None = Field(None, description="Why it is not started.")
    entity: Term | None = Field(None, examples=["order:ord_1"])
    event: Term | None = Field(None, description="The inbound event that caused it.")
    workflow: Term | None = None


class RetryIn(Input):
    """Which dead letters to start again."""

    integration: IntegrationTerm
    error_kind: ErrorKind | None = Field(None, description="Only those that failed so.")


class LedgerFilters(Input):
    """The filters of the ledger."""

    state: LedgerState | None = Field(None, description="`doubt`: those that wait for a person.")
    limit: int = Field(50, ge=1, le=MAX_PAGE, description="Most items.")


class DecideIn(Input):
    """A person's word on a create whose outcome nobody knows."""

    key: Annotated[Text, Field(min_length=1, max_length=MAX_KEY)] = Field(
        description="The ledger entry's key."
    )
    decision: Decision = Field(
        description="`repeat`: nothing was made, send it once more. `abandon`: leave it. "
        "`adopt`: it was made, `remote_id` is its id."
    )
    remote_id: Annotated[Text, Field(max_length=MAX_REMOTE_ID)] | None = None


@router.get("/work", summary="List work")
def list_work(parts: With, caller: Reader, filters: Annotated[WorkFilters, Query()]) -> WorkPage:
    """Work, newest first, a page at a time."""
    found = parts.work.page(
        caller,
        WorkQuery(
            integration_id=None if filters.integration is None else number(filters.integration),
            state=filters.state,
            park_cause=filters.park_cause,
            entity_key=filters.entity,
            event_id=filters.event,
            workflow=filters.workflow,
            before=filters.before,
            limit=filters.limit,
        ),
    )
    return WorkPage(items=[WorkOut.shown(one) for one in found], next=filters.next_of(found))


@router.post("/work/retry", summary="Retry dead letters", status_code=202)
def retry_dead_letters(body: RetryIn, parts: With, caller: Writer) -> RetriedOut:
    """Starts an integration's dead letters again, at most 200 at a time."""
    done = parts.work.retry_dead(
        caller, integration_id=number(body.integration), error_kind=body.error_kind
    )
    return RetriedOut.of(done)


@router.get("/work/{work_id}", summary="Read work")
def read_work(work_id: Id, parts: With, caller: Reader) -> WorkDetailOut:
    """One row with each step, call and create of its runs."""
    return WorkDetailOut.shown(parts.work.get(caller, work_id))


@router.post("/work/{work_id}/retry", summary="Retry work", status_code=202)
def retry_work(work_id: Id, parts: With, caller: Writer) -> WorkOut:
    """Starts what failed, is parked or was cancelled again, as the next run."""
    return WorkOut.shown(parts.work.retry(caller, work_id))


@router.post("/work/{work_id}/replay", summary="Replay work", status_code=202)
def replay_work(work_id: Id, parts: With, caller: Writer) -> WorkOut:
    """Runs what is done once more, as the next run; creates are not doubled."""
    return WorkOut.shown(parts.work.replay(caller, work_id))


@router.post("/work/{work_id}/cancel", summary="Cancel work")
def cancel_work(work_id: Id, parts: With, caller: Writer) -> WorkOut:
    """Ends what waits; a run under way ends before its next step."""
    return WorkOut.shown(parts.work.cancel(caller, work_id))


@router.post("/work/{work_id}/dry-run", summary="Try work without effects", status_code=202)
def dry_run_work(work_id: Id, parts: With, caller: Writer, response: Response) -> CommandOut:
    """Lists what its next run would call; nothing is sent. The command has the answer."""
    return accepted(parts.work.dry_run(caller, work_id), response)


@router.get("/ledger", summary="List creates at vendors")
def list_ledger(
    parts: With, caller: Reader, filters: Annotated[LedgerFilters, Query()]
) -> LedgerPage:
    """Creates at vendors and how sure we are of each, newest change first."""
    found = parts.work.ledger(caller, state=filters.state, limit=filters.limit)
    return LedgerPage(items=[LedgerOut.shown(one) for one in found])


@router.post("/ledger/decide", summary="Decide on a create in doubt")
def decide_ledger(body: DecideIn, parts: With, caller: Writer) -> LedgerOut:
    """A person's word after empty searches at the vendor; then its work goes on."""
    decided = parts.work.decide(caller, body.key, body.decision, remote_id=body.remote_id)
    return LedgerOut.shown(decided)


@router.get("/commands/{command_id}", summary="Read a command")
def read_command(command_id: Id, parts: With, caller: Reader) -> CommandOut:
    """What a worker was asked for, and its answer; a connection's also needs integrations:read."""
    return CommandOut.of(parts.work.command(caller, command_id))


@router.get("/executors", summary="List executors")
def list_executors(parts: With, caller: Reader) -> ExecutorsOut:
    """Every worker's identity, newest beat first."""
    return ExecutorsOut(items=[ExecutorOut.of(one) for one in parts.work.executors(caller)])


def accepted(command: Command, response: Response) -> CommandOut:
    """The command, and where to look for its answer."""
    response.headers["Location"] = f"/v1/commands/{command.id}"
    return CommandOut.of(command)
