"""Objects and fields of the sandbox's Salesforce, as data; custom ones are kept in the state."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from inkwire.providers.sandboxing import Doc, Documents

_FIELD, _OBJECT = "sf_field", "sf_object"


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A field of an object."""

    name: str
    #: As describe names it: `string`, `reference`, `datetime`, …
    type: str = "string"
    label: str = ""
    #: Longest text; 0 where a length means nothing.
    length: int = 0
    create: bool = True
    update: bool = True
    required: bool = False
    #: Objects that a reference may point to, and the name of the way there.
    refers: tuple[str, ...] = ()
    relation: str = ""
    values: tuple[str, ...] = ()
    #: Whether other values than these are refused.
    restricted: bool = False
    unique: bool = False
    external: bool = False
    #: Whether a query may filter by it: not by long texts.
    filter: bool = True
    default: Any = None

    @property
    def shown(self) -> str:
        """What people read."""
        return self.label or self.name.removesuffix("__c").replace("_", " ")

    @property
    def indexed(self) -> bool:
        """Whether equality is looked up, not searched."""
        return self.type in ("id", "reference", "email") or self.unique or self.external


class SObject:
    """An object with its fields."""

    def __init__(
        self,
        name: str,
        prefix: str,
        fields: Iterable[Field],
        *,
        label: str = "",
        create: bool = True,
        update: bool = True,
        delete: bool = True,
        files: bool = False,
    ) -> None:
        """`files`: whether a file may be linked to its records."""
        self.name = name
        self.prefix = prefix
        self.label = label or name
        self.create = create
        self.update = update
        self.delete = delete
        self.files = files
        self.fields = {field.name: field for field in (*SYSTEM, *fields)}
        self._by_lower: dict[str, Field] = {}
        self._by_relation: dict[str, Field] = {}
        self._arranged()

    def field(self, name: str) -> Field | None:
        """By its name, in any case."""
        return self._by_lower.get(name.lower())

    def relation(self, name: str) -> Field | None:
        """The reference that a path goes along, in any case."""
        return self._by_relation.get(name.lower())

    def add(self, field: Field) -> None:
        """A custom field."""
        self.fields[field.name] = field
        self._arranged()

    def _arranged(self) -> None:
        self._by_lower = {name.lower(): field for name, field in self.fields.items()}
        self._by_relation = {
            field.relation.lower(): field for field in self.fields.values() if field.relation
        }


def read_only(name: str, type_: str = "string", **more: Any) -> Field:
    """A field that Salesforce fills."""
    return Field(name=name, type=type_, create=False, update=False, **more)


def reference(name: str, *objects: str, relation: str = "", **more: Any) -> Field:
    """A reference; the way there is the name without `Id`."""
    way = relation or (
        name.removesuffix("__c") + "__r" if name.endswith("__c") else name.removesuffix("Id")
    )
    return Field(name=name, type="reference", refers=objects, relation=way, length=18, **more)


SYSTEM = (
    read_only("Id", "id", label="Record ID", length=18),
    read_only("IsDeleted", "boolean", label="Deleted", default=False),
    read_only("CreatedDate", "datetime", label="Created Date"),
    reference("CreatedById", "User", create=False, update=False, label="Created By ID"),
    read_only("LastModifiedDate", "datetime", label="Last Modified Date"),
    reference("LastModifiedById", "User", create=False, update=False, label="Last Modified By ID"),
    read_only("SystemModstamp", "datetime", label="System Modstamp"),
)


class Schema:
    """Every object, standard and custom."""

    def __init__(self, state: Documents, standard: Iterable[SObject]) -> None:
        """`state`: where custom objects and fields are kept."""
        self._state = state
        self._objects = {one.name.lower(): one for one in standard}
        for _, doc in state.find(_OBJECT):
            self._take_object(doc)
        for _, doc in state.find(_FIELD):
            self._take_field(doc)

    def all(self) -> list[SObject]:
        """Every object."""
        return list(self._objects.values())

    def object(self, name: str) -> SObject | None:
        """By its name, in any case."""
        return self._objects.get(name.lower())

    def by_id(self, record_id: str) -> SObject | None:
        """The object whose records have such ids."""
        prefix = record_id[:3]
        return next((one for one in self._objects.values() if one.prefix == prefix), None)

    def add_object(self, name: str, label: str) -> SObject:
        """A custom object with a name, an owner, and files."""
        doc = {"name": name, "label": label, "number": self._state.number(_OBJECT)}
        self._state.put(_OBJECT, name, doc)
        return self._take_object(doc)

    def add_field(self, doc: Doc) -> None:
        """A custom field: `object`, `name`, `type`, and what else `Field` has."""
        self._take_field(doc)
        self._state.put(_FIELD, f"{doc['object']}/{doc['name']}", doc)

    def _take_object(self, doc: Doc) -> SObject:
        fields = (
            Field(name="Name", length=80, required=True, label=f"{doc['label']} Name"),
            reference("OwnerId", "User", label="Owner ID"),
        )
        made = SObject(doc["name"], f"a{doc['number']:02d}", fields, label=doc["label"], files=True)
        self._objects[made.name.lower()] = made
        return made

    def _take_field(self, doc: Doc) -> None:
        given = {name: value for name, value in doc.items() if name != "object"}
        for name in ("refers", "values"):
            given[name] = tuple(given.get(name, ()))
        if given.get("type") == "reference":
            given["relation"] = given["name"].removesuffix("__c") + "__r"
        target = self._objects.get(doc["object"].lower())
        if target is not None:
            target.add(Field(**given))
