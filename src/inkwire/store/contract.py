"""What a store does. Rooms know these protocols; only `app.py` names a concrete store.

Methods are synchronous, each is one transaction, and each is safe to call from any thread: on
SQLite writes of one process take turns, reads do not wait. Async code calls them on a thread.
Every method may raise `StoreBusy`, `StoreFull` or `CipherError` beside what its docstring names;
after a raised error nothing of that call is kept.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from inkwire.errors import StoreError
from inkwire.model.access import ApiKey, AuditEntry, LoginSession, PortalToken, User
from inkwire.model.event import Event, EventState, Term
from inkwire.model.receipt import Intake, OpenedReceipt, Receipt, Rejection, Stored
from inkwire.model.source import Secret, Source, SourceActivity
from inkwire.model.verdict import Reason
from inkwire.model.work import Work
from inkwire.store.acting import (
    Commands,
    Connections,
    Executors,
    Integrations,
    Ledger,
    RunLog,
    Works,
)
from inkwire.store.crm import (
    Activities,
    ApiUsages,
    Attachments,
    BulkJobs,
    FieldStates,
    RecordFolders,
)
from inkwire.store.ordering import Documents, Evidence, Orders, SignRequests, Templates
from inkwire.store.sending import Jobs, NewMessage, Outbox, Subscribers

#: Topics of the change counters. A commit that others must see bumps its topic's row.
EVENT, CONFIG, DISPATCHED, REJECTED = "event", "config", "dispatched", "rejected"
#: A message was kept, a delivery made or due, an attempt recorded, a job begun.
MESSAGE, DELIVERY, ATTEMPT, JOB = "message", "delivery", "attempt", "job"
#: Work was made or moved, a step or call recorded, an order changed, a command given or answered.
WORK, STEP, ORDER, COMMAND = "work", "step", "order", "command"
TOPICS = (
    EVENT,
    CONFIG,
    DISPATCHED,
    REJECTED,
    MESSAGE,
    DELIVERY,
    ATTEMPT,
    JOB,
    WORK,
    STEP,
    ORDER,
    COMMAND,
)

MAX_PAGE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSecret:
    """A secret to be sealed and kept."""

    id: str
    role: str
    value: bytes = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class EventQuery:
    """Filters of the event list; all given ones must hold. Newest first."""

    #: Prefix of a search term, or an event id or receipt id.
    text: str | None = None
    source_id: str | None = None
    type: str | None = None
    entity_key: str | None = None
    state: EventState | None = None
    since: datetime | None = None
    until: datetime | None = None
    #: Only events with a smaller id (older): the last id of the page before.
    before: str | None = None
    #: Only events with a greater id (newer).
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectionQuery:
    """Filters of the rejected log. Newest first."""

    source_id: str | None = None
    reason: Reason | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Undispatched:
    """One waiting event with what its dispatch needs."""

    event: Event
    #: Opened; body None if the receipt was erased meanwhile.
    opened: OpenedReceipt
    #: The canonical text to parse in place of the body, if only that was signed.
    canonical: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Dispatched:
    """What dispatch found for one event."""

    event_id: str
    terms: tuple[Term, ...] = ()
    #: A sentence for a person if it could not be done; the event then counts as dispatched.
    error: str | None = None
    #: What subscribers with a grant get of it; kept in the same transaction.
    messages: tuple[NewMessage, ...] = ()
    #: What integrations are to do about it; kept in the same transaction, each key once.
    work: tuple[Work, ...] = ()


class SealedIntake(Protocol):
    """An intake encrypted and hashed, ready to append; opaque outside the store."""

    @property
    def intake(self) -> Intake:
        """What was sealed."""
        ...

    @property
    def size(self) -> int:
        """Bytes it will take, roughly: for the backlog's limit."""
        ...


class Inbound(Protocol):
    """Receipts and events on their way in: the hot path."""

    def seal(self, intake: Intake) -> SealedIntake:
        """Encrypts and hashes on the caller's thread; no I/O. Raises CipherError."""
        ...

    def append(self, batch: Sequence[SealedIntake]) -> list[Stored | StoreError]:
        """Commits receipts, events and dedupe keys, durably, in one transaction if it can.

        Each gets its own outcome, in order; if the transaction fails they are tried one by one.
        Never raises StoreError: it returns them.
        """
        ...

    def open_receipt(self, receipt_id: str) -> OpenedReceipt:
        """A receipt with query, headers and body. Raises NotFound, CipherError."""
        ...

    def release(self, receipt_id: str, *, at: datetime, audit: AuditEntry) -> Receipt:
        """Lets a quarantined receipt in: its events claim their keys and wait for dispatch.

        Raises NotFound, and Conflict if it is not quarantined.
        """
        ...

    def reject(self, rows: Sequence[Rejection]) -> None:
        """Adds to the rejected log, which keeps the newest N rows (a setting)."""
        ...


