"""The calls of Salesforce's REST API."""

import hashlib
import math
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from inkwire.errors import Permanent
from inkwire.moments import as_utc
from inkwire.providers.salesforce.client import MOST_ROWS, SalesforceCalling, reading
from inkwire.providers.salesforce.client.answers import Answer
from inkwire.providers.salesforce.client.bulk import JobCalls
from inkwire.providers.salesforce.client.drafts import HELD, entity, held
from inkwire.providers.salesforce.client.faults import (
    Call,
    SalesforceRefused,
    refused,
    unanswered,
    unreadable,
)
from inkwire.providers.salesforce.client.multipart import Broken, Form
from inkwire.providers.salesforce.client.wire import Patience, Request, Wire, json_body
from inkwire.providers.salesforce.ids import checked, has_shape
from inkwire.providers.salesforce.objects import (
    Described,
    Duplicate,
    FileDraft,
    Record,
    RowResult,
    SalesforceUser,
    Upserted,
    Usage,
)
from inkwire.providers.salesforce.soql import Soql, equals, field_path, name, select

#: Requests of a composite, and queries among them (reference of Composite).
MOST_SUBREQUESTS, MOST_QUERIES = 25, 5
#: Bytes of a query in an address. Address and headers may have 16,384 together (Salesforce help
#: 000386264); a longer query travels in a composite.
_LONG_QUERY = 8_000
_VERSION = re.compile(r"[1-9][0-9]{1,2}\.0")

T = TypeVar("T")


