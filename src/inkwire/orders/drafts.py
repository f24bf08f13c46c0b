"""From what somebody sends to an order that fits. Pure: every wrong member gets one sentence.

A draft is decoded JSON. A change is laid over the order as JSON Merge Patch does (RFC 7396):
objects member by member, null empties or removes, lists are replaced.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from typing import Any

from inkwire.errors import InvalidInput
from inkwire.model.order import Order, OrderBlock, OrderLine, Party
from inkwire.orders.amounts import MAX_WHOLE, amount_problem, product
from inkwire.orders.texts import email_problem, text_problem

MAX_NUMBER = 64
MAX_NAME = 200
MAX_ADDRESS = 500
MAX_BLOCKS = 50
#: Of all blocks together.
MAX_LINES = 500
MAX_DESCRIPTION = 500
MAX_FIELDS = 100
MAX_FIELD = 2000
FIELD_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
#: What an order's id begins with; a number must not, for both name an order.
ID_PREFIX = "ord_"

_PARTY = {
    "name": MAX_NAME,
    "email": 254,
    "phone": 50,
    "address": MAX_ADDRESS,
    "city": 100,
    "country": 100,
}
_MEMBERS = ("number", "customer", "company", "currency", "blocks", "fields")


class Findings:
    """Collects what is wrong, by path, and raises it all at once."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def add(self, path: str, problem: str | None) -> None:
        """Notes the problem of the member at `path`, if there is one; at most 20 are told."""
        if problem is not None and len(self._fields) < 20:
            self._fields.setdefault(path, problem)

    def close(self) -> None:
        """Raises InvalidInput if anything was found."""
        if self._fields:
            raise InvalidInput(fields=self._fields)


def laid_over(order: Order, draft: Mapping[str, Any]) -> Order:
    """The order with the draft's members; for a new one, over an order that is empty.

    Raises InvalidInput naming every wrong or unknown member.
    """
    found = Findings()
    _known(draft, _MEMBERS, "", found)
    changed = replace(
        order,
        number=_text(draft, "number", order.number, found),
        currency=_text(draft, "currency", order.currency, found),
        customer=_party(order.customer, draft, "customer", found),
        company=_party(order.company, draft, "company", found),
        blocks=_blocks(order.blocks, draft, found),
        fields=_fields(order.fields, draft, found),
    )
    _check(changed, found)
    found.close()
    return changed


def differences(old: Order, new: Order) -> list[str]:
    """Paths of the members in which the two differ, e.g. `customer.email`, `fields.po`."""
    paths = [name for name in ("number", "currency", "blocks") if _differ(old, new, name)]
    for name in ("customer", "company"):
        before, after = getattr(old, name), getattr(new, name)
        paths += [f"{name}.{key}" for key in _PARTY if _differ(before, after, key)]
    keys = sorted(old.fields.keys() | new.fields.keys())
    return paths + [f"fields.{key}" for key in keys if old.fields.get(key) != new.fields.get(key)]


def _differ(old: object, new: object, name: str) -> bool:
    return bool(getattr(old, name) != getattr(new, name))


def _check(order: Order, found: Findings) -> None:
    found.add("number", text_problem(order.number, MAX_NUMBER, least=1))
    if order.number.startswith(ID_PREFIX):
        found.add("number", f"must not begin with {ID_PREFIX}, as ids of orders do")
    if not _CURRENCY.fullmatch(order.currency):
        found.add("currency", "must be three capital letters as ISO 4217 has them, such as EUR")
    if not (order.customer.name or order.customer.email):
        found.add("customer", "needs a name or an e-mail address: it is who signs")
    if sum(len(block.lines) for block in order.blocks) > MAX_LINES:
        found.add("blocks", f"must have at most {MAX_LINES} lines in all")
    if len(order.fields) > MAX_FIELDS:
        found.add("fields", f"must be at most {MAX_FIELDS}")


def _party(old: Party, draft: Mapping[str, Any], path: str, found: Findings) -> Party:
    given = draft.get(path, {})
    if given is None:
        return Party()
    if not _object(given, tuple(_PARTY), path, found):
        return old
    texts = {}
    for key, value in given.items():
        if key not in _PARTY:
            continue
        text = "" if value is None else _as_text(value, f"{path}.{key}", found)
        found.add(f"{path}.{key}", text_problem(text, _PARTY[key], lines=key == "address"))
        if key == "email":
            found.add(f"{path}.{key}", email_problem(text))
        texts[key] = text
    return replace(old, **texts)


