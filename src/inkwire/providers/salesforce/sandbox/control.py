"""What only the sandbox's Salesforce can do: another user's hand, and a look inside."""

import shlex
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from inkwire.errors import InvalidInput
from inkwire.providers.payload import decode_json
from inkwire.providers.salesforce.sandbox import ids
from inkwire.providers.salesforce.sandbox.answers import SalesforceError
from inkwire.providers.salesforce.sandbox.organization import NAME, ORGANIZATION
from inkwire.providers.salesforce.sandbox.parts import Parts
from inkwire.providers.salesforce.sandbox.schema import Field, SObject
from inkwire.providers.salesforce.sandbox.statements import public_key
from inkwire.providers.salesforce.sandbox.uploads import set_largest
from inkwire.providers.sandboxing import Doc

_SET_UP = ("User", "OpportunityStage", "TaskStatus")
_LONGEST_S = 365 * 86_400
_BASE = "/_sandbox/salesforce"
_EXPORTED = ("client_id", "client_secret", "organization_id", "username")
#: Fields of the application that may be set.
_APP: Mapping[str, type] = {
    "client_secret": str,
    "client_credentials": bool,
    "require_pkce": bool,
    "rotate": bool,
    "session_s": int,
    "scopes": list,
    "callbacks": list,
    "run_as": str,
    "send_outbound": bool,
    "jwt": bool,
    "certificate": str,
    "preauthorized": list,
    "self_authorize": bool,
    "audiences": list,
}
_FIELD = {
    "name": str,
    "type": str,
    "label": str,
    "length": int,
    "required": bool,
    "unique": bool,
    "external": bool,
    "refers": list,
    "values": list,
    "restricted": bool,
}
_TYPES = (
    "string", "textarea", "picklist", "double", "currency", "int", "percent", "boolean", "date",
    "datetime", "url", "email", "phone", "reference",
)  # fmt: skip


