"""The page where a person lets an application in (developer.box.com, OAuth 2.0 authentication)."""

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from inkwire.providers.box.sandbox.apps import BOX_SIGN, people
from inkwire.providers.box.sandbox.parts import Parts
from inkwire.providers.sandboxing import Doc

_PATH = "/api/oauth2/authorize"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_KNOWN = ("response_type", "client_id", "redirect_uri", "state", "scope")


class AuthorizePage:
    """Asks a person, and sends the browser back with a code or a no."""

    def __init__(self, parts: Parts) -> None:
        """`parts`: the Box of this sandbox."""
        self._parts = parts

    def routes(self) -> list[Route]:
        """The page and its form."""
        return [
            Route(_PATH, self._show, name="page:authorize"),
            Route(_PATH, self._decide, methods=["POST"], name="page:authorize-decide"),
        ]

    async def _show(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in _KNOWN}
        return self._refused(asked) or self._page(asked)

    async def _decide(self, request: Request) -> Response:
        async with request.form(max_files=0, max_fields=20) as form:
            given = {key: value for key, value in form.items() if isinstance(value, str)}
        asked = {name: given.get(name, "") for name in _KNOWN}
        if refusal := self._refused(asked):
            return refusal
        app = self._app(asked)
        user = self._parts.apps.user(given.get("user", ""))
        if given.get("decision") != "grant" or user is None or user["id"] == BOX_SIGN:
            why = "The user denied access to your application"
            return _back(asked, {"error": "access_denied", "error_description": why})
        code = self._parts.tokens.code(app, user["id"], asked["redirect_uri"])
        return _back(asked, {"code": code})

    def _app(self, asked: Mapping[str, str]) -> Doc:
        return self._parts.apps.get(asked["client_id"]) or {}

    def _refused(self, asked: Mapping[str, str]) -> Response | None:
        """The answer to what the application did wrong; None if it may ask."""
        app = self._app(asked)
        if not app:
            return self._page(asked, "invalid_client: there is no application of that client id.")
        if not _expected(asked["redirect_uri"], app.get("redirect_uris") or []):
            problem = (
                "redirect_uri_mismatch: the redirect URI is not one of those that are configured "
                "for the application. In this sandbox any of this machine is, as long as none is."
            )
            return self._page(asked, problem)
        if asked["response_type"] != "code":
            why = "The response type must be code"
            return _back(asked, {"error": "unsupported_response_type", "error_description": why})
        unknown = set(asked["scope"].split()) - set(app["scopes"])
        if unknown:
            why = f"The app does not have the scope {min(unknown)}"
            return _back(asked, {"error": "invalid_scope", "error_description": why})
        return None

    def _page(self, asked: Mapping[str, str], problem: str = "") -> Response:
        app = self._app(asked)
        context = {
            "asked": asked,
            "problem": problem,
            "app": app,
            "users": people(self._parts.apps),
        }
        html = self._parts.stage.render(__package__ or "", "authorize.html", context)
        headers = {}
        if not problem:
            # The form's answer sends the browser on, which a policy of `self` alone would stop.
            split = urlsplit(asked["redirect_uri"])
            headers["content-security-policy"] = (
                "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
                f"form-action 'self' {split.scheme}://{split.netloc}"
            )
        return HTMLResponse(html, 400 if problem else 200, headers)


def _expected(address: str, configured: list[str]) -> bool:
    """Whether the browser may be sent there."""
    if configured:
        return address in configured
    try:
        split = urlsplit(address)
        return split.scheme in ("http", "https") and split.hostname in _LOOPBACK
    except ValueError:
        return False


def _back(asked: Mapping[str, str], values: Mapping[str, str]) -> Response:
    """Sends the browser back to the application, with its state."""
    more = dict(values) | ({"state": asked["state"]} if asked["state"] else {})
    sign = "&" if "?" in asked["redirect_uri"] else "?"
    return RedirectResponse(f"{asked['redirect_uri']}{sign}{urlencode(more)}", 303)
