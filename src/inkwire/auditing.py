"""Makes audit entries: who did what, and when."""

from inkwire.clock import Clock
from inkwire.ids import Ids
from inkwire.model.access import AuditEntry, Caller


class Auditor:
    """Stamps entries with an id and the time."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids

    def entry(self, caller: Caller, action: str, target: str, **detail: str) -> AuditEntry:
        """One entry; `detail` never holds a secret."""
        return AuditEntry(
            id=self._ids.new("aud"),
            at=self._clock.now(),
            actor=caller.actor,
            action=action,
            target=target,
            detail=detail,
        )