class Control:
    """`/_sandbox/salesforce/…`."""

    def __init__(self, parts: Parts) -> None:
        """`parts`: what is looked into and driven."""
        self._parts = parts

    def routes(self) -> list[Route]:
        """The calls."""

        def post(path: str, endpoint: Any) -> Route:
            return Route(_BASE + path, endpoint, methods=["POST"])

        one = "/records/{object}"
        return [
            Route(_BASE, self._show),
            Route("/salesforce/env", self._env, name="page:salesforce-env"),
            Route(f"{_BASE}/counts", self._counts),
            Route(f"{_BASE}/files", self._files),
            Route(f"{_BASE}/rules", self._show_rules),
            Route(f"{_BASE}/rules", self._clear_rules, methods=["DELETE"]),
            Route(f"{_BASE}/app", self._change_app, methods=["PATCH"]),
            Route(_BASE + one, self._list),
            Route(f"{_BASE}{one}/{{id}}", self._change, methods=["PATCH"]),
            Route(f"{_BASE}{one}/{{id}}", self._delete, methods=["DELETE"]),
            post(one, self._add),
            post(f"{one}/{{id}}/undelete", self._undelete),
            post("/merge", self._merge),
            post("/expire-tokens", self._expire),
            post("/revoke-tokens", self._revoke),
            post("/limit", self._limit),
            post("/pace", self._pace),
            post("/locks", self._lock),
            post("/rules", self._add_rule),
            post("/fields", self._add_field),
            post("/objects", self._add_object),
        ]

    async def _show(self, request: Request) -> Response:
        return JSONResponse(described(self._parts))

    async def _env(self, request: Request) -> Response:
        """The application's keys as a shell's variables, so that they need no typing."""
        facts = described(self._parts)
        given = {name.upper(): str(facts[name]) for name in _EXPORTED}
        given["URL"] = str(facts["base_url"])
        lines = (f"export SALESFORCE_{k}={shlex.quote(v)}\n" for k, v in given.items())
        return PlainTextResponse("".join(lines))

    async def _counts(self, request: Request) -> Response:
        self._parts.records.settle()
        counts = {
            one.name: sum(not row["IsDeleted"] for row in self._parts.records.all(one.name))
            for one in self._parts.records.schema.all()
        }
        limits = self._parts.limits
        return JSONResponse({"records": counts, "used": limits.used(), "most": limits.most})

    async def _files(self, request: Request) -> Response:
        """Every version that is there, with the records that its document is linked to."""
        records = self._parts.records
        found = []
        for version in records.all("ContentVersion"):
            if version["IsDeleted"]:
                continue
            document = version["ContentDocumentId"]
            links = records.linked("ContentDocumentLink", "ContentDocumentId", document)
            linked = [link["LinkedEntityId"] for link in links]
            found.append(_plain(version) | {"LinkedEntityIds": linked})
        return JSONResponse(found)

    async def _list(self, request: Request) -> Response:
        self._parts.records.settle()
        one = self._object(request)
        return JSONResponse([_plain(record) for record in self._parts.records.all(one.name)])

    async def _add(self, request: Request) -> Response:
        body = await _body(request, "fields", "user_id", "late_s")
        one, fields, user = self._object(request), _fields(body), self._user(body)
        late = _seconds(body.get("late_s", 0))
        # Lists and people are made by an administrator, all else as a user would.
        admin = one.name in _SET_UP
        made = self._parts.write(
            lambda: self._parts.writer.create(one, fields, user, admin=admin), late_s=late
        )
        return JSONResponse(_plain(made), 201)

    async def _change(self, request: Request) -> Response:
        body = await _body(request, "fields", "user_id", "late_s")
        one, fields, user = self._object(request), _fields(body), self._user(body)
        record_id, late = request.path_params["id"], _seconds(body.get("late_s", 0))
        admin = one.name in _SET_UP
        done = self._parts.write(
            lambda: self._parts.writer.update(one, record_id, fields, user, admin=admin),
            late_s=late,
        )
        return JSONResponse(_plain(done))

    async def _delete(self, request: Request) -> Response:
        one, record_id = self._object(request), request.path_params["id"]
        self._parts.write(lambda: self._deleted(one, record_id))
        return Response(status_code=204)

    def _deleted(self, one: SObject, record_id: str) -> Doc:
        self._parts.writer.delete(one, record_id, self._parts.other_user(), admin=True)
        return {"Id": record_id}

    async def _undelete(self, request: Request) -> Response:
        """Out of the recycle bin; what went along stays there."""
        one, user = self._object(request), self._parts.other_user()
        found = self._parts.records.get(one.name, ids.read(request.path_params["id"]))
        if found is None:
            raise InvalidInput("There is no such record, deleted or not.")
        done = self._parts.write(
            lambda: self._parts.writer.touch(one, found, user, IsDeleted=False)
        )
        return JSONResponse(_plain(done))

    async def _merge(self, request: Request) -> Response:
        """Merges an Account into another: its children move, it is deleted and names the other."""
        body = await _body(request, "master", "loser")
        done = self._parts.write(lambda: self._merged(str(body["master"]), str(body["loser"])))
        return JSONResponse(_plain(done))

    def _merged(self, master_id: str, loser_id: str) -> Doc:
        parts, user = self._parts, self._parts.other_user()
        account, records = parts.object("Account"), parts.records
        master = parts.writer.existing(account, master_id)
        loser = parts.writer.existing(account, loser_id)
        moves = (
            ("Opportunity", "AccountId"),
            ("Contact", "AccountId"),
            ("Task", "WhatId"),
            ("Task", "AccountId"),
            ("ContentDocumentLink", "LinkedEntityId"),
        )
        for name, field in moves:
            for child in records.linked(name, field, loser["Id"]):
                parts.writer.touch(parts.object(name), child, user, **{field: master["Id"]})
        parts.writer.touch(account, loser, user, IsDeleted=True, MasterRecordId=master["Id"])
        return parts.writer.touch(account, master, user)

    async def _expire(self, request: Request) -> Response:
        return JSONResponse({"expired": self._parts.tokens.expire_all()})

    async def _revoke(self, request: Request) -> Response:
        return JSONResponse({"revoked": self._parts.tokens.revoke_all()})

    async def _change_app(self, request: Request) -> Response:
        body = await _body(request, *_APP)
        for name, value in body.items():
            if not isinstance(value, _APP[name]):
                raise InvalidInput(fields={name: f"must be a {_APP[name].__name__}"})
        if "run_as" in body:
            self._parts.other_user(body["run_as"])
        if body.get("certificate"):
            public_key(body["certificate"])
        self._parts.organization.change_app(**body)
        return JSONResponse(described(self._parts))

    async def _limit(self, request: Request) -> Response:
        body = await _body(request, "most", "used", "largest_file")
        for name, value in body.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InvalidInput(fields={name: "must be a whole number from 0"})
        if "largest_file" in body:
            set_largest(self._parts.stage.state, body["largest_file"])
        limits = self._parts.limits
        limits.set(most=body.get("most"), used=body.get("used"))
        return JSONResponse({"used": limits.used(), "most": limits.most})

    async def _pace(self, request: Request) -> Response:
        """`write_s`: real seconds that a write holds its Account; `wait_s`: that others wait.

        `bulk_s`: seconds of the clock until a job of the Bulk API begins.
        """
        body = await _body(request, "write_s", "wait_s", "bulk_s")
        if "bulk_s" in body:
            self._parts.bulk.delay(_seconds(body["bulk_s"]))
        locks = self._parts.locks
        locks.write_s = _seconds(body.get("write_s", locks.write_s))
        locks.wait_s = _seconds(body.get("wait_s", locks.wait_s))
        return JSONResponse({"write_s": locks.write_s, "wait_s": locks.wait_s})

    async def _lock(self, request: Request) -> Response:
        """Somebody else's transaction takes or leaves an Account."""
        body = await _body(request, "account_id", "held")
        account, locks = ids.read(body.get("account_id")), self._parts.locks
        if account is None:
            raise InvalidInput(fields={"account_id": "must be the id of an Account"})
        if body.get("held", True):
            locks.hold([account])
        else:
            locks.free([account])
        return JSONResponse({"held": locks.held()})

    async def _show_rules(self, request: Request) -> Response:
        return JSONResponse(self._parts.rules.all())

    async def _clear_rules(self, request: Request) -> Response:
        self._parts.rules.clear()
        return Response(status_code=204)

    async def _add_rule(self, request: Request) -> Response:
        body = await _body(request, "object", "when", "message", "field")
        try:
            rule = self._parts.rules.add(
                str(body.get("object")),
                str(body.get("when")),
                str(body.get("message", "")),
                str(body.get("field", "")),
            )
        except SalesforceError as error:
            raise InvalidInput(fields={"when": error.message}) from error
        return JSONResponse(rule, 201)

    async def _add_field(self, request: Request) -> Response:
        """A custom field: `object`, `name` with `__c`, `type`, and what describe tells of it."""
        body = await _body(request, "object", *_FIELD)
        one = self._parts.object(str(body.get("object")))
        name, kind = body.get("name"), body.get("type", "string")
        if not isinstance(name, str) or not name.endswith("__c") or not name[0].isalpha():
            raise InvalidInput(fields={"name": "must be a name that ends in __c"})
        if kind not in _TYPES:
            raise InvalidInput(fields={"type": f"must be one of {', '.join(_TYPES)}"})
        for key, value in body.items():
            if key != "object" and not isinstance(value, _FIELD[key]):
                raise InvalidInput(fields={key: f"must be a {_FIELD[key].__name__}"})
        doc = {"length": 255 if kind in ("string", "url") else 0} | body | {"object": one.name}
        self._parts.records.schema.add_field(doc | {"type": kind})
        self._parts.records.reindex(one)
        return JSONResponse(_shown_field(one.fields[name]), 201)

    async def _add_object(self, request: Request) -> Response:
        body = await _body(request, "name", "label")
        name = body.get("name")
        if not isinstance(name, str) or not name.endswith("__c") or not name[0].isalpha():
            raise InvalidInput(fields={"name": "must be a name that ends in __c"})
        if self._parts.records.schema.object(name) is None:
            self._parts.records.schema.add_object(name, str(body.get("label") or name[:-3]))
        one = self._parts.object(name)
        return JSONResponse({"name": one.name, "prefix": one.prefix}, 201)

    def _object(self, request: Request) -> SObject:
        return self._parts.object(request.path_params["object"])

    def _user(self, body: Doc) -> str:
        return self._parts.other_user(body.get("user_id"))


