"""Salesforce's JSON as our values. Pure.

Only what is needed is asked for: a field that lacks or is of another type is taken as absent.
ValueError: what was asked for is not there.
"""

import re
from collections.abc import Mapping
from typing import Any

from inkwire.providers.answers import rows_of, table_of
from inkwire.providers.salesforce.client.answers import printable
from inkwire.providers.salesforce.ids import has_shape
from inkwire.providers.salesforce.objects import (
    BulkState,
    Described,
    Field,
    Record,
    RowResult,
    SalesforceUser,
    Upserted,
    Usage,
)

_NEXT = re.compile(r"/services/data/v[0-9]{1,3}\.[0-9]/query/[A-Za-z0-9_-]{1,100}")
_USAGE = re.compile(r"(?:^|[\s;,])api-usage=([0-9]{1,12})/([0-9]{1,12})(?![0-9])")
#: How deep a record's values may lie: paths in a query lead over at most five objects.
_DEPTH = 12


def text(table: Mapping[str, Any], key: str) -> str:
    """A text as it is; "" if there is none.

    JSON may spell half a character (a lone surrogate), which nothing can keep: it becomes `?`.
    """
    value = table.get(key)
    return _whole(value) if isinstance(value, str) else ""


def made(value: Any) -> str:
    """Id of a record that was created. Raises ValueError."""
    return _id(table_of(value))


def upserted(value: Any) -> Upserted:
    """Raises ValueError."""
    table = table_of(value)
    return Upserted(id=_id(table), created=table.get("created") is True)


def user(value: Any) -> SalesforceUser:
    """Raises ValueError."""
    table = table_of(value)
    found = text(table, "user_id")
    if not found:
        raise ValueError("no user_id")
    return SalesforceUser(
        id=found,
        username=text(table, "preferred_username"),
        name=text(table, "name"),
        organization_id=text(table, "organization_id"),
    )


def page(value: Any) -> tuple[list[Record], str | None]:
    """A query's records, and the path of the next page. Raises ValueError.

    The path is no address: one that leads elsewhere would take our token along.
    """
    table = table_of(value)
    rows = table.get("records")
    if not isinstance(rows, list):
        raise ValueError("no records")  # noqa: TRY004 - a vendor's JSON, not a caller's
    found = [record(row) for row in rows_of(rows)]
    if table.get("done") is not False:
        return found, None
    path = table.get("nextRecordsUrl")
    if not isinstance(path, str) or not _NEXT.fullmatch(path):
        raise ValueError("no usable nextRecordsUrl")
    return found, path


def record(value: Any) -> Record:
    """A record's fields, without `attributes`. Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("no record")  # noqa: TRY004 - a vendor's JSON, not a caller's
    cleaned: Record = _clean(value, _DEPTH)
    return cleaned


def rows(value: Any, count: int) -> list[RowResult]:
    """What a Collections call did with each of `count` rows. Raises ValueError."""
    found = [_row(table_of(row)) for row in value] if isinstance(value, list) else []
    if len(found) != count:
        raise ValueError(f"{len(found)} results for {count} rows")
    return found


def subanswers(value: Any, count: int) -> list[Mapping[str, Any]]:
    """The answers of a composite's requests. Raises ValueError."""
    found = [_clean(row, 3 * _DEPTH) for row in rows_of(table_of(value).get("compositeResponse"))]
    if len(found) != count:
        raise ValueError(f"{len(found)} answers for {count} requests")
    return found


def described(value: Any) -> Described:
    """Raises ValueError."""
    table = table_of(value)
    fields = table.get("fields")
    if not text(table, "name") or not isinstance(fields, list):
        raise ValueError("no object")
    found = [_field(row) for row in rows_of(fields)]
    return Described(
        name=text(table, "name"),
        label=text(table, "label"),
        key_prefix=text(table, "keyPrefix"),
        fields={field.name: field for field in found if field.name},
    )


