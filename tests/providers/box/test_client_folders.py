"""Folders, metadata, access and changes: what Box refuses, and what it says in several ways."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.box_server import Reply
from inkwire.errors import LimitReached, NeedsAttention, Permanent, Transient
from inkwire.providers.box.client import reading
from inkwire.providers.box.objects import BoxChange, BoxCollaboration, BoxFolder, BoxRef, NameTaken

INSTANCE = "/2.0/folders/7/metadata/enterprise/mapping"
SCHEMA = "/2.0/metadata_templates/schema"


def refusal(status: int, code: str) -> Reply:
    """Box's shape of an error."""
    return Reply(status, json={"type": "error", "status": status, "code": code, "message": "No"})


def query(seen) -> dict[str, list[str]]:
    """What stands behind the question mark."""
    return parse_qs(urlsplit(seen.path).query)


def test_a_folder_is_renamed_and_moved(kit):
    """PUT says only what changes; a taken name is told; one that is gone is a person's."""
    row = {"id": "7", "name": "New", "parent": {"id": "5"},
           "path_collection": {"entries": [{"id": "0"}, {"id": "5", "name": "Clients"}]}}  # fmt: skip
    there = {"code": "item_name_in_use", "context_info": {"conflicts": [{"id": "8"}]}}
    path = "/2.0/folders/7"
    kit.server.on("PUT", path, Reply(json=row), Reply(json=row), Reply(409, json=there), Reply(404))
    assert kit.box.change_folder("7", name="New") == BoxFolder(
        id="7", name="New", parent_id="5", path=(BoxRef(id="5", name="Clients"),)
    )
    kit.box.change_folder("7", parent_id="5")
    assert [one.json for one in kit.server.seen] == [{"name": "New"}, {"parent": {"id": "5"}}]
    assert kit.box.change_folder("7", name="New") == NameTaken(id="8", type="folder")
    with pytest.raises(Permanent):
        kit.box.change_folder("7", name="New")


def test_a_404_that_is_not_the_apis_says_nothing_of_a_file(kit):
    """A proxy's page: every file would be taken for deleted, and its work for done."""
    page = Reply(404, body=b"<html>No such site")
    for path in ("/2.0/files/7", "/2.0/folders/7", INSTANCE, "/2.0/webhooks/7"):
        kit.server.on("GET", path, page)
    for ask in (
        lambda: kit.box.file("7"),
        lambda: kit.box.folder("7"),
        lambda: kit.box.metadata("7", "mapping"),
        lambda: kit.box.webhook("7"),
    ):
        with pytest.raises(NeedsAttention, match="not from its API"):
            ask()
    assert len(kit.attention) == 4


def test_items_are_read_by_marker_and_links_left_out(kit):
    """Every page; what is neither file nor folder is not ours."""
    file = {"type": "file", "id": "9", "name": "a", "sha1": "AB", "size": 4,
            "file_version": {"id": "90"}}  # fmt: skip
    first = {"entries": [{"type": "folder", "id": "8", "name": "b"}, file], "next_marker": "m1"}
    kit.server.on("GET", "/2.0/folders/7/items", Reply(json=first),
                  Reply(json={"entries": [{"type": "web_link", "id": "1", "name": "c"}]}))  # fmt: skip
    found = list(kit.box.items("7"))
    assert [(one.type, one.id, one.version_id, one.sha1, one.size) for one in found] == [
        ("folder", "8", "", "", 0), ("file", "9", "90", "ab", 4)
    ]  # fmt: skip
    asked = [query(one) for one in kit.server.seen]
    assert [one.get("marker") for one in asked] == [None, ["m1"]]
    assert asked[0]["usemarker"] == ["true"]  # not Python's spelling


@pytest.mark.parametrize("code", ["tuple_already_exists", "conflict"])
def test_metadata_that_is_there_is_no_error(kit, code):
    """Box documents one code and has been seen to send the other."""
    made = {"opportunity_id": "006", "_own": "x", "$template": "mapping", "$version": 0}
    kit.server.on("POST", INSTANCE, Reply(201, json=made), refusal(409, code))
    values = {"opportunity_id": "006", "_own": "x"}
    assert kit.box.create_metadata("7", "mapping", values) is True
    assert kit.server.seen[0].json == values  # the SDK would have left out `_own`
    assert kit.box.create_metadata("7", "mapping", values) is False


