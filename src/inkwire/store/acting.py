"""What a store does for acting: integrations, work, the ledger, connections. See `contract`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from inkwire.model.access import AuditEntry
from inkwire.model.connection import (
    Authorization,
    Connection,
    ConnectionHealth,
    HeldToken,
    Token,
)
from inkwire.model.work import (
    Call,
    Command,
    CommandKind,
    ErrorKind,
    Executor,
    Integration,
    LedgerEntry,
    LedgerState,
    ParkCause,
    Step,
    Work,
    WorkState,
)

#: Questions (ASK) and dry runs that wait for a worker: in all, and those of one caller.
MOST_ASKED, MOST_ASKED_BY_ONE = 100, 20


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkQuery:
    """Filters of the list of work; all given ones must hold. Newest first."""

    integration_id: int | None = None
    state: WorkState | None = None
    park_cause: ParkCause | None = None
    entity_key: str | None = None
    event_id: str | None = None
    workflow: str | None = None
    error_kind: ErrorKind | None = None
    #: Only what the clock makes (entity `integration:…`), or only the rest; None: both.
    upkeep: bool | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetters:
    """Dead letters of one integration that failed alike."""

    integration_id: int
    error_kind: ErrorKind | None
    count: int
    #: What the newest of them says, and its id.
    note: str
    work_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """What becomes of a work row when its run ends."""

    state: WorkState
    note: str
    #: When it starts again; for NEW and PARKED.
    due_at: datetime | None = None
    park_cause: ParkCause | None = None
    error_kind: ErrorKind | None = None
    #: Whether the run counts as a transient failure.
    failed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEnd:
    """The end of one run."""

    #: The row as it was read; of it count id, entity and run number.
    work: Work
    #: The executor that ran it, and must run it still; None: whoever runs it.
    by: str | None
    ending: Ending
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretText:
    """A connection's secret, to be sealed."""

    name: str
    value: str = field(repr=False)


class Integrations(Protocol):
    """Configured business processes."""

    def all(self) -> list[Integration]:
        """Every integration, by number."""
        ...

    def get(self, integration_id: int) -> Integration:
        """One integration. Raises NotFound."""
        ...

    def add(self, integration: Integration, *, audit: AuditEntry) -> Integration:
        """Numbers and keeps it (its `id` is ignored; from 1). The audit's target becomes `int_N`.

        Raises NotFound if a connection of it is not there.
        """
        ...

    def update(
        self, integration: Integration, *, expected: datetime, audit: AuditEntry
    ) -> Integration:
        """Replaces name, state, settings, connections and sources; `remote` stays.

        `expected`: the `updated_at` that was read. Raises NotFound, Conflict if it is another.
        """
        ...

    def set_remote(self, integration_id: int, remote: Mapping[str, str]) -> Integration:
        """Merges into `remote`; an empty value removes its key. Raises NotFound."""
        ...


