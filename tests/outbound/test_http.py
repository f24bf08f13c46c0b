"""One POST: what is sent, what is kept of the answer, and where it may go."""

import asyncio
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.model.message import AttemptResult as Result
from inkwire.outbound.answer import kept_headers, printable
from outbound.kit import (
    NOW,
    OK,
    Names,
    answering,
    answering_once,
    endpoint,
    guard,
    hang_at_head,
    outbound,
    post,
)


async def test_a_delivery_arrives_as_it_was_given():
    """Body byte for byte, the caller's headers, no compression, nothing of aiohttp's own."""
    body = bytes(range(256)) * 4
    async with endpoint(answering(OK)) as seen, outbound() as sender:
        got = await post(
            sender,
            seen.url + "?a=%2F&b=1#part",
            body=body,
            headers=(("X-BoxC-Topic", "orders_status"), ("User-Agent", "Hub/1")),
        )
    assert (got.result, got.detail, got.status) == (Result.OK, "", 200)
    assert (got.response_body, got.truncated, got.remote) == (b"ok", False, "127.0.0.1")
    assert got.started_at == NOW and got.retry_after_s is None
    assert 0 < got.connect_s < got.head_s < got.duration_s < 5
    [(head, arrived)] = seen.requests
    assert arrived == body
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook?a=%2F&b=1 HTTP/1.1"
    assert sorted(f"{name}: {value}" for name, value in got.request_headers) == sorted(lines[1:-2])
    assert dict(got.request_headers) == {
        "Host": f"127.0.0.1:{seen.port}",
        "X-BoxC-Topic": "orders_status",
        "User-Agent": "Hub/1",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "Content-Length": "1024",
    }


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("", "/"),
        ("?x=1", "/?x=1"),
        ("/a%2Fb/../c;d=e?sig=%2b%2B%3D&a+b=~", "/a%2Fb/../c;d=e?sig=%2b%2B%3D&a+b=~"),
        ("/größe?ü=1", "/gr%C3%B6%C3%9Fe?%C3%BC=1"),
    ],
)
async def test_path_and_query_are_sent_as_registered(written, sent):
    """Signed queries survive: what is quoted stays so, only what must be is quoted."""
    async with endpoint(answering(OK)) as seen, outbound() as sender:
        await post(sender, f"http://127.0.0.1:{seen.port}{written}")
    assert seen.requests[0][0].startswith(f"POST {sent} HTTP/1.1\r\n".encode())


async def test_a_large_body_arrives_whole():
    """A body of several MiB goes out in pieces, with its length."""
    body = b"0123456789abcdef" * (3 << 16)
    async with endpoint(answering(OK)) as seen, outbound() as sender:
        got = await post(sender, seen.url, body=body)
    assert got.result is Result.OK
    assert seen.requests[0][1] == body


async def test_a_webhook_cannot_take_over_the_connection_by_its_headers():
    """Host, lengths, Expect and the like are ours; line breaks and odd names are refused."""
    mean = (("hOsT", "inner"), ("Content-Length", "1"), ("Transfer-Encoding", "chunked"))
    async with endpoint(answering(OK)) as seen, outbound() as sender:
        got = await post(sender, seen.url, headers=(*mean, ("Expect", "100-continue")))
        assert got.result is Result.OK
        head = seen.requests[0][0].lower()
        assert b"inner" not in head and b"expect" not in head and b"chunked" not in head
        for pair in (("X", "a\r\nY: b"), ("X\r\nY", "b"), ("X Y", "b"), ("", "b"), ("X", "\x00")):
            got = await post(sender, seen.url, headers=(pair,))
            assert got.result is Result.INTERNAL
            assert got.request_headers == ()
    assert len(seen.requests) == 1


async def test_connections_are_kept_and_cookies_are_not():
    """Several deliveries share one connection; what an endpoint sets does not come back to it."""
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with endpoint(answering(answer)) as seen, outbound() as sender:
        for _ in range(3):
            assert (await post(sender, seen.url)).result is Result.OK
    assert seen.connections == 1
    assert all(b"cookie" not in head.lower() for head, _ in seen.requests)


def closes_when_told(told, closed):
    """The port of an endpoint on a thread: one answer, then it closes the connection when told."""
    server = socket.create_server(("127.0.0.1", 0))
    requests = []

    def serve():
        with server:
            for last in (False, True):
                connection, _ = server.accept()
                with connection:
                    requests.append(connection.recv(65536))
                    connection.sendall(OK)
                    assert last or told.wait(60)
                closed.set()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return server.getsockname()[1], requests, thread


