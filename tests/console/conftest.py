"""A hub after a working day, and visitors of every role."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fakes.acted import fill_acting
from fakes.crm_rows import fill_crm
from fakes.orders import fill_orders
from fakes.pages import PASSWORD, Pages, fill, open_pages
from fakes.sent import Sent, fill_sent
from fakes.visitor import Visitor
from inkwire.access.gate import CLI
from inkwire.clock import ManualClock
from inkwire.model.source import Source
from inkwire.model.webhook import Webhook

START = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
As = Callable[[str], Visitor]


@pytest.fixture
def clock() -> ManualClock:
    """Stands still until it is moved."""
    return ManualClock(START)


@pytest.fixture
def pages(tmp_path: Path, clock: ManualClock) -> Iterator[Pages]:
    """A hub with people and nothing else in it."""
    with open_pages(tmp_path / "hub", clock=clock) as opened:
        yield opened


@pytest.fixture
def ids(pages: Pages, clock: ManualClock) -> dict[str, str]:
    """Fills the hub with a working day; ids of what it holds, by what they are."""
    return fill(pages, lambda seconds: clock.advance(seconds=seconds))


@pytest.fixture
def boxc(pages: Pages) -> Source:
    """One source in an otherwise empty hub."""
    return pages.source("boxc", "boxc", "BoxC fulfilment")


@pytest.fixture
def as_(pages: Pages) -> As:
    """Signs a visitor in by name: `as_("admin")`; an empty name gives a stranger."""
    app = pages.app

    def signed_in(name: str) -> Visitor:
        visitor = Visitor(app)
        if name:
            assert visitor.sign_in(name, PASSWORD).status == 303
        return visitor

    return signed_in


@dataclass(frozen=True)
class Filled:
    """A filled hub that tests of one module share and do not change."""

    pages: Pages
    ids: dict[str, str]
    admin: Visitor


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """The filled hub with an administrator signed in: for tests that only read."""
    clock = ManualClock(START - timedelta(days=2))
    with open_pages(tmp_path_factory.mktemp("console") / "hub", clock=clock) as opened:
        found = fill_orders(opened, lambda seconds: clock.advance(seconds=seconds))
        found |= fill_sent(opened, lambda seconds: clock.advance(seconds=seconds))
        clock.advance(seconds=(START - clock.now()).total_seconds())
        found |= fill(opened, lambda seconds: clock.advance(seconds=seconds))
        found |= fill_acting(opened, lambda seconds: clock.advance(seconds=seconds))
        found |= fill_crm(opened, lambda seconds: clock.advance(seconds=seconds))
        admin = Visitor(opened.app)
        admin.sign_in("admin", PASSWORD)
        yield Filled(pages=opened, ids=found, admin=admin)


@pytest.fixture(scope="module")
def sending(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A hub that has sent for a day, just now, with an administrator signed in: for reading."""
    clock = ManualClock(START)
    with open_pages(tmp_path_factory.mktemp("sending") / "hub", clock=clock) as opened:
        found = fill_sent(opened, lambda seconds: clock.advance(seconds=seconds))
        admin = Visitor(opened.app)
        admin.sign_in("admin", PASSWORD)
        yield Filled(pages=opened, ids=found, admin=admin)


@pytest.fixture
def sent(pages: Pages) -> Sent:
    """A worker with pretended endpoints."""
    return Sent(pages)


@pytest.fixture
def shop(sent: Sent) -> str:
    """An application that may hear the tests' topic."""
    shop = sent.application("Northwind")
    sent.pages.hub.applications.set_grants(CLI, shop, ["order.signed"])
    return shop


@pytest.fixture
def hook(sent: Sent, shop: str) -> Webhook:
    """Its webhook."""
    return sent.webhook(shop)
