"""Types of parameters and fields that several operations share, each with its bounds."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol, Self

from fastapi import Path, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from inkwire.errors import InvalidInput
from inkwire.store.contract import MAX_PAGE

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


#: Times beyond these bounds ask for all or nothing; stores need not compute with them.
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
_LATEST = datetime(3000, 1, 1, tzinfo=UTC)


def storable(text: str) -> str:
    """The same text. Raises ValueError if a store could not keep it."""
    if "\x00" in text:
        raise ValueError("must not hold the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must not hold half a character (a lone surrogate)") from None
    return text


def _moment(value: Any) -> datetime:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("must be a time as RFC 3339 writes it, such as 2026-11-03T09:30:00Z")
    try:
        moment = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is no time that exists; check day, hour and offset") from None
    return min(max(moment, _EARLIEST), _LATEST)


#: Text that every store takes.
Text = Annotated[str, AfterValidator(storable), Field(json_schema_extra={"pattern": r"^[^\x00]*$"})]
#: A time that is sent to us; aware, in UTC.
Moment = Annotated[datetime, BeforeValidator(_moment, json_schema_input_type=datetime)]
#: An id in the path.
Id = Annotated[Text, Path(max_length=100, description="Its id.")]
#: An id that a list continues from. Empty it is a variable that somebody forgot to set: answering
#: with everything would hide that.
Cursor = Annotated[Text, Field(min_length=1, max_length=100)]
#: What a list is filtered by; empty is refused for the same reason.
Term = Annotated[Text, Field(min_length=1, max_length=200)]


class HasId(Protocol):
    """What a list can page by."""

    @property
    def id(self) -> str:
        """Sorts by time."""
        ...


class Input(BaseModel):
    """A body or query that is sent to us: unknown fields are refused, not dropped."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Page(Input):
    """Which part of a list is asked for; lists add their filters."""

    before: Cursor | None = Field(
        None, description="Only what is older than this id: `next` of the page before."
    )
    limit: int = Field(50, ge=1, le=MAX_PAGE, description="Most items of one page.")

    def next_of(self, items: Sequence[HasId]) -> str | None:
        """Where the page after `items` starts; None if this one is not full."""
        return items[-1].id if len(items) == self.limit else None


class Output(BaseModel):
    """A body that we send; its fields are named as the model's."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    @classmethod
    def of(cls, value: object) -> Self:
        """From the dataclass that has the same fields (and perhaps more)."""
        return cls.model_validate(value)


#: `next` of a page.
Next = Annotated[
    str | None,
    Field(description="Give it as `before` to get the next page; null on the last page."),
]


async def given_once(request: Request) -> None:
    """Refuses a query that gives one filter twice: nobody could say which of them counts.

    Raises InvalidInput. Of operations without filters nothing is asked.
    """
    if not request.scope["route"].dependant.query_params:
        return
    counted = Counter(name for name, _ in request.query_params.multi_items())
    if twice := [name[:60] for name, times in counted.items() if times > 1]:
        raise InvalidInput(fields=dict.fromkeys(twice[:5], "is given more than once; give it once"))
