"""Opens and migrates the store that the settings name."""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from inkwire.clock import Clock
from inkwire.config import Settings
from inkwire.errors import ConfigError, StoreOutdated
from inkwire.ids import Ids
from inkwire.store.access import SqlAccess
from inkwire.store.acting import (
    Commands,
    Connections,
    Executors,
    Integrations,
    Ledger,
    RunLog,
    Works,
)
from inkwire.store.activities import SqlActivities
from inkwire.store.api_usages import SqlApiUsages
from inkwire.store.attachments import SqlAttachments
from inkwire.store.bulk_jobs import SqlBulkJobs
from inkwire.store.cipher import Cipher
from inkwire.store.commands import SqlCommands
from inkwire.store.connections import SqlConnections
from inkwire.store.contract import Access, Dispatch, Events, Inbound, Sources, Store
from inkwire.store.crm import (
    Activities,
    ApiUsages,
    Attachments,
    BulkJobs,
    FieldStates,
    RecordFolders,
)
from inkwire.store.database import Database
from inkwire.store.dispatch import SqlDispatch
from inkwire.store.documents import SqlDocuments
from inkwire.store.events import SqlEvents
from inkwire.store.evidence import SqlEvidence
from inkwire.store.executors import SqlExecutors
from inkwire.store.field_states import SqlFieldStates
from inkwire.store.idtime import IdTime
from inkwire.store.inbound import SqlInbound
from inkwire.store.integrations import SqlIntegrations
from inkwire.store.jobs import SqlJobs
from inkwire.store.keys import load_keyring
from inkwire.store.ledger import SqlLedger
from inkwire.store.ordering import Documents, Evidence, Orders, SignRequests, Templates
from inkwire.store.orders import SqlOrders
from inkwire.store.outbox import SqlOutbox
from inkwire.store.record_folders import SqlRecordFolders
from inkwire.store.rewrap import Rewrapper
from inkwire.store.run_log import SqlRunLog
from inkwire.store.seals import Seals, sealed_hub_key
from inkwire.store.sending import Jobs, Outbox, Subscribers
from inkwire.store.sign_requests import SqlSignRequests
from inkwire.store.sources import SqlSources
from inkwire.store.sqlite import SqliteDatabase
from inkwire.store.subscribers import SqlSubscribers
from inkwire.store.templates import SqlTemplates
from inkwire.store.terms import TermWriter
from inkwire.store.works import SqlWorks


class SqlStore:
    """See `contract.Store`."""

    def __init__(
        self, database: Database, seals: Seals, settings: Settings, clock: Clock, ids: Ids
    ) -> None:
        """Wires the parts; the database is this store's to close."""
        idtime = IdTime(ids)
        terms = TermWriter(database, clock)
        self._database = database
        self._rewrapper = Rewrapper(database, seals.cipher)
        self.inbound: Inbound = SqlInbound(
            database,
            seals,
            terms,
            dedupe_window_s=settings.dedupe_window_s,
            quarantine_rows=settings.quarantine_rows,
            rejected_rows=settings.rejected_rows,
        )
        self.sources: Sources = SqlSources(database, seals.cipher, idtime)
        self.events: Events = SqlEvents(database, idtime)
        self.dispatch: Dispatch = SqlDispatch(database, seals.cipher, terms, clock)
        self.access: Access = SqlAccess(database)
        self.subscribers: Subscribers = SqlSubscribers(database, seals.cipher)
        self.outbox: Outbox = SqlOutbox(database, seals, clock, idtime)
        self.jobs: Jobs = SqlJobs(database)
        self.integrations: Integrations = SqlIntegrations(database)
        self.works: Works = SqlWorks(database)
        self.ledger: Ledger = SqlLedger(database)
        self.run_log: RunLog = SqlRunLog(database)
        self.executors: Executors = SqlExecutors(database)
        self.commands: Commands = SqlCommands(database, seals.cipher)
        self.connections: Connections = SqlConnections(database, seals.cipher)
        self.orders: Orders = SqlOrders(database, seals.cipher)
        self.templates: Templates = SqlTemplates(database)
        self.documents: Documents = SqlDocuments(database, seals.cipher)
        self.sign_requests: SignRequests = SqlSignRequests(database)
        self.evidence: Evidence = SqlEvidence(database, seals.cipher)
        self.record_folders: RecordFolders = SqlRecordFolders(database)
        self.attachments: Attachments = SqlAttachments(database)
        self.activities: Activities = SqlActivities(database)
        self.bulk_jobs: BulkJobs = SqlBulkJobs(database)
        self.api_usages: ApiUsages = SqlApiUsages(database)
        self.field_states: FieldStates = SqlFieldStates(database)

    def counters(self) -> Mapping[str, int]:
        """The change counters, by topic."""
        return self._database.counters()

    def watch(self) -> AsyncIterator[Mapping[str, int]]:
        """Yields the counters now, and again after each commit that moved one."""
        return self._database.watch()

    def check(self) -> Mapping[str, Any]:
        """Facts about the store. Raises StoreOutdated."""
        return {"schema": self._database.require_head(), **self._database.facts()}

    def rewrap(self, *, limit: int = 500) -> int:
        """Re-seals up to `limit` values that an older master key wraps; returns how many."""
        return self._rewrapper.rewrap(limit)

    def close(self) -> None:
        """Closes every connection. Idempotent."""
        self._database.close()


def open_store(settings: Settings, *, clock: Clock, ids: Ids) -> Store:
    """The store, opened; it is not migrated here.

    Raises ConfigError, StoreError, and CipherError if another master key sealed the store.
    """
    database = open_database(settings)
    try:
        sealed = sealed_hub_key(database)
        seals = Seals(database, Cipher(load_keyring(settings, create=sealed is None)))
        if sealed is not None:
            seals.prove(sealed)
        with suppress(StoreOutdated):
            _ = seals.hashes  # makes the hub's key in a fresh store
        return SqlStore(database, seals, settings, clock, ids)
    except BaseException:
        database.close()
        raise


def migrate(settings: Settings) -> None:
    """Brings the schema to this release's, under a lock. Raises ConfigError, StoreError."""
    from alembic import command  # noqa: PLC0415 - 0.2 s that only a migration needs
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "inkwire.store:migrations")
    config.set_main_option("path_separator", "os")
    database = open_database(settings)
    try:
        with database.migrating() as conn:
            config.attributes["connection"] = conn
            command.upgrade(config, "head")
    finally:
        database.close()


def open_database(settings: Settings) -> Database:
    """The database that the settings name, neither migrated nor unsealed. Raises ConfigError."""
    try:
        url = sa.make_url(settings.store_url)
    except (sa.exc.ArgumentError, ValueError):  # ValueError: a port that is no number
        raise _wrong_url() from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        if not url.database:
            raise _wrong_url()
        path = Path(url.database)
        _make_folder(path.parent)
        return SqliteDatabase(path)
    if backend in ("postgresql", "postgres"):
        from inkwire.store.postgres import PostgresDatabase  # noqa: PLC0415 - 8 MB for its driver

        return PostgresDatabase(url)
    raise _wrong_url()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The data folder {folder} cannot be made: {error.strerror}; check INKWIRE_DATA_DIR."
        ) from None


def _wrong_url() -> ConfigError:
    return ConfigError(
        "INKWIRE_DATABASE_URL is not usable; write postgresql://user:password@host/database, "
        "or leave it unset for SQLite in the data folder."
    )
