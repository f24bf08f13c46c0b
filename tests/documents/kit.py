"""An order with documents, webhooks and calls on a real store, for the tests of documents."""

from dataclasses import dataclass

from inkwire.documents.proofs import receipt_item, run_item
from inkwire.model.document import Document, DocumentKind, EvidenceItem, SignRequest, SignState
from inkwire.model.order import LineKind, Order, Party, TimelineLine
from inkwire.model.work import Call, Step, StepResult
from inkwire.store.ordering import OrderChange


@dataclass
class Filled:
    """What `filled` put into the store."""

    order: Order
    documents: list[Document]
    receipt_id: str
    work_id: str


def add_order(rooms, number="1042", status="10") -> Order:
    """A new order without anything."""
    now = rooms.clock.now()
    order = Order(
        id=rooms.ids.new("ord"),
        number=number,
        status=status,
        customer=Party(name="Jane Example", email="jane@example.com"),
        created_at=now,
        updated_at=now,
        status_at=now,
    )
    rooms.store.orders.add(order, OrderChange(order_id=order.id))
    return order


def keep(rooms, order, name, content, *, kind=DocumentKind.SIGNED, origin="") -> Document:
    """A document with its link of the chain, as a run keeps it."""
    new = rooms.hub.documents.keep(
        order_id=order.id,
        kind=kind,
        name=name,
        media_type="application/pdf",
        content=content,
        origin=origin or f"box:file:{name}:1",
    )
    facts = {"document": new.document.id, "sha256": new.document.sha256}
    item = EvidenceItem(
        kind="document", text=f"{name} was stored.", at=rooms.clock.now(), facts=facts
    )
    rooms.store.orders.apply(OrderChange(order_id=order.id, documents=(new,), evidence=(item,)))
    return new.document


def filled(rooms, *, pdf=b"%PDF-1.7 signed") -> Filled:
    """An order that was signed: two documents, a webhook, a run with a step and a call."""
    order = add_order(rooms)
    now, work_id = rooms.clock.now(), rooms.ids.new("wrk")
    intake = rooms.receive(body=b'{"id":"1","secret":"Jane\\u2019s"}')
    event_id = intake.events[0].id
    rooms.store.run_log.add_step(
        Step(
            id=rooms.ids.new("stp"),
            work_id=work_id,
            run_id=f"int_1/{event_id}/1",
            name="read",
            attempt=1,
            result=StepResult.OK,
            value={"id": "7"},
            started_at=now,
            duration_us=1200,
        )
    )
    rooms.store.run_log.add_call(
        Call(
            id=rooms.ids.new("cal"),
            connection_id="box",
            work_id=work_id,
            run_id=f"int_1/{event_id}/1",
            method="GET",
            path="/2.0/sign_requests/77",
            status=200,
            started_at=now,
            duration_us=90_000,
        )
    )
    receipt = receipt_item(rooms.store, event_id, at=now)
    line = TimelineLine(
        id=rooms.ids.new("lin"),
        order_id=order.id,
        at=now,
        kind=LineKind.ACTED,
        text="Jane Example signed.",
        actor="inkwire",
        refs={"event": event_id, "work": work_id},
    )
    request = SignRequest(
        id="77",
        integration_id=1,
        order_id=order.id,
        external_id=f"ord_{order.id[4:]}:int_1",
        state=SignState.SIGNED,
        vendor_status="signed",
        created_at=now,
        updated_at=now,
    )
    rooms.store.orders.apply(
        OrderChange(
            order_id=order.id,
            lines=(line,),
            evidence=(receipt, run_item(rooms.store, work_id, at=now)),
            sign_request=request,
        )
    )
    documents = [
        keep(rooms, order, "contract/✍️ signed.pdf", pdf),
        keep(rooms, order, "log.pdf", b"%PDF log", kind=DocumentKind.SIGNING_LOG),
    ]
    return Filled(order=order, documents=documents, receipt_id=intake.receipt_id, work_id=work_id)


__all__ = ["Filled", "add_order", "filled", "keep"]
