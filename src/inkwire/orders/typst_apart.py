"""Compiles one template, in a process of its own: see `inkwire.apart`.

Reads one line of JSON, `{"source": …, "order": {…}, "timestamp": seconds}`, answers a PDF. A
template reaches nothing but the order: before it runs, the process gives up its right to open
files and sockets.
"""

import os
import re
from pathlib import Path
from typing import Any

import msgspec

from inkwire.apart import serve
from inkwire.errors import InkwireError

#: Bytes of a PDF; vendors take more, a person reads less.
MAX_PDF = 20 * 1024 * 1024
_MAX_ERRORS = 5
_MAX_SENTENCE = 300
#: An error of typst begins like this; warnings and the calls that led there are left out.
_SECTION = re.compile(r"(?:\A|\n\n)(?=(?:error|warning|help): )")
#: Where it is: `┌─ name.typ:3:11`, lines from 1, columns from 0.
_PLACE = re.compile(r"^ *┌─ .*:(\d+):(\d+)$", re.MULTILINE)
_HINT = re.compile(r"^ *= hint: (.*)$", re.MULTILINE)
_OUTSIDE = ("file not found", "failed to", "package not found", "path `", "access denied", "cannot")
_ALONE = (
    "a template cannot read files or packages: put all that it needs into the template itself; "
    "the order is in sys.inputs.order"
)


class BadTemplate(InkwireError):
    """The template does not compile."""

    code = "bad_template"


def compiled(content: bytes) -> bytes:
    """The PDF. Raises BadTemplate with line and column of up to 5 errors."""
    # One thread: each takes address space, of which a machine of many cores would leave too little.
    os.environ["RAYON_NUM_THREADS"] = "1"
    import typst  # noqa: PLC0415 - 40 MB of machine code that only this process needs

    asked = msgspec.json.decode(content)
    fonts = typst.Fonts(include_system_fonts=False)
    alone()
    nowhere = Path(__file__).parent / "templates_default"  # must be there; cannot be read any more
    try:
        made = typst.compile(
            asked["source"].encode(),
            root=nowhere,
            package_path=nowhere,
            package_cache_path=nowhere,
            font_paths=fonts,
            sys_inputs={"order": msgspec.json.encode(asked["order"]).decode()},
            format="pdf",
            timestamp=asked["timestamp"],
        )
    except typst.TypstError as error:
        raise BadTemplate(told(error.diagnostic) or error.message[:_MAX_SENTENCE]) from None
    return _whole(made)


def alone() -> None:
    """No file and no socket can be opened any more; what is open stays so."""
    import resource  # noqa: PLC0415 - not on every system

    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def told(diagnostic: str) -> str:
    """The errors of typst's report: `line 3, column 12: unknown variable: nam; …`."""
    sections = [part for part in _SECTION.split(diagnostic) if part.startswith("error: ")]
    told_of = [_sentence(part.removeprefix("error: ")) for part in sections[:_MAX_ERRORS]]
    more = len(sections) - _MAX_ERRORS
    return "; ".join([*told_of, *([f"and {more} more"] if more > 0 else [])])


def _sentence(section: str) -> str:
    place = _PLACE.search(section)
    text = " ".join(section[: place.start() if place else None].split())
    hints = _HINT.findall(section[place.end() :]) if place else []
    if text.startswith(_OUTSIDE) and _reaches_out(text):
        text, hints = _ALONE, []
    if hints:
        text = f"{text} ({'; '.join(hints[:2])})"
    where = f"line {place[1]}, column {int(place[2]) + 1}: " if place else ""
    return where + text[:_MAX_SENTENCE]


def _reaches_out(text: str) -> bool:
    return any(word in text for word in ("file", "package", "project root"))


def _whole(made: Any) -> bytes:
    if not isinstance(made, bytes):
        raise BadTemplate("gives no single document")
    if len(made) > MAX_PDF:
        raise BadTemplate(f"gives a PDF of {len(made)} bytes; at most {MAX_PDF} are allowed")
    return made


if __name__ == "__main__":
    serve(compiled)