async def test_an_idle_connection_that_the_endpoint_closed_is_no_failed_attempt():
    """Also if the loop has not heard of it yet: the request goes over a new one, and only there."""
    told, closed = threading.Event(), threading.Event()
    port, requests, thread = closes_when_told(told, closed)
    async with outbound() as sender:
        first = await post(sender, f"http://127.0.0.1:{port}/hook")
        told.set()
        assert closed.wait(60)  # the loop stands still meanwhile
        second = await post(sender, f"http://127.0.0.1:{port}/hook")
    thread.join(60)
    assert first.result is second.result is Result.OK
    assert len(requests) == 2


async def test_what_an_endpoint_took_is_not_sent_again_unseen():
    """It closed without an answer: one attempt that failed, to be repeated by the schedule."""

    async def once_then_close(seen, reader, writer):
        await seen.take(reader)
        writer.write(OK)
        await writer.drain()
        await seen.take(reader)  # the second request on this connection gets no answer

    async with endpoint(once_then_close) as seen, outbound() as sender:
        first = await post(sender, seen.url)
        second = await post(sender, seen.url)
    assert (first.result, second.result) == (Result.OK, Result.RESET)
    assert seen.connections == 1 and len(seen.requests) == 2


async def test_an_answer_before_the_end_of_a_large_body_counts():
    """413 at the head: recorded as such, the rest is not sent, and the connection is given up."""
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"

    async def refuse(seen, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal)
        await asyncio.Event().wait()

    async with endpoint(refuse) as seen, outbound() as sender:
        got = await post(sender, seen.url, body=b"x" * (32 << 20))
        assert (got.status, got.response_body, got.truncated) == (413, b"no", False)
        again = await post(sender, seen.url)
    assert again.status == 413 and seen.connections == 2


