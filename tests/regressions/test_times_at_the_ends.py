"""A filter by a time at the ends of the calendar raised OverflowError in the store."""

from datetime import UTC, datetime

import pytest

from inkwire.store.idtime import MARGIN, floor

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize("shift", [-MARGIN, MARGIN])
def test_any_moment_gives_a_bound(shift):
    """The ends of the calendar bound ids like any other moment."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert floor("evt", FIRST, shift) < floor("evt", now, shift) < floor("evt", LAST, shift)
