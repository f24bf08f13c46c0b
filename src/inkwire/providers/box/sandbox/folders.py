"""Folders and users of the Box API."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inkwire.providers.box.sandbox.answers import (
    BoxError,
    json_body,
    ref,
    shown,
    text,
    whole_number,
    wrong,
)
from inkwire.providers.box.sandbox.apps import full_user
from inkwire.providers.box.sandbox.items import ROOT, page_of
from inkwire.providers.box.sandbox.parts import Parts, api, given
from inkwire.providers.box.sandbox.tokens import Caller
from inkwire.providers.sandboxing import Doc

_SCOPE = "root_readwrite"
_USERS = "manage_managed_users"
_ITEMS_MOST = 1000


class Folders:
    """`/folders` and `/users`."""

    def __init__(self, parts: Parts) -> None:
        """`parts`: the Box of this sandbox."""
        self._parts = parts
        self._items = parts.items

    def routes(self) -> list[Route]:
        """The calls."""
        parts, one = self._parts, "/folders/{id}"
        return [
            *api(parts, "GET", "/users/me", self._me),
            *api(parts, "GET", "/users", self._users, _USERS),
            *api(parts, "GET", "/users/{id}", self._user),
            *api(parts, "POST", "/folders", self._create, _SCOPE),
            *api(parts, "GET", one, self._get, _SCOPE),
            *api(parts, "PUT", one, self._update, _SCOPE),
            *api(parts, "POST", one, self._restore, _SCOPE),
            *api(parts, "DELETE", one, self._delete, _SCOPE),
            *api(parts, "GET", one + "/items", self._list, _SCOPE),
            *api(parts, "GET", one + "/trash", self._trashed, _SCOPE),
            *api(parts, "DELETE", one + "/trash", self._purge, _SCOPE),
        ]

    async def _me(self, request: Request, caller: Caller) -> Response:
        user = full_user(caller.user, self._parts.stage.clock.now())
        return JSONResponse(shown(user, request.query_params.get("fields")))

    async def _user(self, request: Request, caller: Caller) -> Response:
        user = self._parts.apps.user(given(request, "id"))
        if user is None:
            raise BoxError(404, "not_found")
        return JSONResponse(full_user(user, self._parts.stage.clock.now()))

    async def _users(self, request: Request, caller: Caller) -> Response:
        wanted = request.query_params.get("filter_term", "").lower()
        now = self._parts.stage.clock.now()
        found = [
            full_user(user, now)
            for user in self._parts.apps.users()
            if user["login"].lower().startswith(wanted) or user["name"].lower().startswith(wanted)
        ]
        limit = whole_number(request.query_params.get("limit"), "limit", default=100, most=1000)
        return JSONResponse(page_of(found, 0, limit))

    async def _create(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        name, parent = text(body, "name", required=True), ref(body, "parent")
        if parent is None:
            raise wrong("parent", "'parent' is required")
        with self._parts.stage.state.change():
            folder = self._items.create_folder(parent, name or "", caller.user_id)
            self._parts.events.about("FOLDER.CREATED", folder, caller.user)
        return JSONResponse(self._shown(folder, request), 201)

    async def _get(self, request: Request, caller: Caller) -> Response:
        folder_id = given(request, "id")
        if folder_id == ROOT:
            full = self._items.root(caller.user_id)
            return JSONResponse(shown(full, request.query_params.get("fields")))
        folder = self._items.get("folder", folder_id, caller.user_id)
        return JSONResponse(self._shown(folder, request))

    async def _update(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        folder = self._items.get("folder", given(request, "id"), caller.user_id)
        if_match(request, folder)
        with self._parts.stage.state.change():
            folder = changed(self._parts, folder, body, caller)
        return JSONResponse(self._shown(folder, request))

    async def _delete(self, request: Request, caller: Caller) -> Response:
        folder = self._items.get("folder", given(request, "id"), caller.user_id)
        if_match(request, folder)
        recursive = request.query_params.get("recursive", "").lower() == "true"
        if not recursive and self._items.children(folder["id"], caller.user_id):
            raise BoxError(400, "folder_not_empty", "Cannot delete - folder not empty")
        with self._parts.stage.state.change():
            self._items.set_status(folder, "trashed")
            self._parts.events.about("FOLDER.TRASHED", folder, caller.user)
        return Response(status_code=204)

    async def _restore(self, request: Request, caller: Caller) -> Response:
        folder = self._items.get("folder", given(request, "id"), caller.user_id, trashed=True)
        with self._parts.stage.state.change():
            self._items.set_status(folder, "active")
            self._parts.events.about("FOLDER.RESTORED", folder, caller.user)
        return JSONResponse(self._shown(folder, request), 201)

    async def _trashed(self, request: Request, caller: Caller) -> Response:
        folder = self._items.get("folder", given(request, "id"), caller.user_id, trashed=True)
        return JSONResponse(self._items.mini(folder) | {"item_status": "trashed"})

    async def _purge(self, request: Request, caller: Caller) -> Response:
        folder = self._items.get("folder", given(request, "id"), caller.user_id, trashed=True)
        with self._parts.stage.state.change():
            self._parts.events.about("FOLDER.DELETED", folder, caller.user)
            self._items.set_status(folder, "deleted")
        return Response(status_code=204)

    async def _list(self, request: Request, caller: Caller) -> Response:
        query = request.query_params
        limit = whole_number(query.get("limit"), "limit", default=100, most=_ITEMS_MOST) or 100
        items = self._items.children(given(request, "id"), caller.user_id)
        fields = query.get("fields")
        if query.get("usemarker", "").lower() == "true":
            start = whole_number(query.get("marker") or None, "marker", default=0, most=10**9)
            page = items[start : start + limit]
            more = start + limit < len(items)
            return JSONResponse(
                {
                    "entries": [self._entry(item, fields) for item in page],
                    "limit": limit,
                    "next_marker": str(start + limit) if more else "",
                }
            )
        offset = whole_number(query.get("offset"), "offset", default=0, most=10**9)
        return JSONResponse(page_of([self._entry(item, fields) for item in items], offset, limit))

    def _entry(self, item: Doc, fields: str | None) -> Doc:
        return shown(self._items.full(item), fields) if fields else self._items.mini(item)

    def _shown(self, folder: Doc, request: Request) -> Doc:
        return shown(self._items.full(folder), request.query_params.get("fields"))


def if_match(request: Request, item: Doc) -> None:
    """Raises BoxError 412 if the caller read another state of the item."""
    etag = request.headers.get("if-match")
    if etag is not None and etag.strip('"') != str(item["etag"]):
        raise BoxError(412, "precondition_failed")


def changed(parts: Parts, item: Doc, body: Doc, caller: Caller) -> Doc:
    """Name, parent and description as PUT asks; with the events of that. Raises BoxError."""
    name, parent = text(body, "name"), ref(body, "parent")
    description = text(body, "description")
    before = (item["name"], item["parent"])
    if description is not None:
        item["description"] = description
    item = parts.items.rename(
        item,
        name=item["name"] if name is None else name,
        parent=parent or item["parent"],
        user_id=caller.user_id,
    )
    kind = item["type"].upper()
    if item["name"] != before[0]:
        parts.events.about(f"{kind}.RENAMED", item, caller.user)
    if item["parent"] != before[1]:
        parts.events.about(f"{kind}.MOVED", item, caller.user)
        if kind == "FILE":  # a file that is moved in counts as uploaded, too
            parts.events.about("FILE.UPLOADED", item, caller.user)
    return item
