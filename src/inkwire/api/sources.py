"""`/v1/sources`: inbound endpoints and their secrets."""

from typing import Annotated

from fastapi import APIRouter, Response

from inkwire.api.callers import Allowed
from inkwire.api.fields import Id
from inkwire.api.parts import With
from inkwire.api.source_models import (
    ActivityOut,
    ManualOut,
    SecretAdded,
    SecretIn,
    SecretOut,
    SourceCreated,
    SourceIn,
    SourceOut,
    SourcePatch,
    SourcesOut,
)
from inkwire.model.access import Caller, Scope
from inkwire.model.source import Source
from inkwire.parts import Parts
from inkwire.sources.desk import SourceChange, SourceDraft

router = APIRouter(prefix="/sources", tags=["Sources"])

Reader = Annotated[Caller, Allowed(Scope.SOURCES_READ)]
Writer = Annotated[Caller, Allowed(Scope.SOURCES_WRITE)]


@router.get("", summary="List sources")
def list_sources(parts: With, caller: Reader) -> SourcesOut:
    """Every source with its URL and when it was last heard of."""
    return SourcesOut(items=_shown(parts, caller, *parts.desk.all(caller)))


@router.post("", summary="Make a source", status_code=201)
def create_source(body: SourceIn, parts: With, caller: Writer, response: Response) -> SourceCreated:
    """Adds an inbound endpoint; it takes requests in every process within a second."""
    draft = SourceDraft(
        id=body.id,
        provider=body.provider,
        name=body.name,
        settings=body.settings,
        secrets={role: value.get_secret_value() for role, value in body.secrets.items()},
        event_types=tuple(body.event_types),
        document_ids=tuple(body.document_ids),
        max_body_bytes=body.max_body_bytes,
    )
    source, generated = parts.desk.create(caller, draft)
    response.headers["Location"] = f"/v1/sources/{source.id}"
    return SourceCreated(source=_shown(parts, caller, source)[0], generated_secrets=dict(generated))


@router.get("/{source_id}", summary="Read a source")
def read_source(source_id: Id, parts: With, caller: Reader) -> SourceOut:
    """One source; secrets without their values."""
    return _shown(parts, caller, parts.desk.get(caller, source_id))[0]


@router.patch("/{source_id}", summary="Change a source")
def change_source(source_id: Id, body: SourcePatch, parts: With, caller: Writer) -> SourceOut:
    """Changes the fields that are given; all of them or, if one is wrong, none."""
    change = SourceChange(
        name=body.name,
        settings=body.settings,
        event_types=None if body.event_types is None else tuple(body.event_types),
        document_ids=None if body.document_ids is None else tuple(body.document_ids),
        max_body_bytes=body.max_body_bytes,
    )
    return _shown(parts, caller, parts.desk.update(caller, source_id, change))[0]


@router.delete("/{source_id}", summary="Remove a source", status_code=204)
def delete_source(source_id: Id, parts: With, caller: Writer) -> None:
    """Its URL answers 404 from then on. Receipts and events stay; secrets are deleted."""
    parts.desk.delete(caller, source_id)


@router.post("/{source_id}/secrets", summary="Rotate a secret", status_code=201)
def rotate_secret(source_id: Id, body: SecretIn, parts: With, caller: Writer) -> SecretAdded:
    """Adds a secret; the others of its role are accepted for `overlap_s` seconds more."""
    secret, generated = parts.desk.rotate(
        caller,
        source_id,
        role=body.role,
        value=body.value.get_secret_value() if body.value else None,
        overlap_s=body.overlap_s,
    )
    return SecretAdded(secret=SecretOut.of(secret), generated=generated)


@router.delete("/{source_id}/secrets/{secret_id}", summary="End a secret", status_code=204)
def remove_secret(source_id: Id, secret_id: Id, parts: With, caller: Writer) -> None:
    """Ends a secret at once; the last one of a role that is needed can only be rotated."""
    parts.desk.remove_secret(caller, source_id, secret_id)


@router.post("/{source_id}/pause", summary="Pause a source")
def pause_source(source_id: Id, parts: With, caller: Writer) -> SourceOut:
    """Stops dispatch; requests are still proven, stored and answered."""
    return _shown(parts, caller, parts.desk.pause(caller, source_id))[0]


@router.post("/{source_id}/resume", summary="Resume a source")
def resume_source(source_id: Id, parts: With, caller: Writer) -> SourceOut:
    """Dispatches again, first what came meanwhile."""
    return _shown(parts, caller, parts.desk.resume(caller, source_id))[0]


@router.get("/{source_id}/manual", summary="How to connect a source")
def read_manual(source_id: Id, parts: With, caller: Reader) -> ManualOut:
    """Step by step in the vendor's console, as Markdown, with this source's URL filled in."""
    source = parts.desk.get(caller, source_id)
    return ManualOut(url=parts.desk.url(source.id), markdown=parts.desk.manual(source))


def _shown(parts: Parts, caller: Caller, *sources: Source) -> list[SourceOut]:
    """The sources with URL and activity (a caller who may only write does not see that)."""
    activity = parts.desk.activity(caller) if caller.may(Scope.SOURCES_READ) else {}
    return [
        SourceOut(
            id=source.id,
            provider=source.provider,
            name=source.name,
            url=parts.desk.url(source.id),
            settings=source.settings,
            event_types=list(source.event_types),
            document_ids=list(source.document_ids),
            max_body_bytes=source.max_body_bytes,
            paused=source.paused,
            managed_by=source.managed_by,
            created_at=source.created_at,
            updated_at=source.updated_at,
            secrets=[SecretOut.of(secret) for secret in source.secrets],
            activity=ActivityOut.of(activity[source.id]) if source.id in activity else None,
        )
        for source in sources
    ]
