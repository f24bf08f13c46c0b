"""How often an application may call: a leaky bucket for each, in this process's memory."""

import math
import threading
from dataclasses import dataclass
from datetime import datetime

from inkwire.clock import Clock
from inkwire.errors import RateLimited

#: Above this many buckets the empty ones are dropped.
SWEEP_ABOVE = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """How full a bucket was at a moment; each request fills it by one, time empties it. Pure."""

    level: float = 0.0
    at: datetime

    def at_time(self, now: datetime, per_second: float) -> "Bucket":
        """The bucket at `now`; a clock set back empties nothing."""
        passed = max(0.0, (now - self.at).total_seconds())
        return Bucket(level=max(0.0, self.level - passed * per_second), at=max(now, self.at))

    def wait_s(self, size: int, per_second: float) -> float:
        """Seconds until one more fits; 0: it does now."""
        # The least that a float forgets must cost nobody a request.
        return max(0.0, self.level + 1 - size - 1e-9) / per_second

    def filled(self) -> "Bucket":
        """With one more in it."""
        return Bucket(level=self.level + 1, at=self.at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a caller is told about its bucket."""

    #: Requests that it holds.
    size: int
    #: Requests in it now, this one among them.
    used: int


class Buckets:
    """The buckets of all applications; safe to share between threads.

    In memory on purpose: with several web processes an application may call that many times as
    often, which protects each of them just as well.
    """

    def __init__(self, clock: Clock, *, size: int, per_second: float) -> None:
        """`size`: requests at once; `per_second`: how fast the bucket empties (BoxC: 30, 2)."""
        self._clock = clock
        self._size = size
        self._per_second = per_second
        self._buckets: dict[str, Bucket] = {}
        self._lock = threading.Lock()

    def take(self, name: str) -> tuple[Usage, RateLimited | None]:
        """Puts one request into the bucket `name`; the error to raise if it does not fit.

        A request that does not fit adds nothing.
        """
        now = self._clock.now()
        with self._lock:
            bucket = self._buckets.get(name, Bucket(at=now)).at_time(now, self._per_second)
            wait_s = bucket.wait_s(self._size, self._per_second)
            if wait_s == 0:
                bucket = bucket.filled()
            self._buckets[name] = bucket
            if len(self._buckets) > SWEEP_ABOVE:
                self._sweep(now)
        usage = Usage(size=self._size, used=min(self._size, math.ceil(bucket.level)))
        if wait_s == 0:
            return usage, None
        seconds = math.ceil(wait_s)
        return usage, RateLimited(
            f"Too many requests: an application may make {self._size} at once and "
            f"{self._per_second:g} a second; try again in {seconds} s.",
            retry_after_s=seconds,
        )

    def _sweep(self, now: datetime) -> None:
        aged = ((name, one.at_time(now, self._per_second)) for name, one in self._buckets.items())
        self._buckets = {name: one for name, one in aged if one.level > 0}
