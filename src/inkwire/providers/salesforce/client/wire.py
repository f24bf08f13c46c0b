"""One request to Salesforce: sent once, by a guarded session, and recorded.

What may be repeated is decided by the engine.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError

from inkwire.errors import AddressRefused, CallFailed, NeedsAttention, Permanent, Transient
from inkwire.model.connection import Token
from inkwire.providers.answers import root_cause
from inkwire.providers.salesforce.client import SalesforceCalling
from inkwire.providers.salesforce.client.answers import Answer, printable
from inkwire.providers.salesforce.client.faults import (
    Call,
    lacking_scope,
    refused,
    scope_missing,
    unanswered,
)
from inkwire.providers.salesforce.client.multipart import Body, Form
from inkwire.providers.salesforce.client.reading import usage

#: Bytes of an answer; of one reading.
MAX_ANSWER, _READ = 16 * 1024 * 1024, 64 * 1024
#: Bytes a second that an upload is given time for, beyond the whole; and its processing after it.
_SLOWEST, _PROCESSED = 4 * 1024 * 1024, 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """Seconds to connect; without a byte of the answer; for the whole. Uploads get more by size."""

    connect_s: float = 5.0
    silent_s: float = 60.0
    whole_s: float = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request, ready to be sent as often as a token is refreshed."""

    call: Call
    #: Path on the organisation's host, escaped.
    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    #: Beside those that every request has.
    headers: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = field(default=None, repr=False)
    form: Form | None = field(default=None, repr=False)
    #: Of `data` or of a small file.
    body_sha256: str = ""
    #: Content types of `data` and of the answer, and bytes that the answer may have.
    kind: str = "application/json"
    accept: str = "application/json"
    most: int = MAX_ANSWER


def json_body(value: Any) -> tuple[bytes, str]:
    """The body and its SHA-256. Raises Permanent for what is no JSON."""
    try:
        data = json.dumps(value, allow_nan=False).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise Permanent(f"A value cannot be sent to Salesforce ({error}).") from error
    return data, hashlib.sha256(data).hexdigest()


