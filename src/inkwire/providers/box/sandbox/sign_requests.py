"""Box Sign's API: create, read, list, cancel, resend (developer.box.com/guides/box-sign)."""

import uuid
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inkwire.moments import from_micros, to_micros
from inkwire.providers.box.sandbox.answers import BoxError, json_body, not_found, text, whole_number
from inkwire.providers.box.sandbox.apps import stamp
from inkwire.providers.box.sandbox.parts import Parts, api, given
from inkwire.providers.box.sandbox.shapes import ROOT
from inkwire.providers.box.sandbox.sign_drafts import SWITCHES, TEXTS, drafted
from inkwire.providers.box.sandbox.signing import DECIDING, SIGN, Signing
from inkwire.providers.box.sandbox.tokens import Caller
from inkwire.providers.sandboxing import Doc

_SCOPES = ("root_readwrite", "sign_requests.readwrite")
_RESEND_S = 600
MY_SIGN_REQUESTS = "My Sign Requests"


class SignRequests:
    """`/sign_requests`."""

    def __init__(self, parts: Parts, signing: Signing) -> None:
        """`signing`: what goes on with a request once it is there."""
        self._parts = parts
        self._items = parts.items
        self._state = parts.stage.state
        self._signing = signing

    def routes(self) -> list[Route]:
        """The calls."""
        parts, one = self._parts, "/sign_requests/{id}"
        return [
            *api(parts, "GET", "/sign_requests", self._list, *_SCOPES),
            *api(parts, "POST", "/sign_requests", self._create, *_SCOPES),
            *api(parts, "GET", one, self._get, *_SCOPES),
            *api(parts, "POST", one + "/cancel", self._cancel, *_SCOPES),
            *api(parts, "POST", one + "/resend", self._resend, *_SCOPES),
        ]

    async def _create(self, request: Request, caller: Caller) -> Response:
        return JSONResponse(self.shown(self.create(await json_body(request), caller)), 201)

    def create(self, body: Doc, caller: Caller) -> Doc:
        """A new request as it is kept. Raises BoxError."""
        draft = drafted(body)
        with self._state.change():
            files = [
                self._items.get("file", file_id, caller.user_id, to="download")
                for file_id in draft["source_files"]
            ]
            if draft["folder"] is None:
                draft["folder"] = self._default_folder(files[0], caller.user_id)
            self._items.get("folder", draft["folder"], caller.user_id, to="upload")
            sign = self._new(draft, files[0], caller)
            self._signing.begin(sign)
        return sign

    async def _get(self, request: Request, caller: Caller) -> Response:
        return JSONResponse(self.shown(self._mine(request, caller)))

    async def _list(self, request: Request, caller: Caller) -> Response:
        """Those that the calling user created, the newest first; no filter."""
        query = request.query_params
        limit = whole_number(query.get("limit"), "limit", default=100, most=1000) or 100
        after = whole_number(query.get("marker") or None, "marker", default=0, most=10**12)
        found = self._state.find(
            SIGN, owner=caller.user_id, after=after, limit=limit + 1, newest=True
        )
        page = found[:limit]
        marker = str(page[-1][0]) if len(found) > limit else None
        entries = [self.shown(sign) for _, sign in page]
        return JSONResponse({"limit": limit, "next_marker": marker, "entries": entries})

    async def _cancel(self, request: Request, caller: Caller) -> Response:
        body = await json_body(request)
        reason = text(body, "reason")
        sign = self._mine(request, caller)
        if sign["status"] not in DECIDING:
            raise BoxError(400, "bad_request", f"A request that is {sign['status']} stays so")
        self._signing.cancel(sign, reason=reason or "")
        return JSONResponse(self.shown(sign))

    async def _resend(self, request: Request, caller: Caller) -> Response:
        sign = self._mine(request, caller)
        if sign["status"] not in DECIDING:
            raise BoxError(400, "bad_request", f"A request that is {sign['status']} stays so")
        now = self._parts.stage.clock.now()
        if now - from_micros(sign["mailed"]) < timedelta(seconds=_RESEND_S):
            raise BoxError(400, "bad_request", "It was sent less than 10 minutes ago")
        with self._state.change():
            self._signing.remind(sign)
        return Response(status_code=202)

    def _mine(self, request: Request, caller: Caller) -> Doc:
        sign = self._state.get(SIGN, given(request, "id"))
        if sign is None or sign["user"] != caller.user_id:
            raise not_found()
        return sign

    def _default_folder(self, file: Doc, user_id: str) -> str:
        """Without a parent folder: the first file's, or "My Sign Requests"."""
        if file["parent"] != ROOT:
            return str(file["parent"])
        there = self._items.named(ROOT, MY_SIGN_REQUESTS, user_id)
        if there is None or there["type"] != "folder":
            there = self._items.create_folder(ROOT, MY_SIGN_REQUESTS, user_id)
        return str(there["id"])

    def _new(self, draft: Doc, first: Doc, caller: Caller) -> Doc:
        now = self._parts.stage.clock.now()
        sender = caller.user
        signers = draft["signers"]
        if not any(one["email"].lower() == sender["login"].lower() for one in signers):
            # The sender who has no role is told of the outcome.
            reader = {"email": sender["login"], "role": "final_copy_reader", "order": 0}
            signers = [_READER | reader, *signers]
        # 0 is let in by the API's schema; a request that is over at once is of no use.
        valid = draft["days_valid"] or None
        expires = None if valid is None else now + timedelta(days=valid)
        request_id = str(uuid.uuid4())
        return draft | {
            "id": request_id,
            "short_id": request_id[:8].upper(),
            "app": caller.app["client_id"],
            "user": caller.user_id,
            "sender": sender["login"],
            "name": draft["name"] or first["name"],
            "signers": signers,
            "status": "converting",
            "sign_files": [],
            "signing_log": None,
            "ready": False,
            "created_at": stamp(now),
            "finished_at": None,
            "error_code": None,
            "expires": None if expires is None else to_micros(expires),
            "history": [],
        }

    def shown(self, sign: Doc) -> Doc:
        """A sign request as Box answers."""
        log = sign["signing_log"] if sign["ready"] else None
        expires = sign["expires"]
        kept = {name: sign[name] for name in (*TEXTS, *SWITCHES, "days_valid", "prefill_tags")}
        same = ("id", "short_id", "status", "created_at", "finished_at", "error_code")
        return (
            kept
            | {name: sign[name] for name in same}
            | {
                "type": "sign-request",
                "signature_color": sign["signature_color"],
                "template_id": None,
                "request_flow": "standard",
                "signers": [self._signer(signer) for signer in sign["signers"]],
                "source_files": self._minis(sign["source_files"]),
                "sign_files": {
                    "files": self._minis(sign["sign_files"]),
                    "is_ready_for_download": sign["ready"],
                },
                "signing_log": None if log is None else next(iter(self._minis([log])), None),
                "parent_folder": next(iter(self._minis([sign["folder"]], "folder")), None),
                "auto_expire_at": None if expires is None else stamp(from_micros(expires)),
                "prepare_url": None,
                "collaborator_level": "owner",
                "sender_email": sign["sender"],
                "sender_id": int(sign["user"]),
            }
        )

    def _minis(self, ids: list[str], kind: str = "file") -> list[Doc]:
        """Items as they are now, in the trash or not."""
        found = (self._state.get("box_item", f"{kind}/{one}") for one in ids)
        return [self._items.mini(item) for item in found if item is not None]

    def _signer(self, signer: Doc) -> Doc:
        embedded = signer["embed_url_external_user_id"] is not None
        url = f"{self._parts.stage.url}/sign/{signer['token']}" if embedded else None
        names = (
            *("email", "role", "order", "is_in_person", "embed_url_external_user_id"),
            *("redirect_url", "declined_redirect_url", "login_required", "language"),
            *("verification_phone_number", "suppress_notifications", "has_viewed_document"),
            *("signer_decision", "inputs"),
        )
        return {name: signer.get(name) for name in names} | {
            "signer_group_id": None,
            "attachments": [],
            "embed_url": url,
            "iframeable_embed_url": url,
        }


_READER: Doc = {
    "is_in_person": False,
    "embed_url_external_user_id": None,
    "login_required": False,
    "verification_phone_number": None,
    "suppress_notifications": False,
    "language": None,
    "redirect_url": None,
    "declined_redirect_url": None,
}