async def test_a_large_body_that_nobody_reads_costs_the_timeout():
    """The rest of it is not written on."""

    async def deaf(seen, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.Event().wait()

    async with endpoint(deaf) as seen, outbound() as sender:
        got = await post(sender, seen.url, body=b"x" * (32 << 20), timeout_s=0.3)
        await asyncio.sleep(0)
        running = [task.get_name() for task in asyncio.all_tasks() if "_write" in repr(task)]
    assert got.result is Result.TIMEOUT and "did not answer" in got.detail
    assert running == []


async def test_many_at_once_share_nothing_but_the_connector():
    """A hanging endpoint holds up no other, and each exchange reports its own."""
    async with (
        endpoint(hang_at_head) as dead,
        endpoint(answering(OK)) as alive,
        outbound() as sender,
    ):
        hanging = [asyncio.create_task(post(sender, dead.url, timeout_s=60)) for _ in range(50)]
        while len(dead.requests) < 50:
            await asyncio.sleep(0.01)
        good = await asyncio.gather(*(post(sender, alive.url) for _ in range(50)))
        assert not any(one.done() for one in hanging)
        assert all(one.result is Result.OK for one in good)
        for one in hanging:
            one.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


@pytest.mark.parametrize(
    "url",
    [
        *("http://10.0.0.1/", "http://[::1]/", "http://[::ffff:169.254.169.254]/", "http://0/"),
        *("http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/"),
        *(
            "http://１２７.0.0.1/",
            "http://①②⑦.0.0.1/",
            "http://127.0.0.1./",
            "http://127。0。0。1/",
        ),
        *(
            "http://localhost/",
            "http://LOCALHOST./",
            "http://x.localhost/",
            "http://[fe80::1%25lo]/",
        ),
        *(
            "http://user:pass@8.8.8.8/",
            "http://user@8.8.8.8/",
            "ftp://8.8.8.8/",
            "file:///etc/passwd",
        ),
        *("http://", "", "//8.8.8.8/", "http://8.8.8.8:99999/", "http://8.8.8.8:0/", "http://a b/"),
        *(
            "http://8.8.8.8/\r\nX: y",
            "http://a.com\\@8.8.8.8/",
            "http://[::1",
            "unix:///run/x.sock",
        ),
        *("http://100.100.100.200/", "http://metadata.google.internal/", "HTTP://2852039166/"),
    ],
)
async def test_addresses_that_nothing_is_sent_to(url):
    """Every disguise of an internal address ends as BLOCKED with a sentence, before any packet."""
    names = Names()
    async with outbound(guard("", names)) as sender:
        got = await post(sender, url)
    assert got.result is Result.BLOCKED, got
    assert got.detail.endswith(".") and "pass@" not in got.detail
    assert got.remote is None and got.connect_s is None and names.asked == []


async def test_only_the_checked_address_is_connected_to():
    """Rebinding: first public, then private. The first answer alone is used, once per connection."""
    async with endpoint(answering_once(OK)) as seen:
        names = Names(re_test=[["127.0.0.1"], ["127.0.0.2"]])
        async with outbound(guard("127.0.0.1/32", names)) as sender:
            got = await post(sender, f"http://re.test:{seen.port}/")
            assert (got.result, got.remote) == (Result.OK, "127.0.0.1")
            assert names.asked == ["re.test"]
            await asyncio.sleep(0)
            again = await post(sender, f"http://re.test:{seen.port}/")
            assert again.result is Result.BLOCKED
            assert "re.test resolves to a loopback address" in again.detail
    assert seen.connections == 1
    assert b"Host: re.test:" in seen.requests[0][0]


async def test_a_mixed_answer_is_refused_whatever_its_order():
    """One private address refuses the name, though the allowed one stands first."""
    async with endpoint(answering(OK)) as seen:
        for answer in (["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"]):
            async with outbound(guard("127.0.0.1/32", Names(mix_test=[answer]))) as sender:
                got = await post(sender, f"http://mix.test:{seen.port}/")
            assert got.result is Result.BLOCKED
    assert seen.connections == 0


async def test_the_socket_is_the_last_gate():
    """Were everything before it passed by, no socket is made for a refused address."""
    from inkwire.outbound.connecting import TRIP, Connector, Trip

    trip = Trip(0.0)
    token = TRIP.set(trip)
    connector = Connector(guard=guard(""), tls=None, keep_alive_s=1)
    try:
        with pytest.raises(PermissionError):
            connector._socket((2, 1, 6, "", ("127.0.0.1", 80)))
        assert trip.refused is not None
    finally:
        TRIP.reset(token)
        await connector.close()


async def test_a_name_that_does_not_resolve_is_dns():
    """DNS has its own result, and the sentence names the name."""
    async with outbound() as sender:
        got = await post(sender, "http://nowhere.test/")
    assert got.result is Result.DNS
    assert "nowhere.test:80 does not resolve (there is no such name)" in got.detail


async def test_a_name_server_that_hangs_costs_one_lookup_and_the_timeout():
    """Deliveries to one dead name share a lookup, and other names are found meanwhile."""
    import threading

    free = threading.Event()
    asked = []

    def resolver(host, port):
        asked.append(host)
        if host == "dead.test":
            free.wait(10)
        return ["127.0.0.1"]

    async with endpoint(answering(OK)) as seen, outbound(guard(resolver=resolver)) as sender:
        hanging = [
            post(sender, "http://dead.test/", timeout_s=0.4, connect_timeout_s=0.3)
            for _ in range(40)
        ]
        *dead, good = await asyncio.gather(*hanging, post(sender, f"http://ok.test:{seen.port}/"))
        free.set()
    assert good.result is Result.OK
    assert asked.count("dead.test") == 1
    assert {one.result for one in dead} == {Result.TIMEOUT}
    assert "The name of dead.test:80 was not resolved within 0.3 s" in dead[0].detail


async def test_what_is_kept_of_the_answer_is_bounded_text():
    """Headers are limited in number and bytes, and never hold what a store cannot keep."""
    many = b"".join(b"X-%d: a\r\n" % number for number in range(120))
    odd = b"X-Odd: caf\xe9 \xff\xed\xa0\x80\r\n"
    answer = b"HTTP/1.1 200 OK\r\n" + odd + many + b"Content-Length: 0\r\n\r\n"
    async with endpoint(answering(answer)) as seen, outbound() as sender:
        got = await post(sender, seen.url)
    assert got.result is Result.OK and len(got.response_headers) == 100
    for name, value in got.response_headers:
        (name + value).encode("utf-8")
    large = kept_headers([(b"X", b"v" * 8000)] * 50)
    assert len(large) == 2


@given(st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=200)), max_size=8))
def test_any_header_becomes_text_for_the_store(raw):
    """No NUL, no control character, no lone surrogate, from any bytes."""
    for pair in kept_headers(raw):
        for text in pair:
            assert "\x00" not in text
            text.encode("utf-8")
            assert text == printable(text, 10_000)


async def test_unusable_settings_are_said_at_the_start(tmp_path):
    """A proxy that is no URL and a CA file that is none stop the worker with a sentence."""
    from inkwire.errors import ConfigError

    (tmp_path / "empty.pem").write_text("nothing")
    for options, name in (
        ({"proxy": "proxy:3128"}, "INKWIRE_OUTBOUND_PROXY"),
        ({"proxy": "socks5://proxy:3128"}, "INKWIRE_OUTBOUND_PROXY"),
        ({"ca_file": tmp_path / "none.pem"}, "INKWIRE_OUTBOUND_CA_FILE"),
        ({"ca_file": tmp_path / "empty.pem"}, "INKWIRE_OUTBOUND_CA_FILE"),
    ):
        with pytest.raises(ConfigError, match=name):
            outbound(**options)
