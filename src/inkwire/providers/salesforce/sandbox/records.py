"""Records: kept in the state, and in memory with what is looked up by.

A record is a dict of fields by name; names with `_` in front are the sandbox's own. What `get` and
the others give is the record itself: it is changed by `put` with another dict, never in place.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from inkwire.moments import to_micros
from inkwire.providers.salesforce.sandbox import ids
from inkwire.providers.salesforce.sandbox.answers import stamp
from inkwire.providers.salesforce.sandbox.schema import Schema, SObject
from inkwire.providers.sandboxing import Doc, Stage

_LATE = "sf_late"


class Records:
    """The organisation's records. For one thread: the event loop's."""

    def __init__(self, stage: Stage, schema: Schema) -> None:
        """Reads what the state holds."""
        self._state = stage.state
        self._clock = stage.clock
        self.schema = schema
        self._rows: dict[str, dict[str, Doc]] = {}
        self._index: dict[tuple[str, str], dict[Any, dict[str, None]]] = {}
        self._undo: list[Callable[[bool], None]] | None = None
        #: Whether a late transaction may be open: spares a look at the state.
        self._late = bool(stage.state.find(_LATE, limit=1))
        for one in schema.all():
            for _, record in stage.state.find(_kind(one.name)):
                self._place(one, record)

    @contextmanager
    def change(self) -> Iterator[None]:
        """All or nothing; nests, and then a part can fail alone. No await inside."""
        before, done = self._undo, list[Callable[[bool], None]]()
        self._undo = done
        try:
            with self._state.change():
                yield
        except BaseException:
            for step in reversed(done):
                # The outermost has been rolled back in the state itself.
                step(before is not None)
            self._undo = before
            raise
        self._undo = before
        if before is not None:
            before.extend(done)

    def now(self) -> str:
        """The sandbox's time as Salesforce writes it."""
        return stamp(self._clock.now())

    def new_id(self, prefix: str) -> str:
        """An id that no record has."""
        return ids.make(prefix, self._state.number(f"sf_id_{prefix}"))

    def get(self, name: str, record_id: str | None) -> Doc | None:
        """A record, also a deleted one; None if there is none."""
        return self._rows.get(name, {}).get(record_id or "")

    def alive(self, name: str, record_id: str | None) -> Doc | None:
        """A record that is not deleted."""
        found = self.get(name, record_id)
        return None if found is None or found["IsDeleted"] else found

    def of_any(self, record_id: str | None) -> tuple[SObject, Doc] | None:
        """A record of whatever object, also a deleted one."""
        one = self.schema.by_id(record_id or "")
        found = self.get(one.name, record_id) if one else None
        return (one, found) if one and found else None

    def all(self, name: str) -> list[Doc]:
        """Every record of an object in the order of arrival, deleted ones too."""
        return list(self._rows.get(name, {}).values())

    def by(self, name: str, field: str, values: Iterable[Any]) -> list[Doc]:
        """Records whose indexed field has one of the values, deleted ones too."""
        index = self._index.get((name, field), {})
        rows = self._rows.get(name, {})
        found: dict[str, None] = {}
        for value in values:
            found |= index.get(_key(value), {})
        return [rows[one] for one in found]

    def linked(self, name: str, field: str, value: str) -> list[Doc]:
        """Records that are not deleted whose reference has this value."""
        return [one for one in self.by(name, field, [value]) if not one["IsDeleted"]]

    def put(self, name: str, record: Doc) -> None:
        """Keeps a record in place of the one with its id."""
        one = self.schema.object(name)
        if one is None:
            raise KeyError(name)
        before = self.get(name, record["Id"])
        self._state.put(_kind(name), record["Id"], record)
        if self._undo is not None:
            self._undo.append(lambda inner: self._restore(one, record, before, inner=inner))
        self._place(one, record)

    def reindex(self, one: SObject) -> None:
        """After a field was added to an object."""
        for record in self.all(one.name):
            self._place(one, record)

    def put_later(self, name: str, record: Doc, due: int) -> None:
        """Keeps a record whose transaction commits at `due`, microseconds of the clock."""
        number = self._state.number(_LATE)
        doc = {"number": number, "object": name, "record": record, "due": due}
        self._state.put(_LATE, str(number), doc)
        self._late = True

    def settle(self) -> None:
        """Lets late transactions commit whose time has come."""
        if not self._late:
            return
        now, opened = to_micros(self._clock.now()), self.open_transactions()
        self._late = bool(opened)
        for doc in opened:
            if doc["due"] <= now:
                with self.change():
                    self.put(doc["object"], doc["record"])
                    self._state.drop(_LATE, str(doc["number"]))

    def open_transactions(self) -> list[Doc]:
        """Those that are stamped and not yet to be seen."""
        return [doc for _, doc in self._state.find(_LATE)]

    def _restore(self, one: SObject, record: Doc, before: Doc | None, *, inner: bool) -> None:
        """Undoes a `put`; `inner`: in the state as well, whose transaction goes on."""
        if before is not None:
            if inner:
                self._state.put(_kind(one.name), before["Id"], before)
            self._place(one, before)
            return
        if inner:
            self._state.drop(_kind(one.name), record["Id"])
        self._unindex(one, record)
        self._rows[one.name].pop(record["Id"], None)

    def _place(self, one: SObject, record: Doc) -> None:
        rows = self._rows.setdefault(one.name, {})
        old = rows.get(record["Id"])
        if old is not None:
            self._unindex(one, old)
        rows[record["Id"]] = record
        for field in one.fields.values():
            if field.indexed and record.get(field.name) is not None:
                index = self._index.setdefault((one.name, field.name), {})
                index.setdefault(_key(record[field.name]), {})[record["Id"]] = None

    def _unindex(self, one: SObject, record: Doc) -> None:
        for field in one.fields.values():
            if field.indexed and record.get(field.name) is not None:
                index = self._index.get((one.name, field.name), {})
                index.get(_key(record[field.name]), {}).pop(record["Id"], None)


def _key(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _kind(name: str) -> str:
    return f"sf/{name}"
