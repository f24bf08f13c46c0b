"""Two applications with webhooks, and visitors of their portals."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fakes.pages import Pages, open_pages
from fakes.sent import Sent, fill_sent
from fakes.visitor import Visitor
from inkwire.access.gate import CLI
from inkwire.clock import ManualClock

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Portal:
    """A hub with two applications that have sent for a day."""

    pages: Pages
    sent: Sent
    ids: dict[str, str]

    def token(self, name: str = "shop") -> str:
        """A fresh link's token into the portal of an application, by its name in `ids`."""
        return self.pages.hub.portal.link(CLI, self.ids[name])[0]

    def visitor(self, name: str = "shop") -> Visitor:
        """Somebody who came in by a link."""
        visitor = Visitor(self.pages.app, base="/portal")
        answer = visitor.post("/enter", {"token": self.token(name)}, csrf="")
        assert answer.status == 303, answer.words
        visitor.get("/webhooks")
        return visitor


@pytest.fixture
def clock() -> ManualClock:
    """Stands still until it is moved."""
    return ManualClock(START)


@pytest.fixture
def portal(tmp_path: Path, clock: ManualClock) -> Iterator[Portal]:
    """A hub of its own for a test that changes something."""
    with open_pages(tmp_path / "hub", clock=clock) as pages:
        ids = fill_sent(pages, lambda seconds: clock.advance(seconds=seconds))
        yield Portal(pages=pages, sent=Sent(pages), ids=ids)


Opened = Callable[..., Portal]


@pytest.fixture
def behind(tmp_path: Path, clock: ManualClock) -> Iterator[Opened]:
    """A hub behind a public URL: `behind("https://hooks.example.com")`."""
    opened = []

    def open_behind(url: str) -> Portal:
        context = open_pages(tmp_path / "public", clock=clock, public_url=url)
        pages = context.__enter__()
        opened.append(context)
        sent = Sent(pages)
        shop = sent.application("Northwind", "https://app.example.com", "https://b.example.com")
        other = sent.application("Unframed")
        return Portal(pages=pages, sent=sent, ids={"shop": shop, "unframed": other})

    yield open_behind
    for context in opened:
        context.__exit__(None, None, None)
