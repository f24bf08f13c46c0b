"""`/composite`: several calls, or up to 200 rows, as one."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from inkwire.providers.salesforce.sandbox import ids
from inkwire.providers.salesforce.sandbox.answers import Reply, SalesforceError, bad_json, refused
from inkwire.providers.salesforce.sandbox.api import Api, Call, Entry, call_of
from inkwire.providers.salesforce.sandbox.limits import Limits
from inkwire.providers.salesforce.sandbox.records import Records
from inkwire.providers.salesforce.sandbox.rows import Rows
from inkwire.providers.salesforce.sandbox.schema import SObject
from inkwire.providers.salesforce.sandbox.writing import Writer
from inkwire.providers.sandboxing import Doc

MOST_ROWS, MOST_CALLS = 200, 25
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_ROLLED_BACK = SalesforceError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone "
    "header",
)


class _Rollback(Exception):
    """Leaves a transaction whose parts must not stay."""


class Composite:
    """Composite, batch and Collections."""

    def __init__(
        self, api: Api, rows: Rows, records: Records, writer: Writer, limits: Limits
    ) -> None:
        """`api`: makes the calls; `rows`: finds objects."""
        self._api = api
        self._rows = rows
        self._records = records
        self._writer = writer
        self._limits = limits

    def entries(self) -> list[Entry]:
        """The calls."""
        return [
            Entry(path="/composite", handlers={"POST": self._composite}),
            Entry(path="/composite/batch", handlers={"POST": self._batch}),
            Entry(
                path="/composite/sobjects",
                handlers={
                    "POST": self._create,
                    "PATCH": self._update,
                    "DELETE": self._delete,
                },
            ),
            Entry(path="/composite/sobjects/{object}", handlers={"POST": self._retrieve}),
            Entry(path="/composite/sobjects/{object}/{field}", handlers={"PATCH": self._upsert}),
        ]

    def _create(self, call: Call) -> Reply:
        def one(row: Doc) -> Doc:
            made = self._writer.create(self._typed(row), row, call.caller.user_id)
            return {"id": made["Id"]}

        return self._each(_records_of(call), one, _all_or_none(call.json))

    def _update(self, call: Call) -> Reply:
        def one(row: Doc) -> Doc:
            fields = {name: value for name, value in row.items() if name.lower() != "id"}
            record_id = next((str(row[name]) for name in row if name.lower() == "id"), "")
            if not record_id:
                raise SalesforceError("MISSING_ARGUMENT", "Id not specified in an update call")
            done = self._writer.update(self._typed(row), record_id, fields, call.caller.user_id)
            return {"id": done["Id"]}

        return self._each(_records_of(call), one, _all_or_none(call.json))

    def _delete(self, call: Call) -> Reply:
        wanted = [one.strip() for one in call.query.get("ids", "").split(",") if one.strip()]
        if len(wanted) > MOST_ROWS:
            raise _too_many()

        def one(row: Doc) -> Doc:
            found = self._records.schema.by_id(ids.read(row["id"]) or "")
            if found is None:
                raise SalesforceError("MALFORMED_ID", f"malformed id {row['id']}", ["Id"])
            self._writer.delete(found, row["id"], call.caller.user_id)
            return {"id": ids.read(row["id"])}

        every = call.query.get("allOrNone", "false").lower() == "true"
        return self._each([{"id": one_id} for one_id in wanted], one, every)

    def _upsert(self, call: Call) -> Reply:
        target, key = self._rows.object(call), call.given["field"]

        def one(row: Doc) -> Doc:
            given = dict(call.given) | {"value": str(row.get(key, ""))}
            body = {name: value for name, value in row.items() if name.lower() != key.lower()}
            inner = _with(call, given)
            record_id, created = self._rows.upserted(target, inner, body)
            return {"id": record_id, "created": created}

        return self._each(_records_of(call), one, _all_or_none(call.json))

    def _retrieve(self, call: Call) -> Reply:
        """Records by ids, in their order; null for one that is not there."""
        target, wanted = self._rows.object(call), call.json.get("ids")
        fields = call.json.get("fields")
        if not isinstance(wanted, list) or not isinstance(fields, list):
            raise bad_json("ids and fields must be lists at [line:1, column:1]")
        if len(wanted) > 2000:
            raise _too_many()
        found = []
        for one_id in wanted:
            record = self._records.alive(target.name, ids.read(one_id))
            found.append(self._rows.chosen(call, target, record, fields) if record else None)
        return Reply(body=found)

    def _each(self, rows: Sequence[Doc], one: Callable[[Doc], Doc], every: bool) -> Reply:
        """The rows one by one; each fails alone, or `every` with the first that fails."""
        results: list[Doc] = []
        try:
            with self._records.change():
                results = [self._row(row, one) for row in rows]
                if every and not all(result["success"] for result in results):
                    raise _Rollback  # noqa: TRY301
        except _Rollback:
            results = [_rolled_back(result) for result in results]
        return Reply(body=results)

    def _row(self, row: Doc, one: Callable[[Doc], Doc]) -> Doc:
        try:
            with self._records.change():
                return one(row) | {"success": True, "errors": []}
        except SalesforceError as error:
            return {"success": False, "errors": [error.row()]}

    def _typed(self, row: Doc) -> SObject:
        attributes = row.get("attributes")
        name = attributes.get("type") if isinstance(attributes, dict) else None
        found = self._records.schema.object(name) if isinstance(name, str) else None
        if found is None:
            raise SalesforceError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
        return found

    def _batch(self, call: Call) -> Reply:
        """Calls that know nothing of each other; each counts."""
        calls = _subrequests(call, "batchRequests")
        results: list[Doc] = []
        halt, failed = bool(call.json.get("haltOnError")), False
        for index, each in enumerate(calls):
            if failed and halt:
                results.append({"statusCode": 412, "result": _halted().body()})
                continue
            if index:
                self._limits.count()
            url = f"/services/data/{str(each.get('url', '')).lstrip('/')}"
            reply = self._answered(call, url, str(each.get("method", "")), each.get("richInput"))
            failed = failed or reply.status >= 400
            results.append({"statusCode": reply.status, "result": reply.body})
        return Reply(body={"hasErrors": failed, "results": results})

    def _composite(self, call: Call) -> Reply:
        """Calls that may name what earlier ones answered."""
        calls = _subrequests(call, "compositeRequest")
        every = _all_or_none(call.json)
        answers: list[Doc] = []
        try:
            with self._records.change():
                self._steps(call, calls, answers)
                if every and any(one["httpStatusCode"] >= 400 for one in answers):
                    raise _Rollback  # noqa: TRY301
        except _Rollback:
            answers = [_halted_answer(one) for one in answers]
        return Reply(body={"compositeResponse": answers})

    def _steps(self, call: Call, calls: list[Doc], answers: list[Doc]) -> None:
        known: dict[str, Any] = {}
        for each in calls:
            name = str(each.get("referenceId", ""))
            try:
                url, body = _resolved(each.get("url"), known), _resolved(each.get("body"), known)
                reply = self._answered(call, str(url), str(each.get("method", "")), body)
            except SalesforceError as error:
                reply = refused(error)
            if reply.status < 400:
                known[name] = reply.body
            answers.append(
                {
                    "body": reply.body,
                    "httpHeaders": {key.title(): value for key, value in reply.headers.items()},
                    "httpStatusCode": reply.status,
                    "referenceId": name,
                }
            )

    def _answered(self, call: Call, url: str, method: str, body: Any) -> Reply:
        try:
            with self._records.change():
                inner = call_of(url, method, body, call)
                if inner.path.startswith("/composite") and "sobjects" not in inner.path:
                    raise _not_inside()
                reply = self._api.do(inner)
                if reply.raw is not None:
                    raise _not_inside()
                return reply
        except SalesforceError as error:
            return refused(error)


def _with(call: Call, given: dict[str, str]) -> Call:
    return Call(
        method=call.method,
        path=call.path,
        query=call.query,
        caller=call.caller,
        version=call.version,
        body=call.body,
        given=given,
    )


def _records_of(call: Call) -> list[Doc]:
    """The rows of a Collections call. Raises SalesforceError."""
    rows = call.json.get("records")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise bad_json("records must be a list of objects at [line:1, column:1]")
    if len(rows) > MOST_ROWS:
        raise _too_many()
    return rows


def _subrequests(call: Call, name: str) -> list[Doc]:
    found = call.json.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise bad_json(f"{name} must be a list of objects at [line:1, column:1]")
    if not 0 < len(found) <= MOST_CALLS:
        raise SalesforceError(
            "LIMIT_EXCEEDED", f"The limit of {MOST_CALLS} subrequests was exceeded.", None
        )
    return found


def _resolved(value: Any, known: dict[str, Any]) -> Any:
    """A value with its `@{reference.field}` filled in. Raises SalesforceError PROCESSING_HALTED."""
    if isinstance(value, dict):
        return {name: _resolved(one, known) for name, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, known) for one in value]
    if not isinstance(value, str):
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole:
        return _looked_up(whole, known)
    return _REFERENCE.sub(lambda found: str(_looked_up(found, known)), value)


def _looked_up(found: "re.Match[str]", known: dict[str, Any]) -> Any:
    if found[1] not in known:
        raise _halted()
    at = known[found[1]]
    for name, index in _STEP.findall(found[2]):
        try:
            at = at[name] if name else at[int(index)]
        except (KeyError, IndexError, TypeError):
            raise SalesforceError(
                "PROCESSING_HALTED", f"Invalid reference specified. No value for {found[0]}", None
            ) from None
    return at


def _all_or_none(body: Doc) -> bool:
    return body.get("allOrNone") is True


def _rolled_back(result: Doc) -> Doc:
    if not result["success"]:
        return result
    return {"success": False, "errors": [_ROLLED_BACK.row()]}


def _halted_answer(answer: Doc) -> Doc:
    if answer["httpStatusCode"] >= 400:
        return answer
    return answer | {"body": _halted().body(), "httpStatusCode": 400, "httpHeaders": {}}


def _halted() -> SalesforceError:
    return SalesforceError(
        "PROCESSING_HALTED",
        "The transaction was rolled back since another operation in the same transaction failed.",
        None,
    )


def _not_inside() -> SalesforceError:
    return SalesforceError(
        "INVALID_INPUT", "This resource is not available inside a composite request", None
    )


def _too_many() -> SalesforceError:
    return SalesforceError(
        "EXCEEDED_ID_LIMIT",
        f"record limit reached. cannot submit more than {MOST_ROWS} records in this request",
        None,
    )
