"""Which version of a Box file reached which Salesforce record."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from inkwire.errors import NotFound
from inkwire.model.crm import Attachment, AttachmentState
from inkwire.store import crm_rows
from inkwire.store import schema_crm as tables
from inkwire.store.contract import WORK
from inkwire.store.crm import AttachmentQuery
from inkwire.store.crm_lists import Condition, conditions, counts, named, page_size
from inkwire.store.database import Database, tested
from inkwire.store.faults import Violated
from inkwire.store.intake import clean
from inkwire.store.keepable import known, require_keepable
from inkwire.store.schema import Micros

_attachments = tables.attachments
_S = AttachmentState
#: (integration, file, version).
_Version = tuple[int, str, str]
_MAX_UNSETTLED = 1_000
#: Times that a plan is made anew because another was faster.
_MOST_TRIES = 5
#: What a row that is planned again takes of the one that is given.
_AGAIN = (
    "version_number",
    "name",
    "size",
    "sha1",
    "object",
    "first",
    "state",
    "md5",
    "content_version_id",
    "document_id",
    "work_id",
    "note",
    "name_term",
)
#: States of rows that are no longer on their way, and not there either.
_ENDED = frozenset({_S.FAILED, _S.LEFT_OUT})
_ON_ITS_WAY = _attachments.c.state.in_((_S.PLANNED.value, _S.STORED.value))


class SqlAttachments:
    """See `crm.Attachments`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(self, rows: Sequence[Attachment]) -> list[Attachment]:
        """Keeps those whose (integration, file, version, record) is free; what is there, in order.

        One that is FAILED or LEFT_OUT becomes PLANNED again, as it is given. Of a version one row
        at most is the `first` that is neither: another that is given as such becomes a link, and
        a planned link becomes the first if it is given as such and there is none.
        """
        for _ in range(_MOST_TRIES - 1):
            # Of two firsts of other records neither sees the other's row; the later one does then.
            with suppress(Violated):
                return self._planned(rows)
        return self._planned(rows)

    def _planned(self, rows: Sequence[Attachment]) -> list[Attachment]:
        """One try. Raises Violated if another became the first meanwhile."""
        ordered = sorted(rows, key=_key)
        values = [crm_rows.attachment_row(replace(one, first=False)) for one in ordered]
        columns = crm_rows.ATTACHMENT_COLUMNS
        with self._database.writing() as conn:
            self._database.add_missing(conn, "attachments", columns, values)
            there = {
                _key(one): one
                for version in sorted({_version(one) for one in rows})
                for one in _locked(conn, version)
            }
            ours = {one.id for one in rows}
            news = any(one.id in ours for one in there.values())
            for one in rows:
                changes = _changes(one, there)
                if changes:
                    there[_key(one)] = _set(conn, there[_key(one)].id, changes)
                    news = True
            if news:
                self._database.bump(conn, WORK)
        return [there[_key(one)] for one in rows]

    def of_version(self, integration_id: int, file_id: str, version_id: str) -> list[Attachment]:
        """The rows of one version, the first record before the others."""
        version = (known(integration_id), clean(file_id), clean(version_id))
        found = self._all(_of_version(version))
        return sorted(found, key=lambda one: (not one.first, one.id))

    def latest(self, integration_id: int, file_id: str) -> Attachment | None:
        """The STORED or VERIFIED row of the newest version (by number, then age), or None."""
        found = self._all(
            _rows()
            .where(
                tables.HAS_ARRIVED,
                _attachments.c.integration_id == known(integration_id),
                _attachments.c.file_id == clean(file_id),
            )
            .order_by(_attachments.c.version_number.desc(), _attachments.c.id.desc())
            .limit(1)
        )
        return found[0] if found else None

    def stored(
        self, attachment_id: str, *, content_version_id: str, md5: str, size: int, at: datetime
    ) -> Attachment:
        """PLANNED → STORED; one that is further stays. Raises NotFound."""
        require_keepable(content_version_id, md5)
        values = {
            "state": _S.STORED.value,
            "content_version_id": content_version_id,
            "md5": md5,
            "size": size,
            "stored_at": at,
            "note": "",
        }
        return self._move(attachment_id, _attachments.c.state == _S.PLANNED.value, values)

    def verified(
        self, attachment_id: str, *, document_id: str, content_version_id: str, at: datetime
    ) -> Attachment:
        """PLANNED or STORED → VERIFIED, where it stays. Raises NotFound."""
        require_keepable(document_id, content_version_id)
        values = {
            "state": _S.VERIFIED.value,
            "document_id": document_id,
            "content_version_id": content_version_id,
            "stored_at": sa.func.coalesce(_attachments.c.stored_at, sa.literal(at, Micros())),
            "verified_at": at,
            "note": "",
        }
        return self._move(attachment_id, _ON_ITS_WAY, values)

    def failed(self, attachment_id: str, *, note: str, at: datetime) -> Attachment:
        """PLANNED or STORED → FAILED with a sentence. Raises NotFound."""
        values = {"state": _S.FAILED.value, "note": clean(note)}
        return self._move(attachment_id, _ON_ITS_WAY, values)

    def left_out(self, attachment_id: str, *, note: str) -> Attachment:
        """PLANNED → LEFT_OUT with a sentence, and no longer the `first`. Raises NotFound."""
        values = {"state": _S.LEFT_OUT.value, "note": clean(note), "first": False}
        return self._move(attachment_id, _attachments.c.state == _S.PLANNED.value, values)

    def unsettled(self, integration_id: int, *, limit: int = 200) -> list[Attachment]:
        """STORED rows, and PLANNED links whose version is STORED or VERIFIED; oldest first."""
        limit = max(0, min(limit, _MAX_UNSETTLED))
        here = _attachments.c.integration_id == known(integration_id)
        state, first = _attachments.c.state, _attachments.c.first
        stored = _rows().where(here, state == _S.STORED.value)
        links = _rows().where(here, state == _S.PLANNED.value, ~first, _has_arrived())
        with self._database.reading() as conn:
            found = [
                crm_rows.attachment(row)
                for wanted in (stored, links)
                for row in conn.execute(wanted.order_by(_attachments.c.id).limit(limit))
            ]
        return sorted(found, key=lambda one: one.id)[:limit]

    def page(self, query: AttachmentQuery) -> list[Attachment]:
        """At most `query.limit` (≤ MAX_PAGE) rows, newest first."""
        with self._database.reading() as conn:
            found = conn.execute(_wanted(conn, query).limit(page_size(query.limit)))
            return [crm_rows.attachment(row) for row in found]

    def counts(self, integration_id: int | None = None) -> Mapping[AttachmentState, int]:
        """How many rows are in each state (each counted up to 10,000)."""
        with self._database.reading() as conn:
            return counts(conn, _attachments, AttachmentState, integration_id)

    def _move(
        self, attachment_id: str, from_here: Condition, values: Mapping[str, object]
    ) -> Attachment:
        """One compare-and-set; what is there then. Raises NotFound."""
        require_keepable(attachment_id)
        here = _attachments.c.id == attachment_id
        with self._database.writing() as conn:
            changed = conn.execute(
                _attachments.update().where(here, from_here).values(dict(values))
            )
            if changed.rowcount:
                self._database.bump(conn, WORK)
            row = conn.execute(_rows().where(here)).one_or_none()
        if row is None:
            raise NotFound(f"There is no attachment {attachment_id}.")
        return crm_rows.attachment(row)

    def _all(self, wanted: sa.Select[tuple[object, ...]]) -> list[Attachment]:
        with self._database.reading() as conn:
            return [crm_rows.attachment(row) for row in conn.execute(wanted)]


