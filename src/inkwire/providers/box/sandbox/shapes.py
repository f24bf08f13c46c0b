"""How files and folders look in Box's answers."""

from collections.abc import Iterator
from typing import Protocol

from inkwire.moments import from_micros, to_micros
from inkwire.providers.box.sandbox.access import Access
from inkwire.providers.box.sandbox.answers import shown
from inkwire.providers.box.sandbox.apps import Apps, stamp
from inkwire.providers.sandboxing import Doc, Documents, SandboxClock

ROOT, ITEM = "0", "box_item"
_ALL_FILES: Doc = {
    "type": "folder",
    "id": ROOT,
    "sequence_id": None,
    "etag": None,
    "name": "All Files",
}


class Shapes(Protocol):
    """The tree, as far as its looks go."""

    access: Access
    _state: Documents
    _clock: SandboxClock
    _apps: Apps

    def ancestors(self, item: Doc) -> Iterator[Doc]:
        """The folders above, the nearest first, without folder 0."""
        ...

    def active_in(self, key: str, *, most: int = 1_000_000) -> list[Doc]:
        """The active items that are kept under a folder's key."""
        ...

    def mini(self, item: Doc) -> Doc:
        """Type, id, etag, sequence_id, name; a file's sha1 and version too."""
        mini: Doc = {
            "type": item["type"],
            "id": item["id"],
            "sequence_id": str(item["etag"]),
            "etag": str(item["etag"]),
            "name": item["name"],
        }
        if item["type"] == "file":
            version = item["versions"][0]
            sha1 = version["sha1"]
            mini["sha1"] = sha1
            mini["file_version"] = {"type": "file_version", "id": version["id"], "sha1": sha1}
        return mini

    def full(self, item: Doc, viewer: str | None = None) -> Doc:
        """An item as GET answers; `viewer`: who sees only the path below what was shared."""
        above = [self.mini(folder) for folder in reversed(self._seen_above(item, viewer))]
        entries = [_ALL_FILES, *above]
        # Box's automation user makes the files of Box Sign; its folder's owner owns them.
        answer = self.mini(item) | {
            "description": item["description"],
            "size": item["versions"][0]["size"] if item["type"] == "file" else 0,
            "path_collection": {"total_count": len(entries), "entries": entries},
            "created_at": item["created_at"],
            "modified_at": item["modified_at"],
            "trashed_at": item.get("trashed_at"),
            "purged_at": None,
            "content_created_at": item["created_at"],
            "content_modified_at": item["modified_at"],
            "created_by": self._apps.user(item["created_by"]),
            "modified_by": self._apps.user(item["modified_by"]),
            "owned_by": self._apps.user(item["owner"]),
            "shared_link": None,
            "parent": entries[-1],
            "item_status": item["status"],
        }
        if item["type"] == "folder":
            answer["folder_upload_email"] = None
            answer["item_collection"] = self._first_items(item["id"], item["owner"])
        return answer

    def asked(self, item: Doc, viewer: str, fields: str | None) -> Doc:
        """An item as GET answers to `fields`: with what is only told when it is asked for."""
        full = self.full(item, viewer)
        if not fields:
            return full
        if item["type"] == "file":
            full |= {"version_number": str(len(item["versions"])), "lock": self.lock(item)}
        return shown(full, fields)

    def lock(self, item: Doc) -> Doc | None:
        """The lock on a file as Box shows it; None if there is none, or it has run out."""
        lock = item.get("lock")
        if lock is None or (lock["ends"] or 2**62) <= to_micros(self._clock.now()):
            return None
        answer = {
            "type": "lock",
            "id": lock["id"],
            "created_by": self._apps.user(lock["by"]),
            "created_at": lock["created_at"],
            "is_download_prevented": lock["no_download"],
        }
        if lock["ends"]:
            answer["expired_at"] = stamp(from_micros(lock["ends"]))
        return answer

    def root(self, user_id: str) -> Doc:
        """Folder 0 as GET answers."""
        user = self._apps.user(user_id)
        dates = ("created_at", "modified_at", "trashed_at", "purged_at")
        return (
            _ALL_FILES
            | dict.fromkeys((*dates, "content_created_at", "content_modified_at"))
            | {
                "description": "",
                "size": 0,
                "path_collection": {"total_count": 0, "entries": []},
                "created_by": {"type": "user", "id": "", "name": "", "login": ""},
                "modified_by": user,
                "owned_by": user,
                "shared_link": None,
                "folder_upload_email": None,
                "parent": None,
                "item_status": "active",
                "item_collection": self._first_items(ROOT, user_id),
            }
        )

    def _seen_above(self, item: Doc, viewer: str | None) -> list[Doc]:
        """The folders above that a user sees, the nearest first."""
        above = list(self.ancestors(item))
        if viewer in (None, item["owner"]):
            return above
        return [
            folder
            for place, folder in enumerate(above)
            if self.access.may(str(viewer), "read", folder, above[place + 1 :])
        ]

    def _first_items(self, folder_id: str, user_id: str) -> Doc:
        """The first page of a folder, without reading all of a large one."""
        key = f"{ROOT}:{user_id}" if folder_id == ROOT else folder_id
        children = [self.mini(child) for child in self.active_in(key, most=200)]
        return page_of(children, 0, 100) | {"total_count": self._state.count(ITEM, owner=key)}


def page_of(entries: list[Doc], offset: int, limit: int) -> Doc:
    """A page by offset."""
    return {
        "total_count": len(entries),
        "entries": entries[offset : offset + limit],
        "offset": offset,
        "limit": limit,
        "order": [{"by": "type", "direction": "ASC"}, {"by": "name", "direction": "ASC"}],
    }
