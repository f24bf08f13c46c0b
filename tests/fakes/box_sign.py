"""Sets a hub up to have orders signed through the sandbox, as an operator would."""

import json
from typing import Any

from inkwire.access.gate import CLI
from inkwire.hub import Hub
from inkwire.integrations.desk import IntegrationDraft
from inkwire.model.order import Order
from inkwire.model.work import Integration, IntegrationState
from inkwire.orders.templates import DEFAULT_NAME, default_source
from inkwire.sources.desk import SourceDraft


def box_sign_orders(hub: Hub, box: dict[str, Any], *, name: str = "box-sign") -> Integration:
    """Connection (JWT, checked), source, template and active integration; `box` as its sandbox is."""
    hub.connections.add(
        CLI,
        connection_id=name,
        provider="box",
        name="Box (sandbox)",
        method="jwt",
        settings={
            "api_url": box["base_url"],
            "upload_url": box["upload_url"],
            "token_url": f"{box['base_url']}/oauth2/token",
        },
        secrets={"config_file": json.dumps(box["console_file"])},
    )
    assert all(check.ok for check in hub.connections.check(name))
    secrets = {"primary": box["primary_key"], "secondary": box["secondary_key"]}
    hub.desk.create(CLI, SourceDraft(id=name, provider="box", name="Box Sign", secrets=secrets))
    template = hub.templates.add(CLI, name=DEFAULT_NAME, source=default_source())
    draft = IntegrationDraft(
        kind="box_sign_orders",
        name="Box Sign orders",
        settings={"templates": template.id, "order_field": "sign_request_id"},
        connection_id=name,
        source_ids=(name,),
    )
    made = hub.integrations.add(CLI, draft).integration
    return hub.integrations.move(CLI, made.id, IntegrationState.ACTIVE).integration


def an_order(hub: Hub, number: str = "1042", email: str = "jane.doe@example.com") -> Order:
    """An order with a customer and one line."""
    line = {"description": "Room", "quantity": "1", "unit_price": "480.00"}
    draft = {
        "number": number,
        "customer": {"name": "Jane Doe", "email": email},
        "blocks": [{"title": "Meeting room", "lines": [line]}],
    }
    return hub.orders.add(CLI, draft)
