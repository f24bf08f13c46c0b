"""Salesforce's record ids: 15 characters that mind case, and 18 that do not."""

import re

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")
#: Instance of the made-up organisation, and the reserved character behind it.
_INSTANCE = "Sb0"


def make(prefix: str, number: int) -> str:
    """The id of the n-th record of an object, 18 characters."""
    digits = ""
    while number:
        number, last = divmod(number, 62)
        digits = _DIGITS[last] + digits
    return full(f"{prefix}{_INSTANCE}{digits.rjust(9, '0')}")


def full(short: str) -> str:
    """18 characters for 15: three that tell which of the others are capitals."""
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << at for at, one in enumerate(short[start : start + 5]) if one.isupper())
        suffix += _SUFFIX[bits]
    return short + suffix


def read(text: object) -> str | None:
    """The 18 characters of an id in either form; None if it is none."""
    if not isinstance(text, str) or not text.isascii() or not _SHAPE.fullmatch(text):
        return None
    whole = full(text[:15])
    if len(text) == 15 or text[15:].upper() == whole[15:]:
        return whole
    return None
