"""An order as a template sees it. Pure."""

from collections.abc import Mapping
from typing import Any

from inkwire.model.order import Order, OrderBlock, Party
from inkwire.orders.amounts import block_total, order_total


def template_data(order: Order) -> Mapping[str, Any]:
    """What `json(bytes(sys.inputs.order))` holds: texts, lists and objects; amounts are text.

    What changes by itself (version, time of the last change) is left out, so that the same order
    gives the same PDF. A customer's text cannot smuggle in a field of Box Sign: `[[` becomes `[ [`.
    """
    return {
        key: _harmless(value)
        for key, value in {
            "id": order.id,
            "number": order.number,
            "status": order.status,
            "date": order.status_at.date().isoformat(),
            "created": order.created_at.date().isoformat(),
            "customer": _party(order.customer),
            "company": _party(order.company),
            "currency": order.currency,
            "blocks": [_block(block) for block in order.blocks],
            "total": order_total(order),
            "fields": dict(order.fields),
        }.items()
    }


def _party(party: Party) -> dict[str, str]:
    return {
        "name": party.name,
        "email": party.email,
        "phone": party.phone,
        "address": party.address,
        "city": party.city,
        "country": party.country,
    }


def _block(block: OrderBlock) -> dict[str, Any]:
    lines = [
        {
            "description": line.description,
            "quantity": line.quantity,
            "unit_price": line.unit_price,
            "amount": line.amount,
        }
        for line in block.lines
    ]
    return {"title": block.title, "lines": lines, "total": block_total(block)}


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        while "[[" in value:
            value = value.replace("[[", "[ [")
        return value
    if isinstance(value, list):
        return [_harmless(item) for item in value]
    return {key: _harmless(item) for key, item in value.items()}
