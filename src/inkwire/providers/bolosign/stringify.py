"""`JSON.stringify(JSON.parse(text))` as Node computes it, byte for byte. Pure.

BoloSign signs what its Node server writes (seed 003, C18), and what passes on the body may reformat
it; then only the re-serialised text fits the signature (R115). Python's `json` will not do: it
writes numbers otherwise, keeps keys in their order of arrival and takes texts that Node refuses.

The rules are ECMA-262's (JSON.parse, JSON.stringify, Number::toString, OrdinaryOwnPropertyKeys) and
the tests compare with a real Node. Reading and writing are loops, not recursion, take linear time
and stay inside the bounds below, because anybody can send a body that makes us try.
"""

import json
import re
from collections.abc import Callable, Iterable
from math import isinf
from typing import Any

import msgspec

from inkwire.errors import Unparsable

#: Larger bodies, in bytes, are refused: no known BoloSign body comes near.
MAX_BYTES = 1 << 20
#: So are texts of more tokens (strings, numbers, literals, punctuation): 20 to 60 ms of work.
MAX_TOKENS = 20_000
#: And deeper nesting. Node 24 overflows its stack, and so refuses, at about 4,450, or earlier.
MAX_DEPTH = 4_400

#: JSON's blanks: fewer than what Python strips by default.
_BLANKS = " \t\n\r"
_TOKEN = re.compile(
    r"""
    [ \t\n\r]*+
    (
        "[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*+)*+"
      | -?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+
      | true | false | null
      | .   # punctuation, or what is no JSON: the reader tells them apart
    )
    """,
    re.DOTALL | re.VERBOSE,
)
#: In compact JSON: a name that could be an array index.
_DIGIT_NAME = re.compile(rb'"[0-9]++":')
_LITERALS = frozenset({"true", "false", "null"})
#: Doubles hold every whole number below this, and Node writes it digit by digit.
_EXACT = 10**15
_EXACT_DIGITS = 15
#: Names below this are array indices: they come first, in ascending order.
_INDEX_END = 2**32 - 1

_quote = json.JSONEncoder(ensure_ascii=False).encode

#: A scalar is held as its final text, and so is a name.
Node = str | list["Node"] | dict[str, "Node"]
_State = Callable[[str], "_State"]


def stringify(body: bytes, *, most_bytes: int = MAX_BYTES, most_tokens: int = MAX_TOKENS) -> bytes:
    """What Node's `JSON.stringify(JSON.parse(body))` gives, in UTF-8.

    Raises Unparsable where Node throws, for what is not UTF-8 (Node would read U+FFFD there, and
    so something else than was sent), and beyond the bounds: a caller whose sender is not proven
    yet sets tighter ones.
    """
    return _write(_read(body, most_bytes, most_tokens))


def stringify_elements(body: bytes) -> list[bytes]:
    """The same for each element if `body` is an array, else for `body` itself as the only one."""
    root = _read(body)
    return [_write(node) for node in (root if isinstance(root, list) else [root])]


def stringify_value(value: Any) -> bytes:
    """The same for a JSON value that msgspec decoded; quick if msgspec's text is Node's already.

    Beyond the bounds of this module it is msgspec's text. Raises Unparsable for deeper nesting
    than Python's own stack allows.
    """
    try:
        text = msgspec.json.encode(value)
    except RecursionError:
        raise Unparsable("The body is nested too deep.") from None
    if not _DIGIT_NAME.search(text) and _numbers_alike(value):
        return text
    try:
        return stringify(text)
    except Unparsable:
        return text


def _numbers_alike(value: Any) -> bool:
    """Whether `value` holds no double, and no whole number that a double might round."""
    nodes = [value]
    for node in nodes:  # grows as it goes: everything below `value` passes by
        kind = type(node)
        if kind is str:
            continue
        if kind is dict:
            nodes += node.values()
        elif kind is list:
            nodes += node
        elif kind is float or (kind is int and abs(node) >= _EXACT):
            return False
    return True