def _rows() -> sa.Select[tuple[object, ...]]:
    return sa.select(*crm_rows.ATTACHMENT_FIELDS)


def _version(one: Attachment) -> _Version:
    return one.integration_id, one.file_id, one.version_id


def _key(one: Attachment) -> tuple[_Version, str]:
    return _version(one), one.record_id


def _of_version(version: _Version) -> sa.Select[tuple[object, ...]]:
    """The rows of a version by record, as their index gives them, and as everybody locks them."""
    integration_id, file_id, version_id = version
    return (
        _rows()
        .where(
            _attachments.c.integration_id == integration_id,
            _attachments.c.file_id == file_id,
            _attachments.c.version_id == version_id,
        )
        .order_by(_attachments.c.record_id)
    )


def _locked(conn: sa.Connection, version: _Version) -> list[Attachment]:
    found = conn.execute(_of_version(version).with_for_update())
    return [crm_rows.attachment(row) for row in found]


def _changes(
    given: Attachment, there: Mapping[tuple[_Version, str], Attachment]
) -> dict[str, object]:
    """What planning changes of the row that is there."""
    found = there[_key(given)]
    taken = any(
        one.first and one.state not in _ENDED and one.id != found.id
        for one in there.values()
        if _version(one) == _version(given)
    )
    first = given.first and not taken
    if found.state in _ENDED:
        row = crm_rows.attachment_row(replace(given, first=first))
        again = dict(zip(crm_rows.ATTACHMENT_COLUMNS, row, strict=True))
        return {name: again[name] for name in _AGAIN} | {"stored_at": None}
    return {"first": True} if found.state is _S.PLANNED and first and not found.first else {}


def _set(conn: sa.Connection, attachment_id: str, values: Mapping[str, object]) -> Attachment:
    here = _attachments.c.id == attachment_id
    conn.execute(_attachments.update().where(here).values(dict(values)))
    return crm_rows.attachment(conn.execute(_rows().where(here)).one())


def _has_arrived() -> Condition:
    """That the version of the row stands at one record at least."""
    other = _attachments.alias("other")
    return sa.exists().where(
        other.c.integration_id == _attachments.c.integration_id,
        other.c.file_id == _attachments.c.file_id,
        other.c.version_id == _attachments.c.version_id,
        other.c.state.in_((_S.STORED.value, _S.VERIFIED.value)),
    )


def _wanted(conn: sa.Connection, query: AttachmentQuery) -> sa.Select[tuple[object, ...]]:
    columns = _attachments.c
    where, found = named(conn, (columns.name_term,), query.name)
    age = tested(columns.id) if found else columns.id
    where += conditions(
        (
            (columns.version_id, query.version_id),
            (columns.file_id, query.file_id),
            (columns.record_id, query.record_id),
            (columns.work_id, query.work_id),
        ),
        ((columns.state, query.state), (columns.integration_id, query.integration_id)),
        found=found,
    )
    if query.before is not None:
        where.append(age < clean(query.before))
    if query.after is not None:
        where.append(age > clean(query.after))
    return _rows().where(*where).order_by(age.desc())
