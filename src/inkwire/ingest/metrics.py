"""Counters of the ingest, as plain numbers; `app.py` shows them to Prometheus."""

from collections import Counter
from dataclasses import dataclass, field, fields

from inkwire.model.verdict import Reason

#: Upper bounds of the batch size histogram, in rows; the last one is the largest batch.
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


@dataclass(kw_only=True, slots=True)
class Metrics:
    """Counts since the process started. Written by the event loop's thread only."""

    #: Requests answered with the provider's 2xx.
    accepted: int = 0
    #: Events among them that were known already, probable duplicates included.
    duplicates: int = 0
    #: Requests signed right but too late: kept apart, answered 401.
    quarantined: int = 0
    #: Such requests that were not kept: held already, or the source's quarantine is full.
    quarantine_dropped: int = 0
    #: Senders that went away before their body was complete.
    disconnected: int = 0
    #: Requests not accepted, by reason.
    refused: Counter[Reason] = field(default_factory=Counter)
    #: Faults of our own that a provider's code let escape; each is in the log.
    faults: int = 0
    #: Rejected-log rows given up because the queue or the store was full.
    rejections_dropped: int = 0
    #: Transactions, the rows in them, and the seconds they took.
    commits: int = 0
    committed: int = 0
    commit_seconds: float = 0.0
    #: Rows that a commit did not take.
    failed: int = 0
    #: Number of batches up to each bound of `BATCH_BOUNDS` (not cumulative).
    batch_sizes: Counter[int] = field(default_factory=Counter)

    def batch(self, rows: int, *, seconds: float) -> None:
        """Counts one transaction of `rows` rows that took `seconds`."""
        self.commits += 1
        self.commit_seconds += seconds
        bound = next((size for size in BATCH_BOUNDS if rows <= size), BATCH_BOUNDS[-1])
        self.batch_sizes[bound] += 1

    def add(self, other: "Metrics") -> None:
        """Counts what `other` has counted too; that may go on counting meanwhile."""
        for one in fields(self):
            mine, more = getattr(self, one.name), getattr(other, one.name)
            if isinstance(mine, Counter):
                mine.update(dict(more))  # a copy made in one go
            else:
                setattr(self, one.name, mine + more)
