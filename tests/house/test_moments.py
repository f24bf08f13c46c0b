"""Times that others write into their headers."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.moments import http_date, retry_after_s

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("120", 120.0), (" 0 ", 0.0), ("999999999", 999999999.0), (None, None), ("", None)),
        *(("-5", None), ("1.5", None), ("soon", None), ("9" * 10, None), ("\u0663", None)),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        ("Sunday, 22-Nov-26 12:00:30 GMT", 30.0),
        *(("Fri, 99 Zzz 2026 00:00:00 GMT", None), ("GMT", None), ("Sun, 22 Nov 2026", None)),
        *(("Sun, 22 Nov 999999 12:00:00 GMT", None), ("Sun, 22 Nov 2026 12:01:30 +0000", None)),
    ],
)
def test_retry_after(value, seconds):
    """RFC 9110: seconds or a date; junk is as if it were not there."""
    assert retry_after_s(value, NOW) == seconds


@given(st.text(max_size=80))
def test_whatever_is_said_it_is_seconds_or_nothing(text):
    """Never an error, never a time before now."""
    for said in (text, f"{text} GMT"):
        found = retry_after_s(said, NOW)
        assert found is None or found >= 0
        moment = http_date(said)
        assert moment is None or moment.tzinfo is UTC
