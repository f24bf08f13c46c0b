"""Webhooks V2 of the Box API (developer.box.com/guides/webhooks)."""

import re
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inkwire.providers.box.events import NO_ACTIVE_SESSION, TRIGGERS
from inkwire.providers.box.sandbox.answers import (
    BoxError,
    json_body,
    not_found,
    text,
    whole_number,
    wrong,
)
from inkwire.providers.box.sandbox.apps import stamp
from inkwire.providers.box.sandbox.events import WEBHOOK, shown_webhook
from inkwire.providers.box.sandbox.parts import Parts, api, given
from inkwire.providers.box.sandbox.shapes import ROOT
from inkwire.providers.box.sandbox.tokens import Caller
from inkwire.providers.sandboxing import Doc

_SCOPES = ("root_readwrite", "manage_webhook")
_TRIGGERS = TRIGGERS.keys() - {NO_ACTIVE_SESSION}
_FIRST, _MOST = 2_380_000_000, 1000
_LOOPBACK = re.compile(r"127(?:\.\d{1,3}){3}|localhost|::1")


class Webhooks:
    """`/webhooks`."""

    def __init__(self, parts: Parts) -> None:
        """`parts`: the Box of this sandbox."""
        self._parts = parts
        self._state = parts.stage.state

    def routes(self) -> list[Route]:
        """The calls."""
        parts, one = self._parts, "/webhooks/{id}"
        return [
            *api(parts, "GET", "/webhooks", self._list, *_SCOPES),
            *api(parts, "POST", "/webhooks", self._create, *_SCOPES),
            *api(parts, "GET", one, self._get, *_SCOPES),
            *api(parts, "PUT", one, self._update, *_SCOPES),
            *api(parts, "DELETE", one, self._delete, *_SCOPES),
        ]

    async def _list(self, request: Request, caller: Caller) -> Response:
        """Minis only: neither address nor triggers."""
        query = request.query_params
        limit = whole_number(query.get("limit"), "limit", default=100, most=200) or 100
        after = whole_number(query.get("marker") or None, "marker", default=0, most=10**12)
        found = self._state.find(WEBHOOK, owner=_owner(caller), after=after, limit=limit + 1)
        page = found[:limit]
        body: Doc = {"limit": limit, "entries": [shown_webhook(doc) for _, doc in page]}
        if len(found) > limit:
            body["next_marker"] = str(page[-1][0])
        return JSONResponse(body)

    async def _create(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        target = self._target(body.get("target"), caller)
        address, triggers = _address(body), _triggers(body)
        with self._state.change():
            mine = self._state.find(WEBHOOK, owner=_owner(caller))
            self._must_be_first(target, [doc for _, doc in mine])
            if len(mine) >= _MOST:
                raise BoxError(400, "bad_request", f"An application has {_MOST} webhooks at most")
            webhook: Doc = {
                "id": str(_FIRST + self._state.number(WEBHOOK)),
                "target": target,
                "app": caller.app["client_id"],
                "user": caller.user_id,
                "created_at": stamp(self._parts.stage.clock.now()),
                "address": address,
                "triggers": triggers,
            }
            self._keep(webhook)
        return JSONResponse(self._shown(webhook), 201)

    async def _get(self, request: Request, caller: Caller) -> Response:
        return JSONResponse(self._shown(self._webhook(request, caller)))

    async def _update(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        webhook = self._webhook(request, caller)
        if body.get("target") is not None:
            target = self._target(body["target"], caller)
            mine = self._state.find(WEBHOOK, owner=_owner(caller))
            others = [doc for _, doc in mine if doc["id"] != webhook["id"]]
            self._must_be_first(target, others)
            webhook["target"] = target
        if body.get("address") is not None:
            webhook["address"] = _address(body)
        if body.get("triggers") is not None:
            webhook["triggers"] = _triggers(body)
        self._keep(webhook)
        return JSONResponse(self._shown(webhook))

    async def _delete(self, request: Request, caller: Caller) -> Response:
        webhook = self._webhook(request, caller)
        self._state.drop(WEBHOOK, webhook["id"])
        return Response(status_code=204)

    def _webhook(self, request: Request, caller: Caller) -> Doc:
        webhook = self._state.get(WEBHOOK, given(request, "id"))
        mine = webhook is not None and (webhook["app"], webhook["user"]) == (
            caller.app["client_id"],
            caller.user_id,
        )
        if webhook is None or not mine:
            raise not_found()
        return webhook

    def _target(self, target: object, caller: Caller) -> Doc:
        if not isinstance(target, dict) or target.get("type") not in ("file", "folder"):
            raise wrong("target.type", "'target' must have a type, file or folder")
        item_id = text(target, "id", required=True) or ""
        if target["type"] == "folder" and item_id == ROOT:
            raise wrong("target.id", "Webhooks cannot be created on the root folder", item_id)
        self._parts.items.get(target["type"], item_id, caller.user_id)
        return {"id": item_id, "type": target["type"]}

    def _must_be_first(self, target: Doc, others: list[Doc]) -> None:
        if any(doc["target"] == target for doc in others):
            message = (
                "A webhook with the same combination of target, application, and user already "
                "exists"
            )
            errors = [{"reason": "existing_webhook", "name": "target", "message": message}]
            raise BoxError(409, "conflict", message, context={"errors": errors})

    def _keep(self, webhook: Doc) -> None:
        target = webhook["target"]
        owner = f"{webhook['app']}/{webhook['user']}"
        place = f"{target['type']}/{target['id']}"
        self._state.put(WEBHOOK, webhook["id"], webhook, owner=owner, name=place)

    def _shown(self, webhook: Doc) -> Doc:
        return shown_webhook(webhook) | {
            "created_by": self._parts.apps.user(webhook["user"]),
            "created_at": webhook["created_at"],
            "address": webhook["address"],
            "triggers": webhook["triggers"],
        }


def _owner(caller: Caller) -> str:
    return f"{caller.app['client_id']}/{caller.user_id}"


def _address(body: Doc) -> str:
    """The address: https on port 443, as Box wants it; any of this machine, for a hub beside it."""
    address = text(body, "address", required=True) or ""
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").rstrip(".").lower(), parts.port
    except ValueError:
        raise wrong("address", "Invalid webhook address", address) from None
    if parts.scheme in ("http", "https") and _LOOPBACK.fullmatch(host):
        return address
    ours = host == "box.com" or host.endswith(".box.com")
    if parts.scheme != "https" or port not in (None, 443) or "." not in host or ours:
        raise wrong("address", "Webhook address must be https on port 443", address)
    return address


def _triggers(body: Doc) -> list[str]:
    triggers = body.get("triggers")
    if not isinstance(triggers, list) or not triggers:
        raise wrong("triggers", "'triggers' is required")
    for trigger in triggers:
        if not isinstance(trigger, str) or trigger not in _TRIGGERS:
            raise wrong("triggers", "Invalid trigger", trigger)
    return list(dict.fromkeys(triggers))
