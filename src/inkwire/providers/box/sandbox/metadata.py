"""Metadata of the Box API: `/metadata_templates` and `/…/metadata`."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inkwire.errors import Unparsable
from inkwire.providers.box.sandbox.answers import BoxError, json_body, not_found
from inkwire.providers.box.sandbox.apps import is_admin
from inkwire.providers.box.sandbox.metadata_store import OURS, MetadataStore, full_scope
from inkwire.providers.box.sandbox.parts import Parts, api, given
from inkwire.providers.box.sandbox.shapes import ROOT
from inkwire.providers.box.sandbox.tokens import Caller
from inkwire.providers.payload import decode_json
from inkwire.providers.sandboxing import Doc

_SCOPE = "root_readwrite"


class Metadata:
    """`/metadata_templates` and `/…/metadata`."""

    def __init__(self, parts: Parts, store: MetadataStore) -> None:
        """`store`: what the calls read and change."""
        self._parts = parts
        self._store = store

    def routes(self) -> list[Route]:
        """The calls."""
        parts, schema = self._parts, "/metadata_templates/{scope}/{key}/schema"
        routes = [
            *api(parts, "POST", "/metadata_templates/schema", self._create_template, _SCOPE),
            *api(parts, "GET", "/metadata_templates/{scope}", self._templates, _SCOPE),
            *api(parts, "GET", schema, self._template, _SCOPE),
            *api(parts, "DELETE", schema, self._drop_template, _SCOPE),
        ]
        for kind in ("folders", "files"):
            every = f"/{kind}/{{id}}/metadata"
            one = every + "/{scope}/{key}"
            routes += [
                *api(parts, "GET", every, self._list, _SCOPE),
                *api(parts, "GET", one, self._get, _SCOPE),
                *api(parts, "POST", one, self._create, _SCOPE),
                *api(parts, "PUT", one, self._update, _SCOPE),
                *api(parts, "DELETE", one, self._remove, _SCOPE),
            ]
        return routes

    async def _create_template(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        if body.get("scope") != "enterprise" or not is_admin(caller.app, caller.user):
            raise BoxError(403, "access_denied_insufficient_permissions")
        return JSONResponse(self._store.create_template(body), 201)

    async def _templates(self, request: Request, caller: Caller) -> Response:
        ours = full_scope(given(request, "scope")) == OURS
        found = self._store.templates() if ours else []
        return JSONResponse({"limit": 1000, "entries": found, "next_marker": None})

    async def _template(self, request: Request, caller: Caller) -> Response:
        found = self._store.template(given(request, "scope"), given(request, "key"))
        if found is None:
            raise not_found()
        return JSONResponse(found)

    async def _drop_template(self, request: Request, caller: Caller) -> Response:
        if not is_admin(caller.app, caller.user):
            raise BoxError(403, "access_denied_insufficient_permissions")
        self._store.drop_template(given(request, "key"))
        return Response(status_code=204)

    async def _list(self, request: Request, caller: Caller) -> Response:
        found = self._store.of(self._item(request, caller))
        return JSONResponse({"entries": found, "limit": 100})

    async def _get(self, request: Request, caller: Caller) -> Response:
        item = self._item(request, caller)
        return JSONResponse(self._store.instance(item, *_named(request)))

    async def _create(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        item = self._item(request, caller, to="edit")
        return JSONResponse(self._store.create(caller.user, item, *_named(request), body), 201)

    async def _update(self, request: Request, caller: Caller) -> Response:
        raw = await request.body()
        media = request.headers.get("content-type", "").partition(";")[0]
        if media != "application/json-patch+json":
            raise BoxError(415, "unsupported_media_type", "Expected application/json-patch+json")
        try:
            operations = decode_json(raw)
        except Unparsable:
            raise BoxError(400, "bad_request", "Expected an array of operations") from None
        item = self._item(request, caller, to="edit")
        found = self._store.update(caller.user, item, *_named(request), operations)
        return JSONResponse(found)

    async def _remove(self, request: Request, caller: Caller) -> Response:
        item = self._item(request, caller, to="edit")
        self._store.remove(caller.user, item, *_named(request))
        return Response(status_code=204)

    def _item(self, request: Request, caller: Caller, *, to: str = "read") -> Doc:
        kind = "folder" if "/folders/" in request.url.path else "file"
        item_id = given(request, "id")
        if (kind, item_id) == ("folder", ROOT):
            raise BoxError(405, "method_not_allowed", "Method Not Allowed")
        return self._parts.items.get(kind, item_id, caller.user_id, to=to)


def _named(request: Request) -> tuple[str, str]:
    return given(request, "scope"), given(request, "key")
