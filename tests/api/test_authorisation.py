"""Every route of the API asks who is calling; the list is made from the routes themselves."""

import re
from typing import Annotated

from fastapi import APIRouter
from fastapi.routing import iter_route_contexts

from inkwire.access.gate import CLI
from inkwire.api.callers import Allowed
from inkwire.model.access import Caller, Scope

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
    """The scope that the OpenAPI document names for each (method, path)."""
    return {
        (method.upper(), path): operation.get("security", [{}])[0].get("ApiKey", [])
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
    }


def filled(path):
    """The path with something in place of its parameters."""
    return re.sub(r"\{\w+\}", "thing", path)


def open_doors(app, call, statuses):
    """Routes that `call` gets another answer from than one of `statuses`."""
    answers = {(method, path): call(method, filled(path)).status for method, path in routes(app)}
    assert len(answers) >= 25
    return {route: status for route, status in answers.items() if status not in statuses}


def test_every_route_names_one_scope_in_the_document(app):
    """No route is hidden, none is without a scope, and each asks for exactly one."""
    scopes = documented(app)
    assert sorted(scopes) == routes(app)
    for route, needed in scopes.items():
        assert len(needed) == 1, route
        Scope(needed[0])


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
    assert open_doors(app, revoked.call, {401}) == {}
    assert "revoked" in revoked.get("/v1/events").json()["detail"]


def test_a_key_without_the_scope_is_told_which(app, client, rooms):
    """With every scope but the needed one: 403, and the answer names the scope."""
    needed = documented(app)
    lacking = {scope: client(*(set(Scope) - {scope})) for scope in Scope}
    before = rooms.store.access.audit()

    def call(method, path):
        route = next(r for r in needed if r[0] == method and filled(r[1]) == path)
        (scope,) = needed[route]
        answer = lacking[Scope(scope)].call(method, path)
        if answer.status == 403:
            assert f"scope {scope}," in answer.json()["detail"]
            assert "insufficient_scope" in answer.headers["www-authenticate"]
        return answer

    assert open_doors(app, call, {403}) == {}
    assert rooms.store.access.audit() == before


def test_the_documented_scope_is_enough(app, client):
    """With the needed scope alone no route answers 401 or 403."""
    needed = documented(app)
    holding = {scope: client(scope) for scope in Scope}

    def call(method, path):
        route = next(r for r in needed if r[0] == method and filled(r[1]) == path)
        return holding[Scope(needed[route][0])].call(method, path)

    assert open_doors(app, call, {200, 404, 422}) == {}


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


def test_a_forgotten_route_would_be_noticed(app, client):
    """The checks above do fail for a route without authorisation, hidden or not."""
    forgotten = APIRouter(prefix="/v1")

    @forgotten.get("/open")
    def left_open() -> str:
        return "secret"

    @forgotten.get("/hidden", include_in_schema=False)
    def hidden(_: Annotated[Caller, Allowed(Scope.ACCESS)]) -> str:
        return "secret"

    app.include_router(forgotten)
    nobody = client()
    nobody.key = None
    doors = {("GET", "/v1/open"): 200}
    seen = {
        (method, path): nobody.call(method, filled(path)).status
        for method, path in routes(app)
        if path == "/v1/open"
    }
    assert seen == doors
    assert set(routes(app)) - set(documented(app)) == {("GET", "/v1/hidden")}
    assert documented(app)["GET", "/v1/open"] == []
