"""Finds rows of a time by their ids: ids sort by the moment they were made, and lists run by id.

A row's id and its `received_at` come from one clock within one request, so they agree to the
second unless a clock was set back; `MARGIN` covers that. `received_at` always decides; the id
only says where to look.
"""

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from inkwire.ids import Ids, SortableIds
from inkwire.moments import to_micros

MARGIN = timedelta(minutes=10)
_LAST_MICROS = 2**56 - 1


class IdTime:
    """Bounds on ids for bounds on time."""

    def __init__(self, ids: Ids) -> None:
        """Only `SortableIds` carry a time; with other ids `received_at` is all there is."""
        self._timed = isinstance(ids, SortableIds)

    def since(
        self, ids: sa.Column[Any], at: sa.Column[Any], prefix: str, moment: datetime
    ) -> Sequence[sa.ColumnElement[bool]]:
        """Conditions for rows made at `moment` or later, to the accuracy of the ids."""
        return [ids >= floor(prefix, moment)] if self._timed else [at >= moment]

    def between(
        self, ids: sa.Column[Any], prefix: str, since: datetime | None, until: datetime | None
    ) -> list[sa.ColumnElement[bool]]:
        """Conditions that every row of `since` ≤ time < `until` meets, and few others."""
        found: list[sa.ColumnElement[bool]] = []
        if since is not None and self._timed:
            found.append(ids >= floor(prefix, since, -MARGIN))
        if until is not None and self._timed:
            found.append(ids < floor(prefix, until, MARGIN))
        return found


def floor(prefix: str, moment: datetime, shift: timedelta = timedelta(0)) -> str:
    """The smallest id of `prefix` that `SortableIds` can give at `moment` + `shift`.

    Any moment will do: those before 1970 or after 4253, which no id holds, count as the ends.
    """
    micros = to_micros(moment) + shift // timedelta(microseconds=1)
    raw = min(max(0, micros), _LAST_MICROS).to_bytes(7, "big") + bytes(8)
    return f"{prefix}_{base64.b32hexencode(raw).decode('ascii').lower()}"
