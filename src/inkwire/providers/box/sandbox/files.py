"""Files of the Box API: upload, versions, download by a link that needs no token."""

import hashlib
import secrets
from datetime import timedelta

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from inkwire.moments import to_micros
from inkwire.providers.box.sandbox.answers import (
    BoxError,
    json_body,
    parsed,
    ref,
    shown,
    text,
    whole_number,
    wrong,
)
from inkwire.providers.box.sandbox.folders import changed, copied, if_match
from inkwire.providers.box.sandbox.items import made_of
from inkwire.providers.box.sandbox.parts import Parts, api, given
from inkwire.providers.box.sandbox.tokens import Caller
from inkwire.providers.sandboxing import Doc
from inkwire.providers.signing import parse_rfc3339

_SCOPE = "root_readwrite"
_LINK = "box_link"
#: Seconds that a download link is good.
_LINK_S = 900
#: Stands for a field that a body does not have.
_AS_IT_IS = ""
_LARGEST = 50 * 1024 * 1024


class Files:
    """`/files`."""

    def __init__(self, parts: Parts) -> None:
        """`parts`: the Box of this sandbox."""
        self._parts = parts
        self._items = parts.items
        self._acts = parts.acts
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
            *api(parts, "POST", one + "/versions/current", self._promote, _SCOPE),
            *api(parts, "POST", one + "/copy", self._copy, _SCOPE),
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
        item = self._acts.upload(caller.user, parent, name or "", content)
        return JSONResponse(self.listed(item, request, caller), 201)

    async def _upload_version(self, request: Request, caller: Caller) -> Response:
        attributes, content = await self._form(request)
        item = self._item(request, caller, to="edit")
        if_match(request, item)
        name = text(attributes or {}, "name")
        item = self._acts.upload_version(caller.user, item, content, name=name)
        return JSONResponse(self.listed(item, request, caller), 201)

    async def _preflight(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        name, parent = text(body, "name", required=True), ref(body, "parent") or "0"
        self._items.check_name("file", parent, name or "", caller.user_id)
        url = f"{self._parts.stage.url}/api/2.0/files/content"
        return JSONResponse({"upload_url": url, "upload_token": ""})

    async def _get(self, request: Request, caller: Caller) -> Response:
        return self._shown(self._item(request, caller), request, caller)

    async def _update(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        item = self._item(request, caller, to="edit")
        if_match(request, item)
        lock = body.get("lock", _AS_IT_IS)
        if lock is None:
            item = self._acts.unlock(caller.user, item)
        if body.keys() - {"lock"}:
            item = changed(self._parts, item, body, caller)
        if lock not in (None, _AS_IT_IS):
            item = self._lock(item, lock, caller)
        return self._shown(item, request, caller)

    def _lock(self, item: Doc, asked: object, caller: Caller) -> Doc:
        """PUT with an object in `lock`."""
        if not isinstance(asked, dict):
            raise wrong("lock", "Expected an object, or null")
        ends = text(asked, "expires_at")
        moment = None if ends is None else parse_rfc3339(ends)
        if ends is not None and moment is None:
            raise wrong("lock.expires_at", "Expected a date and time", ends)
        no_download = asked.get("is_download_prevented") is True
        return self._acts.lock(caller.user, item, ends=moment, no_download=no_download)

    async def _copy(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        made = copied(self._parts, self._item(request, caller, to="download"), body, caller)
        return self._shown(made, request, caller, 201)

    async def _promote(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        item = self._item(request, caller, to="edit")
        version_id = text(body, "id", required=True) or ""
        item = self._acts.promote(caller.user, item, version_id)
        return JSONResponse(self._version(item["versions"][0]), 201)

    async def _delete(self, request: Request, caller: Caller) -> Response:
        item = self._item(request, caller, to="edit")
        if_match(request, item)
        self._acts.trash(caller.user, item)
        return Response(status_code=204)

    async def _restore(self, request: Request, caller: Caller) -> Response:
        item = self._acts.restore(caller.user, self._trash(request, caller))
        return self._shown(item, request, caller, 201)

    async def _purge(self, request: Request, caller: Caller) -> Response:
        self._acts.purge(caller.user, self._trash(request, caller))
        return Response(status_code=204)

    async def _versions(self, request: Request, caller: Caller) -> Response:
        """The older versions, newest first; Box keeps silent about the present one."""
        older = self._item(request, caller)["versions"][1:]
        query = request.query_params
        limit = whole_number(query.get("limit"), "limit", default=1000, most=1000) or 1000
        offset = whole_number(query.get("offset"), "offset", default=0, most=10_000)
        page = [self._version(version) for version in older[offset : offset + limit]]
        entries = [shown(version, query.get("fields")) for version in page]
        body = {"total_count": len(older), "entries": entries, "limit": limit, "offset": offset}
        return JSONResponse(body)

    async def _download(self, request: Request, caller: Caller) -> Response:
        item = self._item(request, caller, to="download")
        version = self._items.version(item, request.query_params.get("version"))
        token = secrets.token_urlsafe(24)
        ends = self._parts.stage.clock.now() + timedelta(seconds=_LINK_S)
        link = {"name": item["name"], "expires": to_micros(ends)}
        link |= {name: version[name] for name in ("sha1", "size", "seed") if name in version}
        with self._state.change():
            self._state.put(_LINK, token, link)
            self._acts.looked_at(caller.user, item, downloaded=True)
        url = f"{self._parts.stage.url}/dl/{token}"
        return Response(status_code=302, headers={"location": url})

    async def _content(self, request: Request) -> Response:
        """The content host.

        Box's is another host, where no access token must travel: the journal tells if one did.
        """
        link = self._state.get(_LINK, given(request, "token"))
        if link is None or link["expires"] <= to_micros(self._parts.stage.clock.now()):
            return Response("This link has expired.", 404)
        headers = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}
        media = "application/octet-stream"
        if made := made_of(link):
            headers["content-length"] = str(made.size)
            return StreamingResponse(made.pieces(), headers=headers, media_type=media)
        return Response(self._state.content(link["sha1"]), headers=headers, media_type=media)

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

    def listed(self, item: Doc, request: Request, caller: Caller) -> Doc:
        """A file as uploads answer: in a list of one."""
        asked = self._items.asked(item, caller.user_id, request.query_params.get("fields"))
        return {"total_count": 1, "entries": [asked]}

    def _item(self, request: Request, caller: Caller, *, to: str = "read") -> Doc:
        return self._items.get("file", given(request, "id"), caller.user_id, to=to)

    def _trash(self, request: Request, caller: Caller) -> Doc:
        name = given(request, "id")
        return self._items.get("file", name, caller.user_id, trashed=True, to="edit")

    def _shown(self, item: Doc, request: Request, caller: Caller, status: int = 200) -> Response:
        fields = request.query_params.get("fields")
        return JSONResponse(self._items.asked(item, caller.user_id, fields), status)

    def _version(self, version: Doc) -> Doc:
        return {
            "type": "file_version",
            "id": version["id"],
            "sha1": version["sha1"],
            "name": version.get("name", ""),
            "size": version["size"],
            "created_at": version["created_at"],
            "modified_at": version["created_at"],
            "modified_by": self._parts.apps.user(version["by"]),
            "version_number": str(version.get("number", 0)),
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
