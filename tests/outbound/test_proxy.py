"""Through an egress proxy: it resolves, the spelling is still checked, and its faults are its own."""

import asyncio

import pytest

from inkwire.model.message import AttemptResult as Result
from inkwire.outbound.guard import Guard
from outbound.kit import (
    OK,
    Names,
    answering,
    authority,
    endpoint,
    guard,
    hang_at_accept,
    outbound,
    post,
    proxy,
    server_tls,
)


def strict() -> Guard:
    """A guard that allows nothing inside and resolves nothing."""
    return Guard((), None)


async def test_https_goes_through_a_tunnel_and_is_checked_end_to_end(tmp_path):
    """CONNECT names the host, the proxy resolves it, the certificate is the endpoint's."""
    ca = authority()
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    tls = server_tls(tmp_path, ["hooks.test"], ca)
    async with (
        endpoint(answering(OK), tls) as seen,
        endpoint(proxy(target_port=seen.port)) as relay,
    ):
        at = f"http://127.0.0.1:{relay.port}"
        async with outbound(strict(), proxy=at, ca_file=tmp_path / "ca.pem") as sender:
            got = await post(sender, "https://hooks.test/x")
            wrong = await post(sender, "https://other.test/x")
        assert got.result is Result.OK, got
        assert relay.requests[0][0].startswith(b"CONNECT hooks.test:443 HTTP/1.1\r\n")
        assert b"webhook-id" not in relay.requests[0][0], "the proxy sees no header of ours"
    assert wrong.result is Result.TLS and "another name" in wrong.detail
    assert len(seen.requests) == 1


async def test_http_is_forwarded():
    """Plain http goes to the proxy with its absolute address."""
    async with (
        endpoint(answering(OK)) as seen,
        endpoint(proxy(target_port=seen.port)) as relay,
        outbound(strict(), proxy=f"http://127.0.0.1:{relay.port}") as sender,
    ):
        got = await post(sender, "http://hooks.test/x")
    assert got.result is Result.OK, got
    assert relay.requests[0][0].startswith(b"POST http://hooks.test/x HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "url",
    [
        *("http://10.0.0.1/", "https://0x7f.1/", "http://localhost/", "https://[::1]/"),
        *("http://169.254.169.254/", "http://metadata.google.internal/", "https://x.localhost/"),
    ],
)
async def test_what_can_be_seen_by_its_spelling_never_reaches_the_proxy(url):
    """A proxy is no way round the guard for literals and names of this machine."""
    async with (
        endpoint(proxy()) as relay,
        outbound(strict(), proxy=f"http://127.0.0.1:{relay.port}") as sender,
    ):
        got = await post(sender, url)
    assert got.result is Result.BLOCKED
    assert relay.connections == 0


@pytest.mark.parametrize(
    ("status", "words"), [(403, "rules forbid"), (407, "user and password"), (502, "not reach it")]
)
async def test_a_proxy_that_refuses_is_not_the_endpoints_fault(status, words):
    """403, 407 and 502 to CONNECT are PROXY with a sentence for the operator."""
    answer = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status
    async with (
        endpoint(proxy(answer)) as relay,
        outbound(strict(), proxy=f"http://127.0.0.1:{relay.port}") as sender,
    ):
        got = await post(sender, "https://hooks.test/")
    assert got.result is Result.PROXY, got
    assert words in got.detail and f"answered {status}" in got.detail


async def test_407_from_the_end_of_a_tunnel_is_the_endpoints(tmp_path):
    """The proxy sees nothing of it, so it cannot have been its answer."""
    ca = authority()
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    tls = server_tls(tmp_path, ["hooks.test"], ca)
    answer = b"HTTP/1.1 407 Auth\r\nContent-Length: 0\r\n\r\n"
    async with (
        endpoint(answering(answer), tls) as seen,
        endpoint(proxy(target_port=seen.port)) as relay,
    ):
        at = f"http://127.0.0.1:{relay.port}"
        async with outbound(strict(), proxy=at, ca_file=tmp_path / "ca.pem") as sender:
            got = await post(sender, "https://hooks.test/x")
    assert (got.result, got.status) == (Result.STATUS, 407), got
    assert "407" in got.detail and "proxy" not in got.detail


