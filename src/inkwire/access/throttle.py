"""Slows down guessing: after a few failures each further try costs a growing wait."""

import ipaddress
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from inkwire.clock import Clock
from inkwire.errors import RateLimited

#: Failures without a wait, of a name and of an address (an office shares one); then the waits.
FREE = {"name": 5, "remote": 20}
WAITS_S = (15, 30, 60, 120, 300, 600, 900)
#: A counter is forgotten this long after its last failure.
FORGET = timedelta(hours=1)
#: Counters and remembered addresses held in memory; the oldest go first.
MAX_KEYS = 10_000

Key = tuple[str, ...]
T = TypeVar("T")


@dataclass(slots=True)
class _Count:
    failures: int
    last: datetime


class Throttle:
    """Counts failed sign-ins by name and by remote address, in this process's memory.

    A name is counted apart for an address that signed in with it before, so that a stranger who
    guesses cannot lock its owner out.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: OrderedDict[Key, _Count] = OrderedDict()
        self._known: OrderedDict[Key, None] = OrderedDict()
        self._lock = threading.Lock()

    def attempt(self, name: str, remote: str) -> None:
        """Counts a try as failed before it is made; `succeeded` takes that back.

        So tries at the same moment cannot all pass. Raises RateLimited, and then counts nothing.
        """
        now = self._clock.now()
        with self._lock:
            keys = self._keys(name, remote)
            wait = max(self._wait_s(key, now) for key in keys)
            if wait > 0:
                raise RateLimited(
                    f"Too many failed sign-ins; try again in {_in_words(wait)}.",
                    retry_after_s=wait,
                )
            for key in keys:
                self._count(key, now)

    def succeeded(self, name: str, remote: str) -> None:
        """The try was right: the name starts anew, the address loses this one failure."""
        with self._lock:
            by_name, by_remote = self._keys(name, remote)
            self._counts.pop(by_name, None)
            if count := self._counts.get(by_remote):
                count.failures -= 1
            _remember(self._known, (name, _network(remote)), None)

    def not_tried(self, name: str, remote: str) -> None:
        """The try was refused before the password was looked at: it counts for nothing."""
        with self._lock:
            for key in self._keys(name, remote):
                if count := self._counts.get(key):
                    count.failures -= 1

    def _keys(self, name: str, remote: str) -> tuple[Key, Key]:
        network = _network(remote)
        known = (name, network) in self._known
        return ("name", name, network) if known else ("name", name), ("remote", network)

    def _wait_s(self, key: Key, now: datetime) -> int:
        count = self._counts.get(key)
        free = FREE[key[0]]
        if count is None or now - count.last >= FORGET or count.failures < free:
            return 0
        wait = WAITS_S[min(count.failures - free, len(WAITS_S) - 1)]
        left = wait - (now - count.last).total_seconds()
        return max(0, min(wait, -int(-left // 1)))

    def _count(self, key: Key, now: datetime) -> None:
        count = self._counts.pop(key, None)
        if count is None or now - count.last >= FORGET:
            count = _Count(failures=0, last=now)
        count.failures += 1
        count.last = now
        _remember(self._counts, key, count)


def _remember(kept: OrderedDict[Key, T], key: Key, value: T) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > MAX_KEYS:
        kept.popitem(last=False)


def _network(remote: str) -> str:
    """The address itself; for IPv6 its /64, which one customer holds whole."""
    try:
        address = ipaddress.ip_address(remote)
    except ValueError:
        return remote[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address.packed, 64), strict=False))
    return str(address)


def _in_words(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 120 else f"{-(-seconds // 60)} minutes"
