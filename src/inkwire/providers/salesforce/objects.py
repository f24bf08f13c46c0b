"""What Salesforce's API speaks of, as values: only what Inkwire uses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

#: A record's fields by name, as Salesforce's JSON has them; without `attributes`.
Record = Mapping[str, Any]


def moment_of(value: object) -> datetime | None:
    """A time as the API writes it, `2026-03-01T12:00:00.000+0000`; None for what is none."""
    try:
        found = datetime.fromisoformat(str(value))
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class SalesforceUser:
    """Who calls are made as (GET /services/oauth2/userinfo)."""

    id: str
    username: str
    name: str
    organization_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicate:
    """400 DUPLICATE_VALUE: it is there already."""

    #: Id of the record that the message names, if it does.
    record_id: str | None
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RowResult:
    """One row of a Collections call, in the order of the request."""

    ok: bool
    #: Of the record; "" if it failed.
    id: str = ""
    #: Of a row that failed: `statusCode`, the organisation's own text, the fields.
    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Upserted:
    """What PATCH on an external id did."""

    id: str
    created: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FileDraft:
    """A ContentVersion to be made."""

    title: str
    #: The file's name with its extension (R64).
    path_on_client: str
    #: Bytes.
    size: int
    description: str = ""
    #: The record that it is published to; for the first version of a document.
    publish_to: str | None = None
    #: The document that it is a new version of, instead.
    document_id: str | None = None
    #: Why there is a new version; only with `document_id`.
    reason: str = ""
    #: Other fields, e.g. a custom key.
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A field of an object, as describe tells of it."""

    name: str
    label: str
    #: `string`, `picklist`, `date`, `datetime`, `double`, `boolean`, `reference`, …
    type: str
    length: int
    createable: bool
    updateable: bool
    #: Objects that a reference may point to.
    references: tuple[str, ...] = ()
    #: Active values of a picklist, and whether others are refused.
    values: tuple[str, ...] = ()
    restricted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """An object and its fields by name."""

    name: str
    label: str
    #: First three characters of its ids.
    key_prefix: str
    fields: Mapping[str, Field]


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """`Sforce-Limit-Info`: calls used of the rolling day."""

    used: int
    most: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkState:
    """How far a job of Bulk API 2.0 is."""

    #: `Open`, `UploadComplete`, `InProgress`, `JobComplete`, `Failed`, `Aborted`.
    state: str
    #: Rows that were worked on, and those among them that were refused.
    processed: int
    failed: int
    #: Why it failed.
    message: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more is made of it."""
        return self.state in ("JobComplete", "Failed", "Aborted")


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkRow:
    """One row of a job's results."""

    #: None: nothing was made of it.
    result: RowResult | None
    #: What was uploaded, by column.
    fields: Mapping[str, str]