class Works(Protocol):
    """Work rows: the truth about what is to be done."""

    def add(self, rows: Sequence[Work]) -> list[str]:
        """Keeps those whose (integration, key) is free; returns the ids that were kept."""
        ...

    def get(self, work_id: str) -> Work:
        """One row. Raises NotFound."""
        ...

    def of(self, work_ids: Collection[str]) -> Mapping[str, Work]:
        """Those of the given rows (≤ 200) that there are, by id."""
        ...

    def by_key(self, integration_id: int, key: str) -> Work | None:
        """The row of that key, or None."""
        ...

    def page(self, query: WorkQuery) -> list[Work]:
        """At most `query.limit` rows, newest first."""
        ...

    def unfinished(self, entity_keys: Collection[str], *, limit: int = 50) -> list[Work]:
        """Rows of these entities (≤ 1,000) that wait, run or are dead, newest first."""
        ...

    def counts(self, integration_id: int | None = None) -> Mapping[WorkState, int]:
        """How many rows are in each state (each counted up to 10,000).

        Of one integration without its upkeep, if it is given.
        """
        ...

    def dead(self, *, most: int = 10_000) -> list[DeadLetters]:
        """The newest `most` dead letters by integration and kind of failure, most first."""
        ...

    def claim(self, *, executor_id: str, now: datetime, limit: int) -> list[Work]:
        """Takes up to `limit` rows to run: due, oldest first, now RUNNING with this executor.

        Taken are NEW rows, and PARKED ones whose cause is LIMIT or CONNECTION, when they are due;
        a parked one starts under the next run number. None are taken of integrations that are
        PAUSED (INACTIVE ones finish what they have) or one of whose connections needs attention.
        Of one (integration, entity) only the oldest that waits is taken, and only while none of it
        runs; one that waits for a PERSON or a MAPPING blocks nothing. Nobody else gets the same
        row (SKIP LOCKED). At most 100.
        """
        ...

    def next_due(self, now: datetime) -> datetime | None:
        """When `claim` may find more, `now` or later; None: nothing waits that it may take.

        What stands behind another row of its entity is counted with that one.
        """
        ...

    def running(self, executor_id: str) -> list[Work]:
        """Rows that an executor runs, oldest first, at most 1,000."""
        ...

    def end(self, work_id: str, *, run_number: int, ending: Ending, at: datetime) -> bool:
        """Ends a run. False if the row is not RUNNING with that run number: nothing is changed.

        To NEW: the run number grows by 1. Without `due_at` it is due at once, one parked on
        CONNECTION after a minute. If `cancel_asked`, NEW and PARKED become CANCELLED.
        """
        ...

    def end_runs(self, ends: Sequence[RunEnd], *, steps: Sequence[Step] = ()) -> list[bool]:
        """Ends runs, each as `end` does, and keeps steps as `RunLog.add_steps`: all or nothing.

        For each end, in their order, whether the row was RUNNING with that run number and, if
        named, that executor; one that was not changes nothing and keeps no other from its end.
        """
        ...

    def in_hand(self, executor_id: str) -> Mapping[str, tuple[int, bool]]:
        """Rows that an executor runs, all of them: id → (run number, `cancel_asked`)."""
        ...

    def take_over(self, work_id: str, *, run_number: int, of: str, by: str) -> Work | None:
        """Moves a RUNNING row from a dead executor to another, `takeovers` + 1.

        None if it is no longer that executor's.
        """
        ...

    def again(
        self,
        work_id: str,
        *,
        at: datetime,
        subject: Mapping[str, str] | None = None,
        audit: AuditEntry,
    ) -> Work:
        """Retry or replay: NEW under the next run number, failures and takeovers 0.

        `subject` replaces the row's.

        Raises NotFound, and Conflict while it is NEW or RUNNING.
        """
        ...

    def cancel(self, work_id: str, *, at: datetime, audit: AuditEntry) -> Work:
        """NEW and PARKED become CANCELLED; of RUNNING the wish is noted (`cancel_asked`).

        Raises NotFound, Conflict if it has ended.
        """
        ...

    def wake(self, *, connection_id: str, at: datetime) -> int:
        """Rows parked on this connection's health become NEW, due at once, under the next run.

        Of integrations that call by it, as their first or their second. Call it when the
        connection is well again; without it they start when they are due.
        """
        ...

    def wake_unmapped(
        self,
        integration_id: int,
        *,
        at: datetime,
        limit: int = 1_000,
        audit: AuditEntry | None = None,
    ) -> int:
        """Rows parked on MAPPING become NEW, due at once, under the next run; how many.

        Those that were parked longest ago first, so that with more than `limit` of them each gets
        its turn. Call it when a folder's record became known; what still has none is parked again.
        `audit`: of a person who asked for it; kept even if nothing waited.
        """
        ...


