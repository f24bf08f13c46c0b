"""The event stream of each user: what happened to the items that this one sees."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from inkwire.providers.box.sandbox.answers import BoxError, whole_number, wrong
from inkwire.providers.box.sandbox.apps import Apps, stamp
from inkwire.providers.box.sandbox.items import Items
from inkwire.providers.sandboxing import Doc, Stage

EVENT = "box_event"
_MOST = 500
#: A row whose number this divides is told twice, as Box may do (guides/events/user-events).
_TWICE = 7
#: Trigger of a webhook → type in the stream.
_TYPES = {
    "FILE.UPLOADED": "ITEM_UPLOAD",
    "FILE.PREVIEWED": "ITEM_PREVIEW",
    "FILE.DOWNLOADED": "ITEM_DOWNLOAD",
    "FILE.LOCKED": "LOCK_CREATE",
    "FILE.UNLOCKED": "LOCK_DESTROY",
    "FOLDER.CREATED": "ITEM_CREATE",
    **{
        f"{kind}.{what}": name
        for kind in ("FILE", "FOLDER")
        for what, name in (
            ("RENAMED", "ITEM_RENAME"),
            ("MOVED", "ITEM_MOVE"),
            ("COPIED", "ITEM_COPY"),
            ("TRASHED", "ITEM_TRASH"),
            ("RESTORED", "ITEM_UNDELETE_VIA_TRASH"),
        )
    },
    "COLLABORATION.CREATED": "COLLAB_ADD_COLLABORATOR",
    "COLLABORATION.UPDATED": "COLLAB_ROLE_CHANGE",
    "COLLABORATION.REMOVED": "COLLAB_REMOVE_COLLABORATOR",
}
#: Told in the stream `all` only: the tree stays as it is.
_NO_CHANGE = ("ITEM_PREVIEW", "ITEM_DOWNLOAD")


class Stream:
    """Keeps a row for each event and each user who sees its item; answers GET /events."""

    def __init__(self, stage: Stage, apps: Apps, items: Items) -> None:
        """`stage`: clock and state; `apps`: the users; `items`: who sees what."""
        self._state = stage.state
        self._clock = stage.clock
        self._apps = apps
        self._items = items

    def add(self, trigger: str, item: Doc, above: Sequence[Doc], actor: Doc | None) -> None:
        """Tells all who may see the item, if streams have such events."""
        kind = _TYPES.get(trigger)
        if kind is None:
            return
        number = self._state.number(EVENT)
        row = {
            "number": number,
            "type": kind,
            "at": stamp(self._clock.now()),
            "by": None if actor is None else actor["id"],
            "item": {"type": item["type"], "id": item["id"]},
        }
        for user_id in self._items.access.audience(item, above):
            self._state.put(EVENT, f"{number}/{user_id}", row, owner=user_id)

    def answer(self, request: Request, user_id: str) -> Response:
        """GET /events of a user; a page may be shorter than there is more. Raises BoxError."""
        query = request.query_params
        stream = query.get("stream_type", "all")
        if stream in ("admin_logs", "admin_logs_streaming"):
            raise BoxError(403, "access_denied_insufficient_permissions")
        if stream not in ("all", "changes", "sync"):
            raise wrong("stream_type", "Unknown stream", stream)
        limit = whole_number(query.get("limit"), "limit", default=100, most=_MOST) or 100
        position = query.get("stream_position") or "0"
        if position == "now":
            newest = self._state.find(EVENT, owner=user_id, newest=True, limit=1)
            return _page([], newest[0][0] if newest else 0)
        start = whole_number(position, "stream_position", default=0, most=10**12)
        found = self._state.find(EVENT, owner=user_id, after=start, limit=limit)
        told = [row for _, row in found if stream == "all" or row["type"] not in _NO_CHANGE]
        entries = []
        for row in told:
            times = 2 if row["number"] % _TWICE == 0 else 1
            entries += [self._entry(row, user_id)] * times
        return _page(entries, found[-1][0] if found else start)

    def _entry(self, row: Doc, user_id: str) -> Doc:
        item = self._items.raw(row["item"]["type"], row["item"]["id"])
        return {
            "type": "event",
            "event_id": f"{row['number']:040x}",
            "created_by": self._apps.user(row["by"]) if row["by"] else None,
            "created_at": row["at"],
            "recorded_at": row["at"],
            "event_type": row["type"],
            "source": self._items.full(item, user_id) if item else row["item"],
        }


def _page(entries: list[Doc], position: int) -> Response:
    body = {"chunk_size": len(entries), "next_stream_position": position, "entries": entries}
    return JSONResponse(body)
