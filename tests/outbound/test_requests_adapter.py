"""The guarded `requests` session: connects to checked addresses only, follows nothing, is bounded."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

import pytest
import requests
from urllib3.exceptions import NewConnectionError

from fakes.box_server import BoxServer, Reply
from inkwire.errors import AddressRefused, ConfigError, Permanent
from inkwire.outbound.guard import Guard
from inkwire.outbound.requests_adapter import session
from outbound.kit import (
    OK,
    answering,
    answering_once,
    authority,
    endpoint,
    guard,
    proxy,
    server_tls,
)

MOVED = (
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/next\r\nSet-Cookie: a=b\r\n"
    b"Content-Length: 0\r\n\r\n"
)


@asynccontextmanager
async def opened(the_guard: Guard, **options):
    """A session whose calls run on a thread, so that the endpoints' loop goes on."""
    with session(the_guard, **options) as made:

        async def call(method: str, url: str, **more):
            def do():
                answer = made.request(method, url, timeout=5, stream=True, **more)
                with answer:
                    return answer, b"".join(answer.iter_content(65536))

            return await asyncio.to_thread(do)

        yield call
    the_guard.close()


async def test_a_name_is_resolved_once_and_its_checked_address_taken():
    """Between check and connection no second lookup can slip another address in."""
    asked = []

    def resolver(host, port):
        asked.append(host)
        return ["127.0.0.1"]

    async with endpoint(answering(OK)) as seen, opened(guard(resolver=resolver)) as call:
        answer, body = await call("GET", f"http://api.test:{seen.port}/x")
    assert body == b"ok" and asked == ["api.test"]
    assert f"Host: api.test:{seen.port}".lower().encode() in seen.requests[0][0].lower()
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/", "http://[::1]:1/", "http://0x7f.1/", "http://localhost/", "http://inside.test/",
     "http://169.254.169.254/latest", "ftp://example.com/", "http://u:p@example.com/", "http://both.test/"],
)  # fmt: skip
async def test_addresses_inside_are_refused(url):
    """Literals in disguise, names that lead inside, one bad address among good ones, credentials."""

    def resolver(host, port):
        return {"inside.test": ["192.168.1.1"], "both.test": ["93.184.216.34", "10.0.0.1"]}[host]

    strict = Guard((), resolver)
    async with opened(strict) as call:
        with pytest.raises((AddressRefused, requests.exceptions.InvalidSchema)):
            await call("GET", url)


def test_the_certificate_is_for_the_name(tmp_path):
    """Though an address is connected to, TLS names and checks the host; nobody can say not to."""
    ca = authority()
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    server = BoxServer(server_tls(tmp_path, ["api.test"], ca))
    server.on("GET", "/", Reply(body=b"ok"))
    loopback = guard(resolver=lambda host, port: ["127.0.0.1"])
    at = f"api.test:{server.port}/"
    with session(loopback) as untrusting, session(loopback, ca_file=tmp_path / "ca.pem") as made:
        assert made.get(f"https://{at}", timeout=5).content == b"ok"
        with pytest.raises(requests.ConnectionError) as raised:
            made.get(f"https://other.{at}", timeout=5)
        assert isinstance(raised.value.args[0].reason, NewConnectionError), "surely not sent"
        with pytest.raises(requests.ConnectionError):
            untrusting.get(f"https://{at}", timeout=5, verify=False)
    assert len(server.seen) == 1
    server.close()
    loopback.close()


async def test_no_redirect_is_followed_and_no_cookie_kept():
    """Whoever follows decides what goes along; Authorization never goes by itself."""
    async with endpoint(answering(MOVED)) as seen, opened(guard()) as call:
        for _ in range(2):
            answer, _ = await call(
                "GET", f"http://127.0.0.1:{seen.port}/", headers={"Authorization": "B x"}
            )
            assert answer.status_code == 302
    assert len(seen.requests) == 2
    assert b"cookie" not in seen.requests[1][0].lower()


