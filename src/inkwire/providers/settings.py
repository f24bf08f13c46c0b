"""Checks settings against the fields that a provider, or an integration's kind, describes. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from inkwire.errors import InvalidInput
from inkwire.model.source import SettingValue
from inkwire.providers.contract import SettingField, SettingKind, Settings

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})
MAX_TEXT = 500
#: Characters of a list, a mapping or an address.
MAX_LONG_TEXT, MAX_URL = 4_000, 2_000
#: Enough to catch a slip; whether mail arrives there only a mail can tell.
_EMAIL = re.compile(r"[^@\s,;<>()]{1,64}@[^@\s,;<>()]+\.[^@\s,;<>().]{2,}")
_MAX_EMAIL = 254


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


def list_of(text: str) -> tuple[str, ...]:
    """The parts of a LIST, in order, each once, without blanks around them."""
    parts = (part.strip() for part in re.split(r"[,\n]", text))
    return tuple(dict.fromkeys(part for part in parts if part))


def lines_of(text: str) -> tuple[str, ...]:
    """The lines of LINES that are not empty, in order, without blanks around them."""
    lines = (line.strip() for line in text.split("\n"))
    return tuple(line for line in lines if line)


def mapping_of(text: str) -> dict[str, str]:
    """The lines of a checked MAPPING: name to value, without blanks around them."""
    pairs = (line.partition("=") for line in text.split("\n") if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


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
    if field.kind in _TEXTS:
        return _TEXTS[field.kind](value)
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


def _long(text: str) -> str | _Wrong:
    """Text of several lines, with line breaks as browsers and Windows write them made plain."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(text) > MAX_LONG_TEXT or not text.replace("\n", "").replace("\t", "").isprintable():
        return _Wrong(f"must be printable and at most {MAX_LONG_TEXT:,} characters")
    return text


def _mapping(text: str) -> str | _Wrong:
    checked = _long(text)
    if isinstance(checked, _Wrong):
        return checked
    seen: set[str] = set()
    for number, line in enumerate(checked.split("\n"), start=1):
        if not line.strip():
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not (name and equals and value):
            return _Wrong(f"must have lines such as `name = value`; line {number} is none")
        if name in seen:
            return _Wrong(f"names {name!r} twice; leave one of the lines out")
        seen.add(name)
    return checked


def _email(text: str) -> str | _Wrong:
    text = text.strip()
    if not text or (len(text) <= _MAX_EMAIL and text.isprintable() and _EMAIL.fullmatch(text)):
        return text
    return _Wrong("must be one e-mail address, such as archive@example.com, or empty")


def _url(text: str) -> str | _Wrong:
    text = text.strip()
    wrong = _Wrong(
        f"must be an address with http:// or https:// and a host, at most {MAX_URL:,} characters "
        "without blanks, or empty"
    )
    if not text:
        return text
    if len(text) > MAX_URL or not text.isprintable() or " " in text:
        return wrong
    try:
        parts = urlsplit(text)
        found = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return wrong
    if found and parts.username is None and parts.password is None:
        return text
    return wrong


_TEXTS = {
    SettingKind.LIST: _long,
    SettingKind.LINES: _long,
    SettingKind.MAPPING: _mapping,
    SettingKind.EMAIL: _email,
    SettingKind.URL: _url,
}
