"""Errors of the API as problem+json (RFC 9457), in answers and in the OpenAPI document.

Where BoxC's API is spoken they have BoxC's shape: see `boxc_errors`.
"""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

from inkwire.api import boxc_errors
from inkwire.api.bodies import HAND_READ
from inkwire.errors import (
    Forbidden,
    InkwireError,
    InvalidInput,
    RateLimited,
    StoreError,
    Unauthenticated,
)

MEDIA_TYPE = "application/problem+json"
PREFIX = "/v1/"
#: Seconds after which a caller whom the store could not serve should try again.
STORE_RETRY_S = 2

log = structlog.get_logger()


class FieldProblem(BaseModel):
    """What is wrong with one field of the request."""

    field: str = Field(description="Path of the field.", examples=["settings.tolerance_s"])
    detail: str = Field(description="What it should be.", examples=["must be 1 to 3600 seconds"])


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(
        description="Stable name of the kind of error.",
        examples=["urn:inkwire:error:invalid_input"],
    )
    title: str = Field(description="The HTTP status in words.", examples=["Unprocessable Content"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What happened and what to do, for a person.")
    errors: list[FieldProblem] | None = Field(None, description="What is wrong, by field.")


def refusal(
    path: str, status: int, code: str, detail: str, headers: dict[str, str] | None = None
) -> Response:
    """The answer to a request at `path` that never reached a handler."""
    if boxc_errors.covers(path):
        return boxc_errors.of_http(status, detail, headers)
    if path.startswith(PREFIX):
        return problem(status, code, detail, headers=headers)
    return PlainTextResponse(detail, status, headers=headers)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    fields: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """A problem+json answer; `fields`: path of each wrong field to a sentence."""
    body = Problem(
        type=f"urn:inkwire:error:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=_clean(detail),
        errors=[
            FieldProblem(field=_clean(path), detail=_clean(text)) for path, text in fields.items()
        ]
        if fields
        else None,
    )
    return Response(
        body.model_dump_json(exclude_none=True),
        status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type=MEDIA_TYPE,
    )


def install_errors(app: FastAPI) -> None:
    """Makes `app` answer every error under `/v1/` as problem+json, and say so in its document."""
    app.add_exception_handler(InkwireError, _on_ours)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_bug)

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = described(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's documented way


async def _on_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, InkwireError)  # noqa: S101 # registered for it alone
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="inkwire"'
    elif isinstance(error, Forbidden):
        headers["WWW-Authenticate"] = 'Bearer realm="inkwire", error="insufficient_scope"'
    elif isinstance(error, RateLimited):
        headers["Retry-After"] = str(error.retry_after_s)
    elif isinstance(error, StoreError):
        headers["Retry-After"] = str(STORE_RETRY_S)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("api.failed", code=error.code, error=error.message)
    path = request.scope["path"]
    if boxc_errors.covers(path):
        return boxc_errors.of_error(request.method, path, error, headers)
    fields = error.fields if isinstance(error, InvalidInput) else None
    return problem(error.status, error.code, error.message, fields=fields, headers=headers)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 # registered for it alone
    fields: dict[str, str] = {}
    for item in error.errors():
        where, *path = item["loc"]
        if item["type"] == "json_invalid":
            fields["body"] = f"is not JSON: {item['ctx']['error']} at character {path[0]}"
        elif item["type"] == "extra_forbidden":
            fields[".".join(map(str, path))] = "is no field here; leave it out"
        else:
            fields[".".join(map(str, path)) or str(where)] = str(item["msg"]).removeprefix(
                "Value error, "
            )
    if boxc_errors.covers(request.scope["path"]):
        return await _on_ours(request, InvalidInput(fields=fields))
    message = "; ".join(f"{path}: {text}" for path, text in fields.items())
    return problem(InvalidInput.status, InvalidInput.code, message, fields=fields)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 # registered for it alone
    path = request.scope["path"]
    if not (path.startswith(PREFIX) or boxc_errors.covers(path)):
        return await http_exception_handler(request, error)
    status = HTTPStatus(error.status_code)
    detail = {
        HTTPStatus.NOT_FOUND: "There is no such address; /v1/openapi.json lists those there are.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method; see Allow.",
        HTTPStatus.BAD_REQUEST: "The body cannot be read; send JSON in UTF-8.",
    }.get(status, str(error.detail))
    return refusal(path, status, status.name.lower(), detail, dict(error.headers or {}))


async def _on_bug(request: Request, __: Exception) -> Response:
    # Starlette raises the error again after this answer, so the server logs it.
    detail = "Inkwire failed at this, and the log of the web process says why; please report it."
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    if boxc_errors.covers(request.scope["path"]):
        return boxc_errors.of_http(status, detail, None)
    return problem(status, InkwireError.code, detail)


def _clean(text: str) -> str:
    """Text that UTF-8 can carry: lone surrogates of the input become `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


_ANSWERS: dict[int, str] = {
    400: "The body cannot be read.",
    401: "No API key, or one that is unknown or revoked.",
    403: "The API key lacks the scope.",
    404: "There is no such object.",
    409: "The object is not in a state that allows this.",
    408: "The body did not arrive within 10 seconds.",
    413: "The body is larger than 1 MiB.",
    422: "A field is wrong; `errors` names each.",
    429: "Too many tries; see Retry-After.",
    503: "The store cannot do it now, or too much is being sent; see Retry-After.",
}


#: Their bodies name an object, which may not be there.
_NAMES_IN_BODY = frozenset(
    {"/v1/jobs", "/v1/jobs/count", "/v1/messages"}
    | {"/v1/connections", "/v1/integrations", "/v1/work/retry", "/v1/ledger/decide"}
    | {"/v1/templates/preview", "/v1/crm/wake"}
)


def _answers(method: str, path: str, operation: dict[str, Any]) -> set[int]:
    """The errors that an operation can answer."""
    answers = {401, 403, 422, 429, 503}
    if "{" in path or (method == "post" and path in _NAMES_IN_BODY):
        answers |= {404}
    if method != "get":
        answers |= {409}
    if "requestBody" in operation:
        answers |= {400, 408, 413}
    return answers


def _boxc_answers(path: str, operation: dict[str, Any]) -> set[int]:
    """The errors that an operation of BoxC's API can answer."""
    answers = {400, 401, 403, 429, 503}
    if "{" in path:
        answers |= {404}
    if "requestBody" in operation:
        answers |= {408, 413, 415}
    return answers


def described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of `app`, with the errors that every operation can answer."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description or None,
        openapi_version=app.openapi_version,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    template = "#/components/schemas/{model}"
    schemas["FieldProblem"] = FieldProblem.model_json_schema(ref_template=template)
    schemas["Problem"] = Problem.model_json_schema(ref_template=template)
    schemas["Problem"].pop("$defs", None)
    content = {MEDIA_TYPE: {"schema": {"$ref": template.format(model="Problem")}}}
    parts["responses"] = {
        f"Problem{status}": {"description": text, "content": content}
        for status, text in _ANSWERS.items()
    }
    for model in HAND_READ:
        described_model = model.model_json_schema(ref_template=template)
        schemas |= described_model.pop("$defs", {})
        schemas[model.__name__] = described_model
    schemas["BoxcError"] = boxc_errors.SCHEMA
    boxc = {"application/json": {"schema": {"$ref": template.format(model="BoxcError")}}}
    parts["responses"] |= {
        f"Boxc{status}": {"description": text, "content": boxc}
        for status, text in boxc_errors.ANSWERS.items()
    }
    for path, operations in document.get("paths", {}).items():
        for method, operation in operations.items():
            answers, kind = _answers(method, path, operation), "Problem"
            if boxc_errors.covers(path):
                answers, kind = _boxc_answers(path, operation), "Boxc"
            operation["responses"].pop("422", None)
            for status in sorted(answers):
                reference = {"$ref": f"#/components/responses/{kind}{status}"}
                operation["responses"][str(status)] = reference
    return document
