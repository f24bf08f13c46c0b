"""Names of documents: from strangers, so never a path and never a header as they come. Pure."""

import re
import unicodedata
from urllib.parse import quote

MOST = 150
_UNSAFE = re.compile(r'[/\\:*?"<>|]')
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


def safe_name(name: str, *, fallback: str = "document") -> str:
    """The name as a file may be called anywhere: no path, no control characters, ≤ 150.

    Letters of any language and emoji stay; text that turns the reading direction goes, because
    it can make an extension look like another.
    """
    text = unicodedata.normalize("NFC", name)
    text = _UNSAFE.sub("_", text)
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    text = text.strip(" .") or fallback
    stem, dot, extension = text.rpartition(".")
    if len(text) > MOST and dot and len(extension) <= 10:
        return f"{stem[: MOST - len(extension) - 1].rstrip(' .')}.{extension}"
    return text[:MOST].rstrip(" .")


def plain_name(name: str, *, fallback: str = "document") -> str:
    """`safe_name` in letters, digits, `.`, `_` and `-` of ASCII; begins with a letter or digit."""
    text = unicodedata.normalize("NFKD", safe_name(name, fallback=fallback))
    text = "".join(c for c in text if not unicodedata.combining(c))
    return _NOT_PLAIN.sub("_", text).lstrip("._-")[:MOST] or fallback


def disposition(name: str) -> str:
    """`Content-Disposition` of a download (RFC 6266): plain ASCII, and the full name beside it."""
    full = quote(safe_name(name), safe="")
    return f"attachment; filename=\"{plain_name(name)}\"; filename*=UTF-8''{full}"
