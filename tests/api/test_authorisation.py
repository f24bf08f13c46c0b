"""Every route of the API asks who is calling; the list is made from the routes themselves."""

import re
from typing import Annotated

from fastapi import APIRouter
from fastapi.routing import iter_route_contexts

from api.conftest import Client, build, new_api
from inkwire.access.gate import CLI
from inkwire.api.callers import Allowed
from inkwire.model.access import APPLICATION_SCOPES, Caller, Scope

#: What anybody may read: the document that describes the API.
PUBLIC = {("GET", "/v1/openapi.json"), ("HEAD", "/v1/openapi.json")}


def routes(app):
    """Every (method, path) under /v1 that the app serves and that is not public."""
    found = {
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        if (route.path or "").startswith("/v1/")
        for method in route.methods or ()
    }
    assert found > PUBLIC
    return sorted(found - PUBLIC)


def documented(app):
    """The scopes that the OpenAPI document names for each (method, path), one of them enough."""
    return {
        (method.upper(), path): [
            scope for one in operation.get("security", [{}]) for scope in one.get("ApiKey", [])
        ]
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
    }


def of_boxc(path):
    """Whether the route speaks BoxC's API, for keys of applications."""
    return path.startswith("/v1/webhooks")


def said(answer):
    """The sentence for a person, in either shape of errors."""
    told = answer.json()
    return told["message"] if "message" in told else told["detail"]


def filled(path):
    """The path with something in place of its parameters."""
    return re.sub(r"\{\w+\}", "thing", path)


def open_doors(app, call, statuses):
    """Routes that `call` gets another answer from than one of `statuses`."""
    answers = {(method, path): call(method, filled(path)).status for method, path in routes(app)}
    assert len(answers) >= 25
    return {route: status for route, status in answers.items() if status not in statuses}


def test_every_route_names_one_scope_in_the_document(app):
    """No route is hidden, none is without a scope, and each asks for exactly one.

    But for the link into the portal, which an operator's key opens by one, an application's own
    key by another.
    """
    scopes = documented(app)
    assert sorted(scopes) == routes(app)
    for route, needed in scopes.items():
        either = route == ("POST", "/v1/applications/{application_id}/portal-link")
        assert len(needed) == (2 if either else 1), route
        assert set(needed) <= set(Scope)


def test_nobody_gets_in_without_a_key(app, client, rooms):
    """No key: 401 on every route, whatever is sent, and nothing is changed."""
    admin = client()
    before = rooms.store.access.audit()
    admin.key = None
    assert open_doors(app, admin.call, {401}) == {}
    assert open_doors(app, lambda m, p: admin.call(m, p, {"odd": 1}), {401}) == {}
    answer = admin.get("/v1/events")
    assert answer.headers["www-authenticate"] == 'Bearer realm="inkwire"'
    assert "Bearer ink_" in answer.json()["detail"]
    assert rooms.store.access.audit() == before


def test_an_unknown_or_revoked_key_opens_nothing(app, client, rooms):
    """A key that never was, and one that was revoked: 401 on every route."""
    stranger = client()
    stranger.key = "ink_" + "A" * 40
    assert open_doors(app, stranger.call, {401}) == {}
    revoked = client()
    newest = rooms.gate.api_keys(CLI)[0]
    rooms.gate.revoke_api_key(CLI, newest.id)
    # BoxC's API has a code of its own for that, with 403.
    doors = open_doors(app, revoked.call, {401})
    assert set(doors.values()) == {403}
    assert {path for _, path in doors} == {path for _, path in routes(app) if of_boxc(path)}
    assert "revoked" in revoked.get("/v1/events").json()["detail"]


def test_a_key_without_the_scope_is_told_which(app, client, rooms):
    """With every scope but the needed one: 403, and the answer names the scope."""
    needed = documented(app)
    each = {tuple(scopes) for scopes in needed.values()}
    lacking = {scopes: client(*(set(Scope) - set(scopes))) for scopes in each}
    before = rooms.store.access.audit()

    def call(method, path):
        route = next(r for r in needed if r[0] == method and filled(r[1]) == path)
        scopes = tuple(needed[route])
        answer = lacking[scopes].call(method, path)
        if answer.status == 403:
            assert f"scope {scopes[0]}," in said(answer)
            assert "insufficient_scope" in answer.headers["www-authenticate"]
        return answer

    assert open_doors(app, call, {403}) == {}
    assert rooms.store.access.audit() == before


def test_the_documented_scope_is_enough(app, client, rooms):
    """With the needed scope alone no route answers 401 or 403."""
    needed = documented(app)
    holding = {scope: client(scope) for scope in Scope}
    application = rooms.applications.create(CLI, name="Acme")
    own = {}
    for scope in APPLICATION_SCOPES:
        _, key = rooms.gate.add_api_key(
            CLI, name="own", scopes=frozenset({scope}), application_id=application.id
        )
        own[scope] = type(holding[scope])(app, key)

    def call(method, path):
        route = next(r for r in needed if r[0] == method and filled(r[1]) == path)
        clients = own if of_boxc(path) else holding
        return clients[Scope(needed[route][0])].call(method, path)

    # 400: BoxC's API on a body that is missing; 404: also of a webhook that is not there.
    assert open_doors(app, call, {200, 400, 404, 422}) == {}


def test_a_session_cookie_is_no_api_key(app, client, rooms):
    """A signed-in browser cannot be led to call the API: cookies count for nothing there."""
    rooms.gate.first_admin()
    rooms.gate.set_password(CLI, "admin", "correct horse battery")
    token, _ = rooms.gate.sign_in("admin", "correct horse battery", remote="192.0.2.1")
    browser = client()
    browser.key = None
    cookie = {"cookie": f"session={token}; inkwire_session={token}"}
    assert open_doors(app, lambda m, p: browser.call(m, p, headers=cookie), {401}) == {}
    bearer = {"authorization": f"Bearer {token}"}
    assert open_doors(app, lambda m, p: browser.call(m, p, headers=bearer), {401}) == {}


def test_a_forgotten_route_would_be_noticed(rooms):
    """The checks above do fail for a route without authorisation, hidden or not."""
    forgotten = APIRouter(prefix="/v1")

    @forgotten.get("/open")
    def left_open() -> str:
        return "secret"

    @forgotten.get("/hidden", include_in_schema=False)
    def hidden(_: Annotated[Caller, Allowed(Scope.ACCESS)]) -> str:
        return "secret"

    api = new_api()
    api.include_router(forgotten)
    app = build(rooms, api)
    nobody = Client(app)
    doors = {("GET", "/v1/open"): 200}
    seen = {
        (method, path): nobody.call(method, filled(path)).status
        for method, path in routes(app)
        if path == "/v1/open"
    }
    assert seen == doors
    assert set(routes(app)) - set(documented(app)) == {("GET", "/v1/hidden")}
    assert documented(app)["GET", "/v1/open"] == []