class RestSalesforceClient(JobCalls):
    """Implements `SalesforceClient`; may be shared by threads."""

    def __init__(self, calling: SalesforceCalling, patience: Patience | None = None) -> None:
        self._calling = calling
        self._wire = Wire(calling, patience or Patience())
        super().__init__(self._wire, self._request)

    def me(self) -> SalesforceUser:
        """Who calls are made as."""
        url = "/services/oauth2/userinfo"
        request = Request(call=Call(method="GET", path=url), url=url)
        return self._read(request, reading.user)

    def query(self, soql: Soql, *, most: int | None = None) -> Iterator[Record]:
        """The records, page by page; the first page is asked for when the first record is."""
        yield from self._whole(*self._first_page(soql), most=most)

    def queries(self, soqls: Sequence[Soql]) -> list[list[Record]]:
        """The records of each query."""
        answers: list[list[Record]] = []
        for start in range(0, len(soqls), MOST_QUERIES):
            some = soqls[start : start + MOST_QUERIES]
            pages = self._composed(some) if len(some) > 1 else [self._first_page(some[0])]
            answers += [list(self._whole(*page)) for page in pages]
        return answers

    def _whole(
        self, found: list[Record], following: str | None, *, most: int | None = None
    ) -> Iterator[Record]:
        """The records of a page, and of those that follow."""
        left = math.inf if most is None else most
        seen: set[str] = set()
        while True:
            yield from found if len(found) <= left else found[: int(left)]
            left -= len(found)
            if following is None or left <= 0:
                return
            call = Call(method="GET", path=following)
            if following in seen:
                raise unanswered(call, why="its pages go round in a circle", sent=True)
            seen.add(following)
            found, following = self._read(Request(call=call, url=following), reading.page)

    def record(self, object_name: str, record_id: str, fields: Sequence[str]) -> Record | None:
        """The record's fields, or None. Only a query takes paths (`Account.Name`), so it is one."""
        if any("." in one for one in fields):
            wanted = select(object_name, fields, equals("Id", checked(record_id)), limit=1)
            return next(self.query(wanted, most=1), None)
        params = {"fields": ",".join(map(field_path, fields))}
        path = f"sobjects/{name(object_name)}/{checked(record_id)}"
        try:
            return self._read(
                self._request("GET", path, object_name=object_name, params=params), reading.record
            )
        except SalesforceRefused as error:
            if error.gone:
                return None
            raise

    def create(self, object_name: str, fields: Record) -> str | Duplicate:
        """The new record's id, or what is there already."""
        request = self._request(
            "POST",
            f"sobjects/{name(object_name)}",
            object_name=object_name,
            body=dict(fields),
            makes=True,
        )
        try:
            return self._read(request, reading.made)
        except SalesforceRefused as error:
            if error.reason == "DUPLICATE_VALUE":
                return Duplicate(record_id=error.record_id, message=error.answer.message)
            raise

    def update(
        self,
        object_name: str,
        record_id: str,
        fields: Record,
        *,
        unmodified_since: datetime | None = None,
    ) -> bool:
        """Whether the record is there."""
        path = f"sobjects/{name(object_name)}/{checked(record_id)}"
        request = self._request("PATCH", path, object_name=object_name, body=dict(fields))
        if unmodified_since is not None:
            # A second more: what is read may have been cut to its second.
            moment = as_utc(unmodified_since) + timedelta(seconds=1)
            condition = {"If-Unmodified-Since": format_datetime(moment, usegmt=True)}
            request = replace(request, headers=condition)
        try:
            self._wire.send(request)
        except SalesforceRefused as error:
            if error.gone:
                return False
            raise
        return True

    def upsert(self, object_name: str, key_field: str, key: str, fields: Record) -> Upserted:
        """What it did. The key is recorded nowhere: it may be a person's."""
        if key in ("", ".", ".."):
            raise Permanent(f"{key!r} cannot be a key in Salesforce; choose another.")
        path = f"sobjects/{name(object_name)}/{name(key_field)}/"
        url = path + quote(key.encode("utf-8", "replace"), safe="")
        request = self._request(
            "PATCH", url, label=f"{path}…", object_name=object_name, body=dict(fields)
        )
        answer = self._wire.send(request)
        if answer.status != 204:
            return _read(request.call, answer, reading.upserted)
        # Versions before 46.0 say nothing of a record that was there.
        known = self._request(
            "GET", url, label=f"{path}…", object_name=object_name, params={"fields": "Id"}
        )
        found = self._read(known, reading.record)
        return Upserted(id=str(found.get("Id", "")), created=False)

    def create_rows(self, object_name: str, rows: Sequence[Record]) -> list[RowResult]:
        """What became of each row."""
        return self._rows("POST", object_name, rows)

    def update_rows(self, object_name: str, rows: Sequence[Record]) -> list[RowResult]:
        """What became of each row."""
        if not all(has_shape(str(row.get("Id", ""))) for row in rows):
            raise Permanent("A row to be changed in Salesforce has no id.")
        return self._rows("PATCH", object_name, rows)

    def composite(self, requests: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The answers to the requests, as they are."""
        if not 1 <= len(requests) <= MOST_SUBREQUESTS:
            raise Permanent(f"A composite has 1 to {MOST_SUBREQUESTS} requests.")
        request = self._request(
            "POST",
            "composite",
            body={"allOrNone": True, "compositeRequest": [dict(one) for one in requests]},
            makes=any(str(one.get("method", "")).upper() == "POST" for one in requests),
        )
        return self._read(request, lambda value: reading.subanswers(value, len(requests)))

    def upload(self, draft: FileDraft, content: Iterable[bytes]) -> str:
        """The version's id. Transient means that nothing was made, also when content failed."""
        fields = entity(draft)
        digest = ""
        if draft.size <= HELD:
            data = held(draft.size, content)
            content, digest = [data], hashlib.sha256(data).hexdigest()
        json_body(fields)
        form = Form(
            fields,
            file_name=draft.path_on_client,
            size=draft.size,
            content=content,
            boundary=f"inkwire-{secrets.token_hex(16)}",
        )
        path = self._path("sobjects/ContentVersion")
        call = Call(method="POST", path=path, object_name="ContentVersion", makes=True)
        try:
            return self._read(
                Request(call=call, url=path, form=form, body_sha256=digest), reading.made
            )
        except Broken as broken:
            # What the content raised is the caller's, with its own kind.
            raise broken.error from None

    def turn(self, record_id: str) -> AbstractContextManager[bool]:
        """Alone below that record, as far as this process goes."""
        return self._calling.places.turn(record_id)

    def link(
        self, document_id: str, record_id: str, *, share_type: str, visibility: str
    ) -> str | None:
        """The link's id; None if it was there."""
        fields = {
            "ContentDocumentId": checked(document_id),
            "LinkedEntityId": checked(record_id),
            "ShareType": share_type,
            "Visibility": visibility,
        }
        # A repeat makes nothing twice: there is one link of a document to a record.
        request = self._request(
            "POST",
            "sobjects/ContentDocumentLink",
            object_name="ContentDocumentLink",
            body=fields,
        )
        try:
            return self._read(request, reading.made)
        except SalesforceRefused as error:
            if error.reason == "DUPLICATE_VALUE":
                return None
            raise

    def describe(self, object_name: str) -> Described | None:
        """The object, kept for ten minutes; None if there is none."""
        kept = self._calling.descriptions
        known = kept.get(object_name, self._calling.now())
        if known is not None:
            return known
        path = f"sobjects/{name(object_name)}/describe"
        try:
            found = self._read(
                self._request("GET", path, object_name=object_name), reading.described
            )
        except SalesforceRefused as error:
            if error.gone:
                return None
            raise
        kept.keep(object_name, found, self._calling.now())
        return found

    def deleted(self, object_name: str, start: datetime, end: datetime) -> list[str]:
        """Ids of the records that were deleted in that time."""
        params = {"start": _moment(start), "end": _moment(end)}
        path = f"sobjects/{name(object_name)}/deleted/"
        return self._read(
            self._request("GET", path, object_name=object_name, params=params), reading.deleted
        )

    def limits(self) -> Usage:
        """The day's calls; the answer's header tells of them to whom the body is refused."""
        try:
            return self._read(self._request("GET", "limits", object_name="limits"), reading.limits)
        except SalesforceRefused as error:
            found = reading.usage(error.answer.headers.get("sforce-limit-info", ""))
            if found is None:
                raise
            return found

    def _first_page(self, soql: Soql) -> tuple[list[Record], str | None]:
        asked = urlencode({"q": soql.text})
        if len(asked) <= _LONG_QUERY:
            return self._read(self._request("GET", "query", params={"q": soql.text}), reading.page)
        return self._composed([soql])[0]

    def _composed(self, soqls: Sequence[Soql]) -> list[tuple[list[Record], str | None]]:
        """The first pages of at most five queries, in one call. Raises for the one refused."""
        path = self._path("query")
        inner = [
            {
                "method": "GET",
                "url": f"{path}?{urlencode({'q': soql.text})}",
                "referenceId": f"query{number}",
            }
            for number, soql in enumerate(soqls)
        ]
        call = Call(method="GET", path=path)
        answers = [_inner(found) for found in self.composite(inner)]
        # Those that were given up because of another one say nothing.
        for answer in sorted(answers, key=lambda one: one.code == "PROCESSING_HALTED"):
            if not 200 <= answer.status < 300:
                raise refused(call, answer, now=self._calling.now())
        return [_read(call, answer, reading.page) for answer in answers]

    def _rows(self, method: str, object_name: str, rows: Sequence[Record]) -> list[RowResult]:
        if not rows:
            return []
        if len(rows) > MOST_ROWS:
            raise Permanent(f"At most {MOST_ROWS} rows go to Salesforce at once.")
        kind = {"attributes": {"type": name(object_name)}}
        request = self._request(
            method,
            "composite/sobjects",
            object_name=object_name,
            body={"allOrNone": False, "records": [{**kind, **row} for row in rows]},
            makes=method == "POST",
        )
        return self._read(request, lambda value: reading.rows(value, len(rows)))

    def _request(
        self,
        method: str,
        path: str,
        *,
        label: str = "",
        object_name: str = "",
        params: Mapping[str, str] | None = None,
        body: Any = None,
        makes: bool = False,
    ) -> Request:
        """`path`: below the version's. `label`: how it is recorded, if it holds a value."""
        shown = self._path(label or path)
        if params:
            shown = f"{shown}?{'&'.join(sorted(params))}"
        data, digest = (None, "") if body is None else json_body(body)
        return Request(
            call=Call(method=method, path=shown, object_name=object_name, makes=makes),
            url=self._path(path),
            params=params or {},
            data=data,
            body_sha256=digest,
        )

    def _path(self, path: str) -> str:
        version = self._calling.api_version
        if not _VERSION.fullmatch(version):
            raise Permanent(
                f"{version[:20]!r} is no version of Salesforce's API; write one like 66.0."
            )
        return f"/services/data/v{version}/{path}"

    def _read(self, request: Request, read: Callable[[Any], T]) -> T:
        return _read(request.call, self._wire.send(request), read)


def _read(call: Call, answer: Answer, read: Callable[[Any], T]) -> T:
    """What the answer holds. Raises Ambiguous or Transient if it holds none."""
    try:
        return read(answer.value)
    except ValueError:
        raise unreadable(call, answer.status) from None


def _inner(found: Mapping[str, Any]) -> Answer:
    """A composite's answer to one of its requests."""
    status = found.get("httpStatusCode")
    body, _ = json_body(found.get("body"))
    return Answer(status=status if isinstance(status, int) else 500, headers={}, body=body)


def _moment(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise Permanent("A time without a zone cannot be asked for.")
    return moment.astimezone(UTC).isoformat(timespec="seconds")
