"""Salesforce's values as ours."""

from datetime import UTC, datetime

import pytest

from inkwire.providers.salesforce.objects import moment_of


def test_a_time_is_read_in_utc():
    """As the API writes it, whatever its zone."""
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert moment_of("2026-03-01T12:00:00.000+0000") == noon
    assert moment_of("2026-03-01T14:00:00.000+0200") == noon


@pytest.mark.parametrize(
    "value", [None, "", "soon", 7, "2026-03-01T12:00:00", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_time_is_none(value):
    """A vendor's text may be anything, a time before the first year among it."""
    assert moment_of(value) is None
