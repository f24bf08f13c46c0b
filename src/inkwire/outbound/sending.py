"""The head of a request, as an endpoint gets it: which headers, which bytes. Pure."""

import re
from functools import lru_cache

from inkwire.model.message import TextHeaders

_CACHED_NAMES = 1024
#: Headers that the connection sets; a webhook's own of these names are left out.
MANAGED_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "accept-encoding",
        "expect",
        "te",
        "trailer",
        "upgrade",
        "proxy-authorization",
        "proxy-connection",
    }
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Sent unless the caller gives its own.
_DEFAULTS = {
    name.lower(): (name, value)
    for name, value in (
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        ("Content-Type", "application/json"),
        ("User-Agent", "Inkwire"),
    )
}


def as_sent(host: str, headers: TextHeaders, length: int) -> TextHeaders:
    """All headers of a request with `length` bytes of body: the caller's, and what is ours to set.

    Raises ValueError for what cannot be sent.
    """
    sent = [("Host", host)]
    given = set()
    for name, value in headers:
        # A tab is the one control character that a value may have (RFC 9110, section 5.5).
        if not value.isprintable() and not value.replace("\t", " ").isprintable():
            raise ValueError(f"the header {name!a} has characters that no header may have")
        lower = _lower(name)
        if lower not in MANAGED_HEADERS:
            sent.append((name, value))
            given.add(lower)
    for lower, pair in _DEFAULTS.items():
        if lower not in given:
            sent.append(pair)
    sent.append(("Content-Length", str(length)))
    return tuple(sent)


def head(target: str, sent: TextHeaders, *, proxy_authorization: str | None = None) -> bytes:
    """The bytes before the body. `target`: what follows POST; `sent`: as `as_sent` gives it.

    `proxy_authorization` is the proxy's alone, so no subscriber gets to see it among `sent`.
    """
    lines = "".join([f"{name}: {value}\r\n" for name, value in sent])
    if proxy_authorization is not None:
        lines += f"Proxy-Authorization: {proxy_authorization}\r\n"
    return f"POST {target} HTTP/1.1\r\n{lines}\r\n".encode()


@lru_cache(_CACHED_NAMES)
def _lower(name: str) -> str:
    """The name as it is compared. Raises ValueError for what is no header's name."""
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!a} is no name of a header")
    return name.lower()
