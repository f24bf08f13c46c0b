"""Work that many ask for and one run does: one row for all who ask within a slot of time."""

from datetime import UTC, datetime

from inkwire.model.event import Origin
from inkwire.model.work import Work


def slot_work(
    integration_id: int,
    workflow: str,
    every_s: int,
    *,
    work_id: str,
    now: datetime,
    origin: Origin = Origin.RECONCILED,
    event_id: str | None = None,
) -> Work:
    """The row of the slot that `now` lies in, due at the slot's end.

    Who asks for it again within the slot finds its key taken; what made them ask was there before
    the row is due. It is the integration's own, like upkeep: such rows run one after the other.
    """
    slot = int(now.timestamp()) // every_s
    return Work(
        id=work_id,
        integration_id=integration_id,
        key=f"{workflow}/at/{slot}",
        workflow=workflow,
        entity_key=f"integration:{integration_id}:{workflow}",
        origin=origin,
        event_id=event_id,
        due_at=datetime.fromtimestamp((slot + 1) * every_s, UTC),
        created_at=now,
    )
