"""Amounts: decimal text, computed exactly. Pure."""

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal

from inkwire.model.order import Order, OrderBlock

#: Of the digits before and behind the point; two such numbers multiply exactly in 50 digits.
MAX_WHOLE, MAX_PLACES = 12, 6
_AMOUNT = re.compile(rf"-?\d{{1,{MAX_WHOLE}}}(\.\d{{1,{MAX_PLACES}}})?", re.ASCII)
_EXACT = Context(prec=50)


def amount_problem(text: str) -> str | None:
    """What is wrong with an amount."""
    if _AMOUNT.fullmatch(text):
        return None
    return (
        f"must be a decimal number as text, with a point and at most {MAX_WHOLE} digits before "
        f"and {MAX_PLACES} behind it, such as 12.50"
    )


def product(quantity: str, unit_price: str) -> str:
    """Quantity times price, rounded half up to the places of the price, but at least to two.

    A whole result of whole numbers stays whole. Both must be amounts.
    """
    exact = _EXACT.multiply(Decimal(quantity), Decimal(unit_price))
    places = max(_places(unit_price), 2 if exact % 1 else 0)
    return f"{exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _EXACT):f}"


def total(amounts: Iterable[str]) -> str:
    """The sum, with as many places as the amount that has most."""
    amounts = list(amounts)
    result = Decimal(0)
    for amount in amounts:
        result = _EXACT.add(result, Decimal(amount))
    places = max((_places(amount) for amount in amounts), default=0)
    return f"{result:.{places}f}"


def block_total(block: OrderBlock) -> str:
    """The sum of a block's lines."""
    return total(line.amount for line in block.lines)


def order_total(order: Order) -> str:
    """The sum of all lines."""
    return total(line.amount for block in order.blocks for line in block.lines)


def _places(amount: str) -> int:
    return len(amount.partition(".")[2])
