"""The rooms around a real SQLite store, with a clock that stands still."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from argon2.profiles import RFC_9106_LOW_MEMORY

from fakes.acme import PROVIDER, SILENT, TWIN
from fakes.empty import empty_folder
from fakes.kinds import KINDS
from inkwire.access.gate import Gate
from inkwire.access.passwords import Passwords
from inkwire.access.portal import PortalDoor
from inkwire.clock import ManualClock
from inkwire.config import Settings, load_settings
from inkwire.delivery.applications import ApplicationDesk
from inkwire.delivery.desk import WebhookDesk
from inkwire.delivery.log import DeliveryLog
from inkwire.delivery.publish import Publisher
from inkwire.hub import Hub, hub_of
from inkwire.ids import SortableIds
from inkwire.model.event import DedupeKind, EventState, ParsedEvent
from inkwire.model.receipt import Intake, IntakeEvent
from inkwire.model.verdict import Accepted, Reason
from inkwire.providers.registry import Registry
from inkwire.sources.desk import SourceDesk
from inkwire.sources.inbox import Inbox
from inkwire.store.contract import Store
from inkwire.store.open import open_store

START = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
BASE_URL = "https://hooks.example.com"
LARGEST = 1_000_000
#: Hashes that cost next to nothing.
CHEAP = Passwords(replace(RFC_9106_LOW_MEMORY, time_cost=1, memory_cost=8, parallelism=1))


#: Rooms of a hub that `Rooms` has under the same names.
SHARED = (
    "settings",
    "registry",
    "store",
    "desk",
    "inbox",
    "gate",
    "portal",
    "applications",
    "webhooks",
    "publisher",
    "deliveries",
)


@dataclass(frozen=True)
class Rooms:
    """Everything of one hub but its pages."""

    settings: Settings
    clock: ManualClock
    ids: SortableIds
    registry: Registry
    store: Store
    desk: SourceDesk
    inbox: Inbox
    gate: Gate
    portal: PortalDoor
    applications: ApplicationDesk
    webhooks: WebhookDesk
    publisher: Publisher
    deliveries: DeliveryLog
    hub: Hub

    def receive(
        self,
        source_id: str = "acme-main",
        *,
        body: bytes = b'{"id":"1"}',
        key: bytes = b"1",
        event_type: str = "acme.made",
        quarantine: Reason | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = ((b"authorization", b"Basic c2VjcmV0"),),
    ) -> Intake:
        """Stores one request with one event, as ingest would."""
        parsed = ParsedEvent(
            type=event_type, dedupe_key=key, dedupe_kind=DedupeKind.HARD, entity_key="acme:thing:1"
        )
        event = IntakeEvent(id=self.ids.new("evt"), parsed=parsed, state=EventState.NEW)
        intake = Intake(
            receipt_id=self.ids.new("rcp"),
            source_id=source_id,
            provider="acme",
            received_at=self.clock.now(),
            remote="192.0.2.1",
            method="POST",
            path=f"/in/{source_id}",
            query=b"",
            headers=headers,
            body=body,
            proof=Accepted(secret_id="sec_1"),
            quarantine=quarantine,
            events=(event,),
        )
        (stored,) = self.store.inbound.append([self.store.inbound.seal(intake)])
        assert not isinstance(stored, Exception), stored
        return intake


@contextmanager
def open_rooms(folder: Path, **more: object) -> Iterator[Rooms]:
    """Rooms with an empty store in `folder`, which must not exist; `more`: settings."""
    empty_folder(folder)
    given = {"api_burst": 1_000_000, "max_body_bytes": LARGEST, "public_url": BASE_URL, **more}
    settings = load_settings(data_dir=folder, **given)
    clock = ManualClock(START)
    ids = SortableIds(clock)
    store = open_store(settings, clock=clock, ids=ids)
    hub = hub_of(
        settings,
        store,
        clock=clock,
        ids=ids,
        providers=Registry([PROVIDER, SILENT, TWIN]),
        kinds=KINDS,
        passwords=CHEAP,
        resolver=resolve,
    )
    try:
        yield Rooms(**{name: getattr(hub, name) for name in SHARED}, clock=clock, ids=ids, hub=hub)
    finally:
        store.close()


def resolve(host: str, port: int) -> list[str]:
    """Names as a test's DNS knows them: `inside.example.com` is a private address."""
    return ["10.1.2.3" if host == "inside.example.com" else "93.184.216.34"]
