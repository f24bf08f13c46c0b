"""`/v1/applications`: subscribers, their API keys, their grants, and links into their portal."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from inkwire.access.gate import MAX_KEY_NAME
from inkwire.api.access import ApiKeyCreated, ApiKeyOut, ApiKeysOut
from inkwire.api.callers import Allowed, known_caller
from inkwire.api.fields import Id, Input, Next, Output, Page, Text
from inkwire.api.parts import With
from inkwire.delivery.applications import MAX_ANCESTORS, MAX_GRANTS, MAX_NAME
from inkwire.model.access import APPLICATION_SCOPES, Caller, Scope

router = APIRouter(prefix="/applications", tags=["Applications"])

Reader = Annotated[Caller, Allowed(Scope.WEBHOOKS_READ)]
Keeper = Annotated[Caller, Allowed(Scope.APPLICATIONS)]
#: Of an operator `applications`, of an application's own key `webhooks:write`.
Opener = Annotated[Caller, Depends(known_caller)]
_OPENER: dict[str, Any] = {
    "security": [{"ApiKey": [Scope.APPLICATIONS.value]}, {"ApiKey": [Scope.WEBHOOKS_WRITE.value]}]
}

_Name = Annotated[Text, Field(min_length=1, max_length=MAX_NAME, examples=["Acme's order service"])]
_Ancestors = Annotated[
    list[Annotated[Text, Field(min_length=1, max_length=300)]],
    Field(
        max_length=MAX_ANCESTORS,
        description="Origins that may show its portal in a frame.",
        examples=[["https://app.example.com"]],
    ),
]


class ApplicationOut(Output):
    """A subscriber: somebody's program that gets webhooks."""

    id: str
    name: str
    frame_ancestors: list[str]
    created_at: datetime
    updated_at: datetime


class ApplicationsOut(Output):
    """A page of applications, newest first."""

    items: list[ApplicationOut]
    next: Next


class ApplicationIn(Input):
    """An application to be made."""

    name: _Name
    frame_ancestors: _Ancestors = Field([])


class ApplicationPatch(Input):
    """Fields to be changed; what is absent or null stays."""

    name: _Name | None = None
    frame_ancestors: _Ancestors | None = None


class ApplicationKeyIn(Input):
    """An API key of an application, to be made."""

    name: Annotated[Text, Field(min_length=1, max_length=MAX_KEY_NAME)] = Field(
        description="What it is for.", examples=["Production"]
    )
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))] = Field(
        description=f"What it reaches, of: {', '.join(sorted(APPLICATION_SCOPES))}.",
        examples=[["webhooks:read", "webhooks:write"]],
    )


class GrantsOut(Output):
    """Topics that an application was granted, beside those that all may hear."""

    topics: list[str]


class GrantsIn(Input):
    """All topics that an application is granted; what is not named is taken away."""

    topics: Annotated[
        list[Annotated[Text, Field(min_length=1, max_length=200)]], Field(max_length=MAX_GRANTS)
    ] = Field(examples=[["box.FILE.UPLOADED"]])


class PortalLinkOut(Output):
    """A link that opens the portal once."""

    url: str = Field(description="Its token stands in the fragment, which no server logs.")
    expires_at: datetime


@router.get("", summary="List applications")
def list_applications(
    parts: With, caller: Reader, page: Annotated[Page, Query()]
) -> ApplicationsOut:
    """Applications, newest first; an application's own key sees that one."""
    found = parts.applications.all(caller, before=page.before, limit=page.limit)
    items = [ApplicationOut.of(application) for application in found]
    return ApplicationsOut(items=items, next=page.next_of(found))


@router.post("", summary="Make an application", status_code=201)
def create_application(
    body: ApplicationIn, parts: With, caller: Keeper, response: Response
) -> ApplicationOut:
    """A subscriber, without keys, grants and webhooks at first."""
    made = parts.applications.create(caller, name=body.name, frame_ancestors=body.frame_ancestors)
    response.headers["Location"] = f"/v1/applications/{made.id}"
    return ApplicationOut.of(made)


@router.get("/{application_id}", summary="Read an application")
def read_application(application_id: Id, parts: With, caller: Reader) -> ApplicationOut:
    """One application."""
    return ApplicationOut.of(parts.applications.get(caller, application_id))


@router.patch("/{application_id}", summary="Change an application")
def change_application(
    application_id: Id, body: ApplicationPatch, parts: With, caller: Keeper
) -> ApplicationOut:
    """Changes the fields that are given."""
    changed = parts.applications.change(
        caller, application_id, name=body.name, frame_ancestors=body.frame_ancestors
    )
    return ApplicationOut.of(changed)


@router.delete("/{application_id}", summary="Remove an application", status_code=204)
def delete_application(application_id: Id, parts: With, caller: Keeper) -> None:
    """Removes it with its keys, grants and webhooks; messages stay in the log."""
    parts.applications.delete(caller, application_id)


@router.get("/{application_id}/keys", summary="List an application's keys")
def list_application_keys(application_id: Id, parts: With, caller: Keeper) -> ApiKeysOut:
    """Its API keys, revoked ones too, newest first; without the keys themselves."""
    parts.applications.check(caller, application_id)
    keys = parts.gate.api_keys(caller, application_id=application_id)
    return ApiKeysOut(items=[ApiKeyOut.of(key) for key in keys])


@router.post("/{application_id}/keys", summary="Make an application's key", status_code=201)
def create_application_key(
    application_id: Id, body: ApplicationKeyIn, parts: With, caller: Keeper
) -> ApiKeyCreated:
    """A key that reaches this application's things only."""
    parts.applications.check(caller, application_id)
    key, text = parts.gate.add_api_key(
        caller, name=body.name, scopes=frozenset(body.scopes), application_id=application_id
    )
    return ApiKeyCreated(api_key=ApiKeyOut.of(key), key=text)


@router.delete(
    "/{application_id}/keys/{key_id}", summary="Revoke an application's key", status_code=204
)
def revoke_application_key(application_id: Id, key_id: Id, parts: With, caller: Keeper) -> None:
    """Ends a key at once; revoking it again changes nothing."""
    parts.gate.revoke_api_key(caller, key_id, application_id=application_id)


@router.get("/{application_id}/grants", summary="Read an application's grants")
def read_grants(application_id: Id, parts: With, caller: Reader) -> GrantsOut:
    """The topics that it was granted."""
    return GrantsOut(topics=sorted(parts.applications.grants(caller, application_id)))


@router.put("/{application_id}/grants", summary="Set an application's grants")
def set_grants(application_id: Id, body: GrantsIn, parts: With, caller: Keeper) -> GrantsOut:
    """Replaces them."""
    topics = parts.applications.set_grants(caller, application_id, body.topics)
    return GrantsOut(topics=sorted(topics))


@router.post(
    "/{application_id}/portal-link",
    summary="Make a link into the portal",
    status_code=201,
    openapi_extra=_OPENER,
)
def create_portal_link(application_id: Id, parts: With, caller: Opener) -> PortalLinkOut:
    """For one browser, once, within ten minutes.

    An operator's key needs `applications`; an application's own one every scope of its portal.
    """
    token, expires_at = parts.portal.link(caller, application_id)
    return PortalLinkOut(url=f"{parts.settings.base_url}/portal/#{token}", expires_at=expires_at)
