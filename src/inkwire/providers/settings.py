"""Checks a source's settings against the fields that its provider describes. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from inkwire.errors import InvalidInput
from inkwire.model.source import SettingValue
from inkwire.providers.contract import SettingField, SettingKind, Settings

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})
MAX_TEXT = 500


def check_settings(fields: Iterable[SettingField], given: Mapping[str, Any]) -> Settings:
    """`given` (JSON, TOML or form text) as complete, typed settings.

    Raises InvalidInput that names every wrong or unknown key, each with what it should be.
    """
    known = {field.key: field for field in fields}
    wrong = {
        f"settings.{key}": f"is not a setting here; there are: {', '.join(known) or 'none'}"
        for key in given
        if key not in known
    }
    checked: dict[str, SettingValue] = {}
    for key, field in known.items():
        if key not in given or given[key] is None:
            checked[key] = field.default
            continue
        value = _typed(field, given[key])
        if isinstance(value, _Wrong):
            wrong[f"settings.{key}"] = value.text
        else:
            checked[key] = value
    if wrong:
        raise InvalidInput(fields=wrong)
    return checked


def complete_settings(
    fields: Iterable[SettingField], stored: Mapping[str, Any]
) -> tuple[Settings, tuple[str, ...]]:
    """Stored settings made complete, and the keys among them that are no longer good.

    An upgrade may add a setting, drop one or narrow its values: the default stands in, since a
    source must not fall silent over it. Raises nothing.
    """
    known = {field.key: field for field in fields}
    complete = {key: field.default for key, field in known.items()}
    left_out = []
    for key, value in stored.items():
        try:
            complete |= {key: check_settings([known[key]], {key: value})[key]}
        except (KeyError, InvalidInput):
            left_out.append(key)
    return complete, tuple(left_out)


class _Wrong:
    def __init__(self, text: str) -> None:
        self.text = text


def _typed(field: SettingField, value: Any) -> SettingValue | _Wrong:
    if field.kind is SettingKind.SWITCH:
        return _switch(value)
    if field.kind in (SettingKind.INTEGER, SettingKind.SECONDS):
        return _integer(field, value)
    if not isinstance(value, str):
        return _Wrong("must be text")
    if field.kind is SettingKind.CHOICE and value not in field.choices:
        return _Wrong(f"must be one of: {', '.join(field.choices)}")
    if len(value) > MAX_TEXT or not value.isprintable():
        return _Wrong(f"must be printable and at most {MAX_TEXT} characters")
    return value


def _switch(value: Any) -> bool | _Wrong:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    return False if text in _FALSE else _Wrong("must be true or false")


def _integer(field: SettingField, value: Any) -> int | _Wrong:
    low, high = field.minimum or 0, field.maximum if field.maximum is not None else 2**31
    unit = " seconds" if field.kind is SettingKind.SECONDS else ""
    wrong = _Wrong(f"must be a whole number from {low} to {high}{unit}")
    if isinstance(value, bool) or not isinstance(value, int | str):
        return wrong
    text = str(value).strip()
    if len(text) > 12 or not (text.isascii() and text.isdigit()):
        return wrong
    return int(text) if low <= int(text) <= high else wrong
