"""Filters: who wants which message, and what may be asked."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.kit import WEBHOOK
from inkwire.delivery.filters import MAX_FILTERS, MAX_STEPS, check_filters, wants
from inkwire.errors import InvalidInput
from inkwire.model.webhook import Filter, FilterOp

PAYLOAD = {
    "order": {
        "id": 600001,
        "status": "Exception",
        "weight": 1.0,
        "test": True,
        "note": None,
        "lines": [{"sku": "A"}, {"sku": "B"}],
        "a.b": {"c\\d": "odd"},
        "0": "zero",
    }
}
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


def asks(path, op, value=True, payload=PAYLOAD):
    """Whether a webhook with this one filter wants the payload."""
    (condition,) = check_filters([{"path": path, "op": op, "value": value}])
    return wants(replace(WEBHOOK, filters=(condition,)), (), payload)


def test_without_limits_everything_is_wanted():
    """A webhook that names no filter and no documents gets every message of its topic."""
    for payload in (PAYLOAD, None, [], 1):
        assert wants(WEBHOOK, (), payload)


@pytest.mark.parametrize(
    ("named", "wanted"),
    [((), False), (("d2",), False), (("d1",), True), (("d2", "d1"), True), (("D1",), False)],
)
def test_documents_limit_what_is_sent(named, wanted):
    """R131: only what names a chosen document; a body of several documents counts for each."""
    webhook = replace(WEBHOOK, document_ids=("d1", "d3"))
    assert wants(webhook, named, PAYLOAD) is wanted


@pytest.mark.parametrize(
    ("path", "op", "value", "wanted"),
    [
        ("order.status", "equals", "Exception", True),
        ("order.status", "equals", "exception", False),
        ("order.id", "equals", 600001, True),
        ("order.id", "equals", 600001.0, True),
        ("order.id", "equals", "600001", False),
        ("order.weight", "equals", 1, True),
        ("order.weight", "equals", True, False),
        ("order.weight", "equals", "1", False),
        ("order.test", "equals", True, True),
        ("order.test", "equals", 1, False),
        ("order.note", "equals", None, True),
        ("order.gone", "equals", None, False),
        ("order.lines.1.sku", "equals", "B", True),
        ("order.lines.2.sku", "equals", "B", False),
        ("order.lines.01.sku", "equals", "B", False),
        ("order.lines.-1.sku", "equals", "B", False),
        ("order.lines", "equals", "B", False),
        ("order.0", "equals", "zero", True),
        (r"order.a\.b.c\\d", "equals", "odd", True),
        ("order.a.b", "exists", True, False),
        ("order.status", "in", ["Shipped", "Exception"], True),
        ("order.weight", "in", ["1", True, None], False),
        ("order.weight", "in", [2, 1], True),
        ("order.gone", "in", [None], False),
        ("order.note", "exists", True, True),
        ("order.note", "exists", False, False),
        ("order.gone", "exists", False, True),
        ("order.gone", "exists", True, False),
        ("order.status.deeper", "exists", True, False),
    ],
)
def test_conditions(path, op, value, wanted):
    """Paths, the three questions, and JSON's types told apart (1 is 1.0, not "1", not true)."""
    assert asks(path, op, value) is wanted


def test_all_conditions_must_hold():
    """Two filters narrow, they do not widen."""
    status = Filter(path="order.status", op=FilterOp.EQUALS, value="Exception")
    other = Filter(path="order.id", op=FilterOp.EQUALS, value=1)
    assert wants(replace(WEBHOOK, filters=(status,)), (), PAYLOAD)
    assert not wants(replace(WEBHOOK, filters=(status, other)), (), PAYLOAD)


def test_one_element_of_an_array_is_enough():
    """R108: of a body that is an array, one element must meet all filters by itself."""
    filters = check_filters(
        [
            {"path": "documentId", "op": "equals", "value": "d1"},
            {"path": "status", "op": "equals", "value": "SIGNED"},
        ]
    )
    webhook = replace(WEBHOOK, filters=filters)
    one = {"documentId": "d1", "status": "SIGNED"}
    assert wants(webhook, (), [{"documentId": "d2"}, one])
    assert not wants(webhook, (), [{"documentId": "d1"}, {"documentId": "d2", "status": "SIGNED"}])
    assert not wants(webhook, (), [])


