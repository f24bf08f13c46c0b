"""What describe said, for a while: it is large, and changes when an admin changes the object."""

import threading
from datetime import datetime, timedelta

from inkwire.providers.salesforce.objects import Described

_KEPT = timedelta(minutes=10)
_MOST = 100


class Descriptions:
    """Objects by name, as one connection sees them. May be shared by threads.

    Clients are made anew for each run, so whoever makes them keeps one of these a connection.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[datetime, Described]] = {}
        self._lock = threading.Lock()

    def get(self, name: str, now: datetime) -> Described | None:
        """What was kept less than ten minutes ago."""
        with self._lock:
            at, found = self._kept.get(name.lower(), (None, None))
        return found if at is not None and at <= now < at + _KEPT else None

    def keep(self, name: str, described: Described, now: datetime) -> None:
        """Keeps it. What is not found is not kept: an admin is about to allow it."""
        with self._lock:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            self._kept[name.lower()] = (now, described)

    def clear(self) -> None:
        """Forgets all, e.g. when the connection was changed."""
        with self._lock:
            self._kept.clear()
