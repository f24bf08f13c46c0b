"""Validation rules of the organisation: an administrator's own, by a condition and a text."""

from inkwire.providers.salesforce.sandbox import soql
from inkwire.providers.salesforce.sandbox.answers import SalesforceError
from inkwire.providers.salesforce.sandbox.queries import Queries
from inkwire.providers.salesforce.sandbox.records import Records
from inkwire.providers.salesforce.sandbox.writing import Change
from inkwire.providers.sandboxing import Doc, Documents

_RULE = "sf_rule"


class Rules:
    """Refuses records for which a rule's condition holds."""

    def __init__(self, state: Documents, records: Records, queries: Queries) -> None:
        """`queries`: reads conditions."""
        self._state = state
        self._records = records
        self._queries = queries

    def add(self, object_name: str, when: str, message: str, field: str) -> Doc:
        """A rule; `when`: a condition of SOQL. Raises SalesforceError."""
        one = self._records.schema.object(object_name)
        if one is None or (field and one.field(field) is None):
            raise SalesforceError("INVALID_FIELD", "there is no such object or field", None)
        self._queries.test(one, soql.condition(when))
        number = self._state.number(_RULE)
        rule = {
            "id": f"rule_{number}",
            "object": one.name,
            "when": when,
            "message": message,
            "field": field,
        }
        self._state.put(_RULE, str(rule["id"]), rule)
        return rule

    def all(self) -> list[Doc]:
        """Every rule."""
        return [doc for _, doc in self._state.find(_RULE)]

    def clear(self) -> None:
        """No rules."""
        for rule in self.all():
            self._state.drop(_RULE, rule["id"])

    def check(self, change: Change) -> None:
        """Raises SalesforceError with the administrator's text."""
        for rule in self.all():
            if rule["object"] != change.one.name:
                continue
            if self._queries.test(change.one, soql.condition(rule["when"]))(change.record):
                raise SalesforceError(
                    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                    rule["message"],
                    [rule["field"]] if rule["field"] else [],
                )
