"""Sets a hub up to have orders signed through the sandbox, as an operator would."""

from typing import Any

from inkwire.access.gate import CLI
from inkwire.cli.demo.vendor import connect, integrate
from inkwire.hub import Hub
from inkwire.model.order import Order
from inkwire.model.work import Integration


def box_sign_orders(hub: Hub, box: dict[str, Any], *, name: str = "box-sign") -> Integration:
    """Connection (JWT, checked), source, template and active integration, as in the demo."""
    assert all(check.ok for check in connect(hub, box, name=name))
    return integrate(hub, name=name)


def an_order(hub: Hub, number: str = "1042", email: str = "jane.doe@example.com") -> Order:
    """An order with a customer and one line."""
    line = {"description": "Room", "quantity": "1", "unit_price": "480.00"}
    draft = {
        "number": number,
        "customer": {"name": "Jane Doe", "email": email},
        "blocks": [{"title": "Meeting room", "lines": [line]}],
    }
    return hub.orders.add(CLI, draft)
