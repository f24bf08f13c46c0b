"""TLS: certificates are checked for the name of the address, and each fault is named."""

import pytest

from inkwire.model.message import AttemptResult as Result
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
    reset,
    server_tls,
)

NAMES = {"hooks_test": [["127.0.0.1"]], "hooks_test_": [["127.0.0.1"]]}


@pytest.fixture
def ca(tmp_path):
    """An authority, with its file."""
    made = authority()
    (tmp_path / "ca.pem").write_bytes(made.pem)
    return made


def sender(tmp_path, **options):
    """An Outbound that trusts the authority and knows hooks.test."""
    return outbound(guard(resolver=Names(**NAMES)), ca_file=tmp_path / "ca.pem", **options)


async def test_a_certificate_for_the_name_is_accepted_though_the_address_is_connected_to(
    tmp_path, ca
):
    """SNI and the certificate's name are those of the URL's host, not of the checked address."""
    asked = []
    tls = server_tls(tmp_path, ["hooks.test"], ca)
    tls.sni_callback = lambda sock, name, context: asked.append(name)
    async with endpoint(answering(OK), tls) as seen, sender(tmp_path) as out:
        got = await post(out, f"https://hooks.test:{seen.port}/")
        dotted = await post(out, f"https://hooks.test.:{seen.port}/")
    assert got.result is Result.OK, got
    assert got.remote == "127.0.0.1"
    assert asked[0] == "hooks.test"
    assert f"Host: hooks.test:{seen.port}\r\n".encode() in seen.requests[0][0]
    assert dotted.result is Result.OK, dotted


async def test_a_certificate_for_an_ip_address_is_accepted(tmp_path, ca):
    """A literal in the address needs a certificate that names it."""
    tls = server_tls(tmp_path, ["127.0.0.1"], ca)
    async with endpoint(answering(OK), tls) as seen, sender(tmp_path) as out:
        got = await post(out, f"https://127.0.0.1:{seen.port}/")
    assert got.result is Result.OK, got


@pytest.mark.parametrize(
    ("names", "days", "signed", "words"),
    [
        (["hooks.test"], (-30, -1), True, "has expired; renew it"),
        (["hooks.test"], (5, 30), True, "is not valid yet"),
        (["other.test"], (-1, 30), True, "is for another name"),
        (["127.0.0.1"], (-1, 30), True, "is for another name"),
        (["hooks.test"], (-1, 30), False, "is self-signed"),
    ],
)
async def test_each_bad_certificate_is_refused_with_its_reason(
    tmp_path, ca, names, days, signed, words
):
    """Expired, too early, another name, self-signed: TLS, each said; no request goes out."""
    tls = server_tls(tmp_path, names, ca if signed else None, days)
    async with endpoint(answering(OK), tls) as seen, sender(tmp_path) as out:
        got = await post(out, f"https://hooks.test:{seen.port}/")
    assert got.result is Result.TLS, got
    assert words in got.detail and got.detail.startswith(f"TLS with hooks.test:{seen.port} failed")
    assert seen.requests == [] and got.connect_s is None


async def test_an_unknown_authority_is_refused(tmp_path, ca):
    """Without the extra CA file, the same certificate is not trusted, and the setting is named."""
    tls = server_tls(tmp_path, ["hooks.test"], ca)
    async with (
        endpoint(answering(OK), tls) as seen,
        outbound(guard(resolver=Names(**NAMES))) as out,
    ):
        got = await post(out, f"https://hooks.test:{seen.port}/")
    assert got.result is Result.TLS
    assert "INKWIRE_OUTBOUND_CA_FILE" in got.detail


async def test_a_port_without_tls(tmp_path, ca):
    """https to a server that speaks plain HTTP, and one that resets the handshake, is TLS."""

    async def slam(seen, reader, writer):
        await reader.read(1)
        reset(writer)

    async def plain(seen, reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    for behaviour in (slam, plain):
        async with endpoint(behaviour) as seen, sender(tmp_path) as out:
            got = await post(out, f"https://hooks.test:{seen.port}/")
        assert got.result is Result.TLS, got
        assert "check that this port speaks TLS" in got.detail


async def test_plain_http_to_a_tls_port(tmp_path, ca):
    """http to a TLS server is an answer that is no HTTP, or a cut connection; never OK."""
    tls = server_tls(tmp_path, ["hooks.test"], ca)
    async with endpoint(answering(OK), tls) as seen, sender(tmp_path) as out:
        got = await post(out, f"http://hooks.test:{seen.port}/")
    assert got.result in {Result.PROTOCOL, Result.RESET}


async def test_a_handshake_that_hangs_ends_at_the_connect_timeout(tmp_path, ca):
    """TLS is part of connecting."""
    async with endpoint(hang_at_accept) as seen, sender(tmp_path) as out:
        got = await post(out, f"https://hooks.test:{seen.port}/", connect_timeout_s=0.3)
    assert got.result is Result.TIMEOUT
    assert "came about within 0.3 s" in got.detail and got.duration_s < 4.5
