"""Settings are checked when they are entered."""

import pytest

from inkwire.errors import InvalidInput
from inkwire.providers.contract import SettingField, SettingKind
from inkwire.providers.settings import MAX_TEXT, check_settings


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
