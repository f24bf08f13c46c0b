"""How long Salesforce is looked at before what was sent, and not answered, is sent again. Pure."""

from datetime import datetime, timedelta

from inkwire.model.work import LedgerEntry, LedgerState

#: Seconds from one look in Salesforce to the next, once the connection broke: the last one is 660 s
#: after the first. Salesforce ends a request after ten minutes, so nothing can come after that.
PAUSES_S = (120, 540)
#: States of what was sent, or may have been.
UNDER_WAY = (LedgerState.SENDING, LedgerState.DOUBT)


def due(entry: LedgerEntry) -> datetime:
    """When Salesforce is looked at next; `updated_at` is when it was last."""
    pause = PAUSES_S[min(max(entry.probes, 1), len(PAUSES_S)) - 1]
    return entry.updated_at + timedelta(seconds=pause)
