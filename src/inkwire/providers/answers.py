"""Parts of what a vendor's API answers, read without trust. Pure; for the clients of providers."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

#: Seconds that a vendor is waited for at most, whatever it asks for.
MOST_WAIT_S = 3600.0


def wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that Retry-After asks for (RFC 9110, section 10.2.3); None: nothing, or junk.

    `headers`: names in lower case. A date is measured by the answer's own Date if it has one:
    our clock may differ.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(float(text), MOST_WAIT_S)
    moment = _http_date(text)
    if moment is None:
        return None
    there = _http_date(headers.get("date", "")) or now
    return min(max((moment - there).total_seconds(), 0.0), MOST_WAIT_S)


def one_line(value: Any, most: int) -> str:
    """A vendor's text on one line, at most `most` characters, without a stop at the end."""
    if not isinstance(value, str):
        return ""
    clean = "".join(one if one.isprintable() else " " for one in value[: 2 * most])
    return " ".join(clean.split())[:most].rstrip(". ")


def table_of(value: Any) -> Mapping[str, Any]:
    """The object at hand, or an empty one."""
    return value if isinstance(value, dict) else {}


def rows_of(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects in an array, whatever else is in it."""
    return (row for row in value if isinstance(row, dict)) if isinstance(value, list) else iter(())


def root_cause(error: BaseException) -> str:
    """What the machine said, without the wrappings of the libraries."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)


def _http_date(text: str) -> datetime | None:
    if not text.endswith("GMT") or len(text) > 64:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo is not None else None
