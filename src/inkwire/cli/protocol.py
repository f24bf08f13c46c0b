"""uvicorn's HTTP protocol with the two bounds that it lacks: on the size and the time of a head.

Without them a client that sends headers for ever holds memory, and one that sends nothing holds a
connection. Bodies are bounded by ingest itself.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from inkwire.cli.whole_answers import WholeAnswers

#: Bytes of request line and headers together (as in nginx and Apache, roughly).
MAX_HEAD = 64 * 1024
#: Seconds from the first byte (or the connection) to the end of the headers.
HEAD_TIMEOUT_S = 10.0


class HubProtocol(HttpToolsProtocol):
    """Closes a connection whose request head grows or waits too long."""

    head_timeout_s = HEAD_TIMEOUT_S
    _answers: WholeAnswers
    _in_head = True
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A new connection: its first head is due."""
        super().connection_made(transport)
        self.transport = self._answers = WholeAnswers(transport)  # type: ignore[assignment]
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end: nothing is due any more."""
        self._disarm()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The first bytes of a request."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there; the app takes over."""
        self._in_head = False
        if self._head_timer is not None:
            self._disarm()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """The answer is whole, with or without a body."""
        self._answers.flush()
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        """Feeds the parser; what is still a head afterwards is bounded."""
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD:
            self._answer(431, b"The request headers are larger than 64 KiB.")
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout_s, self._too_slow)

    def _too_slow(self) -> None:
        self._head_timer = None
        if self._head_bytes:
            self._answer(408, b"The request headers did not arrive in time.")
        else:
            self.transport.close()

    def _answer(self, status: int, text: bytes) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
            + b"content-length: %d\r\n\r\n%b" % (len(text), text)
        )
        self.transport.close()

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
