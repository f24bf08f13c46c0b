"""Parts of what a vendor's API answers, read without trust. Pure; for the clients of providers."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from inkwire.moments import http_date, retry_after_s

#: Seconds that a vendor is waited for at most, whatever it asks for.
MOST_WAIT_S = 3600.0


def wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that Retry-After asks for (RFC 9110, section 10.2.3); None: nothing, or junk.

    `headers`: names in lower case. A date is measured by the answer's own Date if it has one:
    our clock may differ.
    """
    there = http_date(headers.get("date", "")) or now
    asked = retry_after_s(headers.get("retry-after"), there)
    return None if asked is None else min(asked, MOST_WAIT_S)


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