class Wire:
    """Sends requests."""

    def __init__(self, calling: SalesforceCalling, patience: Patience) -> None:
        self._calling = calling
        self._patience = patience

    def send(self, request: Request) -> Answer:
        """The answer, which is a success.

        Raises the kinds that `inkwire.providers.salesforce.client` names, and `multipart.Broken`.
        """
        try:
            return self._answered(request)
        except NeedsAttention as error:
            self._calling.attention(error)
            raise

    def _answered(self, request: Request) -> Answer:
        """A refused token is exchanged for another once (R71)."""
        tokens = self._calling.tokens
        token = tokens.token()
        answer, whole = self._placed(request, token)
        if answer.bad_token:
            if lacking_scope(answer):
                raise scope_missing(request.call, answer)
            token = tokens.token(refused=token.access)
            if request.form is not None and not request.form.repeatable:
                raise Transient(
                    f"{request.call}: the token was refreshed while the file was on its way; it is "
                    "sent again."
                )
            answer, whole = self._placed(request, token)
        if not 200 <= answer.status < 300:
            raise refused(request.call, answer, now=self._calling.now(), whole=whole)
        return answer

    def _placed(self, request: Request, token: Token) -> tuple[Answer, bool]:
        """Sends it once there is a place for it: see `places`."""
        with self._calling.places.one(str(request.call)):
            return self._once(request, token)

    def _once(self, request: Request, token: Token) -> tuple[Answer, bool]:
        """Sends it once and records it. Raises for an answer that did not come whole.

        The second: whether all of the request had left when the answer came.
        """
        started_at, start = self._calling.now(), time.perf_counter()
        body: bytes | Body | None = request.data
        deadline = time.monotonic() + self._whole_s(request)
        if request.form is not None:
            body = request.form.body(deadline=deadline)
        answer: Answer | None = None
        problem = "broken_off"
        try:
            answer = self._exchange(request, token, body, deadline)
            problem = answer.code
            return answer, _left(body)
        except AddressRefused as error:
            problem = "address_refused"
            raise NeedsAttention(f"{request.call} was not sent: {error.message}") from error
        except (requests.RequestException, HTTPError) as error:
            problem = type(error).__name__
            raise _lost(request.call, error, whole=_left(body)) from error
        except CallFailed as error:
            problem = error.code
            raise
        finally:
            self._calling.journal(
                method=request.call.method,
                path=request.call.path,
                status=None if answer is None else answer.status,
                error=problem,
                vendor_id="" if answer is None else answer.request_id,
                body_sha256=request.body_sha256,
                started_at=started_at,
                duration_us=int((time.perf_counter() - start) * 1_000_000),
            )

    def _exchange(
        self, request: Request, token: Token, body: bytes | Body | None, deadline: float
    ) -> Answer:
        with self._calling.session.request(
            request.call.method,
            _address(token) + request.url,
            params=dict(request.params),
            headers=_headers(request, token),
            data=body,  # type: ignore[arg-type] # anything that has a length and gives bytes
            timeout=(self._patience.connect_s, self._silent_s(request)),
            allow_redirects=False,
            stream=True,
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            if (found := usage(headers.get("sforce-limit-info", ""))) is not None:
                self._calling.usage(found)
            return Answer(
                status=response.status_code,
                headers=headers,
                body=b"".join(_pieces(request, response, deadline, whole=_left(body))),
            )

    def _whole_s(self, request: Request) -> float:
        size = 0 if request.form is None else request.form.size
        return self._patience.whole_s + size / _SLOWEST

    def _silent_s(self, request: Request) -> float:
        """Salesforce answers an upload only when it has stored it."""
        size = 0 if request.form is None else request.form.size
        return self._patience.silent_s + size / _PROCESSED


def _address(token: Token) -> str:
    if not token.base_url.startswith(("https://", "http://")):
        raise NeedsAttention(
            "The connection does not know the organisation's address; connect anew."
        )
    return token.base_url.rstrip("/")


def _headers(request: Request, token: Token) -> dict[str, str]:
    if not (token.access.isascii() and token.access.isprintable() and " " not in token.access):
        raise NeedsAttention("The connection's token is no token; connect anew.")
    kind = "" if request.data is None else request.kind
    if request.form is not None:
        kind = request.form.content_type
    return {
        "Authorization": f"Bearer {token.access}",
        "User-Agent": "Inkwire",
        "Accept": request.accept,
        "Accept-Encoding": "identity",
        **({"Content-Type": kind} if kind else {}),
        **request.headers,
    }


def _left(body: bytes | Body | None) -> bool:
    """Whether the whole request may have left; if not, nothing can have been made."""
    return body.ended if isinstance(body, Body) else True


def _pieces(
    request: Request, response: requests.Response, deadline: float, *, whole: bool
) -> Iterator[bytes]:
    """The body as it comes: each reading ends with what is there, so that the deadline holds."""
    call, left = request.call, request.most
    while piece := response.raw.read1(_READ, decode_content=True):
        left -= len(piece)
        if left < 0:
            raise unanswered(call, why="it was larger than expected", sent=whole)
        if time.monotonic() > deadline:
            raise unanswered(call, why="the answer took too long", sent=whole)
        yield piece


def _lost(call: Call, error: requests.RequestException | HTTPError, *, whole: bool) -> CallFailed:
    """The error when the network failed; what never connected was surely not sent."""
    if isinstance(error, ValueError):
        return NeedsAttention(
            f"{call} was not sent, because the organisation's address cannot be called "
            f"({printable(str(error))}); correct it in the connection."
        )
    reason = getattr(error.args[0], "reason", None) if error.args else None
    sent = not isinstance(reason or error, ConnectTimeoutError | requests.ConnectTimeout)
    if isinstance(error, requests.exceptions.ProxyError):
        sent = False
    if not sent:
        why = f"no connection: {printable(root_cause(reason or error))}"
    elif isinstance(error, requests.Timeout) or "timed out" in str(error):
        why = "it took too long"
    else:
        why = "the connection broke"
    return unanswered(call, why=why, sent=sent and whole)
