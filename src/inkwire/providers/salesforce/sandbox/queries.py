"""Runs SOQL over the records: who may see what, which column may be asked for, pages."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from inkwire.providers.salesforce.sandbox import ids, soql, values
from inkwire.providers.salesforce.sandbox.answers import SalesforceError, exact_stamp
from inkwire.providers.salesforce.sandbox.files import Files
from inkwire.providers.salesforce.sandbox.records import Records
from inkwire.providers.salesforce.sandbox.schema import Field, SObject, read_only
from inkwire.providers.salesforce.sandbox.soql import Both, Compare, Condition, Not, Query, Value
from inkwire.providers.sandboxing import Doc, SandboxClock

_LINK_FILTER = (
    "Implementation restriction: ContentDocumentLink requires a filter by a single Id on "
    "ContentDocumentId or LinkedEntityId using the equals operator or multiple Id's using the IN "
    "operator."
)
_NUMBERS = ("double", "currency", "percent", "int")
#: Names of a record of whatever object: `Who.Name`, `What.Type`.
_ANY = SObject("Name", "", [read_only("Name"), read_only("Type")])

Getter = Callable[[Doc], Any]
Test = Callable[[Doc], bool]


class Queries:
    """Answers queries."""

    def __init__(self, records: Records, files: Files, clock: SandboxClock) -> None:
        """`files`: which of them a person may see."""
        self._records = records
        self._files = files
        self._clock = clock

    def run(self, query: Query, user_id: str, *, deleted: bool = False) -> list[Doc]:
        """The records found, in order. Raises SalesforceError."""
        one = self.object(query)
        for path in query.fields:
            self._field(one, path, query)
        self._restricted(one, query)
        test = self.test(one, query.where, query) if query.where else None
        found = [
            record
            for record in self._candidates(one, query.where)
            if (deleted or not record["IsDeleted"]) and (test is None or test(record))
        ]
        found = list(self._seen(one, query, found, user_id))
        for order in reversed(query.order):
            found = self._ordered(one, order, found, query)
        stop = None if query.limit is None else query.offset + query.limit
        return found[query.offset : stop]

    def object(self, query: Query) -> SObject:
        """What it is about. Raises SalesforceError INVALID_TYPE."""
        one = self._records.schema.object(query.object)
        if one is None:
            raise SalesforceError(
                "INVALID_TYPE",
                f"\n{query.text[:100]}\nERROR at Row:1:Column:1\nsObject type '{query.object}' is "
                "not supported. If you are attempting to use a custom object, be sure to append "
                "the '__c' after the entity name. Please reference your WSDL or the describe call "
                "for the appropriate names.",
                None,
            )
        return one

    def shown(self, one: SObject, record: Doc, fields: Iterable[str], version: str) -> Doc:
        """A record with the fields that were asked for, and `attributes`."""
        shown: Doc = {"attributes": attributes(one, record, version)}
        for path in fields:
            self._add(shown, one, record, path.split("."), version)
        return shown

    def test(self, one: SObject, where: Condition, query: Query | None = None) -> Test:
        """A condition as a function. Raises SalesforceError for columns that are none."""
        if isinstance(where, Not):
            part = self.test(one, where.part, query)
            return lambda record: not part(record)
        if isinstance(where, Both):
            parts = [self.test(one, part, query) for part in where.parts]
            if where.word == "and":
                return lambda record: all(part(record) for part in parts)
            return lambda record: any(part(record) for part in parts)
        field, getter = self._field(one, where.path, query)
        if not field.filter:
            raise SalesforceError(
                "INVALID_FIELD", f"field '{field.name}' can not be filtered in a query call", None
            )
        wanted = [self._literal(field, value) for value in where.values]
        if where.operator == "=" and where.values[0].kind == "word":
            # A day is a span: from its beginning to the end of today.
            last = self._literal(field, Value(kind="word", value="TODAY"))[:10] + "T24"
            return lambda record: wanted[0] <= (getter(record) or "") < last
        return _comparison(where.operator, field, getter, wanted)

    def _candidates(self, one: SObject, where: Condition | None) -> list[Doc]:
        """Few records by an index if a part of an AND allows it; else all."""
        parts = where.parts if isinstance(where, Both) and where.word == "and" else (where,)
        for part in parts:
            if not isinstance(part, Compare) or part.operator not in ("=", "in"):
                continue
            field = one.field(part.path)
            if field is None or not field.indexed:
                continue
            wanted = [value.value for value in part.values if value.kind == "text"]
            if len(wanted) == len(part.values):
                if field.type in ("id", "reference"):
                    wanted = [ids.read(value) or value for value in wanted]
                return self._records.by(one.name, field.name, wanted)
        return self._records.all(one.name)

    def _restricted(self, one: SObject, query: Query) -> None:
        """Links of files are found by document or record only."""
        if one.name == "ContentDocumentLink" and not _filters_by(
            query.where, {"id", "contentdocumentid", "linkedentityid"}
        ):
            raise SalesforceError("MALFORMED_QUERY", _LINK_FILTER, None)

    def _seen(self, one: SObject, query: Query, found: list[Doc], user_id: str) -> Iterator[Doc]:
        """Without an id, files that one reaches through records only are left out."""
        names = {"ContentVersion": "ContentDocumentId", "ContentDocument": "Id"}
        if one.name not in names or _filters_by(query.where, {"id", "contentdocumentid"}):
            yield from found
            return
        for record in found:
            document = self._records.get("ContentDocument", record[names[one.name]])
            if document and self._files.may_see(document, user_id):
                yield record

    def _ordered(
        self, one: SObject, order: soql.Order, found: list[Doc], query: Query
    ) -> list[Doc]:
        field, getter = self._field(one, order.path, query)
        fold = field.type not in ("id", "reference")
        rows = [(getter(record), record) for record in found]
        nulls = [record for value, record in rows if value is None]
        rest = [row for row in rows if row[0] is not None]
        rest.sort(key=lambda row: _folded(row[0]) if fold else row[0], reverse=order.descending)
        full = [record for _, record in rest]
        return full + nulls if order.nulls_last else nulls + full

    def _field(self, one: SObject, path: str, query: Query | None) -> tuple[Field, Getter]:
        """The field at the end of a path, and how to get there. Raises SalesforceError."""
        *ways, last = path.split(".")
        if ways and ways[0].lower() == one.name.lower():
            ways = ways[1:]
        here, steps = one, list[str]()
        for way in ways:
            field = here.relation(way)
            if field is None:
                raise _no_relation(way, here, query)
            steps.append(field.name)
            target = (
                self._records.schema.object(field.refers[0]) if len(field.refers) == 1 else None
            )
            here = target or _ANY
        field = here.field(last)
        if field is None:
            raise _no_column(last, here, query)
        name = field.name

        def get(record: Doc) -> Any:
            at: Doc | None = record
            holder = one
            for step in steps:
                found = self._records.of_any(at.get(step)) if at else None
                if found is None:
                    return None
                holder, at = found
            if here is _ANY and name == "Type":
                return holder.name
            return _value(field, at, name) if at else None

        return field, get

    def _add(self, shown: Doc, one: SObject, record: Doc, path: list[str], version: str) -> None:
        """Puts the value at a path into the answer, one object within another."""
        if len(path) > 1 and path[0].lower() == one.name.lower():
            path = path[1:]
        if len(path) == 1:
            field = one.field(path[0])
            name = field.name if field else path[0]
            if field and field.type == "base64":
                shown[name] = f"{_address(one, record, version)}/{name}"
            else:
                shown[name] = record.get(name)
            return
        field = one.relation(path[0])
        if field is None:
            return
        found = self._records.of_any(record.get(field.name))
        if found is None:
            shown[field.relation] = None
            return
        inner = shown.get(field.relation)
        if inner is None:
            inner = shown[field.relation] = {"attributes": attributes(*found, version)}
        if len(field.refers) != 1 and path[1].lower() == "type":
            inner["Type"] = found[0].name
            return
        self._add(inner, *found, path[1:], version)

    def _literal(self, field: Field, value: Value) -> Any:
        """The literal in the form in which the field is kept. Raises SalesforceError."""
        if value.kind == "null":
            return None
        if field.type in ("id", "reference"):
            found = ids.read(value.value) if value.kind == "text" else None
            if found is None:
                raise SalesforceError(
                    "INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {value.value}", None
                )
            return found
        if field.type in ("date", "datetime"):
            return self._time(field, value)
        kind = "number" if field.type in _NUMBERS else "text"
        kind = "boolean" if field.type == "boolean" else kind
        if value.kind != kind:
            raise _wrong_type(field, quoted=kind == "text")
        return value.value

    def _time(self, field: Field, value: Value) -> str:
        if value.kind == "word":
            return self._day(field, value.value)
        if field.type == "date" and value.kind == "date":
            return str(value.value)
        found = values.moment(value.value) if value.kind == "moment" else None
        if field.type != "datetime" or found is None:
            raise _wrong_type(field, quoted=False)
        return exact_stamp(found)

    def _day(self, field: Field, word: str) -> str:
        days = int(word.partition(":")[2] or 0) if word != "TODAY" else 0
        today = self._clock.now().date() - timedelta(days=min(days, 36_500))
        if field.type == "date":
            return today.isoformat()
        return exact_stamp(datetime.combine(today, time(), UTC))


def attributes(one: SObject, record: Doc, version: str) -> Doc:
    """What every record carries."""
    return {"type": one.name, "url": _address(one, record, version)}


def _address(one: SObject, record: Doc, version: str) -> str:
    return f"/services/data/v{version}/sobjects/{one.name}/{record['Id']}"


def _value(field: Field, record: Mapping[str, Any], name: str) -> Any:
    return record.get(name) if field.type != "boolean" else bool(record.get(name))


def _filters_by(where: Condition | None, names: set[str]) -> bool:
    """Whether one of the fields is held to values by a part that must be true."""
    if isinstance(where, Compare):
        return where.path.lower() in names and where.operator in ("=", "in")
    if isinstance(where, Both) and where.word == "and":
        return any(_filters_by(part, names) for part in where.parts)
    return False


def _comparison(operator: str, field: Field, getter: Getter, wanted: list[Any]) -> Test:
    fold = field.type not in ("id", "reference", "datetime", "date")
    keys = [_folded(value) if fold else value for value in wanted]

    def key(record: Doc) -> Any:
        value = getter(record)
        return _folded(value) if fold else value

    first = keys[0]
    if operator in ("=", "in"):
        among = set(keys)
        return lambda record: key(record) in among
    if operator in ("!=", "not in"):
        among = set(keys)
        return lambda record: key(record) not in among
    if operator == "like":
        pattern = re.compile(_like(str(first)), re.DOTALL)
        return lambda record: bool(pattern.fullmatch(str(key(record) or "")))
    compare: dict[str, Callable[[Any, Any], bool]] = {
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
    }
    holds = compare[operator]

    def ordered(record: Doc) -> bool:
        value = key(record)
        return value is not None and first is not None and holds(value, first)

    return ordered


def _like(pattern: str) -> str:
    """A pattern with `%` and `_` as a regular expression."""
    known = {"%": ".*", "_": ".", soql.PERCENT: "%", soql.UNDERSCORE: "_"}
    return "".join(known.get(one) or re.escape(one) for one in pattern)


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _wrong_type(field: Field, *, quoted: bool) -> SalesforceError:
    should = "should be" if quoted else "should not be"
    kind = {"datetime": "dateTime", "int": "double"}.get(field.type, field.type)
    return SalesforceError(
        "INVALID_FIELD",
        f"value of filter criterion for field '{field.name}' must be of type {kind} and {should} "
        "enclosed in quotes",
        None,
    )


def _no_column(name: str, one: SObject, query: Query | None) -> SalesforceError:
    return SalesforceError(
        "INVALID_FIELD",
        f"{_place(query, name)}No such column '{name}' on entity '{one.name}'. If you are "
        "attempting to use a custom field, be sure to append the '__c' after the custom field "
        "name. Please reference your WSDL or the describe call for the appropriate names.",
        None,
    )


def _no_relation(name: str, one: SObject, query: Query | None) -> SalesforceError:
    return SalesforceError(
        "INVALID_FIELD",
        f"{_place(query, name)}Didn't understand relationship '{name}' in field path. If you are "
        "attempting to use a custom relationship, be sure to append the '__r' after the custom "
        f"relationship name. Please reference your WSDL or the describe call of {one.name}.",
        None,
    )


def _place(query: Query | None, name: str) -> str:
    if query is None:
        return ""
    column = max(query.text.find(name), 0) + 1
    return f"\n{query.text[:200]}\n{' ' * (column - 1)}^\nERROR at Row:1:Column:{column}\n"
