"""Which work an event or an order's change of status makes. No work is made twice: keys are unique.

An integration that is INACTIVE still hears events, because an outcome of what is already under way
must be acted on; new orders do not reach it.
"""

from collections.abc import Callable, Mapping, Sequence

import structlog

from inkwire.clock import Clock
from inkwire.engine.contract import EventHandler, IntegrationKind
from inkwire.engine.slots import slot_work
from inkwire.ids import Ids
from inkwire.model.event import HANDED_ON, Event, EventState, Origin, ParsedEvent
from inkwire.model.order import Order
from inkwire.model.work import Integration, IntegrationState, Work
from inkwire.store.acting import Integrations

log = structlog.get_logger()


class Hearing:
    """The integrations as they were at one moment, and what they make of events."""

    def __init__(
        self,
        kinds: Mapping[str, IntegrationKind],
        integrations: Sequence[Integration],
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._handlers: dict[str, list[tuple[Integration, EventHandler]]] = {}
        for integration in integrations:
            kind = kinds.get(integration.kind)
            for handler in kind.events if kind is not None else ():
                for source_id in integration.source_ids:
                    self._handlers.setdefault(source_id, []).append((integration, handler))

    def work(self, event: Event, parsed: ParsedEvent) -> list[Work]:
        """One row for each handler that hears the event's source and type.

        None for test events, and for probable duplicates unless the handler is idempotent by
        state. Whatever a handler raises, for its own reasons, is raised here.
        """
        if event.test or event.state not in HANDED_ON:
            return []
        sure = event.state is EventState.NEW
        rows = [
            self._row(integration, handler, event, parsed)
            for integration, handler in self._handlers.get(event.source_id, ())
            if event.type in handler.types and (sure or handler.state_idempotent)
        ]
        return [row for row in rows if row is not None]

    def _row(
        self, integration: Integration, handler: EventHandler, event: Event, parsed: ParsedEvent
    ) -> Work | None:
        subject = handler.subject(integration, parsed)
        if subject is None:
            return None
        now = self._clock.now()
        if handler.gather_s:
            return slot_work(
                integration.id,
                handler.workflow,
                handler.gather_s,
                work_id=self._ids.new("wrk"),
                now=now,
                origin=event.origin,
                event_id=event.id,
            )
        return Work(
            id=self._ids.new("wrk"),
            integration_id=integration.id,
            key=handler.key(event, parsed),
            workflow=handler.workflow,
            entity_key=handler.entity(event, parsed),
            origin=event.origin,
            event_id=event.id,
            subject=subject,
            due_at=now,
            created_at=now,
        )


def order_plans(
    integrations: Integrations, kinds: Mapping[str, IntegrationKind], clock: Clock, ids: Ids
) -> Callable[[Order, str], list[Work]]:
    """What an order's arrival in its status asks of integrations: (order, change's id) → work.

    Of every ACTIVE or PAUSED one; the work of a PAUSED one waits. A kind that fails is logged and
    makes no work, so that its defect does not keep people from changing orders.
    """

    def plans(order: Order, change_id: str) -> list[Work]:
        now = clock.now()
        made: list[Work] = []
        for integration in integrations.all() if kinds else ():
            kind = kinds.get(integration.kind)
            if kind is None or integration.state is IntegrationState.INACTIVE:
                continue
            try:
                asked = kind.on_order(integration, order, change_id=change_id)
            except Exception:
                log.exception("plans.failed", integration=integration.label, order_id=order.id)
                continue
            if asked is None:
                continue
            made.append(
                Work(
                    id=ids.new("wrk"),
                    integration_id=integration.id,
                    key=asked.key,
                    workflow=asked.workflow,
                    entity_key=f"order:{order.id}",
                    origin=Origin.WEBHOOK,
                    subject=asked.subject,
                    due_at=now,
                    created_at=now,
                )
            )
        return made

    return plans
