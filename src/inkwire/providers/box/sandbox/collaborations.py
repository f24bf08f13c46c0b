"""Collaborations of the Box API: who is let into a file or folder by whom."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inkwire.providers.box.sandbox.access import ROLES
from inkwire.providers.box.sandbox.answers import (
    BoxError,
    json_body,
    not_found,
    ref,
    shown,
    text,
    whole_number,
    wrong,
)
from inkwire.providers.box.sandbox.apps import stamp
from inkwire.providers.box.sandbox.parts import Parts, api, given
from inkwire.providers.box.sandbox.shapes import ROOT
from inkwire.providers.box.sandbox.tokens import Caller
from inkwire.providers.sandboxing import Doc

_SCOPE = "root_readwrite"
_FIRST = 48_110_000_000


class Sharing:
    """Invites, changes and removes; for calls and for people. `user`: who does it."""

    def __init__(self, parts: Parts) -> None:
        """`parts`: the Box of this sandbox."""
        self._parts = parts
        self._access = parts.items.access
        self._state = parts.stage.state

    def invite(self, user: Doc, item: Doc, login: str, role: str, *, notify: bool = True) -> Doc:
        """Lets somebody in: at once with an account of the enterprise, else when it is accepted.

        Raises BoxError.
        """
        if role not in ROLES:
            raise wrong("role", f"Must be one of {', '.join(ROLES)}", role)
        if "@" not in login:
            raise wrong("accessible_by.login", "Invalid login", login)
        guest = self._parts.apps.by_login(login)
        there = {doc["login"].lower() for doc in self._access.of(item)}
        owner = guest is not None and guest["id"] == item["owner"]
        if owner or login.lower() in there:
            raise BoxError(400, "user_already_collaborator", "User is already a collaborator")
        now = stamp(self._parts.stage.clock.now())
        doc: Doc = {
            "id": str(_FIRST + self._state.number("box_collaboration")),
            "item": {"type": item["type"], "id": item["id"]},
            "user": None if guest is None else guest["id"],
            "login": login if guest is None else guest["login"],
            "role": role,
            "status": "pending" if guest is None else "accepted",
            "by": user["id"],
            "created_at": now,
            "modified_at": now,
            "acknowledged_at": None if guest is None else now,
        }
        with self._state.change():
            self._access.keep(doc)
            self._tell("CREATED", doc, item, user)
        if notify:
            who = user["name"]
            text_ = f"{who} has invited you to “{item['name']}” in Box as {role}."
            self._parts.stage.mail(login, f"{who} shared “{item['name']}” with you", text_, "")
        return doc

    def change(self, user: Doc, doc: Doc, *, role: str | None, status: str | None) -> Doc:
        """Another role; or the answer of who was invited. Raises BoxError."""
        item = self.item(doc)
        if role is not None and role not in ROLES:
            raise wrong("role", f"Must be one of {', '.join(ROLES)}", role)
        now = stamp(self._parts.stage.clock.now())
        with self._state.change():
            if role is not None and role != doc["role"]:
                doc |= {"role": role, "modified_at": now}
                self._access.keep(doc)
                self._tell("UPDATED", doc, item, user)
            if status in ("accepted", "rejected") and doc["status"] == "pending":
                guest = self._parts.apps.by_login(doc["login"])
                if guest is None:
                    raise BoxError(403, "access_denied_insufficient_permissions")
                doc |= {"status": status, "user": guest["id"], "acknowledged_at": now}
                self._access.keep(doc)
                self._tell(status.upper(), doc, item, guest)
        return doc

    def remove(self, user: Doc, doc: Doc) -> None:
        """Takes the access away."""
        with self._state.change():
            self._tell("REMOVED", doc, self.item(doc), user)
            self._access.drop(doc["id"])

    def of(self, item: Doc) -> list[Doc]:
        """Those on an item itself, as Box shows them."""
        return [self.shown(doc) for doc in self._access.of(item)]

    def item(self, doc: Doc) -> Doc:
        """The item that it is on. Raises BoxError 404."""
        item = self._parts.items.raw(doc["item"]["type"], doc["item"]["id"])
        if item is None:
            raise not_found()
        return item

    def shown(self, doc: Doc) -> Doc:
        """As Box answers."""
        answer: Doc = {
            "type": "collaboration",
            "id": doc["id"],
            "created_by": self._parts.apps.user(doc["by"]),
            "created_at": doc["created_at"],
            "modified_at": doc["modified_at"],
            "expires_at": None,
            "status": doc["status"],
            "role": doc["role"],
            "item": self._parts.items.mini(self.item(doc)),
            "is_access_only": False,
            "invite_email": None,
        }
        guest = self._parts.apps.user(doc["user"]) if doc["user"] else None
        if guest is None:  # who has no account is known by the e-mail alone
            return answer | {"invite_email": doc["login"]}
        person = guest | {"is_active": True}
        return answer | {"accessible_by": person, "acknowledged_at": doc["acknowledged_at"]}

    def _tell(self, what: str, doc: Doc, item: Doc, user: Doc) -> None:
        trigger = f"COLLABORATION.{what}"
        self._parts.events.about(trigger, item, user, source=self.shown(doc))


class Collaborations:
    """`/collaborations` and `/…/collaborations`."""

    def __init__(self, parts: Parts, sharing: Sharing) -> None:
        """`sharing`: what the calls read and change."""
        self._parts = parts
        self._sharing = sharing
        self._access = parts.items.access

    def routes(self) -> list[Route]:
        """The calls."""
        parts, one = self._parts, "/collaborations/{id}"
        return [
            *api(parts, "POST", "/collaborations", self._create, _SCOPE),
            *api(parts, "GET", one, self._get, _SCOPE),
            *api(parts, "PUT", one, self._change, _SCOPE),
            *api(parts, "DELETE", one, self._remove, _SCOPE),
            *api(parts, "GET", "/folders/{id}/collaborations", self._list, _SCOPE),
            *api(parts, "GET", "/files/{id}/collaborations", self._list, _SCOPE),
        ]

    async def _create(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        item_id, login = ref(body, "item") or "", self._login(body)
        kind = text(body["item"], "type", required=True) or ""
        if kind not in ("file", "folder"):
            raise wrong("item.type", "Must be file or folder", kind)
        if item_id == ROOT:
            raise wrong("item.id", "The root folder cannot be shared", item_id)
        item = self._parts.items.get(kind, item_id, caller.user_id, to="edit")
        notify = request.query_params.get("notify", "true").lower() != "false"
        role = text(body, "role", required=True) or ""
        doc = self._sharing.invite(caller.user, item, login, role, notify=notify)
        return self._answer(doc, request, 201)

    def _login(self, body: Mapping[str, Any]) -> str:
        """The e-mail of who is to be let in. Raises BoxError."""
        guest = body.get("accessible_by")
        if not isinstance(guest, dict) or guest.get("type") != "user":
            raise wrong("accessible_by.type", "Only users are known here")
        if login := text(guest, "login"):
            return login
        user = self._parts.apps.user(text(guest, "id", required=True) or "")
        if user is None:
            raise not_found()
        return str(user["login"])

    async def _get(self, request: Request, caller: Caller) -> Response:
        return self._answer(self._doc(request, caller), request)

    async def _change(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        doc = self._doc(request, caller)
        role, status = text(body, "role"), text(body, "status")
        item = self._sharing.item(doc)
        mine = doc["login"].lower() == caller.user["login"].lower()
        if role is not None or not mine:
            self._parts.items.get(item["type"], item["id"], caller.user_id, to="edit")
        if status is not None and not mine:
            raise BoxError(403, "access_denied_insufficient_permissions")
        changed = self._sharing.change(caller.user, doc, role=role, status=status)
        return self._answer(changed, request)

    async def _remove(self, request: Request, caller: Caller) -> Response:
        doc = self._doc(request, caller)
        item = self._sharing.item(doc)
        if doc["user"] != caller.user_id:  # everybody may leave
            self._parts.items.get(item["type"], item["id"], caller.user_id, to="edit")
        self._sharing.remove(caller.user, doc)
        return Response(status_code=204)

    async def _list(self, request: Request, caller: Caller) -> Response:
        kind = "folder" if "/folders/" in request.url.path else "file"
        query = request.query_params
        item = self._parts.items.get(kind, given(request, "id"), caller.user_id)
        limit = whole_number(query.get("limit"), "limit", default=1000, most=1000) or 1000
        start = whole_number(query.get("marker") or None, "marker", default=0, most=10**9)
        found = self._sharing.of(item)
        more = start + limit < len(found)
        page = [shown(one, query.get("fields")) for one in found[start : start + limit]]
        marker = str(start + limit) if more else None
        return JSONResponse({"limit": limit, "next_marker": marker, "entries": page})

    def _doc(self, request: Request, caller: Caller) -> Doc:
        """A collaboration that the caller has part in, or whose item is seen. Raises BoxError."""
        doc = self._access.get(given(request, "id"))
        if doc is None:
            raise not_found()
        if doc["login"].lower() != caller.user["login"].lower():
            item = doc["item"]
            self._parts.items.get(item["type"], item["id"], caller.user_id)
        return doc

    def _answer(self, doc: Doc, request: Request, status: int = 200) -> Response:
        return JSONResponse(
            shown(self._sharing.shown(doc), request.query_params.get("fields")), status
        )
