"""What token endpoints of OAuth 2.0 have in common: their answers, and vendors' addresses. Pure.

Sources: RFC 6749 §4.1 (authorisation code), §5 (answers), RFC 7636 (PKCE, S256).
"""

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from inkwire.errors import CallFailed, LimitReached, Transient

#: Ids and secrets as vendors hand them out: no blank, nothing that a form could not carry.
PLAIN = re.compile(r"[\x21-\x7e]{1,512}")
_MOST_WAIT_S = 3600.0
#: Characters of a token that are believed.
_MOST_TOKEN = 16_384


def answer_table(body: bytes) -> dict[str, Any]:
    """The answer's JSON object; empty if it is none, such as a proxy's HTML page."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def described_words(table: Mapping[str, Any]) -> frozenset[str]:
    """The words of `error_description`, lower case, without quotes and stops.

    Vendors change the sentences; single words in them last longer.
    """
    text = table.get("error_description")
    if not isinstance(text, str):
        return frozenset()
    return frozenset(word.strip("'\"`.,:;()").lower() for word in text[:500].split())


def error_name(error: str) -> str:
    """The vendor's name of an error, if it is fit to be shown."""
    plain = error.isascii() and error.replace("_", "").isalnum()
    return error[:64] if plain else "an unknown error"


def token_text(table: Mapping[str, Any], name: str) -> str | None:
    """A token of the answer; None if there is none that could be sent in a header or a form."""
    found = table.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= _MOST_TOKEN:
        return None
    return found if found.isascii() and found.isprintable() and " " not in found else None


def not_now(vendor: str, status: int, retry_after_s: float | None) -> CallFailed | None:
    """429 and 5xx, which say nothing about the credentials; None for any other status."""
    if status == 429:
        wait = 60.0 if retry_after_s is None else min(max(retry_after_s, 1.0), _MOST_WAIT_S)
        return LimitReached(f"{vendor} gives out no more tokens for a while.", retry_after_s=wait)
    if status >= 500:
        return Transient(
            f"{vendor}'s token endpoint answered {status}; it is tried again.",
            retry_after_s=None if retry_after_s is None else min(retry_after_s, _MOST_WAIT_S),
        )
    return None


def no_token(vendor: str) -> Transient:
    """200 without a token."""
    return Transient(
        f"{vendor}'s token endpoint answered 200, but with no token; something between here and "
        f"{vendor} answers in its place, such as a proxy's login page."
    )


def challenge(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier: base64url of its SHA-256, without padding."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def sign_in_url(address: str, values: Mapping[str, str]) -> str:
    """`address` with the query that asks for a code; empty values are left out."""
    asked = {"response_type": "code", **{key: text for key, text in values.items() if text}}
    return f"{address}?{urlencode(asked)}"


def address_problem(url: str, domains: tuple[str, ...], *, example: str) -> str | None:
    """What is wrong with an address by its spelling; where it leads is the guard's to judge.

    `domains`: the vendor's, which are not called unencrypted.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"is no address; it must look like {example}"
    if parts.scheme not in ("http", "https") or not host or port == 0:
        return "must begin with https:// and name a host"
    if "@" in parts.netloc or parts.query or parts.fragment or url.endswith("/"):
        return "must be without user, query, fragment and slash at the end"
    if under(host, domains) and parts.scheme != "https":
        return "must begin with https://: this host is not called unencrypted"
    return None


def under(host: str, domains: tuple[str, ...]) -> bool:
    """Whether a host is one of these domains, or below one."""
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
