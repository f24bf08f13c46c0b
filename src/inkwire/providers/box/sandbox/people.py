"""What people do with files and folders, as in Box's own pages: by name of the deed.

The page `/box/files` and the controls of the sandbox do the same by this.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from inkwire.providers.box.sandbox.acts import Acts
from inkwire.providers.box.sandbox.answers import BoxError, not_found, wrong
from inkwire.providers.box.sandbox.collaborations import Sharing
from inkwire.providers.box.sandbox.contents import Hashed, Made
from inkwire.providers.box.sandbox.metadata_store import MetadataStore
from inkwire.providers.box.sandbox.parts import Parts
from inkwire.providers.box.sandbox.shapes import ROOT
from inkwire.providers.box.sandbox.sign_requests import SignRequests
from inkwire.providers.box.sandbox.tokens import Caller
from inkwire.providers.sandboxing import Doc

#: Bytes of a file that is made up.
MOST_MADE = 100 * 1024**3


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """One thing that somebody does."""

    user: Doc
    #: The file or folder; None: folder 0.
    item: Doc | None
    given: Mapping[str, Any]

    def text(self, name: str, *, default: str | None = None) -> str:
        """A text that goes with it. Raises BoxError 400."""
        value = self.given.get(name, default)
        if not isinstance(value, str) or (not value and default is None):
            raise wrong(name, f"'{name}' is required")
        return value.strip()

    def thing(self, kind: str | None = None) -> Doc:
        """The item; of that kind, if one is named. Raises BoxError 400."""
        if self.item is None or kind not in (None, self.item["type"]):
            raise wrong("item", f"This is done with a {kind or 'file or folder'}")
        return self.item


class People:
    """Does what people do; raises BoxError as Box refuses."""

    def __init__(
        self, parts: Parts, sharing: Sharing, metadata: MetadataStore, requests: SignRequests
    ) -> None:
        """`parts` and the rest: what is done with."""
        self._parts = parts
        self._items = parts.items
        self._acts: Acts = parts.acts
        self._sharing = sharing
        self._metadata = metadata
        self._requests = requests
        #: Name of the deed → (what the user must be allowed to, the deed).
        self._deeds: dict[str, tuple[str, Callable[[Deed], Doc | None]]] = {
            "folder": ("edit", self._folder),
            "rename": ("edit", self._rename),
            "move": ("edit", self._move),
            "copy": ("download", self._copy),
            "lock": ("edit", lambda deed: self._acts.lock(deed.user, deed.thing("file"))),
            "unlock": ("edit", lambda deed: self._acts.unlock(deed.user, deed.thing("file"))),
            "promote": ("edit", self._promote),
            "trash": ("edit", self._trash),
            "restore": ("edit", lambda deed: self._acts.restore(deed.user, deed.thing())),
            "purge": ("edit", self._purge),
            "preview": ("read", self._preview),
            "download": ("download", self._download),
            "share": ("edit", self._share),
            "unshare": ("edit", self._unshare),
            "answer": ("read", self._answer),
            "metadata": ("edit", self._describe),
            "sign": ("download", self._sign),
        }

    def user(self, named: str) -> Doc:
        """A user by id or login. Raises BoxError 404."""
        found = self._parts.apps.user(named) or self._parts.apps.by_login(named)
        if found is None:
            raise not_found()
        return found

    def owner(self, kind: str, item_id: str) -> Doc:
        """Whose an item is. Raises BoxError 404."""
        item = self._items.raw(kind, item_id)
        if item is None:
            raise not_found()
        return self.user(item["owner"])

    def do(self, name: str, user: Doc, kind: str, item_id: str, given: Mapping[str, Any]) -> Doc:
        """Does it; the item that comes of it, or the one that it was done with."""
        if name not in self._deeds:
            raise wrong("do", f"Must be one of {', '.join(self._deeds)}", name)
        right, act = self._deeds[name]
        item = None
        if (kind, item_id) != ("folder", ROOT):
            trashed = name in ("restore", "purge")
            item = self._items.get(kind, item_id, user["id"], trashed=trashed, to=right)
        made = act(Deed(user=user, item=item, given=given))
        return made or item or self._items.root(user["id"])

    async def upload(
        self, user: Doc, folder_id: str, name: str, content: bytes | Made, *, version: bool = True
    ) -> Doc:
        """A new file; with `version`, a new version of the one that has the name, as Box asks."""
        kept = await hashed(content)
        there = self._items.named(folder_id, name, user["id"])
        if version and there is not None and there["type"] == "file":
            return await self.upload_version(user, there["id"], kept)
        return self._acts.upload(user, folder_id, name, kept)

    async def upload_version(self, user: Doc, file_id: str, content: bytes | Made | Hashed) -> Doc:
        """A new version of a file."""
        kept = await hashed(content) if isinstance(content, Made) else content
        item = self._items.get("file", file_id, user["id"], to="edit")
        return self._acts.upload_version(user, item, kept)

    def _folder(self, deed: Deed) -> Doc:
        parent = ROOT if deed.item is None else deed.thing("folder")["id"]
        return self._acts.create_folder(deed.user, parent, deed.text("name"))

    def _rename(self, deed: Deed) -> Doc:
        return self._acts.change(deed.user, deed.thing(), name=deed.text("name"))

    def _move(self, deed: Deed) -> Doc:
        return self._acts.change(deed.user, deed.thing(), parent=deed.text("to"))

    def _copy(self, deed: Deed) -> Doc:
        name = deed.text("name", default="") or None
        return self._acts.copy(deed.user, deed.thing(), deed.text("to"), name=name)

    def _promote(self, deed: Deed) -> Doc:
        return self._acts.promote(deed.user, deed.thing("file"), deed.text("version"))

    def _trash(self, deed: Deed) -> None:
        self._acts.trash(deed.user, deed.thing())

    def _purge(self, deed: Deed) -> None:
        self._acts.purge(deed.user, deed.thing())

    def _preview(self, deed: Deed) -> None:
        self._acts.looked_at(deed.user, deed.thing("file"))

    def _download(self, deed: Deed) -> None:
        self._acts.looked_at(deed.user, deed.thing("file"), downloaded=True)

    def _share(self, deed: Deed) -> None:
        role = deed.text("role", default="editor")
        self._sharing.invite(deed.user, deed.thing(), deed.text("login"), role)

    def _unshare(self, deed: Deed) -> None:
        self._sharing.remove(deed.user, self._collaboration(deed))

    def _answer(self, deed: Deed) -> None:
        """Who was invited accepts or rejects; for who has no account, one is made."""
        doc, status = self._collaboration(deed), deed.text("status")
        if self._parts.apps.by_login(doc["login"]) is None:
            self._parts.apps.add_user(doc["login"].partition("@")[0], doc["login"])
        self._sharing.change(deed.user, doc, role=None, status=status)

    def _collaboration(self, deed: Deed) -> Doc:
        login = deed.text("login").lower()
        for doc in self._items.access.of(deed.thing()):
            if doc["login"].lower() == login:
                return doc
        raise not_found()

    def _describe(self, deed: Deed) -> None:
        """Metadata as a form gives it: every field with a text, or none; numbers as they are."""
        item, key, given = deed.thing(), deed.text("template"), deed.given.get("values")
        if not isinstance(given, dict):
            raise wrong("values", "Expected an object")
        values = {name: value for name, value in given.items() if value not in ("", None)}
        try:
            there = self._metadata.instance(item, "enterprise", key)
        except BoxError as error:
            if error.status != 404:
                raise
            self._metadata.create(deed.user, item, "enterprise", key, values)
            return
        own = {name: value for name, value in there.items() if not name.startswith("$")}
        patch: list[Doc] = [{"op": "remove", "path": _path(name)} for name in own.keys() - values]
        for name, value in values.items():
            if own.get(name) != value:
                patch.append({"op": "add", "path": _path(name), "value": value})
        if patch:
            self._metadata.update(deed.user, item, "enterprise", key, patch)

    def _sign(self, deed: Deed) -> None:
        """Sends a file for signature: the signed one comes into the folder that it lies in."""
        item = deed.thing("file")
        body = {
            "signers": [{"email": deed.text("email"), "role": "signer"}],
            "source_files": [{"type": "file", "id": item["id"]}],
            "name": item["name"],
        }
        self._requests.create(body, Caller(app=self._parts.apps.all()[0], user=deed.user))


async def hashed(content: bytes | Made) -> bytes | Hashed:
    """Bytes as they are; made-up ones with their SHA-1, which may take seconds."""
    if isinstance(content, bytes):
        return content
    return Hashed(made=content, sha1=await asyncio.to_thread(content.sha1))


def _path(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")
