"""Standard objects that have Files, by their ids; and ids as people type them. Pure."""

from collections.abc import Mapping

from inkwire.providers.salesforce.ids import is_id, long_id, prefix

#: First three characters of ids, and the object that they belong to.
PREFIXES: Mapping[str, str] = {
    "001": "Account",
    "003": "Contact",
    "00Q": "Lead",
    "006": "Opportunity",
    "500": "Case",
    "701": "Campaign",
    "800": "Contract",
    "801": "Order",
    "0Q0": "Quote",
}


def whole_id(text: str) -> str | None:
    """The id with 18 characters; None if `text` is no id of a record."""
    return long_id(text) if is_id(text) else None


def object_of(record_id: str) -> str | None:
    """The standard object that an id belongs to; None for others, e.g. an organisation's own."""
    return PREFIXES.get(prefix(record_id))
