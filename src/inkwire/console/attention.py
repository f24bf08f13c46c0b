"""What a person should look at: dead letters in the rail, connections in trouble on their pages."""

import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, cast

from inkwire.console import crm_words
from inkwire.errors import StoreError
from inkwire.model.access import Scope
from inkwire.model.connection import ConnectionHealth
from inkwire.model.work import ParkCause
from inkwire.pages.visit import Visit
from inkwire.store.acting import WorkQuery
from inkwire.store.contract import WORK

#: The rail counts dead letters up to this.
MANY = 100
#: Seconds that a count is believed, even if no news come.
KEPT_S = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Attention:
    """Something that a person should look at, and the page that helps."""

    text: str
    url: str
    action: str


def trouble(visit: Visit, only: Collection[str] | None = None) -> list[Attention]:
    """A banner for each connection that needs attention; `only`: for those ids."""
    if not visit.may(Scope.INTEGRATIONS_READ):
        return []
    return [
        Attention(
            text=f"{one.name}: {one.health_note or 'its calls are refused.'} "
            "Work that needs it waits, and goes on once it is mended.",
            url=visit.url("connections", one.id),
            action="Mend the connection",
        )
        for one in visit.parts.connections.all(visit.caller)
        if one.health is ConnectionHealth.NEEDS_ATTENTION and (only is None or one.id in only)
    ]


def undecided(visit: Visit) -> list[Attention]:
    """Work that waits for a person's word."""
    if not visit.may(Scope.RUNS_READ):
        return []
    query = WorkQuery(park_cause=ParkCause.PERSON, limit=MANY)
    found = visit.parts.work.page(visit.caller, query)
    if not found:
        return []
    waits = "1 run waits" if len(found) == 1 else f"{len(found)} runs wait"
    return [
        Attention(
            text=f"{waits} for a person's decision.",
            url=visit.url("runs", found[0].id)
            if len(found) == 1
            else visit.url("runs", parked=ParkCause.PERSON.value),
            action="Decide",
        )
    ]


def fields(visit: Visit, integration_id: int) -> list[Attention]:
    """Mapped fields that wait for a person, conflicts before failures; the newest is linked."""
    counts = visit.parts.fields.counts(visit.caller, integration_id)
    waiting = [state for state in crm_words.FIELDS_WAIT if counts.get(state, 0)]
    if not waiting:
        return []
    newest = visit.parts.fields.page(
        visit.caller, integration_id=integration_id, state=waiting[0], limit=1
    )
    words = (
        crm_words.FIELDS_WAIT[state].format(
            fields="1 field" if counts[state] == 1 else f"{counts[state]} fields"
        )
        for state in waiting
    )
    text = " ".join(words)
    return [
        Attention(
            text=text,
            url=visit.url("records", "folders", f"int_{integration_id}", one.folder_id),
            action="Look at the newest",
        )
        for one in newest
    ]


class _House(Protocol):
    """The console: it keeps the count for its rail."""

    dead_letters: "DeadLetterCount"


def dead_letters(visit: Visit) -> int:
    """How many dead letters there are, at most `MANY`, as the rail counts them."""
    return cast("_House", visit.house).dead_letters.of(visit)


class DeadLetterCount:
    """How many dead letters there are; asked for by every page, so the store is asked rarely.

    A form's request forgets the count, and so does news of work that reach this process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[float, int | None, int] | None = None

    def forget(self) -> None:
        """Counts again when next asked."""
        with self._lock:
            self._kept = None

    def of(self, visit: Visit) -> int:
        """The count, at most `MANY`; 0 for those who may not see work, or if it is unknown."""
        if not visit.may(Scope.RUNS_READ):
            return 0
        now, news = visit.now.timestamp(), visit.parts.live.counters().get(WORK)
        with self._lock:
            kept = self._kept
        if kept is not None and kept[1] == news and 0 <= now - kept[0] < KEPT_S:
            return kept[2]
        try:
            count = sum(one.count for one in visit.parts.store.works.dead(most=MANY))
        except StoreError:
            return 0  # the page itself says that the store is away
        with self._lock:
            self._kept = (now, news, count)
        return count
