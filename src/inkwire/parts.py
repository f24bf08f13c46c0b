"""What pages and API handlers are built from; `inkwire.app` fills it."""

from dataclasses import dataclass

from inkwire.access.gate import Gate
from inkwire.clock import Clock
from inkwire.config import Settings
from inkwire.providers.registry import Registry
from inkwire.sources.desk import SourceDesk
from inkwire.sources.inbox import Inbox
from inkwire.store.contract import Live, Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The rooms and values that handlers call."""

    settings: Settings
    store: Store
    registry: Registry
    clock: Clock
    desk: SourceDesk
    inbox: Inbox
    gate: Gate
    live: Live
