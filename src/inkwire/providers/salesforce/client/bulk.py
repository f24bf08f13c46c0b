"""Jobs of Bulk API 2.0 that insert rows: five calls for thousands of them.

A job takes one upload, and only while it is open; so a job whose id is known makes its rows once,
whatever is sent again. Creating one makes nothing yet: an open job without rows does nothing, and
Salesforce forgets it. (Bulk API 2.0 Developer Guide, "Upload Job Data", "Close or Abort a Job".)
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from inkwire.providers.salesforce.client import bulk_csv, reading
from inkwire.providers.salesforce.client.answers import Answer, printable
from inkwire.providers.salesforce.client.faults import SalesforceRefused, unanswered, unreadable
from inkwire.providers.salesforce.client.wire import Request, Wire
from inkwire.providers.salesforce.ids import checked
from inkwire.providers.salesforce.objects import BulkRow, BulkState, RowResult, Usage
from inkwire.providers.salesforce.soql import name

#: Bytes that a result may have: the rows as they were uploaded, and an id or an error each.
MOST_RESULT = 128 * 1024 * 1024
_SUCCESSFUL, _FAILED, _LEFT = "successfulResults", "failedResults", "unprocessedrecords"
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")

T = TypeVar("T")


class MakeRequest(Protocol):
    """`RestSalesforceClient._request`."""

    def __call__(
        self, method: str, path: str, *, object_name: str = "", body: Any = None
    ) -> Request:
        """A request below the version's path."""
        ...


class JobCalls:
    """The part of `SalesforceClient` that is `/jobs/ingest`. May be shared by threads."""

    def __init__(self, wire: Wire, request: MakeRequest) -> None:
        self._job_wire = wire
        self._job_request = request

    def create_job(self, object_name: str) -> str:
        """Opens a job that inserts; its id (750…). A lost answer leaves one that does nothing."""
        body = {
            "object": name(object_name),
            "operation": "insert",
            "contentType": "CSV",
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        }
        request = self._job_request("POST", "jobs/ingest", object_name=object_name, body=body)
        return self._job_read(request, lambda value: reading.bulk_job(value)[0])

    def fill_job(self, job_id: str, data: bytes) -> bool:
        """PUT of the CSV; False: the job takes none, for it has one, or is open no more."""
        made = self._job_request("PUT", f"{_path(job_id)}/batches", object_name="jobs")
        request = Request(
            call=made.call,
            url=made.url,
            data=data,
            body_sha256=hashlib.sha256(data).hexdigest(),
            kind="text/csv; charset=UTF-8",
        )
        return self._job_done(request)

    def close_job(self, job_id: str) -> bool:
        """UploadComplete: Salesforce begins. False: the job is not in a state for that."""
        return self._job_done(self._job_to(job_id, "UploadComplete"))

    def abort_job(self, job_id: str) -> bool:
        """Nothing more is made of it. False: it had ended."""
        return self._job_done(self._job_to(job_id, "Aborted"))

    def job(self, job_id: str) -> BulkState | None:
        """How far it is; None: there is no such job, or no more."""
        try:
            request = self._job_request("GET", _path(job_id), object_name="jobs")
            return self._job_read(request, lambda value: reading.bulk_job(value)[1])
        except SalesforceRefused as error:
            if error.gone:
                return None
            raise

    def job_made(self, job_id: str) -> list[BulkRow] | None:
        """Rows that were made; None: the job is gone. As all results, in no order."""
        return self._job_rows(job_id, _SUCCESSFUL)

    def job_refused(self, job_id: str) -> list[BulkRow] | None:
        """Rows that were refused; None: the job is gone."""
        return self._job_rows(job_id, _FAILED)

    def job_left(self, job_id: str) -> list[BulkRow] | None:
        """Rows that nothing was made of, for the job was aborted or failed; None: it is gone."""
        return self._job_rows(job_id, _LEFT)

    def job_usage(self) -> Usage | None:
        """Batches of the day, each of up to 10,000 rows; None if the user may not know."""
        try:
            return self._job_read(
                self._job_request("GET", "limits", object_name="limits"), reading.bulk_batches
            )
        except SalesforceRefused:
            return None

    def _job_rows(self, job_id: str, kind: str) -> list[BulkRow] | None:
        made = self._job_request("GET", f"{_path(job_id)}/{kind}", object_name="jobs")
        request = Request(call=made.call, url=made.url, accept="text/csv", most=MOST_RESULT)
        try:
            answer = self._job_wire.send(request)
        except SalesforceRefused as error:
            if error.gone:
                return None
            raise
        try:
            return [_row(kind, one) for one in bulk_csv.read(answer.body)]
        except ValueError as error:
            why = f"its results came cut or garbled: {printable(str(error))}"
            raise unanswered(request.call, why=why, sent=True) from error

    def _job_to(self, job_id: str, state: str) -> Request:
        return self._job_request("PATCH", _path(job_id), object_name="jobs", body={"state": state})

    def _job_done(self, request: Request) -> bool:
        """Whether the job let it; a job in another state, or none, does not."""
        try:
            self._job_wire.send(request)
        except SalesforceRefused as error:
            if error.gone or error.reason.upper() == "INVALIDJOBSTATE":
                return False
            raise
        return True

    def _job_read(self, request: Request, read: Callable[[Any], T]) -> T:
        answer: Answer = self._job_wire.send(request)
        try:
            return read(answer.value)
        except ValueError:
            raise unreadable(request.call, answer.status) from None


def _path(job_id: str) -> str:
    return f"jobs/ingest/{checked(job_id)}"


def _row(kind: str, row: dict[str, str]) -> BulkRow:
    """Raises ValueError if it is not what results of that kind are."""
    given = {key: value for key, value in row.items() if not key.startswith("sf__")}
    if kind == _SUCCESSFUL:
        if not row.get("sf__Id"):
            raise ValueError("a row has no sf__Id")
        return BulkRow(result=RowResult(ok=True, id=row["sf__Id"]), fields=given)
    if kind == _FAILED:
        if "sf__Error" not in row:
            raise ValueError("a row has no sf__Error")
        return BulkRow(result=_refusal(row["sf__Error"]), fields=given)
    return BulkRow(result=None, fields=given)


def _refusal(error: str) -> RowResult:
    """`CODE:the organisation's text:Field1, Field2 --`, as a row of Collections says it."""
    code, _, rest = error.partition(":")
    if not _CODE.fullmatch(code):
        return RowResult(ok=False, code="UNKNOWN", message=printable(error))
    message, _, fields = rest.rpartition(":")
    if not fields.rstrip().endswith("--"):
        message, fields = rest, ""
    named = (one.strip() for one in fields.rstrip(" -").split(","))
    return RowResult(
        ok=False,
        code=code,
        message=printable(message),
        fields=tuple(printable(one)[:80] for one in named if one)[:50],
    )
