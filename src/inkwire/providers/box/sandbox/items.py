"""The tree of files and folders, each user's own below folder 0."""

import unicodedata
from collections.abc import Iterator

from inkwire.providers.box.sandbox.answers import BoxError, not_found, wrong
from inkwire.providers.box.sandbox.apps import Apps, stamp
from inkwire.providers.sandboxing import Doc, Stage

ROOT = "0"
_ITEM, _VERSION = "box_item", "box_version"
_LONGEST_NAME = 255
#: Box's ids are long numbers, files' and folders' apart.
_FIRST = {"folder": 246_000_000_000, "file": 1_429_000_000_000}
_FIRST_VERSION = 1_567_000_000_000


class Items:
    """Reads and changes the tree. An item that its owner did not make visible is not found."""

    def __init__(self, stage: Stage, apps: Apps) -> None:
        """`stage`: clock and state; `apps`: the users that own items."""
        self._state = stage.state
        self._clock = stage.clock
        self._apps = apps

    def get(self, kind: str, item_id: str, user_id: str, *, trashed: bool = False) -> Doc:
        """An item; `trashed`: one in the trash. Raises BoxError 404."""
        item = self._state.get(_ITEM, f"{kind}/{item_id}")
        if item is None or item["owner"] != user_id or item["status"] == "deleted":
            raise not_found()
        if not trashed and any(one["status"] != "active" for one in (item, *self.ancestors(item))):
            raise BoxError(404, "trashed")
        if trashed and item["status"] != "trashed":
            raise not_found()
        return item

    def folder_key(self, folder_id: str, user_id: str) -> str:
        """Where a folder's items are kept. Raises BoxError 404 if there is no such folder."""
        if folder_id == ROOT:
            return f"{ROOT}:{user_id}"
        self.get("folder", folder_id, user_id)
        return folder_id

    def ancestors(self, item: Doc) -> Iterator[Doc]:
        """The folders above, the nearest first, without folder 0."""
        parent = item["parent"]
        while parent != ROOT:
            folder = self._state.get(_ITEM, f"folder/{parent}")
            if folder is None:
                return
            yield folder
            parent = folder["parent"]

    def children(self, folder_id: str, user_id: str, *, most: int = 1_000_000) -> list[Doc]:
        """The active items of a folder, folders first, by name; of the `most` oldest."""
        key = self.folder_key(folder_id, user_id)
        found = self._state.find(_ITEM, owner=key, limit=most)
        active = [item for _, item in found if item["status"] == "active"]
        return sorted(active, key=lambda item: (item["type"] != "folder", item["name"].lower()))

    def named(self, parent: str, name: str, user_id: str) -> Doc | None:
        """What stands under that name; names differ by more than case."""
        key = self.folder_key(parent, user_id)
        found = self._state.find(_ITEM, owner=key, name=_folded(name), limit=1)
        return found[0][1] if found else None

    def free_name(self, parent: str, name: str, user_id: str) -> str:
        """`name`, or `name (1)`, `name (2)` … before its ending."""
        stem, dot, ending = name.rpartition(".")
        if not dot:
            stem, ending = name, ""
        number, free = 0, name
        while self.named(parent, free, user_id) is not None:
            number += 1
            free = f"{stem} ({number}){dot}{ending}"
        return free

    def create_folder(self, parent: str, name: str, user_id: str) -> Doc:
        """A new folder. Raises BoxError 400, 404, and 409 with an array of conflicts."""
        self._must_be_free("folder", parent, name, user_id)
        return self._new("folder", parent, name, user_id, maker=user_id)

    def create_file(
        self, parent: str, name: str, content: bytes, user_id: str, *, maker: str | None = None
    ) -> Doc:
        """A new file at its first version. Raises BoxError 400, 404, 409 with one conflict."""
        self._must_be_free("file", parent, name, user_id)
        item = self._new("file", parent, name, user_id, maker=maker or user_id)
        self._add_version(item, content, maker or user_id)
        self.save(item)
        return item

    def check_name(self, kind: str, parent: str, name: str, user_id: str) -> None:
        """What creating would refuse. Raises BoxError."""
        self._must_be_free(kind, parent, name, user_id)

    def new_version(self, item: Doc, content: bytes, maker: str) -> Doc:
        """The file with other content; its etag grows."""
        self._add_version(item, content, maker)
        self._touched(item, maker)
        self.save(item)
        return item

    def rename(self, item: Doc, *, name: str, parent: str, user_id: str) -> Doc:
        """Renames or moves. Raises BoxError as creating does."""
        if (name, parent) != (item["name"], item["parent"]):
            self._no_loop(item, parent)
            self._must_be_free(item["type"], parent, name, user_id, but=item["id"])
        item |= {"name": name, "parent": parent}
        self._touched(item, user_id)
        self.save(item)
        return item

    def set_status(self, item: Doc, status: str) -> Doc:
        """`active`, `trashed` or `deleted`. Raises BoxError 409 for a restored one's name."""
        if status == "active":
            self._must_be_free(item["type"], item["parent"], item["name"], item["owner"])
        item["status"] = status
        item["trashed_at"] = stamp(self._clock.now()) if status == "trashed" else None
        self.save(item)
        return item

    def save(self, item: Doc) -> None:
        """Keeps an item; its name is taken only while it is active."""
        parent = item["parent"]
        owner = f"{ROOT}:{item['owner']}" if parent == ROOT else parent
        name = _folded(item["name"]) if item["status"] == "active" else ""
        self._state.put(_ITEM, f"{item['type']}/{item['id']}", item, owner=owner, name=name)

    def content(self, item: Doc, version_id: str | None = None) -> bytes:
        """The bytes of a version; of the newest if none is named. Raises BoxError 404."""
        return self._state.content(self.version(item, version_id)["sha1"])

    def version(self, item: Doc, version_id: str | None = None) -> Doc:
        """A version of a file. Raises BoxError 404."""
        for version in item["versions"]:
            if version_id in (None, version["id"]):
                return dict(version)
        raise not_found()

    # How items look in answers

    def mini(self, item: Doc) -> Doc:
        """Type, id, etag, sequence_id, name; a file's sha1 and version too."""
        shown: Doc = {
            "type": item["type"],
            "id": item["id"],
            "sequence_id": str(item["etag"]),
            "etag": str(item["etag"]),
            "name": item["name"],
        }
        if item["type"] == "file":
            version = item["versions"][0]
            sha1 = version["sha1"]
            shown["sha1"] = sha1
            shown["file_version"] = {"type": "file_version", "id": version["id"], "sha1": sha1}
        return shown

    def full(self, item: Doc) -> Doc:
        """An item as GET answers."""
        above = [self.mini(folder) for folder in reversed(list(self.ancestors(item)))]
        entries = [_ALL_FILES, *above]
        # Box's automation user makes the files of Box Sign; its folder's owner owns them.
        shown = self.mini(item) | {
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
            shown["folder_upload_email"] = None
            shown["item_collection"] = self._first_items(item["id"], item["owner"])
        return shown

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

    # Inside

    def _first_items(self, folder_id: str, user_id: str) -> Doc:
        """The first page of a folder, without reading all of a large one."""
        children = [self.mini(child) for child in self.children(folder_id, user_id, most=200)]
        key = f"{ROOT}:{user_id}" if folder_id == ROOT else folder_id
        return page_of(children, 0, 100) | {"total_count": self._state.count(_ITEM, owner=key)}

    def _must_be_free(
        self, kind: str, parent: str, name: str, user_id: str, *, but: str | None = None
    ) -> None:
        check_spelling(name)
        there = self.named(parent, name, user_id)
        if there is not None and there["id"] != but:
            mini = self.mini(there)
            # An array for folders, an object for files: so it is at Box.
            conflicts = [mini] if kind == "folder" else mini
            raise BoxError(409, "item_name_in_use", context={"conflicts": conflicts})

    def _no_loop(self, item: Doc, parent: str) -> None:
        folder = self._state.get(_ITEM, f"folder/{parent}") if parent != ROOT else None
        above = [] if folder is None else [folder, *self.ancestors(folder)]
        if item["type"] == "folder" and any(one["id"] == item["id"] for one in above):
            raise BoxError(400, "cyclical_folder_structure", "Folder cannot be moved into itself")

    def _new(self, kind: str, parent: str, name: str, user_id: str, *, maker: str) -> Doc:
        moment = stamp(self._clock.now())
        item: Doc = {
            "type": kind,
            "id": str(_FIRST[kind] + self._state.number(f"box_{kind}")),
            "name": name,
            "parent": parent,
            "owner": user_id,
            "created_by": maker,
            "modified_by": maker,
            "created_at": moment,
            "modified_at": moment,
            "etag": 0,
            "status": "active",
            "description": "",
        }
        if kind == "file":
            item["versions"] = []
        else:
            self.save(item)
        return item

    def _add_version(self, item: Doc, content: bytes, maker: str) -> None:
        item["versions"].insert(
            0,
            {
                "id": str(_FIRST_VERSION + self._state.number(_VERSION)),
                "sha1": self._state.keep(content),
                "size": len(content),
                "created_at": stamp(self._clock.now()),
                "by": maker,
            },
        )

    def _touched(self, item: Doc, user_id: str) -> None:
        item["etag"] += 1
        item["modified_at"] = stamp(self._clock.now())
        item["modified_by"] = user_id


_ALL_FILES: Doc = {
    "type": "folder",
    "id": ROOT,
    "sequence_id": None,
    "etag": None,
    "name": "All Files",
}


def check_spelling(name: str) -> None:
    """Raises BoxError 400 for a name that Box does not take."""
    if not name:
        raise wrong("name", "'name' is required")
    if len(name) > _LONGEST_NAME:
        raise BoxError(400, "item_name_too_long")
    if name in (".", "..") or name != name.strip() or any(sign in name for sign in "/\\"):
        raise BoxError(400, "item_name_invalid")
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name):
        raise BoxError(400, "item_name_invalid")


def page_of(entries: list[Doc], offset: int, limit: int) -> Doc:
    """A page by offset."""
    return {
        "total_count": len(entries),
        "entries": entries[offset : offset + limit],
        "offset": offset,
        "limit": limit,
        "order": [{"by": "type", "direction": "ASC"}, {"by": "name", "direction": "ASC"}],
    }


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
