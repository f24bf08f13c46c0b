"""Errors as BoxC's API has them: `{"status", "code", "message", "errors"}`.

Source: BoxC's error list and OpenAPI 1.123. It answers 400 to whatever does not fit; where it
documents no code, the HTTP status is the code.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from inkwire.errors import (
    Conflict,
    Forbidden,
    InkwireError,
    InvalidInput,
    NotFound,
    RateLimited,
    StoreError,
    Unauthenticated,
)

PATHS = ("/webhooks", "/v1/webhooks")

VALIDATION, SERVER, INVALID_TOKEN = 1000, 1001, 1005
REVOKED, MISSING_SCOPE, UNAVAILABLE, TOO_MANY = 1008, 1009, 1010, 1015
PAGE_TOKEN, QUERY = 1025, 1031
NOT_FOUND, EXISTS = 1400, 1401
#: What an operation could not do, by method; `queue` is a POST below a webhook.
_FAILED = {"POST": (1402, "created"), "PUT": (1403, "updated"), "DELETE": (1404, "deleted")}
_NOT_QUEUED = 1405

#: For the OpenAPI document.
SCHEMA = {
    "title": "BoxcError",
    "description": "An error, as BoxC's API has them.",
    "type": "object",
    "properties": {
        "status": {"type": "string", "const": "error"},
        "code": {"type": "integer", "examples": [VALIDATION]},
        "message": {"type": "string", "description": "What happened and what to do."},
        "errors": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    },
    "required": ["status", "code", "message", "errors"],
}
#: The statuses that its operations answer errors with, and what they say.
ANSWERS: Mapping[int, str] = {
    400: "Something does not fit; `errors` names each (1000, 1025, 1031, 1401 to 1405).",
    401: "No API key, or an unknown one (1005).",
    403: "The key was revoked (1008), lacks the scope or is no application's (1009).",
    404: "The application has no such webhook (1400).",
    408: "The body did not arrive within 10 seconds.",
    413: "The body is larger than 1 MiB.",
    415: "The body is not announced as JSON.",
    429: "Too many requests (1015); see Retry-After.",
    503: "The store cannot do it now (1010); see Retry-After.",
}


class BoxcRefusal(InkwireError):
    """Something in the request does not fit; `errors` says what."""

    status = 400

    def __init__(
        self, message: str, *, number: int, errors: Sequence[str] = (), status: int = 400
    ) -> None:
        """`number`: BoxC's code; `errors`: one sentence each; none: the message itself."""
        super().__init__(message)
        self.number = number
        self.errors = tuple(errors)
        self.answer_status = status


def covers(path: str) -> bool:
    """Whether errors at this path are told in BoxC's shape."""
    return path.startswith(tuple(f"{one}/" for one in PATHS)) or path in PATHS


def answer(
    status: int,
    number: int,
    message: str,
    *,
    errors: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error in BoxC's shape."""
    body = {
        "status": "error",
        "code": number,
        "message": _clean(message),
        "errors": [_clean(one) for one in errors or (message,)],
    }
    return Response(
        msgspec.json.encode(body),
        status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type="application/json",
    )


def of_http(status: int, detail: str, headers: Mapping[str, str] | None) -> Response:
    """What the framework or a limit refused."""
    number = {500: SERVER, 503: UNAVAILABLE}.get(status, status)
    return answer(status, number, detail, headers=headers)


def of_error(method: str, path: str, error: InkwireError, headers: Mapping[str, str]) -> Response:
    """The answer to one of our errors."""
    if isinstance(error, BoxcRefusal):
        return answer(
            error.answer_status, error.number, error.message, errors=error.errors, headers=headers
        )
    if isinstance(error, InvalidInput):
        return _invalid(error, headers)
    status, number, message = _told(method, path, error)
    return answer(status, number, message, headers=headers)


def _told(method: str, path: str, error: InkwireError) -> tuple[int, int, str]:
    """HTTP status, BoxC's code, and the sentence."""
    text = error.message
    match error:
        case Unauthenticated(code="revoked"):
            return HTTPStatus.FORBIDDEN, REVOKED, f"Forbidden: Authorization revoked. {text}"
        case Unauthenticated():
            return HTTPStatus.UNAUTHORIZED, INVALID_TOKEN, f"Invalid access token. {text}"
        case Forbidden():
            return HTTPStatus.FORBIDDEN, MISSING_SCOPE, f"Forbidden: {text}"
        case RateLimited():
            return HTTPStatus.TOO_MANY_REQUESTS, TOO_MANY, text
        case NotFound():
            return HTTPStatus.NOT_FOUND, NOT_FOUND, "Webhook not found"
        case Conflict(code="webhook_exists"):
            return HTTPStatus.BAD_REQUEST, EXISTS, "Webhook with that address already exists"
        case Conflict():
            number, what = _not_done(method, path)
            return HTTPStatus.BAD_REQUEST, number, f"{what}: {text}"
        case StoreError():
            return error.status, UNAVAILABLE, f"Service Unavailable: {text}"
    return error.status, SERVER, f"Server error. {text}"


def _not_done(method: str, path: str) -> tuple[int, str]:
    if path.endswith("/queue"):
        return _NOT_QUEUED, "Webhook event can't be enqueued"
    number, done = _FAILED.get(method, (SERVER, "read"))
    return number, f"Webhook can't be {done}"


def _invalid(error: InvalidInput, headers: Mapping[str, str]) -> Response:
    each = [f"{_pointer(path)}: {text}" for path, text in error.fields.items()]
    errors = each or [error.message]
    return answer(
        HTTPStatus.BAD_REQUEST,
        VALIDATION,
        f"Validation Error. {errors[0]}",
        errors=errors,
        headers=headers,
    )


def _pointer(path: str) -> str:
    """Where in the body: `address` stands in the object `webhook`, a payload is the body."""
    if path.startswith("payload"):
        return path.removeprefix("payload") or "/"
    return f"/webhook/{path.replace('.', '/')}"


def _clean(text: str) -> str:
    """Text that UTF-8 can carry: lone surrogates of the input become `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")
