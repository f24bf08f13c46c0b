"""Box's token endpoint (developer.box.com/guides/authentication): JWT, CCG, codes, refresh."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from inkwire.moments import from_micros, to_micros
from inkwire.providers.box.sandbox.answers import BoxError
from inkwire.providers.box.sandbox.apps import AS_USER, USER_TOKENS, Apps
from inkwire.providers.sandboxing import Doc, Stage

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: Always this, also at another host.
AUDIENCE = "https://api.box.com/oauth2/token"
ACCESS_S, REFRESH_S = 3600, 60 * 86_400
_LONGEST_ASSERTION_S = 60
_ACCESS, _REFRESH, _JTI = "box_token", "box_refresh", "box_jti"
#: Codes that a log-in gave, and the seconds that one is good for.
_CODE, CODE_S = "box_code", 30
#: Rows of spent ids and tokens that are dropped at once.
_KEPT = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who a call is made as, and by which application."""

    app: Doc
    user: Doc

    @property
    def user_id(self) -> str:
        """The acting user."""
        return str(self.user["id"])

    def needs(self, *scopes: str) -> None:
        """Raises BoxError 403 unless the application has every scope."""
        if not set(scopes) <= set(self.app["scopes"]):
            raise BoxError(403, "insufficient_scope", context={})


class Refusal(Exception):
    """The token endpoint's no: OAuth's shape."""

    def __init__(self, error: str, description: str) -> None:
        """`error`: OAuth's code."""
        super().__init__(error)
        self.body = {"error": error, "error_description": description}


