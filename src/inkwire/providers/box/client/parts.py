"""What the parts of the client share: managers, ids, pages, and refusals that are answers."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from box_sdk_gen.managers.chunked_uploads import ChunkedUploadsManager
from box_sdk_gen.managers.downloads import DownloadsManager
from box_sdk_gen.managers.events import EventsManager
from box_sdk_gen.managers.file_versions import FileVersionsManager
from box_sdk_gen.managers.files import FilesManager
from box_sdk_gen.managers.folders import FoldersManager
from box_sdk_gen.managers.list_collaborations import ListCollaborationsManager
from box_sdk_gen.managers.metadata_templates import MetadataTemplatesManager
from box_sdk_gen.managers.sign_requests import SignRequestsManager
from box_sdk_gen.managers.uploads import UploadsManager
from box_sdk_gen.managers.user_collaborations import UserCollaborationsManager
from box_sdk_gen.managers.users import UsersManager
from box_sdk_gen.managers.webhooks import WebhooksManager
from box_sdk_gen.networking.base_urls import BaseUrls
from box_sdk_gen.networking.fetch_options import FetchOptions
from box_sdk_gen.networking.network import NetworkSession

from inkwire.errors import Permanent
from inkwire.providers.answers import rows_of, table_of
from inkwire.providers.box.client import BoxCalling, reading
from inkwire.providers.box.client.faults import BoxRefused, unreadable
from inkwire.providers.box.client.wire import Wire
from inkwire.providers.box.objects import NameTaken

T = TypeVar("T")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Managers:
    """The SDK's managers on one wire."""

    def __init__(self, calling: BoxCalling) -> None:
        """`calling`: what they call by."""
        self.wire = Wire(calling)
        self.api_url = calling.api_url
        network = NetworkSession(
            network_client=self.wire,
            base_urls=BaseUrls(base_url=calling.api_url, upload_url=calling.upload_url),
        )
        self.users = UsersManager(network_session=network)
        self.folders = FoldersManager(network_session=network)
        self.files = FilesManager(network_session=network)
        self.versions = FileVersionsManager(network_session=network)
        self.uploads = UploadsManager(network_session=network)
        self.chunks = ChunkedUploadsManager(network_session=network)
        self.downloads = DownloadsManager(network_session=network)
        self.templates = MetadataTemplatesManager(network_session=network)
        self.collaborations = UserCollaborationsManager(network_session=network)
        self.access = ListCollaborationsManager(network_session=network)
        self.events = EventsManager(network_session=network)
        self.signs = SignRequestsManager(network_session=network)
        self.webhooks = WebhooksManager(network_session=network)

    def ask(
        self, method: str, path: str, body: Any = None, media: str = "application/json"
    ) -> Mapping[str, Any]:
        """A call that no manager makes as it should be made; the JSON object that it answers."""
        options = FetchOptions(
            url=f"{self.api_url}/2.0{path}", method=method, data=body, content_type=media
        )
        return table_of(self.wire.fetch(options).data)


class Part:
    """A part of the client."""

    _box: Managers

    def _read(self, read: Callable[[Any], T], call: str, answer: Any) -> T:
        """Our value of an answer, by its JSON: the SDK's own objects refuse what is new at Box."""
        try:
            return read(answer if isinstance(answer, dict) else answer.raw_data)
        except ValueError:
            method, _, path = call.partition(" ")
            raise unreadable(method, path, 200) from None


def checked_id(text: str) -> str:
    """An id as it may stand in a path. Raises Permanent."""
    if not _ID.fullmatch(text):
        raise Permanent(f"{text[:80]!a} is no id of Box; correct it where it was entered.")
    return text


def found(call: Callable[[], T]) -> T | None:
    """What the call gives; None if Box does not know it, or the user may not see it."""
    return unless({404}, call)


def unless(statuses: set[int], call: Callable[[], T], codes: Sequence[str] = ()) -> T | None:
    """What the call gives; None if Box refuses it with one of these statuses.

    `codes`: only refusals with one of these error codes; every one if there are none.
    """
    try:
        return call()
    except BoxRefused as refused:
        answer = refused.answer
        if answer.status in statuses and (not codes or answer.code in codes):
            return None
        raise


def made(call: Callable[[], T]) -> T | NameTaken:
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


def pages(page: Callable[[str | None], Any]) -> Iterator[dict[str, Any]]:
    """The entries of all pages; ends where Box gives no next marker, or one that it gave before."""
    marker: str | None = None
    seen: set[str] = set()
    while True:
        table = table_of(page(marker).raw_data)
        yield from (dict(row) for row in rows_of(table.get("entries")))
        marker = reading.text(table, "next_marker") or None
        if marker is None or marker in seen:
            return
        seen.add(marker)
