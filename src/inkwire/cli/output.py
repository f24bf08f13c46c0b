"""How commands show values: tables on a terminal, plain columns in a pipe, JSON on demand."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

import typer

from inkwire.moments import as_utc


def jsonable(value: Any) -> Any:
    """A value as JSON can hold it. What stays out of a repr (secrets, bodies) stays out here."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: jsonable(getattr(value, f.name)) for f in fields(value) if f.repr}
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, set | frozenset):
        return sorted(jsonable(item) for item in value)
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return value


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(jsonable(value), indent=2, ensure_ascii=False))


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return as_utc(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago in one unit: `12 s ago`, `3 min ago`; `never` for None; `in 5 min` if ahead."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    text = span(abs(seconds))
    return f"in {text}" if seconds < -0.5 else f"{text} ago"  # half a second is now


def span(seconds: float) -> str:
    """A length of time in one unit that a person can take in."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:.0f} ms"


def clean(text: object) -> str:
    """Text from outside without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else "·" for c in str(text))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Rows under headings. `empty`: what to say if there are none, and what to do about it."""
    cells = [[clean("" if cell is None else cell) for cell in row] for row in rows]
    if not cells:
        typer.echo(empty, err=True)
    elif sys.stdout.isatty():
        _rich_table(columns, cells)
    else:
        widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
        for line in (columns, *cells):
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            typer.echo("  ".join(padded).rstrip())


def _rich_table(columns: Sequence[str], cells: list[list[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in cells:
        grid.add_row(*(Text(cell, style=style_of(cell)) for cell in row))
    Console().print(grid)


_STYLES = {
    "new": "green", "accepted": "green", "released": "green", "active": "green", "ok": "green",
    "duplicate": "cyan", "probable_duplicate": "cyan", "filtered": "dim", "paused": "yellow",
    "quarantined": "yellow", "unparsable": "yellow", "warn": "yellow", "refused": "red",
    "fail": "red", "disabled": "red", "revoked": "red",
    "running": "cyan", "done": "green", "dead": "red", "doubt": "red", "needs attention": "red",
}  # fmt: skip


def style_of(cell: str) -> str:
    """The colour of a state word; the word itself always says it too."""
    return _STYLES.get(cell, "")


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Label and value, one a line; None is left out."""
    shown = [(label, clean(value)) for label, value in pairs if value is not None]
    width = max((len(label) for label, _ in shown), default=0)
    for label, value in shown:
        typer.echo(f"{typer.style(label.ljust(width), dim=True)}  {value}")
