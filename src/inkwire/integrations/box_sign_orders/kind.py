"""What the engine knows of the integration: its events, its clock, its workflows."""

from collections.abc import Awaitable, Callable, Mapping

from inkwire.engine.contract import (
    EventHandler,
    OrderWork,
    Outcome,
    Problem,
    Run,
    Services,
    Upkeep,
)
from inkwire.integrations.box_sign_orders.external import read_external
from inkwire.integrations.box_sign_orders.folder import TRIGGERS
from inkwire.integrations.box_sign_orders.outcome import bring_home
from inkwire.integrations.box_sign_orders.request import request_signature
from inkwire.integrations.box_sign_orders.settings import FIELDS, chosen, problems
from inkwire.integrations.box_sign_orders.upkeep import find_orphans, reconcile, set_up
from inkwire.model.event import Event, ParsedEvent
from inkwire.model.order import Order
from inkwire.model.work import Integration
from inkwire.providers.contract import SettingField
from inkwire.providers.payload import text_at


class BoxSignOrders:
    """See `engine.contract.IntegrationKind`."""

    name = "box_sign_orders"
    title = "Box Sign orders"
    summary = "An order that reaches a status is sent for signature, and comes back signed."
    provider = "box"
    second_provider = ""
    settings: tuple[SettingField, ...] = FIELDS
    upkeep = (
        Upkeep(workflow="set_up", every_s=3600),
        Upkeep(workflow="reconcile", every_s=300, inactive_too=True),
        Upkeep(workflow="find_orphans", every_s=3600, inactive_too=True),
    )
    workflows: Mapping[str, Callable[[Run], Awaitable[Outcome]]] = {
        "request_signature": request_signature,
        "bring_home": bring_home,
        "set_up": set_up,
        "reconcile": reconcile,
        "find_orphans": find_orphans,
    }

    #: What people read instead of the workflows' names.
    workflow_titles: Mapping[str, str] = {
        "request_signature": "Send for signature",
        "bring_home": "Take in the outcome",
        "set_up": "Keep folder and webhook right",
        "reconcile": "Read open sign requests again",
        "find_orphans": "Look for lost sign requests",
    }

    @property
    def events(self) -> tuple[EventHandler, ...]:
        """The three triggers of R21; the effect is bound to request and trigger (DESIGN §6)."""
        return (
            EventHandler(
                types=frozenset(f"box.{trigger}" for trigger in TRIGGERS),
                workflow="bring_home",
                key=lambda event, parsed: f"{_sign_request(parsed)}/{_trigger(event)}",
                entity=lambda _, parsed: f"box:sign_request:{_sign_request(parsed)}",
                subject=_subject,
                state_idempotent=True,
            ),
        )

    def problems(self, integration: Integration, services: Services) -> tuple[Problem, ...]:
        """See `settings.problems`."""
        return problems(integration, services)

    def on_order(
        self, integration: Integration, order: Order, *, change_id: str
    ) -> OrderWork | None:
        """The request run, if the order came into the trigger status (R1)."""
        if order.status != chosen(integration).trigger_status:
            return None
        return OrderWork(
            key=change_id,
            workflow="request_signature",
            subject={"order_id": order.id},
            tells=_tells(integration, order),
        )


def _tells(integration: Integration, order: Order) -> str:
    """What moving the order into the trigger status does, for who is about to do it."""
    number = len(chosen(integration).templates)
    if not number:
        return "Sends nothing: no template is chosen in its settings."
    if not order.customer.email:
        return (
            "Cannot send anything: the customer has no e-mail address. Add it to the order first."
        )
    what = "the document" if number == 1 else f"{number} documents"
    return f"Sends {what} to {order.customer.email} for signature, by a mail from Box Sign."


def _subject(integration: Integration, parsed: ParsedEvent) -> Mapping[str, str] | None:
    """The request's id; None if its external id names another integration (R35)."""
    joined = read_external(text_at(parsed.payload, "additional_info", "external_id"))
    if joined is not None and joined.integration_id != integration.id:
        return None
    sign_request = _sign_request(parsed)
    return {"sign_request_id": sign_request} if sign_request else None


def _sign_request(parsed: ParsedEvent) -> str:
    return text_at(parsed.payload, "additional_info", "sign_request_id") or ""


def _trigger(event: Event) -> str:
    return event.type.removeprefix("box.")
