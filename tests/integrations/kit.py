"""A world for the workflows of Box Sign orders: a real store, Box in memory, runs straight on."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fakes.box import FakeBox
from fakes.empty import empty_folder
from fakes.run import StraightRun
from inkwire.access.gate import CLI
from inkwire.clock import ManualClock
from inkwire.config import load_settings
from inkwire.delivery.catalogue import Catalogue
from inkwire.documents.blobs import Blobs
from inkwire.documents.desk import DocumentDesk
from inkwire.engine.contract import Outcome, Services
from inkwire.ids import SortableIds
from inkwire.integrations.box_sign_orders.kind import BoxSignOrders
from inkwire.model.access import AuditEntry
from inkwire.model.connection import Connection
from inkwire.model.event import Origin
from inkwire.model.order import Order, Template
from inkwire.model.receipt import Rejection
from inkwire.model.verdict import Reason
from inkwire.model.work import Integration, IntegrationState, Work
from inkwire.orders.desk import OrderDesk
from inkwire.orders.templates import Rendered
from inkwire.providers.registry import registry
from inkwire.store.acting import WorkQuery
from inkwire.store.contract import Store
from inkwire.store.open import open_store

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KIND = BoxSignOrders()


class PlainTemplates:
    """Templates whose PDF is a few bytes of the order: the real ones are judged elsewhere."""

    def render(self, template_id: str, order: Order) -> Rendered:
        template = Template(
            id=template_id, name=template_id, version=1, created_at=START, updated_at=START
        )
        content = f"%PDF {template_id} {order.number} {order.customer.email}".encode()
        return Rendered(template=template, version=1, pdf=content)


class OneBox:
    """A connection desk that knows one Box."""

    def __init__(self, box: FakeBox) -> None:
        self._box = box

    def box(self, connection_id: str, **_: Any) -> FakeBox:
        return self._box


@dataclass
class World:
    store: Store
    clock: ManualClock
    ids: SortableIds
    box: FakeBox
    services: Services
    integration: Integration
    plans: list[Work] = field(default_factory=list)

    def order(self, **changes: Any) -> Order:
        """A new order with a customer."""
        draft: dict[str, Any] = {
            "number": "1042",
            "customer": {"name": "Jane Doe", "email": "jane@example.com"},
        }
        return self.services.orders.add(CLI, draft | changes)

    def request(self, order: Order) -> Work:
        """The order comes into the trigger status; returns the work that it made."""
        self.services.orders.move(CLI, order.id, "request_signature")
        made = self.store.works.page(_query(f"order:{order.id}"))
        return made[0]

    def sent(self, number: str = "1042") -> tuple[Order, str]:
        """An order that is out for signature, and its request's id."""
        order = self.order(number=number)
        self.run(self.request(order))
        return order, self.store.orders.get(order.id).fields["sign_request_id"]

    def run(self, work: Work, *, dry: bool = False) -> tuple[Outcome, StraightRun]:
        """One run of a work row, straight on; raises what the workflow raises."""
        integration = self.store.integrations.get(self.integration.id)
        run = StraightRun(work=work, integration=integration, services=self.services, dry=dry)
        return asyncio.run(KIND.workflows[work.workflow](run)), run  # type: ignore[arg-type]

    def outcome(self, sign_id: str, *, origin: Origin = Origin.WEBHOOK, run: int = 1) -> Work:
        now = self.clock.now()
        return Work(
            id=self.ids.new("wrk"),
            integration_id=self.integration.id,
            key=f"{sign_id}/x{run}",
            workflow="bring_home",
            entity_key=f"box:sign_request:{sign_id}",
            origin=origin,
            subject={"sign_request_id": sign_id},
            run_number=run,
            due_at=now,
            created_at=now,
        )

    def upkeep(self, workflow: str) -> Work:
        now = self.clock.now()
        return Work(
            id=self.ids.new("wrk"),
            integration_id=self.integration.id,
            key=f"{workflow}/1",
            workflow=workflow,
            entity_key="integration:1:up",
            due_at=now,
            created_at=now,
        )

    def settings(self, **changes: Any) -> None:
        """Changes the integration's settings."""
        self.integration = self.store.integrations.update(
            replace(self.integration, settings={**self.integration.settings, **changes}),
            expected=self.integration.updated_at,
            audit=self.audit(),
        )

    def to(self, moment: datetime) -> None:
        """The clock goes on to that moment."""
        self.clock.advance(seconds=(moment - self.clock.now()).total_seconds())

    def audit(self) -> AuditEntry:
        return AuditEntry(
            id=self.ids.new("aud"), at=self.clock.now(), actor="test", action="test", target="x"
        )

    def lines(self, order: Order) -> list[str]:
        return [line.text for line in reversed(self.store.orders.timeline(order.id))]

    def status(self, order: Order) -> str:
        return self.store.orders.get(order.id).status


