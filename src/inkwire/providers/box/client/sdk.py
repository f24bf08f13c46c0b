"""The calls, by the managers of Box's SDK. It makes the requests' shapes; `wire` sends them."""

import hashlib
import io
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from box_sdk_gen.managers.chunked_uploads import ChunkedUploadsManager
from box_sdk_gen.managers.downloads import DownloadsManager
from box_sdk_gen.managers.files import FilesManager
from box_sdk_gen.managers.folders import CreateFolderParent, FoldersManager
from box_sdk_gen.managers.sign_requests import SignRequestsManager
from box_sdk_gen.managers.uploads import (
    PreflightFileUploadCheckParent,
    UploadFileAttributes,
    UploadFileAttributesParentField,
    UploadsManager,
)
from box_sdk_gen.managers.users import UsersManager
from box_sdk_gen.managers.webhooks import CreateWebhookTarget, WebhooksManager
from box_sdk_gen.networking.base_urls import BaseUrls
from box_sdk_gen.networking.network import NetworkSession
from box_sdk_gen.schemas.file_base import FileBase
from box_sdk_gen.schemas.folder_mini import FolderMini
from box_sdk_gen.schemas.sign_request_create_signer import SignRequestCreateSigner
from box_sdk_gen.schemas.sign_request_prefill_tag import SignRequestPrefillTag
from box_sdk_gen.schemas.upload_part import UploadPart

from inkwire.errors import Permanent, Transient
from inkwire.providers.box.client import BoxCalling, reading
from inkwire.providers.box.client.faults import BoxRefused, unreadable
from inkwire.providers.box.client.wire import Wire
from inkwire.providers.box.objects import (
    BoxFile,
    BoxFolder,
    BoxSign,
    BoxUser,
    BoxWebhook,
    NameTaken,
    SignDraft,
    SignSigner,
)

T = TypeVar("T")
#: Bytes above which a file goes in parts: Box takes no more than that in one request.
CHUNKED_ABOVE = 50 * 1024 * 1024
_PAGE = 1000
#: Times that Box is asked whether it has put a file's parts together, and seconds between.
_COMMITS, _COMMIT_S = 30, 2.0
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FOLDER = ["id", "name", "parent", "item_status"]
_FILE = ["id", "name", "size", "sha1", "file_version", "parent", "item_status"]