class Ledger(Protocol):
    """External creates, each at most once in flight."""

    def intend(self, entry: LedgerEntry) -> LedgerEntry:
        """Keeps the entry if its key is free; returns what is there."""
        ...

    def get(self, key: str) -> LedgerEntry | None:
        """One entry, or None."""
        ...

    def send(self, key: str, *, fence: int, run_id: str, at: datetime) -> LedgerEntry | None:
        """INTENDED or REPEAT with that fence → SENDING, fence + 1, sends + 1, probes 0.

        None if another was faster: do not send. Call it immediately before sending.
        """
        ...

    def settle(self, key: str, *, remote_id: str, at: datetime) -> LedgerEntry:
        """DONE, whatever the fence: the remote object is a fact.

        If it is DONE with another id, that id stays; compare what is returned. Raises NotFound.
        """
        ...

    def disown(self, key: str, *, remote_id: str, at: datetime) -> LedgerEntry | None:
        """DONE with that id → DOUBT: a person named it, and it is not theirs; else None."""
        ...

    def unsent(self, key: str, *, fence: int, at: datetime) -> LedgerEntry | None:
        """SENDING with that fence → INTENDED: the other side refused, so nothing was made."""
        ...

    def probed(self, key: str, *, fence: int, at: datetime, doubt: bool) -> LedgerEntry | None:
        """Counts an empty probe; with `doubt` SENDING → DOUBT. None if the fence moved on."""
        ...

    def decide(
        self,
        key: str,
        *,
        state: LedgerState,
        remote_id: str | None,
        at: datetime,
        audit: AuditEntry,
    ) -> LedgerEntry:
        """A person's word on a DOUBT: REPEAT, ABANDONED, or DONE with the id that they found.

        Raises NotFound, Conflict if it is not in DOUBT, InvalidInput for another state or if
        only DONE and an id do not go together.
        """
        ...

    def of_work(self, work_id: str) -> list[LedgerEntry]:
        """The entries of one work row, by key."""
        ...

    def page(self, *, state: LedgerState | None = None, limit: int = 50) -> list[LedgerEntry]:
        """Entries, newest change first."""
        ...


class RunLog(Protocol):
    """Steps and calls, for people."""

    def add_step(self, step: Step) -> None:
        """Keeps a step's try; its id is (run, name, attempt), kept once."""
        ...

    def add_steps(self, steps: Sequence[Step]) -> None:
        """Keeps many in one transaction, each once."""
        ...

    def steps(self, work_id: str) -> list[Step]:
        """All tries of all runs of a row, oldest first, at most 1,000."""
        ...

    def add_call(self, call: Call) -> None:
        """Keeps a call."""
        ...

    def calls_of(self, work_id: str) -> list[Call]:
        """All calls of all runs of a row, oldest first, at most 1,000."""
        ...

    def calls(
        self, *, work_id: str | None = None, connection_id: str | None = None, limit: int = 200
    ) -> list[Call]:
        """Calls, newest first."""
        ...

    def forget(self, *, before: datetime, limit: int) -> int:
        """Deletes steps and calls of ended work and connections' calls older than that."""
        ...


class Executors(Protocol):
    """Heartbeats of workers."""

    def beat(self, executor: Executor) -> None:
        """Adds or renews the row of this executor."""
        ...

    def stop(self, executor_id: str, *, at: datetime) -> None:
        """Notes an orderly end."""
        ...

    def all(self) -> list[Executor]:
        """Every executor, newest beat first."""
        ...

    def forget(self, executor_id: str) -> None:
        """Removes a row whose work was taken over."""
        ...


