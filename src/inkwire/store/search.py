"""The event list: filters, and search by the prefix of a term. Fast at millions of events.

Without text a list is a walk along one index, from the newest id on. With text the way is chosen
by looking at no more than `FEW` index entries on each side:
- few terms have the prefix: their events are read and filtered;
- few events meet the other filters: their terms are tested;
- many of both, and at most `VALUES` different values (one e-mail address, one customer): the
  ids of each value are merged, newest first, and filtered;
- many of both and many values (a letter or two): the newest events are walked and tested.
The first two are exact. The others look at the newest `SCAN` candidates and no further: what is
older is found by a longer text or by its time.
"""

import heapq
import sys
from collections.abc import Iterator, Sequence
from itertools import islice

import sqlalchemy as sa

from inkwire.model.event import Event, EventState
from inkwire.providers.payload import fold
from inkwire.store import rows, schema
from inkwire.store.contract import MAX_PAGE, EventQuery
from inkwire.store.database import one_of
from inkwire.store.idtime import IdTime

FEW = 2_000
VALUES = 50
SCAN = 20_000
_CHUNK = 500

_events = schema.events
_terms = schema.terms
Condition = sa.ColumnElement[bool]


def search(conn: sa.Connection, query: EventQuery, idtime: IdTime) -> list[Event]:
    """At most `query.limit` (≤ MAX_PAGE) events that meet every filter, newest first."""
    limit = max(0, min(query.limit, MAX_PAGE))
    where = _conditions(query, idtime)
    text = fold(query.text) if query.text else ""
    if text:
        return _of_id(conn, text, where, limit) or _of_prefix(conn, text, query, where, limit)
    if query.entity_key is not None:
        value = fold(query.entity_key)
        return _filtered(conn, _merged(conn, [value], _paging(query)), where, limit)
    return _walk(conn, where, limit)


def _conditions(query: EventQuery, idtime: IdTime) -> list[Condition]:
    where = idtime.between(_events.c.id, _events.c.received_at, "evt", query.since, query.until)
    for column, value in (
        (_events.c.source_id, query.source_id),
        (_events.c.type, query.type),
        (_events.c.entity_key, query.entity_key),
    ):
        if value is not None:
            where.append(column == value)
    if query.state is not None:
        where.append(_events.c.state == query.state.value)
        if query.state is not EventState.NEW:
            where.append(schema.NOT_NEW)  # lets the planner take the partial index
    if query.before is not None:
        where.append(_events.c.id < query.before)
    if query.after is not None:
        where.append(_events.c.id > query.after)
    return where


def _paging(query: EventQuery) -> list[Condition]:
    """What a term's row can tell of the page."""
    bounds: list[Condition] = []
    if query.before is not None:
        bounds.append(_terms.c.event_id < query.before)
    if query.after is not None:
        bounds.append(_terms.c.event_id > query.after)
    return bounds


def _walk(conn: sa.Connection, where: Sequence[Condition], limit: int) -> list[Event]:
    found = conn.execute(
        sa.select(*rows.EVENT_FIELDS).where(*where).order_by(_events.c.id.desc()).limit(limit)
    )
    return [rows.event(row) for row in found]


def _of_id(conn: sa.Connection, text: str, where: Sequence[Condition], limit: int) -> list[Event]:
    """The text as a whole event id or receipt id."""
    ids = sa.or_(_events.c.id == text, _events.c.receipt_id == text)
    return _walk(conn, [ids, *where], limit)


def _of_prefix(
    conn: sa.Connection, text: str, query: EventQuery, where: Sequence[Condition], limit: int
) -> list[Event]:
    matches = [_terms.c.value >= text, _terms.c.value < after_prefix(text)]
    paging = _paging(query)
    few = conn.scalars(sa.select(_terms.c.event_id).where(*matches, *paging).limit(FEW + 1)).all()
    if len(few) <= FEW:
        return _filtered(conn, iter(sorted(set(few), reverse=True)), where, limit)
    if where:
        tested, rest = _tested(conn, matches, where, FEW, limit)
        if len(tested) == limit or not rest:
            return tested
    values = _distinct(conn, text)
    if len(values) <= VALUES:
        merged = islice(_merged(conn, values, paging), SCAN)
        return _filtered(conn, merged, where, limit)
    return _tested(conn, matches, where, SCAN, limit)[0]


def _distinct(conn: sa.Connection, text: str) -> list[str]:
    """The values with that prefix, at most VALUES + 1: one index look-up for each."""
    found: list[str] = []
    more = _terms.c.value >= text
    while len(found) <= VALUES:
        value = conn.scalar(
            sa.select(_terms.c.value)
            .where(more, _terms.c.value < after_prefix(text))
            .order_by(_terms.c.value)
            .limit(1)
        )
        if value is None:
            break
        found.append(value)
        more = _terms.c.value > value
    return found


def _merged(
    conn: sa.Connection, values: Sequence[str], paging: Sequence[Condition]
) -> Iterator[str]:
    """Ids of the events with any of the values, newest first, without repeats."""
    last = None
    for event_id in heapq.merge(*(_ids_of(conn, v, paging) for v in values), reverse=True):
        if event_id != last:
            yield event_id
        last = event_id


def _ids_of(conn: sa.Connection, value: str, paging: Sequence[Condition]) -> Iterator[str]:
    """Ids of the events with one value, newest first, read as they are needed."""
    older: list[Condition] = []
    while True:
        ids = conn.scalars(
            sa.select(_terms.c.event_id)
            .where(_terms.c.value == value, *paging, *older)
            .order_by(_terms.c.event_id.desc())
            .limit(MAX_PAGE)
        ).all()
        yield from ids
        if len(ids) < MAX_PAGE:
            return
        older = [_terms.c.event_id < ids[-1]]


def _filtered(
    conn: sa.Connection, ids: Iterator[str], where: Sequence[Condition], limit: int
) -> list[Event]:
    """The first `limit` of the ids (newest first) whose events meet the other filters."""
    found: list[Event] = []
    while len(found) < limit and (chunk := list(islice(ids, MAX_PAGE))):
        found += _walk(conn, [one_of(conn, _events.c.id, chunk), *where], limit - len(found))
    return found


def _tested(
    conn: sa.Connection,
    matches: Sequence[Condition],
    where: Sequence[Condition],
    scan: int,
    limit: int,
) -> tuple[list[Event], bool]:
    """Tests the newest `scan` events that meet the other filters for the term.

    Returns what has the term, and whether there are events beyond those tested.
    """
    newest = sa.select(_events.c.id).where(*where).order_by(_events.c.id.desc()).limit(scan + 1)
    candidates = conn.scalars(newest).all()
    found: list[Event] = []
    for at in range(0, min(len(candidates), scan), _CHUNK):
        chunk = candidates[at : at + _CHUNK]
        has_term = sa.select(_terms.c.event_id).where(
            one_of(conn, _terms.c.event_id, chunk), *matches
        )
        ids = sorted(set(conn.scalars(has_term)), reverse=True)
        found += _filtered(conn, iter(ids), where, limit - len(found))
        if len(found) == limit:
            break
    return found, len(candidates) > scan


def after_prefix(prefix: str) -> str:
    """The smallest text, byte by byte, that sorts after every text with that prefix."""
    for at in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[at])
        if code < sys.maxunicode:
            following = 0xE000 if code == 0xD7FF else code + 1
            return prefix[:at] + chr(following)
    return chr(sys.maxunicode) * (len(prefix) + 1)
