"""Salesforce's OAuth endpoints: client credentials, JWT bearer, web server flow with PKCE."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from inkwire.moments import from_micros, to_micros
from inkwire.providers.salesforce.sandbox.answers import SalesforceError
from inkwire.providers.salesforce.sandbox.organization import ORGANIZATION, Organization
from inkwire.providers.salesforce.sandbox.statements import GRANT, Unfit, claims_of
from inkwire.providers.sandboxing import Doc, Stage

_ACCESS, _REFRESH, _CODE = "sf_token", "sf_refresh", "sf_code"
#: Seconds that a code of the authorize page is good: at Salesforce 15 minutes.
CODE_S = 900
_KEPT = timedelta(days=1)
_EXPIRED = "expired access/refresh token"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who a call is made as."""

    user: Doc
    scopes: frozenset[str]

    @property
    def user_id(self) -> str:
        """The acting user."""
        return str(self.user["Id"])


class Refusal(Exception):
    """The token endpoint's no: an object, not an array."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        """`error`: OAuth's code, or one of Salesforce's own."""
        super().__init__(error)
        self.status = status
        self.body = {"error": error, "error_description": description}


class Tokens:
    """Makes and checks tokens."""

    def __init__(self, stage: Stage, organization: Organization) -> None:
        """`stage`: clock, state, address; `organization`: who may ask."""
        self._stage = stage
        self._state = stage.state
        self._organization = organization

    def routes(self) -> list[Route]:
        """The endpoints without pages."""
        base = "/services/oauth2"
        return [
            Route(f"{base}/token", self._token, methods=["POST"]),
            Route(f"{base}/revoke", self._revoke, methods=["POST"]),
            Route(f"{base}/introspect", self._introspect, methods=["POST"]),
            Route(f"{base}/userinfo", self._userinfo, methods=["GET", "POST"]),
            Route("/id/{organization}/{user}", self._userinfo, name="identity"),
        ]

    def caller(self, authorization: str | None) -> Caller:
        """Who calls, by the Authorization header. Raises SalesforceError 401."""
        scheme, _, token = (authorization or "").partition(" ")
        if authorization is not None and scheme.lower() not in ("bearer", "oauth"):
            raise SalesforceError("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", None, status=401)
        found = self._known(token.strip())
        if found is None:
            raise SalesforceError(
                "INVALID_SESSION_ID", "Session expired or invalid", None, status=401
            )
        if "api" not in found.scopes and "full" not in found.scopes:
            raise SalesforceError(
                "INVALID_SESSION_ID",
                "This session is not valid for use with the specified REST API endpoint. One of "
                "the following scopes is required: api, full",
                None,
                status=401,
            )
        return found

    def allow(self, *, user_id: str, redirect: str, challenge: str, scopes: list[str]) -> str:
        """A person says yes on the authorize page: a code that is good once."""
        code = f"aPrx{secrets.token_urlsafe(40)}"
        ends = self._stage.clock.now() + timedelta(seconds=CODE_S)
        doc = {
            "user": user_id,
            "redirect": redirect,
            "challenge": challenge,
            "scopes": scopes,
            "expires": to_micros(ends),
        }
        self._state.put(_CODE, code, doc)
        return code

    def expire_all(self) -> int:
        """Ends every access token; returns how many."""
        return self._drop_all(_ACCESS)

    def revoke_all(self) -> int:
        """Ends every refresh token, and the access tokens that came of them."""
        self._drop_all(_ACCESS)
        return self._drop_all(_REFRESH)

    async def _token(self, request: Request) -> Response:
        form = await _form(request)
        try:
            with self._state.change():
                body = self._granted(form, request.headers.get("authorization", ""))
        except Refusal as refusal:
            return JSONResponse(refusal.body, refusal.status, {"cache-control": "no-store"})
        return JSONResponse(body, headers={"cache-control": "no-store", "pragma": "no-cache"})

    async def _revoke(self, request: Request) -> Response:
        form = await _form(request) or dict(request.query_params)
        token = form.get("token", "")
        if self._state.get(_ACCESS, token) is None and self._state.get(_REFRESH, token) is None:
            refusal = Refusal("unsupported_token_type", "this token type is not supported")
            return JSONResponse(refusal.body, 400)
        self._state.drop(_ACCESS, token)
        if self._state.get(_REFRESH, token) is not None:
            self._state.drop(_REFRESH, token)
            for _, kept in self._state.find(_ACCESS, owner=token):
                self._state.drop(_ACCESS, kept["token"])
        return Response(status_code=200)

    async def _introspect(self, request: Request) -> Response:
        form = await _form(request)
        try:
            self._app(form, request.headers.get("authorization", ""))
        except Refusal as refusal:
            return JSONResponse(refusal.body, 401)
        token = form.get("token", "")
        kept = self._state.get(_ACCESS, token) or self._state.get(_REFRESH, token)
        now = to_micros(self._stage.clock.now())
        if kept is None or kept.get("expires", now + 1) <= now:
            return JSONResponse({"active": False})
        user = self._organization.user(kept["user"]) or {}
        body = {
            "active": True,
            "scope": " ".join(kept["scopes"]),
            "client_id": self._organization.app["client_id"],
            "username": user.get("Username"),
            "sub": self._identity(kept["user"]),
            "token_type": "access_token" if "expires" in kept else "refresh_token",
            "iat": kept["issued"] // 1_000_000,
            "nbf": kept["issued"] // 1_000_000,
        }
        if "expires" in kept:
            body["exp"] = kept["expires"] // 1_000_000
        return JSONResponse(body)

    async def _userinfo(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "oauth"):
            return PlainTextResponse("Missing_OAuth_Token", 403)
        caller = self._known(token.strip())
        if caller is None:
            return PlainTextResponse("Bad_OAuth_Token", 403)
        user = caller.user
        body = {
            "sub": self._identity(caller.user_id),
            "user_id": caller.user_id,
            "organization_id": ORGANIZATION,
            "preferred_username": user["Username"],
            "nickname": (user["Email"] or "").partition("@")[0],
            "name": user["Name"],
            "email": user["Email"],
            "email_verified": True,
            "given_name": user["FirstName"],
            "family_name": user["LastName"],
            "zoneinfo": user["TimeZoneSidKey"],
            "active": user["IsActive"],
            "user_type": "STANDARD",
            "language": "en_US",
            "locale": "en_US",
            "urls": {"rest": f"{self._stage.url}/services/data/v{{version}}/"},
            "is_app_installed": True,
        }
        return JSONResponse(body)

    def _known(self, token: str) -> Caller | None:
        kept = self._state.get(_ACCESS, token)
        if kept is None or kept["expires"] <= to_micros(self._stage.clock.now()):
            return None
        user = self._organization.user(kept["user"])
        if user is None or not user["IsActive"]:
            return None
        return Caller(user=user, scopes=frozenset(kept["scopes"]))

    def _granted(self, form: Mapping[str, str], basic: str) -> Doc:
        grant = form.get("grant_type", "")
        if grant == GRANT:
            return self._by_statement(form.get("assertion", ""))
        app = self._app(form, basic, public=grant == "authorization_code")
        if grant == "client_credentials":
            if not app["client_credentials"]:
                raise Refusal("invalid_grant", "no client credentials user enabled")
            scopes = [one for one in app["scopes"] if one != "refresh_token"]
            return self._access(self._organization.integration["Id"], scopes) | {
                "api_instance_url": "https://api.salesforce.com"
            }
        if grant == "authorization_code":
            return self._by_code(form)
        if grant == "refresh_token":
            return self._refreshed(app, form.get("refresh_token", ""))
        if grant == "password":
            raise Refusal("invalid_grant", "authentication failure")
        raise Refusal("unsupported_grant_type", "grant type not supported")

    def _app(self, form: Mapping[str, str], basic: str, *, public: bool = False) -> Doc:
        """The application that asks; `public`: a verifier may stand for its secret."""
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, encoded = basic.partition(" ")
        if scheme.lower() == "basic":
            try:
                pair = base64.b64decode(encoded, validate=True).decode()
            except ValueError:
                raise Refusal("invalid_client", "invalid client credentials") from None
            client_id, _, secret = (unquote(part) for part in pair.partition(":"))
        app = self._organization.app
        if client_id != app["client_id"]:
            raise Refusal("invalid_client_id", "client identifier invalid")
        if public and not secret and form.get("code_verifier"):
            return app
        if not secrets.compare_digest(secret.encode(), app["client_secret"].encode()):
            raise Refusal("invalid_client", "invalid client credentials")
        return app

    def _by_statement(self, statement: str) -> Doc:
        """A token for whom a signed statement names; no refresh token."""
        app = self._organization.app
        try:
            claims = claims_of(
                statement,
                client_id=app["client_id"],
                certificate=app["certificate"] if app["jwt"] else "",
                addresses=(self._stage.url, *app["audiences"]),
                now=self._stage.clock.wall(),
            )
        except Unfit as unfit:
            raise Refusal(unfit.error, unfit.description) from None
        named = claims.get("sub")
        user = next((u for u in self._organization.users() if u["Username"] == named), None)
        if user is None:
            raise Refusal("invalid_grant", "user hasn't approved this consumer")
        if not user["IsActive"]:
            raise Refusal("invalid_grant", "inactive user")
        self._require_approval(app, user["Id"])
        scopes = [one for one in app["scopes"] if one != "refresh_token"]
        return self._access(user["Id"], scopes)

    def _require_approval(self, app: Doc, user_id: str) -> None:
        if not app["self_authorize"]:
            if user_id not in app["preauthorized"]:
                raise Refusal("invalid_app_access", "user is not admin approved to access this app")
        # Approvals of before count, if they gave a refresh token.
        elif all(kept["user"] != user_id for _, kept in self._state.find(_REFRESH)):
            raise Refusal("invalid_grant", "user hasn't approved this consumer")

    def _by_code(self, form: Mapping[str, str]) -> Doc:
        code = form.get("code", "")
        kept = self._state.get(_CODE, code)
        if kept is None or kept["expires"] <= to_micros(self._stage.clock.now()):
            raise Refusal("invalid_grant", "expired authorization code")
        if form.get("redirect_uri") != kept["redirect"]:
            raise Refusal("redirect_uri_mismatch", "redirect_uri must match configuration")
        if kept["challenge"] and challenge_of(form.get("code_verifier", "")) != kept["challenge"]:
            raise Refusal("invalid_grant", "invalid code verifier")
        self._state.drop(_CODE, code)
        return self._with_refresh(kept["user"], kept["scopes"])

    def _refreshed(self, app: Doc, token: str) -> Doc:
        kept = self._state.get(_REFRESH, token)
        if kept is None:
            raise Refusal("invalid_grant", _EXPIRED)
        if not app["rotate"]:
            return self._access(kept["user"], kept["scopes"], refresh=token)
        self._state.drop(_REFRESH, token)
        return self._with_refresh(kept["user"], kept["scopes"])

    def _with_refresh(self, user_id: str, scopes: list[str]) -> Doc:
        if "refresh_token" not in scopes:
            return self._access(user_id, scopes)
        refresh = f"5Aep{secrets.token_urlsafe(48)}"
        issued = to_micros(self._stage.clock.now())
        doc = {"token": refresh, "user": user_id, "scopes": scopes, "issued": issued}
        self._state.put(_REFRESH, refresh, doc)
        return self._access(user_id, scopes, refresh=refresh) | {"refresh_token": refresh}

    def _access(self, user_id: str, scopes: list[str], *, refresh: str = "-") -> Doc:
        """A token as the endpoint answers it: without `expires_in`."""
        app, now = self._organization.app, self._stage.clock.now()
        token = f"{ORGANIZATION[:15]}!AQ{secrets.token_urlsafe(60)}"
        ends = now + timedelta(seconds=app["session_s"])
        doc = {
            "token": token,
            "user": user_id,
            "scopes": scopes,
            "issued": to_micros(now),
            "expires": to_micros(ends),
        }
        for _, old in self._state.find(_ACCESS, limit=20):
            if from_micros(old["expires"]) < now - _KEPT:
                self._state.drop(_ACCESS, old["token"])
        self._state.put(_ACCESS, token, doc, owner=refresh)
        issued, identity = str(to_micros(now) // 1000), self._identity(user_id)
        signed = (identity + issued).encode()
        digest = hmac.new(app["client_secret"].encode(), signed, "sha256").digest()
        return {
            "access_token": token,
            "signature": base64.b64encode(digest).decode(),
            "scope": " ".join(scopes),
            "instance_url": self._stage.url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
        }

    def _identity(self, user_id: str) -> str:
        return f"{self._stage.url}/id/{ORGANIZATION}/{user_id}"

    def _drop_all(self, kind: str) -> int:
        found = self._state.find(kind)
        for _, doc in found:
            self._state.drop(kind, doc["token"])
        return len(found)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


async def _form(request: Request) -> dict[str, str]:
    raw = await request.body()
    return dict(parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=30))
