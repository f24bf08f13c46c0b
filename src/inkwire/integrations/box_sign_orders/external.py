"""The external id that joins a sign request to its order (R10, R11). Pure."""

import re
from dataclasses import dataclass

_EXTERNAL = re.compile(r"ord_([A-Za-z0-9-]{1,64}):int_([0-9]{1,18})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined:
    """What an external id names."""

    order_id: str
    integration_id: int


def external_id(order_id: str, integration_id: int) -> str:
    """`ord_{order}:int_{integration}`; our order ids begin with `ord_` themselves."""
    return f"{order_id}:int_{integration_id}"


def read_external(text: str | None) -> Joined | None:
    """What the id names; None for anything but exactly this form."""
    found = _EXTERNAL.fullmatch(text or "")
    if found is None:
        return None
    return Joined(order_id=f"ord_{found[1]}", integration_id=int(found[2]))
