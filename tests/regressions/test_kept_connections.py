"""What the HTTP client's session made of kept connections.

An answer that came unasked over an idle connection was taken for that of the next request. And a
name that does not resolve was looked up three times: no connection was made, so the failure passed
for one of a kept connection.
"""

import asyncio

from inkwire.model.message import AttemptResult as Result
from outbound.kit import OK, Names, endpoint, guard, outbound, post


async def test_what_comes_unasked_over_a_kept_connection_answers_nothing():
    """A second answer to one request is not taken for that of the next one."""
    told = asyncio.Event()

    async def twice(seen, reader, writer):
        while await seen.take(reader):
            writer.write(OK)
            await writer.drain()
            if len(seen.requests) == 1:
                await told.wait()
                writer.write(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                writer.write_eof()  # so that the end is heard behind it

    async with endpoint(twice) as seen, outbound() as sender:
        assert (await post(sender, seen.url)).result is Result.OK
        [kept] = [proto for kind in sender._connector._conns.values() for proto, _ in kind]
        told.set()
        while not kept.should_close:
            await asyncio.sleep(0)
        assert (await post(sender, seen.url)).result is Result.OK
    assert seen.connections == 2 and len(seen.requests) == 2


async def test_a_name_that_does_not_resolve_is_asked_for_once():
    """Nothing was on its way over a kept connection, so there is nothing to repeat."""
    names = Names()
    async with outbound(guard(resolver=names)) as sender:
        await post(sender, "http://nowhere.test/")
    assert names.asked == ["nowhere.test"]
