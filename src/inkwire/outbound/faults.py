"""What went wrong with a request, as a result and a sentence that says what to look at. Pure."""

import errno
import socket
import ssl
from typing import NamedTuple

import aiohttp
from aiohttp.http import HttpProcessingError

from inkwire.errors import AddressRefused
from inkwire.model.message import AttemptResult
from inkwire.outbound.answer import printable


class Fault(NamedTuple):
    """How a request failed."""

    result: AttemptResult
    detail: str


_UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})
_NO_CA = "the hub does not know; send the whole chain, or add it to INKWIRE_OUTBOUND_CA_FILE"
#: OpenSSL's X509_V_ERR numbers.
_CERTIFICATES = {
    9: "its certificate is not valid yet; check the certificate and both clocks",
    10: "its certificate has expired; renew it",
    18: "its certificate is self-signed; use one of a public authority",
    19: f"its certificate comes from an authority that {_NO_CA}",
    20: f"its certificate comes from an authority that {_NO_CA}",
    21: f"its certificate comes from an authority that {_NO_CA}",
    23: "its certificate was revoked; renew it",
    62: "its certificate is for another name; it must name the host of the address",
    64: "its certificate is for another address; it must name the address that is called",
}


def fault_of(error: Exception, place: str, *, tls: bool) -> Fault:
    """The fault that an exception of the HTTP client means.

    `place`: host and port, for people. `tls`: whether the address is https. Time-outs are the
    caller's: only it knows how far the request was.
    """
    match error:
        case AddressRefused():
            return Fault(AttemptResult.BLOCKED, error.message)
        case aiohttp.ClientHttpProxyError():
            return Fault(AttemptResult.PROXY, _proxy_status(error.status, place))
        case aiohttp.ClientConnectorCertificateError():
            return Fault(AttemptResult.TLS, _certificate(error.certificate_error, place))
        case aiohttp.ClientConnectorDNSError():
            return Fault(
                AttemptResult.DNS,
                f"The name of {place} does not resolve ({_reason(error.os_error)}); "
                "check its spelling and its DNS records.",
            )
        case aiohttp.ClientConnectorSSLError():
            return Fault(AttemptResult.TLS, _handshake(error.os_error, place))
        case aiohttp.ClientConnectorError():
            return _not_connected(error.os_error, place, tls=tls)
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return Fault(AttemptResult.PROTOCOL, _no_http(error.message, place))
        case aiohttp.ClientPayloadError():
            return Fault(
                AttemptResult.RESET,
                f"{place} cut its answer off in the middle; check what closes connections there.",
            )
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            return Fault(
                AttemptResult.RESET,
                f"{place} closed the connection without an answer; check its logs for a crash.",
            )
        case aiohttp.ClientError() | OSError():
            return Fault(
                AttemptResult.RESET,
                f"The connection to {place} broke ({_reason(error)}); check its logs.",
            )
        case _:
            return Fault(
                AttemptResult.INTERNAL,
                f"The request could not be made ({type(error).__name__}): a fault of the hub; "
                "see its log.",
            )


def timed_out(stage: str, place: str, seconds: float) -> Fault:
    """The sentence of a time-out. `stage`: name, connect, head, body, proxy."""
    within = f"within {seconds:g} s"
    sentence = {
        "name": f"The name of {place} was not resolved {within}; check its name servers.",
        "connect": f"No connection to {place} came about {within}; "
        "check that it runs and that no firewall drops packets to it.",
        "head": f"{place} took the connection but did not answer {within}; "
        "answer first and work afterwards.",
        "body": f"{place} began its answer but did not end it {within}; answer with a short body.",
        "proxy": f"The egress proxy could not be reached {within}; "
        "the operator must look at INKWIRE_OUTBOUND_PROXY.",
    }[stage]
    return Fault(
        AttemptResult.PROXY if stage == "proxy" else AttemptResult.TIMEOUT,
        sentence[0].upper() + sentence[1:],
    )


