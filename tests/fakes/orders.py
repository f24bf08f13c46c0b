"""Orders after a working day: signed, waiting, declined, held up, deleted."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from fakes.pages import Pages
from inkwire.access.gate import CLI
from inkwire.auditing import Auditor
from inkwire.model.access import ROLE_SCOPES, Caller, Role
from inkwire.model.document import DocumentKind, EvidenceItem, SignRequest, SignState
from inkwire.model.order import LineKind, Order
from inkwire.model.work import ErrorKind, Integration, IntegrationState, ParkCause, WorkState
from inkwire.orders.templates import default_source
from inkwire.store.acting import Ending, WorkQuery
from inkwire.store.ordering import OrderChange

OLGA = Caller(actor="user:olga", scopes=ROLE_SCOPES[Role.OPERATOR])
LINES = [
    {
        "title": "Meeting room",
        "lines": [
            {"description": "Room “Harbour view”, 3 December", "unit_price": "480.00"},
            {"description": "Lunch", "quantity": "24", "unit_price": "31.50"},
        ],
    },
    {"title": "Equipment", "lines": [{"description": "Projector", "unit_price": "45.00"}]},
]
JANE = {
    "name": "Jane Doe",
    "email": "jane.doe@example.com",
    "phone": "+31 20 555 0142",
    "address": "Prinsengracht 100",
    "city": "1015 EA Amsterdam",
    "country": "Netherlands",
}


@dataclass
class Orders:
    """Makes orders in a hub, and does to them what an integration's runs do."""

    pages: Pages
    later: Callable[[float], None]
    integration: str = ""
    template: str = ""
    #: What its template gives, made once.
    pdf: bytes = field(default=b"", repr=False)

    def set_up(self) -> None:
        """A template, and an integration that is active."""
        hub, now = self.pages.hub, self.pages.hub.clock.now()
        made = hub.templates.add(CLI, name="Order confirmation", source=default_source())
        integration = Integration(
            id=0,
            kind="box_sign_orders",
            name="Signatures",
            state=IntegrationState.ACTIVE,
            settings={"templates": made.id, "order_field": "sign_request_id"},
            connection_id=None,
            created_at=now,
            updated_at=now,
        )
        audit = Auditor(hub.clock, hub.ids).entry(CLI, "integration.create", "")
        self.template = made.id
        self.pdf = hub.templates.preview(default_source())
        self.integration = hub.store.integrations.add(integration, audit=audit).label

    def add(self, number: str, **members: object) -> Order:
        """Taken in, as the API does it."""
        draft = {"number": number, "customer": JANE, "blocks": LINES} | members
        return self.pages.hub.orders.add(OLGA, draft)

    def move(self, order: Order, status: str = "request_signature") -> Order:
        """Moved on by a person."""
        self.later(30)
        return self.pages.hub.orders.move(OLGA, order.id, status)

    def end(self, order: Order, state: WorkState, note: str, **more: object) -> str:
        """The work that the order's status made runs to an end; its id."""
        hub = self.pages.hub
        (work,) = hub.store.works.page(WorkQuery(entity_key=f"order:{order.id}", limit=1))
        (run,) = [
            one
            for one in hub.store.works.claim(executor_id="exe", now=hub.clock.now(), limit=100)
            if one.id == work.id
        ]
        self.later(2)
        ending = Ending(state=state, note=note, **more)  # type: ignore[arg-type]
        now = hub.clock.now()
        assert hub.store.works.end(run.id, run_number=run.run_number, ending=ending, at=now)
        return work.id

    def prepared(self, order: Order, work: str = "wrk_none") -> None:
        """The PDF to be signed."""
        name = f"order-{order.number}-order-confirmation.pdf"
        self.document(order, DocumentKind.PREPARED, name, self.pdf, work=work)

    def document(
        self,
        order: Order,
        kind: DocumentKind,
        name: str,
        content: bytes,
        *,
        work: str = "wrk_none",
        media_type: str = "application/pdf",
    ) -> str:
        """A stored file with its line and its link; its id."""
        hub = self.pages.hub
        self.later(1)
        new = hub.documents.keep(
            order_id=order.id,
            kind=kind,
            name=name,
            media_type=media_type,
            content=content,
            origin=f"box:file:{name}",
        )
        refs = {"document": new.document.id, "work": work}
        line = hub.orders.line(order.id, LineKind.DOCUMENT, f"{name} was stored.", refs=refs)
        facts = {"document": new.document.id, "sha256": new.document.sha256}
        proof = EvidenceItem(kind="document", text=line.text, at=line.at, facts=facts)
        change = OrderChange(order_id=order.id, documents=(new,), lines=(line,), evidence=(proof,))
        assert hub.store.orders.apply(change)
        return new.document.id

    def sent(self, order: Order, work: str = "wrk_none") -> SignRequest:
        """Out for signature."""
        hub, request_id = self.pages.hub, f"5f0c{order.number.zfill(8)}"
        self.later(3)
        now = hub.clock.now()
        request = SignRequest(
            id=request_id,
            integration_id=1,
            order_id=order.id,
            external_id=f"{order.id}:int_1",
            state=SignState.OPEN,
            vendor_status="sent",
            work_id=work,
            signer_email=order.customer.email,
            next_check_at=now + timedelta(minutes=15),
            expires_at=now + timedelta(days=30),
            created_at=now,
            updated_at=now,
        )
        text = f"Sent to {order.customer.email} for signature: sign request {request_id}."
        refs = {"sign_request": request_id, "work": work, "integration": self.integration}
        line = hub.orders.line(order.id, LineKind.ACTED, text, refs=refs)
        hub.store.orders.apply(OrderChange(order_id=order.id, lines=(line,), sign_request=request))
        return request

    def outcome(self, order: Order, request: SignRequest, state: SignState, status: str) -> None:
        """What became of the request, brought home as the outcome run does it."""
        hub = self.pages.hub
        self.later(1800)
        now = hub.clock.now()
        refs = {"sign_request": request.id, "integration": self.integration, "work": "wrk_none"}
        here = hub.store.orders.get(order.id)
        change = hub.orders.moved(here, status, by=self.integration, refs=refs)
        assert change is not None
        text = {SignState.SIGNED: "Everybody signed."}.get(state, f"A signer {state.value}.")
        line = hub.orders.line(order.id, LineKind.ACTED, text, refs=refs)
        closed = replace(
            request, state=state, vendor_status=state.value, next_check_at=None, updated_at=now
        )
        change = replace(change, lines=(line, *change.lines), sign_request=closed)
        assert hub.store.orders.apply(change)


