"""The REST API's frame: which call a path is, who makes it, what it counts and waits for.

A call is a plain value and its answer another, so that Composite can make calls of its own.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inkwire.providers.salesforce.sandbox.answers import (
    Reply,
    SalesforceError,
    not_found,
    parsed,
    refused,
)
from inkwire.providers.salesforce.sandbox.files import LARGEST_BODY, LARGEST_CSV
from inkwire.providers.salesforce.sandbox.limits import Limits
from inkwire.providers.salesforce.sandbox.locks import Busy
from inkwire.providers.salesforce.sandbox.tokens import Caller, Tokens
from inkwire.providers.salesforce.sandbox.uploads import Upload, received
from inkwire.providers.salesforce.sandbox.writing import Writer
from inkwire.providers.sandboxing import Doc, Stage

#: Versions that are served, those that are no more, and the newest.
OLDEST, RETIRED, NEWEST = 31, 20, 67
_METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD")
#: Bytes of a path with its query.
_LONGEST_PATH = 16_384
_VERSION = re.compile(r"(\d{1,3})\.0")
_JSON = ("application/json", "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call, of HTTP or of Composite."""

    method: str
    #: Behind `/services/data/v66.0`.
    path: str
    query: Mapping[str, str]
    caller: Caller
    version: str
    body: Doc | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: What stands in the path's places.
    given: Mapping[str, str] = field(default_factory=dict)
    upload: Upload | None = None
    #: A CSV.
    text: bytes | None = None

    @property
    def json(self) -> Doc:
        """The body. Raises SalesforceError 400 if there is none."""
        if self.body is None:
            raise SalesforceError(
                "JSON_PARSER_ERROR",
                "The HTTP entity body is required, but this request has none.",
                None,
            )
        return self.body