def test_metadata_is_read_as_it_is(kit):
    """A field may be called id; nothing is put in; no instance is None."""
    there = {"id": "x", "$template": "mapping", "$scope": "enterprise_1", "$version": 3}
    bare = {"$template": "mapping", "$version": 0}
    kit.server.on("GET", INSTANCE, Reply(json=there), Reply(json=bare),
                  refusal(404, "instance_tuple_not_found"))  # fmt: skip
    assert kit.box.metadata("7", "mapping") == there
    assert kit.box.metadata("7", "mapping") == bare
    assert kit.box.metadata("7", "mapping") is None
    with pytest.raises(Permanent):
        kit.box.metadata("7", "../collaborations")


@pytest.mark.parametrize("status", [400, 409, 412])
def test_a_test_that_does_not_hold_is_none_and_nothing_else_is(kit, status):
    """Box does not document the refusal of a `test`, so the fields are looked at."""
    patch = [
        {"op": "test", "path": "/a~1b", "value": "1"},
        {"op": "replace", "path": "/c", "value": "2"},
    ]
    kit.server.on("PUT", INSTANCE, refusal(status, "bad_request"))
    other, same = ({"a/b": value, "$template": "mapping"} for value in ("9", "1"))
    kit.server.on("GET", INSTANCE, Reply(json=other), Reply(json=same), Reply(404))
    assert kit.box.change_metadata("7", "mapping", patch) is None
    with pytest.raises(Permanent):
        kit.box.change_metadata("7", "mapping", patch)
    assert kit.box.change_metadata("7", "mapping", patch) is None  # it was taken off
    sent = kit.server.sent("PUT", INSTANCE)[0]
    assert sent.headers["content-type"] == "application/json-patch+json"
    assert json.loads(sent.body) == patch


def test_a_patch_gives_the_fields_after_it(kit):
    """And on an instance that is not there, None; a limit stays a limit."""
    after = {"c": "2", "$template": "mapping", "$version": 1}
    kit.server.on("PUT", INSTANCE, Reply(json=after), Reply(404), Reply(429))
    patch = [{"op": "add", "path": "/c", "value": "2"}]
    assert kit.box.change_metadata("7", "mapping", patch) == after
    assert kit.box.change_metadata("7", "mapping", patch) is None
    with pytest.raises(LimitReached):
        kit.box.change_metadata("7", "mapping", patch)


def test_a_template_needs_an_admin(kit):
    """403 there is nobody's missing invitation: the sentence says who makes it, work goes on."""
    template = {"id": "t", "type": "metadata_template", "fields": [{"key": "a"}, {"key": "b"}]}
    kit.server.on("POST", SCHEMA, Reply(201, json=template), refusal(409, "conflict"),
                  refusal(403, "access_denied_insufficient_permissions"))  # fmt: skip
    assert kit.box.create_metadata_template("mapping", "Mapping", ("a", "b")) is True
    assert kit.server.seen[0].json["fields"] == [
        {"type": "string", "key": key, "displayName": key} for key in ("a", "b")
    ]
    assert kit.box.create_metadata_template("mapping", "Mapping", ("a",)) is False
    with pytest.raises(Permanent) as raised:
        kit.box.create_metadata_template("mapping", "Mapping", ("a",))
    assert "co-admin" in raised.value.message and kit.attention == []
    path = "/2.0/metadata_templates/enterprise/mapping/schema"
    kit.server.on("GET", path, Reply(json=template), Reply(404))
    assert kit.box.metadata_template("mapping") == ("a", "b")
    assert kit.box.metadata_template("mapping") is None


