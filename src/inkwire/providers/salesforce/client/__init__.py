"""Salesforce's REST API, a thin client of ours (DESIGN §4; decision 0019).

Every method is synchronous, sends each request once, and raises only `CallFailed` kinds. A create
whose answer did not come, or came as 5xx, is Ambiguous; any other lost answer Transient; 401
refreshes the token once and then is NeedsAttention (a lacking scope at once); 403
REQUEST_LIMIT_EXCEEDED of the day is LimitReached for five minutes, of concurrent calls, and
UNABLE_TO_LOCK_ROW, Transient; API_DISABLED_FOR_ORG and insufficient access NeedsAttention or
Permanent; every other 4xx is Permanent with the organisation's own text and what to do (R78, R79).
`requests` is imported on first use.

    soql.py      (one room up) queries that no input can break
    answers.py   an answer, read without trust (pure)
    faults.py    one that is no success, or none at all, as an error with a sentence (pure)
    reading.py   Salesforce's JSON as our values (pure)
    advice.py    what a person does about a refusal, by its code (pure)
    drafts.py    a file's fields; multipart.py: the file as a form that is streamed
    keeping.py   what describe said, for ten minutes
    places.py    at most eight calls at once, one upload below an Account
    wire.py      one guarded request, recorded
    rest.py      the calls; bulk.py: those of Bulk API 2.0
    bulk_csv.py  what such a job takes and gives (pure)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from inkwire.errors import NeedsAttention
from inkwire.model.connection import Token
from inkwire.providers.contract import Journal
from inkwire.providers.salesforce.client.keeping import Descriptions
from inkwire.providers.salesforce.client.places import Places
from inkwire.providers.salesforce.objects import (
    BulkRow,
    BulkState,
    Described,
    Duplicate,
    FileDraft,
    Record,
    RowResult,
    SalesforceUser,
    Upserted,
    Usage,
)
from inkwire.providers.salesforce.soql import Soql

if TYPE_CHECKING:
    import requests

#: Rows of one Collections call, and of one job of Bulk API 2.0: more would be a second batch there.
MOST_ROWS, MOST_BULK_ROWS = 200, 10_000


class Tokens(Protocol):
    """Where the client gets its token; `connections` implements it."""

    def token(self, *, refused: str | None = None) -> Token:
        """A token that is good for a while, with the address that it is for (`base_url`).

        `refused`: an access token that was answered 401: get another. Raises NeedsAttention,
        LimitReached, Transient.
        """
        ...


class SalesforceClient(Protocol):
    """The calls that Inkwire makes."""

    def me(self) -> SalesforceUser:
        """GET /services/oauth2/userinfo: costs no call of the day's budget."""
        ...

    def query(self, soql: Soql, *, most: int | None = None) -> Iterator[Record]:
        """GET /query, page by page; all records, or the first `most`."""
        ...

    def queries(self, soqls: Sequence[Soql]) -> list[list[Record]]:
        """The records of each query; five of them are one call of the day (POST /composite)."""
        ...

    def record(self, object_name: str, record_id: str, fields: Sequence[str]) -> Record | None:
        """GET /sobjects/{object}/{id}?fields=…; None if it is deleted, or not to be seen."""
        ...

    def create(self, object_name: str, fields: Record) -> str | Duplicate:
        """POST /sobjects/{object}: the new record's id."""
        ...

    def update(
        self,
        object_name: str,
        record_id: str,
        fields: Record,
        *,
        unmodified_since: datetime | None = None,
    ) -> bool:
        """PATCH /sobjects/{object}/{id}; False if the record is deleted, or not to be seen.

        `unmodified_since`: the LastModifiedDate that was read. If somebody has changed the record
        since, nothing is written and it is Transient: read again. Salesforce compares whole
        seconds, so a change within the second after that moment is overruled.
        (https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/intro_rest_conditional_requests.htm)
        """
        ...

    def upsert(self, object_name: str, key_field: str, key: str, fields: Record) -> Upserted:
        """PATCH /sobjects/{object}/{field}/{value}."""
        ...

    def create_rows(self, object_name: str, rows: Sequence[Record]) -> list[RowResult]:
        """POST /composite/sobjects with at most 200 rows, `allOrNone` false: one call."""
        ...

    def update_rows(self, object_name: str, rows: Sequence[Record]) -> list[RowResult]:
        """PATCH /composite/sobjects; each row has its `Id`."""
        ...

    def create_job(self, object_name: str) -> str:
        """POST /jobs/ingest: opens a job that inserts; its id (750…).

        A lost answer is Transient: what was opened without being known has no rows and never will.
        """
        ...

    def fill_job(self, job_id: str, data: bytes) -> bool:
        """PUT /jobs/ingest/{id}/batches: its CSV (`bulk_csv`), once in its life.

        False: it takes none, for it has one already, or is not open, or is gone.
        """
        ...

    def close_job(self, job_id: str) -> bool:
        """PATCH /jobs/ingest/{id}: UploadComplete. False: it is not in a state for that."""
        ...

    def abort_job(self, job_id: str) -> bool:
        """PATCH /jobs/ingest/{id}: Aborted. False: it has ended, or is gone."""
        ...

    def job(self, job_id: str) -> BulkState | None:
        """GET /jobs/ingest/{id}; None: there is no such job, or no more."""
        ...

    def job_made(self, job_id: str) -> list[BulkRow] | None:
        """GET …/successfulResults of a job at its end, in no order; None: it is gone."""
        ...

    def job_refused(self, job_id: str) -> list[BulkRow] | None:
        """GET …/failedResults, in no order; None: it is gone."""
        ...

    def job_left(self, job_id: str) -> list[BulkRow] | None:
        """GET …/unprocessedrecords: nothing was made of them; None: it is gone."""
        ...

    def job_usage(self) -> Usage | None:
        """GET /limits: DailyBulkApiBatches; None if the user may not know."""
        ...

    def composite(self, requests: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """POST /composite with at most 25 subrequests, `allOrNone` true: their answers."""
        ...

    def upload(self, draft: FileDraft, content: Iterable[bytes]) -> str:
        """POST /sobjects/ContentVersion as multipart, streamed: the version's id (068…).

        `content`: pieces of `draft.size` bytes in all; fewer or more is Transient, and nothing
        was made. Up to 2 GB, in constant memory.
        """
        ...

    def turn(self, record_id: str) -> AbstractContextManager[bool]:
        """While it lasts, this process's only one at that record, or at whatever the id is of.

        Uploads take turns at an Account, which each of them locks; False if others took too long.
        """
        ...

    def link(
        self, document_id: str, record_id: str, *, share_type: str, visibility: str
    ) -> str | None:
        """POST /sobjects/ContentDocumentLink; None: it was linked already, which is success."""
        ...

    def describe(self, object_name: str) -> Described | None:
        """GET /sobjects/{object}/describe, kept for ten minutes; None: there is no such object."""
        ...

    def deleted(self, object_name: str, start: datetime, end: datetime) -> list[str]:
        """GET /sobjects/{object}/deleted: ids of records that were deleted in that time."""
        ...

    def limits(self) -> Usage:
        """GET /limits: DailyApiRequests."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SalesforceCalling:
    """What a client calls by."""

    #: E.g. `66.0`.
    api_version: str
    tokens: Tokens
    #: Reaches Salesforce's hosts only, and follows no redirect.
    session: "requests.Session"
    journal: Journal
    now: Callable[[], datetime]
    #: Is told of each NeedsAttention before it is raised.
    attention: Callable[[NeedsAttention], None] = lambda _: None
    #: Is told what each answer says of the day's calls.
    usage: Callable[[Usage], None] = lambda _: None
    #: What describe said; share one among all clients of a connection.
    descriptions: Descriptions = field(default_factory=Descriptions)
    #: Which calls may go; share one among all clients of a connection.
    places: Places = field(default_factory=Places)


def open_client(calling: SalesforceCalling) -> SalesforceClient:
    """A client; it may be shared by threads. Holds nothing that would have to be closed."""
    from inkwire.providers.salesforce.client.rest import (  # noqa: PLC0415 - on first use
        RestSalesforceClient,
    )

    return RestSalesforceClient(calling)
