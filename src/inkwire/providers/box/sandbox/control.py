"""What only the sandbox's Box can do: applications, signing without a browser, a look inside."""

import shlex
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.providers.box.sandbox.answers import BoxError, parsed
from inkwire.providers.box.sandbox.apps import AS_USER, CO_ADMIN, SCOPES, USER_TOKENS, console_file
from inkwire.providers.box.sandbox.events import DELIVERY, WEBHOOK
from inkwire.providers.box.sandbox.parts import Parts, given
from inkwire.providers.box.sandbox.signing import ERRORS, FINAL, PACE, SIGN, NotNow, Signing
from inkwire.providers.sandboxing import Doc

_LONGEST_S = 365 * 86_400
_CHANGEABLE = {
    "name": str,
    "client_secret": str,
    "authorized": bool,
    "primary_key": str,
    "secondary_key": str,
}
_EXPORTED = ("client_id", "client_secret", "enterprise_id", "primary_key", "secondary_key")
_LISTS = {"scopes": set(SCOPES), "rights": {AS_USER, USER_TOKENS, CO_ADMIN}}


class Control:
    """`/_sandbox/…` of Box, and the operator's page."""

    def __init__(self, parts: Parts, signing: Signing) -> None:
        """`parts`, `signing`: what is looked into and driven."""
        self._parts = parts
        self._signing = signing

    def routes(self) -> list[Route]:
        """The calls and the page."""

        def post(path: str, endpoint: Any) -> Route:
            return Route(path, endpoint, methods=["POST"])

        return [
            Route("/box", self._page, name="page:box"),
            Route("/box/env", self._env),
            Route("/box/{id}/config.json", self._console_file, name="page:box-config"),
            Route("/_sandbox/apps", self._apps),
            post("/_sandbox/apps", self._register),
            Route("/_sandbox/apps/{id}", self._change, methods=["PATCH"]),
            post("/_sandbox/apps/{id}/expire-tokens", self._expire_tokens),
            post("/_sandbox/apps/{id}/tokens", self._pair),
            post("/_sandbox/users", self._add_user),
            Route("/_sandbox/users", self._users),
            post("/_sandbox/sign/{id}", self._sign),
            Route("/_sandbox/sign", self._signs),
            post("/_sandbox/pace", self._pace),
            Route("/_sandbox/deliveries", self._deliveries),
            Route("/_sandbox/webhooks/{id}", self._clean_up, methods=["DELETE"]),
            Route("/_sandbox/authority.pem", self._authority),
        ]

    async def _page(self, request: Request) -> Response:
        context = {
            "apps": self._parts.apps.all(),
            "users": self._parts.apps.users(),
            "deliveries": self._newest(DELIVERY, 50),
            "signs": self._newest(SIGN, 50),
            "url": self._parts.stage.url,
        }
        return HTMLResponse(self._parts.stage.render(__package__, "box.html", context))

    async def _console_file(self, request: Request) -> Response:
        """The file that Box's console gives, as a download."""
        app = self._app(request)
        name = f"{app['enterprise_id']}_{app['public_key_id']}_config.json"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return JSONResponse(console_file(app), headers=headers)

    async def _env(self, request: Request) -> Response:
        """The oldest application's keys as a shell's variables, so that they need no typing."""
        app = self._parts.apps.all()[0]
        given = {name.upper(): app[name] for name in _EXPORTED} | {"URL": self._parts.stage.url}
        lines = (f"export BOX_{name}={shlex.quote(value)}\n" for name, value in given.items())
        return PlainTextResponse("".join(lines))

    async def _apps(self, request: Request) -> Response:
        return JSONResponse([described(self._parts, app) for app in self._parts.apps.all()])

    async def _register(self, request: Request) -> Response:
        body = await _body(request)
        name = body.get("name", "Application")
        if not isinstance(name, str) or not name or set(body) - {"name", "scopes"}:
            raise InvalidInput(fields={"name": "must be a text; scopes may stand beside it"})
        scopes = _listed("scopes", body["scopes"]) if "scopes" in body else None
        app = self._parts.apps.register(name, scopes)
        return JSONResponse(described(self._parts, app), 201)

    async def _change(self, request: Request) -> Response:
        body = await _body(request)
        changed: Doc = {}
        for name, value in body.items():
            if name in _LISTS:
                changed[name] = _listed(name, value)
            elif name == "redirect_uris":
                changed[name] = _texts(name, value)
            elif name in _CHANGEABLE and isinstance(value, _CHANGEABLE[name]):
                changed[name] = value
            else:
                raise InvalidInput(fields={name: "is not one that can be changed, or mistyped"})
        app = self._parts.apps.change(given(request, "id"), changed)
        if app is None:
            raise NotFound("There is no application of that client id.")
        return JSONResponse(described(self._parts, app))

    async def _expire_tokens(self, request: Request) -> Response:
        app = self._app(request)
        return JSONResponse({"expired": self._parts.tokens.expire_all(app["client_id"])})

    async def _pair(self, request: Request) -> Response:
        body = await _body(request)
        app = self._app(request)
        user_id = body.get("user_id", app["service_account_id"])
        if not isinstance(user_id, str) or self._parts.apps.user(user_id) is None:
            raise NotFound("There is no user of that id.")
        return JSONResponse(self._parts.tokens.pair(app, user_id), 201)

    async def _users(self, request: Request) -> Response:
        return JSONResponse(self._parts.apps.users())

    async def _add_user(self, request: Request) -> Response:
        body = await _body(request)
        name, login = body.get("name"), body.get("login")
        if not isinstance(name, str) or not isinstance(login, str) or "@" not in login:
            raise InvalidInput(fields={"name": "must be a text", "login": "must be an e-mail"})
        return JSONResponse(self._parts.apps.add_user(name, login), 201)

    async def _signs(self, request: Request) -> Response:
        return JSONResponse(self._newest(SIGN, 1000))

    async def _sign(self, request: Request) -> Response:
        body = await _body(request)
        sign_id, where = given(request, "id"), "the sandbox's controls"
        if self._parts.stage.state.get(SIGN, sign_id) is None:
            raise NotFound("There is no sign request of that id.")
        try:
            sign = await self._act(sign_id, body, where)
        except NotNow as problem:
            raise Conflict(f"{problem}.") from problem
        return JSONResponse(sign)

    async def _act(self, sign_id: str, body: Doc, where: str) -> Doc:
        action, signing = body.get("action"), self._signing
        if action == "expire":
            return signing.expire(sign_id)
        if action == "bounce":
            return signing.bounce(sign_id)
        if action == "cancel":
            sign = self._request(sign_id)
            if sign["status"] in FINAL:
                raise NotNow(f"The request is {sign['status']}, and stays so")
            signing.cancel(sign)
        elif action in ERRORS:
            return signing.fail(sign_id, action)
        elif action in ("view", "sign", "decline"):
            await self._as_signer(sign_id, body, where)
        else:
            known = ("view", "sign", "decline", "expire", "cancel", "bounce", *ERRORS)
            raise InvalidInput(fields={"action": f"must be one of {', '.join(known)}"})
        return self._request(sign_id)

    async def _as_signer(self, sign_id: str, body: Doc, where: str) -> None:
        """Views, signs or declines for one signer; `sign` for all who are left if none is named."""
        action, email = body["action"], body.get("signer")
        signing = self._signing
        if action == "sign":
            names = ("finalize_s", "ready_after_s")
            pace = _seconds({name: body[name] for name in names if name in body})
            if pace:
                signing.finish_after(sign_id, pace)
        waiting = signing.to_decide(self._request(sign_id), email)
        if not waiting:
            raise NotNow("Nobody of that address is to decide now")
        if action == "view":
            signing.view(sign_id, waiting[0], where)
        elif action == "decline":
            reason = str(body.get("reason", ""))
            signing.decline(sign_id, waiting[0], reason=reason, where=where)
        while action == "sign" and waiting:
            for index in waiting:
                written = str(body.get("name") or "Signed in the sandbox")
                await signing.sign(sign_id, index, written=written, where=where)
            again = email is None
            waiting = signing.to_decide(self._request(sign_id), None) if again else []

    async def _pace(self, request: Request) -> Response:
        body = await _body(request)
        unknown = dict.fromkeys(set(body) - set(PACE), "is not part of the pace")
        if unknown:
            raise InvalidInput(fields=unknown)
        return JSONResponse(self._signing.set_pace(_seconds(body)))

    async def _deliveries(self, request: Request) -> Response:
        return JSONResponse(self._newest(DELIVERY, 1000))

    async def _clean_up(self, request: Request) -> Response:
        """Removes a webhook as Box does itself when nothing is delivered for weeks."""
        state = self._parts.stage.state
        webhook = state.get(WEBHOOK, given(request, "id"))
        if webhook is None:
            raise NotFound("There is no webhook of that id.")
        with state.change():
            self._parts.events.deleted(webhook, "auto_cleanup")
            state.drop(WEBHOOK, webhook["id"])
        return Response(status_code=204)

    async def _authority(self, request: Request) -> Response:
        return PlainTextResponse(self._signing.notary.authority)

    def _newest(self, kind: str, limit: int) -> list[Doc]:
        found = self._parts.stage.state.find(kind, newest=True, limit=limit)
        return [doc for _, doc in found]

    def _request(self, sign_id: str) -> Doc:
        return self._parts.stage.state.get(SIGN, sign_id) or {}

    def _app(self, request: Request) -> Doc:
        app = self._parts.apps.get(given(request, "id"))
        if app is None:
            raise NotFound("There is no application of that client id.")
        return app


def described(parts: Parts, app: Doc) -> Doc:
    """An application with all that a connection and a source need, and Box's console file."""
    service = parts.apps.user(app["service_account_id"])
    return app | {
        "base_url": parts.stage.url,
        "upload_url": parts.stage.url,
        "service_account": service,
        "console_file": console_file(app),
    }


async def _body(request: Request) -> Doc:
    raw = await request.body()
    try:
        return parsed(raw) if raw.strip() else {}
    except BoxError as error:
        raise InvalidInput(f"{error.message}.") from error


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidInput(fields={name: "must be a list of texts"})
    return value


def _listed(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not set(map(str, value)) <= _LISTS[name]:
        raise InvalidInput(fields={name: f"must be a list out of {sorted(_LISTS[name])}"})
    return [str(one) for one in value]


def _seconds(given: Mapping[str, Any]) -> dict[str, float]:
    for name, value in given.items():
        right = isinstance(value, int | float) and not isinstance(value, bool)
        if not right or not 0 <= value <= _LONGEST_S:
            raise InvalidInput(fields={name: "must be seconds, a year at most"})
    return dict(given)