class Tokens:
    """Makes and checks access tokens."""

    def __init__(self, stage: Stage, apps: Apps) -> None:
        """`stage`: clock and state; `apps`: who may ask."""
        self._stage = stage
        self._state = stage.state
        self._apps = apps

    async def endpoint(self, request: Request) -> Response:
        """POST /oauth2/token."""
        raw = await request.body()
        form = dict(parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=30))
        try:
            return JSONResponse(self._granted(form), headers={"cache-control": "no-store"})
        except Refusal as refusal:
            return JSONResponse(refusal.body, 400)

    async def revoke(self, request: Request) -> Response:
        """POST /oauth2/revoke."""
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        for kind in (_ACCESS, _REFRESH):
            self._state.drop(kind, form.get("token", ""))
        return Response(status_code=200)

    def caller(self, request: Request) -> Caller:
        """Who calls. Raises BoxError 401, and 403 for an `as-user` that may not be."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        kept = self._state.get(_ACCESS, token) if scheme.lower() == "bearer" else None
        if kept is None or kept["expires"] <= to_micros(self._stage.clock.now()):
            raise BoxError(401, "unauthorized")
        app, user = self._apps.get(kept["app"]), self._apps.user(kept["user"])
        if app is None or user is None or not app["authorized"]:
            raise BoxError(401, "unauthorized")
        as_user = request.headers.get("as-user")
        if as_user is None:
            return Caller(app=app, user=user)
        other = self._apps.user(as_user)
        allowed = AS_USER in app["rights"] and user["id"] == app["service_account_id"]
        if other is None or not allowed or as_user == app["service_account_id"]:
            raise BoxError(403, "access_denied_insufficient_permissions")
        return Caller(app=app, user=other)

    def expire_all(self, client_id: str) -> int:
        """Ends every access token of an application; returns how many."""
        found = self._state.find(_ACCESS, owner=client_id)
        for _, kept in found:
            self._state.drop(_ACCESS, kept["token"])
        return len(found)

    def pair(self, app: Doc, user_id: str) -> Doc:
        """An access token with a refresh token, as an OAuth log-in would give."""
        refresh = secrets.token_urlsafe(32)
        ends = self._stage.clock.now() + timedelta(seconds=REFRESH_S)
        doc = {"app": app["client_id"], "user": user_id, "expires": to_micros(ends)}
        self._state.put(_REFRESH, refresh, doc)
        return self._access(app, user_id) | {"refresh_token": refresh}

    def code(self, app: Doc, user_id: str, redirect_uri: str) -> str:
        """A code that a person's consent gives: good once."""
        code = secrets.token_urlsafe(24)
        ends = self._stage.clock.now() + timedelta(seconds=CODE_S)
        doc = {
            "app": app["client_id"],
            "user": user_id,
            "redirect_uri": redirect_uri,
            "expires": to_micros(ends),
        }
        self._state.put(_CODE, code, doc)
        return code

    def _granted(self, form: Mapping[str, str]) -> Doc:
        app = self._apps.get(form.get("client_id", ""))
        given = form.get("client_secret", "").encode()
        if app is None or not secrets.compare_digest(app["client_secret"].encode(), given):
            raise Refusal("invalid_client", "The client credentials are invalid")
        grant = form.get("grant_type", "")
        with self._state.change():
            if grant == JWT_GRANT:
                kind, subject = self._assertion(app, form.get("assertion", ""))
            elif grant == "client_credentials":
                kind = form.get("box_subject_type", "")
                subject = form.get("box_subject_id", "")
            elif grant == "authorization_code":
                return self._exchanged(app, form)
            elif grant == "refresh_token":
                return self._refreshed(app, form.get("refresh_token", ""))
            else:
                raise Refusal("unsupported_grant_type", "The grant type is unauthorized or unknown")
            return self._access(app, self._subject(app, kind, subject, jwt=grant == JWT_GRANT))

    def _subject(self, app: Doc, kind: str, subject: str, *, jwt: bool) -> str:
        """The user that the token is for."""
        wrong = (
            Refusal(
                "invalid_grant", "Please check the 'sub' claim. The 'sub' specified is invalid."
            )
            if jwt
            else Refusal("invalid_grant", "Grant credentials are invalid")
        )
        if not app["authorized"]:
            raise Refusal(
                "unauthorized_client", "This app is not authorized by the enterprise admin"
            )
        if kind == "enterprise":
            if subject != app["enterprise_id"]:
                raise wrong
            return str(app["service_account_id"])
        if kind != "user" or self._apps.user(subject) is None:
            raise wrong
        if jwt and subject == app["service_account_id"]:
            raise wrong
        if USER_TOKENS not in app["rights"]:
            raise Refusal(
                "unauthorized_client", "Cannot obtain user token based on the app configuration"
            )
        return subject

    def _assertion(self, app: Doc, assertion: str) -> tuple[str, str]:
        """Checks a JWT; its `box_sub_type` and `sub`."""
        import jwt  # noqa: PLC0415 - heavy, and only this grant needs it

        try:
            kid = jwt.get_unverified_header(assertion).get("kid")
            if kid != app["public_key_id"]:
                raise Refusal(
                    "invalid_grant", "OAuth JWT signature verification failed: unknown kid"
                )
            claims = jwt.decode(
                assertion,
                app["public_key"],
                algorithms=["RS256", "RS384", "RS512"],
                options={
                    "verify_exp": False,
                    "verify_aud": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_jti": False,
                    "verify_sub": False,
                },
            )
        except jwt.PyJWTError:
            raise Refusal("invalid_grant", "OAuth JWT signature verification failed") from None
        self._check_claims(app, claims)
        return str(claims.get("box_sub_type", "")), str(claims.get("sub", ""))

    def _check_claims(self, app: Doc, claims: Mapping[str, Any]) -> None:
        if claims.get("iss") != app["client_id"]:
            raise _claim("iss", "The 'iss' must be the client id.")
        if claims.get("aud") != AUDIENCE:
            raise _claim("aud", f"The 'aud' must be {AUDIENCE}.")
        expires, now = claims.get("exp"), self._stage.clock.wall().timestamp()
        if isinstance(expires, bool) or not isinstance(expires, int | float):
            raise _claim("exp", "It must be a number of seconds.")
        if not now < expires <= now + _LONGEST_ASSERTION_S:
            raise _claim("exp", "It must be in the future and 60 seconds ahead at most.")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 16 <= len(jti) <= 128:
            raise _claim("jti", "It must have 16 to 128 characters.")
        if self._state.get(_JTI, jti) is not None:
            raise _claim("jti", "A unique 'jti' value is required.")
        self._state.put(_JTI, jti, {})

    def _access(self, app: Doc, user_id: str) -> Doc:
        token = secrets.token_urlsafe(24)
        now = self._stage.clock.now()
        doc = {
            "token": token,
            "app": app["client_id"],
            "user": user_id,
            "expires": to_micros(now + timedelta(seconds=ACCESS_S)),
        }
        for _, old in self._state.find(_ACCESS, owner=app["client_id"], limit=50):
            if from_micros(old["expires"]) < now - _KEPT:
                self._state.drop(_ACCESS, old["token"])
        self._state.put(_ACCESS, token, doc, owner=app["client_id"])
        return {
            "access_token": token,
            "expires_in": ACCESS_S,
            "restricted_to": [],
            "token_type": "bearer",
        }

    def _exchanged(self, app: Doc, form: Mapping[str, str]) -> Doc:
        """A pair for a code that is used for the first time."""
        code = form.get("code", "")
        kept = self._state.get(_CODE, code)
        named = form.get("redirect_uri")
        if kept is None or kept["app"] != app["client_id"]:
            why = "Auth code doesn't exist or is invalid for the client"
            raise Refusal("invalid_grant", why)
        self._state.drop(_CODE, code)
        if kept["expires"] <= to_micros(self._stage.clock.now()):
            raise Refusal("invalid_grant", "The authorization code has expired")
        if named is not None and named != kept["redirect_uri"]:
            raise Refusal("redirect_uri_mismatch", "The redirect URI is not that of the log-in")
        return self.pair(app, kept["user"])

    def _refreshed(self, app: Doc, token: str) -> Doc:
        """A new pair for a refresh token that is used for the first time."""
        kept = self._state.get(_REFRESH, token)
        late = kept is not None and kept["expires"] <= to_micros(self._stage.clock.now())
        if kept is None or late or kept["app"] != app["client_id"]:
            raise Refusal("invalid_grant", "Refresh token has expired")
        self._state.drop(_REFRESH, token)
        return self.pair(app, kept["user"])


def _claim(name: str, why: str) -> Refusal:
    return Refusal("invalid_grant", f"Please check the '{name}' claim. {why}")
