"""Box's answers: errors in its shape, JSON, and the reading of bodies."""

import secrets
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from inkwire.errors import Unparsable
from inkwire.providers.payload import decode_json
from inkwire.providers.sandboxing import Doc

_HELP = "http://developers.box.com/docs/#errors"
_MESSAGES = {
    "not_found": "Not Found",
    "trashed": "Item is trashed",
    "item_name_in_use": "Item with the same name already exists",
    "item_name_invalid": "Item name invalid",
    "item_name_too_long": "Item name too long",
    "precondition_failed": "The resource has been modified. Please retrieve it again and retry",
    "insufficient_scope": (
        "The request requires higher privileges than provided by the access token."
    ),
    "access_denied_insufficient_permissions": "Access denied - insufficient permission",
    "unauthorized": "Unauthorized",
    "bad_request": "Bad Request",
}


class BoxError(Exception):
    """A refusal in Box's words."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str | None = None,
        *,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """`context`: its `context_info`."""
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message or _MESSAGES.get(code, code)
        self.context = context

    def answer(self) -> Response:
        """The response."""
        request_id = secrets.token_hex(8)
        body: Doc = {
            "type": "error",
            "status": self.status,
            "code": self.code,
            "help_url": _HELP,
            "message": self.message,
            "request_id": request_id,
        }
        if self.context is not None:
            body["context_info"] = dict(self.context)
        headers = {"box-request-id": request_id}
        if self.code in _CHALLENGES:
            headers["www-authenticate"] = f'Bearer realm="Service", {_CHALLENGES[self.code]}'
        return JSONResponse(body, self.status, headers)


_CHALLENGES = {
    "unauthorized": 'error="invalid_token", error_description="The access token provided is '
    'invalid."',
    "insufficient_scope": 'error="insufficient_scope", error_description="The request requires '
    'higher privileges than provided by the access token."',
}


def wrong(name: str, message: str, value: Any = None) -> BoxError:
    """400 for one field."""
    error = {"reason": "invalid_parameter", "name": name, "message": message}
    if isinstance(value, str | int):
        error["value"] = str(value)
    return BoxError(400, "bad_request", message, context={"errors": [error]})


def not_found() -> BoxError:
    """404: also what is there but not for this user."""
    return BoxError(404, "not_found")


async def json_body(request: Request) -> Doc:
    """The JSON object that was sent; empty for an empty body. Raises BoxError 400."""
    raw = await request.body()
    return parsed(raw) if raw.strip() else {}


def parsed(raw: bytes) -> Doc:
    """A JSON object. Raises BoxError 400."""
    try:
        body = decode_json(raw)
    except Unparsable:
        raise BoxError(
            400, "bad_request", "Entity body should be a correctly nested JSON"
        ) from None
    if not isinstance(body, dict):
        raise BoxError(400, "bad_request", "Entity body should be a JSON object")
    return body


def text(body: Mapping[str, Any], name: str, *, required: bool = False) -> str | None:
    """A text field. Raises BoxError 400 for another type, or if it lacks."""
    value = body.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str) or (required and not value):
        raise wrong(name, f"'{name}' is required" if value in (None, "") else "Expected a string")
    return value


def ref(body: Mapping[str, Any], name: str) -> str | None:
    """The id in `{"id": …}` under `name`; None if the field is not there. Raises BoxError 400."""
    value = body.get(name)
    if value is None:
        return None
    found = value.get("id") if isinstance(value, dict) else None
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    if not isinstance(found, str) or not found:
        raise wrong(f"{name}.id", f"'{name}' must have an 'id'")
    return found


def whole_number(given: str | None, name: str, *, default: int, most: int) -> int:
    """A query value from 1 (0 for an offset). Raises BoxError 400."""
    if given is None:
        return default
    if not given.isascii() or not given.isdigit() or len(given) > 12:
        raise wrong(name, f"'{name}' must be a whole number", given)
    return min(int(given), most)


def shown(full: Doc, fields: str | None) -> Doc:
    """`full`, or with `fields` only those that every item has and those that are asked for."""
    if not fields:
        return full
    wanted = {"type", "id", "etag", *(name.strip() for name in fields.split(","))}
    return {name: value for name, value in full.items() if name in wanted}
