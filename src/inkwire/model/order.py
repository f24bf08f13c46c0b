"""Orders, their statuses, templates and timeline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderStatus:
    """A site-defined status."""

    #: `[A-Za-z0-9_-]{1,40}`, as the site writes it: `10`, `request_signature`.
    code: str
    name: str
    #: Codes that an order may go to from here.
    transitions: tuple[str, ...] = ()
    #: A terminal status is never left by an event; only by a person, if transitions allow it.
    terminal: bool = False
    #: Place in lists.
    position: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Party:
    """The customer or the company of an order. Empty text: not known."""

    name: str = ""
    email: str = ""
    phone: str = ""
    address: str = ""
    city: str = ""
    country: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderLine:
    """One line of a block. Amounts are decimal text with a point, e.g. `12.50`."""

    description: str
    quantity: str = "1"
    unit_price: str = "0"
    amount: str = "0"


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderBlock:
    """Lines under one heading."""

    title: str = ""
    lines: tuple[OrderLine, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """An order to be signed."""

    #: `ord_…` in our own store; in external ids only the part behind `ord_`.
    id: str
    #: The site's own number, unique.
    number: str
    status: str
    customer: Party
    company: Party = field(default_factory=Party)
    #: ISO 4217.
    currency: str = "EUR"
    blocks: tuple[OrderBlock, ...] = ()
    #: Site-defined fields: key to text. The sign-request id lands in one of them.
    fields: Mapping[str, str] = field(default_factory=dict)
    #: Grows with every change; a writer names the one it read.
    version: int = 1
    created_at: datetime
    updated_at: datetime
    #: When the status was last changed.
    status_at: datetime
    deleted_at: datetime | None = None


class LineKind(StrEnum):
    """What a line of a timeline tells of."""

    CREATED = "created"
    EDITED = "edited"
    STATUS = "status"
    #: Something an integration did or decided not to do.
    ACTED = "acted"
    DOCUMENT = "document"
    #: Somebody should look.
    ATTENTION = "attention"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True, slots=True)
class TimelineLine:
    """One thing that happened to an order."""

    id: str
    order_id: str
    at: datetime
    kind: LineKind
    #: A sentence.
    text: str
    actor: str
    #: What proves it: `event`, `receipt`, `work`, `run`, `document`, `message`, `sign_request`,
    #: `integration`, `from`, `to` → id.
    refs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A Typst template that gives a PDF."""

    id: str
    name: str
    #: The newest version's number.
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class TemplateVersion:
    """What a template said at one time; never changed."""

    template_id: str
    version: int
    source: str
    created_at: datetime
    created_by: str
