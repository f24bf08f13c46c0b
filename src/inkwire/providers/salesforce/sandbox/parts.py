"""What the rooms of the Salesforce sandbox share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.moments import to_micros
from inkwire.providers.salesforce.sandbox.answers import SalesforceError
from inkwire.providers.salesforce.sandbox.bulk import Bulk
from inkwire.providers.salesforce.sandbox.limits import Limits
from inkwire.providers.salesforce.sandbox.locks import Locks
from inkwire.providers.salesforce.sandbox.organization import Organization
from inkwire.providers.salesforce.sandbox.records import Records
from inkwire.providers.salesforce.sandbox.rules import Rules
from inkwire.providers.salesforce.sandbox.schema import SObject
from inkwire.providers.salesforce.sandbox.tokens import Tokens
from inkwire.providers.salesforce.sandbox.writing import Writer
from inkwire.providers.sandboxing import Doc, Stage


class _Later(Exception):
    """Leaves a transaction that is to commit later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The Salesforce of one sandbox."""

    stage: Stage
    records: Records
    writer: Writer
    organization: Organization
    tokens: Tokens
    limits: Limits
    locks: Locks
    rules: Rules
    bulk: Bulk

    def object(self, name: str) -> SObject:
        """Raises NotFound."""
        one = self.records.schema.object(name)
        if one is None:
            raise NotFound(f"There is no object {name!r} in the sandbox's Salesforce.")
        return one

    def other_user(self, user_id: Any = None) -> str:
        """Whom the sandbox's page and controls write as: Sam Sales unless named."""
        if user_id is None:
            return str(self.organization.users()[1]["Id"])
        user = self.organization.user(user_id) if isinstance(user_id, str) else None
        if user is None:
            raise NotFound("There is no user of that id in the sandbox's Salesforce.")
        return str(user["Id"])

    def write(self, action: Callable[[], Doc], *, late_s: float = 0) -> Doc:
        """Writes as a person would; `late_s`: stamped now, to be seen that much later.

        Raises InvalidInput, Conflict.
        """
        self.records.settle()
        self.writer.locked, self.writer.patient = set(), False
        made: list[Doc] = []
        try:
            with self.records.change():
                made.append(action())
                if late_s:
                    raise _Later  # noqa: TRY301
        except _Later:
            self._later(made[0], late_s)
        except SalesforceError as error:
            problem = f"{error.code}: {error.message}."
            if error.code == "UNABLE_TO_LOCK_ROW":
                raise Conflict(problem) from error
            raise InvalidInput(problem) from error
        return made[0]

    def _later(self, record: Doc, late_s: float) -> None:
        one = self.records.schema.by_id(record["Id"])
        if one is None:
            raise NotFound("There is no such object.")
        if self.records.get(one.name, record["Id"]) is None:
            # The number of the id was rolled back as well: it is taken for good.
            self.records.new_id(one.prefix)
        due = self.stage.clock.now() + timedelta(seconds=late_s)
        self.records.put_later(one.name, record, to_micros(due))
