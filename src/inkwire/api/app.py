"""The API's routes in one router, and its errors."""

from fastapi import APIRouter, Depends

from inkwire.api import (
    access,
    applications,
    boxc,
    connections,
    crm,
    deliveries,
    documents,
    events,
    integrations,
    jobs,
    messages,
    orders,
    providers,
    receipts,
    sources,
    templates,
    topics,
    webhooks,
    work,
)
from inkwire.api.fields import given_once
from inkwire.api.limits import BodyLimit
from inkwire.api.parts import Provide
from inkwire.api.problems import install_errors
from inkwire.api.rate import RateHeaders
from inkwire.parts import Parts

__all__ = ["BodyLimit", "Parts", "RateHeaders", "api_router", "install_errors"]


def api_router(parts: Parts) -> APIRouter:
    """Everything under `/v1`, and BoxC's API at `/webhooks` too.

    Include it in an app that `install_errors` was called on.
    """
    router = APIRouter(
        dependencies=[Depends(Provide(parts))],
        generate_unique_id_function=lambda route: route.name,
    )
    for room in (
        sources,
        providers,
        events,
        receipts,
        applications,
        topics,
        webhooks,
        messages,
        deliveries,
        jobs,
        orders,
        templates,
        connections,
        integrations,
        crm,
        work,
        documents,
        access,
    ):
        router.include_router(room.router, prefix="/v1", dependencies=[Depends(given_once)])
    router.include_router(boxc.router, prefix="/v1/webhooks")
    router.include_router(boxc.router, prefix="/webhooks", include_in_schema=False)
    return router
