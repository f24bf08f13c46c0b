"""What events can be found by: terms, written in buckets and read newest first.

One big index of terms would put each new term on a page of its own, far from the others: at a
million events a worker's transaction would write hundreds of pages. So terms go into buckets of
about a thousand events: a bucket is small, its pages are written again and again while it is
open, and never afterwards. Each process fills a bucket of its own. A bucket knows its newest
event, so a search reads the newest buckets first and stops when its page is full; one that finds
little asks every bucket, many in one statement.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa

from inkwire.clock import Clock
from inkwire.moments import to_micros
from inkwire.store import schema
from inkwire.store.database import Database

EVENTS_PER_BUCKET = 1024
#: Buckets asked in one statement: few at first, more while little is found.
FIRST_BUCKETS, MOST_BUCKETS = 4, 500
_ENOUGH = 200

TermRow = tuple[str, str, str]
Condition = sa.ColumnElement[bool]
_terms = schema.terms
_buckets = schema.term_buckets

_OPEN_BUCKET = sa.text(
    "INSERT INTO term_buckets (id, newest) VALUES (:id, :newest) ON CONFLICT (id) DO UPDATE "
    "SET newest = CASE WHEN excluded.newest > term_buckets.newest "
    "THEN excluded.newest ELSE term_buckets.newest END"
)


class TermWriter:
    """Adds terms to this process's open bucket."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """A bucket is named by the microsecond it was opened at."""
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._bucket = 0
        self._events = EVENTS_PER_BUCKET

    def add(self, conn: sa.Connection, found: Iterable[TermRow]) -> None:
        """Adds (value, event id, kind) rows, values folded."""
        terms = sorted(set(found))
        if not terms:
            return
        events = {event_id for _, event_id, _ in terms}
        bucket = self._bucket_for(len(events))
        self._database.add_missing(
            conn,
            "terms",
            ("bucket", "value", "event_id", "kind"),
            [(bucket, *term) for term in terms],
        )
        conn.execute(_OPEN_BUCKET, {"id": bucket, "newest": max(events)})

    def _bucket_for(self, events: int) -> int:
        with self._lock:
            if self._events >= EVENTS_PER_BUCKET:
                self._bucket = max(self._bucket + 1, to_micros(self._clock.now()))
                self._events = 0
            self._events += events
            return self._bucket


def matching(conn: sa.Connection, where: Sequence[Condition], oldest: str = "") -> Iterator[str]:
    """Ids of the events with a term that meets `where`, newest first, read as they are needed.

    Only ids greater than `oldest`.
    """
    buckets = conn.execute(
        sa.select(_buckets.c.id, _buckets.c.newest)
        .where(_buckets.c.newest > oldest)
        .order_by(_buckets.c.newest.desc(), _buckets.c.id)
    ).all()
    pending: set[str] = set()
    at, size = 0, FIRST_BUCKETS
    while at < len(buckets):
        some = [bucket.id for bucket in buckets[at : at + size]]
        at += len(some)
        found = conn.scalars(
            sa.select(_terms.c.event_id).where(_terms.c.bucket.in_(some), *where)
        ).all()
        pending.update(found)
        # An older bucket may hold events newer than some of these: those wait for it.
        bound = max(oldest, buckets[at].newest if at < len(buckets) else "")
        ready = sorted((event_id for event_id in pending if event_id > bound), reverse=True)
        pending.difference_update(ready)
        yield from ready
        size = size if len(found) > _ENOUGH else min(size * 4, MOST_BUCKETS)


def having(conn: sa.Connection, event_ids: Sequence[str], where: Sequence[Condition]) -> list[str]:
    """Those of `event_ids` that have a term that meets `where`, newest first."""
    found = conn.scalars(
        sa.select(_terms.c.event_id).where(_terms.c.event_id.in_(event_ids), *where)
    )
    return sorted(set(found), reverse=True)
