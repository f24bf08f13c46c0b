"""Settings of the signed-in person: their password, and light or dark."""

from collections.abc import Mapping

from starlette.responses import Response

from inkwire.console import words
from inkwire.errors import InvalidInput, Unauthenticated
from inkwire.pages import door
from inkwire.pages.views import FormField
from inkwire.pages.visit import Page, Visit

NOTHING_WRONG: Mapping[str, str] = {}


def account(visit: Visit) -> Response:
    """GET /settings."""
    return _page(visit)


def _page(
    visit: Visit, *, errors: Mapping[str, str] = NOTHING_WRONG, status: int = 200
) -> Response:
    if visit.who is None:
        raise Unauthenticated
    return visit.render(
        "account.html",
        status=status,
        role=words.ROLE_WORDS[visit.who.user.role],
        session=visit.who.session,
        inputs=[
            FormField(
                name="current",
                label="Present password",
                kind="password",
                required=True,
                autocomplete="current-password",
                error=errors.get("current", ""),
            ),
            FormField(
                name="password",
                label="New password",
                kind="password",
                required=True,
                autocomplete="new-password",
                error=errors.get("password", ""),
            ),
        ],
    )


def change_password(visit: Visit) -> Response:
    """POST /settings/password: all sessions of the person end, this one too."""
    if visit.who is None:
        raise Unauthenticated
    client = visit.request.client
    try:
        visit.parts.gate.change_own_password(
            visit.who,
            current=visit.field("current"),
            new=visit.field("password"),
            remote=client.host if client else "",
        )
    except InvalidInput as error:
        return _page(visit, errors=error.fields, status=422)
    response = visit.see(visit.url("sign-in"), said="password_set")
    visit.drop_cookie(response, door.SESSION_COOKIE)
    return response


PAGES = (
    Page(path="/settings", handler=account),
    Page(path="/settings/password", handler=change_password, method="POST"),
)
