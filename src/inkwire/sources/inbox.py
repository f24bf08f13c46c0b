"""What a person does with what came in: release it from quarantine, dispatch it again."""

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.ids import Ids
from inkwire.model.access import Caller, Scope
from inkwire.model.receipt import Receipt
from inkwire.store.contract import Store


class Inbox:
    """Acts on stored receipts and events, each act with its audit entry."""

    def __init__(self, *, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._audit = Auditor(clock, ids)

    def release(self, caller: Caller, receipt_id: str) -> Receipt:
        """Lets a quarantined receipt in; its events then wait for dispatch.

        Raises Forbidden, NotFound, and Conflict if it is not quarantined.
        """
        caller.require(Scope.EVENTS_WRITE)
        audit = self._audit.entry(caller, "receipt.release", receipt_id)
        return self._store.inbound.release(receipt_id, at=audit.at, audit=audit)

    def dispatch_again(self, caller: Caller, event_id: str) -> None:
        """Puts an event back to waiting for dispatch.

        Raises Forbidden, NotFound, and Conflict if it may not be dispatched (quarantined …).
        """
        caller.require(Scope.EVENTS_WRITE)
        audit = self._audit.entry(caller, "event.dispatch", event_id)
        self._store.dispatch.again(event_id, audit=audit)
