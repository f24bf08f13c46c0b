"""The sandbox's state: JSON documents and blobs in one SQLite file that survives kill -9."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from inkwire.providers.sandboxing import Doc

_TABLES = """
CREATE TABLE IF NOT EXISTS doc (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, key TEXT NOT NULL,
    owner TEXT NOT NULL, name TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (kind, key)
);
CREATE INDEX IF NOT EXISTS doc_owner ON doc (kind, owner, name);
CREATE INDEX IF NOT EXISTS doc_name ON doc (kind, name);
CREATE TABLE IF NOT EXISTS blob (sha1 TEXT PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class FileState:
    """`Documents` in a SQLite file. For one thread: the event loop's."""

    def __init__(self, path: Path) -> None:
        """Opens `path`, or makes it for nobody else. Raises OSError, sqlite3.Error."""
        # It holds keys and tokens: good for nothing else, but somebody may reuse them.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # A killed process loses nothing that the operating system has: no need to wait for disks.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """All or nothing; nests. No await inside."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def put(self, kind: str, key: str, doc: Doc, *, owner: str = "", name: str = "") -> None:
        """Keeps `doc`, in place of one with the same kind and key; `owner`, `name`: see `find`."""
        self._db.execute(
            "INSERT INTO doc (kind, key, owner, name, body) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (kind, key) DO UPDATE SET"
            " owner = excluded.owner, name = excluded.name, body = excluded.body",
            (kind, key, owner, name, json.dumps(doc)),
        )

    def get(self, kind: str, key: str) -> Doc | None:
        """The document, a copy of its own; None if there is none."""
        row = self._db.execute(
            "SELECT body FROM doc WHERE kind = ? AND key = ?", (kind, key)
        ).fetchone()
        return None if row is None else cast("Doc", json.loads(row[0]))

    def find(
        self,
        kind: str,
        *,
        owner: str | None = None,
        name: str | None = None,
        up_to: str | None = None,
        after: int = 0,
        limit: int = 1_000_000,
        newest: bool = False,
    ) -> list[tuple[int, Doc]]:
        """Documents with their place in the order of arrival, oldest first unless `newest`.

        `up_to`: only those whose name sorts at or before it; `after`: only places behind it.
        """
        where: list[str] = ["kind = ?"]
        values: list[Any] = [kind]
        for clause, value in (("owner = ?", owner), ("name = ?", name), ("name <= ?", up_to)):
            if value is not None:
                where.append(clause)
                values.append(value)
        if after:
            where.append("place < ?" if newest else "place > ?")
            values.append(after)
        order = "DESC" if newest else "ASC"
        # Only the fixed clauses above stand in the text.
        rows = self._db.execute(
            f"SELECT place, body FROM doc WHERE {' AND '.join(where)}"  # noqa: S608
            f" ORDER BY place {order} LIMIT ?",
            (*values, limit),
        )
        return [(place, json.loads(body)) for place, body in rows]

    def count(self, kind: str, *, owner: str) -> int:
        """How many documents of an owner have a name."""
        row = self._db.execute(
            "SELECT count(*) FROM doc WHERE kind = ? AND owner = ? AND name > ''", (kind, owner)
        ).fetchone()
        return int(row[0])

    def drop(self, kind: str, key: str) -> None:
        """Forgets the document, if there is one."""
        self._db.execute("DELETE FROM doc WHERE kind = ? AND key = ?", (kind, key))

    def drop_before(self, kind: str, place: int) -> None:
        """Forgets the documents of a kind up to a place."""
        self._db.execute("DELETE FROM doc WHERE kind = ? AND place <= ?", (kind, place))

    def number(self, counter: str) -> int:
        """1, 2, 3 … for each counter."""
        row = self._db.execute(
            "INSERT INTO counter (name, value) VALUES (?, 1)"
            " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (counter,),
        ).fetchone()
        return int(row[0])

    def keep(self, content: bytes) -> str:
        """Keeps bytes; returns their SHA-1 in hex."""
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        self._db.execute("INSERT OR IGNORE INTO blob VALUES (?, ?)", (sha1, content))
        return sha1

    def content(self, sha1: str) -> bytes:
        """Kept bytes. Raises KeyError."""
        row = self._db.execute("SELECT content FROM blob WHERE sha1 = ?", (sha1,)).fetchone()
        if row is None:
            raise KeyError(sha1)
        return bytes(row[0])
