"""The desk of work: what people see of runs, and how they steer them.

It writes rows only, which the worker finds (work, wishes, commands): it knows no workflow engine.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.ids import Ids
from inkwire.model.access import Caller, Scope
from inkwire.model.work import (
    Call,
    Command,
    CommandKind,
    CommandState,
    ErrorKind,
    Executor,
    LedgerEntry,
    LedgerState,
    Step,
    Work,
    WorkState,
)
from inkwire.store.acting import DeadLetters, WorkQuery
from inkwire.store.contract import MAX_PAGE, Store

#: Dead letters that one call revives at most, and rows that it looks at to find them.
MAX_AT_ONCE = 200
_MOST_LOOKED_AT = 5_000
MAX_REMOTE_ID = 200
#: Characters of a ledger key: `sign_request/ord_…:int_…/WORK_KEY`.
MAX_KEY = 500

_RETRIED = frozenset({WorkState.DEAD, WorkState.PARKED, WorkState.CANCELLED})


class Decision(StrEnum):
    """A person's word on a create whose outcome nobody knows."""

    #: Nothing was made: send it once more.
    REPEAT = "repeat"
    #: Leave it as it is, made or not.
    ABANDON = "abandon"
    #: It was made: this is its id.
    ADOPT = "adopt"


_DECIDED: Mapping[Decision, LedgerState] = {
    Decision.REPEAT: LedgerState.REPEAT,
    Decision.ABANDON: LedgerState.ABANDONED,
    Decision.ADOPT: LedgerState.DONE,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkDetail:
    """A work row with all that its runs did."""

    work: Work
    #: All tries of all runs, oldest first.
    steps: Sequence[Step]
    #: Newest first.
    calls: Sequence[Call]
    ledger: Sequence[LedgerEntry]


@dataclass(frozen=True, kw_only=True, slots=True)
class Retried:
    """What a retry of many did."""

    work_ids: tuple[str, ...]
    #: There are others: call again.
    more: bool


class WorkDesk:
    """Shows and steers work. Needs `runs:read` or `runs:write`; checks `integrations:*`.

    All raise Forbidden without it; those with an id raise NotFound.
    """

    def __init__(self, *, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._audit = Auditor(clock, ids)

    def page(self, caller: Caller, query: WorkQuery) -> list[Work]:
        """Work, newest first."""
        caller.require(Scope.RUNS_READ)
        return self._store.works.page(query)

    def unfinished(self, caller: Caller, entity_keys: Collection[str]) -> list[Work]:
        """What waits, runs or is dead of these entities, newest first, at most 50."""
        caller.require(Scope.RUNS_READ)
        return self._store.works.unfinished(entity_keys)

    def counts(self, caller: Caller) -> Mapping[WorkState, int]:
        """How many rows are in each state (each counted up to 10,000)."""
        caller.require(Scope.RUNS_READ)
        return self._store.works.counts()

    def dead(self, caller: Caller) -> list[DeadLetters]:
        """Dead letters by integration and kind of failure, most first; 10,000 are counted."""
        caller.require(Scope.RUNS_READ)
        return self._store.works.dead()

    def get(self, caller: Caller, work_id: str) -> WorkDetail:
        """One row with its steps, calls and ledger entries."""
        caller.require(Scope.RUNS_READ)
        work = self._store.works.get(work_id)
        return WorkDetail(
            work=work,
            steps=self._store.run_log.steps(work_id),
            calls=self._store.run_log.calls(work_id=work_id),
            ledger=self._store.ledger.of_work(work_id),
        )

    def retry(self, caller: Caller, work_id: str) -> Work:
        """Starts what failed, waits or was cancelled again, as the next run.

        Raises Conflict for work in any other state.
        """
        caller.require(Scope.RUNS_WRITE)
        work = self._store.works.get(work_id)
        if work.state is WorkState.DONE:
            raise Conflict(f"{work_id} is done; use replay to run it once more.")
        if work.state not in _RETRIED:
            raise Conflict(f"{work_id} is {work.state} and goes on by itself; wait, or cancel it.")
        return self._again(caller, work, "work.retry")

    def retry_dead(
        self,
        caller: Caller,
        *,
        integration_id: int,
        error_kind: ErrorKind | None = None,
        most: int = MAX_AT_ONCE,
    ) -> Retried:
        """Starts dead letters of an integration again, oldest of the newest 5,000 first.

        At most `most` (to 200) at a time; `error_kind`: only those that failed so. Raises NotFound
        without such an integration.
        """
        caller.require(Scope.RUNS_WRITE)
        self._store.integrations.get(integration_id)
        most, found = min(most, MAX_AT_ONCE), self._dead(integration_id, error_kind)
        started = []
        for work in found[:most]:
            try:
                started.append(self._again(caller, work, "work.retry", bulk="yes").id)
            except (Conflict, NotFound):
                continue  # somebody else was faster
        return Retried(work_ids=tuple(started), more=len(found) > most)

    def replay(self, caller: Caller, work_id: str) -> Work:
        """Runs what is done once more, as the next run; the ledger keeps creates from doubling.

        Raises Conflict for work in any other state.
        """
        caller.require(Scope.RUNS_WRITE)
        work = self._store.works.get(work_id)
        if work.state is not WorkState.DONE:
            raise Conflict(f"{work_id} is {work.state}, not done; only what is done is replayed.")
        return self._again(caller, work, "work.replay")

    def upkeep_now(self, caller: Caller, integration_id: int, workflow: str) -> Work:
        """Does what the clock does for an integration at once, not only in its next slot.

        The row that does it: the last one, run once more, or one that is about to run. Raises
        Conflict while it never ran: it does within seconds of the integration's start.
        """
        caller.require(Scope.RUNS_WRITE)
        label = self._store.integrations.get(integration_id).label
        query = WorkQuery(integration_id=integration_id, workflow=workflow, upkeep=True, limit=1)
        for state in (WorkState.DONE, WorkState.DEAD, WorkState.CANCELLED):
            if found := self._store.works.page(replace(query, state=state)):
                return self._again(caller, found[0], "work.upkeep", workflow=workflow)
        if found := self._store.works.page(query):
            return found[0]
        raise Conflict(
            f"{label} has not done {workflow} yet. It does so by itself within seconds of its "
            "start; see that it is active and that a worker runs."
        )

    def cancel(self, caller: Caller, work_id: str) -> Work:
        """Ends what waits; of a run under way the wish is noted and met before its next step.

        Raises Conflict if it has ended.
        """
        caller.require(Scope.RUNS_WRITE)
        audit = self._audit.entry(caller, "work.cancel", work_id)
        return self._store.works.cancel(work_id, at=audit.at, audit=audit)

    # --- the ledger

    def ledger(
        self, caller: Caller, *, state: LedgerState | None = None, limit: int = 50
    ) -> list[LedgerEntry]:
        """External creates, newest change first."""
        caller.require(Scope.RUNS_READ)
        return self._store.ledger.page(state=state, limit=limit)

    def entry(self, caller: Caller, key: str) -> LedgerEntry:
        """One external create. Raises NotFound."""
        caller.require(Scope.RUNS_READ)
        return self._entry(key)

    def decide(
        self, caller: Caller, key: str, decision: Decision, *, remote_id: str | None = None
    ) -> LedgerEntry:
        """A person's word on a create in DOUBT; then its work goes on.

        `remote_id`: what was found at the vendor, with ADOPT only. Raises NotFound, InvalidInput,
        and Conflict if nothing is in doubt.
        """
        caller.require(Scope.RUNS_WRITE)
        if (problem := _remote_problem(decision, remote_id)) is not None:
            raise InvalidInput(fields={"remote_id": problem})
        entry = self._entry(key)
        detail = {"decision": decision.value} | ({"remote_id": remote_id} if remote_id else {})
        audit = self._audit.entry(caller, "ledger.decide", key, **detail)
        decided = self._store.ledger.decide(
            key, state=_DECIDED[decision], remote_id=remote_id, at=audit.at, audit=audit
        )
        self._go_on(caller, entry.work_id, decision)
        return decided

    # --- what the worker is asked for

    def dry_run(self, caller: Caller, work_id: str) -> Command:
        """Asks what the next run would do, without any effect; see `command` for the answer."""
        caller.require(Scope.RUNS_WRITE)
        self._store.works.get(work_id)
        return self._ask(caller, CommandKind.DRY_RUN, work_id)

    def check_connection(self, caller: Caller, connection_id: str) -> Command:
        """Asks for a token and each scope of a connection to be tried; see `command`."""
        caller.require(Scope.INTEGRATIONS_WRITE)
        self._store.connections.get(connection_id)
        return self._ask(caller, CommandKind.CHECK_CONNECTION, connection_id)

    def command(self, caller: Caller, command_id: str) -> Command:
        """A command, with its result once a worker has done it; kept for a day after that."""
        caller.require(Scope.RUNS_READ)
        command = self._store.commands.get(command_id)
        if command.kind in (CommandKind.CHECK_CONNECTION, CommandKind.ASK):
            caller.require(Scope.INTEGRATIONS_READ)
        return command

    def executors(self, caller: Caller) -> list[Executor]:
        """Every worker's identity, newest beat first."""
        caller.require(Scope.RUNS_READ)
        return self._store.executors.all()

    # --- inside

    def _again(self, caller: Caller, work: Work, action: str, **detail: str) -> Work:
        detail |= {"integration": f"int_{work.integration_id}", "was": work.state.value}
        audit = self._audit.entry(caller, action, work.id, **detail)
        return self._store.works.again(work.id, at=audit.at, audit=audit)

    def _dead(self, integration_id: int, error_kind: ErrorKind | None) -> list[Work]:
        """Dead letters, oldest first."""
        query = WorkQuery(integration_id=integration_id, state=WorkState.DEAD, limit=MAX_PAGE)
        found: list[Work] = []
        for _ in range(_MOST_LOOKED_AT // MAX_PAGE):
            page = self._store.works.page(query)
            found += [one for one in page if error_kind in (None, one.error_kind)]
            if len(page) < MAX_PAGE:
                break
            query = replace(query, before=page[-1].id)
        return found[::-1]

    def _entry(self, key: str) -> LedgerEntry:
        entry = self._store.ledger.get(key) if 0 < len(key) <= MAX_KEY else None
        if entry is None:
            raise NotFound(
                "The ledger has no such key; `inkwire runs ledger` lists those there are."
            )
        return entry

    def _go_on(self, caller: Caller, work_id: str, decision: Decision) -> None:
        """Starts the work that waited for the decision; what runs already goes on by itself."""
        try:
            work = self._store.works.get(work_id)
            revived = {WorkState.PARKED} if decision is Decision.ABANDON else _RETRIED
            if work.state in revived:
                self._again(caller, work, "work.retry", decided=decision.value)
        except (Conflict, NotFound):
            return

    def _ask(self, caller: Caller, kind: CommandKind, target: str) -> Command:
        """The command that waits for a worker already, or a new one."""
        waiting = self._store.commands.latest(kind, target)
        if waiting is not None and waiting.state is CommandState.NEW:
            return waiting
        command = Command(
            id=self._ids.new("cmd"),
            kind=kind,
            target=target,
            created_at=self._clock.now(),
            created_by=caller.actor,
        )
        audit = self._audit.entry(caller, f"command.{kind.value}", target, command=command.id)
        self._store.commands.add(command, audit=audit)
        return command


def _remote_problem(decision: Decision, remote_id: str | None) -> str | None:
    """What is wrong with the id that somebody adopts; None if nothing."""
    if decision is not Decision.ADOPT:
        return None if remote_id is None else f"goes with {Decision.ADOPT} only; leave it out"
    if remote_id is None:
        return "is needed to adopt: the id that you found at the vendor"
    fits = 1 <= len(remote_id) <= MAX_REMOTE_ID and remote_id.isascii() and remote_id.isprintable()
    if not fits or " " in remote_id:
        return f"must be 1 to {MAX_REMOTE_ID} printable ASCII characters without blanks"
    return None