class Sources(Protocol):
    """Sources and their secrets."""

    def all(self) -> list[Source]:
        """Every source, by id."""
        ...

    def get(self, source_id: str) -> Source:
        """One source. Raises NotFound."""
        ...

    def create(self, source: Source, secrets: Sequence[NewSecret], *, audit: AuditEntry) -> None:
        """Adds a source with its secrets. Raises Conflict if the id is taken."""
        ...

    def update(
        self, source: Source, *, audit: AuditEntry, expected: datetime | None = None
    ) -> None:
        """Replaces everything but id, provider, created_at and secrets. Raises NotFound.

        `expected`: the `updated_at` that was read; raises Conflict if it is another by now.
        """
        ...

    def delete(self, source_id: str, *, audit: AuditEntry) -> None:
        """Removes the source and its secrets; receipts and events stay. Raises NotFound."""
        ...

    def add_secret(
        self,
        source_id: str,
        secret: NewSecret,
        *,
        expire_others_at: datetime | None,
        audit: AuditEntry,
    ) -> None:
        """Adds a secret; the others of its role end at `expire_others_at` (None: they stay).

        One that already ends earlier keeps its end. Raises NotFound.
        """
        ...

    def remove_secret(self, source_id: str, secret_id: str, *, audit: AuditEntry) -> None:
        """Deletes a secret at once. Raises NotFound."""
        ...

    def open_secrets(self, now: datetime) -> Mapping[str, tuple[Secret, ...]]:
        """Every secret still valid at `now`, opened, newest first, by source id."""
        ...

    def activity(self, now: datetime) -> Mapping[str, SourceActivity]:
        """When each source was last heard of, by source id."""
        ...


class Events(Protocol):
    """Reading events, receipts and rejections."""

    def page(self, query: EventQuery) -> list[Event]:
        """At most `query.limit` (≤ MAX_PAGE) events, newest first."""
        ...

    def get(self, event_id: str) -> Event:
        """One event. Raises NotFound."""
        ...

    def deliveries(self, event: Event) -> list[Event]:
        """All deliveries of the same event: the first and its duplicates, oldest first, ≤ 200."""
        ...

    def of_receipt(self, receipt_id: str) -> list[Event]:
        """The events of one receipt, by position."""
        ...

    def receipt(self, receipt_id: str) -> Receipt:
        """One receipt, unopened. Raises NotFound."""
        ...

    def terms(self, event_id: str) -> list[Term]:
        """What the event can be found by."""
        ...

    def types(self) -> list[str]:
        """Event types seen so far, sorted."""
        ...

    def rejections(self, query: RejectionQuery) -> list[Rejection]:
        """The rejected log, newest first."""
        ...

    def rejection(self, rejection_id: str) -> Rejection:
        """One rejected request. Raises NotFound."""
        ...


class Dispatch(Protocol):
    """Handing stored events on, once each."""

    def take(
        self, limit: int, work: Callable[[Sequence[Undispatched]], Sequence[Dispatched]]
    ) -> int:
        """Gives up to `limit` (≤ 100) waiting events to `work`, oldest first; keeps the outcome.

        Events of paused sources, quarantined and filtered ones are not waiting. Several
        processes may call at once: no event is given to two of them (PostgreSQL: SKIP LOCKED; on
        SQLite one worker runs). If `work` raises, all stay waiting. An event whose receipt is
        missing or does not open is noted as failed without `work`. A batch's bodies come to at
        most 16 MiB, or are one. Returns how many were done.
        """
        ...

    def again(self, event_id: str, *, audit: AuditEntry) -> None:
        """Puts an event back to waiting. Raises NotFound, Conflict if it may not be dispatched."""
        ...

    def backlog(self) -> int:
        """How many events wait (counted up to 10,000)."""
        ...


