"""Jobs: long background tasks in batches, advanced by the worker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class JobKind(StrEnum):
    """What a job does."""

    #: Sends every given-up delivery of a webhook since a time again.
    RECOVER = "recover"
    #: Sends a webhook what it never got: messages of its topic since a time.
    REPLAY_MISSING = "replay_missing"


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One background task."""

    id: str
    kind: JobKind
    application_id: str
    webhook_id: int
    #: `since`, `until`: RFC 3339.
    query: Mapping[str, str] = field(default_factory=dict)
    #: The last id that was looked at.
    cursor: str = ""
    #: Deliveries made.
    done: int = 0
    #: Expected at the start.
    total: int = 0
    state: JobState = JobState.RUNNING
    #: A sentence for a person if it failed.
    error: str | None = None
    created_at: datetime
    created_by: str
    updated_at: datetime
