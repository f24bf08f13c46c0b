"""The first fence: a run executes a step only while its row says that it is this executor's.

The second one is `Ledger.send`, immediately before an external create.
"""

from collections.abc import Mapping
from threading import Lock
from time import monotonic

from inkwire.model.work import Work
from inkwire.store.acting import Works


class Fence:
    """Which runs are this executor's: one read for all runs that ask within a moment."""

    def __init__(self, works: Works, executor_id: str) -> None:
        """Nothing is read yet."""
        self._works = works
        self._me = executor_id
        self._lock = Lock()
        self._read_at = float("-inf")
        self._rows: Mapping[str, tuple[int, bool]] = {}

    def look(self, work: Work, *, since: float) -> tuple[float, bool] | None:
        """When it was read (of `time.monotonic`), and whether a person asked to cancel.

        `since`: a read that began before does not count. None: the run was not among them; it was
        given out afterwards, or is another's by now. Raises StoreError.
        """
        with self._lock:
            if self._read_at < since:
                read_at = monotonic()
                self._rows = self._works.in_hand(self._me)
                self._read_at = read_at
            number, asked = self._rows.get(work.id, (0, False))
            return (self._read_at, asked) if number == work.run_number else None