class Access(Protocol):
    """Users, sessions, API keys and the audit log."""

    def users(self) -> list[User]:
        """Every user, by name."""
        ...

    def user(self, name: str) -> User | None:
        """The user of that sign-in name, or None."""
        ...

    def user_by_id(self, user_id: str) -> User | None:
        """The user of that id, or None."""
        ...

    def add_user(self, user: User, *, audit: AuditEntry) -> None:
        """Raises Conflict if the name is taken."""
        ...

    def update_user(self, user: User, *, audit: AuditEntry) -> None:
        """Replaces role, password hash and disabled; ends their sessions. Raises NotFound."""
        ...

    def add_session(self, session: LoginSession) -> None:
        """Keeps a session, and forgets expired ones."""
        ...

    def session(self, token_hash: bytes) -> LoginSession | None:
        """The session of a cookie, expired or not; None if there is none."""
        ...

    def end_session(self, token_hash: bytes) -> None:
        """Forgets a session."""
        ...

    def api_keys(self) -> list[ApiKey]:
        """Every API key, newest first."""
        ...

    def api_key(self, key_hash: bytes) -> ApiKey | None:
        """The key of that hash, revoked or not; None if there is none."""
        ...

    def add_api_key(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Keeps a key's hash. Raises NotFound if the application it is for is gone."""
        ...

    def revoke_api_key(self, key_id: str, *, at: datetime, audit: AuditEntry) -> None:
        """Ends a key. Raises NotFound."""
        ...

    def touch_api_key(self, key_id: str, *, at: datetime) -> None:
        """Notes that it was used (at most once a minute reaches the disk)."""
        ...

    def audit(self, *, before: str | None = None, limit: int = 50) -> list[AuditEntry]:
        """The audit log, newest first."""
        ...

    def add_portal_token(self, token: PortalToken, *, audit: AuditEntry | None = None) -> None:
        """Keeps a token's hash, and forgets expired ones. Raises NotFound without application."""
        ...

    def take_portal_token(self, token_hash: bytes) -> PortalToken | None:
        """A link's token, expired or not, which is gone afterwards: it opens one session."""
        ...

    def portal_session(self, token_hash: bytes) -> PortalToken | None:
        """A session's token, expired or not; None if there is none."""
        ...

    def end_portal_session(self, token_hash: bytes) -> None:
        """Forgets a session."""
        ...


class Live(Protocol):
    """The change counters as this process last saw them, for pages that wait for news."""

    @property
    def closed(self) -> bool:
        """Whether the process is stopping: a stream that waits should end."""
        ...

    def counters(self) -> Mapping[str, int]:
        """The counters as last seen, by topic; no I/O."""
        ...

    async def changed(self, seen: Mapping[str, int], *, timeout_s: float) -> Mapping[str, int]:
        """Returns the counters as soon as one differs from `seen`, or after `timeout_s`."""
        ...


class Store(Protocol):
    """A whole store."""

    inbound: Inbound
    sources: Sources
    events: Events
    dispatch: Dispatch
    access: Access
    subscribers: Subscribers
    outbox: Outbox
    jobs: Jobs
    integrations: Integrations
    works: Works
    ledger: Ledger
    run_log: RunLog
    executors: Executors
    commands: Commands
    connections: Connections
    orders: Orders
    templates: Templates
    documents: Documents
    sign_requests: SignRequests
    evidence: Evidence
    record_folders: RecordFolders
    attachments: Attachments
    activities: Activities
    bulk_jobs: BulkJobs
    api_usages: ApiUsages
    field_states: FieldStates

    def counters(self) -> Mapping[str, int]:
        """The change counters, by topic."""
        ...

    def watch(self) -> AsyncIterator[Mapping[str, int]]:
        """Yields the counters now, and again after each commit by any process that moved one.

        Within 100 ms on SQLite (PRAGMA data_version every 50 ms), at once on PostgreSQL (LISTEN,
        with a 1 s poll behind it). Ends when the caller stops iterating.
        """
        ...

    def check(self) -> Mapping[str, Any]:
        """Facts for `inkwire doctor` and readiness: dialect, version, schema, journal, sizes.

        Raises StoreOutdated if the schema is not this release's.
        """
        ...

    def rewrap(self, *, limit: int = 500) -> int:
        """Re-seals up to `limit` data keys that an older master key wraps; returns how many."""
        ...

    def close(self) -> None:
        """Closes every connection. Idempotent."""
        ...
