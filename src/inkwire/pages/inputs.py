"""Reads what people type and choose: lines, numbers, spans of time. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

#: Rows of a list.
PAGE = 50
#: Name in the URL → what a person sees, and how far it reaches back.
RANGES: Mapping[str, tuple[str, timedelta]] = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
}
#: Seconds that an old secret stays valid → what a person sees.
OVERLAPS: tuple[tuple[str, str], ...] = (
    ("0", "Not at all: it ends now"),
    ("3600", "1 hour"),
    ("86400", "24 hours"),
    ("259200", "3 days"),
    ("604800", "7 days"),
    ("2592000", "30 days"),
)
DEFAULT_OVERLAP = "86400"


def lines(text: str) -> tuple[str, ...]:
    """The lines of a text area, without blanks and empty ones."""
    return tuple(line for raw in text.splitlines() if (line := raw.strip()))


def whole(text: str) -> int:
    """A whole number as typed; -1 for anything else, which every check of a range refuses."""
    clean = text.strip()
    return int(clean) if clean.isascii() and clean.isdigit() and len(clean) <= 15 else -1


def moment(name: str, text: str, wrong: dict[str, str]) -> datetime | None:
    """`2026-11-22T02:26` (and longer forms), read as UTC if no zone is given.

    What cannot be read is noted in `wrong` under `name`.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        wrong[name] = "must be a date and time such as 2026-11-22T02:26 (UTC)"
        return None