async def test_407_to_a_forwarded_request_is_the_proxys():
    """An endpoint has no reason to answer 407, and a proxy that forwards has."""
    answer = b"HTTP/1.1 407 Auth\r\nContent-Length: 0\r\n\r\n"
    async with (
        endpoint(proxy(answer)) as relay,
        outbound(strict(), proxy=f"http://127.0.0.1:{relay.port}") as sender,
    ):
        got = await post(sender, "http://hooks.test/")
    assert (got.result, got.status) == (Result.PROXY, 407)


async def test_a_proxy_that_is_down_or_breaks_off():
    """Nothing listens, or the tunnel is cut before it stands: PROXY; its password is not shown."""

    async def slam(seen, reader, writer):
        await reader.readuntil(b"\r\n\r\n")

    async with endpoint(slam) as relay:
        at = f"http://user:s3cret@127.0.0.1:{relay.port}"
        async with outbound(strict(), proxy=at) as sender:
            cut = await post(sender, "https://hooks.test/")
    async with outbound(strict(), proxy=at) as sender:
        down = [await post(sender, f"{scheme}://hooks.test/") for scheme in ("http", "https")]
    async with outbound(strict(), proxy="http://127.0.0.1.nowhere.invalid:3128") as sender:
        lost = await post(sender, "https://hooks.test/")
    for got in (cut, *down, lost):
        assert got.result is Result.PROXY, got
        assert "INKWIRE_OUTBOUND_PROXY" in got.detail and "s3cret" not in repr(got)


async def test_a_tunnel_that_hangs_is_a_timeout_of_the_endpoint():
    """The proxy took the connection, so the endpoint behind it is what does not answer."""
    async with (
        endpoint(hang_at_accept) as relay,
        outbound(strict(), proxy=f"http://127.0.0.1:{relay.port}") as sender,
    ):
        got = await post(sender, "https://hooks.test/", connect_timeout_s=0.3)
    assert got.result is Result.TIMEOUT, got


async def test_a_proxy_that_takes_no_connection_is_the_proxys_fault():
    """Before the TCP connection to the proxy stands, nothing says anything about the endpoint."""
    import socket

    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    port = full.getsockname()[1]
    waiting = []
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
        waiting.append(one)
    try:
        async with outbound(strict(), proxy=f"http://127.0.0.1:{port}") as sender:
            got = await post(sender, "https://hooks.test/", connect_timeout_s=0.2)
    finally:
        for one in (*waiting, full):
            one.close()
    assert got.result is Result.PROXY, got


async def test_the_proxys_password_goes_to_the_proxy_alone():
    """Userinfo of the setting becomes Proxy-Authorization and reaches no endpoint through CONNECT."""
    async with endpoint(proxy(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")) as relay:
        at = f"http://user:pass@127.0.0.1:{relay.port}"
        async with outbound(strict(), proxy=at) as sender:
            await post(sender, "https://hooks.test/")
    assert b"Proxy-Authorization: Basic dXNlcjpwYXNz\r\n" in relay.requests[0][0]


async def test_a_proxy_that_passes_on_hears_its_password_with_each_request():
    """On kept connections too; it is the operator's, so no attempt shows it."""
    async with (
        endpoint(answering(OK)) as relay,
        outbound(strict(), proxy=f"http://user:pass@127.0.0.1:{relay.port}") as sender,
    ):
        got = [await post(sender, f"http://hooks.test/{n}") for n in range(3)]
    assert relay.connections == 1
    heads = [head for head, _ in relay.requests]
    assert [head.split()[1] for head in heads] == [
        b"http://hooks.test/0",
        b"http://hooks.test/1",
        b"http://hooks.test/2",
    ]
    assert all(head.count(b"Proxy-Authorization: Basic dXNlcjpwYXNz\r\n") == 1 for head in heads)
    assert all("dXNlcjpwYXNz" not in str(one.request_headers) for one in got)


async def test_a_guard_behind_a_proxy_looks_nothing_up():
    """When a webhook is made, names pass unseen: the proxy will resolve them."""
    names = Names()
    assert strict().look("hooks.test", 443) is None
    assert strict().look("127.0.0.1", 443) is not None
    assert guard("", names).look("hooks.test", 443) is None and names.asked == ["hooks.test"]
    await asyncio.sleep(0)
