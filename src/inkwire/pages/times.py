"""Times and sizes as a person reads them. Pure."""

from datetime import UTC, datetime, timedelta

from inkwire.model.source import COUNTED

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
KIB = 1024


def exact(moment: datetime) -> str:
    """`2026-11-22 02:26:03.120 UTC`."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S}.{utc.microsecond // 1000:03d} UTC"


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, for `<time datetime>`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def relative(moment: datetime, now: datetime) -> str:
    """`just now`, `42 s ago`, `3 min ago`, `in 2 h`; after a week the date.

    `console.js` says the same in `ago`, to keep an open page true.
    """
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 5:
        return "just now"
    if abs(seconds) >= 7 * DAY:
        return f"{moment.astimezone(UTC):%-d %b %Y}"
    amount = span(timedelta(seconds=abs(seconds)))
    return f"{amount} ago" if seconds > 0 else f"in {amount}"


def span(length: timedelta) -> str:
    """A length of time in its largest whole unit: `42 s`, `3 min`, `5 h`, `2 d`."""
    seconds = length.total_seconds()
    for unit, size in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def gap(length: timedelta) -> str:
    """The time between two lines of a timeline: `+340 ms`, `+2.1 s`, `+3 min`; nothing for none."""
    seconds = length.total_seconds()
    if seconds < 0.001:
        return ""
    if seconds < 1:
        return f"+{round(seconds * 1000)} ms"
    return f"+{seconds:.1f} s" if seconds < 10 else f"+{span(length)}"


def size(count: int) -> str:
    """A number of bytes: `812 bytes`, `1.5 KiB`, `16 MiB`."""
    if count < KIB:
        return f"{count} byte{'' if count == 1 else 's'}"
    amount, unit = count / KIB, "KiB"
    for larger in ("MiB", "GiB"):
        if amount >= KIB:
            amount, unit = amount / KIB, larger
    return f"{amount:.1f}".removesuffix(".0") + f" {unit}"


def count(number: int) -> str:
    """A count in groups, `1,234`; with a `+` from where the store stops counting."""
    return f"{number:,}{'+' if number >= COUNTED else ''}"
