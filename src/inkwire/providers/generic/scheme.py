"""HMAC-SHA256 in the ways senders put it: what is signed, where the signature stands. Pure.

A signature's value is a list of parts (often one). Parts that start with the prefix are signatures,
and one that is right is enough: senders list several while a key is changed. No setting leaves the
comparison out; settings that fit no sender refuse everything.
"""

from collections.abc import Sequence
from urllib.parse import quote

from inkwire.errors import InvalidInput
from inkwire.model.request import InboundRequest, SignedRequest
from inkwire.model.verdict import Reason, Refused
from inkwire.providers.contract import Settings
from inkwire.providers.signing import (
    from_base64,
    from_hex,
    hmac_sha256,
    one_header,
    one_parameter,
    to_base64,
)

#: Bytes of an HMAC-SHA256.
_LENGTH = 32
#: Most parts of a signature's value, and most numbered headers, that are looked at.
_MAX_PARTS = 64
_ANY_NUMBER = "*"


def parts_of(request: InboundRequest, settings: Settings) -> list[bytes] | Refused:
    """The parts of the signature's value, of all values if the name stands for several."""
    where, name = str(settings["signature_in"]), str(settings["signature_name"])
    separator = str(settings["signature_separator"]).encode()
    parts: list[bytes] = []
    for one in _numbered(request, name) if where == "header" else [name]:
        value = _value(request, where, one)
        if isinstance(value, Refused):
            return value
        parts += value.split(separator) if separator else [value]
    return [part.strip() for part in parts[:_MAX_PARTS]]


def digests_of(parts: Sequence[bytes], settings: Settings) -> list[bytes] | Refused:
    """The signatures among the parts, at least one."""
    prefix = str(settings["signature_prefix"]).encode()
    decode = from_base64 if settings["encoding"] == "base64" else from_hex
    found = [decode(part[len(prefix) :]) for part in parts if part.startswith(prefix)]
    digests = [digest for digest in found if digest is not None and len(digest) == _LENGTH]
    return digests or Refused(
        reason=Reason.MALFORMED,
        detail=f"{settings['signature_name']} holds no HMAC-SHA256 in {settings['encoding']}"
        + (f" after {settings['signature_prefix']}." if prefix else "."),
    )


def stamp_of(
    request: InboundRequest, parts: Sequence[bytes], settings: Settings
) -> bytes | Refused | None:
    """The time as it was sent; None if this scheme signs none."""
    if settings["content"] == "body":
        return None
    where, name = str(settings["timestamp_in"]), str(settings["timestamp_name"])
    if where != "signature":
        return _value(request, where, name)
    prefix = name.encode()
    stamps = [part[len(prefix) :] for part in parts if part.startswith(prefix)]
    if len(stamps) == 1:
        return stamps[0]
    return Refused(
        reason=Reason.MALFORMED if stamps else Reason.MISSING_HEADER,
        detail=f"{settings['signature_name']} holds {len(stamps)} parts with {name or 'a time'}; "
        "one is needed.",
    )


def signed_parts(body: bytes, stamp: bytes | None, settings: Settings) -> tuple[bytes, ...]:
    """What the signature covers, in order."""
    if stamp is None:
        return (body,)
    separator = str(settings["content_separator"]).encode()
    if settings["content"] == "body-timestamp":
        return (body, separator, stamp)
    return (stamp, separator, body)


def signed_request(
    body: bytes, key: bytes, stamp: str, headers: Sequence[tuple[str, str]], settings: Settings
) -> SignedRequest:
    """The request that a sender with these settings would send, with `headers` besides its own.

    Raises InvalidInput if a name or prefix of the settings cannot stand in a request.
    """
    timed = settings["content"] != "body"
    covered = signed_parts(body, stamp.encode("ascii") if timed else None, settings)
    digest = hmac_sha256(key, *covered)
    text = to_base64(digest) if settings["encoding"] == "base64" else digest.hex()
    parts = [f"{settings['signature_prefix']}{text}"]
    placed: list[tuple[str, str, str]] = []
    if timed and settings["timestamp_in"] == "signature":
        parts.insert(0, f"{settings['timestamp_name']}{stamp}")
    elif timed:
        placed.append((str(settings["timestamp_in"]), str(settings["timestamp_name"]), stamp))
    name = str(settings["signature_name"]).replace(_ANY_NUMBER, "1")
    placed.append(
        (str(settings["signature_in"]), name, str(settings["signature_separator"]).join(parts))
    )
    own = [(name, value) for where, name, value in placed if where == "header"]
    if not all(name and f"{name}{value}".isascii() for name, value in (*headers, *own)):
        raise InvalidInput(
            "Headers must have a name, and they and what they hold must be ASCII; correct the "
            "names, prefixes and places in the settings."
        )
    query = [f"{quote(name)}={quote(value)}" for where, name, value in placed if where == "query"]
    return SignedRequest(headers=(*headers, *own), body=body, query="&".join(query))


def _numbered(request: InboundRequest, name: str) -> list[str]:
    """The names that a name with a star stands for in this request; else the name alone."""
    if not name.endswith(_ANY_NUMBER):
        return [name]
    start = _header_name(name[:-1])
    found = [key for key, _ in request.headers if key.startswith(start)]
    numbered = [key.decode("ascii") for key in found if key[len(start) :].isdigit()]
    return list(dict.fromkeys(numbered))[:_MAX_PARTS] or [name]


def _header_name(name: str) -> bytes:
    return name.lower().encode("ascii", "replace")


def _value(request: InboundRequest, where: str, name: str) -> bytes | Refused:
    """The one value of a header or of a parameter of the URL."""
    if where == "header":
        return one_header(request, _header_name(name))
    return one_parameter(request, name)
