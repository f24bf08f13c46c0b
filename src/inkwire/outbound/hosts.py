"""How the host of an address is written: literals in every disguise, names of this machine. Pure.

What `getaddrinfo` takes for an IPv4 address goes far beyond four decimal numbers (`127.1`,
`0x7f.1`, `017700000001`, `2130706433`), and browsers' rules fold full-width forms on top of that.
"""

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address

from inkwire.outbound.networks import Address

#: Characters that IDNA (UTS 46) reads as a dot, and those it drops without a trace.
_DOTS = str.maketrans("。．｡", "...")
_DROPPED = re.compile("[\u034f\u180b-\u180f\ufe00-\ufe0f]")

_NUMBER = re.compile(r"0x[0-9a-f]*|0[0-7]*|[1-9][0-9]*")
#: A last label like this makes a host an IPv4 address or nothing (WHATWG URL, "ends in a number").
_NUMERIC_END = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$")
_NOT_IN_A_NAME = re.compile(r"[\x00-\x20\x7f!\"#$%&'()*+,/:;<=>?@\[\\\]^`{|}~]")

_LOCAL_NAMES = frozenset(
    {
        "localhost",
        "localhost.localdomain",
        "localhost4",
        "localhost4.localdomain4",
        "localhost6",
        "localhost6.localdomain6",
        "ip6-localhost",
        "ip6-loopback",
        "ip6-localnet",
        "ip6-allnodes",
        "ip6-allrouters",
        "broadcasthost",
    }
)
_METADATA_NAMES = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "metadata.azure.internal",
        "instance-data",
        "instance-data.ec2.internal",
    }
)


def _fold(text: str) -> str:
    text = _DROPPED.sub("", text.translate(_DOTS))
    text = "".join(one for one in text if unicodedata.category(one) != "Cf")
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _decoded(label: str) -> str:
    """A label with its punycode read; one that is none stays."""
    if not label.startswith("xn--"):
        return label
    try:
        return _fold(label[4:].encode("ascii").decode("punycode"))
    except (UnicodeError, ValueError, OverflowError):
        return label


def plain(host: str) -> str:
    """The host as a resolver would end up reading it: folded, without brackets and end dots."""
    text = _fold(host)
    if text.startswith("[") and text.endswith("]"):
        return text[1:-1]
    text = ".".join(_decoded(label) for label in text.split("."))
    return text.translate(_DOTS).rstrip(".")


def read_v4(text: str) -> IPv4Address | None:
    """The IPv4 address that `inet_aton` reads in `text`, in any of its forms; None: none."""
    parts = text.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    *high, last = (_value(part) for part in parts)
    if any(number > 255 for number in high) or last >= 256 ** (5 - len(parts)):
        return None
    return IPv4Address(last + sum(one << (24 - 8 * place) for place, one in enumerate(high)))


def _value(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if part.startswith("0") else 10)


def read_literal(host: str) -> Address | None:
    """The address that `host` spells, however it is written (zone left out); None: a name."""
    text = plain(host)
    if ":" in text:
        try:
            return IPv6Address(text.partition("%")[0])
        except ValueError:
            return None
    return read_v4(text)


def is_canonical(host: str, address: Address) -> bool:
    """Whether `host` writes the address the plain way, so that every program reads the same."""
    text = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if isinstance(address, IPv4Address):
        return text == str(address)
    return text.isascii() and "%" not in text


def names_this_machine(host: str) -> bool:
    """Whether the host is a name of this machine, such as `localhost` or `a.localhost`."""
    text = plain(host)
    return text in _LOCAL_NAMES or text.endswith(".localhost")


def names_metadata(host: str) -> bool:
    """Whether the host is a well-known name of a cloud's metadata service."""
    return plain(host) in _METADATA_NAMES


def malformed(host: str) -> str | None:
    """Why the host can be neither a name nor an address, in a sentence; None: it can."""
    text = plain(host)
    if not text or len(text) > 253 or any(len(label) > 63 for label in text.split(".")):
        return "The address has no usable host name; correct it."
    if ":" in text:
        return "The host of the address is no IPv6 address; correct it."
    if _NUMERIC_END.search(text):
        return f"{text} looks like an IP address but is none; correct it."
    if _NOT_IN_A_NAME.search(text) or "" in text.split("."):
        return "The host of the address has characters that no host name has; correct it."
    return None
