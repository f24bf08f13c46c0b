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
from inkwire.providers.box.sandbox.parts import Parts, api, given
from inkwire.providers.box.sandbox.shapes import ROOT, page_of
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
        self._acts = parts.acts

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
            *api(parts, "POST", one + "/copy", self._copy, _SCOPE),
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
        folder = self._acts.create_folder(caller.user, parent, name or "")
        return JSONResponse(self._shown(folder, request, caller), 201)

    async def _get(self, request: Request, caller: Caller) -> Response:
        folder_id = given(request, "id")
        if folder_id == ROOT:
            full = self._items.root(caller.user_id)
            return JSONResponse(shown(full, request.query_params.get("fields")))
        folder = self._items.get("folder", folder_id, caller.user_id)
        return JSONResponse(self._shown(folder, request, caller))

    async def _update(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        folder = self._items.get("folder", given(request, "id"), caller.user_id, to="edit")
        if_match(request, folder)
        folder = changed(self._parts, folder, body, caller)
        return JSONResponse(self._shown(folder, request, caller))

    async def _copy(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        folder = self._items.get("folder", given(request, "id"), caller.user_id, to="download")
        made = copied(self._parts, folder, body, caller)
        return JSONResponse(self._shown(made, request, caller), 201)

    async def _delete(self, request: Request, caller: Caller) -> Response:
        folder = self._items.get("folder", given(request, "id"), caller.user_id, to="edit")
        if_match(request, folder)
        recursive = request.query_params.get("recursive", "").lower() == "true"
        if not recursive and self._items.children(folder["id"], caller.user_id):
            raise BoxError(400, "folder_not_empty", "Cannot delete - folder not empty")
        self._acts.trash(caller.user, folder)
        return Response(status_code=204)

    async def _restore(self, request: Request, caller: Caller) -> Response:
        folder = self._trash(request, caller)
        folder = self._acts.restore(caller.user, folder)
        return JSONResponse(self._shown(folder, request, caller), 201)

    async def _trashed(self, request: Request, caller: Caller) -> Response:
        folder = self._trash(request, caller)
        return JSONResponse(self._items.mini(folder) | {"item_status": "trashed"})

    async def _purge(self, request: Request, caller: Caller) -> Response:
        self._acts.purge(caller.user, self._trash(request, caller))
        return Response(status_code=204)

    def _trash(self, request: Request, caller: Caller) -> Doc:
        """A trashed folder."""
        name = given(request, "id")
        return self._items.get("folder", name, caller.user_id, trashed=True, to="edit")

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
                    "entries": [self._entry(item, fields, caller) for item in page],
                    "limit": limit,
                    "next_marker": str(start + limit) if more else "",
                }
            )
        offset = whole_number(query.get("offset"), "offset", default=0, most=10**9)
        page = items[offset : offset + limit]
        entries = [self._entry(item, fields, caller) for item in page]
        return JSONResponse(page_of(items, offset, limit) | {"entries": entries})

    def _entry(self, item: Doc, fields: str | None, caller: Caller) -> Doc:
        if not fields:
            return self._items.mini(item)
        return self._items.asked(item, caller.user_id, fields)

    def _shown(self, folder: Doc, request: Request, caller: Caller) -> Doc:
        return self._items.asked(folder, caller.user_id, request.query_params.get("fields"))


def if_match(request: Request, item: Doc) -> None:
    """Raises BoxError 412 if the caller read another state of the item."""
    etag = request.headers.get("if-match")
    if etag is not None and etag.strip('"') != str(item["etag"]):
        raise BoxError(412, "precondition_failed")


def changed(parts: Parts, item: Doc, body: Doc, caller: Caller) -> Doc:
    """Name, parent and description as PUT asks; with the events of that. Raises BoxError."""
    name, parent = text(body, "name"), ref(body, "parent")
    description = text(body, "description")
    return parts.acts.change(caller.user, item, name=name, parent=parent, description=description)


def copied(parts: Parts, item: Doc, body: Doc, caller: Caller) -> Doc:
    """A copy as POST asks. Raises BoxError."""
    parent, name = ref(body, "parent"), text(body, "name")
    if parent is None:
        raise wrong("parent", "'parent' is required")
    version = text(body, "version") or ""
    return parts.acts.copy(caller.user, item, parent, name=name, version=version)