class SdkBoxClient:
    """`inkwire.providers.box.client.BoxClient` by the official SDK."""

    def __init__(
        self,
        calling: BoxCalling,
        *,
        chunked_above: int = CHUNKED_ABOVE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`chunked_above`: bytes, and `sleep`: seconds; other ones are for tests."""
        network = NetworkSession(
            network_client=Wire(calling),
            base_urls=BaseUrls(base_url=calling.api_url, upload_url=calling.upload_url),
        )
        self._chunked_above = chunked_above
        self._sleep = sleep
        self._users = UsersManager(network_session=network)
        self._folders = FoldersManager(network_session=network)
        self._files = FilesManager(network_session=network)
        self._uploads = UploadsManager(network_session=network)
        self._chunks = ChunkedUploadsManager(network_session=network)
        self._downloads = DownloadsManager(network_session=network)
        self._signs = SignRequestsManager(network_session=network)
        self._webhooks = WebhooksManager(network_session=network)

    def me(self) -> BoxUser:
        """GET /users/me."""
        fields = ["id", "name", "login"]
        return self._read(reading.user, "GET /2.0/users/me", self._users.get_user_me(fields=fields))

    def folder(self, folder_id: str) -> BoxFolder | None:
        """GET /folders/{id}; None for 404 or a trashed one."""
        found = _found(lambda: self._folders.get_folder_by_id(_id(folder_id), fields=_FOLDER))
        if found is None:
            return None
        folder = self._read(reading.folder, "GET /2.0/folders/ID", found)
        return folder if folder.status == "active" else None

    def create_folder(self, name: str, *, parent_id: str = "0") -> BoxFolder | NameTaken:
        """POST /folders."""
        parent = CreateFolderParent(id=_id(parent_id))
        made = _made(lambda: self._folders.create_folder(name, parent, fields=_FOLDER))
        if isinstance(made, NameTaken):
            return made
        return self._read(reading.folder, "POST /2.0/folders", made)

    def can_upload(self, folder_id: str) -> None:
        """OPTIONS /files/content: asks whether a small file could be put there; changes nothing."""
        parent = PreflightFileUploadCheckParent(id=_id(folder_id))
        try:
            self._uploads.preflight_file_upload_check(
                name="Inkwire checks its access.txt", size=1, parent=parent
            )
        except BoxRefused as refused:
            if refused.answer.status != 409:  # it stands there already: then one may write there
                raise

    def upload(self, folder_id: str, name: str, content: bytes) -> BoxFile | NameTaken:
        """POST /files/content, chunked above 50 MB; the answer's sha1 is compared (Transient)."""
        digest = hashlib.sha1(content, usedforsecurity=False)
        if len(content) > self._chunked_above:
            made = _made(lambda: self._chunked(folder_id, name, content, digest.digest()))
        else:
            made = _made(lambda: self._whole(folder_id, name, content, digest.hexdigest()))
        if isinstance(made, NameTaken):
            return made
        file = self._read(reading.first_file, "POST /2.0/files/content", made)
        if file.sha1 != digest.hexdigest():
            raise Transient(
                f"Box has stored other bytes than were sent (file {file.id}, SHA-1 {file.sha1}); "
                "it is tried again."
            )
        return file

    def file(self, file_id: str) -> BoxFile | None:
        """GET /files/{id} with sha1, size and version."""
        found = _found(lambda: self._files.get_file_by_id(_id(file_id), fields=_FILE))
        if found is None or found.raw_data.get("item_status", "active") != "active":
            return None
        return self._read(reading.file, "GET /2.0/files/ID", found)

    def download(self, file_id: str, *, version_id: str | None = None) -> bytes:
        """GET /files/{id}/content of that version; at most 200 MB. 202 is Transient."""
        version = None if version_id is None else _id(version_id)
        content: Any = self._downloads.download_file(_id(file_id), version=version)
        return bytes(content)

    def create_sign_request(self, draft: SignDraft) -> BoxSign:
        """POST /sign_requests, sent once."""
        made = self._signs.create_sign_request(
            [_signer(one) for one in draft.signers],
            source_files=[FileBase(id=_id(one)) for one in draft.file_ids],
            parent_folder=FolderMini(id=_id(draft.folder_id)),
            external_id=draft.external_id,
            name=draft.name,
            prefill_tags=[
                SignRequestPrefillTag(document_tag_id=tag, text_value=value)
                for tag, value in draft.prefill.items()
            ]
            or None,
            days_valid=draft.days_valid,
            email_subject=draft.email_subject or None,
            email_message=draft.email_message or None,
            redirect_url=draft.redirect_url or None,
            declined_redirect_url=draft.declined_redirect_url or None,
            are_reminders_enabled=draft.reminders,
            is_document_preparation_needed=False,
        )
        return self._read(reading.sign, "POST /2.0/sign_requests", made)

    def sign_request(self, sign_request_id: str) -> BoxSign | None:
        """GET /sign_requests/{id}; None for 404."""
        found = _found(lambda: self._signs.get_sign_request_by_id(_id(sign_request_id)))
        return (
            None if found is None else self._read(reading.sign, "GET /2.0/sign_requests/ID", found)
        )

    def sign_requests(self, *, most: int = 10_000) -> Iterator[BoxSign]:
        """All sign requests of the calling user, page by page, as Box orders them."""
        limit = min(most, _PAGE)
        pages = _pages(lambda marker: self._signs.get_sign_requests(marker=marker, limit=limit))
        for number, row in enumerate(pages, start=1):
            yield self._read(reading.sign, "GET /2.0/sign_requests", row)
            if number >= most:
                return

    def webhooks(self) -> Iterator[BoxWebhook]:
        """GET /webhooks: id and target only; address and triggers are empty."""
        pages = _pages(lambda marker: self._webhooks.get_webhooks(marker=marker, limit=200))
        for row in pages:
            yield self._read(reading.webhook, "GET /2.0/webhooks", row)

    def webhook(self, webhook_id: str) -> BoxWebhook | None:
        """GET /webhooks/{id}; None for 404."""
        found = _found(lambda: self._webhooks.get_webhook_by_id(_id(webhook_id)))
        return None if found is None else self._read(reading.webhook, "GET /2.0/webhooks/ID", found)

    def create_webhook(
        self, *, folder_id: str, address: str, triggers: tuple[str, ...]
    ) -> BoxWebhook | None:
        """POST /webhooks; None for 409 (one is there for this folder, application and user)."""
        target: Any = CreateWebhookTarget(id=_id(folder_id), type="folder")  # type: ignore[arg-type]
        names: Any = list(triggers)
        try:
            made = self._webhooks.create_webhook(target, address, names)
        except BoxRefused as refused:
            if refused.answer.status == 409:
                return None
            raise
        return self._read(reading.webhook, "POST /2.0/webhooks", made)

    def update_webhook(
        self, webhook_id: str, *, address: str, triggers: tuple[str, ...]
    ) -> BoxWebhook:
        """PUT /webhooks/{id}."""
        names: Any = list(triggers)
        done = self._webhooks.update_webhook_by_id(_id(webhook_id), address=address, triggers=names)
        return self._read(reading.webhook, "PUT /2.0/webhooks/ID", done)

    def _read(self, read: Callable[[Any], T], call: str, answer: Any) -> T:
        """Our value of an answer, by its JSON: the SDK's own objects refuse what is new at Box."""
        try:
            return read(answer if isinstance(answer, dict) else answer.raw_data)
        except ValueError:
            method, _, path = call.partition(" ")
            raise unreadable(method, path, 200) from None

    def _whole(self, folder_id: str, name: str, content: bytes, sha1: str) -> Any:
        parent = UploadFileAttributesParentField(id=_id(folder_id))
        return self._uploads.upload_file(
            UploadFileAttributes(name=name, parent=parent),
            io.BytesIO(content),
            # A SHA-1 despite its name (Box's API reference, Upload file).
            content_md_5=sha1,
        )

    def _chunked(self, folder_id: str, name: str, content: bytes, sha1: bytes) -> Any:
        """In parts, one after the other; Box checks each part and the whole by their SHA-1."""
        opened = self._chunks.create_file_upload_session(_id(folder_id), len(content), name)
        session = reading.table_of(opened.raw_data)
        size = session.get("part_size")
        urls = reading.table_of(session.get("session_endpoints"))
        upload, commit = reading.text(urls, "upload_part"), reading.text(urls, "commit")
        if not isinstance(size, int) or size <= 0 or not upload or not commit:
            raise unreadable("POST", "/2.0/files/upload_sessions", 201)
        parts = []
        for start in range(0, len(content), size):
            piece = content[start : start + size]
            digest = hashlib.sha1(piece, usedforsecurity=False).digest()
            done = self._chunks.upload_file_part_by_url(
                upload,
                io.BytesIO(piece),
                f"sha={b64encode(digest).decode()}",
                f"bytes {start}-{start + len(piece) - 1}/{len(content)}",
            )
            parts.append(UploadPart(**reading.table_of(done.raw_data.get("part"))))
        return self._committed(commit, parts, f"sha={b64encode(sha1).decode()}")

    def _committed(self, url: str, parts: list[UploadPart], digest: str) -> Any:
        """Box may need a while to put the parts together, and says so by 202."""
        for _ in range(_COMMITS):
            done = self._chunks.create_file_upload_session_commit_by_url(url, parts, digest)
            if done is not None and done.raw_data.get("entries"):
                return done
            self._sleep(_COMMIT_S)
        raise unreadable("POST", "/2.0/files/upload_sessions/ID/commit", 202)


def _id(text: str) -> str:
    """An id as it may stand in a path. Raises Permanent."""
    if not _ID.fullmatch(text):
        raise Permanent(f"{text[:80]!a} is no id of Box; correct it where it was entered.")
    return text


def _found(call: Callable[[], T]) -> T | None:
    """What the call gives; None if Box does not know it, or the user may not see it."""
    try:
        return call()
    except BoxRefused as refused:
        if refused.answer.status == 404:
            return None
        raise


def _made(call: Callable[[], T]) -> T | NameTaken:
    """What the call made, or what stands at the name already."""
    try:
        return call()
    except BoxRefused as refused:
        taken = None
        if refused.answer.status == 409 and refused.answer.code == "item_name_in_use":
            taken = reading.name_taken(refused.answer.table)
        if taken is None:
            raise
        return taken


def _signer(one: SignSigner) -> SignRequestCreateSigner:
    role: Any = one.role
    return SignRequestCreateSigner(
        email=one.email,
        role=role,
        order=one.order,
        redirect_url=one.redirect_url or None,
        declined_redirect_url=one.declined_redirect_url or None,
    )


def _pages(page: Callable[[str | None], Any]) -> Iterator[dict[str, Any]]:
    """The entries of all pages; ends where Box gives no next marker, or one that it gave before."""
    marker: str | None = None
    seen: set[str] = set()
    while True:
        table = reading.table_of(page(marker).raw_data)
        yield from (dict(row) for row in reading.rows_of(table.get("entries")))
        marker = reading.text(table, "next_marker") or None
        if marker is None or marker in seen:
            return
        seen.add(marker)
