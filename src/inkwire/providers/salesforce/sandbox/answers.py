"""Salesforce's answers: errors in its shape, JSON, moments as it writes them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from inkwire.moments import as_utc
from inkwire.providers.sandboxing import Doc

#: Codes whose status is not 400.
_STATUS = {"ENTITY_IS_DELETED": 404, "NOT_FOUND": 404}


class SalesforceError(Exception):
    """A refusal in Salesforce's words."""

    def __init__(
        self,
        code: str,
        message: str,
        fields: Sequence[str] | None = (),
        *,
        status: int | None = None,
    ) -> None:
        """`fields` None: the error is of the request, not of a record, and names none."""
        super().__init__(f"{code}: {message}")
        self.status = status if status is not None else _STATUS.get(code, 400)
        self.code = code
        self.message = message
        self.fields = None if fields is None else list(fields)

    def body(self) -> list[Doc]:
        """The array that a call is answered with."""
        error: Doc = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            error["fields"] = self.fields
        return [error]

    def row(self) -> Doc:
        """As a row of a Collections call tells of it: `statusCode`."""
        return {
            "statusCode": self.code,
            "message": self.message,
            "fields": self.fields or [],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a call answers, before it is HTTP: Composite needs it as a value."""

    status: int = 200
    #: JSON; None: an empty body.
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Of a file's content, in its place: the answer as it goes out.
    raw: Response | None = None

    def response(self) -> Response:
        """As it goes out."""
        if self.raw is not None:
            return self.raw
        if self.body is None:
            return Response(status_code=self.status, headers=dict(self.headers))
        return JSONResponse(
            self.body,
            self.status,
            dict(self.headers),
            media_type="application/json;charset=UTF-8",
        )


def refused(error: SalesforceError) -> Reply:
    """The error as an answer."""
    return Reply(status=error.status, body=error.body())


def not_found() -> SalesforceError:
    """404 for a path, an object or a record that is none."""
    return SalesforceError("NOT_FOUND", "The requested resource does not exist", None)


def is_deleted() -> SalesforceError:
    """404 for a record that was there."""
    return SalesforceError("ENTITY_IS_DELETED", "entity is deleted")


def bad_json(
    why: str = "The HTTP entity body is required, but this request has none.",
) -> SalesforceError:
    """400 for a body that cannot be read."""
    return SalesforceError("JSON_PARSER_ERROR", why, None)


def parsed(raw: bytes) -> Doc:
    """The JSON object that was sent. Raises SalesforceError 400."""
    if not raw.strip():
        raise bad_json()
    try:
        body = json.loads(raw)
    except json.JSONDecodeError as error:
        where = f"[line:{error.lineno}, column:{error.colno}]"
        raise bad_json(f"Unexpected character or end of input at {where}") from None
    except (ValueError, RecursionError):
        raise bad_json("Unexpected character or end of input at [line:1, column:1]") from None
    if not isinstance(body, dict):
        raise bad_json("The HTTP entity body must be a JSON object at [line:1, column:1]")
    return body


def stamp(moment: datetime) -> str:
    """`2026-11-22T13:12:20.000+0000`: whole seconds, as Salesforce keeps its own moments."""
    return as_utc(moment).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def exact_stamp(moment: datetime) -> str:
    """With milliseconds: fields of people, and literals of a query."""
    utc = as_utc(moment)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}+0000"
