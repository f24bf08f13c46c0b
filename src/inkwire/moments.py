"""Moments as values: aware, in UTC, and as whole microseconds. Pure; a clock is in `clock.py`."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


def as_utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError for a naive datetime."""
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise ValueError("a datetime without a time zone was given; Inkwire keeps aware UTC only")
    return moment.astimezone(UTC)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Whole microseconds since 1970-01-01T00:00:00Z, exact."""
    return (as_utc(moment) - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC datetime of `to_micros`."""
    return EPOCH + timedelta(microseconds=micros)


def http_date(text: str) -> datetime | None:
    """The moment that a Date or Retry-After header names (RFC 9110, section 5.6.7); None: junk."""
    if not text.endswith("GMT") or len(text) > 64:
        return None
    try:
        return as_utc(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def retry_after_s(text: str | None, now: datetime) -> float | None:
    """Seconds from `now` that Retry-After asks for (RFC 9110, section 10.2.3); None: none, or junk.

    Never negative; how long is too long is for the caller to say. A date counts by the clock of
    who named it: pass that as `now` where the answer tells it.
    """
    text = (text or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    moment = http_date(text)
    return None if moment is None else max(0.0, (moment - now).total_seconds())
