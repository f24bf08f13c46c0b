"""An order's statuses: those of a fresh hub, and what a site's own must look like. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from inkwire.errors import Conflict, InvalidInput, Permanent
from inkwire.model.order import OrderStatus
from inkwire.orders.drafts import Findings
from inkwire.orders.texts import code_problem, text_problem

MAX_STATUSES = 100
MAX_NAME = 100


def _status(code: str, name: str, *to: str, terminal: bool = False) -> OrderStatus:
    return OrderStatus(code=code, name=name, transitions=to, terminal=terminal)


def in_order(statuses: Sequence[OrderStatus]) -> list[OrderStatus]:
    """The statuses with their places in the list as positions."""
    return [replace(status, position=place) for place, status in enumerate(statuses)]


#: What a hub has until its site sets its own.
DEFAULTS: Sequence[OrderStatus] = tuple(
    in_order(
        [
            _status("new", "New", "request_signature", "cancelled"),
            _status("request_signature", "Request signature", "new", "signed", "cancelled"),
            _status("signed", "Signed", terminal=True),
            _status("declined", "Declined", "request_signature", "cancelled", terminal=True),
            _status("expired", "Expired", "request_signature", "cancelled", terminal=True),
            _status("cancelled", "Cancelled", "new", terminal=True),
        ]
    )
)


def checked(statuses: Sequence[OrderStatus]) -> list[OrderStatus]:
    """The site's statuses by position. Raises InvalidInput naming every wrong member.

    The first is what new orders get, so it must not be terminal.
    """
    found = Findings()
    if not 1 <= len(statuses) <= MAX_STATUSES:
        found.add("items", f"must be 1 to {MAX_STATUSES} statuses; this has {len(statuses)}")
        found.close()
    statuses = sorted(statuses, key=lambda status: status.position)
    codes = [status.code for status in statuses]
    names = [status.name.casefold() for status in statuses]
    for place, status in enumerate(statuses):
        path = f"items.{place}"
        found.add(f"{path}.code", code_problem(status.code))
        found.add(f"{path}.name", text_problem(status.name, MAX_NAME, least=1))
        if status.code in codes[:place]:
            found.add(f"{path}.code", f"is there twice: {status.code}")
        if status.name.casefold() in names[:place]:
            found.add(f"{path}.name", "is there twice; people could not tell them apart")
        unknown = [code for code in status.transitions if code not in codes]
        if unknown:
            found.add(f"{path}.transitions", f"names statuses that there are not: {_list(unknown)}")
        if len(set(status.transitions)) < len(status.transitions):
            found.add(f"{path}.transitions", "names a status twice")
    if statuses[0].terminal:
        found.add("items.0.terminal", "must be false: new orders begin in the first status")
    found.close()
    return in_order(statuses)


def read_statuses(given: Mapping[str, Any]) -> list[OrderStatus]:
    """Statuses out of decoded JSON, `{"items": [{code, name, transitions, terminal}]}`.

    Raises InvalidInput if that is not their shape; `checked` judges the rest.
    """
    try:
        items = msgspec.convert(dict(given), _Sheet).items
    except msgspec.ValidationError as error:
        raise InvalidInput(fields={"items": str(error)}) from None
    return [
        OrderStatus(
            code=one.code,
            name=one.name,
            transitions=tuple(one.transitions),
            terminal=one.terminal,
            position=place,
        )
        for place, one in enumerate(items)
    ]


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    code: str
    name: str
    transitions: list[str] = []
    terminal: bool = False


class _Sheet(msgspec.Struct, forbid_unknown_fields=True):
    items: list[_Row]


def known(statuses: Sequence[OrderStatus], code: str) -> OrderStatus:
    """The status of that code. Raises InvalidInput (`status`) that names those there are."""
    status = find(statuses, code)
    if status is None:
        codes = _list([one.code for one in statuses])
        raise InvalidInput(fields={"status": f"is no status here; there are: {codes}"})
    return status


def reachable(statuses: Sequence[OrderStatus], code: str) -> OrderStatus:
    """As `known`, for an event's target. Raises Permanent: its integration must be mended."""
    status = find(statuses, code)
    if status is None:
        raise Permanent(
            f"There is no status {code} any more; set another one in the integration, or bring "
            "that status back, then retry."
        )
    return status


def find(statuses: Sequence[OrderStatus], code: str) -> OrderStatus | None:
    """The status of that code, or None."""
    return next((status for status in statuses if status.code == code), None)


def name_of(statuses: Sequence[OrderStatus], code: str) -> str:
    """Its name; the code itself if the site has it no more."""
    status = find(statuses, code)
    return code if status is None else status.name


def check_move(statuses: Sequence[OrderStatus], current: str, target: OrderStatus) -> None:
    """Raises Conflict unless a person may move an order from `current` to `target`."""
    here = find(statuses, current)
    if here is None or target.code in here.transitions:
        return
    if target.code == current:
        raise Conflict(f"The order is in the status {target.name} already.", code="same_status")
    ways = _list([name_of(statuses, code) for code in here.transitions])
    raise Conflict(
        f"An order in the status {here.name} cannot go to {target.name}; "
        + (f"from there it can go to: {ways}." if ways else "no other status follows it."),
        code="not_allowed",
    )


def _list(texts: Sequence[str]) -> str:
    return ", ".join(texts)