def _read(body: bytes, most_bytes: int = MAX_BYTES, most_tokens: int = MAX_TOKENS) -> Node:
    if len(body) > most_bytes:
        raise Unparsable(f"The body is over {most_bytes} bytes: too large to re-serialise.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Unparsable("The body is not UTF-8.") from None
    return _Reader().read(_TOKEN.finditer(text.strip(_BLANKS)), most_tokens)


class _Reader:
    """Builds the tree from tokens; each state takes one and returns the state that follows."""

    def __init__(self) -> None:
        self._root: list[Node] = []
        self._here: list[Node] | dict[str, Node] = self._root
        self._name = ""
        #: The containers around `_here`, and the name that each gives to what is inside.
        self._outer: list[tuple[list[Node] | dict[str, Node], str]] = []

    def read(self, matches: Iterable[re.Match[str]], most_tokens: int) -> Node:
        """The tree of a whole text. Raises Unparsable."""
        state: _State = self._value
        for count, match in enumerate(matches):
            if count >= most_tokens:
                raise Unparsable(
                    f"The body has over {most_tokens} tokens: too many to re-serialise."
                )
            state = state(match[1])
        if self._outer or not self._root:
            raise _not_json()
        return self._root[0]

    def _value(self, token: str) -> _State:
        if token == "{":
            return self._open({}, self._first_name)
        if token == "[":
            return self._open([], self._first_value)
        self._put(_scalar(token))
        return self._after_value

    def _first_value(self, token: str) -> _State:
        return self._close() if token == "]" else self._value(token)

    def _first_name(self, token: str) -> _State:
        return self._close() if token == "}" else self._member_name(token)

    def _member_name(self, token: str) -> _State:
        if token[0] != '"':
            raise _not_json()
        self._name = _scalar(token)
        return self._colon

    def _colon(self, token: str) -> _State:
        if token != ":":
            raise _not_json()
        return self._value

    def _after_value(self, token: str) -> _State:
        if not self._outer:
            raise _not_json()
        in_object = isinstance(self._here, dict)
        if token == ",":
            return self._member_name if in_object else self._value
        if token == ("}" if in_object else "]"):
            return self._close()
        raise _not_json()

    def _put(self, node: Node) -> None:
        if isinstance(self._here, dict):
            # A repeated name keeps its first place and gets the last value, as in JavaScript.
            self._here[self._name] = node
        else:
            self._here.append(node)

    def _open(self, container: list[Node] | dict[str, Node], state: _State) -> _State:
        self._put(container)
        self._outer.append((self._here, self._name))
        if len(self._outer) > MAX_DEPTH:
            raise Unparsable(f"The body is nested over {MAX_DEPTH} deep.")
        self._here = container
        return state

    def _close(self) -> _State:
        self._here, self._name = self._outer.pop()
        return self._after_value


def _not_json() -> Unparsable:
    return Unparsable("The body is not JSON that Node would read.")


def _scalar(token: str) -> str:
    first = token[0]
    if first == '"' and len(token) > 1:
        return _quote(json.loads(token)) if "\\" in token else token
    if token in _LITERALS:
        return token
    if "0" <= first <= "9" or (first == "-" and len(token) > 1):
        return _number(token)
    raise _not_json()


def _number(token: str) -> str:
    """A JSON number as JavaScript writes the double next to it (ECMA-262, Number::toString)."""
    if token.isdigit() and len(token) <= _EXACT_DIGITS:
        return token
    value = float(token)
    if isinf(value):
        return "null"
    if value == 0:
        return "0"
    # Both languages write the shortest digits that give the double back; only the form differs.
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    #: The value is 0.DIGITS times ten to the power of `point`.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return ("-" if value < 0 else "") + _placed(digits.rstrip("0"), point)


def _placed(digits: str, point: int) -> str:
    if len(digits) <= point <= 21:
        return digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"


def _write(root: Node) -> bytes:
    out: list[str] = []
    todo = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, str):
            out.append(node)
            continue
        if isinstance(node, dict):
            out.append("{")
            todo.append("}")
            pieces = [part for name in _names(node) for part in (",", name + ":", node[name])]
        else:
            out.append("[")
            todo.append("]")
            pieces = [part for child in node for part in (",", child)]
        todo.extend(reversed(pieces[1:]))
    # Only a lone surrogate cannot be encoded, and Node writes exactly that as a lower-case escape.
    return "".join(out).encode("utf-8", "backslashreplace")


def _names(members: dict[str, Node]) -> Iterable[str]:
    indices = [name for name in members if _is_index(name)]
    if not indices:
        return members
    indices.sort(key=lambda name: int(name[1:-1]))
    return indices + [name for name in members if not _is_index(name)]


def _is_index(name: str) -> bool:
    """Whether a quoted name is an array index in canonical form: `"0"` to `"4294967294"`."""
    digits = name[1:-1]
    if not (digits.isdigit() and digits.isascii() and len(digits) <= 10):
        return False
    return (digits[0] != "0" or digits == "0") and int(digits) < _INDEX_END