def answered(status: int, location: str | None, place: str) -> Fault:
    """The sentence of an answer outside 200–299. `location`: its header Location."""
    if status == 410:
        return Fault(
            AttemptResult.GONE,
            f"{place} answered 410 Gone: it wants no more webhooks at this address.",
        )
    sentence = f"{place} answered {status}"
    if 300 <= status < 400:
        where = f" and pointed to {printable(location, 200)}" if location else ""
        sentence += f"{where}; redirects are not followed, register the final address."
    elif status in (401, 403):
        sentence += "; check the credentials and the signing key that it expects."
    elif status in (404, 405):
        sentence += "; check the path of the address, it must take POST."
    elif status == 429:
        sentence += "; it wants fewer requests, set a rate limit on the webhook."
    elif status >= 500:
        sentence += "; it failed, check its logs."
    else:
        sentence += "; only 200 to 299 counts as received."
    return Fault(AttemptResult.STATUS, sentence)


def proxy_failed(error: Exception) -> Fault:
    """The sentence of a proxy that could not be reached, or broke off before it connected."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return Fault(
        AttemptResult.PROXY,
        f"The egress proxy could not be reached, or failed ({_reason(cause)}); "
        "the operator must look at INKWIRE_OUTBOUND_PROXY.",
    )


def proxy_wants_password() -> Fault:
    """The sentence of a 407 to a request that the proxy passes on; there it is the proxy's."""
    return Fault(AttemptResult.PROXY, _proxy_status(407, "the endpoint"))


def _proxy_status(status: int, place: str) -> str:
    why = {
        403: "its rules forbid that",
        407: "it wants a user and password",
    }.get(status, "it could not reach it, or failed")
    return (
        f"The egress proxy answered {status} instead of connecting to {place}: {why}; "
        "the operator must look at the proxy."
    )


def _certificate(error: Exception, place: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _CERTIFICATES.get(error.verify_code)
        why = known or f"its certificate is not accepted ({printable(error.verify_message, 120)})"
    else:
        why = f"its certificate is not accepted ({printable(str(error), 120)})"
    return f"TLS with {place} failed: {why}."


def _handshake(error: OSError, place: str) -> str:
    why = getattr(error, "reason", None) or "the handshake broke off"
    hint = "check that this port speaks TLS 1.2 or newer"
    return f"TLS with {place} failed ({printable(str(why), 80)}); {hint}."


def _not_connected(cause: OSError, place: str, *, tls: bool) -> Fault:
    if isinstance(cause, (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)):
        if tls:
            return Fault(AttemptResult.TLS, _handshake(cause, place))
        return Fault(
            AttemptResult.RESET, f"{place} reset the connection at once; check what guards it."
        )
    if isinstance(cause, ConnectionRefusedError) or cause.errno == errno.ECONNREFUSED:
        why = "nothing listens there; check that it runs and that the port is right"
        return Fault(AttemptResult.CONNECT, f"{place} refused the connection: {why}.")
    if cause.errno in _UNREACHABLE:
        why = "no network leads there; check the address and the hub's network"
        return Fault(AttemptResult.CONNECT, f"{place} cannot be reached: {why}.")
    return Fault(
        AttemptResult.CONNECT,
        f"No connection to {place} ({_reason(cause)}); check that it runs and can be reached.",
    )


def _no_http(message: str, place: str) -> str:
    if "Got more than" in message or "Too many" in message:
        return f"{place} answered with too large a head; it may have 100 headers of 8 KiB each."
    return f"What {place} answered is no HTTP/1.1; check that the port is that of a web server."


def _reason(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        known = {
            socket.EAI_NONAME: "there is no such name",
            socket.EAI_AGAIN: "the name server did not answer",
        }
        return known.get(error.errno or 0, printable(error.strerror or "no answer", 80))
    if isinstance(error, OSError) and error.strerror:
        return printable(error.strerror, 80)
    return printable(str(error) or type(error).__name__, 80)
