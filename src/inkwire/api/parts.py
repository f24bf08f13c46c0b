"""How a handler gets at the hub's parts."""

from typing import Annotated

from fastapi import Depends, Request, Response

from inkwire.parts import Parts


class Provide:
    """The router's first dependency: gives every handler its parts. No answer is to be cached."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, request: Request, response: Response) -> None:
        """Runs ahead of every other dependency of the router."""
        request.state.parts = self._parts
        response.headers["Cache-Control"] = "no-store"


async def _parts(request: Request) -> Parts:
    parts: Parts = request.state.parts
    return parts


#: Annotates a handler's parameter that holds the parts.
With = Annotated[Parts, Depends(_parts)]
