"""Reads SOQL: the part of it that integrations use, into a tree. Pure.

    SELECT fields | COUNT() FROM Object [WHERE …] [ORDER BY …] [LIMIT n] [OFFSET n]

Conditions: = != <> < <= > >= LIKE IN NOT IN, AND OR NOT and brackets; values: texts with
backslash escapes, numbers, true, false, null, dates, moments, TODAY and LAST_N_DAYS:n.
"""

import re
from dataclasses import dataclass
from typing import Any

from inkwire.providers.salesforce.sandbox.answers import SalesforceError

LONGEST = 100_000
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<number>[+-]?\d+(?:\.\d+)?)
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<word>[A-Za-z_][A-Za-z0-9_.:]*)
    | (?P<sign><=|>=|!=|<>|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
#: What stands for an escaped sign of LIKE until the pattern is made: of Unicode's private use.
PERCENT, UNDERSCORE = "\ue025", "\ue05f"
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"} | {
    "%": PERCENT,
    "_": UNDERSCORE,
}
_DEEPEST = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """A literal: `kind` is text, number, boolean, null, date, moment or word (TODAY)."""

    kind: str
    value: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Compare:
    """One comparison; `values` has several for IN."""

    path: str
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Both:
    """All of the parts (`and`), or one of them (`or`)."""

    word: str
    parts: tuple["Condition", ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Not:
    """The contrary."""

    part: "Condition"


Condition = Compare | Both | Not


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One field that rows are ordered by."""

    path: str
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A query as it was read."""

    text: str
    #: Paths; empty for COUNT().
    fields: tuple[str, ...]
    object: str
    where: Condition | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0

    @property
    def counts(self) -> bool:
        """Whether it is SELECT COUNT()."""
        return not self.fields


def malformed(message: str) -> SalesforceError:
    """400 for a query that cannot be read."""
    return SalesforceError("MALFORMED_QUERY", message, None)


def read(text: str) -> Query:
    """The query. Raises SalesforceError MALFORMED_QUERY."""
    if len(text) > LONGEST:
        raise SalesforceError(
            "QUERY_TOO_COMPLICATED",
            f"SOQL statements cannot be longer than {LONGEST} characters.",
            None,
        )
    return _Reader(text).query()


def condition(text: str) -> Condition:
    """A condition alone. Raises SalesforceError MALFORMED_QUERY."""
    reader = _Reader(text)
    found = reader.either(0)
    reader.end()
    return found


class _Reader:
    """Takes a text token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    def query(self) -> Query:
        self._word("SELECT")
        fields = self._fields()
        self._word("FROM")
        name = self._name()
        where = self.either(0) if self._is("WHERE") else None
        order: list[Order] = []
        if self._is("ORDER"):
            self._word("BY")
            order.append(self._order())
            while self._sign(","):
                order.append(self._order())
        limit = self._whole() if self._is("LIMIT") else None
        offset = self._whole() if self._is("OFFSET") else 0
        self.end()
        return Query(
            text=self._text,
            fields=fields,
            object=name,
            where=where,
            order=tuple(order),
            limit=limit,
            offset=offset,
        )

    def end(self) -> None:
        """Raises SalesforceError if something is left."""
        if self._at < len(self._tokens):
            raise self._unexpected()

    def either(self, depth: int) -> Condition:
        """`a OR b`; AND and OR do not mix without brackets."""
        if depth > _DEEPEST:
            raise malformed("The WHERE clause is nested too deep")
        first = self._one(depth)
        for word in ("AND", "OR"):
            if self._next_is(word):
                parts = [first]
                while self._is(word):
                    parts.append(self._one(depth))
                return Both(word=word.lower(), parts=tuple(parts))
        return first

    def _one(self, depth: int) -> Condition:
        if self._is("NOT"):
            return Not(part=self._one(depth + 1))
        if self._sign("("):
            found = self.either(depth + 1)
            if not self._sign(")"):
                raise self._unexpected("expecting a right parentheses")
            return found
        return self._compare()

    def _compare(self) -> Compare:
        path = self._name()
        kind, text = self._take()
        if kind == "sign" and text in ("=", "!=", "<>", "<", "<=", ">", ">="):
            operator = "!=" if text == "<>" else text
            return Compare(path=path, operator=operator, values=(self._value(),))
        word = text.upper() if kind == "word" else ""
        if word == "LIKE":
            return Compare(path=path, operator="like", values=(self._value(),))
        if word == "NOT" and self._is("IN"):
            return Compare(path=path, operator="not in", values=self._list())
        if word == "IN":
            return Compare(path=path, operator="in", values=self._list())
        self._at -= 1
        raise self._unexpected()

    def _list(self) -> tuple[Value, ...]:
        if not self._sign("("):
            raise self._unexpected()
        found = [self._value()]
        while self._sign(","):
            found.append(self._value())
        if not self._sign(")"):
            raise self._unexpected()
        return tuple(found)

    def _value(self) -> Value:
        kind, text = self._take()
        if kind == "text":
            return Value(kind="text", value=_ESCAPED.sub(_unescaped, text[1:-1]))
        if kind == "number":
            return Value(kind="number", value=float(text))
        if kind in ("date", "moment"):
            return Value(kind=kind, value=text)
        if kind == "word":
            word = text.upper()
            if word == "NULL":
                return Value(kind="null")
            if word in ("TRUE", "FALSE"):
                return Value(kind="boolean", value=word == "TRUE")
            if word == "TODAY" or word.startswith("LAST_N_DAYS:"):
                return Value(kind="word", value=word)
        self._at -= 1
        raise self._unexpected()

    def _fields(self) -> tuple[str, ...]:
        if self._next_is("COUNT"):
            self._at += 1
            if not (self._sign("(") and self._sign(")")):
                raise self._unexpected()
            return ()
        fields = [self._name()]
        while self._sign(","):
            fields.append(self._name())
        return tuple(fields)

    def _order(self) -> Order:
        path = self._name()
        descending = self._is("DESC")
        if not descending:
            self._is("ASC")
        nulls_last = False
        if self._is("NULLS"):
            nulls_last = self._is("LAST")
            if not nulls_last:
                self._word("FIRST")
        return Order(path=path, descending=descending, nulls_last=nulls_last)

    def _name(self) -> str:
        kind, text = self._take()
        if kind != "word" or ":" in text or text.upper() in ("FROM", "WHERE", "AND", "OR", "IN"):
            self._at -= 1
            raise self._unexpected()
        return text

    def _whole(self) -> int:
        kind, text = self._take()
        if kind != "number" or not text.isdigit():
            self._at -= 1
            raise self._unexpected()
        return int(text)

    def _take(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise malformed("unexpected token: '<EOF>'")
        self._at += 1
        return self._tokens[self._at - 1]

    def _next_is(self, word: str) -> bool:
        if self._at >= len(self._tokens):
            return False
        kind, text = self._tokens[self._at]
        return kind == "word" and text.upper() == word

    def _is(self, word: str) -> bool:
        found = self._next_is(word)
        self._at += found
        return found

    def _word(self, word: str) -> None:
        if not self._is(word):
            raise self._unexpected(f"expecting {word}")

    def _sign(self, sign: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] == ("sign", sign)
        self._at += found
        return found

    def _unexpected(self, more: str = "") -> SalesforceError:
        at = self._at
        token = self._tokens[at][1] if at < len(self._tokens) else "<EOF>"
        return malformed(f"unexpected token: '{token}'" + (f", {more}" if more else ""))


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            line = text.count("\n", 0, at) + 1
            raise malformed(f"line {line}:{at} no viable alternative at character '{text[at]}'")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


def _unescaped(match: "re.Match[str]") -> str:
    text = match[1]
    if text.startswith("u") and len(text) == 5:
        return chr(int(text[1:], 16))
    return _ESCAPES.get(text, text)
