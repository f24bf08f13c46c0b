"""Box in memory, by the protocol of our client: for tests of what workflows decide."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from inkwire.errors import CallFailed, Permanent
from inkwire.providers.box.objects import (
    BoxChange,
    BoxChanges,
    BoxCollaboration,
    BoxContent,
    BoxFile,
    BoxFolder,
    BoxItem,
    BoxRef,
    BoxSign,
    BoxUser,
    BoxVersion,
    BoxWebhook,
    NameTaken,
    SignDraft,
)

SERVICE = BoxUser(id="1", name="Service", login="service@boxdevedition.com")


@dataclass
class FakeBox:
    """Holds folders, files, metadata, webhooks and sign requests; `faults` make its calls fail.

    `faults`: name of the method → errors of its next calls, each (error, whether it commits).
    """

    now: Callable[[], datetime]
    folders: dict[str, BoxFolder] = field(default_factory=dict)
    files: dict[str, tuple[BoxFile, bytes]] = field(default_factory=dict)
    #: Older versions of files, newest first.
    older: dict[str, list[tuple[BoxVersion, bytes]]] = field(default_factory=dict)
    hooks: dict[str, BoxWebhook] = field(default_factory=dict)
    signs: dict[str, BoxSign] = field(default_factory=dict)
    drafts: list[SignDraft] = field(default_factory=list)
    #: Key of a metadata template → keys of its fields.
    templates: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: (folder, template) → its fields, with Box's own.
    instances: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    #: Id → (folder, collaboration).
    shares: dict[str, tuple[str, BoxCollaboration]] = field(default_factory=dict)
    stream: list[BoxChange] = field(default_factory=list)
    faults: dict[str, list[tuple[CallFailed, bool]]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    #: Webhooks of other users of the application, which block but are not listed.
    hidden_hooks: set[str] = field(default_factory=set)
    numbers: int = 100

    def new_id(self) -> str:
        self.numbers += 1
        return str(self.numbers)

    def fault(self, method: str) -> tuple[CallFailed, bool] | None:
        self.calls.append(method)
        waiting = self.faults.get(method)
        return waiting.pop(0) if waiting else None

    @contextmanager
    def _called(self, method: str) -> Iterator[None]:
        """Around what a call does: its fault strikes before that, or after it."""
        failing = self.fault(method)
        if failing and not failing[1]:
            raise failing[0]
        yield
        if failing:
            raise failing[0]

    def me(self) -> BoxUser:
        return SERVICE

    # Folders

    def folder(self, folder_id: str) -> BoxFolder | None:
        with self._called("folder"):
            found = self.folders.get(folder_id)
            if found is None or found.status != "active":
                return None
            return replace(found, path=self.path(found.parent_id))

    def path(self, folder_id: str | None) -> tuple[BoxRef, ...]:
        """The folders from the top down to that one."""
        found: list[BoxRef] = []
        while folder_id is not None and folder_id in self.folders:
            folder = self.folders[folder_id]
            found.insert(0, BoxRef(id=folder.id, name=folder.name))
            folder_id = folder.parent_id
        return tuple(found)

    def create_folder(self, name: str, *, parent_id: str = "0") -> BoxFolder | NameTaken:
        with self._called("create_folder"):
            if taken := self._taken(name, parent_id):
                return taken
            made = BoxFolder(id=self.new_id(), name=name, parent_id=parent_id)
            self.folders[made.id] = made
            return replace(made, path=self.path(parent_id))

    def _taken(self, name: str, parent_id: str | None, but: str = "") -> NameTaken | None:
        for other in self.folders.values():
            there = (other.name, other.parent_id, other.status) == (name, parent_id, "active")
            if there and other.id != but:
                return NameTaken(id=other.id, type="folder")
        return None

    def change_folder(
        self, folder_id: str, *, name: str | None = None, parent_id: str | None = None
    ) -> BoxFolder | NameTaken:
        with self._called("change_folder"):
            found = self.folders.get(folder_id)
            if found is None or found.status != "active":
                raise Permanent("Box knows nothing there.")
            name, parent = name or found.name, parent_id or found.parent_id
            if taken := self._taken(name, parent, folder_id):
                return taken
            self.folders[folder_id] = changed = replace(found, name=name, parent_id=parent)
            return replace(changed, path=self.path(parent))

    def items(self, folder_id: str) -> Iterator[BoxItem]:
        with self._called("items"):
            for folder in list(self.folders.values()):
                if folder.parent_id == folder_id and folder.status == "active":
                    yield BoxItem(type="folder", id=folder.id, name=folder.name)
            for one, _ in list(self.files.values()):
                if one.parent_id == folder_id:
                    yield BoxItem(
                        type="file", id=one.id, name=one.name, version_id=one.version_id,
                        sha1=one.sha1, size=one.size,
                    )  # fmt: skip

    def can_upload(self, folder_id: str) -> None:
        with self._called("can_upload"):
            if folder_id != "0" and folder_id not in self.folders:
                raise Permanent("Box knows nothing there.")

    # Files

    def upload(self, folder_id: str, name: str, content: bytes) -> BoxFile | NameTaken:
        with self._called("upload"):
            for other, _ in self.files.values():
                if (other.name, other.parent_id) == (name, folder_id):
                    return NameTaken(id=other.id, type="file", sha1=other.sha1)
            return self.put(name, content, folder_id)

    def put(
        self, name: str, content: bytes, folder_id: str | None = None, by: BoxUser | None = None
    ) -> BoxFile:
        """A new file, as a person makes it."""
        made = BoxFile(
            id=self.new_id(),
            version_id=self.new_id(),
            name=name,
            sha1=hashlib.sha1(content).hexdigest(),
            size=len(content),
            parent_id=folder_id,
            version_number=1,
            path=self.path(folder_id),
            modified_by=by,
        )
        self.files[made.id] = (made, content)
        return made

    def put_version(self, file_id: str, content: bytes, by: BoxUser | None = None) -> BoxFile:
        """A new version of a file, as a person makes it."""
        old, before = self.files[file_id]
        self.older.setdefault(file_id, []).insert(0, (_version(old), before))
        made = replace(
            old,
            version_id=self.new_id(),
            version_number=old.version_number + 1,
            sha1=hashlib.sha1(content).hexdigest(),
            size=len(content),
            modified_by=by,
        )
        self.files[file_id] = (made, content)
        return made

    def file(self, file_id: str) -> BoxFile | None:
        with self._called("file"):
            found = self.files.get(file_id)
            return replace(found[0], path=self.path(found[0].parent_id)) if found else None

    def versions(self, file_id: str) -> Iterator[BoxVersion]:
        with self._called("versions"):
            if file_id in self.files:
                yield _version(self.files[file_id][0])
                yield from [one for one, _ in self.older.get(file_id, [])]

    def download(self, file_id: str, *, version_id: str | None = None) -> bytes:
        failing = self.fault("download")
        if failing:
            raise failing[0]
        return self._content(file_id, version_id)

    @contextmanager
    def open_file(self, file_id: str, *, version_id: str | None = None) -> Iterator[BoxContent]:
        """A fault that commits strikes after the first half of the bytes."""
        failing = self.fault("open_file")
        if failing and not failing[1]:
            raise failing[0]
        content = self._content(file_id, version_id)

        def pieces() -> Iterator[bytes]:
            half = len(content) // 2
            yield content[:half]
            if failing:
                raise failing[0]
            yield content[half:]

        yield BoxContent(size=len(content), pieces=pieces())

    def _content(self, file_id: str, version_id: str | None) -> bytes:
        if file_id not in self.files:
            raise Permanent("Box knows nothing there.")
        file, content = self.files[file_id]
        if version_id in (None, file.version_id):
            return content
        for version, older in self.older.get(file_id, []):
            if version.id == version_id:
                return older
        raise Permanent("Box knows nothing there.")

    # Metadata and access

    def metadata(self, folder_id: str, template: str) -> Mapping[str, Any] | None:
        with self._called("metadata"):
            found = self.instances.get((folder_id, template))
            return dict(found) if found and folder_id in self.folders else None

    def create_metadata(self, folder_id: str, template: str, values: Mapping[str, str]) -> bool:
        with self._called("create_metadata"):
            if template not in self.templates or folder_id not in self.folders:
                raise Permanent("Box knows nothing there.")
            if (folder_id, template) in self.instances:
                return False
            own = {"$template": template, "$scope": "enterprise_1", "$version": 0}
            self.instances[folder_id, template] = {**values, **own}
            return True

    def change_metadata(
        self, folder_id: str, template: str, operations: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Any] | None:
        with self._called("change_metadata"):
            found = self.instances.get((folder_id, template))
            if found is None:
                return None
            values = dict(found)
            for one in operations:
                key = str(one["path"]).removeprefix("/")
                if one["op"] == "test" and (key not in values or values[key] != one["value"]):
                    return None
                if one["op"] == "remove":
                    del values[key]
                elif one["op"] in ("add", "replace"):
                    values[key] = one["value"]
            values["$version"] += 1
            self.instances[folder_id, template] = values
            return dict(values)

    def metadata_template(self, template: str) -> tuple[str, ...] | None:
        with self._called("metadata_template"):
            return self.templates.get(template)

    def create_metadata_template(self, template: str, title: str, fields: Sequence[str]) -> bool:
        with self._called("create_metadata_template"):
            if template in self.templates:
                return False
            self.templates[template] = tuple(fields)
            return True

    def collaborations(self, folder_id: str) -> Iterator[BoxCollaboration]:
        with self._called("collaborations"):
            yield from [one for folder, one in list(self.shares.values()) if folder == folder_id]

    def collaborate(
        self, folder_id: str, login: str, role: str, *, notify: bool = False
    ) -> BoxCollaboration | None:
        with self._called("collaborate"):
            if any(
                (folder, one.login) == (folder_id, login) for folder, one in self.shares.values()
            ):
                return None
            made = BoxCollaboration(id=self.new_id(), login=login, role=role, status="accepted")
            self.shares[made.id] = (folder_id, made)
            return made

    def remove_collaboration(self, collaboration_id: str) -> bool:
        with self._called("remove_collaboration"):
            return self.shares.pop(collaboration_id, None) is not None

    def changes(self, position: str) -> BoxChanges:
        """`stream` from that position on; positions count its entries."""
        with self._called("changes"):
            newest = str(len(self.stream))
            rows = () if position == "now" else tuple(self.stream[int(position) :])
            return BoxChanges(changes=rows, next_position=newest)

    # Sign requests and webhooks

    def create_sign_request(self, draft: SignDraft) -> BoxSign:
        with self._called("create_sign_request"):
            return self.late(draft)

    def late(self, draft: SignDraft) -> BoxSign:
        """What a create commits; also one that commits after its connection broke."""
        self.drafts.append(draft)
        made = BoxSign(
            id=f"sign-{self.new_id()}",
            status="sent",
            external_id=draft.external_id,
            created_at=self.now(),
            files=(),
            ready=False,
            signing_log=None,
            reason="",
            expires_at=None,
            signer_emails=tuple(one.email for one in draft.signers if one.role == "signer"),
        )
        self.signs[made.id] = made
        return made

    def ends(self, sign_id: str, status: str, *, ready: bool = True, reason: str = "") -> None:
        """The person signed, declined …."""
        files: tuple[BoxFile, ...] = ()
        log = None
        if status == "signed":
            files = (self.put("Order.pdf", b"%PDF signed " + sign_id.encode()),)
            log = self.put("Order Signing Log.pdf", b"%PDF log " + sign_id.encode())
        self.signs[sign_id] = replace(
            self.signs[sign_id],
            status=status,
            ready=ready,
            files=files,
            signing_log=log,
            reason=reason,
        )

    def sign_request(self, sign_request_id: str) -> BoxSign | None:
        failing = self.fault("sign_request")
        if failing:
            raise failing[0]
        return self.signs.get(sign_request_id)

    def sign_requests(self, *, most: int = 10_000):
        self.calls.append("sign_requests")
        yield from list(self.signs.values())

    def webhooks(self):
        self.calls.append("webhooks")
        for hook in list(self.hooks.values()):
            if hook.id not in self.hidden_hooks:
                yield replace(hook, address="", triggers=())

    def webhook(self, webhook_id: str) -> BoxWebhook | None:
        self.calls.append("webhook")
        return self.hooks.get(webhook_id)

    def create_webhook(
        self, *, folder_id: str, address: str, triggers: tuple[str, ...]
    ) -> BoxWebhook | None:
        with self._called("create_webhook"):
            if any(hook.target_id == folder_id for hook in self.hooks.values()):
                return None
            made = BoxWebhook(
                id=self.new_id(),
                target_id=folder_id,
                target_type="folder",
                address=address,
                triggers=triggers,
            )
            self.hooks[made.id] = made
            return made

    def update_webhook(
        self, webhook_id: str, *, address: str, triggers: tuple[str, ...]
    ) -> BoxWebhook:
        with self._called("update_webhook"):
            made = replace(self.hooks[webhook_id], address=address, triggers=triggers)
            self.hooks[webhook_id] = made
            return made


def _version(file: BoxFile) -> BoxVersion:
    return BoxVersion(
        id=file.version_id,
        number=file.version_number,
        sha1=file.sha1,
        size=file.size,
        name=file.name,
        modified_by=file.modified_by,
    )
