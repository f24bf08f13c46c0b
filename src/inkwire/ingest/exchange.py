"""One HTTP exchange: what its head says, and how it is answered."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from starlette.types import Receive, Scope, Send

from inkwire.ingest.replies import Answer
from inkwire.model.request import Reply

#: After an answer that came before the body's end, the rest is read and thrown away for so long:
#: closing at once resets the connection, and the sender may never see the answer.
LINGER_S, MAX_LINGERING = 2.0, 100
#: Largest sum of header names and values, in bytes; they are stored with the receipt.
MAX_HEAD = 64 * 1024
PREFIX = b"/in/"


class Exchange:
    """A request whose body was not read yet, and the way to answer it."""

    __slots__ = (
        "_lingering",
        "_scope",
        "_send",
        "answered",
        "body_unread",
        "encoded",
        "head_size",
        "headers",
        "length",
        "method",
        "path",
        "receive",
        "size",
        "source_id",
    )

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, lingering: "set[Exchange]"
    ) -> None:
        """Looks at the head only. `lingering`: the exchanges that linger, shared by all."""
        self._scope = scope
        self._send = send
        self._lingering = lingering
        self.receive = receive
        self.method: str = scope["method"]
        self.path = _raw_path(scope)
        #: What stands behind `/in/`, whether such a source exists or not.
        self.source_id = _source_id(self.path)
        self.answered = False
        #: Header names in lower case, repeats kept.
        self.headers: tuple[tuple[bytes, bytes], ...] = tuple(scope["headers"])
        self._read_head(self.headers)
        #: Bytes of the body: as announced, and once it is read as it came.
        self.size = self.length or 0

    def _read_head(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        #: Bytes of all header names and values.
        self.head_size = 0
        #: Content-Length; None if there is none (chunked).
        self.length: int | None = None
        #: Whether a body follows that nobody has read to its end.
        self.body_unread = False
        #: Content-Encoding is there and is not `identity`.
        self.encoded = False
        for name, value in headers:
            self.head_size += len(name) + len(value)
            if name == b"content-length":
                if value.isdigit() and len(value) < 19:
                    self.length = int(value)
                    self.body_unread = self.body_unread or self.length > 0
            elif name == b"transfer-encoding":
                self.body_unread = True
            elif name == b"content-encoding":
                plain = value.strip().lower()
                self.encoded = self.encoded or plain not in (b"", b"identity")

    @property
    def query(self) -> bytes:
        """The query as sent."""
        found: bytes = self._scope.get("query_string", b"")
        return found

    @property
    def remote(self) -> str:
        """The sender's address; the server puts a trusted proxy's word in its place."""
        client = self._scope.get("client")
        return str(client[0]) if client else ""

    async def reply(self, reply: Reply, receipt_id: str | None = None) -> None:
        """The provider's own answer; `Inkwire-Receipt` names the receipt, for support calls."""
        headers = [
            (b"content-type", reply.content_type.encode("latin-1")),
            (b"content-length", b"%d" % len(reply.body)),
        ]
        if receipt_id is not None:
            headers.append((b"inkwire-receipt", receipt_id.encode("ascii")))
        self.answered = True
        await self._send(
            {"type": "http.response.start", "status": reply.status, "headers": headers}
        )
        await self._send({"type": "http.response.body", "body": reply.body})

    async def answer(self, answer: Answer) -> None:
        """A ready-made answer. If the body is not read yet, the connection ends with it."""
        self.answered = True
        if not self.body_unread:
            await self._send(answer.start)
            await self._send(answer.body)
            return
        await self._send(answer.closing_start)
        await self._send({**answer.body, "more_body": True})
        await self._linger()
        await self._send({"type": "http.response.body", "body": b""})

    async def _linger(self) -> None:
        if len(self._lingering) >= MAX_LINGERING:
            return
        self._lingering.add(self)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    more = True
                    while more:
                        message = await self.receive()
                        more = message["type"] == "http.request" and message.get("more_body", False)
        finally:
            self._lingering.discard(self)


def _raw_path(scope: Scope) -> bytes:
    """The path as sent, percent-escapes kept, without the prefix an outer app is mounted at."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "replace")
    root = scope.get("root_path")
    return raw.removeprefix(root.encode("utf-8", "replace")) if root else raw


def _source_id(path: bytes) -> str:
    """One trailing slash is tolerated. Empty for a path that is not below `/in/`."""
    if not path.startswith(PREFIX):
        return ""
    return path[len(PREFIX) :].removesuffix(b"/").decode("latin-1")