@pytest.mark.parametrize("payload", [None, 1, "text", True])
def test_what_is_no_object_meets_no_filter(payload):
    """A payload that could not be read is not taken for one without the member."""
    assert not asks("a", "exists", False, payload)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({}, "filters"),
        ("x", "filters"),
        ([{"path": "a", "op": "exists"}] * (MAX_FILTERS + 1), "filters"),
        (["x"], "filters.0"),
        ([{"path": "a", "op": "exists", "extra": 1}], "filters.0"),
        ([{"op": "exists"}], "filters.0.path"),
        ([{"path": "", "op": "exists"}], "filters.0.path"),
        ([{"path": 1, "op": "exists"}], "filters.0.path"),
        ([{"path": "a..b", "op": "exists"}], "filters.0.path"),
        ([{"path": ".a", "op": "exists"}], "filters.0.path"),
        ([{"path": "a.", "op": "exists"}], "filters.0.path"),
        ([{"path": "a\\b", "op": "exists"}], "filters.0.path"),
        ([{"path": "a\\", "op": "exists"}], "filters.0.path"),
        ([{"path": "a\x00", "op": "exists"}], "filters.0.path"),
        ([{"path": "a" * 201, "op": "exists"}], "filters.0.path"),
        ([{"path": ".".join("a" * (MAX_STEPS + 1)), "op": "exists"}], "filters.0.path"),
        ([{"path": "a"}], "filters.0.op"),
        ([{"path": "a", "op": "like"}], "filters.0.op"),
        ([{"path": "a", "op": ["in"]}], "filters.0.op"),
        ([{"path": "a", "op": "exists", "value": 1}], "filters.0.value"),
        ([{"path": "a", "op": "equals"}], "filters.0.value"),
        ([{"path": "a", "op": "equals", "value": {}}], "filters.0.value"),
        ([{"path": "a", "op": "equals", "value": [1]}], "filters.0.value"),
        ([{"path": "a", "op": "equals", "value": float("nan")}], "filters.0.value"),
        ([{"path": "a", "op": "equals", "value": "x" * 1001}], "filters.0.value"),
        ([{"path": "a", "op": "equals", "value": "\ud800"}], "filters.0.value"),
        ([{"path": "a", "op": "in", "value": []}], "filters.0.value"),
        ([{"path": "a", "op": "in", "value": "abc"}], "filters.0.value"),
        ([{"path": "a", "op": "in", "value": [[1]]}], "filters.0.value"),
        ([{"path": "a", "op": "in", "value": list(range(101))}], "filters.0.value"),
    ],
)
def test_wrong_filters_are_named(raw, path):
    """Each wrong field of a filter gets one sentence under its own path."""
    with pytest.raises(InvalidInput) as caught:
        check_filters(raw)
    assert set(caught.value.fields) == {path}


def test_every_wrong_filter_is_named_at_once():
    """One answer tells all that is wrong."""
    with pytest.raises(InvalidInput) as caught:
        check_filters([{"path": "a", "op": "exists"}, {"path": "", "op": "x"}, 1])
    assert set(caught.value.fields) == {"filters.1.path", "filters.1.op", "filters.2"}


def test_bounds_are_inclusive():
    """The greatest allowed filter is allowed, and absent value means true for exists."""
    widest = {"path": ".".join("a" * MAX_STEPS), "op": "in", "value": list(range(100))}
    assert len(check_filters([widest] * MAX_FILTERS)) == MAX_FILTERS
    assert check_filters([{"path": "a", "op": "exists"}])[0].value is True


@given(json, st.lists(st.text(max_size=3)))
def test_checking_never_breaks(raw, ids):
    """Whatever JSON comes as filters: filters or a clear error; and they take any payload."""
    try:
        filters = check_filters(raw)
    except InvalidInput as error:
        assert error.fields
    else:
        wants(replace(WEBHOOK, filters=filters), ids, raw)


@given(
    json,
    st.lists(st.sampled_from(["a", "0", "b", "", "é"]), min_size=1, max_size=4),
    st.sampled_from(FilterOp),
    json,
)
def test_wanting_never_breaks(payload, steps, op, value):
    """No payload and no stored filter, however odd, raises."""
    condition = Filter(path=".".join(steps), op=op, value=value)
    assert wants(replace(WEBHOOK, filters=(condition,)), (), payload) in (True, False)


@given(json)
def test_a_value_equals_itself(value):
    """What stands at a path equals itself, if it is a scalar of JSON."""
    if isinstance(value, list | dict) or (isinstance(value, float) and math.isnan(value)):
        return
    condition = Filter(path="a", op=FilterOp.EQUALS, value=value)
    assert wants(replace(WEBHOOK, filters=(condition,)), (), {"a": value})
