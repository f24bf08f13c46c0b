"""Time comes from a `Clock` that is handed in, so that nothing pure reads the machine's time."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time. Implementations return aware datetimes in UTC."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The machine's time, aware, in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is moved: for tests and the sandbox."""

    def __init__(self, start: datetime) -> None:
        """`start`: aware datetime; raises ValueError for a naive one."""
        self._now = as_utc(start)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The moment this clock stands at."""
        return self._now

    def advance(self, *, seconds: float) -> None:
        """Moves the clock forward (or back, if negative) by `seconds`."""
        with self._lock:
            self._now += timedelta(seconds=seconds)


def as_utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError for a naive datetime."""
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