def _fields(old: Mapping[str, str], draft: Mapping[str, Any], found: Findings) -> Mapping[str, str]:
    given = draft.get("fields", {})
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        found.add("fields", "must be an object of keys and texts")
        return old
    new = dict(old)
    for key, value in given.items():
        if not (isinstance(key, str) and FIELD_KEY.fullmatch(key)):
            found.add("fields", "has a key that is none: 1 to 64 letters, digits, `_` or `-`")
        elif value is None:
            new.pop(key, None)
        else:
            text = _as_text(value, f"fields.{key}", found)
            found.add(f"fields.{key}", text_problem(text, MAX_FIELD, lines=True))
            new[key] = text
    return new


def _blocks(
    old: tuple[OrderBlock, ...], draft: Mapping[str, Any], found: Findings
) -> tuple[OrderBlock, ...]:
    given = draft.get("blocks", old)
    if given is None or given is old:
        return given or ()
    items = _list(given, "blocks", MAX_BLOCKS, found)
    return tuple([_block(item, f"blocks.{number}", found) for number, item in enumerate(items)])


def _block(given: Any, path: str, found: Findings) -> OrderBlock:
    if not _object(given, ("title", "lines"), path, found):
        return OrderBlock()
    title = _text(given, "title", "", found, path=path)
    found.add(f"{path}.title", text_problem(title, MAX_NAME))
    items = _list(given.get("lines", ()), f"{path}.lines", MAX_LINES, found)
    lines = [_line(item, f"{path}.lines.{number}", found) for number, item in enumerate(items)]
    return OrderBlock(title=title, lines=tuple(lines))


def _line(given: Any, path: str, found: Findings) -> OrderLine:
    members = tuple([member.name for member in fields_of(OrderLine)])
    if not _object(given, members, path, found):
        return OrderLine(description="")
    description = _text(given, "description", "", found, path=path)
    found.add(
        f"{path}.description", text_problem(description, MAX_DESCRIPTION, least=1, lines=True)
    )
    quantity = _amount(given, "quantity", lambda: "1", path, found)
    unit_price = _amount(given, "unit_price", lambda: "0", path, found)
    amount = _amount(given, "amount", lambda: product(quantity, unit_price), path, found)
    return OrderLine(
        description=description, quantity=quantity, unit_price=unit_price, amount=amount
    )


def _amount(
    given: Mapping[str, Any], key: str, default: Callable[[], str], path: str, found: Findings
) -> str:
    """The amount; `0` for a wrong one, which is noted."""
    value = given.get(key)
    text = default() if value is None else _as_text(value, f"{path}.{key}", found)
    problem = amount_problem(text)
    if problem is None:
        return text
    if value is None:  # quantity times price
        problem = f"is more than {MAX_WHOLE} digits long as quantity times price; give it yourself"
    found.add(f"{path}.{key}", problem)
    return "0"


def _text(
    given: Mapping[str, Any], key: str, default: str, found: Findings, *, path: str = ""
) -> str:
    value = given.get(key)
    return default if value is None else _as_text(value, f"{path}.{key}".lstrip("."), found)


def _as_text(value: Any, path: str, found: Findings) -> str:
    if isinstance(value, str):
        return value
    found.add(path, "must be text (in JSON: within quotes)")
    return ""


def _object(given: Any, members: Sequence[str], path: str, found: Findings) -> bool:
    if not isinstance(given, Mapping):
        found.add(path, f"must be an object with the members {', '.join(members)}")
        return False
    _known(given, members, path, found)
    return True


def _known(given: Mapping[str, Any], members: Sequence[str], path: str, found: Findings) -> None:
    for name in given:
        if name not in members:
            shown = str(name)[:64].encode("utf-8", "replace").decode()
            whole = f"{path}.{shown}".lstrip(".")
            found.add(whole, f"is no member here; there are: {', '.join(members)}")


def _list(given: Any, path: str, most: int, found: Findings) -> Sequence[Any]:
    if not isinstance(given, list | tuple):
        found.add(path, "must be a list")
        return ()
    if len(given) > most:
        found.add(path, f"must be at most {most} items; this has {len(given)}")
        return ()
    return given
