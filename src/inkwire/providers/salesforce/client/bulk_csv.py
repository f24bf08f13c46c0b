"""The CSV of Bulk API 2.0: what is uploaded, and what its results are. Pure.

Every field is quoted, lines end with LF, and the text is UTF-8 (Bulk API 2.0, "Prepare CSV Files").
A value is data whatever it begins with: nobody opens this in a spreadsheet.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from inkwire.errors import Permanent

#: Characters of one field.
MOST_FIELD = 32_000
#: How the API writes a field that is to be emptied; a text that happens to be so gets a blank.
_NOTHING = "#N/A"


def written(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """Header and rows; a column that a row lacks is empty there, which leaves the field alone.

    Raises Permanent for a field of more than 32,000 characters.
    """
    out = io.StringIO()
    out.write(_line(columns))
    for row in rows:
        out.write(_line([_value(row.get(column, "")) for column in columns]))
    return out.getvalue().encode("utf-8", "replace")


def read(content: bytes) -> Iterator[dict[str, str]]:
    """The rows of a result by column. Raises ValueError for what is no whole CSV.

    A result that was cut may still end with a whole row: whoever knows how many there are counts.
    """
    try:
        text = content.decode("utf-8-sig")
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = next(lines, [])
        if text and not text.endswith("\n"):
            raise ValueError("its last line has no end")
        for line in filter(None, lines):
            if len(line) != len(header):
                raise ValueError("a row has not the columns of the header")
            yield dict(zip(header, line, strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from error


def size_of(values: Iterable[str]) -> int:
    """Bytes of a row with these values, or a few less."""
    return sum(len(value.encode("utf-8", "replace")) + 3 for value in values)


def _value(value: str) -> str:
    """As it goes into a field: the job says LF, so there is no other end of line in it."""
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > MOST_FIELD:
        raise Permanent(
            f"A text of {len(text):,} characters does not fit into a field of Bulk API 2.0, which "
            f"takes {MOST_FIELD:,}; shorten it."
        )
    return f"{text} " if text == _NOTHING else text


def _line(values: Sequence[str]) -> str:
    quoted = (value.replace('"', '""') for value in values)
    return ",".join(f'"{value}"' for value in quoted) + "\n"
