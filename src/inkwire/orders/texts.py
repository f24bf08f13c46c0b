"""What texts of orders may hold. Pure.

Names are the world's: emoji, their joiners, marks of right-to-left scripts and slashes are fine.
Refused is what no name holds: control characters, and marks that turn the reading direction of
what follows, with which a document can be made to look like another.
"""

import re
import unicodedata

_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
_EMAIL = re.compile(r"[^@\s<>(),;:\"\\\[\]]{1,64}@[^@\s<>(),;:\"\\\[\]]+\.[^@\s.<>(),;:\"\\\[\]]+")
#: Embeddings, overrides and isolates of the reading direction.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})


def text_problem(text: str, most: int, *, least: int = 0, lines: bool = False) -> str | None:
    """What is wrong with a text of `least` to `most` characters; `lines`: it may have several."""
    if not least <= len(text) <= most:
        return f"must be {least} to {most} characters; this has {len(text)}"
    if text != text.strip():
        return "has a blank or a line break at an end; take it away"
    bad = next((c for c in text if _refused(c) and not (lines and c in "\n\t")), None)
    if bad is None:
        return None
    return f"holds the character U+{ord(bad):04X}, which cannot be printed; take it away"


def code_problem(code: str) -> str | None:
    """What is wrong with a status's code."""
    if _CODE.fullmatch(code):
        return None
    return "must be 1 to 40 letters, digits, `_` or `-`"


def email_problem(email: str) -> str | None:
    """What is wrong with an e-mail address; empty is fine: not known."""
    if not email or (len(email) <= 254 and _EMAIL.fullmatch(email) and email.isprintable()):
        return None
    return "must be one e-mail address such as jane@example.com, at most 254 characters"


def _refused(character: str) -> bool:
    return character in _TURNING or unicodedata.category(character) in _REFUSED