Handler = Callable[[Call], Reply]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A path with what it does by method."""

    #: `/sobjects/{object}/{id}`.
    path: str
    handlers: Mapping[str, Handler]


class Api:
    """Every call below `/services/data`."""

    def __init__(self, stage: Stage, tokens: Tokens, limits: Limits, writer: Writer) -> None:
        """`writer`: whose transactions and locks the calls work in."""
        self._stage = stage
        self._tokens = tokens
        self._limits = limits
        self._writer = writer
        self._entries: list[tuple[re.Pattern[str], Entry]] = []

    def add(self, entries: Sequence[Entry]) -> None:
        """More calls; those that were added first are looked at first."""
        for entry in entries:
            shape = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", entry.path)
            self._entries.append((re.compile(shape + "/?"), entry))

    def routes(self) -> list[Route]:
        """Routes of every call, for the journal's names; one endpoint does them all."""
        base, methods = "/services/data/v{version}", list(_METHODS)
        routes = [
            Route("/services/data", self._versions, name="versions"),
            Route("/services/data/", self._versions, name="versions-slash"),
        ]
        paths = [base + entry.path + end for _, entry in self._entries for end in ("", "/")]
        paths.append("/services/data/{rest:path}")
        routes += [Route(path, self._endpoint, methods=methods, name=path) for path in paths]
        return routes

    def do(self, call: Call) -> Reply:
        """A call inside a transaction that is open. Raises SalesforceError, Busy."""
        path = call.path.rstrip("/") or "/"
        for shape, entry in self._entries:
            found = shape.fullmatch(path)
            if found is None:
                continue
            handler = entry.handlers.get("GET" if call.method == "HEAD" else call.method)
            if handler is None:
                allowed = ", ".join(entry.handlers)
                raise SalesforceError(
                    "METHOD_NOT_ALLOWED",
                    f"HTTP Method '{call.method}' not allowed. Allowed are {allowed}",
                    None,
                    status=405,
                )
            given = {name: unquote(value) for name, value in found.groupdict().items()}
            return handler(replace(call, given=given))
        raise not_found()

    async def _versions(self, request: Request) -> Response:
        found = [
            {"label": f"v{one}", "url": f"/services/data/v{one}.0", "version": f"{one}.0"}
            for one in range(OLDEST, NEWEST + 1)
        ]
        return JSONResponse(found)

    async def _endpoint(self, request: Request) -> Response:
        counted = False
        try:
            caller = self._tokens.caller(request.headers.get("authorization"))
            counted = True
            call = await self._call(request, caller)
            self._limits.count()
            reply = await self._committed(call)
        except SalesforceError as error:
            reply = refused(error)
        response = reply.response()
        if counted:
            response.headers["sforce-limit-info"] = self._limits.header()
        return response

    async def _call(self, request: Request, caller: Caller) -> Call:
        """The request as a call. Raises SalesforceError for what is refused on sight."""
        raw_path = request.scope["raw_path"].decode("ascii", "replace")
        query = request.scope["query_string"]
        if len(raw_path) + len(query) > _LONGEST_PATH:
            raise SalesforceError("URI_TOO_LONG", "The URI is too long", None, status=414)
        _, _, rest = raw_path.partition("/services/data/v")
        number, slash, path = rest.partition("/")
        version = _version(number)
        call = Call(
            method=request.method,
            path=slash + path,
            query=dict(request.query_params),
            caller=caller,
            version=version,
            headers=request.headers,
        )
        if request.method in ("GET", "HEAD", "DELETE"):
            return call
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            upload = await received(request, self._stage.state)
            return replace(call, body=upload.entity, upload=upload)
        if kind == "text/csv" and path.startswith("jobs/"):
            return replace(call, text=await _body(request, LARGEST_CSV))
        if kind not in _JSON:
            raise SalesforceError(
                "UNSUPPORTED_MEDIA_TYPE",
                f"Content type {kind} is not supported",
                None,
                status=415,
            )
        return replace(call, body=parsed(await _body(request)))

    async def _committed(self, call: Call) -> Reply:
        """Does the call in a transaction; waits for a lock as long as Salesforce does."""
        writer, locks = self._writer, self._writer.locks
        until = asyncio.get_running_loop().time() + locks.wait_s
        reply, patient = None, True
        while reply is None:
            writer.records.settle()
            writer.locked, writer.patient = set(), patient
            try:
                with writer.records.change():
                    reply = self.do(call)
            except Busy as busy:
                patient = await locks.wait(busy.accounts, until)
        held = writer.locked
        if locks.write_s and held:
            # The transaction takes its time, and others find the Account locked.
            locks.hold(held)
            try:
                await asyncio.sleep(locks.write_s)
            finally:
                locks.free(held)
        return reply


def call_of(url: str, method: str, body: Any, outer: Call) -> Call:
    """A subrequest of Composite as a call. Raises SalesforceError."""
    split = urlsplit(url)
    path = split.path
    if path.startswith("/services/data/v"):
        _, _, rest = path.partition("/services/data/v")
        _, slash, tail = rest.partition("/")
        path = slash + tail
    elif re.match(r"v\d+\.0/", path):
        path = "/" + path.partition("/")[2]
    else:
        raise not_found()
    return replace(
        outer,
        method=method.upper(),
        path=path,
        query=dict(parse_qsl(split.query, keep_blank_values=True)),
        body=body if isinstance(body, dict) else None,
        upload=None,
    )


def _version(number: str) -> str:
    """`66.0`. Raises SalesforceError for a version that is none, or no more."""
    found = _VERSION.fullmatch(number)
    if found is None or not RETIRED <= int(found[1]) <= NEWEST:
        raise not_found()
    if int(found[1]) < OLDEST:
        raise SalesforceError(
            "UNSUPPORTED_API_VERSION",
            f"API version {number} is no longer available",
            None,
            status=410,
        )
    return number


async def _body(request: Request, largest: int = LARGEST_BODY) -> bytes:
    """The whole body. Raises SalesforceError 413."""
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > largest:
                raise SalesforceError(
                    "REQUEST_TOO_LARGE",
                    f"The request is larger than {largest // 1024**2} MB: send a file as "
                    "multipart/form-data",
                    None,
                    status=413,
                )
            parts.append(part)
    except ClientDisconnect:
        raise SalesforceError("UNKNOWN_EXCEPTION", "The body ended early", None) from None
    return b"".join(parts)
