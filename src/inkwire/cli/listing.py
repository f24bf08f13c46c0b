"""What lists share: pages put together, times, and lengths of time."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Protocol, TypeVar

import typer

from inkwire.errors import InvalidInput

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many.")]
SinceOption = Annotated[str | None, typer.Option(help="Since: -2h, or an RFC 3339 time.")]
UntilOption = Annotated[str | None, typer.Option(help="Until: -1h, or an RFC 3339 time.")]
ApplicationOption = Annotated[
    str | None, typer.Option("--application", help="Only of this application.")
]

_UNIT_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_K_co = TypeVar("_K_co", covariant=True)


class _HasId(Protocol[_K_co]):
    @property
    def id(self) -> _K_co: ...


_T = TypeVar("_T", bound=_HasId[object])


def pages(read: "Callable[[_T | None, int], list[_T]]", limit: int) -> "list[_T]":
    """Up to `limit` rows of a list that gives a page at a time.

    `read(last, size)`: at most `size` rows behind `last`; None: from the beginning.
    """
    from inkwire.store.contract import MAX_PAGE

    found: list[_T] = []
    while len(found) < limit:
        size = min(limit - len(found), MAX_PAGE)
        page = read(found[-1] if found else None, size)
        found += page
        if len(page) < size:
            break
    return found


def moment_of(text: str | None, now: datetime) -> datetime | None:
    """`-2h` or an RFC 3339 time; None stays None. Raises InvalidInput."""
    from inkwire.cli.signed import moment

    return None if text is None else moment(text, now)


def seconds_of(text: str) -> int:
    """`0`, `90s`, `1h`, `7d` in seconds. Raises InvalidInput."""
    number = text.rstrip("smindh")
    unit = text[len(number) :] or "s"
    if not (number.isascii() and number.isdigit()) or len(number) > 9 or unit not in _UNIT_S:
        raise InvalidInput(f"{text!r} is no length of time; write 0, 90s, 30m, 1h or 7d.")
    return int(number) * _UNIT_S[unit]
