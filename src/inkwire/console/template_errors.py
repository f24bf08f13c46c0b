"""Where a template does not compile, each error beside its line. Pure."""

import re
from dataclasses import dataclass

#: As `orders.typst_apart` writes them: `line 3, column 12: unknown variable; line 5, …`.
_PLACE = re.compile(r"(?:\A|; )line (\d{1,7}), column (\d{1,7}): ")
#: Characters of a line that are shown, round the column.
_WIDTH = 90


@dataclass(frozen=True, kw_only=True, slots=True)
class TemplateError:
    """One error."""

    #: From 1; 0: it has no place.
    line: int
    column: int
    text: str
    #: The line itself, cut round the column, and blanks up to it; empty if the place is elsewhere.
    excerpt: str
    before: str


def found_in(sentence: str, source: str) -> list[TemplateError]:
    """The errors of the desk's sentence about `source`."""
    places = list(_PLACE.finditer(sentence))
    if not places:
        return [TemplateError(line=0, column=0, text=_told(sentence), excerpt="", before="")]
    lines, errors = source.split("\n"), []
    for place, after in zip(places, [*places[1:], None], strict=True):
        line, column = int(place[1]), int(place[2])
        text = sentence[place.end() : after.start() if after else None]
        excerpt, before = _cut(lines[line - 1], column) if 0 < line <= len(lines) else ("", "")
        errors.append(
            TemplateError(
                line=line, column=column, text=_told(text), excerpt=excerpt, before=before
            )
        )
    return errors


def _told(text: str) -> str:
    clean = text.strip().rstrip(".")
    return clean[:1].upper() + clean[1:] + "."


def _cut(line: str, column: int) -> tuple[str, str]:
    """The line with what stands round the column, and blanks (tabs kept) to set a caret below."""
    start = max(0, column - 1 - _WIDTH // 2) if len(line) > _WIDTH else 0
    before = line[start : column - 1]
    return line[start : start + _WIDTH], "".join("\t" if c == "\t" else " " for c in before)
