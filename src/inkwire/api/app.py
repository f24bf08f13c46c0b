"""The API's routes in one router, and its errors."""

from fastapi import APIRouter, Depends

from inkwire.api import access, events, providers, receipts, sources
from inkwire.api.limits import BodyLimit
from inkwire.api.parts import Provide
from inkwire.api.problems import install_errors
from inkwire.parts import Parts

__all__ = ["BodyLimit", "Parts", "api_router", "install_errors"]


def api_router(parts: Parts) -> APIRouter:
    """Everything under `/v1`; include it in an app that `install_errors` was called on."""
    router = APIRouter(
        prefix="/v1",
        dependencies=[Depends(Provide(parts))],
        generate_unique_id_function=lambda route: route.name,
    )
    for room in (sources, providers, events, receipts, access):
        router.include_router(room.router)
    return router
