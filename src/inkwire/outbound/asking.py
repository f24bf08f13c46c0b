"""One request on a connection, without the session of the HTTP client. Plain bytes out, parts in.

What is hard stays aiohttp's: names, connecting, TLS, proxies, the kept connections, the parser of
answers. Its session serves much that a webhook has no use for (cookies, redirects, hooks, a task
for each body) and took half of a POST's CPU (measured: 160 µs with it, 84 without).
"""

import asyncio
import select
from collections.abc import Iterator

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage, StreamWriter
from yarl import URL

#: A body above this is sent in pieces of that size, so that the loop stays free.
_IN_ONE_PIECE = 256 * 1024
#: Bytes of an answer that wait to be read before the endpoint must wait.
_READ_AHEAD = 16 * 1024
#: Bytes of a line of its head.
_MAX_LINE = 8190


def route(url: URL, proxy: URL | None) -> ClientRequest:
    """What aiohttp's connector wants to know of a request; serves any number of them.

    Needs a running event loop.
    """
    return ClientRequest("POST", url, loop=asyncio.get_running_loop(), proxy=proxy)


class Asking:
    """A request on a connection, then the head of its answer; to be ended in any case."""

    __slots__ = ("_connection", "_writing", "content", "message", "written")

    #: The head of the answer, and what its body is read from; there once `ask` has returned.
    message: RawResponseMessage
    content: aiohttp.StreamReader

    def __init__(self, connection: Connection) -> None:
        """The connection is this request's own until `end`."""
        self._connection = connection
        self._writing: asyncio.Task[None] | None = None
        #: Whether anything of it may have left, so that the endpoint may have taken it.
        self.written = False

    async def ask(self, head: bytes, body: bytes, *, kept: bool) -> None:
        """Sends, and waits for the head of the answer; interim answers are passed over.

        `kept`: whether the connection has served a request before. Raises ServerDisconnectedError,
        ClientOSError or HttpProcessingError, and has ended then.
        """
        try:
            protocol = self._ready(kept=kept)
            self._send(protocol, head, body)
            while True:
                message, content = await protocol.read()
                if message.code >= 200 or message.code == 101:
                    break
            self.message, self.content = message, content
        except BaseException:
            self._give_up()
            raise

    def end(self) -> None:
        """Keeps the connection if request and answer went over it to their ends."""
        changed = self.message.code == 101
        if changed or not self.content.at_eof() or self._unsent():
            self._give_up()
        else:
            self._connection.release()

    def _give_up(self) -> None:
        """Drops the connection with what is still to be sent: nobody might ever read that."""
        protocol = self._connection.protocol
        if protocol is not None:
            protocol.abort()
        self._connection.close()
        self._stop_writing()

    def _ready(self, *, kept: bool) -> ResponseHandler:
        """The connection, ready for a request. Raises ServerDisconnectedError if it is not.

        What came over a kept connection before anything was asked answers nothing that is asked.
        A new one may say at once that it is too busy, or that it speaks no HTTP.
        """
        protocol = self._connection.protocol
        if protocol is None or not protocol.is_connected() or (kept and _is_over(protocol)):
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=_READ_AHEAD,
            max_line_size=_MAX_LINE,
            max_field_size=_MAX_LINE,
        )
        return protocol

    def _send(self, protocol: ResponseHandler, head: bytes, body: bytes) -> None:
        transport = protocol.transport
        if transport is None:
            raise aiohttp.ServerDisconnectedError
        self.written = True
        if len(body) <= _IN_ONE_PIECE:
            transport.write(head + body)
            return
        transport.write(head)
        # Beside the reading: an endpoint may answer before it has heard all.
        self._writing = asyncio.create_task(_write(protocol, body))

    def _unsent(self) -> bool:
        protocol = self._connection.protocol
        transport = None if protocol is None else protocol.transport
        waiting = transport is not None and transport.get_write_buffer_size() > 0
        return self._stop_writing() or waiting

    def _stop_writing(self) -> bool:
        """Whether there was anything left to be written."""
        writing = self._writing
        if writing is None or writing.cancelled():
            return writing is not None
        return writing.cancel() or writing.exception() is not None


def _is_over(protocol: ResponseHandler) -> bool:
    """Whether a kept connection has ended, or something came over it.

    The system is asked too: a busy loop may not have heard yet, and what is written behind the end
    can never be told from a request that the endpoint took and did not answer.
    """
    transport = protocol.transport
    if protocol.should_close or transport is None:
        return True
    waiting = select.poll()
    waiting.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(waiting.poll(0))


async def _write(protocol: ResponseHandler, body: bytes) -> None:
    writer = StreamWriter(protocol, asyncio.get_running_loop())
    for piece in _pieces(body):
        try:
            await writer.write(piece)
            await writer.drain()
        except OSError:
            # The connection is gone, which whoever waits for the answer hears by itself.
            return


def _pieces(body: bytes) -> Iterator[memoryview]:
    whole = memoryview(body)
    for at in range(0, len(body), _IN_ONE_PIECE):
        yield whole[at : at + _IN_ONE_PIECE]
