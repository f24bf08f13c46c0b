"""Settings are checked when they are entered."""

import pytest

from inkwire.errors import InvalidInput
from inkwire.providers.contract import SettingField, SettingKind
from inkwire.providers.settings import (
    MAX_LONG_TEXT,
    MAX_TEXT,
    MAX_URL,
    check_settings,
    lines_of,
    list_of,
    mapping_of,
)


def field(kind, default, **more):
    """A setting named x of some kind."""
    return SettingField(
        key="x", label="X", help="For this test.", kind=kind, default=default, **more
    )


SECONDS = field(SettingKind.SECONDS, 300, minimum=10, maximum=3600)
SWITCH = field(SettingKind.SWITCH, False)
CHOICE = field(SettingKind.CHOICE, "hex", choices=("hex", "base64"))
TEXT = field(SettingKind.TEXT, "")


@pytest.mark.parametrize(
    ("described", "given", "value"),
    [
        (SECONDS, 10, 10),
        (SECONDS, "3600", 3600),
        (SECONDS, None, 300),
        (SWITCH, "yes", True),
        (SWITCH, "", False),
        (SWITCH, True, True),
        (CHOICE, "base64", "base64"),
        (TEXT, "x-signature", "x-signature"),
    ],
)
def test_setting_is_typed(described, given, value):
    """Values come from JSON, TOML or forms, and always come out as what they are."""
    assert check_settings([described], {"x": given}) == {"x": value}


@pytest.mark.parametrize(
    ("described", "given"),
    [
        (SECONDS, 9),
        (SECONDS, 3601),
        (SECONDS, "10.5"),
        (SECONDS, True),
        (SECONDS, "9" * 5_000),
        (SECONDS, "-10"),
        (SECONDS, "٣٣"),
        (SECONDS, []),
        (SWITCH, "perhaps"),
        (CHOICE, "HEX"),
        (CHOICE, 1),
        (TEXT, "two\nlines"),
        (TEXT, "x" * (MAX_TEXT + 1)),
        (TEXT, {}),
    ],
)
def test_wrong_setting_is_named(described, given):
    """A value that does not fit is refused with the name of its setting."""
    with pytest.raises(InvalidInput) as refusal:
        check_settings([described], {"x": given})
    assert list(refusal.value.fields) == ["settings.x"]


def test_defaults_fill_up_and_unknown_keys_are_refused():
    """What is not given has its default; a misspelt key is not swallowed."""
    assert check_settings([SECONDS], {}) == {"x": 300}
    with pytest.raises(InvalidInput, match="there are: x"):
        check_settings([SECONDS], {"tolerance": 1})


IDS = field(SettingKind.LIST, "")
MAP = field(SettingKind.MAPPING, "")
LINES = field(SettingKind.LINES, "")
MAIL = field(SettingKind.EMAIL, "")
PAGE = field(SettingKind.URL, "")


@pytest.mark.parametrize(
    ("described", "given", "kept"),
    [
        (IDS, " a, b,a\r\nc,, ", "a, b,a\nc,,"),
        (LINES, " a, b\r\n\r\na, b\n", "a, b\n\na, b"),
        (MAP, "tag = customer.name\r\n\r\nb=c = d\n", "tag = customer.name\n\nb=c = d"),
        (MAP, "", ""),
        (MAIL, " archive@example.com ", "archive@example.com"),
        (MAIL, "", ""),
        (PAGE, "https://example.com:8443/thanks?x=1", "https://example.com:8443/thanks?x=1"),
        (PAGE, "", ""),
        (IDS, "x" * MAX_LONG_TEXT, "x" * MAX_LONG_TEXT),
    ],
)
def test_longer_settings_stay_text(described, given, kept):
    """Lists and tables are kept as somebody wrote them; only line breaks are made plain."""
    assert check_settings([described], {"x": given}) == {"x": kept}


def test_lists_and_mappings_are_read():
    """What is kept as text comes out as parts: each once, in order, without blanks."""
    assert list_of("a, b,a\nc,, ") == ("a", "b", "c")
    assert lines_of("a, b\n\n a, b\nc") == ("a, b", "a, b", "c")
    assert mapping_of("tag = customer.name\n\nb=c = d") == {"tag": "customer.name", "b": "c = d"}


@pytest.mark.parametrize(
    ("described", "given", "word"),
    [
        (IDS, "x" * (MAX_LONG_TEXT + 1), "4,000"),
        (IDS, "a\x00b", "printable"),
        (IDS, ["a"], "text"),
        (LINES, "a\x00b", "printable"),
        (MAP, "no equals sign", "line 1 is none"),
        (MAP, "a = b\n = c", "line 2 is none"),
        (MAP, "a =", "line 1 is none"),
        (MAP, "a = b\na = c", "'a' twice"),
        (MAIL, "nobody", "e-mail"),
        (MAIL, "a@b.example, c@d.example", "one e-mail"),
        (MAIL, "a b@example.com", "e-mail"),
        (MAIL, f"{'a' * 250}@example.com", "e-mail"),
        (PAGE, "example.com", "http://"),
        (PAGE, "javascript:alert(1)", "http://"),
        (PAGE, "https://", "host"),
        (PAGE, "https://me:secret@example.com", "host"),
        (PAGE, "https://[::1", "host"),
        (PAGE, "https://example.com:99999", "host"),
        (PAGE, "https://example.com/a b", "blanks"),
        (PAGE, "https://example.com/" + "x" * MAX_URL, "2,000"),
    ],
)
def test_wrong_longer_settings_are_explained(described, given, word):
    """The sentence says what it should be, and never repeats what may be a password."""
    with pytest.raises(InvalidInput) as refusal:
        check_settings([described], {"x": given})
    assert word in refusal.value.fields["settings.x"]
    assert "secret" not in refusal.value.message
