"""How an endpoint has been doing, and how much may be sent to it now. Pure; times in microseconds.

The breaker opens at `THRESHOLD` failures in a row. When its time is over one delivery goes out
as a probe: a success closes the breaker, a failure opens it anew, for longer.

The rate is GCRA (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm): one number a
webhook, no window to fill up at once. A second's worth may go out together.
"""

from dataclasses import dataclass

from inkwire.model.message import AttemptResult

THRESHOLD = 10
_FIRST_OPEN_US = 30_000_000
_LONGEST_OPEN_US = 300_000_000
_MINUTE_US = 60_000_000
#: Results that say nothing about the endpoint.
_NOT_ITS_FAULT = frozenset({AttemptResult.PROXY, AttemptResult.INTERNAL})

FAILING, RECOVERED = "failing", "recovered"


@dataclass(slots=True)
class Health:
    """A row of `webhook_health`, to be changed."""

    failures: int = 0
    last_success_at: int | None = None
    last_failure_at: int | None = None
    breaker_until: int | None = None
    breaker_opens: int = 0
    rate_at: int | None = None

    def note(self, result: AttemptResult, *, ended: int, now: int) -> str | None:
        """Takes in an attempt that ended at `ended`; returns what its application should hear."""
        if result is AttemptResult.OK:
            return self._succeed(ended)
        if result in _NOT_ITS_FAULT:
            return None
        self.failures += 1
        self.last_failure_at = max(ended, self.last_failure_at or 0)
        if self.failures < THRESHOLD:
            return None
        # What was under way when it opened makes it no longer.
        if self.breaker_until is None or self.breaker_until <= now:
            self.breaker_until = now + min(_FIRST_OPEN_US << self.breaker_opens, _LONGEST_OPEN_US)
            self.breaker_opens = min(self.breaker_opens + 1, 16)
        return FAILING if self.failures == THRESHOLD else None

    def _succeed(self, ended: int) -> str | None:
        told = self.failures >= THRESHOLD
        self.failures = self.breaker_opens = 0
        self.breaker_until = None
        self.last_success_at = max(ended, self.last_success_at or 0)
        return RECOVERED if told else None

    def room(
        self, *, now: int, in_flight: int, max_in_flight: int, rate_per_minute: int | None
    ) -> int:
        """How many may be sent now."""
        if self.failures >= THRESHOLD:
            held = in_flight > 0 or (self.breaker_until is not None and self.breaker_until > now)
            room = 0 if held else 1
        else:
            room = max(0, max_in_flight - in_flight)
        if rate_per_minute is None:
            return room
        return min(room, _within_rate(self.rate_at, rate_per_minute, now))

    def charge(self, count: int, *, now: int, rate_per_minute: int) -> None:
        """Notes that `count` are sent now."""
        self.rate_at = max(self.rate_at or 0, now) + count * (_MINUTE_US // rate_per_minute)

    def free_at(self, *, now: int, rate_per_minute: int | None) -> int:
        """When breaker and rate allow the next one; `now` if they do already."""
        free = max(now, self.breaker_until or 0) if self.failures >= THRESHOLD else now
        if rate_per_minute is None or self.rate_at is None:
            return free
        return max(free, self.rate_at - _slack(rate_per_minute))


def _slack(rate_per_minute: int) -> int:
    """How far ahead of the rate a burst may run."""
    burst = max(1, rate_per_minute // 60)
    return (burst - 1) * (_MINUTE_US // rate_per_minute)


def _within_rate(rate_at: int | None, rate_per_minute: int, now: int) -> int:
    ahead = now + _slack(rate_per_minute) - max(rate_at or 0, now)
    return 0 if ahead < 0 else ahead // (_MINUTE_US // rate_per_minute) + 1