class Commands(Protocol):
    """What web processes ask of workers."""

    def add(self, command: Command, *, audit: AuditEntry | None = None) -> None:
        """Keeps a command; forgets those done more than a day ago.

        Raises RateLimited if too many questions or dry runs wait, in all or of that caller.
        """
        ...

    def forget(self, *, now: datetime) -> int:
        """Deletes those done more than a day ago, for perhaps nobody asks again; how many."""
        ...

    def get(self, command_id: str) -> Command:
        """One command. Raises NotFound."""
        ...

    def latest(self, kind: CommandKind, target: str) -> Command | None:
        """The newest one of that kind and target."""
        ...

    def take(self, *, now: datetime, lease_s: float) -> Command | None:
        """The oldest waiting one, leased to the caller: no other gets it within `lease_s`.

        One whose question no key opens is FAILED with the reason instead, and None returned.
        """
        ...

    def done(self, command_id: str, *, at: datetime, result: Any = None, error: str = "") -> None:
        """Ends it; with `error` it FAILED."""
        ...


class Connections(Protocol):
    """Credentials, sealed by the master key, and the tokens that they gave."""

    def all(self) -> list[Connection]:
        """Every connection, by id."""
        ...

    def get(self, connection_id: str) -> Connection:
        """One connection. Raises NotFound."""
        ...

    def add(
        self, connection: Connection, secrets: Sequence[SecretText], *, audit: AuditEntry
    ) -> None:
        """Raises Conflict if the id is taken."""
        ...

    def update(
        self,
        connection: Connection,
        secrets: Sequence[SecretText],
        *,
        removed: Collection[str] = (),
        keep_token: bool = False,
        expected: datetime,
        audit: AuditEntry,
    ) -> Connection:
        """Replaces name, method and settings, sets the given secrets, removes the named ones.

        The token is forgotten (under the next generation, so that a refresh that is under way
        keeps nothing) and health becomes UNCHECKED. With `keep_token` token, generation and lease
        stay: what was changed says nothing about whose token it is. Raises NotFound, Conflict if
        `updated_at` is not `expected`.
        """
        ...

    def delete(self, connection_id: str, *, audit: AuditEntry) -> None:
        """Removes it. Raises NotFound, Conflict while an integration names it, as either."""
        ...

    def open_secrets(self, connection_id: str) -> Mapping[str, str]:
        """Its secrets in plain. Raises NotFound, CipherError."""
        ...

    def token(self, connection_id: str) -> HeldToken:
        """The stored token, opened. Raises NotFound, CipherError."""
        ...

    def lease_refresh(
        self, connection_id: str, *, generation: int, now: datetime, lease_s: float
    ) -> bool:
        """Takes the right to refresh the token of that generation; False: another has it."""
        ...

    def put_token(
        self,
        connection_id: str,
        token: Token,
        *,
        generation: int,
        audit: AuditEntry | None = None,
    ) -> bool:
        """Keeps the next token (generation + 1), ends the lease.

        False if the generation is another by now: the stored one is newer. `audit`: of a person
        who signed in for it; kept only with the token.
        """
        ...

    def drop_lease(self, connection_id: str, *, generation: int, leased_until: datetime) -> None:
        """Gives the right to refresh back.

        `leased_until`: when it was taken, plus `lease_s`; a lease that ends at another time is
        another's, and stays.
        """
        ...

    def set_health(
        self, connection_id: str, health: ConnectionHealth, note: str, *, at: datetime
    ) -> bool:
        """Notes how it is doing; True if that is news. Moves the counters only then.

        The same again moves `health_at`, at most once a minute.
        """
        ...

    def begin_authorization(
        self,
        connection_id: str,
        *,
        state_hash: bytes,
        verifier: str,
        redirect_uri: str,
        session: str,
        until: datetime,
        audit: AuditEntry | None = None,
    ) -> None:
        """Keeps that a person was asked for consent, in place of an older asking for the same.

        `state_hash`: SHA-256 of the `state` that was sent along; `verifier` is sealed. It goes
        when the connection is changed or deleted. Raises NotFound.
        """
        ...

    def take_authorization(self, *, state_hash: bytes, now: datetime) -> Authorization | None:
        """Removes and returns the one with that state: good once. None: unknown, or too late.

        Raises CipherError.
        """
        ...
