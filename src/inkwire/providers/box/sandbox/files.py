"""Files of the Box API: upload, versions, download by a link that needs no token."""

import hashlib
import secrets
from datetime import timedelta

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inkwire.moments import to_micros
from inkwire.providers.box.sandbox.answers import (
    BoxError,
    json_body,
    parsed,
    ref,
    shown,
    text,
    wrong,
)
from inkwire.providers.box.sandbox.folders import changed, if_match
from inkwire.providers.box.sandbox.parts import Parts, api, given
from inkwire.providers.box.sandbox.tokens import Caller
from inkwire.providers.sandboxing import Doc

_SCOPE = "root_readwrite"
_LINK = "box_link"
#: Seconds that a download link is good.
_LINK_S = 900
_LARGEST = 50 * 1024 * 1024


class Files:
    """`/files`."""

    def __init__(self, parts: Parts) -> None:
        """`parts`: the Box of this sandbox."""
        self._parts = parts
        self._items = parts.items
        self._state = parts.stage.state

    def routes(self) -> list[Route]:
        """The calls; /files/content stands before /files/{id}."""
        parts, one = self._parts, "/files/{id}"
        return [
            *api(parts, "POST", "/files/content", self._upload, _SCOPE),
            *api(parts, "OPTIONS", "/files/content", self._preflight, _SCOPE),
            *api(parts, "POST", one + "/content", self._upload_version, _SCOPE),
            *api(parts, "GET", one + "/content", self._download, _SCOPE),
            *api(parts, "GET", one + "/versions", self._versions, _SCOPE),
            *api(parts, "GET", one, self._get, _SCOPE),
            *api(parts, "PUT", one, self._update, _SCOPE),
            *api(parts, "POST", one, self._restore, _SCOPE),
            *api(parts, "DELETE", one, self._delete, _SCOPE),
            *api(parts, "DELETE", one + "/trash", self._purge, _SCOPE),
            Route("/dl/{token}", self._content, name="download"),
        ]

    async def _upload(self, request: Request, caller: Caller) -> Response:
        attributes, content = await self._form(request)
        if attributes is None:
            raise wrong("attributes", "'attributes' is required")
        name, parent = text(attributes, "name", required=True), ref(attributes, "parent")
        if parent is None:
            raise wrong("parent", "'parent' is required")
        with self._state.change():
            item = self._items.create_file(parent, name or "", content, caller.user_id)
            self._parts.events.about("FILE.UPLOADED", item, caller.user)
        return JSONResponse(self.listed(item, request), 201)

    async def _upload_version(self, request: Request, caller: Caller) -> Response:
        attributes, content = await self._form(request)
        item = self._items.get("file", given(request, "id"), caller.user_id)
        if_match(request, item)
        with self._state.change():
            name = text(attributes or {}, "name")
            if name is not None:
                item = self._items.rename(
                    item, name=name, parent=item["parent"], user_id=caller.user_id
                )
            item = self._items.new_version(item, content, caller.user_id)
            self._parts.events.about("FILE.UPLOADED", item, caller.user)
        return JSONResponse(self.listed(item, request), 201)

    async def _preflight(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        name, parent = text(body, "name", required=True), ref(body, "parent") or "0"
        self._items.check_name("file", parent, name or "", caller.user_id)
        url = f"{self._parts.stage.url}/api/2.0/files/content"
        return JSONResponse({"upload_url": url, "upload_token": None})

    async def _get(self, request: Request, caller: Caller) -> Response:
        item = self._items.get("file", given(request, "id"), caller.user_id)
        return JSONResponse(shown(self._items.full(item), request.query_params.get("fields")))

    async def _update(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        item = self._items.get("file", given(request, "id"), caller.user_id)
        if_match(request, item)
        with self._state.change():
            item = changed(self._parts, item, body, caller)
        return JSONResponse(shown(self._items.full(item), request.query_params.get("fields")))

    async def _delete(self, request: Request, caller: Caller) -> Response:
        item = self._items.get("file", given(request, "id"), caller.user_id)
        if_match(request, item)
        with self._state.change():
            self._items.set_status(item, "trashed")
            self._parts.events.about("FILE.TRASHED", item, caller.user)
        return Response(status_code=204)

    async def _restore(self, request: Request, caller: Caller) -> Response:
        item = self._items.get("file", given(request, "id"), caller.user_id, trashed=True)
        with self._state.change():
            self._items.set_status(item, "active")
            self._parts.events.about("FILE.RESTORED", item, caller.user)
        return JSONResponse(self._items.full(item), 201)

    async def _purge(self, request: Request, caller: Caller) -> Response:
        item = self._items.get("file", given(request, "id"), caller.user_id, trashed=True)
        with self._state.change():
            self._parts.events.about("FILE.DELETED", item, caller.user)
            self._items.set_status(item, "deleted")
        return Response(status_code=204)

    async def _versions(self, request: Request, caller: Caller) -> Response:
        item = self._items.get("file", given(request, "id"), caller.user_id)
        entries = [self._version(item, version) for version in item["versions"][1:]]
        body = {"total_count": len(entries), "entries": entries, "limit": 1000, "offset": 0}
        return JSONResponse(body)

    async def _download(self, request: Request, caller: Caller) -> Response:
        item = self._items.get("file", given(request, "id"), caller.user_id)
        version = self._items.version(item, request.query_params.get("version"))
        token = secrets.token_urlsafe(24)
        ends = self._parts.stage.clock.now() + timedelta(seconds=_LINK_S)
        link = {"sha1": version["sha1"], "name": item["name"], "expires": to_micros(ends)}
        with self._state.change():
            self._state.put(_LINK, token, link)
            self._parts.events.about("FILE.DOWNLOADED", item, caller.user)
        url = f"{self._parts.stage.url}/dl/{token}"
        return Response(status_code=302, headers={"location": url})

    async def _content(self, request: Request) -> Response:
        """The content host.

        Box's is another host, where no access token must travel: the journal tells if one did.
        """
        link = self._state.get(_LINK, given(request, "token"))
        if link is None or link["expires"] <= to_micros(self._parts.stage.clock.now()):
            return Response("This link has expired.", 404)
        content = self._state.content(link["sha1"])
        headers = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}
        return Response(content, headers=headers, media_type="application/octet-stream")

    async def _form(self, request: Request) -> tuple[Doc | None, bytes]:
        """The attributes and the content. Raises BoxError 400."""
        try:
            async with request.form(max_files=2, max_fields=10, max_part_size=64 * 1024) as form:
                attributes, content = await _parts_of(form)
        except (MultiPartException, HTTPException):
            raise BoxError(400, "bad_request", "The body is no multipart form") from None
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        claimed = request.headers.get("content-md5")
        if claimed is not None and claimed.lower() != sha1:
            raise BoxError(400, "bad_digest", "The specified content-md5 did not match the content")
        return attributes, content

    def listed(self, item: Doc, request: Request) -> Doc:
        """A file as uploads answer: in a list of one."""
        full = shown(self._items.full(item), request.query_params.get("fields"))
        return {"total_count": 1, "entries": [full]}

    def _version(self, item: Doc, version: Doc) -> Doc:
        return {
            "type": "file_version",
            "id": version["id"],
            "sha1": version["sha1"],
            "name": item["name"],
            "size": version["size"],
            "created_at": version["created_at"],
            "modified_at": version["created_at"],
            "modified_by": self._parts.apps.user(version["by"]),
        }


async def _parts_of(form: FormData) -> tuple[Doc | None, bytes]:
    """Attributes and content, which must come in this order."""
    attributes: Doc | None = None
    content: bytes | None = None
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            content = await value.read()
        elif name == "attributes":
            if content is not None:
                raise BoxError(400, "metadata_after_file_contents")
            attributes = parsed(value.encode("utf-8", "replace"))
    if content is None:
        raise wrong("file", "'file' is required")
    if len(content) > _LARGEST:
        raise BoxError(413, "request_entity_too_large", "Use a chunked upload above 50 MB")
    return attributes, content
