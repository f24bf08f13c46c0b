"""What a business process gives the engine, and what the engine gives its workflows.

A workflow is a function that reads top to bottom as the business step that it is:

    async def request_signature(run: Run) -> Outcome:
        order = await run.step("read_order", lambda: read(run))
        ...
        return Outcome.done("Sent to jane@example.com for signature.")

`step` runs its function once and keeps what it returned; a run that is continued after a crash,
or by another worker, gets the kept value instead. So a workflow does nothing outside its steps,
and what a step returns is JSON: ids, hashes and counts, never payloads or tokens.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from inkwire.clock import Clock
from inkwire.connections.desk import ConnectionDesk
from inkwire.documents.desk import DocumentDesk
from inkwire.ids import Ids
from inkwire.model.event import Event, ParsedEvent
from inkwire.model.order import Order
from inkwire.model.work import Integration, ParkCause, Work, WorkState
from inkwire.orders.desk import OrderDesk
from inkwire.orders.templates import TemplateDesk
from inkwire.outbound.knock import Knock
from inkwire.providers.contract import SettingField
from inkwire.store.acting import Ending
from inkwire.store.contract import Store

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """What workflows work with."""

    store: Store
    orders: OrderDesk
    templates: TemplateDesk
    documents: DocumentDesk
    connections: ConnectionDesk
    clock: Clock
    ids: Ids
    #: The hub's own address, for webhooks at vendors.
    base_url: str
    knock: Knock


class Run(Protocol):
    """One durable execution of one work row."""

    @property
    def work(self) -> Work:
        """The row, as it was when the run began."""
        ...

    @property
    def integration(self) -> Integration:
        """Its integration, as it was when the run began."""
        ...

    @property
    def dry(self) -> bool:
        """Whether this is a dry run: nothing may be written, in steps without a plan neither."""
        ...

    @property
    def services(self) -> Services:
        """What steps call."""
        ...

    async def step(
        self, name: str, do: Callable[[], T], *, plan: str = "", pretend: Any = None
    ) -> T:
        """Runs `do` on a thread, at most once to its end, and returns its JSON value.

        `name`: unique within the run, `[a-z0-9_]+(:[A-Za-z0-9_.-]+)?`. `plan`: what it would do
        outside or keep, in words ("POST /sign_requests for order 1042"); a step with a plan is
        not run in a dry run, which goes on with `pretend`. A Transient error is tried again a few
        times within the run; every error that remains ends the run as its kind says.
        """
        ...

    async def sleep(self, seconds: float) -> None:
        """A durable pause of at most a minute; longer ones end the run with `Outcome.later`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a workflow ended without an error."""

    ending: Ending

    @classmethod
    def done(cls, note: str) -> "Outcome":
        """All is done; `note` tells a person what."""
        return cls(ending=Ending(state=WorkState.DONE, note=note))

    @classmethod
    def later(cls, note: str, *, at: datetime) -> "Outcome":
        """Not yet: another run starts at that time."""
        return cls(ending=Ending(state=WorkState.NEW, note=note, due_at=at))

    @classmethod
    def unmapped(cls, note: str) -> "Outcome":
        """Kept until it is known which record this belongs to; see `Works.wake_unmapped`."""
        ending = Ending(state=WorkState.PARKED, note=note, park_cause=ParkCause.MAPPING)
        return cls(ending=ending)


@dataclass(frozen=True, kw_only=True, slots=True)
class EventHandler:
    """Which inbound events start which workflow."""

    #: Event types with the provider's prefix.
    types: frozenset[str]
    workflow: str
    #: The work's key: what the effect is bound to, whatever the number of deliveries.
    key: Callable[[Event, ParsedEvent], str]
    #: Rows of one entity run one after the other.
    entity: Callable[[Event, ParsedEvent], str]
    #: Ids that the workflow needs; None: this event is none of that integration's business.
    subject: Callable[[Integration, ParsedEvent], Mapping[str, str] | None]
    #: Whether probable duplicates may be dispatched to it, too.
    state_idempotent: bool = False
    #: Seconds of a slot, for events that only wake: all of a slot make one row, of the integration
    #: itself and due at the slot's end (see `engine.slots`). 0: each key has a row, due at once.
    gather_s: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Upkeep:
    """A workflow that runs by the clock, once a slot for each active integration."""

    workflow: str
    every_s: int
    #: Also for integrations that are INACTIVE, e.g. to see open requests through.
    inactive_too: bool = False


class IntegrationKind(Protocol):
    """One business process; a folder of `inkwire.integrations` holds one as `INTEGRATION`.

    It may also have `workflow_titles`, words for people by the workflows' names, and
    `live_checks(integration, services)`: `Check`s that ask the vendors, for `inkwire doctor`; and
    `questions`, functions by name of a dry run (its work has no id) and of what was asked with the
    question, which only read and answer with JSON: a worker calls them, on a thread.
    """

    #: Folder name: `[a-z][a-z0-9_]*`.
    name: str
    title: str
    #: One sentence.
    summary: str
    #: Provider whose connection it needs; "" for none.
    provider: str
    #: Provider of its second connection; "" for none.
    second_provider: str
    settings: tuple[SettingField, ...]
    events: tuple[EventHandler, ...]
    upkeep: tuple[Upkeep, ...]
    workflows: Mapping[str, Callable[[Run], Awaitable[Outcome]]]

    def problems(self, integration: Integration, services: Services) -> tuple["Problem", ...]:
        """What is wrong with its configuration. An ACTIVE one must have none that blocks."""
        ...

    def on_order(
        self, integration: Integration, order: Order, *, change_id: str
    ) -> "OrderWork | None":
        """What an order's change of status to `order.status` asks of it; None: nothing."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something about an integration's configuration."""

    #: Setting's key, `connection`, `second_connection` or `sources`.
    field: str
    #: A sentence with the way out.
    text: str
    #: False: a warning only.
    blocks: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderWork:
    """Work that an order's change of status makes."""

    key: str
    workflow: str
    subject: Mapping[str, str] = field(default_factory=dict)
    #: What it does outside, in a sentence, for a person who is about to move the order.
    tells: str = ""