def test_access_is_given_once_and_without_a_mail(kit):
    """Who has it is None; a policy and a bad role are the work's own errors."""
    row = {"id": "3", "role": "editor", "status": "pending", "accessible_by": None,
           "invite_email": "new@example.com"}  # fmt: skip
    kit.server.on("POST", "/2.0/collaborations", Reply(201, json=row),
                  refusal(400, "user_already_collaborator"), refusal(400, "bad_request"),
                  refusal(403, "forbidden_by_policy"), Reply(drop=True))  # fmt: skip
    given = kit.box.collaborate("7", "new@example.com", "editor")
    assert given == BoxCollaboration(
        id="3", login="new@example.com", role="editor", status="pending"
    )
    sent = kit.server.seen[0]
    assert query(sent)["notify"] == ["false"]
    assert sent.json["item"] == {"type": "folder", "id": "7"}
    assert sent.json["accessible_by"] == {"type": "user", "login": "new@example.com"}
    assert kit.box.collaborate("7", "new@example.com", "editor") is None
    with pytest.raises(Permanent):
        kit.box.collaborate("7", "new@example.com", "editor")
    with pytest.raises(Permanent) as raised:
        kit.box.collaborate("7", "new@example.com", "editor")
    assert " on folder 7: a policy" in raised.value.message and kit.attention == []
    with pytest.raises(Transient):  # a second one would be refused: nothing is in doubt
        kit.box.collaborate("7", "new@example.com", "editor")


def test_access_is_listed_and_taken_away(kit):
    """Both ways to name who has it; what is gone is False."""
    rows = [{"id": "1", "role": "viewer", "status": "accepted",
             "accessible_by": {"id": "4", "login": "sam@example.com"}, "invite_email": None}]  # fmt: skip
    kit.server.on("GET", "/2.0/folders/7/collaborations", Reply(json={"entries": rows}))
    (one,) = kit.box.collaborations("7")
    assert (one.id, one.login, one.role, one.status) == (
        "1",
        "sam@example.com",
        "viewer",
        "accepted",
    )
    kit.server.on("DELETE", "/2.0/collaborations/1", Reply(204), Reply(404))
    assert kit.box.remove_collaboration("1") is True
    assert kit.box.remove_collaboration("1") is False


def test_changes_are_read_in_either_shape(kit):
    """An item is named in two ways, a position is a number or a text; strangers do no harm."""
    rows = [
        {"event_id": "e1", "event_type": "ITEM_UPLOAD", "source": {"type": "file", "id": "9"}},
        {
            "event_id": "e2",
            "event_type": "A_NEW_ONE",
            "source": {"item_type": "folder", "item_id": 8},
        },
        {"event_id": "e3", "event_type": "ADMIN_LOGIN", "source": None},
        {"event_type": "ITEM_UPLOAD", "source": {"type": "file", "id": "9"}},
        "no object",
    ]
    kit.server.on("GET", "/2.0/events", Reply(json={"entries": rows, "next_stream_position": 123}),
                  Reply(json={"entries": []}))  # fmt: skip
    page = kit.box.changes("now")
    assert page.next_position == "123" and page.changes == (
        BoxChange(event_id="e1", type="ITEM_UPLOAD", item_type="file", item_id="9"),
        BoxChange(event_id="e2", type="A_NEW_ONE", item_type="folder", item_id="8"),
    )
    assert query(kit.server.seen[0]) == {
        "stream_type": ["changes"], "stream_position": ["now"], "limit": ["500"]
    }  # fmt: skip
    with pytest.raises(Transient):
        kit.box.changes("123")


@pytest.mark.parametrize(
    ("path", "ask"),
    [("/2.0/folders/0/items", lambda box: list(box.items("0"))),
     ("/2.0/events", lambda box: box.changes("now"))],
)  # fmt: skip
def test_a_missing_scope_parks_and_names_the_box(kit, path, ask):
    """What every call would meet is the connection's."""
    kit.server.on("GET", path, refusal(403, "insufficient_scope"))
    with pytest.raises(NeedsAttention) as raised:
        ask(kit.box)
    assert "Read and write all files" in raised.value.message


_KEYS = st.sampled_from(
    ["id", "name", "lock", "entries", "path_collection", "version_number", "modified_by", "size",
     "source", "item_id", "item_type", "event_id", "next_stream_position", "file_version",
     "accessible_by", "invite_email", "login", "parent", "sha1"]
)  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=20,
)


@given(_JSON)
def test_no_answer_breaks_the_reading(answer):
    """Whatever JSON comes: a value of ours, or ValueError, which the client turns into words."""
    for read in (reading.file, reading.folder, reading.item, reading.version,
                 reading.present_version, reading.collaboration, reading.changes):  # fmt: skip
        try:
            found = read(answer)
        except ValueError:
            continue
        assert isinstance(hash(found), int)
