"""Authorisation, in the handler's own signature: `caller: Annotated[Caller, Allowed(scope)]`."""

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from inkwire.api.parts import With
from inkwire.errors import Forbidden, Unauthenticated
from inkwire.model.access import Caller, Scope

#: For the OpenAPI document; the header itself is judged by the gate.
_bearer = HTTPBearer(
    scheme_name="ApiKey",
    bearerFormat="ink_…",
    description="An API key with the scopes that the operation names.",
    auto_error=False,
)


def known_caller(request: Request, parts: With) -> Caller:
    """The API key's caller, whatever it may. Raises Unauthenticated.

    An application's key fills that application's bucket by one; raises RateLimited if it is full.
    """
    given = request.headers.getlist("authorization")
    if len(given) > 1:
        raise Unauthenticated("Send one Authorization header, not several.")
    caller = parts.gate.by_key(given[0] if given else None)
    if caller.application_id is not None:
        request.state.usage, refusal = parts.buckets.take(caller.application_id)
        if refusal is not None:
            raise refusal
    return caller


def caller_of(
    caller: Annotated[Caller, Depends(known_caller)],
    needed: SecurityScopes,
    _: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """The API key's caller. Raises Unauthenticated, and Forbidden without the scopes `needed`."""
    for scope in needed.scopes:
        caller.require(Scope(scope))
    return caller


def Allowed(scope: Scope) -> Any:  # noqa: N802 # reads as a marker, like FastAPI's own
    """Marks a handler's caller: an API key that holds `scope`."""
    return Security(caller_of, scopes=[scope.value])


def Owned(scope: Scope) -> Any:  # noqa: N802
    """Marks a handler's caller: an application's own API key that holds `scope`."""

    def own(caller: Annotated[Caller, Allowed(scope)]) -> Caller:
        if caller.application_id is None:
            raise Forbidden(
                "This is the API of applications: use an application's key, which "
                "POST /v1/applications/{id}/keys makes. An operator's key manages webhooks at "
                "/v1/applications/{id}/webhooks."
            )
        return caller

    return Depends(own)
