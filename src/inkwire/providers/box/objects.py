"""What Box's API speaks of, as values: only what Inkwire uses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxUser:
    """Who calls are made as."""

    id: str
    name: str
    login: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxFolder:
    """A folder."""

    id: str
    name: str
    parent_id: str | None
    #: `active`, `trashed` or `deleted`.
    status: str = "active"


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxFile:
    """A file at one version."""

    id: str
    version_id: str
    name: str
    #: Hex.
    sha1: str
    size: int
    parent_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NameTaken:
    """409 `item_name_in_use`: what stands there already (an array or an object at Box)."""

    id: str
    #: `file` or `folder`.
    type: str
    #: Of a file.
    sha1: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxWebhook:
    """A webhook V2."""

    id: str
    target_id: str
    target_type: str
    address: str
    triggers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SignSigner:
    """A signer of a new sign request."""

    email: str
    #: `signer`, `approver` or `final_copy_reader`.
    role: str = "signer"
    order: int = 1
    redirect_url: str = ""
    declined_redirect_url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignDraft:
    """What POST /sign_requests is to say."""

    signers: tuple[SignSigner, ...]
    file_ids: tuple[str, ...]
    folder_id: str
    external_id: str
    name: str
    #: `document_tag_id` → text.
    prefill: Mapping[str, str] = field(default_factory=dict)
    days_valid: int | None = None
    email_subject: str = ""
    email_message: str = ""
    redirect_url: str = ""
    declined_redirect_url: str = ""
    reminders: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxSign:
    """A sign request as Box tells of it."""

    id: str
    status: str
    external_id: str | None
    created_at: datetime | None
    files: tuple[BoxFile, ...]
    #: Whether `files` and `signing_log` are complete.
    ready: bool
    signing_log: BoxFile | None
    #: `declined` reason, or the error's code, if any.
    reason: str
    expires_at: datetime | None
    #: Of those who sign or approve, in Box's order; not of readers of the final copy.
    signer_emails: tuple[str, ...]
