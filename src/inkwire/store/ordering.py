"""What a store does for orders: statuses, templates, documents, sign requests, evidence."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from inkwire.model.access import AuditEntry
from inkwire.model.document import (
    Document,
    EvidenceItem,
    EvidenceLink,
    SignRequest,
    SignState,
)
from inkwire.model.order import Order, OrderStatus, Template, TemplateVersion, TimelineLine
from inkwire.model.work import Work
from inkwire.store.sending import NewMessage


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderQuery:
    """Filters of the list of orders; all given ones must hold. Newest first."""

    #: Prefix of number, customer name or e-mail (folded), or an order id or sign-request id.
    text: str | None = None
    status: str | None = None
    #: Only those with an open sign request.
    waiting: bool = False
    before: str | None = None
    #: Only those that came in after this one.
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedFile:
    """A document's bytes as the blob store keeps them, and the wrapped key of its row."""

    data_key: bytes = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewDocument:
    """A document whose blob is already stored."""

    document: Document
    data_key: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderChange:
    """All that one happening changes about an order, in one transaction.

    `once`: the same text again changes nothing (a step that is run twice). `order` None: the row
    stays. Otherwise it replaces the row if its version is `order.version - 1`.
    """

    order_id: str
    once: str | None = None
    order: Order | None = None
    lines: tuple[TimelineLine, ...] = ()
    evidence: tuple[EvidenceItem, ...] = ()
    documents: tuple[NewDocument, ...] = ()
    sign_request: SignRequest | None = None
    messages: tuple[NewMessage, ...] = ()
    work: tuple[Work, ...] = ()
    audit: AuditEntry | None = None


class Orders(Protocol):
    """Orders, their statuses and timelines."""

    def statuses(self) -> list[OrderStatus]:
        """The site's statuses, by position."""
        ...

    def set_statuses(self, statuses: Sequence[OrderStatus], *, audit: AuditEntry) -> None:
        """Replaces all. Raises Conflict if an order is in one that would be gone."""
        ...

    def page(self, query: OrderQuery) -> list[Order]:
        """At most `query.limit` orders that are not deleted, newest first."""
        ...

    def get(self, order_id: str) -> Order:
        """One order, a deleted one too. Raises NotFound, CipherError."""
        ...

    def by_number(self, number: str) -> Order | None:
        """The order of that number that is not deleted."""
        ...

    def numbers(self, order_ids: Collection[str]) -> Mapping[str, str]:
        """The numbers of those orders (≤ MAX_PAGE) that are there, deleted ones too."""
        ...

    def add(self, order: Order, change: OrderChange) -> None:
        """Keeps a new order with its change. Raises Conflict if the number is taken."""
        ...

    def apply(self, change: OrderChange) -> bool:
        """Applies a change. False if `once` was there already: nothing is changed.

        Documents whose (order, origin) is there are left out, as are messages and work whose key
        is. Raises NotFound, and Conflict (code `order_changed`) if the order was changed since.
        """
        ...

    def timeline(
        self, order_id: str, *, before: str | None = None, limit: int = 200
    ) -> list[TimelineLine]:
        """Lines, newest first."""
        ...

    def count_by_status(self) -> Mapping[str, int]:
        """How many orders are in each status."""
        ...


class Templates(Protocol):
    """Typst templates and their versions."""

    def all(self) -> list[Template]:
        """Every template, by name."""
        ...

    def get(self, template_id: str) -> Template:
        """One template. Raises NotFound."""
        ...

    def version(self, template_id: str, version: int | None = None) -> TemplateVersion:
        """A version, the newest for None. Raises NotFound."""
        ...

    def versions(self, template_id: str) -> list[TemplateVersion]:
        """Newest first, at most 200."""
        ...

    def save(
        self, template: Template, source: str, *, by: str, audit: AuditEntry
    ) -> TemplateVersion:
        """Keeps the next version (`template.version`); the first makes the template.

        Raises Conflict if that version is there: somebody else was faster.
        """
        ...

    def delete(self, template_id: str, *, audit: AuditEntry) -> None:
        """Removes a template with its versions. Raises NotFound."""
        ...


class Documents(Protocol):
    """Stored files; their bytes are sealed here and kept in the blob store."""

    def seal(self, document_id: str, content: bytes) -> SealedFile:
        """Encrypts under a key of its own; no I/O. Raises CipherError."""
        ...

    def open(self, document_id: str, content: bytes) -> bytes:
        """Decrypts a blob's bytes. Raises NotFound, CipherError."""
        ...

    def get(self, document_id: str) -> Document:
        """One document. Raises NotFound."""
        ...

    def of_order(self, order_id: str) -> list[Document]:
        """An order's documents, oldest first, at most 1,000."""
        ...

    def by_origin(self, order_id: str, origin: str) -> Document | None:
        """The document that came from there, or None."""
        ...

    def set_verdict(self, document_id: str, verdict: Mapping[str, Any]) -> None:
        """Keeps what was found about its signatures. Raises NotFound."""
        ...

    def unjudged(self, limit: int) -> list[Document]:
        """Signed documents without a verdict, oldest first."""
        ...


class SignRequests(Protocol):
    """Requests for signatures at a vendor."""

    def get(self, sign_request_id: str) -> SignRequest | None:
        """One, or None."""
        ...

    def of_order(self, order_id: str) -> list[SignRequest]:
        """Newest first."""
        ...

    def latest(self, order_ids: Collection[str]) -> Mapping[str, SignRequest]:
        """The newest request of each of these orders (≤ MAX_PAGE) that has one."""
        ...

    def known(self, ids: Collection[str]) -> frozenset[str]:
        """Those of `ids` (≤ 1,000) that are kept here."""
        ...

    def open_since(
        self, integration_id: int, order_id: str, states: Collection[SignState]
    ) -> list[SignRequest]:
        """An order's requests of one integration in one of these states, newest first."""
        ...

    def due(self, integration_id: int, *, now: datetime, limit: int) -> list[SignRequest]:
        """Those whose `next_check_at` has come, oldest first."""
        ...

    def checked(
        self, sign_request_id: str, *, vendor_status: str, next_at: datetime | None, at: datetime
    ) -> None:
        """Notes that it was read, and when it is read again; `checks` + 1."""
        ...


class Evidence(Protocol):
    """Hash chains, one an order; links are added by `Orders.apply`."""

    def chain(self, order_id: str) -> list[EvidenceLink]:
        """All links, by number."""
        ...

    def hub_key(self) -> bytes:
        """The hub's Ed25519 private key (32 bytes, raw), made on first use. Raises CipherError."""
        ...
