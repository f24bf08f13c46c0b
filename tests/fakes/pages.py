"""A hub with the console on it, filled the way ingest fills it: signed, proven, parsed, stored.

Used by tests/console and by tools/screenshots.py. Nothing is written round the providers: each
request is a sample from a provider's `cases/`, made new, signed, and judged like one off the wire.
"""

import asyncio
import atexit
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from fakes.hub import CHEAP, resolve
from inkwire.access.gate import CLI, Gate
from inkwire.app import Hub
from inkwire.clock import Clock, ManualClock
from inkwire.config import load_settings
from inkwire.console.app import console_app
from inkwire.engine.dispatch import Dispatcher
from inkwire.hub import hub_of
from inkwire.ids import SortableIds
from inkwire.ingest.live_sources import load_sources
from inkwire.ingest.receive import Received, Refusal, judge
from inkwire.model.access import Caller, Role
from inkwire.model.event import EventState
from inkwire.model.receipt import Intake, Rejection
from inkwire.model.request import InboundRequest, shown_headers
from inkwire.model.source import Source
from inkwire.portal.app import portal_app
from inkwire.providers.registry import case as sample
from inkwire.sources.drafting import SourceDraft
from inkwire.store.contract import Store
from inkwire.store.live import LiveCounters
from inkwire.store.open import migrate, open_store

