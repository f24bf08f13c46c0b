"""Desks of orders and templates on a real SQLite store."""

from dataclasses import dataclass, field

import pytest

from fakes.hub import Rooms, open_rooms
from inkwire.access.gate import CLI
from inkwire.auditing import Auditor
from inkwire.model.access import AuditEntry
from inkwire.model.order import Order
from inkwire.model.work import Work
from inkwire.orders.desk import OrderDesk
from inkwire.orders.templates import TemplateDesk


@dataclass
class Office:
    """The desks, and what was planned: (status, id of the change)."""

    rooms: Rooms
    planned: list[tuple[str, str]] = field(default_factory=list)
    #: Work that the next plans give.
    work: list[Work] = field(default_factory=list)

    @property
    def orders(self) -> OrderDesk:
        return OrderDesk(
            store=self.rooms.store,
            catalogue=self.rooms.hub.catalogue,
            clock=self.rooms.clock,
            ids=self.rooms.ids,
            plans=self._plans,
        )

    def templates(self, **more) -> TemplateDesk:
        return TemplateDesk(
            store=self.rooms.store, clock=self.rooms.clock, ids=self.rooms.ids, **more
        )

    def _plans(self, order: Order, change_id: str) -> list[Work]:
        self.planned.append((order.status, change_id))
        return self.work

    def add(self, number: str = "1042", **more) -> Order:
        """An order of Jane's."""
        draft = {"number": number, "customer": {"name": "Jane", "email": "jane@example.com"}}
        return self.orders.add(CLI, {**draft, **more})

    def entry(self) -> AuditEntry:
        """An entry of the audit log, for what a test keeps by hand."""
        rooms = self.rooms
        return Auditor(rooms.clock, rooms.ids).entry(CLI, "test.made", "test")

    def lines(self, order_id: str):
        """An order's timeline, oldest first."""
        return self.rooms.store.orders.timeline(order_id)[::-1]


@pytest.fixture
def office(tmp_path):
    """An office with an empty store."""
    with open_rooms(tmp_path / "data") as rooms:
        yield Office(rooms)
