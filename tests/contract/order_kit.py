"""What the tests of orders are written with: orders, and all that can happen to one."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from contract.store_kit import Hub
from inkwire.model.document import (
    Document,
    DocumentKind,
    EvidenceItem,
    SignRequest,
    SignState,
)
from inkwire.model.message import Message, MessageOrigin
from inkwire.model.order import (
    LineKind,
    Order,
    OrderBlock,
    OrderLine,
    OrderStatus,
    Party,
    TimelineLine,
)
from inkwire.model.work import Work
from inkwire.store.ordering import NewDocument, OrderChange, OrderQuery
from inkwire.store.sending import NewMessage

#: All tables that a change may write to.
TABLES = (
    "orders",
    "order_changes",
    "order_lines",
    "evidence_links",
    "documents",
    "sign_requests",
    "messages",
    "deliveries",
    "work",
    "audit_log",
    "counters",
)


@dataclass
class Office:
    """Keeps orders in one hub's store."""

    hub: Hub
    _count: int = 0

    @property
    def orders(self) -> Any:
        return self.hub.store.orders

    @property
    def database(self) -> Any:
        return self.hub.store._database

    def order(self, **fields: Any) -> Order:
        """An order that is not kept yet."""
        self._count += 1
        now = self.hub.clock.now()
        values: dict[str, Any] = {
            "id": self.hub.ids.new("ord"),
            "number": f"A-{self._count}",
            "status": "new",
            "customer": Party(name="Ada Lovelace", email="ada@example.com", phone="+49 170 555"),
            "company": Party(name="Analytical Engines", city="Zürich"),
            "blocks": (
                OrderBlock(
                    title="Wheels", lines=(OrderLine(description="🛞 brass", amount="9.5"),)
                ),
            ),
            "fields": {"sign_request": ""},
            "created_at": now,
            "updated_at": now,
            "status_at": now,
            **fields,
        }
        return Order(**values)

    def add(self, **fields: Any) -> Order:
        order = self.order(**fields)
        self.orders.add(order, OrderChange(order_id=order.id))
        return order

    def move(self, order: Order, **fields: Any) -> Order:
        """The order's next version, kept."""
        order = self.next(order, **fields)
        assert self.orders.apply(OrderChange(order_id=order.id, order=order))
        return order

    def next(self, order: Order, **fields: Any) -> Order:
        return replace(order, version=order.version + 1, **fields)

    def line(self, order_id: str, **fields: Any) -> TimelineLine:
        values: dict[str, Any] = {
            "id": self.hub.ids.new("lin"),
            "order_id": order_id,
            "at": self.hub.clock.now(),
            "kind": LineKind.ACTED,
            "text": "Asked for a signature.",
            "actor": "inkwire",
            "refs": {"work": "wrk_1"},
            **fields,
        }
        return TimelineLine(**values)

    def item(self, **fields: Any) -> EvidenceItem:
        values: dict[str, Any] = {
            "kind": "status",
            "text": "The status became signed.",
            "at": self.hub.clock.now(),
            "facts": {"to": "signed", "event": "evt_1"},
            **fields,
        }
        return EvidenceItem(**values)

    def document(self, order_id: str, content: bytes = b"%PDF-1.7", **fields: Any) -> NewDocument:
        values: dict[str, Any] = {
            "id": self.hub.ids.new("doc"),
            "order_id": order_id,
            "kind": DocumentKind.SIGNED,
            "name": "Offer 😀.pdf",
            "media_type": "application/pdf",
            "size": len(content),
            "sha256": "ab" * 32,
            "sha1": "cd" * 20,
            "origin": f"box:file:{self.hub.ids.new('f')}:1",
            "blob": "aa/bb",
            "created_at": self.hub.clock.now(),
            **fields,
        }
        document = Document(**values)
        sealed = self.hub.store.documents.seal(document.id, content)
        return NewDocument(document=document, data_key=sealed.data_key)

    def request(self, order_id: str, **fields: Any) -> SignRequest:
        now = self.hub.clock.now()
        values: dict[str, Any] = {
            "id": self.hub.ids.new("sr"),
            "integration_id": 7,
            "order_id": order_id,
            "external_id": f"{order_id}:int_7",
            "state": SignState.OPEN,
            "vendor_status": "sent",
            "work_id": "wrk_1",
            "file_ids": ("11", "12"),
            "signer_email": "ada@example.com",
            "next_check_at": now + timedelta(hours=1),
            "expires_at": now + timedelta(days=30),
            "created_at": now,
            "updated_at": now,
            **fields,
        }
        return SignRequest(**values)

    def keep(self, request: SignRequest) -> SignRequest:
        self.orders.apply(OrderChange(order_id=request.order_id, sign_request=request))
        return request

    def message(self, **fields: Any) -> NewMessage:
        body = b'{"type":"order.signed"}'
        values: dict[str, Any] = {
            "id": self.hub.ids.new("msg"),
            "application_id": "app_1",
            "topic": "order.signed",
            "origin": MessageOrigin.PUBLISHED,
            "created_at": self.hub.clock.now(),
            "body_size": len(body),
            **fields,
        }
        return NewMessage(message=Message(**values), body=body)

    def work(self, order_id: str, **fields: Any) -> Work:
        now = self.hub.clock.now()
        values: dict[str, Any] = {
            "id": self.hub.ids.new("wrk"),
            "integration_id": 7,
            "key": self.hub.ids.new("chg"),
            "workflow": "request",
            "entity_key": f"order:{order_id}",
            "due_at": now,
            "created_at": now,
            **fields,
        }
        return Work(**values)

    def everything(self, order: Order, /, **fields: Any) -> OrderChange:
        """A change with one of each thing, which makes the order signed."""
        values: dict[str, Any] = {
            "order_id": order.id,
            "order": self.next(order, status="signed"),
            "lines": (self.line(order.id), self.line(order.id)),
            "evidence": (self.item(), self.item(kind="document")),
            "documents": (self.document(order.id),),
            "sign_request": self.request(order.id),
            "messages": (self.message(),),
            "work": (self.work(order.id),),
            "audit": self.hub.audit("order.move", order.id),
            **fields,
        }
        return OrderChange(**values)

    def statuses(self, *codes: str) -> None:
        """Makes these the site's statuses."""
        self.orders.set_statuses(
            [
                OrderStatus(code=code, name=code.title(), position=at)
                for at, code in enumerate(codes)
            ],
            audit=self.hub.audit("statuses.set"),
        )

    def found(self, **query: Any) -> list[str]:
        """Numbers of the orders of a page."""
        return [order.number for order in self.orders.page(OrderQuery(**query))]

    def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of all tables that a change may write to."""
        return {
            table: sorted(self.hub.rows(f"SELECT * FROM {table}"), key=repr) for table in TABLES
        }
