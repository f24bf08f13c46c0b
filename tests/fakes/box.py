"""Box in memory, by the protocol of our client: for tests of what workflows decide."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from inkwire.errors import CallFailed
from inkwire.providers.box.objects import (
    BoxFile,
    BoxFolder,
    BoxSign,
    BoxUser,
    BoxWebhook,
    NameTaken,
    SignDraft,
)


@dataclass
class FakeBox:
    """Holds folders, files, webhooks and sign requests; `faults` make its calls fail.

    `faults`: name of the method → errors of its next calls, each (error, whether it commits).
    """

    now: Callable[[], datetime]
    folders: dict[str, BoxFolder] = field(default_factory=dict)
    files: dict[str, tuple[BoxFile, bytes]] = field(default_factory=dict)
    hooks: dict[str, BoxWebhook] = field(default_factory=dict)
    signs: dict[str, BoxSign] = field(default_factory=dict)
    drafts: list[SignDraft] = field(default_factory=list)
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

    def me(self) -> BoxUser:
        return BoxUser(id="1", name="Service", login="service@boxdevedition.com")

    def folder(self, folder_id: str) -> BoxFolder | None:
        self.calls.append("folder")
        found = self.folders.get(folder_id)
        return found if found is not None and found.status == "active" else None

    def create_folder(self, name: str, *, parent_id: str = "0") -> BoxFolder | NameTaken:
        failing = self.fault("create_folder")
        if failing and not failing[1]:
            raise failing[0]
        for other in self.folders.values():
            if (other.name, other.parent_id, other.status) == (name, parent_id, "active"):
                return NameTaken(id=other.id, type="folder")
        made = BoxFolder(id=self.new_id(), name=name, parent_id=parent_id)
        self.folders[made.id] = made
        if failing:
            raise failing[0]
        return made

    def upload(self, folder_id: str, name: str, content: bytes) -> BoxFile | NameTaken:
        failing = self.fault("upload")
        if failing and not failing[1]:
            raise failing[0]
        for other, _ in self.files.values():
            if (other.name, other.parent_id) == (name, folder_id):
                return NameTaken(id=other.id, type="file", sha1=other.sha1)
        made = self.put(name, content, folder_id)
        if failing:
            raise failing[0]
        return made

    def put(self, name: str, content: bytes, folder_id: str | None = None) -> BoxFile:
        sha1 = hashlib.sha1(content).hexdigest()
        made = BoxFile(
            id=self.new_id(),
            version_id=self.new_id(),
            name=name,
            sha1=sha1,
            size=len(content),
            parent_id=folder_id,
        )
        self.files[made.id] = (made, content)
        return made

    def file(self, file_id: str) -> BoxFile | None:
        self.calls.append("file")
        found = self.files.get(file_id)
        return found[0] if found else None

    def download(self, file_id: str, *, version_id: str | None = None) -> bytes:
        failing = self.fault("download")
        if failing:
            raise failing[0]
        return self.files[file_id][1]

    def create_sign_request(self, draft: SignDraft) -> BoxSign:
        failing = self.fault("create_sign_request")
        if failing and not failing[1]:
            raise failing[0]
        made = self.late(draft)
        if failing:
            raise failing[0]
        return made

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
        self.calls.append("create_webhook")
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
        self.calls.append("update_webhook")
        made = replace(self.hooks[webhook_id], address=address, triggers=triggers)
        self.hooks[webhook_id] = made
        return made
