"""The tree of files and folders: each user's own below folder 0, and what others shared."""

import unicodedata
from collections.abc import Iterator

from inkwire.providers.box.sandbox.access import Access
from inkwire.providers.box.sandbox.answers import BoxError, not_found, wrong
from inkwire.providers.box.sandbox.apps import Apps, stamp
from inkwire.providers.box.sandbox.contents import Hashed, Made
from inkwire.providers.box.sandbox.shapes import ITEM, ROOT, Shapes
from inkwire.providers.sandboxing import Doc, Stage

_VERSION = "box_version"
_LONGEST_NAME = 255
#: Box's ids are long numbers, files' and folders' apart.
_FIRST = {"folder": 246_000_000_000, "file": 1_429_000_000_000}
_FIRST_VERSION = 1_567_000_000_000


class Items(Shapes):
    """Reads and changes the tree. An item that its owner did not make visible is not found."""

    def __init__(self, stage: Stage, apps: Apps, access: Access) -> None:
        """`stage`: clock and state; `apps`: the users; `access`: who is let in by whom."""
        self._state = stage.state
        self._clock = stage.clock
        self._apps = apps
        self.access = access

    def get(
        self, kind: str, item_id: str, user_id: str, *, trashed: bool = False, to: str = "read"
    ) -> Doc:
        """An item; `trashed`: one in the trash; `to`: what the user wants to do with it.

        Raises BoxError: 404 for one that the user may not see, 403 for one that is only seen.
        """
        item = self._state.get(ITEM, f"{kind}/{item_id}")
        if item is None or item["status"] == "deleted":
            raise not_found()
        above = list(self.ancestors(item))
        if not self.access.may(user_id, "read", item, above):
            raise not_found()
        if not trashed and any(one["status"] != "active" for one in (item, *above)):
            raise BoxError(404, "trashed")
        if trashed and item["status"] != "trashed":
            raise not_found()
        if to != "read" and not self.access.may(user_id, to, item, above):
            raise BoxError(403, "access_denied_insufficient_permissions")
        return item

    def raw(self, kind: str, item_id: str) -> Doc | None:
        """An item wherever it is and whosever it is; None if there never was one."""
        return self._state.get(ITEM, f"{kind}/{item_id}")

    def every(self) -> list[Doc]:
        """All items of everybody, oldest first."""
        return [item for _, item in self._state.find(ITEM)]

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
            folder = self._state.get(ITEM, f"folder/{parent}")
            if folder is None:
                return
            yield folder
            parent = folder["parent"]

    def children(self, folder_id: str, user_id: str) -> list[Doc]:
        """The active items of a folder, folders first, by name. Raises BoxError 404."""
        active = self.active_in(self.folder_key(folder_id, user_id))
        if folder_id == ROOT:
            active += self._shared(user_id)
        return _sorted(active)

    def active_in(self, key: str, *, most: int = 1_000_000) -> list[Doc]:
        """The active items that are kept under a folder's key; of the `most` oldest."""
        found = self._state.find(ITEM, owner=key, limit=most)
        return _sorted([item for _, item in found if item["status"] == "active"])

    def _shared(self, user_id: str) -> list[Doc]:
        """What others shared with a user, as it stands in that one's All Files."""
        found = (self.raw(one["type"], one["id"]) for one in self.access.shared_with(user_id))
        shown = []
        for item in found:
            if item is None or item["status"] != "active":
                continue
            above = list(self.ancestors(item))
            hidden = bool(above) and self.access.may(user_id, "read", above[0], above[1:])
            if not hidden and all(one["status"] == "active" for one in above):
                shown.append(item)
        return shown

    def named(self, parent: str, name: str, user_id: str) -> Doc | None:
        """What stands under that name; names differ by more than case."""
        key = self.folder_key(parent, user_id)
        found = self._state.find(ITEM, owner=key, name=_folded(name), limit=1)
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
        self,
        parent: str,
        name: str,
        content: bytes | Hashed,
        user_id: str,
        *,
        maker: str | None = None,
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

    def new_version(self, item: Doc, content: bytes | Hashed, maker: str) -> Doc:
        """The file with other content; its etag grows."""
        self._add_version(item, content, maker)
        self._touched(item, maker)
        self.save(item)
        return item

    def copy_version(self, item: Doc, version_id: str, maker: str) -> Doc:
        """The file with a copy of an older version on top."""
        self._put_version(item, self.version(item, version_id), maker)
        self._touched(item, maker)
        self.save(item)
        return item

    def copy_file(
        self, item: Doc, parent: str, name: str, user_id: str, version_id: str | None
    ) -> Doc:
        """Another file with the content of a version. Raises BoxError as creating does."""
        self._must_be_free("file", parent, name, user_id)
        made = self._new("file", parent, name, user_id, maker=user_id)
        self._put_version(made, self.version(item, version_id), user_id)
        self.save(made)
        return made

    def rename(self, item: Doc, *, name: str, parent: str, user_id: str) -> Doc:
        """Renames or moves. Raises BoxError as creating does."""
        if (name, parent) != (item["name"], item["parent"]):
            self._no_loop(item, parent)
            self._must_be_free(item["type"], parent, name, user_id, but=item["id"])
        if parent != item["parent"]:
            self._give(item, self._owner_in(parent, user_id))
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
        self._state.put(ITEM, f"{item['type']}/{item['id']}", item, owner=owner, name=name)

    def content(self, item: Doc, version_id: str | None = None) -> bytes:
        """The bytes of a version; of the newest if none is named. Raises BoxError 404."""
        version = self.version(item, version_id)
        if made := made_of(version):
            return b"".join(made.pieces())
        return self._state.content(version["sha1"])

    def version(self, item: Doc, version_id: str | None = None) -> Doc:
        """A version of a file. Raises BoxError 404."""
        for version in item["versions"]:
            if version_id in (None, version["id"]):
                return dict(version)
        raise not_found()

    # Inside

    def _owner_in(self, parent: str, user_id: str) -> str:
        """Who owns what is put into a folder: the folder's owner."""
        folder = None if parent == ROOT else self.raw("folder", parent)
        return user_id if folder is None else str(folder["owner"])

    def _give(self, item: Doc, owner: str) -> None:
        """Makes it and all that is in it somebody else's."""
        if item["owner"] == owner:
            return
        item["owner"] = owner
        if item["type"] == "folder":
            for _, child in self._state.find(ITEM, owner=item["id"]):
                self._give(child, owner)
                self.save(child)

    def _must_be_free(
        self, kind: str, parent: str, name: str, user_id: str, *, but: str | None = None
    ) -> None:
        check_spelling(name)
        if parent != ROOT:
            self.get("folder", parent, user_id, to="upload" if kind == "file" else "edit")
        there = self.named(parent, name, user_id)
        if there is not None and there["id"] != but:
            mini = self.mini(there)
            # An array for folders, an object for files: so it is at Box.
            conflicts = [mini] if kind == "folder" else mini
            raise BoxError(409, "item_name_in_use", context={"conflicts": conflicts})

    def _no_loop(self, item: Doc, parent: str) -> None:
        folder = self._state.get(ITEM, f"folder/{parent}") if parent != ROOT else None
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
            "owner": self._owner_in(parent, user_id),
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

    def _add_version(self, item: Doc, content: bytes | Hashed, maker: str) -> None:
        if isinstance(content, Hashed):
            made = content.made
            kept: Doc = {"sha1": content.sha1, "size": made.size, "seed": made.seed}
        else:
            kept = {"sha1": self._state.keep(content), "size": len(content)}
        self._put_version(item, kept, maker)

    def _put_version(self, item: Doc, content: Doc, maker: str) -> None:
        kept = {name: content[name] for name in ("sha1", "size", "seed") if name in content}
        version: Doc = kept | {
            "id": str(_FIRST_VERSION + self._state.number(_VERSION)),
            "created_at": stamp(self._clock.now()),
            "by": maker,
            "name": item["name"],
            "number": len(item["versions"]) + 1,
        }
        item["versions"].insert(0, version)

    def _touched(self, item: Doc, user_id: str) -> None:
        item["etag"] += 1
        item["modified_at"] = stamp(self._clock.now())
        item["modified_by"] = user_id


def made_of(version: Doc) -> Made | None:
    """What gives the bytes of a version or link; None if they are kept."""
    seed = version.get("seed")
    return None if seed is None else Made(seed=seed, size=version["size"])


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


def _sorted(items: list[Doc]) -> list[Doc]:
    return sorted(items, key=lambda item: (item["type"] != "folder", item["name"].lower()))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
