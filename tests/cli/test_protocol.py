"""The web server's bounds on a request's head: its size and its time."""

import asyncio
import contextlib
import socket

import pytest
import uvicorn

from inkwire.cli.protocol import MAX_HEAD, HubProtocol


class _Quick(HubProtocol):
    head_timeout_s = 0.2


async def _app(scope, receive, send):
    """Reads the body and answers with its size."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


@contextlib.asynccontextmanager
async def _serving():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(_app, http=_Quick, ws="none", lifespan="off", log_config=None)
        )
        task = asyncio.create_task(server._serve([sock]))
        while not server.started:
            await asyncio.sleep(0)
        yield sock.getsockname()
        server.should_exit = True
        await task


async def _say(address, *parts):
    """Sends the parts and reads until the server closes, at most 2 s."""
    reader, writer = await asyncio.open_connection(*address)
    with contextlib.suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
    try:
        async with asyncio.timeout(2):
            return await reader.read()
    except TimeoutError:
        return b"still open"
    except ConnectionResetError:  # it closed while more was on its way
        return b"reset"
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_an_endless_head():
    """Headers beyond 64 KiB are answered 431 and the connection ends: they cost no more memory."""
    async with _serving() as address:
        line = b"x-a: " + b"a" * 1000 + b"\r\n"
        answer = await _say(address, b"POST / HTTP/1.1\r\n", *[line] * (MAX_HEAD // 1000 + 300))
        assert answer == b"reset" or answer.startswith(b"HTTP/1.1 431 ")


async def test_one_endless_header():
    """A single value that never ends is held by the parser, and bounded all the same."""
    async with _serving() as address:
        answer = await _say(address, b"POST / HTTP/1.1\r\nx-a: ", *[b"a" * 8192] * 20)
        assert answer == b"reset" or answer.startswith(b"HTTP/1.1 431 ")


async def test_a_head_that_does_not_come():
    """Half a head is answered 408; a connection that says nothing is closed."""
    async with _serving() as address:
        assert (await _say(address, b"POST / HTT")).startswith(b"HTTP/1.1 408 ")
        assert await _say(address) == b""


async def test_a_second_head_that_does_not_come():
    """On a kept connection too."""
    async with _serving() as address:
        whole = b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}"
        answer = await _say(address, whole + b"POST / HTTP/1.1\r\nx-")
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"HTTP/1.1 408 " in answer


@pytest.mark.parametrize("size", [0, 1, 300_000])
async def test_a_large_body_is_no_head(size):
    """What comes after the head does not count, and may take its time."""
    async with _serving() as address:
        head = b"POST / HTTP/1.1\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % size
        half = b"a" * (size // 2)
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head + half)
        await writer.drain()
        await asyncio.sleep(0.4)  # longer than a head may take
        writer.write(b"a" * (size - len(half)))
        answer = await reader.read()
        assert answer.endswith(str(size).encode() + b"\r\n0\r\n\r\n")
        writer.close()
