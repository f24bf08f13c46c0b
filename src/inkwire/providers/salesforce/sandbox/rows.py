"""`/sobjects`: records by the REST API; `/query`: many of them."""

from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from starlette.responses import StreamingResponse

from inkwire.providers.salesforce.sandbox import ids, soql, values
from inkwire.providers.salesforce.sandbox.answers import Reply, SalesforceError, not_found
from inkwire.providers.salesforce.sandbox.api import Call, Entry
from inkwire.providers.salesforce.sandbox.describing import described, summary
from inkwire.providers.salesforce.sandbox.files import pieces
from inkwire.providers.salesforce.sandbox.queries import Queries
from inkwire.providers.salesforce.sandbox.records import Records
from inkwire.providers.salesforce.sandbox.schema import Field, SObject
from inkwire.providers.salesforce.sandbox.writing import Writer
from inkwire.providers.sandboxing import Doc, Documents

_CURSOR = "sf_cursor"
#: Rows of a page, and what a caller may ask for.
PAGE, SMALLEST_PAGE = 2000, 200
#: Queries that are kept open.
_CURSORS = 10


class Rows:
    """Single records and queries."""

    def __init__(
        self, records: Records, writer: Writer, queries: Queries, state: Documents
    ) -> None:
        """`state`: where open queries and contents are."""
        self._records = records
        self._writer = writer
        self._queries = queries
        self._state = state

    def entries(self) -> list[Entry]:
        """The calls; a fixed word stands before a place."""
        one = "/sobjects/{object}"
        return [
            Entry(path="/", handlers={"GET": self._resources}),
            Entry(path="/query", handlers={"GET": self._query}),
            Entry(path="/queryAll", handlers={"GET": self._query}),
            Entry(path="/query/{cursor}", handlers={"GET": self._more}),
            Entry(path="/queryAll/{cursor}", handlers={"GET": self._more}),
            Entry(path="/sobjects", handlers={"GET": self._objects}),
            Entry(path=f"{one}/describe", handlers={"GET": self._describe}),
            Entry(
                path=f"{one}/{{id}}",
                handlers={"GET": self._get, "PATCH": self._update, "DELETE": self._delete},
            ),
            Entry(
                path=f"{one}/{{field}}/{{value}}",
                handlers={
                    "GET": self._by_field,
                    "PATCH": self._upsert,
                    "DELETE": self._delete_by_field,
                },
            ),
            Entry(path=one, handlers={"GET": self._about, "POST": self._create}),
        ]

    def _resources(self, call: Call) -> Reply:
        base = f"/services/data/v{call.version}"
        names = ("sobjects", "query", "queryAll", "limits", "composite", "jobs")
        return Reply(body={name: f"{base}/{name}" for name in names})

    def _objects(self, call: Call) -> Reply:
        found = [summary(one, call.version) for one in self._records.schema.all()]
        return Reply(body={"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": found})

    def _about(self, call: Call) -> Reply:
        one = self.object(call)
        return Reply(body={"objectDescribe": summary(one, call.version), "recentItems": []})

    def _describe(self, call: Call) -> Reply:
        return Reply(body=described(self.object(call), call.version))

    def _create(self, call: Call) -> Reply:
        one = self.object(call)
        if call.upload and (one.name, call.upload.field) != ("ContentVersion", "VersionData"):
            raise SalesforceError(
                "INVALID_MULTIPART_REQUEST",
                f"Multipart message: {one.name} has no binary field {call.upload.field}",
                None,
            )
        extra = {"content": call.upload.content} if call.upload else {}
        made = self._writer.create(one, call.json, call.caller.user_id, extra=extra)
        place = f"/services/data/v{call.version}/sobjects/{one.name}/{made['Id']}"
        body = {"id": made["Id"], "success": True, "errors": []}
        return Reply(status=201, body=body, headers={"location": place})

    def _get(self, call: Call) -> Reply:
        one = self.object(call)
        return Reply(body=self._shown(call, one, self._writer.existing(one, call.given["id"])))

    def _update(self, call: Call) -> Reply:
        one = self.object(call)
        if call.upload is not None:
            raise SalesforceError(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                "Unable to create/update fields: VersionData. A version's content stays; create "
                "a new version.",
                ["VersionData"],
            )
        self._require_unmodified(call, one)
        self._writer.update(one, call.given["id"], call.json, call.caller.user_id)
        return Reply(status=204)

    def _require_unmodified(self, call: Call, one: SObject) -> None:
        """If-Unmodified-Since, in whole seconds as its dates are. Raises SalesforceError."""
        asked = call.headers.get("if-unmodified-since")
        if asked is None:
            return
        try:
            since = parsedate_to_datetime(asked)
        except ValueError:
            raise SalesforceError(
                "INVALID_HEADER", f"Invalid If-Unmodified-Since header: {asked[:80]}", None
            ) from None
        record = self._writer.existing(one, call.given["id"])
        changed = values.moment(str(record["LastModifiedDate"]))
        if changed is not None and changed.replace(microsecond=0) > since.astimezone(UTC):
            raise SalesforceError(
                "PRECONDITION_FAILED", "The record was modified since", None, status=412
            )

    def _delete(self, call: Call) -> Reply:
        self._writer.delete(self.object(call), call.given["id"], call.caller.user_id)
        return Reply(status=204)

    def _by_field(self, call: Call) -> Reply:
        one = self.object(call)
        if call.given["field"].lower() == "id" or ids.read(call.given["field"]):
            return self._content(call, one)
        found = self._one_by(call, one)
        if found is None:
            raise not_found()
        return Reply(body=self._shown(call, one, found))

    def _content(self, call: Call, one: SObject) -> Reply:
        """A version's bytes: `…/ContentVersion/{id}/VersionData`."""
        record = self._writer.existing(one, call.given["field"])
        if one.name != "ContentVersion" or call.given["value"].lower() != "versiondata":
            raise not_found()
        headers = {"content-length": str(record["ContentSize"])}
        answer = StreamingResponse(
            pieces(self._state, record), headers=headers, media_type="application/octet-stream"
        )
        return Reply(raw=answer)

    def _upsert(self, call: Call) -> Reply:
        one = self.object(call)
        record_id, created = self.upserted(one, call, call.json)
        body = {"id": record_id, "success": True, "errors": [], "created": created}
        return Reply(status=201 if created else 200, body=body)

    def upserted(self, one: SObject, call: Call, body: Doc) -> tuple[str, bool]:
        """The record of an external id, changed or made."""
        field = self._key_field(call, one)
        if field.name in body:
            raise SalesforceError(
                "INVALID_FIELD",
                f"The {field.name} field should not be specified in the sobject data.",
                None,
            )
        found = self._one_by(call, one)
        if found is not None:
            self._writer.update(one, found["Id"], body, call.caller.user_id)
            return str(found["Id"]), False
        if field.name == "Id":
            raise not_found()
        keyed = dict(body) | {field.name: call.given["value"]}
        return str(self._writer.create(one, keyed, call.caller.user_id)["Id"]), True

    def _delete_by_field(self, call: Call) -> Reply:
        one = self.object(call)
        found = self._one_by(call, one)
        if found is None:
            raise not_found()
        self._writer.delete(one, found["Id"], call.caller.user_id)
        return Reply(status=204)

    def _one_by(self, call: Call, one: SObject) -> Doc | None:
        """The record with an external id; None without. Raises SalesforceError 300 for several."""
        field = self._key_field(call, one)
        found = [
            record
            for record in self._records.by(one.name, field.name, [call.given["value"]])
            if not record["IsDeleted"]
        ]
        if len(found) > 1:
            base = f"/services/data/v{call.version}/sobjects/{one.name}"
            raise Several([f"{base}/{record['Id']}" for record in found])
        return found[0] if found else None

    def _key_field(self, call: Call, one: SObject) -> Field:
        name = call.given["field"]
        field = one.field(name)
        if field is None or not (field.external or field.name == "Id"):
            raise SalesforceError(
                "NOT_FOUND",
                f"Provided external ID field does not exist or is not accessible: {name}",
                None,
            )
        return field

    def _shown(self, call: Call, one: SObject, record: Doc) -> Doc:
        asked = call.query.get("fields")
        if not asked:
            return self._queries.shown(one, record, one.fields, call.version)
        return self.chosen(call, one, record, [name.strip() for name in asked.split(",")])

    def chosen(self, call: Call, one: SObject, record: Doc, names: Sequence[str]) -> Doc:
        """A record with these fields and its id. Raises SalesforceError INVALID_FIELD."""
        for name in names:
            if one.field(name) is None:
                raise SalesforceError(
                    "INVALID_FIELD", f"No such column '{name}' on sobject of type {one.name}", None
                )
        wanted = ["Id", *(name for name in names if name.lower() != "id")]
        return self._queries.shown(one, record, wanted, call.version)

    def object(self, call: Call) -> SObject:
        """The object that the path names. Raises SalesforceError 404."""
        one = self._records.schema.object(call.given["object"])
        if one is None:
            raise not_found()
        return one

    def _query(self, call: Call) -> Reply:
        text = call.query.get("q")
        if text is None:
            raise SalesforceError("MALFORMED_QUERY", "SOQL query is required", None)
        query = soql.read(text)
        deleted = call.path.lower().startswith("/queryall")
        found = self._queries.run(query, call.caller.user_id, deleted=deleted)
        if query.counts:
            return Reply(body={"totalSize": len(found), "done": True, "records": []})
        size = _page_size(call.headers.get("sforce-query-options", ""))
        if len(found) <= size:
            return Reply(body=self._page(call, query, found, 0, len(found), len(found), ""))
        number = self._state.number(_CURSOR)
        cursor = ids.make("01g", number)[:15]
        doc: Doc = {
            "key": cursor,
            "query": text,
            "ids": [one["Id"] for one in found],
            "size": size,
            "user": call.caller.user_id,
        }
        self._state.put(_CURSOR, cursor, doc)
        for _, old in self._state.find(_CURSOR, newest=True)[_CURSORS:]:
            self._state.drop(_CURSOR, old["key"])
        return Reply(body=self._page(call, query, found[:size], 0, size, len(found), cursor))

    def _more(self, call: Call) -> Reply:
        """The next page: rows as they are now, of the ids that the query found."""
        cursor, _, start_text = unquote(call.given["cursor"]).rpartition("-")
        kept = self._state.get(_CURSOR, cursor)
        if kept is None or not start_text.isdigit() or kept["user"] != call.caller.user_id:
            raise SalesforceError("INVALID_QUERY_LOCATOR", "invalid query locator", None)
        start, total = int(start_text), len(kept["ids"])
        query = soql.read(kept["query"])
        one = self._queries.object(query)
        wanted = kept["ids"][start : start + kept["size"]]
        rows = [row for row in (self._records.get(one.name, each) for each in wanted) if row]
        end = start + len(wanted)
        return Reply(body=self._page(call, query, rows, start, end, total, cursor))

    def _page(  # noqa: PLR0917 - one page of one query
        self,
        call: Call,
        query: soql.Query,
        rows: list[Doc],
        start: int,
        end: int,
        total: int,
        cursor: str,
    ) -> Doc:
        one = self._queries.object(query)
        body: Doc = {"totalSize": total, "done": end >= total}
        if end < total:
            body["nextRecordsUrl"] = f"/services/data/v{call.version}/query/{cursor}-{end}"
        body["records"] = [
            self._queries.shown(one, row, query.fields, call.version) for row in rows
        ]
        return body


class Several(SalesforceError):
    """300: an external id that several records have."""

    def __init__(self, urls: list[str]) -> None:
        """`urls`: of the records."""
        super().__init__("MULTIPLE", "several records have this external id", None, status=300)
        self.urls = urls

    def body(self) -> list[Doc]:
        """The records' addresses instead of errors."""
        return list(self.urls)  # type: ignore[arg-type]


def _page_size(options: str) -> int:
    """`batchSize=200` to 2000; Salesforce takes it as a wish."""
    name, _, size = options.partition("=")
    if name.strip().lower() != "batchsize" or not size.strip().isdigit():
        return PAGE
    return min(max(int(size), SMALLEST_PAGE), PAGE)
