"""The desk of orders: made, changed, moved from status to status, told about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.delivery.catalogue import Catalogue
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.ids import Ids
from inkwire.model.access import Caller, Scope
from inkwire.model.document import EvidenceItem, SignState
from inkwire.model.message import Message, MessageOrigin
from inkwire.model.order import LineKind, Order, OrderStatus, Party, TimelineLine
from inkwire.model.work import Work
from inkwire.orders import statuses as status_rules
from inkwire.orders.drafts import ID_PREFIX, differences, laid_over
from inkwire.store.contract import MAX_PAGE, Store
from inkwire.store.ordering import OrderChange, OrderQuery
from inkwire.store.sending import NewMessage

CREATED, STATUS_CHANGED = "order.created", "order.status_changed"
#: What an order's arrival in its status asks of integrations: (order, id of the change) → work.
#: The hub hands it in, because integrations stand above orders.
Plans = Callable[[Order, str], Sequence[Work]]


def no_plans(_order: Order, _change_id: str) -> Sequence[Work]:
    """Nobody acts on orders."""
    return ()


class OrderDesk:
    """Orders as people, the API and workflows see and change them."""

    def __init__(
        self,
        *,
        store: Store,
        catalogue: Catalogue,
        clock: Clock,
        ids: Ids,
        plans: Plans = no_plans,
    ) -> None:
        """`catalogue`: topics, and who hears them; `plans`: what integrations do of a status."""
        self._store = store
        self._catalogue = catalogue
        self._clock = clock
        self._ids = ids
        self._plans = plans
        self._audit = Auditor(clock, ids)

    # --- people and the API: `orders:read`, `orders:write`

    def page(self, caller: Caller, query: OrderQuery) -> list[Order]:
        """Orders, newest first."""
        caller.require(Scope.ORDERS_READ)
        return self._store.orders.page(replace(query, limit=max(1, min(query.limit, MAX_PAGE))))

    def get(self, caller: Caller, order_id: str) -> Order:
        """One order by its id, or by its number. Raises NotFound."""
        caller.require(Scope.ORDERS_READ)
        return self._get(order_id)

    def timeline(
        self, caller: Caller, order_id: str, *, before: str | None = None, limit: int = 50
    ) -> list[TimelineLine]:
        """What happened to an order, newest first. Raises NotFound."""
        caller.require(Scope.ORDERS_READ)
        order = self._get(order_id)
        limit = max(1, min(limit, MAX_PAGE))
        return self._store.orders.timeline(order.id, before=before, limit=limit)

    def add(self, caller: Caller, draft: Mapping[str, Any]) -> Order:
        """Checks and keeps a new order: topic `order.created`. Raises InvalidInput, Conflict.

        `status` may be any of the site's, the first if it is left out; what integrations do of
        that status is begun.
        """
        caller.require(Scope.ORDERS_WRITE)
        known = self.statuses()
        given = dict(draft)
        code = given.pop("status", None)
        if not isinstance(code, str | None):
            raise InvalidInput(fields={"status": "must be a status's code, as text"})
        status = status_rules.known(known, known[0].code if code is None else code)
        now = self._clock.now()
        empty = Order(
            id=self._ids.new("ord"),
            number="",
            status=status.code,
            customer=Party(),
            created_at=now,
            updated_at=now,
            status_at=now,
        )
        order = laid_over(empty, given)
        self._free(order.number)
        text = f"Taken in as order {order.number} with the status {status.name}."
        line = self._line(order.id, LineKind.CREATED, text, actor=caller.actor)
        change = OrderChange(
            order_id=order.id,
            lines=(line,),
            evidence=(self._proof(line, order),),
            messages=self.messages(CREATED, _told(order)),
            work=tuple(self._plans(order, line.id)),
            audit=self._audit.entry(caller, "order.create", order.id, number=order.number),
        )
        self._store.orders.add(order, change)
        return order

    def change(self, caller: Caller, order_id: str, draft: Mapping[str, Any]) -> Order:
        """Replaces the given members (not `status`). Raises InvalidInput, NotFound, Conflict.

        Objects are changed member by member, see `orders.drafts`. With `version` it is a Conflict
        (code `order_changed`) if the order has another one by now.
        """
        caller.require(Scope.ORDERS_WRITE)
        old = self._get(order_id)
        given = dict(draft)
        _same_version(old, given.pop("version", None))
        if "status" in given:
            raise InvalidInput(
                fields={"status": "is not changed here; move the order instead (POST …/status)"}
            )
        new = laid_over(old, given)
        changed = differences(old, new)
        if not changed:
            return old
        if new.number != old.number:
            self._free(new.number)
        new = replace(new, version=old.version + 1, updated_at=self._clock.now())
        names = ", ".join(changed)
        line = self._line(old.id, LineKind.EDITED, f"Changed: {names}.", actor=caller.actor)
        self._apply(
            OrderChange(
                order_id=old.id,
                order=new,
                lines=(line,),
                evidence=(self._proof(line, new),),
                audit=self._audit.entry(caller, "order.update", old.id, changed=names),
            )
        )
        return new

    def move(self, caller: Caller, order_id: str, status: str) -> Order:
        """Changes the status by a person: must be an allowed transition; makes the work of it.

        Raises InvalidInput for an unknown status, Conflict for one that is not allowed.
        """
        caller.require(Scope.ORDERS_WRITE)
        order, known = self._get(order_id), self.statuses()
        target = status_rules.known(known, status)
        status_rules.check_move(known, order.status, target)
        change = self._move(order, target, known, actor=caller.actor, refs={})
        audit = self._audit.entry(
            caller, "order.move", order.id, before=order.status, after=target.code
        )
        self._apply(replace(change, audit=audit))
        return change.order or order

    def delete(self, caller: Caller, order_id: str) -> None:
        """Marks it deleted; its documents and evidence stay. Open sign requests are noted."""
        caller.require(Scope.ORDERS_WRITE)
        order, now = self._get(order_id), self._clock.now()
        gone = replace(order, version=order.version + 1, updated_at=now, deleted_at=now)
        line = self._line(order.id, LineKind.EDITED, "Deleted.", actor=caller.actor)
        waiting = [
            self._line(
                order.id,
                LineKind.ATTENTION,
                f"The sign request {request.id} is still open: cancel it at the vendor if nobody "
                "is to sign it.",
                actor=caller.actor,
                refs={"sign_request": request.id},
            )
            for request in self._store.sign_requests.of_order(order.id)
            if request.state is SignState.OPEN
        ]
        self._apply(
            OrderChange(
                order_id=order.id,
                order=gone,
                lines=(line, *waiting),
                evidence=(self._proof(line, gone),),
                audit=self._audit.entry(caller, "order.delete", order.id, number=order.number),
            )
        )

    def statuses(self) -> list[OrderStatus]:
        """The site's statuses, by position; those of a fresh hub until it has set its own."""
        return self._store.orders.statuses() or list(status_rules.DEFAULTS)

    def set_statuses(self, caller: Caller, statuses: Sequence[OrderStatus]) -> list[OrderStatus]:
        """Replaces all. Needs `integrations:write`. Raises InvalidInput, and Conflict.

        Conflict: orders stand in a status that would be gone, or an integration names it.
        """
        caller.require(Scope.INTEGRATIONS_WRITE)
        new = status_rules.checked(statuses)
        codes = [status.code for status in new]
        before = [status.code for status in self.statuses()]
        self._refuse_named({code for code in before if code not in codes})
        audit = self._audit.entry(caller, "statuses.set", "statuses", codes=", ".join(codes))
        self._store.orders.set_statuses(new, audit=audit)
        return new

    # --- workflows

    def read(self, order_id: str) -> Order | None:
        """The order; None if it is deleted or was never there."""
        try:
            order = self._store.orders.get(order_id)
        except NotFound:
            return None
        return None if order.deleted_at else order

    def line(
        self, order_id: str, kind: LineKind, text: str, *, refs: Mapping[str, str] | None = None
    ) -> TimelineLine:
        """A line of the timeline by `inkwire`, for an OrderChange."""
        return self._line(order_id, kind, text, actor="inkwire", refs=refs)

    def moved(
        self, order: Order, status: str, *, by: str, refs: Mapping[str, str]
    ) -> OrderChange | None:
        """The change that brings an order into a status by an event.

        With line, evidence, message `order.status_changed` and what the status asks of
        integrations. None if it is there already, or stands in a terminal status, which no event
        leaves (R31). `by`: the actor, e.g. `int_7`, which the message names. Raises Permanent if
        the site has no such status any more.
        """
        known = self.statuses()
        here = status_rules.find(known, order.status)
        if order.status == status or (here is not None and here.terminal):
            return None
        return self._move(order, status_rules.reachable(known, status), known, actor=by, refs=refs)

    def messages(
        self, topic: str, data: Mapping[str, Any], *, document_ids: Sequence[str] = ()
    ) -> tuple[NewMessage, ...]:
        """`{type, timestamp, data}` for every application that hears the topic.

        Raises InvalidInput if the data does not fit the topic's schema: a defect of the caller.
        """
        now = self._clock.now()
        body = msgspec.json.encode({"type": topic, "timestamp": now.isoformat(), "data": data})
        self._catalogue.check_payload(topic, body)
        return tuple(
            [
                NewMessage(
                    message=Message(
                        id=self._ids.new("msg"),
                        application_id=application_id,
                        topic=topic,
                        origin=MessageOrigin.PUBLISHED,
                        document_ids=tuple(document_ids),
                        created_at=now,
                        body_size=len(body),
                    ),
                    body=body,
                )
                for application_id in self._catalogue.hearing(topic)
            ]
        )

    def apply(self, change: OrderChange) -> bool:
        """See `Orders.apply`."""
        return self._store.orders.apply(change)

    # --- inside

    def _get(self, given: str) -> Order:
        """By id or number; a deleted one is not found."""
        orders = self._store.orders
        order = orders.get(given) if given.startswith(ID_PREFIX) else orders.by_number(given)
        if order is None or order.deleted_at:
            raise NotFound(f"There is no order {given}; `number` and `id` both name one.")
        return order

    def _free(self, number: str) -> None:
        if self._store.orders.by_number(number) is not None:
            raise Conflict(
                f"There is an order of the number {number} already.", code="order_number_taken"
            )

    def _apply(self, change: OrderChange) -> None:
        self._store.orders.apply(change)

    def _line(
        self,
        order_id: str,
        kind: LineKind,
        text: str,
        *,
        actor: str,
        refs: Mapping[str, str] | None = None,
    ) -> TimelineLine:
        return TimelineLine(
            id=self._ids.new("tml"),
            order_id=order_id,
            at=self._clock.now(),
            kind=kind,
            text=text,
            actor=actor,
            refs=dict(refs or {}),
        )

    def _move(
        self,
        order: Order,
        target: OrderStatus,
        known: Sequence[OrderStatus],
        *,
        actor: str,
        refs: Mapping[str, str],
    ) -> OrderChange:
        now = self._clock.now()
        new = replace(
            order, status=target.code, version=order.version + 1, updated_at=now, status_at=now
        )
        text = f"{status_rules.name_of(known, order.status)} → {target.name}."
        moved = {**refs, "from": order.status, "to": target.code}
        line = self._line(order.id, LineKind.STATUS, text, actor=actor, refs=moved)
        data = {
            **_told(new),
            "previous_status": order.status,
            "integration": actor if actor.startswith("int_") else None,
            "sign_request_id": refs.get("sign_request"),
        }
        return OrderChange(
            order_id=order.id,
            order=new,
            lines=(line,),
            evidence=(self._proof(line, new, kind="status"),),
            messages=self.messages(STATUS_CHANGED, data),
            work=tuple(self._plans(new, line.id)),
        )

    def _proof(self, line: TimelineLine, order: Order, *, kind: str = "note") -> EvidenceItem:
        """The link of the evidence that says what a line says."""
        facts = {"actor": line.actor, "line": line.id, "order_version": str(order.version)}
        return EvidenceItem(
            kind=kind,
            text=line.text,
            at=line.at,
            facts={**line.refs, **facts, "number": order.number, "status": order.status},
        )

    def _refuse_named(self, gone: set[str]) -> None:
        """Raises Conflict if an integration's setting `…_status` names one of these codes."""
        for integration in self._store.integrations.all():
            for key, value in integration.settings.items():
                if key.endswith("_status") and value in gone:
                    raise Conflict(
                        f"The integration {integration.label} ({integration.name}) uses the "
                        f"status {value} as {key}; set another one there first.",
                        code="status_used",
                    )


def _told(order: Order) -> dict[str, str | None]:
    """What messages tell of an order: ids and the status, nothing personal."""
    return {"order_id": order.id, "number": order.number, "status": order.status}


def _same_version(order: Order, version: object) -> None:
    if version is None:
        return
    if not isinstance(version, int) or isinstance(version, bool):
        raise InvalidInput(fields={"version": "must be a whole number"})
    if version != order.version:
        raise Conflict(
            f"The order is at version {order.version} by now, not {version}; read it again.",
            code="order_changed",
        )
