"""Bodies and requests for a person's eyes: bounded, inert, only ever text. Pure."""

import shlex

import msgspec

from inkwire.model.request import Headers, is_secret_header
from inkwire.pages.views import ShownBody

#: Most characters of a body on a page, counted as HTML; the whole is at `/raw`.
SHOWN = 20_000
#: Largest body (bytes) that the curl line carries itself.
CURL_BODY = 4_096
_HTML_LENGTH = {"&": 5, "<": 4, ">": 4}
#: Characters that turn the direction of the text round them: shown as their number instead.
_DIRECTION = {
    code: f"⟨U+{code:04X}⟩"
    for code in (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
#: Headers that curl and the connection make themselves.
_OWN = frozenset(
    {b"host", b"content-length", b"connection", b"transfer-encoding", b"accept-encoding"}
)


def shown_body(body: bytes) -> ShownBody:
    """`body` as indented JSON (if it is JSON) and as received, each cut to what a page can hold."""
    notes = []
    try:
        raw = body.decode("utf-8")
    except UnicodeDecodeError:
        raw = body.decode("utf-8", "replace")
        notes.append(
            "The body is not UTF-8: what cannot be read stands as �. Download it as it is."
        )
    inert = raw.translate(_DIRECTION)
    if inert != raw:
        notes.append("Characters that turn the text's direction stand as their number.")
    pretty, pretty_cut = clipped(_indented(body).translate(_DIRECTION), SHOWN)
    shown, raw_cut = clipped(inert, SHOWN)
    return ShownBody(pretty=pretty, raw=shown, cut=pretty_cut or raw_cut, note=" ".join(notes))


def _indented(body: bytes) -> str:
    try:
        return msgspec.json.format(body, indent=2).decode("utf-8")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return ""


def clipped(text: str, limit: int) -> tuple[str, bool]:
    """The beginning of `text` that takes at most `limit` characters of HTML; whether it was cut."""
    if len(text) * 5 <= limit:
        return text, False
    used = 0
    for index, character in enumerate(text):
        used += _HTML_LENGTH.get(character, 1 if character.isascii() else 3)
        if used > limit:
            return text[:index], True
    return text, False


def as_curl(
    *, method: str, url: str, query: str, headers: Headers, body: bytes | None, file: str
) -> str:
    """The request as a curl command for a POSIX shell.

    Credentials stay out. A body that is large, or no UTF-8, is read from `file`.
    """
    address = url + (f"?{query}" if query else "")
    lines = [f"curl -X {shlex.quote(method)} {shlex.quote(address)}"]
    for name, value in headers:
        if name not in _OWN and not is_secret_header(name):
            header = f"{name.decode('latin-1')}: {value.decode('latin-1')}"
            lines.append(f"-H {shlex.quote(header)}")
    lines.append(f"--data-binary {_curl_body(body, file)}")
    return " \\\n  ".join(lines)


def _curl_body(body: bytes | None, file: str) -> str:
    try:
        text = None if body is None or len(body) > CURL_BODY else body.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    # curl reads a leading @ as a file's name, and a shell keeps no NUL.
    if text is None or text.startswith("@") or "\x00" in text:
        return f"@{shlex.quote(file)}"
    return shlex.quote(text)
