"""Creates, changes and deletes of records, with everything that Salesforce refuses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from inkwire.providers.salesforce.sandbox import ids, values
from inkwire.providers.salesforce.sandbox.answers import SalesforceError, is_deleted, not_found
from inkwire.providers.salesforce.sandbox.locks import Busy, Locks
from inkwire.providers.salesforce.sandbox.records import Records
from inkwire.providers.salesforce.sandbox.schema import Field, SObject
from inkwire.providers.sandboxing import Doc

#: Objects whose change locks the Account that they belong to.
_CHILDREN = ("Contact", "Opportunity", "Task")


@dataclass(kw_only=True, slots=True)
class Change:
    """A record that is about to be kept; the hooks of its object complete it."""

    one: SObject
    record: Doc
    #: As it was; None for a new one.
    before: Doc | None
    #: Names of fields that the writer gave.
    given: frozenset[str]
    user_id: str
    #: An administrator's hand: the sandbox's page and controls.
    admin: bool = False
    #: What else belongs to it, by the hooks: a file's content.
    extra: Mapping[str, Any] = field(default_factory=dict)


#: Completes or refuses a record before it is kept, or does what follows from it.
Hook = Callable[[Change], None]


class Writer:
    """Writes records. Each call is for inside `records.change()`."""

    def __init__(self, records: Records, locks: Locks) -> None:
        """`locks`: of Accounts."""
        self.records = records
        self.locks = locks
        #: By object; `before` complete and refuse, `after` do what follows.
        self.before: dict[str, list[Hook]] = {}
        self.after: dict[str, list[Hook]] = {}
        self.on_delete: dict[str, list[Hook]] = {}
        #: Refuses what the organisation's own rules refuse.
        self.rules: list[Hook] = []
        #: Accounts that this transaction has locked.
        self.locked: set[str] = set()
        #: Whether a lock that is held is waited for, or refuses at once.
        self.patient = True

    def create(
        self,
        one: SObject,
        body: Mapping[str, Any],
        user_id: str,
        *,
        admin: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> Doc:
        """A new record. Raises SalesforceError, Busy."""
        if not one.create and not admin:
            raise SalesforceError(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                f"entity type cannot be inserted: {one.label}",
            )
        given = self._given(one, body, creating=True, admin=admin)
        now = self.records.now()
        record: Doc = {name: given.get(name, f.default) for name, f in one.fields.items()}
        record |= {
            "Id": self.records.new_id(one.prefix),
            "IsDeleted": False,
            "CreatedDate": now,
            "CreatedById": user_id,
            "LastModifiedDate": now,
            "LastModifiedById": user_id,
            "SystemModstamp": now,
        }
        if "OwnerId" in one.fields:
            record["OwnerId"] = given.get("OwnerId") or user_id
        change = Change(
            one=one,
            record=record,
            before=None,
            given=frozenset(given),
            user_id=user_id,
            admin=admin,
            extra=extra or {},
        )
        self._keep(change)
        return change.record

    def update(
        self, one: SObject, record_id: str, body: Mapping[str, Any], user_id: str, **more: Any
    ) -> Doc:
        """Changes a record; `admin`, `extra` as for `create`. Raises SalesforceError, Busy."""
        before = self.existing(one, record_id)
        admin = bool(more.get("admin"))
        if not one.update and not admin:
            raise SalesforceError(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                f"entity type cannot be updated: {one.label}",
            )
        given = self._given(one, body, creating=False, admin=admin)
        record = before | given | self._touched(user_id)
        change = Change(
            one=one,
            record=record,
            before=before,
            given=frozenset(given),
            user_id=user_id,
            admin=admin,
        )
        self._keep(change)
        return change.record

    def delete(self, one: SObject, record_id: str, user_id: str, *, admin: bool = False) -> None:
        """Moves a record, and what hangs on it, to the recycle bin."""
        before = self.existing(one, record_id)
        if not one.delete and not admin:
            raise SalesforceError("DELETE_FAILED", f"entity type cannot be deleted: {one.label}")
        record = before | self._touched(user_id) | {"IsDeleted": True}
        change = Change(
            one=one, record=record, before=before, given=frozenset(), user_id=user_id, admin=admin
        )
        for hook in self.on_delete.get(one.name, []):
            hook(change)
        self._lock(one, before)
        self.records.put(one.name, change.record)

    def touch(self, one: SObject, record: Doc, user_id: str, **fields: Any) -> Doc:
        """Sets fields by Salesforce's own hand, and the stamps with them."""
        changed = record | fields | self._touched(user_id)
        self.records.put(one.name, changed)
        return changed

    def existing(self, one: SObject, record_id: str) -> Doc:
        """A record by its id in either form. Raises SalesforceError."""
        whole = ids.read(record_id)
        if whole is None:
            raise SalesforceError(
                "MALFORMED_ID", f"{one.label} ID: id value of incorrect type: {record_id}", ["Id"]
            )
        if whole[:3] != one.prefix:
            raise SalesforceError(
                "NOT_FOUND",
                f"Provided external ID field does not exist or is not accessible: {record_id}",
                None,
            )
        found = self.records.get(one.name, whole)
        if found is None:
            raise not_found()
        if found["IsDeleted"]:
            raise is_deleted()
        return found

    def _touched(self, user_id: str) -> Doc:
        now = self.records.now()
        return {"LastModifiedDate": now, "LastModifiedById": user_id, "SystemModstamp": now}

    def _keep(self, change: Change) -> None:
        one = change.one
        for hook in self.before.get(one.name, []):
            hook(change)
        self._required(change)
        self._references(change)
        self._unique(change)
        for rule in self.rules:
            rule(change)
        self._lock(one, change.record)
        self.records.put(one.name, change.record)
        for hook in self.after.get(one.name, []):
            hook(change)

    def _given(
        self, one: SObject, body: Mapping[str, Any], *, creating: bool, admin: bool
    ) -> dict[str, Any]:
        """What was sent, by the fields' own names, checked. Raises SalesforceError."""
        found: dict[str, Any] = {}
        closed: list[str] = []
        for name, value in body.items():
            if name == "attributes":
                continue
            field_ = one.field(name)
            if field_ is None:
                raise SalesforceError(
                    "INVALID_FIELD", f"No such column '{name}' on sobject of type {one.name}", None
                )
            if not admin and not (field_.create if creating else field_.update):
                closed.append(field_.name)
                continue
            found[field_.name] = values.read(field_, value)
        if closed:
            raise SalesforceError(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                f"Unable to create/update fields: {', '.join(closed)}. Please check the security "
                "settings of this field and verify that it is read/write for your profile or "
                "permission set.",
                closed,
            )
        return found

    def _required(self, change: Change) -> None:
        lacking = [
            name
            for name, field_ in change.one.fields.items()
            if field_.required and change.record.get(name) is None
        ]
        if lacking:
            raise SalesforceError(
                "REQUIRED_FIELD_MISSING",
                f"Required fields are missing: [{', '.join(lacking)}]",
                lacking,
            )

    def _references(self, change: Change) -> None:
        for name in change.given:
            field_, value = change.one.fields[name], change.record.get(name)
            if field_.type == "reference" and value is not None:
                self.target(field_, value)

    def target(self, field_: Field, record_id: str) -> tuple[SObject, Doc]:
        """What a reference points to. Raises SalesforceError."""
        one = self.records.schema.by_id(record_id)
        if one is None or not _fits(field_, one):
            raise values.wrong_id(field_, record_id, "FIELD_INTEGRITY_EXCEPTION")
        found = self.records.get(one.name, record_id)
        if found is None:
            raise SalesforceError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if found["IsDeleted"]:
            raise is_deleted()
        return one, found

    def _unique(self, change: Change) -> None:
        for name in change.given:
            field_, value = change.one.fields[name], change.record.get(name)
            if not field_.unique or value is None:
                continue
            for other in self.records.by(change.one.name, name, [value]):
                if other["Id"] != change.record["Id"] and not other["IsDeleted"]:
                    raise SalesforceError(
                        "DUPLICATE_VALUE",
                        f"duplicate value found: {name} duplicates value on record with id: "
                        f"{other['Id'][:15]}",
                    )

    def _lock(self, one: SObject, record: Doc) -> None:
        """Locks the record's Account for this transaction. Raises Busy, UNABLE_TO_LOCK_ROW."""
        account = self.account_of(one, record)
        busy = self.locks.busy([account] if account else [])
        if busy and self.patient:
            raise Busy(busy)
        if busy:
            raise SalesforceError(
                "UNABLE_TO_LOCK_ROW",
                f"unable to obtain exclusive access to this record or 1 records: {account}",
            )
        if account:
            self.locked.add(account)

    def account_of(self, one: SObject, record: Doc) -> str | None:
        """The Account that a record belongs to, or is."""
        if one.name == "Account":
            return str(record["Id"])
        if one.name in _CHILDREN:
            return record.get("AccountId")
        through = record.get("LinkedEntityId") if one.name == "ContentDocumentLink" else None
        parent = self.records.of_any(through)
        return self.account_of(*parent) if parent else None


def _fits(field_: Field, one: SObject) -> bool:
    """Whether a reference may point to an object's records."""
    if one.name in field_.refers:
        return True
    if field_.name in ("LinkedEntityId", "FirstPublishLocationId"):
        return one.files
    # An activity may be about custom objects too.
    return field_.name == "WhatId" and one.name.endswith("__c")