def described(parts: Parts) -> Doc:
    """What a connection to this Salesforce needs."""
    app, user = parts.organization.app, parts.organization.integration
    return {
        "base_url": parts.stage.url,
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "organization_id": ORGANIZATION,
        "organization": NAME,
        "username": user["Username"],
        "user_id": user["Id"],
        "users": [
            {"id": one["Id"], "name": one["Name"], "email": one["Email"]}
            for one in parts.organization.users()
        ],
        "app": {name: app[name] for name in _APP},
    }


def _plain(record: Mapping[str, Any]) -> Doc:
    """A record without what is the sandbox's own."""
    return {name: value for name, value in record.items() if not name.startswith("_")}


def _shown_field(field: Field) -> Doc:
    return {"name": field.name, "type": field.type, "label": field.shown}


def _fields(body: Doc) -> Doc:
    fields = body.get("fields")
    if not isinstance(fields, dict):
        raise InvalidInput(fields={"fields": "must be an object: the record's fields by name"})
    return fields


def _seconds(value: Any) -> float:
    right = isinstance(value, int | float) and not isinstance(value, bool)
    if not right or not 0 <= value <= _LONGEST_S:
        raise InvalidInput("Seconds must be a number from 0, a year at most.")
    return float(value)


async def _body(request: Request, *known: str) -> Doc:
    raw = await request.body()
    body = decode_json(raw) if raw.strip() else {}
    if not isinstance(body, dict):
        raise InvalidInput("The body must be a JSON object.")
    unknown = dict.fromkeys(set(body) - set(known), "is not a field of this control")
    if unknown:
        raise InvalidInput(fields=unknown)
    return body
