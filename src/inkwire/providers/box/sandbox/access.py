"""Who may see and change an item: its owner, and those whom a collaboration lets in."""

from collections.abc import Iterable
from typing import Any

from inkwire.providers.sandboxing import Doc, Documents

COLLABORATION = "box_collaboration"
#: What each role may do beside seeing the item (support.box.com, Collaborator permission levels).
ROLES: dict[str, frozenset[str]] = {
    "previewer": frozenset({"read"}),
    "uploader": frozenset({"read", "upload"}),
    "previewer uploader": frozenset({"read", "upload"}),
    "viewer": frozenset({"read", "download"}),
    "viewer uploader": frozenset({"read", "download", "upload"}),
    "editor": frozenset({"read", "download", "upload", "edit"}),
    "co-owner": frozenset({"read", "download", "upload", "edit"}),
}


class Access:
    """Keeps collaborations: found by item, and by the user who has accepted."""

    def __init__(self, state: Documents) -> None:
        """`state`: where they are kept."""
        self._state = state

    def keep(self, collaboration: Doc) -> None:
        """Keeps one; it lets somebody in once it is accepted."""
        item = collaboration["item"]
        accepted = collaboration["status"] == "accepted"
        self._state.put(
            COLLABORATION,
            collaboration["id"],
            collaboration,
            owner=f"{item['type']}/{item['id']}",
            name=str(collaboration["user"]) if accepted else "",
        )

    def get(self, collaboration_id: str) -> Doc | None:
        """One by its id."""
        return self._state.get(COLLABORATION, collaboration_id)

    def drop(self, collaboration_id: str) -> None:
        """Forgets one."""
        self._state.drop(COLLABORATION, collaboration_id)

    def of(self, item: Doc) -> list[Doc]:
        """Those on this item itself, oldest first."""
        found = self._state.find(COLLABORATION, owner=f"{item['type']}/{item['id']}")
        return [doc for _, doc in found]

    def shared_with(self, user_id: str) -> list[dict[str, Any]]:
        """`{"type", "id"}` of what was shared with a user."""
        found = self._state.find(COLLABORATION, name=user_id)
        return [doc["item"] for _, doc in found]

    def may(self, user_id: str, right: str, item: Doc, above: Iterable[Doc]) -> bool:
        """Whether the user may `read`, `download`, `upload` or `edit`; `above`: its folders."""
        if item["owner"] == user_id:
            return True
        return any(
            right in ROLES[doc["role"]]
            for place in (item, *above)
            for doc in self.of(place)
            if doc["status"] == "accepted" and doc["user"] == user_id
        )

    def audience(self, item: Doc, above: Iterable[Doc]) -> list[str]:
        """Ids of all who may see it, the owner first."""
        found = {str(item["owner"]): None}
        for place in (item, *above):
            for doc in self.of(place):
                if doc["status"] == "accepted":
                    found[str(doc["user"])] = None
        return list(found)
