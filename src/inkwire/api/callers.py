"""Authorisation, in the handler's own signature: `caller: Annotated[Caller, Allowed(scope)]`."""

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from inkwire.api.parts import With
from inkwire.errors import Unauthenticated
from inkwire.model.access import Caller, Scope

#: For the OpenAPI document; the header itself is judged by the gate.
_bearer = HTTPBearer(
    scheme_name="ApiKey",
    bearerFormat="ink_…",
    description="An API key with the scopes that the operation names.",
    auto_error=False,
)


def caller_of(
    request: Request,
    parts: With,
    needed: SecurityScopes,
    _: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """The API key's caller. Raises Unauthenticated, and Forbidden without the scopes `needed`."""
    given = request.headers.getlist("authorization")
    if len(given) > 1:
        raise Unauthenticated("Send one Authorization header, not several.")
    caller = parts.gate.by_key(given[0] if given else None)
    for scope in needed.scopes:
        caller.require(Scope(scope))
    return caller


def Allowed(scope: Scope) -> Any:  # noqa: N802 # reads as a marker, like FastAPI's own
    """Marks a handler's caller: an API key that holds `scope`."""
    return Security(caller_of, scopes=[scope.value])
