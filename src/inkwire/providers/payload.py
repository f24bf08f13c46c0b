"""Reads JSON bodies strictly, and picks values out of them without trusting their shape. Pure."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from inkwire.errors import Unparsable
from inkwire.model.event import Term, TermKind

#: The last word of a member's name tells what its value is: `order_id`, `orderId`, `email`.
_LAST_WORD = re.compile(r"([A-Z]?[a-z]+|[A-Z]+)$")
#: Longest end of a member's name that is looked at.
_MAX_WORD = 16
_TERM_KINDS = {
    "id": TermKind.ID,
    "guid": TermKind.ID,
    "uuid": TermKind.ID,
    "email": TermKind.EMAIL,
    "name": TermKind.NAME,
    "number": TermKind.NUMBER,
    "phone": TermKind.NUMBER,
}
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])

MAX_TERM = 200
MAX_TERMS = 64
MAX_TYPE = 200


def decode_json(body: bytes) -> Any:
    """The value of a strict JSON text in UTF-8. Raises Unparsable, saying what is wrong."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Unparsable(f"The body is not JSON: {error}.") from None
    except UnicodeDecodeError:
        raise Unparsable("The body is not UTF-8.") from None
    except RecursionError:
        raise Unparsable("The body is nested too deep.") from None
    except (ValueError, OverflowError) as error:
        raise Unparsable(f"The body holds a value that cannot be read: {error}.") from None


def dig(value: Any, *path: str) -> Any:
    """The value at a path of object keys; None where the path ends early."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def text_at(value: Any, *path: str) -> str | None:
    """The non-empty string at a path; None for anything else. Whole numbers become text (ids)."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def objects_at(value: Any, *path: str) -> Iterator[dict[str, Any]]:
    """The objects in the list at a path (or the one object there)."""
    found = dig(value, *path)
    if isinstance(found, dict):
        found = [found]
    if isinstance(found, list):
        yield from (item for item in found if isinstance(item, dict))


def term_kind(member: str) -> TermKind | None:
    """The kind of search term that a member of this name holds, if its name tells: `order_id`."""
    word = _LAST_WORD.search(member[-_MAX_WORD:])
    return _TERM_KINDS.get(word[0].lower()) if word else None


class Terms:
    """Collects search terms: normalised, without repeats, bounded."""

    def __init__(self) -> None:
        """Starts empty."""
        self._terms: dict[Term, None] = {}

    def add(self, kind: TermKind, *values: str | None) -> "Terms":
        """Adds each value that is not empty, folded to lower case and single blanks."""
        for value in values:
            folded = fold(value) if value else ""
            if folded and len(self._terms) < MAX_TERMS:
                self._terms[Term(kind=kind, value=folded)] = None
        return self

    def all(self) -> tuple[Term, ...]:
        """The terms in the order they were added."""
        return tuple(self._terms)


def fold(text: str) -> str:
    """A term as it is stored and searched: lower case, single blanks, at most 200 characters.

    Characters that no store takes as text (lone surrogates, NUL) become `?`.
    """
    clean = text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "?")
    return " ".join(clean.lower().split())[:MAX_TERM].rstrip()


def event_type(provider: str, name: str | None) -> str:
    """`provider.name`, bounded and printable; `provider.unknown` if there is no name."""
    clean = "".join(c if c.isprintable() else "?" for c in fold_name(name)) if name else ""
    return f"{provider}.{clean or 'unknown'}"[:MAX_TYPE]


def entity_key(provider: str, kind: str | None, identity: str | None) -> str | None:
    """`provider:kind:ID`, printable and at most 200 characters; None if a part is missing."""
    if not kind or not identity:
        return None
    key = f"{provider}:{kind}:{identity}"
    if not (key.isascii() and key.isprintable()):
        key = "".join(c if c.isprintable() else "?" for c in fold_name(key))
    return key[:MAX_TYPE]


def members_of(body: bytes) -> dict[str, msgspec.Raw] | None:
    """The members of a JSON object, their values as undecoded bytes; None if it is none."""
    try:
        return _MEMBERS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def with_member(body: bytes, path: tuple[str, ...], text: str) -> bytes:
    """The JSON object `body` with the member at `path` set to `text`, or added.

    Every other value keeps its exact bytes. What cannot be changed so comes back as it is.
    """
    members = members_of(body)
    if members is None:
        return body
    key, rest = path[0], path[1:]
    if rest:
        old = bytes(members.get(key, b""))
        new = with_member(old, rest, text)
        if new == old:
            return body
    else:
        new = msgspec.json.encode(text)
    members[key] = msgspec.Raw(new)
    return msgspec.json.encode(members)


def fold_name(name: str) -> str:
    """A vendor's event name with the characters that no store takes as text replaced."""
    return name.encode("utf-8", "replace").decode("utf-8").strip()
