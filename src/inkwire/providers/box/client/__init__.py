"""Box's API by the official SDK, behind adapters of ours (DESIGN §4; box.md §5).

Every method is synchronous, sends each request once, and raises only `CallFailed` kinds:
a create whose answer did not come is Ambiguous, any other lost answer Transient; 401 refreshes
the token once and then is NeedsAttention; 403 is NeedsAttention that names the right that lacks,
or Permanent if it concerns one folder or file only; 429 is LimitReached with Retry-After; 404 of
something that must be there, and other 4xx, are Permanent with a sentence. The SDK is imported on
first use.

    faults.py    an answer, or none, as an error with a sentence (pure)
    reading.py   Box's JSON as our values (pure)
    wire.py      the SDK's network client: one guarded request, recorded
    sdk.py       the calls, by the SDK's managers
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from inkwire.errors import NeedsAttention
from inkwire.providers.box.objects import (
    BoxFile,
    BoxFolder,
    BoxSign,
    BoxUser,
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
        """GET /folders/{id}; None for 404 or a trashed one."""
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
        """GET /files/{id} with sha1, size and version."""
        ...

    def download(self, file_id: str, *, version_id: str | None = None) -> bytes:
        """GET /files/{id}/content of that version; at most 200 MB. 202 is Transient."""
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
