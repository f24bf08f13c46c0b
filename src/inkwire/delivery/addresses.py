"""What the address of a webhook must look like (seed 004, R133 and R134). Pure.

Only the spelling is judged: every program must read the same scheme, host, port and path in it.
Whether the host may be reached is the outbound guard's to say.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna

from inkwire.errors import InvalidInput

#: Most characters that are looked at, whatever the profile allows.
_MAX_READ = 4096
_MAX_HOST = 253

#: RFC 3986, appendix B.
_PARTS = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_ESCAPES = r"%[0-9A-Fa-f]{2}"
_PATH = re.compile(rf"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|{_ESCAPES})*")
_QUERY = re.compile(rf"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|{_ESCAPES})*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
#: A last label like this makes a host an IPv4 address or nothing (WHATWG URL).
_NUMERIC = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
#: `.` and `..` as a step of a path, their dots escaped or not: some programs take them away.
_DOT_STEP = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)


def check_address(text: str, *, https_only: bool = False, max_length: int = 128) -> str:
    """The address as it was given. Raises InvalidInput (`address`) that names every broken rule."""
    broken = broken_rules(text, https_only=https_only, max_length=max_length)
    if broken:
        raise InvalidInput(fields={"address": "; ".join(broken.values())})
    return text


def broken_rules(text: str, *, https_only: bool = False, max_length: int = 128) -> dict[str, str]:
    """Every rule that the address breaks: a stable code to a sentence ("must …"). Empty: none.

    Codes: length, characters, scheme, https, hostname, localhost, userinfo, port, path, fragment.
    Raises nothing.
    """
    broken: dict[str, str] = {}
    if len(text) > max_length:
        broken["length"] = f"must be at most {max_length} characters; this has {len(text)}"
    if len(text) > _MAX_READ:
        return broken
    found = _PARTS.fullmatch(text)
    scheme, authority, path, query, fragment = found.groups() if found else (None,) * 5
    broken |= _scheme_rules(scheme, https_only=https_only)
    broken |= _authority_rules(authority)
    broken |= _path_rules(path or "")
    if not (_PATH.fullmatch(path or "") and _QUERY.fullmatch(query or "")):
        broken["characters"] = (
            "must be written as RFC 3986 says: no blanks, backslashes or control characters, and "
            "other special characters percent-encoded (é as %C3%A9)"
        )
    if fragment is not None:
        broken["fragment"] = "must have no fragment; take away what begins with #"
    return broken


def _scheme_rules(scheme: str | None, *, https_only: bool) -> dict[str, str]:
    name = (scheme or "").lower()
    if name not in ("http", "https"):
        return {"scheme": "must begin with http:// or https://"}
    if https_only and name != "https":
        return {"https": "must begin with https://"}
    return {}


def _path_rules(path: str) -> dict[str, str]:
    """A path beyond `/` (R134) that every program reads alike."""
    if not path.strip("/"):
        return {
            "path": "must include a path, such as /path/to/script, and can't be just a domain or "
            "an IP address"
        }
    if any(_DOT_STEP.fullmatch(step) for step in path.split("/")):
        return {"path": "must have no `.` or `..` as a step of its path; write it out"}
    return {}


def _authority_rules(authority: str | None) -> dict[str, str]:
    broken: dict[str, str] = {}
    _, at, rest = (authority or "").rpartition("@")
    if at:
        broken["userinfo"] = (
            "must have no user name or password; send credentials in a header of the webhook"
        )
    host, colon, port = _split_port(rest)
    if colon and not (_PORT.fullmatch(port) and int(port) <= 65535):
        broken["port"] = "must have a port from 1 to 65535 after the colon, or none"
    problem = _host_problem(host)
    if problem:
        broken["hostname"] = problem
    if "localhost" in host.lower():
        broken["localhost"] = "can't include localhost in the hostname"
    return broken


def _split_port(text: str) -> tuple[str, str, str]:
    """Host, colon and port; the brackets of IPv6 belong to the host."""
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        colon = rest[:1]
        return (host + bracket, colon, rest[1:]) if colon in ("", ":") else (text, "", "")
    return text.partition(":")


def _host_problem(host: str) -> str | None:
    """What is wrong with the host; None if it is a name or an IP address in plain form."""
    wrong = "must include a valid hostname, such as www.example.com"
    if not host or len(host) > _MAX_HOST:
        return wrong
    if host.startswith("["):
        return _ipv6_problem(host)
    if not host.isascii():
        return _unicode_problem(host)
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        return _ipv4_problem(host)
    if not labels[-1]:
        return "must not end its hostname in a dot"
    if not all(_LABEL.fullmatch(label) for label in labels):
        return f"{wrong}: letters, digits and inner hyphens, at most 63 between two dots"
    if any(label.lower().startswith("xn--") and not _encoded(label) for label in labels):
        return "must include a valid hostname: its xn-- part stands for no international name"
    return None


def _ipv4_problem(host: str) -> str | None:
    try:
        IPv4Address(host)
    except AddressValueError:
        return (
            "must include a valid hostname: one that ends in a number must be an IPv4 address "
            "such as 192.0.2.1"
        )
    return None


def _ipv6_problem(host: str) -> str | None:
    inner = host[1:-1]
    try:
        if host.endswith("]") and "%" not in inner:
            IPv6Address(inner)
            return None
    except AddressValueError:
        pass
    return "must include a valid hostname: between brackets stands an IPv6 address, without a zone"


def _unicode_problem(host: str) -> str:
    encoded = _encoded(host)
    if encoded is None:
        return "must include a valid hostname; write an international one in punycode (xn--…)"
    return f"must have its hostname in punycode: {encoded}"


def _encoded(host: str) -> str | None:
    """The host in punycode (IDNA 2008, upper case folded); None if it has none."""
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError, ValueError, IndexError):
        return None
