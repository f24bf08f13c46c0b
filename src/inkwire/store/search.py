"""The event list: filters, and search by the prefix of a term. Fast at millions of events.

Without text a list is a walk along one index, from the newest id on. With text, the events that
have such a term are read newest first (`terms.py`) and filtered. If there are many of them and
few events meet the other filters, those events are tested for the term instead. Only when both
are many and hardly any event meets both does a search end early, after the newest `SCAN` events
with the term: what is older is found by a longer text or by its time.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import chain, islice

import sqlalchemy as sa

from inkwire.model.event import Event, EventState
from inkwire.providers.payload import fold
from inkwire.store import rows, schema
from inkwire.store.contract import MAX_PAGE, EventQuery
from inkwire.store.database import one_of
from inkwire.store.idtime import IdTime
from inkwire.store.terms import Condition, having, matching

FEW = 2_000
SCAN = 20_000
_CHUNK = 500

_events = schema.events
_terms = schema.terms


def search(conn: sa.Connection, query: EventQuery, idtime: IdTime) -> list[Event]:
    """At most `query.limit` (≤ MAX_PAGE) events that meet every filter, newest first."""
    limit = max(0, min(query.limit, MAX_PAGE))
    where = [*_bounds(query, idtime, _events.c.id), *_conditions(query)]
    text = fold(query.text) if query.text else ""
    of_terms = _bounds(query, idtime, _terms.c.event_id)
    if text:
        if named := _of_id(conn, text):
            return _filtered(conn, iter(named), where, limit)
        term = [_terms.c.value >= text, _terms.c.value < after_prefix(text), *of_terms]
        return _of_term(conn, query, term, where, limit)
    if query.entity_key is not None:
        term = [_terms.c.value == fold(query.entity_key), *of_terms]
        return _of_term(conn, query, term, where, limit)
    return _walk(conn, where, limit)


def _bounds(query: EventQuery, idtime: IdTime, ids: sa.Column[str]) -> list[Condition]:
    """What an id can tell: the page, and roughly the time."""
    bounds = idtime.between(ids, "evt", query.since, query.until)
    if query.before is not None:
        bounds.append(ids < query.before)
    if query.after is not None:
        bounds.append(ids > query.after)
    return bounds


def _conditions(query: EventQuery) -> list[Condition]:
    """What only the event's row can tell."""
    where: list[Condition] = [
        column == value
        for column, value in (
            (_events.c.source_id, query.source_id),
            (_events.c.type, query.type),
            (_events.c.entity_key, query.entity_key),
        )
        if value is not None
    ]
    if query.since is not None:
        where.append(_events.c.received_at >= query.since)
    if query.until is not None:
        where.append(_events.c.received_at < query.until)
    if query.state is not None:
        where.append(_events.c.state == query.state.value)
        if query.state is not EventState.NEW:
            where.append(schema.NOT_NEW)  # lets the planner take the partial index
    return where


def _walk(conn: sa.Connection, where: Sequence[Condition], limit: int) -> list[Event]:
    found = conn.execute(
        sa.select(*rows.EVENT_FIELDS).where(*where).order_by(_events.c.id.desc()).limit(limit)
    )
    return [rows.event(row) for row in found]


def _of_id(conn: sa.Connection, text: str) -> Sequence[str]:
    """The text as a whole event id or receipt id: asked alone, so that each is one look-up."""
    named = sa.or_(_events.c.id == text, _events.c.receipt_id == text)
    return conn.scalars(
        sa.select(_events.c.id).where(named).order_by(_events.c.id.desc()).limit(MAX_PAGE)
    ).all()


def _of_term(
    conn: sa.Connection,
    query: EventQuery,
    term: Sequence[Condition],
    where: Sequence[Condition],
    limit: int,
) -> list[Event]:
    ids = matching(conn, term, query.after or "")
    if not _conditions(query):
        return _filtered(conn, ids, where, limit)
    few = list(islice(ids, FEW + 1))
    if len(few) > FEW:
        found, complete = _tested(conn, term, where, limit)
        if complete:
            return found
    return _filtered(conn, islice(chain(few, ids), SCAN), where, limit)


def _filtered(
    conn: sa.Connection, ids: Iterator[str], where: Sequence[Condition], limit: int
) -> list[Event]:
    """The first `limit` of the ids (newest first) whose events meet the other filters."""
    found: list[Event] = []
    size = max(limit, 1)
    while len(found) < limit and (chunk := list(islice(ids, size))):
        found += _walk(conn, [one_of(conn, _events.c.id, chunk), *where], limit - len(found))
        size = _CHUNK
    return found


def _tested(
    conn: sa.Connection, term: Sequence[Condition], where: Sequence[Condition], limit: int
) -> tuple[list[Event], bool]:
    """Of the newest FEW events that meet the filters those with the term.

    Returns them, and whether that is the whole answer.
    """
    newest = sa.select(_events.c.id).where(*where).order_by(_events.c.id.desc()).limit(FEW + 1)
    candidates = conn.scalars(newest).all()
    found: list[Event] = []
    for at in range(0, len(candidates), _CHUNK):
        some = having(conn, candidates[at : at + _CHUNK], term)
        found += _filtered(conn, iter(some), where, limit - len(found))
        if len(found) == limit:
            break
    return found, len(found) == limit or len(candidates) <= FEW


def after_prefix(prefix: str) -> str:
    """The smallest text, byte by byte, that sorts after every text with that prefix."""
    for at in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[at])
        if code < sys.maxunicode:
            following = 0xE000 if code == 0xD7FF else code + 1
            return prefix[:at] + chr(following)
    return chr(sys.maxunicode) * (len(prefix) + 1)