PASSWORD = "correct horse battery staple"
#: All with the same password; its hash costs next to nothing, for every test signs in.
PEOPLE = {"admin": Role.ADMIN, "olga": Role.OPERATOR, "vera": Role.VIEWER}
PEOPLE_SINCE = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
BASE_URL = "http://127.0.0.1:8080"
SECRETS: Mapping[str, Mapping[str, str]] = {
    "box": {"primary": "primary-key-of-a-test-application", "secondary": "secondary-key-of-it"},
    "bolosign": {"secret": "a-secret-of-a-bolosign-workspace"},
    "boxc": {"key": "a-key-of-24-characters.."},
    "standardwebhooks": {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjSw"},
    "generic": {"key": "a-key-of-a-generic-sender"},
    "salesforce": {"secret": "a-secret-in-an-address-of-salesforce"},
}


PARTS_OF_A_STORE = (
    "inbound",
    "sources",
    "events",
    "dispatch",
    "access",
    "subscribers",
    "outbox",
    "jobs",
    "orders",
    "templates",
    "documents",
    "sign_requests",
    "evidence",
    "integrations",
    "works",
    "ledger",
    "run_log",
    "connections",
    "commands",
    "executors",
    "record_folders",
    "attachments",
    "activities",
    "api_usages",
    "field_states",
)


class CountingStore:
    """The real store; notes each call of its parts' methods in `calls`."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.calls: list[str] = []
        for name in PARTS_OF_A_STORE:
            setattr(self, name, _CountingPart(getattr(inner, name), name, self.calls))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # a copy is asked for these before it has anything
            raise AttributeError(name)
        return getattr(self._inner, name)


class _CountingPart:
    def __init__(self, inner: Any, name: str, calls: list[str]) -> None:
        self._inner = inner
        self._name = name
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            self._calls.append(f"{self._name}.{name}")
            return found(*args, **kwargs)

        return counted


@cache
def _migrated() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="inkwire-console-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    settings = load_settings(data_dir=folder)
    migrate(settings)
    clock = ManualClock(PEOPLE_SINCE)
    ids = SortableIds(clock)
    with closing(open_store(settings, clock=clock, ids=ids)) as store:
        gate = Gate(store=store, clock=clock, ids=ids, session_hours=1, passwords=CHEAP)
        for name, role in PEOPLE.items():
            gate.add_user(CLI, name=name, password=PASSWORD, role=role)
    return folder


@dataclass
class Pages:
    """A hub, and what a test does with it."""

    hub: Hub
    live: LiveCounters

    @property
    def app(self) -> Starlette:
        """The console, mounted as in a real process; news flow once its lifespan has begun."""
        parts = self.hub.parts(self.live)
        return Starlette(
            routes=[
                Mount("/console", console_app(parts)),
                Mount("/portal", portal_app(parts)),
            ],
            lifespan=self._follow_the_store,
        )

    @asynccontextmanager
    async def _follow_the_store(self, _app: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(self.live.run(self.hub.store))
        try:
            yield
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    def source(
        self,
        source_id: str,
        provider: str,
        name: str = "",
        *,
        caller: Caller = CLI,
        **more: Any,
    ) -> Source:
        """A source with the test secrets."""
        draft = SourceDraft(
            id=source_id,
            provider=provider,
            name=name or source_id,
            secrets=SECRETS[provider],
            **more,
        )
        source, _ = self.hub.desk.create(caller, draft)
        return source

    def send(
        self,
        source_id: str,
        case: str,
        *,
        token: str = "",
        body: bytes | None = None,
        signed: datetime | None = None,
        secret: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        remote: str = "203.0.113.7",
    ) -> Intake | Rejection:
        """Signs a sample of the source's provider and takes it in as ingest would.

        `token` makes it another event; `body` replaces the sample's; `signed` moves the signature's
        time; `secret` signs with a wrong one, so that the request is refused and logged.
        """
        hub, now = self.hub, self.hub.clock.now()
        live = load_sources(hub.store.sources, hub.registry, now, most_bytes=2**24)[source_id]
        receiver = hub.registry.receiver(live.source.provider)
        example = sample(hub.registry.get(live.source.provider), case)
        text = example.body if body is None else body
        secrets = live.secrets_at(now)
        if secret is not None:
            secrets = tuple(replace(item, value=secret.encode()) for item in secrets)
        sent = receiver.sign(
            receiver.fresh(text, token) if token else text,
            secrets,
            live.source.settings,
            signed or now,
            event_type=example.event_type,
            delivery_id=hub.ids.new("dlv"),
        ).as_inbound(f"/in/{source_id}")
        sent = replace(sent, headers=(*sent.headers, *headers))
        outcome = judge(live, receiver, sent, remote=remote, now=now, ids=hub.ids)
        if isinstance(outcome, Refusal):
            return self._refuse(live.source, sent, outcome, remote)
        return self._keep(outcome)

    def _keep(self, outcome: Received) -> Intake:
        inbound = self.hub.store.inbound
        (stored,) = inbound.append([inbound.seal(outcome.intake)])
        assert not isinstance(stored, Exception), stored
        return outcome.intake

    def _refuse(
        self, source: Source, request: InboundRequest, refusal: Refusal, remote: str
    ) -> Rejection:
        rejection = Rejection(
            id=self.hub.ids.new("rej"),
            source_id=source.id,
            provider=source.provider,
            at=self.hub.clock.now(),
            status=401,
            reason=refusal.reason,
            detail=refusal.detail,
            hint=refusal.hint,
            remote=remote,
            method=request.method,
            path=request.path,
            body_size=len(request.body),
            headers=tuple(shown_headers(request.headers)),
        )
        self.hub.store.inbound.reject([rejection])
        return rejection

    @property
    def calls(self) -> list[str]:
        """The store calls made so far."""
        return self.hub.store.calls  # type: ignore[attr-defined]

    def dispatch(self) -> int:
        """Hands on everything that waits, as the worker does; returns how many events."""
        hub = self.hub
        dispatcher = Dispatcher(
            store=hub.store, registry=hub.registry, clock=hub.clock, ids=hub.ids
        )
        done = 0
        while taken := dispatcher.run_once():
            done += taken
        return done

    def event_id(self, intake: Intake | Rejection) -> str:
        """The id of an intake's first event."""
        assert isinstance(intake, Intake)
        return intake.events[0].id

    def state(self, event_id: str) -> EventState:
        """What the store says of an event."""
        return self.hub.store.events.get(event_id).state


@contextmanager
def served(pages: Pages) -> Iterator[str]:
    """The pages on a real port; yields the console's address. News streams end with it."""
    config = uvicorn.Config(
        pages.app, port=0, log_level="warning", timeout_graceful_shutdown=5, access_log=False
    )
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    listening.listen()  # who comes before the server's thread has begun waits, and is not refused
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/console"
    finally:
        pages.live.close()
        server.should_exit = True
        thread.join(timeout=60)
        listening.close()


@contextmanager
def open_pages(
    folder: Path, *, clock: Clock, public_url: str = BASE_URL, **settled: Any
) -> Iterator[Pages]:
    """A hub with an empty store in `folder`, which must not exist, and the people in it.

    `settled`: further settings.
    """
    shutil.copytree(_migrated(), folder)
    settings = load_settings(data_dir=folder, public_url=public_url, environment="test", **settled)
    ids = SortableIds(clock)
    with closing(open_store(settings, clock=clock, ids=ids)) as real:
        store = CountingStore(real)
        hub = hub_of(settings, store, clock=clock, ids=ids, passwords=CHEAP, resolver=resolve)
        yield Pages(hub=hub, live=LiveCounters())


def fill(pages: Pages, later: Callable[[float], None]) -> dict[str, str]:
    """A hub after a working day: four sources, every kind of event; returns ids by what they are.

    `later(seconds)` lets time pass between two requests.
    """
    ids: dict[str, str] = {}
    pages.source("box-contracts", "box", "Box – contracts")
    pages.source("bolosign", "bolosign", "BoloSign")
    pages.source("boxc", "boxc", "BoxC fulfilment")
    pages.source("orders", "standardwebhooks", "Order service")
    later(3600)
    for number in range(12):
        pages.send("box-contracts", "file-uploaded", token=f"up{number}")
        later(1500)
        pages.send("boxc", "shipments-status", token=f"ship{number}")
        later(700)
    first = pages.send("box-contracts", "sign-completed-order", token="order1042")
    later(4)
    pages.send("box-contracts", "sign-completed-order", token="order1042")
    ids["first"] = pages.event_id(first)
    later(240)
    ids["two"] = pages.event_id(pages.send("bolosign", "test-two-forms", token="two"))
    pages.send("bolosign", "pdf-completed", token="pdf1")
    ids["probable"] = pages.event_id(pages.send("bolosign", "pdf-completed", token="pdf1"))
    later(60)
    pages.dispatch()
    ids["declined"] = pages.event_id(pages.send("box-contracts", "sign-declined", token="no"))
    pages.dispatch()
    later(900)
    for number in range(3):
        now = pages.hub.clock.now()
        late = pages.send(
            "box-contracts", "file-moved", token=f"late{number}", signed=now - timedelta(hours=2)
        )
        ids["quarantined"] = pages.event_id(late)
        later(20)
    ids["unparsable"] = pages.event_id(
        pages.send("orders", "test", body=b'{"type": "order.signed"')
    )
    pages.send("orders", "contact-created", token="c1")
    later(300)
    pages.dispatch()
    refused = pages.send("boxc", "orders-status", secret="not-the-key-of-24-chars..")
    assert isinstance(refused, Rejection)
    ids["rejected"] = refused.id
    later(90)
    pages.send("bolosign", "pdf-viewed", token="v1")
    ids["newest"] = pages.event_id(pages.send("bolosign", "pdf-signed", token="s1"))
    later(30)
    pages.dispatch()
    ids["waiting"] = pages.event_id(pages.send("orders", "order-signed", token="o7"))
    later(3)
    return ids
