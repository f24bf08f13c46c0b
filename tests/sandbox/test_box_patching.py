"""JSON patches of the sandbox's metadata: all of one, or nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.providers.box.sandbox.patching import BadPatch, Untrue, patched

_VALUES = st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=4)
_POINTERS = st.text(max_size=4).map(lambda key: "/" + key.replace("~", "~0").replace("/", "~1"))
_OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "replace", "remove", "test", "move", "copy", "spin"])},
    optional={"path": _POINTERS | st.text(max_size=3), "from": _POINTERS, "value": st.text(max_size=4)},
)  # fmt: skip


@given(_VALUES, st.lists(_OPERATIONS, max_size=5) | st.text())
def test_a_patch_is_done_as_a_whole_or_not_at_all(values, operations):
    """Whatever is asked: fields, or one of two refusals; what was there before stays as it was."""
    before = json.dumps(values)
    try:
        after = patched(values, operations)
    except (BadPatch, Untrue):
        after = None
    assert json.dumps(values) == before
    if after is not None:
        tests = [one for one in operations if one["op"] == "test"]
        assert operations and all("value" in one for one in tests)


@given(_VALUES, st.text(max_size=4), st.text(max_size=4))
def test_what_is_added_can_be_tested_moved_and_removed(values, key, value):
    """Keys of any signs, escaped as RFC 6901 says."""
    path = "/" + key.replace("~", "~0").replace("/", "~1")
    there = patched(values, [{"op": "add", "path": path, "value": value}])
    assert there == values | {key: value}
    assert patched(there, [{"op": "test", "path": path, "value": value}]) == there
    with pytest.raises(Untrue):
        patched(there, [{"op": "test", "path": path, "value": value + "x"}])
    gone = patched(there, [{"op": "remove", "path": path}])
    assert gone == {name: one for name, one in values.items() if name != key}


def test_moves_and_copies():
    """A copy leaves the old field, a move does not; onto itself nothing changes."""
    values = {"a": "1", "b": "2"}
    assert patched(values, [{"op": "copy", "from": "/a", "path": "/c"}]) == values | {"c": "1"}
    assert patched(values, [{"op": "move", "from": "/a", "path": "/b"}]) == {"b": "1"}
    assert patched(values, [{"op": "move", "from": "/a", "path": "/a"}]) == values
    for wrong in ({"op": "move", "from": "/x", "path": "/b"}, {"op": "add", "path": "/a/b", "value": ""},
                  {"op": "replace", "path": "/x", "value": "1"}, {"op": "add", "path": "/a"}, "no"):  # fmt: skip
        with pytest.raises(BadPatch):
            patched(values, [wrong])
