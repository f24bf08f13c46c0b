"""What the shared templates are given: values with everything worked out, frozen."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Chip:
    """One filter that is on, and the address of the list without it."""

    label: str
    value: str
    remove_url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownBody:
    """A body for a person's eyes."""

    #: Indented JSON; empty if the body is none.
    pretty: str
    #: As received, read as UTF-8.
    raw: str
    #: Whether the two texts above are only the beginning.
    cut: bool
    #: What a reader should know of it; empty if nothing.
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FormField:
    """One input of a form."""

    name: str
    label: str
    help: str = ""
    #: `text`, `number`, `switch`, `choice`, `ticks`, `area`, `secret`, `secret-area`, `password` or
    #: `datetime`.
    kind: str = "text"
    value: str = ""
    #: Value and what the reader sees, for `choice` and `ticks`.
    choices: tuple[tuple[str, str], ...] = ()
    #: What is ticked.
    chosen: tuple[str, ...] = ()
    example: str = ""
    unit: str = ""
    minimum: int | None = None
    maximum: int | None = None
    required: bool = False
    autocomplete: str = "off"
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownSecret:
    """A made-up secret, shown this once."""

    label: str
    value: str
