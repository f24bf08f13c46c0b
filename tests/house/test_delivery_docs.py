"""What the page about delivery says is what the code does."""

import re
from pathlib import Path

import pytest

from inkwire.api import boxc_errors
from inkwire.config import Settings
from inkwire.delivery.profiles import PROFILES
from inkwire.delivery.sender import LEASE_S
from inkwire.model.message import MAX_RESPONSE
from inkwire.model.webhook import ProfileName
from inkwire.store import breaker

DOCS = Path(__file__).parents[2] / "docs"
DELIVERY = (DOCS / "explanation/delivery.md").read_text("utf-8")
BOXC = (DOCS / "reference/boxc-api.md").read_text("utf-8")
UNITS = {"s": 1, "min": 60, "h": 3600}
LENGTH = re.compile(r"(\d+) (s|min|h)\b")


def seconds(text: str) -> int:
    """`75 h 35 min` in seconds."""
    return sum(int(number) * UNITS[unit] for number, unit in LENGTH.findall(text))


def row(name: ProfileName) -> list[str]:
    """The profile's line in the table of schedules."""
    (line,) = re.findall(rf"^\| `{name.value}` \|.*$", DELIVERY, re.MULTILINE)
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("name", [ProfileName.STANDARD, ProfileName.BOXC])
def test_the_schedules_are_the_profiles(name):
    """Attempts, each wait, their sum, the time-out, and what becomes of the webhook."""
    profile = PROFILES[name]
    _, attempts, waits, whole, answer, end = row(name)
    assert int(attempts) == profile.attempts
    assert tuple(seconds(wait) for wait in waits.split(",")) == profile.delays_s
    assert abs(seconds(whole) - sum(profile.delays_s)) < 60
    assert seconds(answer) == profile.timeout_s
    assert end == profile.at_end.value


def test_jitter_and_retry_after_are_as_told():
    """The sentences below the table hold numbers, too."""
    standard, boxc = PROFILES[ProfileName.STANDARD], PROFILES[ProfileName.BOXC]
    assert "`standard` by −10 to +10 %" in DELIVERY
    assert standard.jitter == (-0.1, 0.1)
    assert "`boxc` by 0 to 5 %" in DELIVERY
    assert boxc.jitter == (0.0, 0.05)
    assert "with `standard` up to an hour" in DELIVERY
    assert (standard.retry_after_s, standard.retry_after_factor) == (3600, 1)
    assert "with `boxc` up to twice the planned wait" in DELIVERY
    assert (boxc.retry_after_s, boxc.retry_after_factor) == (0, 2)
    assert "`standard` waits at least a minute" in DELIVERY
    assert (standard.overrun_s, boxc.overrun_s) == (60, 0)


def test_breaker_lease_and_sizes_are_as_told():
    """Each number that an operator may count on."""
    health = breaker.Health(failures=breaker.THRESHOLD - 1)
    opened = []
    for _ in range(8):
        now = health.breaker_until or 0
        health.note(breaker.AttemptResult.STATUS, ended=now, now=now)
        opened.append((health.breaker_until - now) / 1_000_000)
    assert f"After {breaker.THRESHOLD} failures in a row" in DELIVERY
    assert "for 30 seconds" in DELIVERY
    assert "twice as long, up to 5 minutes" in DELIVERY
    assert opened == [30, 60, 120, 240, 300, 300, 300, 300]
    assert f"for {LEASE_S:.0f} seconds" in DELIVERY
    assert f"{MAX_RESPONSE // 1024} KiB" in DELIVERY


def test_codes_and_limits_of_boxcs_api_are_as_told():
    """Every code that the API answers stands in the table; the bucket is the settings'."""
    table = BOXC.partition("| code |")[2].partition("\n\n")[0]
    told = {int(number) for number in re.findall(r"\b1\d{3}\b", table)}
    known = {
        value
        for name, value in vars(boxc_errors).items()
        if name.isupper() and isinstance(value, int) and name != "SERVER"
    }
    assert told == known | {1402, 1403, 1404, 1405}
    burst = Settings.model_fields["api_burst"].default
    each = Settings.model_fields["api_per_second"].default
    assert f"{burst} requests at once and {each} a second" in BOXC
    profile = PROFILES[ProfileName.BOXC]
    assert f"{profile.min_key} to {profile.max_key} characters, chosen by you" in BOXC
    assert f"at most {profile.max_address} characters" in BOXC
