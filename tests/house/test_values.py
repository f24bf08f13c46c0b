"""The small parts that everything stands on: clock, ids, errors, settings."""

import inspect
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire import errors
from inkwire.clock import ManualClock
from inkwire.config import Settings, load_settings
from inkwire.ids import SortableIds
from inkwire.moments import EPOCH, as_utc, from_micros, to_micros

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_are_exact(moment):
    """A stored moment comes back as it was."""
    assert from_micros(to_micros(moment)) == moment


def test_a_naive_datetime_is_refused():
    """A moment without a zone never enters."""
    with pytest.raises(ValueError, match="aware"):
        as_utc(datetime(2026, 1, 1))  # noqa: DTZ001 # the point of the test


def test_any_zone_becomes_utc():
    """The moment stays, the zone is UTC."""
    there = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=-7)))
    assert as_utc(there) == there
    assert as_utc(there).tzinfo is UTC


def test_ids_rise_even_when_the_clock_steps_back():
    """A list that pages by id loses nothing when the machine's clock is corrected."""
    clock = ManualClock(START)
    ids = SortableIds(clock)
    made = []
    for step in (0, 0, 1, -5, 0, 2):
        clock.advance(seconds=step)
        made.append(ids.new("evt"))
    assert made == sorted(made)
    assert len(set(made)) == len(made)


@given(st.timedeltas(timedelta(days=1), timedelta(days=80_000)).map(lambda since: EPOCH + since))
def test_ids_sort_by_their_moment(moment):
    """An id made later sorts later, over centuries."""
    first = SortableIds(ManualClock(moment)).new("evt")
    later = SortableIds(ManualClock(moment + timedelta(microseconds=1))).new("evt")
    assert first < later
    assert len(first) == len("evt_") + 24


def _classes():
    return [
        value
        for _, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, errors.InkwireError)
    ]


@pytest.mark.parametrize("kind", _classes(), ids=lambda kind: kind.__name__)
def test_an_error_without_a_message_speaks_by_its_docstring(kind):
    """Every class has a sentence of its own for the person who meets it."""
    text = kind().message
    assert text == " ".join(kind.__doc__.split())
    assert text.endswith(".")


def test_the_error_tree_is_drawn_whole():
    """The drawing in the module's docstring names every class, so it can be trusted."""
    for kind in _classes():
        assert kind.__name__ in errors.__doc__


def test_codes_tell_the_kinds_apart():
    """API clients switch on `code`."""
    codes = [kind.code for kind in _classes()]
    assert len(set(codes)) == len(codes)


def test_invalid_input_names_its_fields():
    """Without a message the fields are the message."""
    error = errors.InvalidInput(fields={"id": "must not be empty", "name": "is too long"})
    assert error.message == "id: must not be empty; name: is too long"


def test_settings_have_units_and_help():
    """The reference page is made from the descriptions, so none may be missing."""
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_wrong_settings_are_named_and_their_values_are_not_shown(monkeypatch):
    """All at once, by the name of their environment variable, without echoing a secret."""
    monkeypatch.setenv("INKWIRE_PORT", "99999")
    monkeypatch.setenv("INKWIRE_PUBLIC_URL", "ftp://secret-value.example")
    with pytest.raises(errors.ConfigError) as caught:
        load_settings()
    assert "INKWIRE_PORT" in caught.value.message
    assert "INKWIRE_PUBLIC_URL" in caught.value.message
    assert "secret-value" not in caught.value.message


def test_secrets_do_not_show_in_settings(monkeypatch):
    """A log line with the settings in it tells no password."""
    monkeypatch.setenv("INKWIRE_DATABASE_URL", "postgresql://me:hunter2@host/db")
    monkeypatch.setenv("INKWIRE_MASTER_KEY", "c2VjcmV0")
    settings = load_settings()
    assert "hunter2" not in repr(settings)
    assert "c2VjcmV0" not in repr(settings)
    assert "hunter2" in settings.store_url
