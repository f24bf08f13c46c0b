"""What is written into a field: checked and normalised by its type."""

import math
import re
from datetime import UTC, date, datetime
from typing import Any

from inkwire.providers.salesforce.sandbox import ids
from inkwire.providers.salesforce.sandbox.answers import SalesforceError, bad_json, exact_stamp
from inkwire.providers.salesforce.sandbox.schema import Field

_NUMBERS = ("double", "currency", "percent", "int")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)", re.IGNORECASE
)


def read(field: Field, value: Any) -> Any:
    """The value as it is kept. Raises SalesforceError."""
    if value is None or value == "":
        return False if field.type == "boolean" else None
    if field.type == "boolean":
        return _boolean(value)
    if field.type in _NUMBERS:
        return _number(field, value)
    if not isinstance(value, str):
        raise _mistyped("string", value)
    if field.type == "date":
        return _date(value)
    if field.type == "datetime":
        return _moment(value)
    if field.type == "reference":
        return _reference(field, value)
    return _text(field, value)


def moment(text: str) -> datetime | None:
    """A moment as Salesforce takes them; None if it is none."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    day, minute, second, fraction, zone = found.groups()
    zone = "+00:00" if zone in ("Z", "z") else zone
    if ":" not in zone:
        zone = f"{zone[:3]}:{zone[3:]}"
    micros = (fraction or ".0")[1:].ljust(6, "0")
    try:
        return datetime.fromisoformat(f"{day}T{minute}{second or ':00'}.{micros}{zone}").astimezone(
            UTC
        )
    except (ValueError, OverflowError):
        return None


def wrong_id(field: Field, value: str, code: str) -> SalesforceError:
    """An id that cannot stand there: MALFORMED_ID, or FIELD_INTEGRITY_EXCEPTION if well formed."""
    return SalesforceError(
        code, f"{field.shown}: id value of incorrect type: {value}", [field.name]
    )


def _text(field: Field, value: str) -> str:
    if field.length and len(value) > field.length:
        raise SalesforceError(
            "STRING_TOO_LONG",
            f"{field.shown}: data value too large: {value[:1000]} (max length={field.length})",
            [field.name],
        )
    if field.type == "email" and not _EMAIL.fullmatch(value):
        raise SalesforceError(
            "INVALID_EMAIL_ADDRESS",
            f"{field.shown}: invalid email address: {value}",
            [field.name],
        )
    if field.restricted and value not in field.values:
        raise SalesforceError(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            f"{field.shown}: bad value for restricted picklist field: {value}",
            [field.name],
        )
    # Salesforce keeps no blanks at the ends.
    return value if field.type in ("textarea", "base64") else value.strip() or value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _mistyped("boolean", value)


def _number(field: Field, value: Any) -> float | int:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise _mistyped("double", value) from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mistyped("double", value)
    if math.isnan(value) or abs(value) > 1e18:
        raise SalesforceError(
            "NUMBER_OUTSIDE_VALID_RANGE",
            f"{field.shown}: value outside of valid range on numeric field: {value}",
            [field.name],
        )
    return int(value) if field.type == "int" else float(value)


def _date(value: str) -> str:
    try:
        return date.fromisoformat(value[:10] if moment(value) else value).isoformat()
    except ValueError:
        raise _mistyped("date", value) from None


def _moment(value: str) -> str:
    found = moment(value)
    if found is None:
        raise _mistyped("datetime", value)
    return exact_stamp(found)


def _reference(field: Field, value: str) -> str:
    found = ids.read(value)
    if found is None:
        raise wrong_id(field, value, "MALFORMED_ID")
    return found


def _mistyped(wanted: str, value: Any) -> SalesforceError:
    names = {str: "VALUE_STRING", bool: "VALUE_TRUE", dict: "START_OBJECT", list: "START_ARRAY"}
    token = names.get(type(value), "VALUE_NUMBER")
    return bad_json(
        f"Cannot deserialize instance of {wanted} from {token} value {str(value)[:80]} or request "
        "may be missing a required field at [line:1, column:1]"
    )
