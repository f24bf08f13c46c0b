"""Box's API by the official SDK, behind adapters of ours (DESIGN §4; box.md §5).

Every method is synchronous, sends each request once, and raises only `CallFailed` kinds:
a create whose answer did not come is Ambiguous, any other lost answer Transient (so is that of a
create that Box itself makes once only: metadata, a collaboration); 401 refreshes
the token once and then is NeedsAttention; 403 is NeedsAttention that names the right that lacks,
or Permanent if it concerns one folder or file only; 429 is LimitReached with Retry-After; 404 of
something that must be there, and other 4xx, are Permanent with a sentence. The SDK is imported on
first use.

    faults.py    an answer, or none, as an error with a sentence (pure)
    reading.py   Box's JSON as our values (pure)
    sending.py   one guarded request, recorded; its answer whole, or a file in pieces
    wire.py      the SDK's network client, which sends so
    parts.py     the SDK's managers, ids, pages
    sdk.py       the client: the parts sdk_folders, sdk_files, sdk_metadata, sdk_sign
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from inkwire.errors import NeedsAttention
from inkwire.providers.box.objects import (
    BoxChanges,
    BoxCollaboration,
    BoxContent,
    BoxFile,
    BoxFolder,
    BoxItem,
    BoxSign,
    BoxTemplateField,
    BoxUser,
    BoxVersion,
    BoxWebhook,
    NameTaken,
    SignDraft,
)
from inkwire.providers.contract import Journal

if TYPE_CHECKING:
    import requests


class Tokens(Protocol):
    """Where the client gets its access token; `connections` implements it."""

    def access(self, *, refused: str | None = None) -> str:
        """A token that is good for a while. `refused`: one that was answered 401: get another.

        Raises NeedsAttention, LimitReached, Transient.
        """
        ...


class BoxClient(Protocol):
    """The calls that Inkwire makes."""

    def me(self) -> BoxUser:
        """GET /users/me."""
        ...

    def folder(self, folder_id: str) -> BoxFolder | None:
        """GET /folders/{id} with its path; None for 404 or a trashed one."""
        ...

    def create_folder(self, name: str, *, parent_id: str = "0") -> BoxFolder | NameTaken:
        """POST /folders."""
        ...

    def can_upload(self, folder_id: str) -> None:
        """OPTIONS /files/content: asks whether a small file could be put there; changes nothing."""
        ...

    def upload(self, folder_id: str, name: str, content: bytes) -> BoxFile | NameTaken:
        """POST /files/content, chunked above 50 MB; the answer's sha1 is compared (Transient)."""
        ...

    def file(self, file_id: str) -> BoxFile | None:
        """GET /files/{id} with sha1, size, version, path, lock and who changed it."""
        ...

    def download(self, file_id: str, *, version_id: str | None = None) -> bytes:
        """GET /files/{id}/content of that version; at most 200 MB. 202 is Transient."""
        ...

    def versions(self, file_id: str) -> Iterator[BoxVersion]:
        """The present version and the older ones (GET /files/{id}/versions), newest first."""
        ...

    def open_file(
        self, file_id: str, *, version_id: str | None = None
    ) -> AbstractContextManager[BoxContent]:
        """GET /files/{id}/content of that version, streamed, of any size. 202 is Transient.

        A connection that breaks while it is read is Transient, too.
        """
        ...

    def items(self, folder_id: str) -> Iterator[BoxItem]:
        """GET /folders/{id}/items by marker: files and folders."""
        ...

    def change_folder(
        self, folder_id: str, *, name: str | None = None, parent_id: str | None = None
    ) -> BoxFolder | NameTaken:
        """PUT /folders/{id}: renames or moves it."""
        ...

    def metadata(self, folder_id: str, template: str) -> Mapping[str, Any] | None:
        """GET /folders/{id}/metadata/enterprise/{template}: its fields, and Box's own with `$`.

        None: the folder or the instance is not there.
        """
        ...

    def create_metadata(self, folder_id: str, template: str, values: Mapping[str, Any]) -> bool:
        """POST of the same; False if an instance is there already (tuple_already_exists)."""
        ...

    def change_metadata(
        self, folder_id: str, template: str, operations: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Any] | None:
        """PUT a JSON patch: the fields after it; None if a `test` in it did not hold.

        None, too, if the instance is gone.
        """
        ...

    def metadata_template(self, template: str) -> tuple[str, ...] | None:
        """GET /metadata_templates/enterprise/{template}/schema: its field keys; None without."""
        ...

    def metadata_fields(self, template: str) -> Mapping[str, BoxTemplateField] | None:
        """GET of the same: its fields with their types, by key; None without."""
        ...

    def create_metadata_template(self, template: str, title: str, fields: Sequence[str]) -> bool:
        """POST /metadata_templates/schema with text fields; False if it is there already.

        Box asks for an admin or co-admin: without that it is Permanent, in words.
        """
        ...

    def collaborations(self, folder_id: str) -> Iterator[BoxCollaboration]:
        """GET /folders/{id}/collaborations."""
        ...

    def collaborate(
        self, folder_id: str, login: str, role: str, *, notify: bool = False
    ) -> BoxCollaboration | None:
        """POST /collaborations; None: that user has access already."""
        ...

    def remove_collaboration(self, collaboration_id: str) -> bool:
        """DELETE /collaborations/{id}; False if it is not there."""
        ...

    def changes(self, position: str) -> BoxChanges:
        """GET /events with stream_type `changes` from that position; `now` gives the newest."""
        ...

    def create_sign_request(self, draft: SignDraft) -> BoxSign:
        """POST /sign_requests, sent once."""
        ...

    def sign_request(self, sign_request_id: str) -> BoxSign | None:
        """GET /sign_requests/{id}; None for 404."""
        ...

    def sign_requests(self, *, most: int = 10_000) -> Iterator[BoxSign]:
        """All sign requests of the calling user, page by page, as Box orders them."""
        ...

    def webhooks(self) -> Iterator[BoxWebhook]:
        """GET /webhooks: id and target only; address and triggers are empty."""
        ...

    def webhook(self, webhook_id: str) -> BoxWebhook | None:
        """GET /webhooks/{id}; None for 404."""
        ...

    def create_webhook(
        self, *, folder_id: str, address: str, triggers: tuple[str, ...]
    ) -> BoxWebhook | None:
        """POST /webhooks; None for 409 (one is there for this folder, application and user)."""
        ...

    def update_webhook(
        self, webhook_id: str, *, address: str, triggers: tuple[str, ...]
    ) -> BoxWebhook:
        """PUT /webhooks/{id}."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxCalling:
    """What a client calls by."""

    #: Without a slash at the end; `/2.0/…` follows.
    api_url: str
    upload_url: str
    tokens: Tokens
    #: For requests with the token: reaches Box's hosts only, and follows no redirect.
    session: "requests.Session"
    #: For the addresses that a download is redirected to; they get no token.
    files: "requests.Session"
    journal: Journal
    now: Callable[[], datetime]
    #: Id of the user that calls act as; "" for the service account.
    as_user: str = ""
    #: Is told of each NeedsAttention before it is raised.
    attention: Callable[[NeedsAttention], None] = lambda _: None


def open_client(calling: BoxCalling) -> BoxClient:
    """A client; it may be shared by threads. Holds nothing that would have to be closed."""
    from inkwire.providers.box.client.sdk import (  # noqa: PLC0415 - the SDK takes 40 MB
        SdkBoxClient,
    )

    return SdkBoxClient(calling)
