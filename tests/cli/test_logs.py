"""Logs: one form, and never a credential in them."""

import io
import json
import logging

import pytest
import structlog

from inkwire.logs import REDACTED, scrub, set_up_logging


@pytest.fixture
def log():
    """JSON lines of this process; everything is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    set_up_logging(level="info", style="json", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_one_json_object_a_line(log):
    """Ours and the standard library's, with time and level."""
    structlog.get_logger().info("web.ready", port=8080, address="h\nx")
    logging.getLogger("some.library").warning("said %s", "so", extra={"color_message": "x"})
    logging.getLogger("uvicorn.error").info("Started server process [1]")
    first, second = log()
    assert (first["event"], first["level"], first["port"]) == ("web.ready", "info", 8080)
    assert first["timestamp"].endswith("Z")
    assert second["event"] == "said so"
    assert "color_message" not in second


def test_levels(log):
    """Below the set level nothing is written."""
    structlog.get_logger().debug("nothing")
    assert log() == []


SECRET = "0123456789abcdef"


@pytest.mark.parametrize(
    "fact",
    [
        {"secret": SECRET},
        {"client_secret": SECRET},
        {"password": SECRET},
        {"headers": {"Authorization": f"Bearer {SECRET}"}},
        {"request": [{"cookie": SECRET}]},
        {"detail": f"key ink_{SECRET} is unknown"},
        {"detail": f"whsec_{SECRET}"},
        {"url": f"postgresql://inkwire:{SECRET}@host/db"},
        {"header": f"authorization: bearer {SECRET}"},
        {"api_key": SECRET.encode()},
    ],
)
def test_credentials_never_reach_a_line(log, fact):
    """By the field's name, or by what it looks like."""
    structlog.get_logger().warning("happened", **fact)
    logging.getLogger("x").error("said %s", fact)
    first, second = log()
    assert SECRET not in json.dumps(first)
    assert REDACTED in json.dumps(first, ensure_ascii=False)
    assert second["event"].startswith("said")


def test_a_traceback_is_scrubbed_and_holds_no_values(log):
    """An error's text may quote a database URL; local variables are never shown."""

    def fails(password):
        raise RuntimeError(f"postgresql://me:{password}@host/db failed")

    try:
        fails(SECRET)
    except RuntimeError:
        structlog.get_logger().exception("broke")
    (line,) = log()
    assert "RuntimeError" in line["exception"]
    assert SECRET not in json.dumps(line)


def test_ordinary_words_stay():
    """What is no credential is left alone."""
    for text in ("https://host/path?a=1", "sec_0123", "a bearer of news", "13:00@noon"):
        assert scrub(text) == text