@contextmanager
def world(folder: Path, settings: Mapping[str, Any] | None = None) -> Iterator[World]:
    """A store on SQLite with one active integration."""
    config = load_settings(data_dir=folder)
    clock = ManualClock(START)
    ids = SortableIds(clock)
    empty_folder(folder)
    store = open_store(config, clock=clock, ids=ids)
    try:
        box = FakeBox(now=clock.now)
        orders = OrderDesk(
            store=store,
            catalogue=Catalogue(store.subscribers, registry()),
            clock=clock,
            ids=ids,
            plans=lambda order, change_id: _plans(store, clock, ids, order, change_id),
        )
        services = Services(
            store=store,
            orders=orders,
            templates=PlainTemplates(),  # type: ignore[arg-type]
            documents=DocumentDesk(
                store=store, blobs=Blobs(folder=folder / "blobs"), clock=clock, ids=ids
            ),
            connections=OneBox(box),  # type: ignore[arg-type]
            clock=clock,
            ids=ids,
            base_url="https://hub.example.com",
            knock=lambda url: _knocked(store, clock, ids, url),
        )
        made = World(store, clock, ids, box, services, _integration(clock, settings or {}))
        _connect(made)
        made.integration = store.integrations.add(made.integration, audit=made.audit())
        yield made
    finally:
        store.close()


def _knocked(store: Store, clock: ManualClock, ids: SortableIds, url: str) -> str:
    """What a hub that is reached notes of a request to a source that is not there."""
    row = Rejection(
        id=ids.new("rej"),
        source_id=url.rpartition("/")[2],
        provider=None,
        at=clock.now(),
        status=404,
        reason=Reason.UNKNOWN_SOURCE,
        detail="",
        hint="",
        remote="",
        method="POST",
        path="",
        body_size=2,
        headers=(),
    )
    store.inbound.reject([row])
    return ""


def _integration(clock: ManualClock, settings: Mapping[str, Any]) -> Integration:
    return Integration(
        id=0,
        kind=KIND.name,
        name="Box Sign orders",
        state=IntegrationState.ACTIVE,
        settings={"templates": "tpl_a,tpl_b", "order_field": "sign_request_id", **settings},
        connection_id="box",
        source_ids=("box",),
        created_at=clock.now(),
        updated_at=clock.now(),
    )


def _connect(made: World) -> None:
    made.store.connections.add(
        Connection(
            id="box",
            provider="box",
            name="Box",
            method="ccg",
            settings={},
            created_at=START,
            updated_at=START,
        ),
        [],
        audit=made.audit(),
    )


def _plans(
    store: Store, clock: ManualClock, ids: SortableIds, order: Order, change_id: str
) -> list[Work]:
    found = []
    for integration in store.integrations.all():
        wanted = KIND.on_order(integration, order, change_id=change_id)
        if wanted is not None:
            found.append(
                Work(
                    id=ids.new("wrk"),
                    integration_id=integration.id,
                    key=wanted.key,
                    workflow=wanted.workflow,
                    entity_key=f"order:{order.id}",
                    subject=wanted.subject,
                    due_at=clock.now(),
                    created_at=clock.now(),
                )
            )
    return found


def _query(entity_key: str) -> WorkQuery:
    return WorkQuery(entity_key=entity_key)
