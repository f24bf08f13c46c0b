"""Documents, sign requests and evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class DocumentKind(StrEnum):
    """What a stored file is to its order."""

    #: Made from a template, to be signed.
    PREPARED = "prepared"
    SIGNED = "signed"
    SIGNING_LOG = "signing_log"
    ATTACHED = "attached"


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One stored file, kept byte for byte; its bytes are a blob, sealed under its own key."""

    id: str
    order_id: str
    kind: DocumentKind
    name: str
    media_type: str
    size: int
    #: Hex.
    sha256: str
    sha1: str
    #: Where it came from, unique within the order: `box:file:ID:VERSION`, `int_7/KEY/TEMPLATE/1`.
    origin: str
    #: Name of the blob.
    blob: str
    sign_request_id: str | None = None
    #: pyHanko's finding on a signed PDF; informative only. None: not looked at yet.
    verdict: Mapping[str, Any] | None = None
    created_at: datetime


class SignState(StrEnum):
    """What we know of a sign request; the vendor's own word stands beside it."""

    OPEN = "open"
    SIGNED = "signed"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class SignRequest:
    """One request for signatures at a vendor."""

    #: The vendor's id.
    id: str
    integration_id: int
    order_id: str
    external_id: str
    state: SignState
    #: The vendor's status as last read.
    vendor_status: str
    #: The work that made it; None: found, not made, by us.
    work_id: str | None = None
    #: What was uploaded to be signed: file ids.
    file_ids: tuple[str, ...] = ()
    signer_email: str = ""
    #: When it is read again (reconciliation); None once its outcome is done.
    next_check_at: datetime | None = None
    checks: int = 0
    #: When the vendor gives it up; None: never.
    expires_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceItem:
    """Something that is to be proven: becomes the next link of its order's chain."""

    #: `receipt`, `status`, `document`, `sign_request`, `call`, `note`.
    kind: str
    #: A sentence.
    text: str
    at: datetime
    #: Ids and hex hashes; sorted by key when hashed.
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceLink:
    """A link of an order's append-only hash chain; see `documents.evidence` for the hash."""

    order_id: str
    #: From 1.
    seq: int
    item: EvidenceItem
    #: Hex SHA-256 of the link before; 64 zeros for the first.
    previous: str
    #: Hex SHA-256 over order, seq, previous and the item.
    digest: str
