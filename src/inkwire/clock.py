"""Time comes from a `Clock` that is handed in, so that nothing pure reads the machine's time."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from inkwire.moments import as_utc

#: Seconds that a clock may be shifted by, either way: ten years.
_MOST_SHIFT_S = 10 * 366 * 86_400


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


class ShiftedClock:
    """The machine's clock, moved by the seconds that stand in a file: for demos and tests.

    Every process that reads the same file tells the same time, so a day can pass in a moment.
    """

    def __init__(self, path: Path, *, read_every_s: float = 0.05) -> None:
        """`path`: a file with one number, seconds, and a line break; the shift is 0 without it.

        `read_every_s`: seconds for which a shift that was read stays in use.
        """
        self._path = path
        self._read_every_s = read_every_s
        self._shift = timedelta()
        self._read_at = float("-inf")

    def now(self) -> datetime:
        """The machine's time plus the shift that was last read."""
        moment = time.monotonic()
        if moment - self._read_at >= self._read_every_s:
            self._read_at = moment
            self._shift = self._read()
        return datetime.now(UTC) + self._shift

    def _read(self) -> timedelta:
        """What stands in the file; the last shift while it is missing or only half written."""
        try:
            text = self._path.read_text("ascii")
        except (OSError, ValueError):
            return self._shift
        # Without its line break the number may not be whole yet.
        if not text.endswith("\n"):
            return self._shift
        try:
            seconds = float(text)
        except ValueError:
            return self._shift
        return timedelta(seconds=seconds) if abs(seconds) <= _MOST_SHIFT_S else self._shift
