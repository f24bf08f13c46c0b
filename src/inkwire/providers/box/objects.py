"""What Box's API speaks of, as values: only what Inkwire uses."""

from collections.abc import Iterator, Mapping
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
    #: Folders above it, the nearest last, without All Files.
    path: tuple["BoxRef", ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxRef:
    """A folder above something."""

    id: str
    name: str


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
    #: Of the present version, from 1; 0 if Box does not say.
    version_number: int = 0
    #: Folders above it, the nearest last, without All Files.
    path: tuple[BoxRef, ...] = ()
    locked: bool = False
    #: Who changed it last; None if Box does not say.
    modified_by: BoxUser | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxVersion:
    """A version of a file, the present one or an older one."""

    id: str
    #: From 1; 0 if Box does not say.
    number: int
    sha1: str
    size: int
    #: The file's name at that time.
    name: str = ""
    modified_by: BoxUser | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxItem:
    """What a folder holds: a file (at its present version) or a folder."""

    #: `file` or `folder`; others, e.g. `web_link`, are left out.
    type: str
    id: str
    name: str
    version_id: str = ""
    sha1: str = ""
    size: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxContent:
    """A file's bytes as they come."""

    #: Bytes, if Box says how many.
    size: int | None
    pieces: Iterator[bytes] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxCollaboration:
    """Somebody's access to a folder."""

    id: str
    #: E-mail of who has it, or was invited.
    login: str
    role: str
    #: `accepted`, `pending` or `rejected`.
    status: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxTemplateField:
    """A field of a metadata template."""

    key: str
    #: `string`, `float`, `date` (RFC 3339 with a time), `enum` or `multiSelect`.
    type: str
    #: Of an enum: what it may hold.
    options: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxChange:
    """One entry of the user's event stream."""

    event_id: str
    #: Box's own spelling, e.g. `ITEM_UPLOAD`.
    type: str
    item_type: str
    item_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxChanges:
    """A page of the user's event stream, and where the next begins."""

    changes: tuple[BoxChange, ...]
    next_position: str


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
