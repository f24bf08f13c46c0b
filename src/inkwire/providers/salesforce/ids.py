"""Salesforce's record ids: 15 characters whose case matters, or 18 that no case can spoil. Pure.

The last three of 18 say which of the first 15 are capitals, five characters each.
"""

import re

from inkwire.errors import Permanent

_SHAPE = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def has_shape(text: str) -> bool:
    """Whether it is spelled like an id; its last three characters are not checked."""
    return _SHAPE.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """Whether it is an id of 15 characters, or one of 18 whose last three fit the others."""
    return has_shape(text) and (len(text) == 15 or text[15:].upper() == _suffix(text[:15]))


def checked(text: str) -> str:
    """The id as it is; its shape keeps it from being anything else in an address.

    Raises Permanent. Salesforce judges the rest.
    """
    if not has_shape(text):
        raise Permanent(f"{text[:40]!r} is no id of a Salesforce record; check the mapping.")
    return text


def long_id(text: str) -> str:
    """The id with 18 characters, as the API writes it. Raises ValueError for what is none."""
    if not is_id(text):
        raise ValueError(f"{text[:40]!r} is no id of a Salesforce record")
    return text[:15] + _suffix(text[:15])


def same(one: str, other: str) -> bool:
    """Whether both are ids of the same record; False if one of them is none."""
    return is_id(one) and is_id(other) and one[:15] == other[:15]


def prefix(text: str) -> str:
    """First three characters, which tell the object (`006`: Opportunity)."""
    return text[:3]


def _suffix(first: str) -> str:
    """The three characters for the 15."""
    return "".join(
        _SUFFIX[sum(1 << place for place in range(5) if first[start + place].isupper())]
        for start in (0, 5, 10)
    )
