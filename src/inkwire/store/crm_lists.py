"""What the lists of folders, attachments and activities share: counts, and search by name.

A name's beginning is found in the index of its folded column while few rows have it. When many
have, the list walks its own order instead and tests each row: it meets enough of them soon.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, TypeVar

import sqlalchemy as sa

from inkwire.providers.payload import fold
from inkwire.store.contract import MAX_PAGE
from inkwire.store.database import tested
from inkwire.store.intake import clean
from inkwire.store.keepable import known
from inkwire.store.search import after_prefix

#: A state's rows are counted up to this.
MAX_COUNT = 10_000
#: Rows with a name that are looked up and sorted.
FEW = 2_000

State = TypeVar("State", bound=StrEnum)
Condition = sa.ColumnElement[bool]


def page_size(limit: int) -> int:
    """A list's limit, within 0 and MAX_PAGE."""
    return max(0, min(limit, MAX_PAGE))


def conditions(
    few: Iterable[tuple[sa.Column[str], str | None]],
    many: Iterable[tuple[sa.Column[Any], str | int | None]],
    *,
    found: bool = False,
) -> list[Condition]:
    """Each column is its value, where one is given.

    If a column of `few` has one, its rows are found by it, or by another condition (`found`), and
    only tested for the columns of `many`.
    """
    where = [column == clean(value) for column, value in few if value is not None]
    found = found or bool(where)
    for column, value in many:
        if value is not None:
            kept = known(value) if isinstance(value, int) else clean(value)
            where.append((tested(column) if found else column) == kept)
    return where


def counts(
    conn: sa.Connection, table: sa.Table, states: type[State], integration_id: int | None
) -> dict[State, int]:
    """How many rows are in each state, each counted up to MAX_COUNT."""
    found: dict[State, int] = {}
    for state in states:
        some = sa.select(sa.literal(1)).select_from(table).where(table.c.state == state.value)
        if integration_id is not None:
            some = some.where(table.c.integration_id == known(integration_id))
        some = some.limit(MAX_COUNT)
        found[state] = conn.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0
    return found


def named(
    conn: sa.Connection, terms: Sequence[sa.Column[str]], name: str
) -> tuple[list[Condition], bool]:
    """That one of the folded columns begins with the name, and whether few rows have it.

    Nothing for an empty name. If few have it, all else (also the list's order) is to be `tested`.
    """
    prefix = fold(name)
    if not prefix:
        return [], False
    spans = [sa.and_(term >= prefix, term < after_prefix(prefix)) for term in terms]
    few = not any(_many(conn, term, span) for term, span in zip(terms, spans, strict=True))
    if few or conn.dialect.name == "postgresql":  # which knows by its statistics how many have it
        return [sa.or_(*spans)], few
    return [sa.or_(*(sa.func.substr(term, 1, len(prefix)) == prefix for term in terms))], False


def _many(conn: sa.Connection, term: sa.Column[str], span: Condition) -> bool:
    some = sa.select(term).where(span).limit(FEW + 1).subquery()
    return (conn.scalar(sa.select(sa.func.count()).select_from(some)) or 0) > FEW
