"""What is done with files and folders, by a call or by a person at the page: rights and events."""

import secrets
from datetime import datetime

from inkwire.moments import to_micros
from inkwire.providers.box.sandbox.answers import BoxError
from inkwire.providers.box.sandbox.apps import stamp
from inkwire.providers.box.sandbox.contents import Hashed
from inkwire.providers.box.sandbox.events import Events
from inkwire.providers.box.sandbox.items import Items
from inkwire.providers.sandboxing import Doc, Stage


class Acts:
    """Each as one change, with the events that Box sends of it; raises BoxError as Box refuses.

    `user`: who does it.
    """

    def __init__(self, stage: Stage, items: Items, events: Events) -> None:
        """`stage`: clock and state; `items`: the tree; `events`: who hears of it."""
        self._clock = stage.clock
        self._state = stage.state
        self._items = items
        self._events = events

    def create_folder(self, user: Doc, parent: str, name: str) -> Doc:
        """A new folder."""
        with self._state.change():
            folder = self._items.create_folder(parent, name, user["id"])
            self._events.about("FOLDER.CREATED", folder, user)
        return folder

    def upload(self, user: Doc, parent: str, name: str, content: bytes | Hashed) -> Doc:
        """A new file."""
        with self._state.change():
            item = self._items.create_file(parent, name, content, user["id"])
            self._events.about("FILE.UPLOADED", item, user)
        return item

    def upload_version(
        self, user: Doc, item: Doc, content: bytes | Hashed, *, name: str | None = None
    ) -> Doc:
        """A new version of a file: Box tells of it as of a new file."""
        self._unlocked(item, user)
        with self._state.change():
            if name is not None and name != item["name"]:
                item = self._items.rename(
                    item, name=name, parent=item["parent"], user_id=user["id"]
                )
            item = self._items.new_version(item, content, user["id"])
            self._events.about("FILE.UPLOADED", item, user)
        return item

    def promote(self, user: Doc, item: Doc, version_id: str) -> Doc:
        """An older version becomes the newest: a copy of it is put on top."""
        self._unlocked(item, user)
        with self._state.change():
            item = self._items.copy_version(item, version_id, user["id"])
            self._events.about("FILE.UPLOADED", item, user)
        return item

    def change(
        self,
        user: Doc,
        item: Doc,
        *,
        name: str | None = None,
        parent: str | None = None,
        description: str | None = None,
    ) -> Doc:
        """Renames, moves, describes."""
        self._unlocked(item, user)
        before = (item["name"], item["parent"])
        if description is not None:
            item["description"] = description
        with self._state.change():
            item = self._items.rename(
                item,
                name=item["name"] if name is None else name,
                parent=parent or item["parent"],
                user_id=user["id"],
            )
            kind = item["type"].upper()
            if item["name"] != before[0]:
                self._events.about(f"{kind}.RENAMED", item, user)
            if item["parent"] != before[1]:
                self._events.about(f"{kind}.MOVED", item, user)
                if kind == "FILE":  # a file that is moved in counts as uploaded, too
                    self._events.about("FILE.UPLOADED", item, user, streamed=False)
        return item

    def copy(
        self, user: Doc, item: Doc, parent: str, *, name: str | None = None, version: str = ""
    ) -> Doc:
        """A copy elsewhere, of a folder with all that is in it.

        Which item Box names as copied is not documented: here it is the old one, and the new one
        counts as uploaded or created.
        """
        with self._state.change():
            made = self._copied(user, item, parent, name or item["name"], version or None)
            self._events.about(f"{item['type'].upper()}.COPIED", item, user)
        return made

    def _copied(self, user: Doc, item: Doc, parent: str, name: str, version: str | None) -> Doc:
        if item["type"] == "file":
            made = self._items.copy_file(item, parent, name, user["id"], version)
            self._events.about("FILE.UPLOADED", made, user)
            return made
        folder = self._items.create_folder(parent, name, user["id"])
        self._events.about("FOLDER.CREATED", folder, user)
        for child in self._items.children(item["id"], user["id"]):
            if child["id"] != folder["id"]:
                self._copied(user, child, folder["id"], child["name"], None)
        return folder

    def lock(
        self, user: Doc, item: Doc, *, ends: datetime | None = None, no_download: bool = False
    ) -> Doc:
        """Locks a file: others may not change it until `ends`, or until it is unlocked."""
        self._unlocked(item, user)
        now = self._clock.now()
        item["lock"] = {
            "id": str(secrets.randbelow(10**10) + 10**10),
            "by": user["id"],
            "created_at": stamp(now),
            "ends": None if ends is None else to_micros(ends),
            "no_download": no_download,
        }
        return self._locked(user, item, "FILE.LOCKED")

    def unlock(self, user: Doc, item: Doc) -> Doc:
        """Takes the lock off; its own holder or the file's owner may."""
        if self._items.lock(item) is None:
            return item
        if user["id"] != item["owner"]:
            self._unlocked(item, user)
        item["lock"] = None
        return self._locked(user, item, "FILE.UNLOCKED")

    def _locked(self, user: Doc, item: Doc, trigger: str) -> Doc:
        with self._state.change():
            self._items.save(item)
            self._events.about(trigger, item, user)
        return item

    def trash(self, user: Doc, item: Doc) -> None:
        """Into the trash."""
        self._unlocked(item, user)
        self._to(user, item, "trashed", "TRASHED")

    def restore(self, user: Doc, item: Doc) -> Doc:
        """Out of the trash."""
        return self._to(user, item, "active", "RESTORED")

    def purge(self, user: Doc, item: Doc) -> None:
        """Out of the trash for good."""
        with self._state.change():
            self._events.about(f"{item['type'].upper()}.DELETED", item, user)
            self._items.set_status(item, "deleted")

    def _to(self, user: Doc, item: Doc, status: str, what: str) -> Doc:
        with self._state.change():
            item = self._items.set_status(item, status)
            self._events.about(f"{item['type'].upper()}.{what}", item, user)
        return item

    def looked_at(self, user: Doc, item: Doc, *, downloaded: bool = False) -> None:
        """Somebody previewed or downloaded a file."""
        self._events.about("FILE.DOWNLOADED" if downloaded else "FILE.PREVIEWED", item, user)

    def _unlocked(self, item: Doc, user: Doc) -> None:
        """Raises BoxError 403 if somebody else has locked the file."""
        lock = self._items.lock(item)
        if lock is not None and (lock["created_by"] or {}).get("id") != user["id"]:
            raise BoxError(403, "access_denied_item_locked", "Item is locked")