VERDICT = {
    "outcome": "intact",
    "text": "The signature holds: the file is as it was signed. Who signed is only what the "
    "certificate says: it leads to none that is trusted here.",
    "signatures": [{"text": "Signed by Box Sign (certificate not known here); it holds."}],
    "judged_at": "2026-11-22T10:00:00+00:00",
    "judge": "pyHanko",
}


def fill_orders(pages: Pages, later: Callable[[float], None]) -> dict[str, str]:
    """One order in every condition; ids by what they are."""
    day = Orders(pages, later)
    day.set_up()
    ids = {"template": day.template}
    signed = day.add(
        "1042",
        company={"name": "Acme Rentals", "city": "Rotterdam"},
        fields={"purchase_order": "PO-7731", "note": "two\nlines"},
    )
    day.move(signed)
    work = day.end(signed, WorkState.DONE, "Sent for signature.")
    day.prepared(signed, work)
    day.outcome(signed, day.sent(signed, work), SignState.SIGNED, "signed")
    pdf = day.pdf
    ids["document"] = day.document(signed, DocumentKind.SIGNED, "order-1042 (signed).pdf", pdf)
    day.document(signed, DocumentKind.SIGNING_LOG, "order-1042 log.pdf", pdf)
    pages.hub.store.documents.set_verdict(ids["document"], VERDICT)
    ids["order_signed"] = signed.id
    later(600)
    declined = day.move(day.add("1043", customer={"name": "Ömer Çelik", "email": "oe@example.com"}))
    day.end(declined, WorkState.DONE, "Sent for signature.")
    day.outcome(declined, day.sent(declined), SignState.DECLINED, "declined")
    ids["order_declined"] = declined.id
    later(600)
    held = day.move(day.add("1044", customer={"name": "Maria Lindqvist"}))
    note = "Order 1044 has no customer e-mail: add it to the order, then retry."
    day.end(held, WorkState.DEAD, note, error_kind=ErrorKind.PERMANENT)
    ids["order_held"] = held.id
    asked = day.move(day.add("1045", customer={"email": "tom@example.com"}))
    note = "The connection broke while the sign request was sent, and Box shows none since."
    day.end(asked, WorkState.PARKED, note, park_cause=ParkCause.PERSON)
    ids["order_asked"] = asked.id
    gone = day.add("1046")
    later(60)
    pages.hub.orders.delete(OLGA, gone.id)
    ids["order_gone"] = gone.id
    waiting = day.move(day.add("1047"))
    work = day.end(waiting, WorkState.DONE, "Sent for signature.")
    day.prepared(waiting, work)
    day.sent(waiting, work)
    ids["order_waiting"] = waiting.id
    later(300)
    ids["order_new"] = day.add(
        "1048", customer={"name": "Northwind Traders", "email": "n@example.com"}
    ).id
    later(20)
    return ids