async def test_an_answer_is_cut_at_its_limit():
    """Also one that is small on the wire and large when unpacked."""
    import gzip

    packed = gzip.compress(bytes(3_000_000))
    bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (
        len(packed),
        packed,
    )
    async with endpoint(answering(bomb)) as seen, opened(guard(), max_answer=1024 * 1024) as call:
        with pytest.raises(Permanent):
            await call("GET", f"http://127.0.0.1:{seen.port}/")


async def test_a_dropped_request_is_not_repeated():
    """Nothing is sent twice by the transport, also on a kept connection."""
    async with endpoint(answering_once(OK)) as seen, opened(guard()) as call:
        await call("POST", f"http://127.0.0.1:{seen.port}/", data=b"1")

    async def drop(seen, reader, writer):
        await seen.take(reader)

    async with endpoint(drop) as seen, opened(guard()) as call:
        with pytest.raises(requests.ConnectionError):
            await call("POST", f"http://127.0.0.1:{seen.port}/", data=b"1")
    assert len(seen.requests) == 1


async def test_as_many_connections_are_kept_as_runs_were_in_flight():
    """One that is not kept costs a handshake at the next request, and a line in the log each."""
    count = 12
    all_here = asyncio.Barrier(count)

    async def together(seen, reader, writer):
        while await seen.take(reader):
            await all_here.wait()
            writer.write(OK)

    loop = asyncio.get_running_loop()
    async with endpoint(together) as seen:
        with session(guard()) as made, ThreadPoolExecutor(count) as threads:
            for _ in range(2):
                get = partial(made.get, seen.url, timeout=20)
                answers = [loop.run_in_executor(threads, get) for _ in range(count)]
                assert {one.status_code for one in await asyncio.gather(*answers)} == {200}
        assert seen.connections == count


@pytest.mark.parametrize(
    ("url", "goes"),
    [("http://sandbox.test:{port}/", True), ("http://127.0.0.1:{port}/", True),
     ("http://public.test:{port}/", False), ("http://api.vendor.test:{port}/", False),
     ("http://notvendor.test:{port}/", False)],
)  # fmt: skip
async def test_credentials_stay_with_the_vendor(url, goes):
    """With domains: the vendor's hosts by https, and what the operator has allowed, nothing else."""

    def resolver(host, port):
        return ["127.0.0.1"] if host == "sandbox.test" else ["93.184.216.34"]

    async with (
        endpoint(answering(OK)) as seen,
        opened(guard(resolver=resolver), domains=("vendor.test",)) as call,
    ):
        if goes:
            assert (await call("GET", url.format(port=seen.port)))[1] == b"ok"
        else:
            with pytest.raises(AddressRefused):
                await call("GET", url.format(port=seen.port))
            assert seen.requests == []


async def test_the_proxy_takes_all(tmp_path):
    """Names are the proxy's to resolve; spelling and the vendor's domains are still judged here."""
    ca = authority()
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    tls = server_tls(tmp_path, ["api.vendor.test"], ca)
    async with (
        endpoint(answering(OK), tls) as seen,
        endpoint(proxy(target_port=seen.port)) as relay,
        opened(
            Guard((), None),
            domains=("vendor.test",),
            proxy=f"http://127.0.0.1:{relay.port}",
            ca_file=tmp_path / "ca.pem",
        ) as call,
    ):
        _, body = await call("GET", "https://api.vendor.test/x", headers={"Authorization": "B x"})
        assert body == b"ok"
        assert relay.requests[0][0].startswith(b"CONNECT api.vendor.test:443 ")
        assert b"authorization" not in relay.requests[0][0].lower()
        for url in ("https://evil.test/", "https://10.0.0.1/"):
            with pytest.raises(AddressRefused):
                await call("GET", url)
    assert len(relay.requests) == 1


def test_a_bad_authority_file_is_a_setting_to_mend(tmp_path):
    """The operator reads which setting it is."""
    with pytest.raises(ConfigError) as raised:
        session(guard(), ca_file=tmp_path / "none.pem")
    assert "INKWIRE_OUTBOUND_CA_FILE" in raised.value.message
