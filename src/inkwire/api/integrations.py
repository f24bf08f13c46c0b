"""`/v1/integrations` and `/v1/integration-kinds`: business processes, set up and started."""

from typing import Annotated

from fastapi import APIRouter, Response

from inkwire.api.callers import Allowed
from inkwire.api.integration_models import (
    IntegrationId,
    IntegrationIn,
    IntegrationOut,
    IntegrationPatch,
    IntegrationsOut,
    JudgedOut,
    KindOut,
    KindsOut,
    ProblemsOut,
    StateIn,
    UpkeepIn,
    number,
)
from inkwire.api.parts import With
from inkwire.api.work_models import WorkOut
from inkwire.model.access import Caller, Scope

router = APIRouter(tags=["Integrations"])

Reader = Annotated[Caller, Allowed(Scope.INTEGRATIONS_READ)]
Writer = Annotated[Caller, Allowed(Scope.INTEGRATIONS_WRITE)]
Runner = Annotated[Caller, Allowed(Scope.RUNS_WRITE)]


@router.get("/integration-kinds", summary="List kinds of integrations")
def list_integration_kinds(parts: With, caller: Reader) -> KindsOut:
    """Every business process that is installed, with the settings that it has."""
    return KindsOut(items=[KindOut.shown(kind) for kind in parts.integrations.kinds(caller)])


@router.get("/integrations", summary="List integrations")
def list_integrations(parts: With, caller: Reader) -> IntegrationsOut:
    """Every integration, by number."""
    found = parts.integrations.all(caller)
    return IntegrationsOut(items=[IntegrationOut.shown(one) for one in found])


@router.post("/integrations", summary="Make an integration", status_code=201)
def create_integration(
    body: IntegrationIn, parts: With, caller: Writer, response: Response
) -> JudgedOut:
    """Keeps it, inactive, and says what stands between it and its start."""
    judged = parts.integrations.add(caller, body.draft())
    response.headers["Location"] = f"/v1/integrations/{judged.integration.label}"
    return JudgedOut.shown(judged)


@router.get("/integrations/{integration_id}", summary="Read an integration")
def read_integration(integration_id: IntegrationId, parts: With, caller: Reader) -> IntegrationOut:
    """One integration, its settings complete."""
    return IntegrationOut.shown(parts.integrations.get(caller, number(integration_id)))


@router.get("/integrations/{integration_id}/problems", summary="Judge an integration")
def read_integration_problems(
    integration_id: IntegrationId, parts: With, caller: Reader
) -> ProblemsOut:
    """What is wrong with its configuration now, warnings too."""
    return ProblemsOut.shown(parts.integrations.problems(caller, number(integration_id)))


@router.patch("/integrations/{integration_id}", summary="Change an integration")
def change_integration(
    integration_id: IntegrationId, body: IntegrationPatch, parts: With, caller: Writer
) -> JudgedOut:
    """Changes the fields that are given; all of them or, if one is wrong, none."""
    return JudgedOut.shown(parts.integrations.change(caller, number(integration_id), body.change()))


@router.post("/integrations/{integration_id}/state", summary="Start or stop an integration")
def set_integration_state(
    integration_id: IntegrationId, body: StateIn, parts: With, caller: Writer
) -> JudgedOut:
    """Activates, pauses or deactivates; refused with each field that keeps it from acting."""
    return JudgedOut.shown(parts.integrations.move(caller, number(integration_id), body.state))


@router.post("/integrations/{integration_id}/upkeep", summary="Do upkeep now", status_code=202)
def run_upkeep(
    integration_id: IntegrationId, body: UpkeepIn, parts: With, caller: Runner
) -> WorkOut:
    """Does what the clock does for it at once, not only in its next slot."""
    return WorkOut.shown(parts.work.upkeep_now(caller, number(integration_id), body.workflow))
