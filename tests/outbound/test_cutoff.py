"""A call's time is over at its deadline, however slowly its answer comes, by TLS as without."""

import asyncio
import contextlib
import time

import pytest
import requests

from inkwire.outbound.cutoff import cut_off
from inkwire.outbound.requests_adapter import session
from outbound.kit import OK, answering, authority, endpoint, guard, server_tls

ENDLESS = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"


def dribbling(beginning: bytes):
    """Gives a beginning, then a byte every 20 ms until the other side leaves."""

    async def behave(seen, reader, writer):
        await seen.take(reader)
        writer.write(beginning)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    return behave


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 OK\r\nX: ", ENDLESS], ids=["head", "body"])
async def test_a_call_is_cut_off(tmp_path, secure, beginning):
    """In the headers; in a body without a length, which seems to end well."""
    ca = authority()
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    tls = server_tls(tmp_path, ["api.test"], ca) if secure else None
    the_guard = guard(resolver=lambda host, port: ["127.0.0.1"])
    async with endpoint(dribbling(beginning), tls) as seen:
        url = f"{'https' if secure else 'http'}://api.test:{seen.port}/"

        def call() -> bool:
            with (
                session(the_guard, ca_file=tmp_path / "ca.pem") as made,
                contextlib.suppress(requests.RequestException),
                cut_off(0.3) as cutoff,
                made.get(url, timeout=5, stream=True) as answer,
            ):
                list(answer.iter_content(1024))
            return cutoff.late

        began = time.monotonic()
        assert await asyncio.to_thread(call)
        assert time.monotonic() - began < 5
    the_guard.close()


async def test_a_call_that_is_in_time_is_left_alone():
    """Nor does its end reach a later call over the same connection."""
    the_guard = guard()
    async with endpoint(answering(OK)) as seen:
        url = f"http://127.0.0.1:{seen.port}/"

        def calls() -> list[bytes]:
            with session(the_guard) as made:
                with cut_off(5) as cutoff:
                    first = made.get(url, timeout=5).content
                cutoff.cut()
                assert not cutoff.late
                return [first, made.get(url, timeout=5).content]

        assert await asyncio.to_thread(calls) == [b"ok", b"ok"]
    assert seen.connections == 1
    the_guard.close()


async def test_a_connection_that_comes_too_late_sends_nothing():
    """The time was up before it stood."""
    the_guard = guard()
    async with endpoint(answering(OK)) as seen:

        def call() -> None:
            with session(the_guard) as made, cut_off(60) as cutoff:
                cutoff.cut()
                made.post(f"http://127.0.0.1:{seen.port}/", data="secret", timeout=5)

        with pytest.raises(requests.ConnectionError):
            await asyncio.to_thread(call)
        assert seen.requests == []
    the_guard.close()
