"""Connections that could not be used again were closed only once all was sent, or not at all.

Closing waits for what is still to be written. An endpoint that read nothing so kept a descriptor
of ours for good with each attempt; one that answered before it had read the body kept the worker
from ending. And a connection that had changed to another protocol took the next request.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from inkwire.model.message import AttemptResult as Result
from outbound.kit import endpoint, outbound, post

#: More than the kernel keeps for an endpoint with so small a window; sent in one piece, in several.
SIZES = (200 * 1024, 1 << 20)


@asynccontextmanager
async def endpoint_that_reads_nothing(answer: bytes) -> AsyncIterator[str]:
    """Its address. It gives `answer` as soon as a request begins."""
    told = []

    async def serve(reader, writer):
        told.append(writer)
        await reader.read(1)
        writer.transport.pause_reading()
        writer.write(answer)

    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        sock.bind(("127.0.0.1", 0))
        server = await asyncio.start_server(serve, sock=sock, limit=1)
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}/hook"
        finally:
            for writer in told:
                writer.transport.abort()
            server.close()


def watched(sender):
    """The transports that requests go over from now on, and the connector's own way to connect."""
    found, connect = [], sender._connector.connect

    async def connecting(*options):
        connection = await connect(*options)
        found.append(connection.transport)
        return connection

    sender._connector.connect = connecting
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"", None),
        (b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", 413),
        (b"HTTP/1.1 413 Too Large\r\nContent-Length: 90000\r\n\r\n" + b"x" * 90000, 413),
        (b"HTTP/1.0 413 Too Large\r\nContent-Length: 0\r\n\r\n", 413),
    ],
)
async def test_what_an_endpoint_does_not_read_is_not_kept_for_it(size, answer, status):
    """The socket is ours no more in a moment, and nothing is being written to it."""
    async with (
        asyncio.timeout(60),
        endpoint_that_reads_nothing(answer) as url,
        outbound() as sender,
    ):
        over = watched(sender)
        got = await post(sender, url, body=b"x" * size, timeout_s=0.5 if status is None else 20)
        assert got.status == status
        for _ in range(5):
            await asyncio.sleep(0)
        assert [one.get_write_buffer_size() for one in over] == [0]
        assert [one.get_extra_info("socket").fileno() for one in over] == [-1]
        assert [task for task in asyncio.all_tasks() if "_write" in repr(task)] == []


async def test_another_protocol_takes_no_further_request():
    """101 without the headers that belong to it, too."""

    async def change(seen, reader, writer):
        while await seen.take(reader):
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")

    async with endpoint(change) as seen, outbound() as sender:
        for _ in range(2):
            assert (await post(sender, seen.url)).status == 101
    assert seen.connections == 2


@pytest.mark.parametrize(
    ("greeting", "result", "status"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", Result.STATUS, 503),
        (b"220 mail.test ESMTP\r\n", Result.PROTOCOL, None),
    ],
)
async def test_what_greets_a_new_connection_is_told(greeting, result, status):
    """However early it comes: no "closed without an answer" of one that spoke at once."""

    async def greet(seen, reader, writer):
        writer.write(greeting)
        await seen.take(reader)

    async with endpoint(greet) as seen, outbound() as sender:
        connect = sender._connector.connect

        async def greeted(*options):
            connection = await connect(*options)
            while not connection.protocol.should_close:
                await asyncio.sleep(0)
            return connection

        sender._connector.connect = greeted
        got = await post(sender, seen.url)
    assert (got.result, got.status) == (result, status)
    assert seen.connections == 1
