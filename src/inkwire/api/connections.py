"""`/v1/connections` and `/v1/connection-methods`: credentials for providers' APIs."""

from typing import Annotated

from fastapi import APIRouter, Response

from inkwire.api.callers import Allowed
from inkwire.api.connection_models import (
    ConnectionIn,
    ConnectionOut,
    ConnectionPatch,
    ConnectionsOut,
    MethodOut,
    MethodsOut,
    opened,
)
from inkwire.api.fields import Id
from inkwire.api.parts import With
from inkwire.api.work import accepted
from inkwire.api.work_models import CommandOut
from inkwire.model.access import Caller, Scope

router = APIRouter(tags=["Connections"])

Reader = Annotated[Caller, Allowed(Scope.INTEGRATIONS_READ)]
Writer = Annotated[Caller, Allowed(Scope.INTEGRATIONS_WRITE)]


@router.get("/connection-methods", summary="List ways to authenticate")
def list_connection_methods(parts: With, _: Reader) -> MethodsOut:
    """Every way to authenticate at each provider, with its settings and secrets."""
    return MethodsOut(items=[one for each in parts.registry for one in MethodOut.each(each)])


@router.get("/connections", summary="List connections")
def list_connections(parts: With, caller: Reader) -> ConnectionsOut:
    """Every connection and how it is doing; secrets without their values."""
    return ConnectionsOut(items=[ConnectionOut.of(one) for one in parts.connections.all(caller)])


@router.post("/connections", summary="Make a connection", status_code=201)
def create_connection(
    body: ConnectionIn, parts: With, caller: Writer, response: Response
) -> ConnectionOut:
    """Checks what can be checked without a call, and keeps it; `check` then tries it."""
    made = parts.connections.add(
        caller,
        connection_id=body.id,
        provider=body.provider,
        name=body.name,
        method=body.method,
        settings=body.settings,
        secrets=opened(body.secrets),
    )
    response.headers["Location"] = f"/v1/connections/{made.id}"
    return ConnectionOut.of(made)


@router.get("/connections/{connection_id}", summary="Read a connection")
def read_connection(connection_id: Id, parts: With, caller: Reader) -> ConnectionOut:
    """One connection; secrets without their values."""
    return ConnectionOut.of(parts.connections.get(caller, connection_id))


@router.patch("/connections/{connection_id}", summary="Change a connection")
def change_connection(
    connection_id: Id, body: ConnectionPatch, parts: With, caller: Writer
) -> ConnectionOut:
    """Changes the fields that are given, all or none; its token is fetched anew."""
    changed = parts.connections.change(
        caller,
        connection_id,
        name=body.name,
        method=body.method,
        settings=body.settings,
        secrets=None if body.secrets is None else opened(body.secrets),
    )
    return ConnectionOut.of(changed)


@router.delete("/connections/{connection_id}", summary="Delete a connection", status_code=204)
def delete_connection(connection_id: Id, parts: With, caller: Writer) -> None:
    """Deletes it with its secrets; refused while an integration calls by it."""
    parts.connections.delete(caller, connection_id)


@router.post("/connections/{connection_id}/check", summary="Check a connection", status_code=202)
def check_connection(
    connection_id: Id, parts: With, caller: Writer, response: Response
) -> CommandOut:
    """Asks a worker to fetch a token and try every scope; the command has the answer."""
    return accepted(parts.work.check_connection(caller, connection_id), response)
