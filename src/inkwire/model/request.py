"""An HTTP request as it came in, and a reply or a signed request as it goes out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

#: Header names as ASGI gives them: lower case, bytes; repeats kept, in order.
Headers = tuple[tuple[bytes, bytes], ...]

#: Headers that carry credentials, by what their names say. Signatures are none: they prove one
#: body and open nothing, and a person needs to see them.
_SECRET_HEADER = re.compile(rb"cookie|token|secret|auth|password|-key\Z", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class InboundRequest:
    """One request, raw: nothing decoded, nothing dropped."""

    method: str
    #: The path as sent (percent-escapes kept), without the query.
    path: str
    #: The query as sent, without `?`.
    query: bytes = field(default=b"", repr=False)
    headers: Headers = ()
    body: bytes = field(default=b"", repr=False)

    def values(self, name: bytes) -> list[bytes]:
        """Every value of the header `name` (lower case), blanks around it stripped."""
        return [value.strip() for key, value in self.headers if key == name]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a provider expects as the answer."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedRequest:
    """What a provider would send: headers (names as the vendor writes them), query and body."""

    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    #: Appended to the URL by generic sources that sign in the query; without `?`.
    query: str = field(default="", repr=False)

    def as_inbound(self, path: str = "/in/x") -> InboundRequest:
        """The request that a server would see, header names lower-cased."""
        return InboundRequest(
            method="POST",
            path=path,
            query=self.query.encode("ascii"),
            headers=tuple(
                (n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in self.headers
            ),
            body=self.body,
        )


def is_secret_header(name: bytes) -> bool:
    """Whether the header `name` carries credentials: stored sealed, shown as «redacted»."""
    return _SECRET_HEADER.search(name) is not None


def shown_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """The headers for a person's eyes: text, with credentials redacted."""
    return [
        (
            name.decode("latin-1"),
            "«redacted»" if is_secret_header(name) else value.decode("latin-1"),
        )
        for name, value in headers
    ]


def shown_query(query: bytes) -> str:
    """The query for a person's eyes: values of parameters that carry credentials redacted."""
    parts = []
    for part in query.decode("utf-8", "replace").split("&"):
        name, equals, _ = part.partition("=")
        secret = equals and is_secret_header(unquote_to_bytes(name))
        parts.append(f"{name}=«redacted»" if secret else part)
    return "&".join(parts)
