"""Sources: configured inbound endpoints and their secrets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

SettingValue = str | int | bool

#: Counts for a person's eyes stop here, so that a busy source does not slow its pages.
COUNTED = 10_000

#: A source's id stands in its URL: `/in/{id}`.
SOURCE_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


class ManagedBy(StrEnum):
    """Where an object is edited."""

    CONSOLE = "console"
    #: Declared in `inkwire.toml`: read-only elsewhere.
    FILE = "file"


@dataclass(frozen=True, kw_only=True, slots=True)
class Secret:
    """One signing secret in plain, for as long as a verification needs it."""

    id: str
    #: Which of the provider's secrets it is: `primary`, `secondary`, `key` …
    role: str
    value: bytes = field(repr=False)
    #: Not accepted from then on; None for the current one.
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretInfo:
    """What may be shown of a secret: never its value."""

    id: str
    role: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One inbound endpoint: `POST /in/{id}`."""

    id: str
    provider: str
    name: str
    settings: Mapping[str, SettingValue]
    #: Event types accepted; empty: all (R131).
    event_types: tuple[str, ...] = ()
    #: Document ids accepted; empty: all (R131).
    document_ids: tuple[str, ...] = ()
    #: Largest body in bytes.
    max_body_bytes: int
    #: Paused: requests are still proven, stored and answered; dispatch waits.
    paused: bool = False
    managed_by: ManagedBy = ManagedBy.CONSOLE
    created_at: datetime
    updated_at: datetime
    secrets: tuple[SecretInfo, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceActivity:
    """When a source was last heard of."""

    last_receipt_at: datetime | None
    last_rejection_at: datetime | None
    last_rejection_reason: str | None
    #: Counts over the last 24 hours, each up to `COUNTED`: more is "10,000 or more".
    receipts_24h: int
    rejections_24h: int
    quarantined: int
