"""What an operator gives of a connection, checked before anything is kept. Pure."""

from collections.abc import Mapping
from typing import Any

from inkwire.errors import InvalidInput
from inkwire.model.connection import Connection
from inkwire.model.source import SOURCE_ID
from inkwire.providers.contract import Connector
from inkwire.store.acting import SecretText

MAX_NAME = 100
#: Where the console takes sign-ins back, beside the connections' own pages.
RESERVED = "authorized"


def cleaned(
    connector: Connector,
    method: str,
    settings: Mapping[str, Any],
    secrets: Mapping[str, str],
    wrong: Mapping[str, str],
) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """What the connector makes of it. Raises InvalidInput, which names `wrong`, too."""
    try:
        checked, kept = connector.clean(method, settings, secrets)
    except InvalidInput as error:
        raise InvalidInput(fields={**wrong, **error.fields}) from None
    if wrong:
        raise InvalidInput(fields=wrong)
    return checked, kept


def known(connector: Connector, method: str) -> tuple[set[str], set[str]]:
    """Keys of the method's settings and roles of its secrets; none if there is no such method."""
    for one in connector.methods:
        if one.name == method:
            return {item.key for item in one.settings}, {item.role for item in one.secrets}
    return set(), set()


def id_problem(connection_id: str) -> dict[str, str]:
    """What is wrong with a new id, by field."""
    if connection_id == RESERVED:
        return {"id": "is an address of the console's own; choose another"}
    if SOURCE_ID.fullmatch(connection_id):
        return {}
    return {
        "id": "must be 1 to 64 lower-case letters, digits and hyphens, with no hyphen at the ends"
    }


def name_problem(name: str) -> dict[str, str]:
    """What is wrong with a name, by field."""
    if 1 <= len(name) <= MAX_NAME and name.isprintable() and name == name.strip():
        return {}
    return {"name": f"must be 1 to {MAX_NAME} printable characters, without blanks at the ends"}


def secret_texts(secrets: Mapping[str, str]) -> list[SecretText]:
    """Secrets as the store takes them."""
    return [SecretText(name=role, value=value) for role, value in secrets.items()]


def differences(old: Connection, new: Connection, roles: set[str]) -> list[str]:
    """Paths of what changed; of secrets the names only."""
    fields = [key for key in ("name", "method") if getattr(old, key) != getattr(new, key)]
    keys = sorted(old.settings.keys() | new.settings.keys())
    fields += [f"settings.{key}" for key in keys if old.settings.get(key) != new.settings.get(key)]
    return fields + [f"secrets.{role}" for role in sorted(roles)]
