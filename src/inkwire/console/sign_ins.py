"""Signing in at a vendor for a connection: out to the vendor, and back with a code.

The way out is a page that goes on by itself, and no redirect: our policy `form-action 'self'` holds
for redirects of a form, too (Chromium), and vendors redirect on to sign-in pages of their own.
"""

from starlette.responses import Response

from inkwire.console.connections import BACK, asked_connection, return_address
from inkwire.errors import CallFailed, InkwireError, NotFound
from inkwire.model.access import Scope
from inkwire.pages.visit import Page, Visit


def authorize(visit: Visit) -> Response:
    """POST /connections/{id}/authorize: a page that leads to the vendor."""
    connection = asked_connection(visit)
    url = visit.parts.connections.begin_authorization(
        visit.caller,
        connection.id,
        redirect_uri=return_address(visit),
        session=_session(visit),
    )
    response = visit.render(
        "sign_in_at.html",
        connection=connection,
        provider=visit.parts.registry.get(connection.provider).title,
        url=url,
    )
    response.headers["refresh"] = f"0; url={url}"
    return response


def authorized(visit: Visit) -> Response:
    """GET /connections/authorized: the code is exchanged at once, and a worker tries the rest."""
    state, error = visit.query("state"), visit.query("error")
    desk = visit.parts.connections
    try:
        if error:
            raise desk.refuse_authorization(
                visit.caller,
                state=state,
                error=error,
                description=visit.query("error_description"),
                session=_session(visit),
            )
        connection = desk.finish_authorization(
            visit.caller, state=state, code=visit.query("code"), session=_session(visit)
        )
    except InkwireError as refused:
        # What the vendor refuses is no fault of this server: some proxies put a page of their own
        # in place of a 502.
        status = 409 if isinstance(refused, CallFailed) else refused.status
        return visit.render(
            "sign_in_failed.html", status=status, error=refused, back=_page(visit, state)
        )
    visit.parts.work.check_connection(visit.caller, connection.id)
    return visit.see(visit.url("connections", connection.id), said="connection_signed_in")


def _session(visit: Visit) -> str:
    """Which sign-in to the console this is: the hash that the store knows it by."""
    return str(visit.who.session.token_hash.hex())


def _page(visit: Visit, state: str) -> str:
    """The page to go back to: the connection's that a state begins with, if there is one."""
    connection_id = state.partition(".")[0]
    try:
        found = visit.parts.connections.get(visit.caller, connection_id)
    except NotFound:
        return visit.url("connections")
    return visit.url("connections", found.id)


PAGES = (
    Page(path=BACK, handler=authorized, scope=Scope.INTEGRATIONS_WRITE),
    Page(
        path="/connections/{connection_id}/authorize",
        handler=authorize,
        method="POST",
        scope=Scope.INTEGRATIONS_WRITE,
    ),
)
