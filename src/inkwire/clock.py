"""Time comes from a `Clock` that is handed in, so that nothing pure reads the machine's time."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Protocol

from inkwire.moments import as_utc


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
