"""How many calls a connection makes at once, and which of them go one after another.

Salesforce lets an organisation have 25 long calls under way, 5 in a developer's (reference of
ConcurrentRequests), and locks an Account while a file or Task is made below it: others wait for ten
seconds and are then refused with UNABLE_TO_LOCK_ROW.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from inkwire.errors import Transient

#: Calls that are under way at once, by one connection in one process.
MOST_AT_ONCE = 8
#: Seconds that a call waits for its place, and an upload for its turn.
PLACE_S, TURN_S = 60.0, 20.0


@dataclass(slots=True)
class _Turn:
    """Who is below one record; how many are, or want to be."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    wanted: int = 0


class Places:
    """The places of one connection in this process. Shared by threads."""

    def __init__(
        self, *, most: int = MOST_AT_ONCE, place_s: float = PLACE_S, turn_s: float = TURN_S
    ) -> None:
        """`most`: calls at once; the waits in seconds."""
        self._free = threading.BoundedSemaphore(most)
        self._place_s = place_s
        self._turn_s = turn_s
        self._guarding = threading.Lock()
        self._turns: dict[str, _Turn] = {}

    @contextlib.contextmanager
    def one(self, call: str) -> Iterator[None]:
        """A place for a call. Raises Transient if none came free in time; nothing was sent."""
        if not self._free.acquire(timeout=self._place_s):
            raise Transient(
                f"{call} was not sent: other calls to Salesforce took all places for "
                f"{self._place_s:.0f} s. It is tried again."
            )
        try:
            yield
        finally:
            self._free.release()

    @contextlib.contextmanager
    def turn(self, record_id: str) -> Iterator[bool]:
        """Alone below that record in this process; False if the others took too long."""
        with self._guarding:
            turn = self._turns.setdefault(record_id, _Turn())
            turn.wanted += 1
        held = turn.lock.acquire(timeout=self._turn_s)
        try:
            yield held
        finally:
            if held:
                turn.lock.release()
            with self._guarding:
                turn.wanted -= 1
                if not turn.wanted:
                    del self._turns[record_id]
