"""Chunked uploads of the Box API."""

import base64
import hashlib
import re
import secrets
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inkwire.moments import to_micros
from inkwire.providers.box.sandbox.answers import BoxError, json_body, not_found, ref, text, wrong
from inkwire.providers.box.sandbox.apps import stamp
from inkwire.providers.box.sandbox.parts import Parts, api, given
from inkwire.providers.box.sandbox.tokens import Caller
from inkwire.providers.sandboxing import Doc

_SCOPE = "root_readwrite"
_SESSION, _PART = "box_upload", "box_part"
LEAST, PART_SIZE = 20_000_000, 8 * 1024 * 1024
_LIVES = timedelta(days=7)
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")


class Chunked:
    """`/files/upload_sessions`."""

    def __init__(self, parts: Parts) -> None:
        """`parts`: the Box of this sandbox."""
        self._parts = parts
        self._items = parts.items
        self._state = parts.stage.state

    def routes(self) -> list[Route]:
        """The calls; they stand before /files/{id}."""
        parts, one = self._parts, "/files/upload_sessions/{session}"
        return [
            *api(parts, "POST", "/files/upload_sessions", self._open, _SCOPE),
            *api(parts, "POST", "/files/{id}/upload_sessions", self._open_version, _SCOPE),
            *api(parts, "GET", one, self._get, _SCOPE),
            *api(parts, "PUT", one, self._put, _SCOPE),
            *api(parts, "DELETE", one, self._abort, _SCOPE),
            *api(parts, "GET", one + "/parts", self._list, _SCOPE),
            *api(parts, "POST", one + "/commit", self._commit, _SCOPE),
        ]

    async def _open(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        name = text(body, "file_name", required=True) or ""
        folder = ref({"folder": {"id": body.get("folder_id")}}, "folder") or "0"
        self._items.check_name("file", folder, name, caller.user_id)
        return self._opened(body, caller, {"folder": folder, "name": name, "file": None})

    async def _open_version(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        item = self._items.get("file", given(request, "id"), caller.user_id, to="edit")
        about = {"folder": item["parent"], "name": item["name"], "file": item["id"]}
        return self._opened(body, caller, about)

    def _opened(self, body: Doc, caller: Caller, about: Doc) -> Response:
        size = body.get("file_size")
        if not isinstance(size, int) or isinstance(size, bool):
            raise wrong("file_size", "Expected a number of bytes")
        if size < LEAST:
            raise BoxError(400, "file_size_too_small", f"A chunked upload needs {LEAST} bytes")
        ends = self._parts.stage.clock.now() + _LIVES
        session: Doc = about | {
            "id": secrets.token_hex(16).upper(),
            "user": caller.user_id,
            "size": size,
            "expires_at": stamp(ends),
            "expires": to_micros(ends),
        }
        self._state.put(_SESSION, session["id"], session)
        return JSONResponse(self._shown(session), 201)

    async def _get(self, request: Request, caller: Caller) -> Response:
        return JSONResponse(self._shown(self._session(request, caller)))

    async def _put(self, request: Request, caller: Caller) -> Response:
        content = await request.body()
        session = self._session(request, caller)
        first, last = _range(request, session)
        whole = first % PART_SIZE == 0
        full = last - first + 1 == PART_SIZE or last + 1 == session["size"]
        if len(content) != last - first + 1 or not whole or not full:
            raise BoxError(416, "range_overlaps", "The part does not fit the session's parts")
        sha1 = hashlib.sha1(content, usedforsecurity=False)
        _check_digest(request, sha1.digest())
        part: Doc = {
            "part_id": secrets.token_hex(4).upper(),
            "offset": first,
            "size": len(content),
            "sha1": sha1.hexdigest(),
        }
        key = f"{session['id']}/{first}"
        there = self._state.get(_PART, key)
        if there is not None and there["sha1"] != part["sha1"]:
            raise BoxError(409, "part_already_exists", "Parts cannot be changed")
        if there is None:
            with self._state.change():
                self._state.keep(content)
                self._state.put(_PART, key, part, owner=session["id"])
        return JSONResponse({"part": there or part})

    async def _list(self, request: Request, caller: Caller) -> Response:
        parts = self._parts_of(self._session(request, caller))
        body = {"entries": parts, "limit": 1000, "offset": 0, "total_count": len(parts)}
        return JSONResponse(body)

    async def _abort(self, request: Request, caller: Caller) -> Response:
        self._forget(self._session(request, caller))
        return Response(status_code=204)

    async def _commit(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        session = self._session(request, caller)
        kept = self._parts_of(session)
        named = body.get("parts")
        ids = (
            [one.get("part_id") for one in named if isinstance(one, dict)]
            if isinstance(named, list)
            else []
        )
        if ids != [part["part_id"] for part in kept]:
            raise wrong("parts", "The parts are not those that were uploaded, in their order")
        if sum(part["size"] for part in kept) != session["size"]:
            raise wrong("parts", "Parts are missing")
        content = b"".join(self._state.content(part["sha1"]) for part in kept)
        _check_digest(request, hashlib.sha1(content, usedforsecurity=False).digest())
        with self._state.change():
            item = self._created(session, content, caller)
            self._forget(session)
        return JSONResponse({"total_count": 1, "entries": [self._items.full(item)]}, 201)

    def _created(self, session: Doc, content: bytes, caller: Caller) -> Doc:
        acts, user = self._parts.acts, caller.user
        if session["file"] is None:
            return acts.upload(user, session["folder"], session["name"], content)
        item = self._items.get("file", session["file"], caller.user_id, to="edit")
        return acts.upload_version(user, item, content)

    def _session(self, request: Request, caller: Caller) -> Doc:
        session = self._state.get(_SESSION, given(request, "session"))
        if session is None or session["user"] != caller.user_id:
            raise not_found()
        if session["expires"] <= to_micros(self._parts.stage.clock.now()):
            raise BoxError(410, "session_expired", "The upload session has expired")
        return session

    def _parts_of(self, session: Doc) -> list[Doc]:
        found = (part for _, part in self._state.find(_PART, owner=session["id"]))
        return sorted(found, key=lambda part: int(part["offset"]))

    def _forget(self, session: Doc) -> None:
        with self._state.change():
            for part in self._parts_of(session):
                self._state.drop(_PART, f"{session['id']}/{part['offset']}")
            self._state.drop(_SESSION, session["id"])

    def _shown(self, session: Doc) -> dict[str, Any]:
        url = f"{self._parts.stage.url}/api/2.0/files/upload_sessions/{session['id']}"
        return {
            "type": "upload_session",
            "id": session["id"],
            "session_expires_at": session["expires_at"],
            "part_size": PART_SIZE,
            "total_parts": -(-session["size"] // PART_SIZE),
            "num_parts_processed": len(self._parts_of(session)),
            "session_endpoints": {
                "upload_part": url,
                "commit": f"{url}/commit",
                "abort": url,
                "list_parts": f"{url}/parts",
                "status": url,
                "log_event": f"{url}/log",
            },
        }


def _range(request: Request, session: Doc) -> tuple[int, int]:
    """First and last byte of a part. Raises BoxError 416."""
    found = _RANGE.fullmatch(request.headers.get("content-range", ""))
    if found is None:
        raise BoxError(416, "invalid_range", "content-range must be `bytes FIRST-LAST/SIZE`")
    first, last, size = map(int, found.groups())
    if size != session["size"] or not first <= last < size:
        raise BoxError(416, "invalid_range", "content-range does not fit the session's size")
    return first, last


def _check_digest(request: Request, sha1: bytes) -> None:
    """`digest: sha=BASE64`. Raises BoxError 412."""
    if request.headers.get("digest") != f"sha={base64.b64encode(sha1).decode()}":
        raise BoxError(412, "sha1_mismatch", "The digest is not the content's")
