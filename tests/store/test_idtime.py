"""Ids as a way to a time."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from inkwire.clock import ManualClock
from inkwire.ids import SortableIds
from inkwire.store.idtime import floor

moments = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001 - made aware here
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(moments, st.timedeltas(timedelta(microseconds=1), timedelta(days=9)))
def test_no_id_of_a_moment_lies_below_its_floor(moment: datetime, later: timedelta):
    """Looking from the floor on finds everything of that time and nothing earlier."""
    made = SortableIds(ManualClock(moment)).new("evt")
    assert floor("evt", moment) <= made < floor("evt", moment + later)
