"""Users, folders, what is in them, and who may see them."""

from collections.abc import Iterator
from typing import Any

from box_sdk_gen.managers.events import GetEventsStreamType
from box_sdk_gen.managers.folders import CreateFolderParent, UpdateFolderByIdParent
from box_sdk_gen.managers.uploads import PreflightFileUploadCheckParent
from box_sdk_gen.managers.user_collaborations import (
    CreateCollaborationAccessibleBy,
    CreateCollaborationAccessibleByTypeField,
    CreateCollaborationItem,
    CreateCollaborationItemTypeField,
)

from inkwire.providers.box.client import reading
from inkwire.providers.box.client.faults import BoxRefused
from inkwire.providers.box.client.parts import Part, checked_id, found, made, pages, unless
from inkwire.providers.box.objects import (
    BoxChanges,
    BoxCollaboration,
    BoxFolder,
    BoxItem,
    BoxUser,
    NameTaken,
)

_PAGE, _EVENTS = 1000, 500
_FOLDER = ["id", "name", "parent", "item_status", "path_collection"]
_ITEM = ["id", "type", "name", "file_version", "sha1", "size"]
_COLLABORATION = ["id", "accessible_by", "invite_email", "role", "status"]


class SdkFolders(Part):
    """Folders, collaborations and the event stream."""

    def me(self) -> BoxUser:
        """GET /users/me."""
        fields = ["id", "name", "login"]
        answer = self._box.users.get_user_me(fields=fields)
        return self._read(reading.user, "GET /2.0/users/me", answer)

    def folder(self, folder_id: str) -> BoxFolder | None:
        """GET /folders/{id}; None for 404 or a trashed one."""
        folders = self._box.folders
        there = found(lambda: folders.get_folder_by_id(checked_id(folder_id), fields=_FOLDER))
        if there is None:
            return None
        folder = self._read(reading.folder, "GET /2.0/folders/ID", there)
        return folder if folder.status == "active" else None

    def create_folder(self, name: str, *, parent_id: str = "0") -> BoxFolder | NameTaken:
        """POST /folders."""
        parent = CreateFolderParent(id=checked_id(parent_id))
        answer = made(lambda: self._box.folders.create_folder(name, parent, fields=_FOLDER))
        if isinstance(answer, NameTaken):
            return answer
        return self._read(reading.folder, "POST /2.0/folders", answer)

    def change_folder(
        self, folder_id: str, *, name: str | None = None, parent_id: str | None = None
    ) -> BoxFolder | NameTaken:
        """PUT /folders/{id}: renames or moves it."""
        parent = None if parent_id is None else UpdateFolderByIdParent(id=checked_id(parent_id))
        answer = made(
            lambda: self._box.folders.update_folder_by_id(
                checked_id(folder_id), name=name, parent=parent, fields=_FOLDER
            )
        )
        if isinstance(answer, NameTaken):
            return answer
        return self._read(reading.folder, "PUT /2.0/folders/ID", answer)

    def items(self, folder_id: str) -> Iterator[BoxItem]:
        """GET /folders/{id}/items by marker: files and folders."""
        place = checked_id(folder_id)
        rows = pages(
            lambda marker: self._box.folders.get_folder_items(
                place, fields=_ITEM, usemarker=True, marker=marker, limit=_PAGE
            )
        )
        for row in rows:
            if row.get("type") in ("file", "folder"):
                yield self._read(reading.item, "GET /2.0/folders/ID/items", row)

    def can_upload(self, folder_id: str) -> None:
        """OPTIONS /files/content: asks whether a small file could be put there; changes nothing."""
        parent = PreflightFileUploadCheckParent(id=checked_id(folder_id))
        try:
            self._box.uploads.preflight_file_upload_check(
                name="Inkwire checks its access.txt", size=1, parent=parent
            )
        except BoxRefused as refused:
            if refused.answer.status != 409:  # it stands there already: then one may write there
                raise

    def collaborations(self, folder_id: str) -> Iterator[BoxCollaboration]:
        """GET /folders/{id}/collaborations."""
        place = checked_id(folder_id)
        rows = pages(
            lambda marker: self._box.access.get_folder_collaborations(
                place, fields=_COLLABORATION, marker=marker, limit=_PAGE
            )
        )
        for row in rows:
            yield self._read(reading.collaboration, "GET /2.0/folders/ID/collaborations", row)

    def collaborate(
        self, folder_id: str, login: str, role: str, *, notify: bool = False
    ) -> BoxCollaboration | None:
        """POST /collaborations; None: that user has access already."""
        item = CreateCollaborationItem(
            type=CreateCollaborationItemTypeField.FOLDER, id=checked_id(folder_id)
        )
        user = CreateCollaborationAccessibleBy(
            CreateCollaborationAccessibleByTypeField.USER, login=login
        )
        as_named: Any = role
        answer = unless(
            {400, 409},
            lambda: self._box.collaborations.create_collaboration(
                item, user, as_named, fields=_COLLABORATION, notify=notify
            ),
            codes=("user_already_collaborator",),
        )
        if answer is None:
            return None
        return self._read(reading.collaboration, "POST /2.0/collaborations", answer)

    def remove_collaboration(self, collaboration_id: str) -> bool:
        """DELETE /collaborations/{id}; False if it is not there."""
        name = checked_id(collaboration_id)

        def removed() -> bool:
            self._box.collaborations.delete_collaboration_by_id(name)
            return True

        return found(removed) is not None

    def changes(self, position: str) -> BoxChanges:
        """GET /events with stream_type `changes` from that position; `now` gives the newest."""
        answer = self._box.events.get_events(
            stream_type=GetEventsStreamType.CHANGES, stream_position=position, limit=_EVENTS
        )
        return self._read(reading.changes, "GET /2.0/events", answer)
