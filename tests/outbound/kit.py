"""Endpoints on real sockets that misbehave on purpose, certificates, and a small proxy."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from inkwire.clock import ManualClock
from inkwire.outbound.guard import Guard
from inkwire.outbound.http import Outbound
from inkwire.outbound.networks import networks

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Behaviour = Callable[["Endpoint", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Endpoint:
    """A server on 127.0.0.1 and what it saw."""

    port: int = 0
    connections: int = 0
    #: Each request's head and body.
    requests: list[tuple[bytes, bytes]] = field(default_factory=list)
    #: Bytes that it could write before the other side stopped.
    written: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def take(self, reader: asyncio.StreamReader) -> bool:
        """Reads one request; False at the end of the connection."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.requests.append((head, await reader.readexactly(length)))
        return True


@asynccontextmanager
async def endpoint(
    behaviour: Behaviour, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Endpoint]:
    """Runs `behaviour` for every connection; ends all of them when left."""
    seen = Endpoint()
    open_: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
    over = False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behaviour(seen, reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Called with the connection, not in a task of its own: one that is cancelled before its
        # first step would leave a connection that nobody closes.
        if over:
            writer.transport.abort()
            return
        seen.connections += 1
        open_[writer] = asyncio.create_task(serve(reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        # First no new connections, and a turn of the loop for each step of one that was just taken:
        # asyncio drops a connection unclosed whose server is closed between these steps.
        for listening in server.sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        over = True
        server.close()
        for task in open_.values():
            task.cancel()
        await asyncio.gather(*open_.values(), return_exceptions=True)
        for writer in open_:
            writer.transport.abort()


def answering(answer: bytes) -> Behaviour:
    """Gives every request of a connection the same bytes."""

    async def behave(seen, reader, writer):
        while await seen.take(reader):
            writer.write(answer)
            await writer.drain()

    return behave


def answering_once(answer: bytes) -> Behaviour:
    """Gives one request these bytes, then closes."""

    async def behave(seen, reader, writer):
        await seen.take(reader)
        writer.write(answer)
        await writer.drain()

    return behave


async def hang_at_accept(seen, reader, writer):
    """Takes the connection and never reads."""
    await asyncio.Event().wait()


async def hang_at_head(seen, reader, writer):
    """Reads the request and says nothing."""
    await seen.take(reader)
    await asyncio.Event().wait()


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends the connection with RST."""
    import socket
    import struct

    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Names:
    """A resolver for tests: each name has a list of answers, the last one stays."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(each) for name, each in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        import socket

        try:
            answers = self._answers[host]
        except KeyError:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        return answers.pop(0) if len(answers) > 1 else answers[0]


def guard(allow: str = "127.0.0.1/32", resolver=None) -> Guard:
    """A guard that lets requests reach loopback, and knows no name."""
    return Guard(networks(allow), resolver or Names())


def outbound(the_guard: Guard | None = None, **options) -> Outbound:
    """An Outbound for tests."""
    return Outbound(guard=the_guard or guard(), clock=ManualClock(NOW), **options)


async def post(sender: Outbound, url: str, **options):
    """A POST with short times unless said otherwise."""
    given = {
        "headers": (("webhook-id", "msg_1"),),
        "body": b'{"a":1}',
        "timeout_s": 5.0,
        "connect_timeout_s": 5.0,
    }
    return await sender.post(url, **(given | options))


@dataclass
class Authority:
    """A certificate authority that lives for a test."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def authority() -> Authority:
    """A new authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_named("test authority"))
        .issuer_name(_named("test authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=60))
        .not_valid_after(today + dt.timedelta(days=60))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate)


def server_tls(tmp_path, names: Sequence[str], issuer: Authority | None, days=(-1, 30)):
    """A server's TLS context with a certificate for `names`; issuer None: self-signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_named(names[0]))
        .issuer_name(issuer.certificate.subject if issuer else _named(names[0]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today + dt.timedelta(days=days[0]))
        .not_valid_after(today + dt.timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName(list(map(_alternative, names))), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(
                (issuer.key if issuer else key).public_key()
            ),
            critical=False,
        )
        .sign(issuer.key if issuer else key, hashes.SHA256())
    )
    file = tmp_path / f"leaf-{certificate.serial_number}.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def proxy(connect_answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n", target_port: int = 0) -> Behaviour:
    """A proxy for CONNECT and plain requests that leads every host to a port of loopback."""

    async def behave(seen, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"CONNECT "):
            seen.requests.append((head, b""))
            writer.write(connect_answer)
            await writer.drain()
            if b" 200 " not in connect_answer:
                return
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", target_port)
        else:
            seen.requests.append((head, b""))
            if b" 200 " not in connect_answer:
                writer.write(connect_answer)
                await writer.drain()
                return
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", target_port)
            to_writer.write(head)
        try:
            await asyncio.gather(_pump(reader, to_writer), _pump(to_reader, writer))
        finally:
            to_writer.close()

    return behave


async def _pump(reader, writer):
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()
