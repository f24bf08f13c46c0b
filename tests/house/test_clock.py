"""The clock of demos: every process that reads the file tells the same shifted time."""

import itertools
import time
from datetime import UTC, datetime, timedelta

import pytest

from inkwire.clock import ShiftedClock, SystemClock
from inkwire.config import load_settings
from inkwire.hub import open_hub
from inkwire.store.open import migrate

DAY = 86_400


def shift_of(clock) -> float:
    """Seconds that the clock is ahead of the machine's, to the second."""
    return round((clock.now() - datetime.now(UTC)).total_seconds())


def test_it_tells_the_machines_time_without_a_file(tmp_path):
    """A demo that has not moved its clock yet runs in the present."""
    assert shift_of(ShiftedClock(tmp_path / "none")) == 0


@pytest.mark.parametrize("broken", ["", "-", "12", "x\n", "nan\n", "inf\n", "1e30\n", "\ufffd\n"])
def test_a_file_that_is_half_written_changes_nothing(tmp_path, broken):
    """Who reads in the middle of a write keeps the last whole shift."""
    file = tmp_path / "shift"
    file.write_text(f"-{DAY}\n")
    clock = ShiftedClock(file, read_every_s=0)
    assert shift_of(clock) == -DAY
    file.write_text(broken, "utf-8")
    assert shift_of(clock) == -DAY
    file.unlink()
    assert shift_of(clock) == -DAY
    file.write_text("3600.5\n")
    assert clock.now() - datetime.now(UTC) > timedelta(seconds=3599)


def test_the_file_is_read_again_within_moments(tmp_path):
    """50 ms, whoever asks: cheap enough for every call, quick enough for a demo."""
    file = tmp_path / "shift"
    file.write_text("0\n")
    clock = ShiftedClock(file)
    assert shift_of(clock) == 0
    file.write_text(f"{DAY}\n")
    began = time.monotonic()
    for _ in itertools.takewhile(lambda _: shift_of(clock) == 0, itertools.count()):
        assert time.monotonic() - began < 2
    assert shift_of(clock) == DAY


def test_the_setting_moves_a_hub(tmp_path):
    """`clock_file` is what a hub's processes share; without it the clock is the machine's."""
    file = tmp_path / "shift"
    file.write_text(f"-{DAY}\n")
    settings = load_settings(data_dir=tmp_path / "data", clock_file=file)
    migrate(settings)
    with open_hub(settings) as hub:
        assert shift_of(hub.clock) == -DAY
    with open_hub(settings.model_copy(update={"clock_file": None})) as hub:
        assert isinstance(hub.clock, SystemClock)
