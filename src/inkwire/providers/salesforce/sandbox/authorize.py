"""The page where a person lets the application in: OAuth's authorize endpoint."""

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from inkwire.providers.salesforce.sandbox.organization import NAME, Organization
from inkwire.providers.salesforce.sandbox.tokens import Tokens
from inkwire.providers.sandboxing import Stage

_PATH = "/services/oauth2/authorize"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_KNOWN = (
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "scope",
    "code_challenge",
    "code_challenge_method",
    "prompt",
)


class AuthorizePage:
    """Asks a person, and sends them back with a code or a no."""

    def __init__(self, stage: Stage, organization: Organization, tokens: Tokens) -> None:
        """`tokens`: makes the code."""
        self._stage = stage
        self._organization = organization
        self._tokens = tokens

    def routes(self) -> list[Route]:
        """The page and its form."""
        return [
            Route(_PATH, self._show, name="page:authorize"),
            Route(_PATH, self._decide, methods=["POST"], name="page:authorize-decide"),
        ]

    async def _show(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in _KNOWN}
        if problem := self._problem(asked):
            return self._page(asked, problem, 400)
        if error := self._refusal(asked):
            return _back(asked, error)
        return self._page(asked, "")

    async def _decide(self, request: Request) -> Response:
        async with request.form(max_files=0, max_fields=20) as form:
            given = {key: value for key, value in form.items() if isinstance(value, str)}
        asked = {name: given.get(name, "") for name in _KNOWN}
        if problem := self._problem(asked):
            return self._page(asked, problem, 400)
        if error := self._refusal(asked):
            return _back(asked, error)
        user = self._organization.user(given.get("user", ""))
        if given.get("decision") != "allow" or user is None:
            denied = {
                "error": "access_denied",
                "error_description": "end-user denied authorization",
            }
            return _back(asked, denied)
        wanted = asked["scope"].split()
        allowed = [one for one in self._organization.app["scopes"] if not wanted or one in wanted]
        code = self._tokens.allow(
            user_id=user["Id"],
            redirect=asked["redirect_uri"],
            challenge=asked["code_challenge"],
            scopes=allowed,
        )
        return _back(asked, {"code": code})

    def _problem(self, asked: Mapping[str, str]) -> str:
        """Why nobody may be sent back to where the request says; empty if they may."""
        app = self._organization.app
        if asked["client_id"] != app["client_id"]:
            return "error=invalid_client_id&error_description=client%20identifier%20invalid"
        try:
            split = urlsplit(asked["redirect_uri"])
            known = split.scheme == "https" or split.hostname in _LOOPBACK
        except ValueError:
            known = False
        if app["callbacks"]:
            known = asked["redirect_uri"] in app["callbacks"]
        if not known:
            return (
                "error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20"
                "configuration"
            )
        return ""

    def _refusal(self, asked: Mapping[str, str]) -> dict[str, str]:
        """What the application itself did wrong, as it is told on the way back."""
        if asked["response_type"] != "code":
            return {
                "error": "unsupported_response_type",
                "error_description": "response type not supported",
            }
        method = asked["code_challenge_method"] or "S256"
        lacking = self._organization.app["require_pkce"] and not asked["code_challenge"]
        if lacking or method != "S256":
            return {
                "error": "invalid_request",
                "error_description": "missing required code challenge",
            }
        unknown = set(asked["scope"].split()) - set(self._organization.app["scopes"])
        if unknown:
            return {
                "error": "invalid_scope",
                "error_description": "the requested scope is not allowed",
            }
        return {}

    def _page(self, asked: Mapping[str, str], problem: str, status: int = 200) -> Response:
        context = {
            "asked": asked,
            "problem": problem,
            "app": self._organization.app,
            "organization": NAME,
            "users": self._organization.users(),
        }
        html = self._stage.render(__package__ or "", "authorize.html", context)
        headers = {}
        if not problem:
            # The form's answer sends the browser on, which a policy of `self` alone would stop.
            split = urlsplit(asked["redirect_uri"])
            headers["content-security-policy"] = (
                f"default-src 'none'; style-src 'self'; form-action 'self' {split.scheme}://"
                f"{split.netloc}; base-uri 'none'; frame-ancestors 'none'"
            )
        return HTMLResponse(html, status, headers)


def _back(asked: Mapping[str, str], values: Mapping[str, str]) -> Response:
    """Sends the person back to the application."""
    more = dict(values) | ({"state": asked["state"]} if asked["state"] else {})
    sign = "&" if "?" in asked["redirect_uri"] else "?"
    return RedirectResponse(f"{asked['redirect_uri']}{sign}{urlencode(more)}", 303)
