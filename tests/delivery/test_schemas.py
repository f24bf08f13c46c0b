"""Schemas that an operator enters: bounded, never fetched from, never slow to match."""

import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.delivery.schemas import DRAFT, MAX_DEPTH, check_schema, deeper_than, findings
from inkwire.errors import InvalidInput


def nested(levels, member):
    """A schema of so many levels."""
    schema = {}
    for _ in range(levels):
        schema = {member: schema}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"$schema": DRAFT, "type": "object"},
        {"$defs": {"a": {"type": "integer"}}, "$ref": "#/$defs/a"},
        {"items": {"$ref": "#"}},
        {"pattern": "^(a+)+$"},
        {"$ref": DRAFT},
        nested(MAX_DEPTH - 1, "not"),
    ],
)
def test_good_schemas_pass(schema):
    """References within the schema, recursion, and the draft's own schema are fine."""
    check_schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        None,
        True,
        [],
        "x",
        {"type": "nope"},
        {"required": "a"},
        {"minLength": -1},
        {"$ref": "#/nowhere"},
        {"$ref": "other.json"},
        {"$ref": "file:///etc/passwd"},
        {"$id": "https://example.com/a", "$ref": "b.json"},
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"$schema": 7},
        {"$schema": ["x"]},
        {"pattern": "(?=look)"},
        {"pattern": r"(a)\1"},
        {"pattern": "("},
        {"pattern": "(a{1000}){1000}"},
        {"description": "x" * 65_536},
        {"const": object()},
        {"const": "\ud800"},
        {"$comment": nested(MAX_DEPTH + 1, "x")},
        nested(5000, "not"),
    ],
)
def test_bad_schemas_are_refused(schema):
    """Anything else gives one sentence on the field `schema`."""
    with pytest.raises(InvalidInput) as caught:
        check_schema(schema)
    assert set(caught.value.fields) == {"schema"}
    assert "\n" not in caught.value.fields["schema"]


def test_nothing_is_fetched():
    """A reference to a server that would answer opens no connection (SSRF)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        seen = threading.Event()

        def listen():
            try:
                server.accept()[0].close()
                seen.set()
            except OSError:
                pass

        thread = threading.Thread(target=listen)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        for keyword in ("$ref", "$dynamicRef"):
            with pytest.raises(InvalidInput):
                check_schema({keyword: url})
        with pytest.raises(InvalidInput):
            check_schema({"$schema": url})
        thread.join()
        assert not seen.is_set()


def test_patterns_take_linear_time():
    """A pattern that stops a backtracking engine for ever answers at once."""
    began = time.perf_counter()
    assert findings({"pattern": "^(a+)+$"}, "a" * 100_000 + "!") != {}
    assert time.perf_counter() - began < 2


def test_depth():
    """Levels are counted in lists and objects; a scalar has none."""
    assert not deeper_than(1, 0)
    assert deeper_than([], 0)
    assert not deeper_than([[1]], 2)
    assert deeper_than([[1]], 1)
    assert deeper_than({"a": [{"b": []}]}, 3)
    assert not deeper_than({"a": [{"b": []}]}, 4)


@pytest.mark.parametrize("payload", [float("inf"), "\ud800", {"\ud800": 1}, 10**400, 1e308])
def test_odd_values_raise_nothing(payload):
    """Values that strict JSON would not hold give findings at most."""
    assert isinstance(findings({"type": ["object", "number", "string"]}, payload), dict)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "$ref", "items", "not", "enum", "pattern", "properties"])
                | st.text(max_size=3),
                inner,
                max_size=3,
            )
        ),
        max_leaves=10,
    )
)
def test_any_schema_is_taken_or_refused_clearly(schema):
    """Nothing but InvalidInput escapes, and what is taken can be used."""
    try:
        check_schema(schema)
    except InvalidInput:
        return
    findings(schema, {"a": [1, "x", None]})
