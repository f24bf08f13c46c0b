"""Acme, a made-up vendor with every kind of setting and secret; it only describes itself."""

from typing import ClassVar

from fakes.connector import SilentConnector
from fakes.provider import ToyReceiver
from inkwire.providers.contract import (
    Provider,
    Recipe,
    RetryPlan,
    SecretField,
    SettingField,
    SettingKind,
)


class AcmeReceiver(ToyReceiver):
    """Described fields for the rooms that show and check them."""

    settings = (
        SettingField(
            key="tolerance_s",
            label="Tolerance",
            help="Seconds that a request may be late.",
            kind=SettingKind.SECONDS,
            default=300,
            minimum=1,
            maximum=3600,
        ),
        SettingField(key="strict", label="Strict", help="", kind=SettingKind.SWITCH, default=False),
        SettingField(
            key="header", label="Header", help="", kind=SettingKind.TEXT, default="X-Acme"
        ),
        SettingField(
            key="encoding",
            label="Encoding",
            help="",
            kind=SettingKind.CHOICE,
            default="hex",
            choices=("hex", "base64"),
        ),
    )
    secrets = (
        SecretField(role="primary", label="Primary key", help="Acme's console.", min_length=8),
        SecretField(
            role="secondary",
            label="Secondary key",
            help="Acme's console.",
            required=False,
            min_length=8,
            max_length=64,
            pattern="[a-z0-9]+",
            pattern_help="must be lower-case letters and digits",
        ),
        SecretField(role="token", label="Token", help="Yours to choose.", generate=True),
    )
    event_types: ClassVar[dict[str, str]] = {
        "acme.made": "Something was made.",
        "acme.lost": "Something was lost.",
    }
    retries = RetryPlan(delays_s=(60.0, 120.0), timeout_s=5.0, source="made up")


PROVIDER = Provider(
    name="acme",
    title="Acme",
    summary="Makes things.",
    receive=AcmeReceiver(),
    recipes=(
        Recipe(name="old", title="Old Acme", note="Until 2020.", settings={"encoding": "base64"}),
    ),
    package="fakes.acme",
)
#: A vendor that is only called, never calls.
SILENT = Provider(
    name="silent",
    title="Silent",
    summary="Says nothing.",
    connect=SilentConnector(),
    package="fakes.acme",
)
#: Another vendor with the same ways.
TWIN = Provider(
    name="twin", title="Twin", summary="Acme's.", receive=AcmeReceiver(), package="fakes.acme"
)
