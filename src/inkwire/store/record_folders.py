"""Box folders and the Salesforce records that they stand for."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from inkwire.model.access import AuditEntry
from inkwire.model.crm import FolderOrigin, FolderState, RecordFolder
from inkwire.store import crm_rows, rows
from inkwire.store import schema_crm as tables
from inkwire.store.contract import MAX_PAGE, WORK
from inkwire.store.crm import FolderQuery
from inkwire.store.crm_lists import Condition, conditions, counts, named, page_size
from inkwire.store.database import Database, one_of, tested
from inkwire.store.intake import clean
from inkwire.store.keepable import MAX_NUMBER, known, require_keepable

_folders = tables.record_folders
_KEY = (_folders.c.integration_id, _folders.c.folder_id)
#: What stays of a folder that is put again; `synced_at` never goes back.
_STAYS = frozenset({"integration_id", "folder_id", "created_at", "synced_at"})
_LATER = (
    "CASE WHEN excluded.synced_at IS NULL OR record_folders.synced_at > excluded.synced_at "
    "THEN record_folders.synced_at ELSE excluded.synced_at END"
)
_COLUMNS = crm_rows.FOLDER_COLUMNS
_SETTERS = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in _STAYS)
_PUT = (
    f"INSERT INTO record_folders ({', '.join(_COLUMNS)}) "  # noqa: S608 - our own text
    f"VALUES ({', '.join(f':{name}' for name in _COLUMNS)}) "
    f"ON CONFLICT (integration_id, folder_id) DO UPDATE SET {_SETTERS}, synced_at = {_LATER}"
)
_PUT_BY_PERSON = sa.text(_PUT)
#: A run that looked before a person spoke, and ends after it, takes nothing back.
_PUT_BY_RUN = sa.text(
    f"{_PUT} WHERE record_folders.origin <> '{FolderOrigin.PERSON.value}' "
    f"OR record_folders.state <> '{FolderState.MAPPED.value}' "
    "OR excluded.record_id = record_folders.record_id"
)


class SqlRecordFolders:
    """See `crm.RecordFolders`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, folder: RecordFolder, *, audit: AuditEntry | None = None) -> RecordFolder:
        """Keeps it in place of one of the same integration and folder.

        `created_at` stays, `synced_at` never goes back. Without `audit`, a folder that a person
        mapped stays that record's. Moves the counters only if there is news in it for people.
        """
        values = dict(zip(_COLUMNS, crm_rows.folder_row(folder), strict=True))
        wanted = _one(folder.integration_id, folder.folder_id)
        with self._database.writing() as conn:
            row = conn.execute(wanted.with_for_update()).one_or_none()
            before = None if row is None else crm_rows.folder(row)
            conn.execute(_PUT_BY_RUN if audit is None else _PUT_BY_PERSON, values)
            after = crm_rows.folder(conn.execute(wanted).one())
            if audit is not None:
                rows.add_audit(conn, audit)
            if before is None or _news(before, after):
                self._database.bump(conn, WORK)
        return after

    def get(self, integration_id: int, folder_id: str) -> RecordFolder | None:
        """One folder, or None."""
        found = self._all(_one(integration_id, folder_id))
        return found[0] if found else None

    def known(self, integration_id: int, folder_ids: Collection[str]) -> Mapping[str, RecordFolder]:
        """Those of the given folders (≤ 200) that are known, by id."""
        if not folder_ids:
            return {}
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(*crm_rows.FOLDER_FIELDS).where(
                    _folders.c.integration_id == known(integration_id),
                    one_of(conn, _folders.c.folder_id, {clean(one) for one in folder_ids}),
                )
            )
            return {row.folder_id: crm_rows.folder(row) for row in found}

    def of_record(self, integration_id: int, record_id: str) -> RecordFolder | None:
        """The MAPPED folder of a record, the oldest if there are several; None without."""
        found = self._all(
            sa.select(*crm_rows.FOLDER_FIELDS)
            .where(
                tables.IS_MAPPED,
                _folders.c.integration_id == known(integration_id),
                _folders.c.record_id == clean(record_id),
            )
            .order_by(_folders.c.created_at, _folders.c.folder_id)
            .limit(1)
        )
        return found[0] if found else None

    def of_records(
        self, integration_id: int, record_ids: Collection[str]
    ) -> Mapping[str, RecordFolder]:
        """As `of_record`, of each of many records (≤ 200) that has one."""
        wanted = sorted({clean(one) for one in record_ids})[:MAX_PAGE]
        if not wanted:
            return {}
        with self._database.reading() as conn:
            rows = conn.execute(
                sa.select(*crm_rows.FOLDER_FIELDS).where(
                    tables.IS_MAPPED,
                    _folders.c.integration_id == known(integration_id),
                    one_of(conn, _folders.c.record_id, wanted),
                )
            ).all()
        # Sorted here: the index has no order across records.
        newest = sorted(rows, key=lambda row: (row.created_at, row.folder_id), reverse=True)
        return {row.record_id: crm_rows.folder(row) for row in newest}

    def touch(self, integration_id: int, folder_id: str, *, synced_at: datetime) -> None:
        """Notes that something went through it; `synced_at` never goes back."""
        with self._database.writing() as conn:
            conn.execute(
                _folders.update()
                .where(
                    *_here(integration_id, folder_id),
                    sa.or_(_folders.c.synced_at.is_(None), _folders.c.synced_at < synced_at),
                )
                .values(synced_at=synced_at)
            )

    def shared(
        self,
        integration_id: int,
        folder_id: str,
        *,
        owner_email: str,
        collaboration_id: str,
        at: datetime,
    ) -> RecordFolder | None:
        """Notes whom Inkwire gave access, and nothing else: others may have changed the rest."""
        require_keepable(collaboration_id)
        mine = _one(integration_id, folder_id)
        given: dict[str, Any] = {
            "owner_email": clean(owner_email),
            "collaboration_id": collaboration_id,
        }
        with self._database.writing() as conn:
            row = conn.execute(mine.with_for_update()).one_or_none()
            if row is None:
                return None
            before = crm_rows.folder(row)
            after = replace(before, **given, updated_at=at)
            conn.execute(
                _folders.update()
                .where(*_here(integration_id, folder_id))
                .values(**given, updated_at=at)
            )
            if _news(before, after):
                self._database.bump(conn, WORK)
        return after

    def page(self, query: FolderQuery) -> list[RecordFolder]:
        """At most `query.limit` (≤ MAX_PAGE) folders, newest change first."""
        with self._database.reading() as conn:
            terms = (_folders.c.name_term, _folders.c.record_term)
            where, found_by_name = named(conn, terms, query.name)
            where += conditions(
                ((_folders.c.record_id, query.record_id),),
                (
                    (_folders.c.state, query.state),
                    (_folders.c.integration_id, query.integration_id),
                ),
                found=found_by_name,
            )
            newest = tested(_folders.c.updated_at) if found_by_name else _folders.c.updated_at
            found = conn.execute(
                sa.select(*crm_rows.FOLDER_FIELDS)
                .where(*where)
                .order_by(newest.desc(), *(column.desc() for column in _KEY))
                .offset(max(0, min(query.offset, MAX_NUMBER)))
                .limit(page_size(query.limit))
            )
            return [crm_rows.folder(row) for row in found]

    def counts(self, integration_id: int | None = None) -> Mapping[FolderState, int]:
        """How many folders are in each state (each counted up to 10,000)."""
        with self._database.reading() as conn:
            return counts(conn, _folders, FolderState, integration_id)

    def _all(self, wanted: sa.Select[tuple[object, ...]]) -> list[RecordFolder]:
        with self._database.reading() as conn:
            return [crm_rows.folder(row) for row in conn.execute(wanted)]


def _here(integration_id: int, folder_id: str) -> tuple[Condition, Condition]:
    return _KEY[0] == known(integration_id), _KEY[1] == clean(folder_id)


def _one(integration_id: int, folder_id: str) -> sa.Select[tuple[object, ...]]:
    return sa.select(*crm_rows.FOLDER_FIELDS).where(*_here(integration_id, folder_id))


def _news(before: RecordFolder, after: RecordFolder) -> bool:
    """Whether more than times moved."""
    times = {name: getattr(after, name) for name in ("checked_at", "synced_at", "updated_at")}
    return replace(before, **times) != after
