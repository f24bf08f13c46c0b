"""An answer of Salesforce, read without trust. Pure.

Errors are a JSON array of `{message, errorCode, fields?}`; OAuth's are an object; the identity
service says one word; a proxy says HTML, or nothing. So nothing is assumed of a body.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from inkwire.providers.answers import one_line

#: How the identity service says 401.
_BAD_TOKEN = frozenset({"Bad_OAuth_Token", "Missing_OAuth_Token"})
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One error of an answer."""

    code: str
    message: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back for one request."""

    status: int
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @cached_property
    def value(self) -> Any:
        """The body's JSON; None if it is none."""
        try:
            return json.loads(self.body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """The errors that it tells of; empty for a success and for what cannot be read."""
        if self.status < 300:
            return ()
        value = self.value
        rows = value if isinstance(value, list) else [value]
        found = tuple(_problem(row) for row in rows[:50] if isinstance(row, dict))
        if value is None and _CODE.fullmatch(word := self.body[:80].decode("ascii", "replace")):
            return (Problem(code=word, message=""),)
        return found

    @property
    def code(self) -> str:
        """Code of the first error; "" if it gave none."""
        return next((one.code for one in self.problems if one.code), "")

    @property
    def message(self) -> str:
        """Text of the first error that has one, on one line."""
        return next((one.message for one in self.problems if one.message), "")

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields that the errors name."""
        return tuple(dict.fromkeys(name for one in self.problems for name in one.fields))

    @property
    def request_id(self) -> str:
        """Salesforce's id of the request."""
        given = self.headers.get("x-sfdc-request-id") or self.headers.get("x-request-id") or ""
        return given if _REQUEST_ID.fullmatch(given) else ""

    @property
    def bad_token(self) -> bool:
        """Whether another token may help."""
        return self.status == 401 or (self.status == 403 and self.code in _BAD_TOKEN)


def printable(value: Any) -> str:
    """A text of Salesforce on one line, at most 400 characters, without a stop at the end."""
    return one_line(value, 400)


def _problem(row: Mapping[str, Any]) -> Problem:
    code = next(
        (
            row[key]
            for key in ("errorCode", "statusCode", "error")
            if isinstance(row.get(key), str) and _CODE.fullmatch(row[key])
        ),
        "",
    )
    named = row.get("fields")
    return Problem(
        code=code,
        message=printable(row.get("message")) or printable(row.get("error_description")),
        fields=tuple(
            printable(one)[:80] for one in (named if isinstance(named, list) else [])[:50]
            if isinstance(one, str)
        ),
    )  # fmt: skip


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")