def deleted(value: Any) -> list[str]:
    """Ids of deleted records. Raises ValueError."""
    found = table_of(value).get("deletedRecords")
    if not isinstance(found, list):
        raise ValueError("no deletedRecords")  # noqa: TRY004 - a vendor's JSON, not a caller's
    return [given for row in rows_of(found) if (given := text(row, "id"))]


def limits(value: Any) -> Usage:
    """The day's calls in an answer of /limits. Raises ValueError."""
    table = table_of(table_of(value).get("DailyApiRequests"))
    most, left = _number(table.get("Max")), _number(table.get("Remaining"))
    if most is None or left is None:
        raise ValueError("no DailyApiRequests")
    return Usage(used=max(most - left, 0), most=most)


def bulk_batches(value: Any) -> Usage | None:
    """The day's batches of the Bulk APIs in an answer of /limits; None if it does not say."""
    table = table_of(table_of(value).get("DailyBulkApiBatches"))
    most, left = _number(table.get("Max")), _number(table.get("Remaining"))
    if most is None or left is None:
        return None
    return Usage(used=max(most - left, 0), most=most)


def bulk_job(value: Any) -> tuple[str, BulkState]:
    """Id and state of a job. Raises ValueError."""
    table = table_of(value)
    found, state = text(table, "id"), text(table, "state")
    if not has_shape(found) or not state:
        raise ValueError("no job")
    return found, BulkState(
        state=printable(state)[:40],
        processed=max(_number(table.get("numberRecordsProcessed")) or 0, 0),
        failed=max(_number(table.get("numberRecordsFailed")) or 0, 0),
        message=printable(table.get("errorMessage")),
    )


def usage(header: str) -> Usage | None:
    """`Sforce-Limit-Info`, e.g. `api-usage=18/5000`; None if it says nothing of that."""
    found = _USAGE.search(header)
    return Usage(used=int(found[1]), most=int(found[2])) if found else None


def _id(table: Mapping[str, Any]) -> str:
    found = text(table, "id")
    if not found or table.get("success") is False:
        raise ValueError("no id")
    return found


def _row(table: Mapping[str, Any]) -> RowResult:
    """One row's result. Raises ValueError if it says neither: then it may have been made."""
    made_id = text(table, "id")
    if table.get("success") is True and made_id:
        return RowResult(ok=True, id=made_id)
    if table.get("success") is not False:
        raise ValueError("a row says nothing of its success")
    error = next(rows_of(table.get("errors")), {})
    names = error.get("fields")
    return RowResult(
        ok=False,
        code=printable(error.get("statusCode"))[:80] or "UNKNOWN",
        message=printable(error.get("message")),
        fields=tuple(
            printable(name)[:80] for name in (names if isinstance(names, list) else [])[:50]
        ),
    )


def _field(table: Mapping[str, Any]) -> Field:
    references = table.get("referenceTo")
    return Field(
        name=text(table, "name"),
        label=text(table, "label"),
        type=text(table, "type"),
        length=_number(table.get("length")) or 0,
        createable=table.get("createable") is True,
        updateable=table.get("updateable") is True,
        references=tuple(
            one for one in (references if isinstance(references, list) else [])
            if isinstance(one, str)
        ),
        values=tuple(
            text(row, "value")
            for row in rows_of(table.get("picklistValues"))
            if row.get("active") is not False and text(row, "value")
        ),
        restricted=table.get("restrictedPicklist") is True,
    )  # fmt: skip


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _whole(value: str) -> str:
    return value.encode("utf-8", "replace").decode("utf-8")


def _clean(value: Any, depth: int) -> Any:
    """The value with whole characters and without `attributes`. Raises ValueError if too deep."""
    if isinstance(value, str):
        return _whole(value)
    if not isinstance(value, dict | list):
        return value
    if depth <= 0:
        raise ValueError("too deep")
    if isinstance(value, list):
        return [_clean(one, depth - 1) for one in value]
    return {
        _whole(key): _clean(one, depth - 1) for key, one in value.items() if key != "attributes"
    }
