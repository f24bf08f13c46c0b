"""Files of any size are streamed; a stream that breaks says so; versions are told apart."""

import hashlib
from pathlib import Path

import pytest
import requests

from fakes.box_server import BoxServer, Reply
from inkwire.errors import NeedsAttention, Permanent, Transient
from inkwire.providers.box.objects import BoxRef, BoxUser

CONTENT = "/2.0/files/9/content"
MB = 1024 * 1024


def linked(kit, *replies: Reply) -> BoxServer:
    """Another host, which the API points to for the file's bytes."""
    other = BoxServer()
    other.on("GET", "/d/secret", *replies)
    kit.server.on("GET", CONTENT, Reply(302, headers={"Location": f"{other.url}/d/secret"}))
    return other


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_a_file_comes_in_pieces_and_without_the_token(kit):
    """The host that holds it gets no token; the two requests are recorded, the link is not."""
    content = bytes(range(256)) * 4096 * 3
    other = linked(kit, Reply(body=content))
    try:
        with kit.box.open_file("9", version_id="90") as file:
            assert file.size == len(content)
            pieces = list(file.pieces)
            assert len(kit.calls) == 1  # the second is recorded when it is over
        assert b"".join(pieces) == content and max(map(len, pieces)) <= MB
        assert kit.server.seen[0].path == f"{CONTENT}?version=90"
        assert "authorization" not in other.seen[0].headers
        assert [(call["path"], call["status"], call["error"]) for call in kit.calls] == [
            (f"{CONTENT}?version", 302, ""), (f"{other.url}/…", 200, "")
        ]  # fmt: skip
    finally:
        other.close()


def test_a_file_larger_than_any_other_answer_passes(kit):
    """300 MB, of which never more than a few are held: other answers end at 256 MB."""
    size, digest, before, most, count = 300 * MB, hashlib.sha1(), resident(), 0, 0
    content = bytes(size)
    other = linked(kit, Reply(body=content))
    before = resident()
    try:
        with kit.box.open_file("9") as file:
            for piece in file.pieces:
                count += len(piece)
                digest.update(piece)
                most = max(most, resident())
    finally:
        other.close()
    assert (count, digest.hexdigest()) == (size, hashlib.sha1(content).hexdigest())
    # The server beside us answers out of one buffer, and has it before the client begins.
    assert most - before < 40 * MB


@pytest.mark.parametrize("short", [0, 1, 2 * MB - 1])
def test_a_stream_that_ends_too_early_is_tried_again(kit, short):
    """Half a file is no file: Transient, and the record says that it broke."""
    other = linked(kit, Reply(body=bytes(2 * MB), short=short))
    try:
        with kit.box.open_file("9") as file, pytest.raises(Transient):
            list(file.pieces)
        assert kit.calls[-1]["status"] == 200 and kit.calls[-1]["error"]
    finally:
        other.close()


def test_a_defect_of_the_reader_is_not_blamed_on_box(kit):
    """Whoever reads may fail by itself, also with an error of the same library."""
    kit.server.on("GET", CONTENT, Reply(body=bytes(3 * MB)))
    with pytest.raises(requests.ConnectionError), kit.box.open_file("9") as file:
        next(file.pieces)
        raise requests.ConnectionError("Salesforce went away")
    assert [(call["status"], call["error"]) for call in kit.calls] == [(200, "")]


def test_a_file_that_is_not_ready_or_not_there(kit):
    """202 waits as Box asks; 404 is a person's; both before a byte is read."""
    kit.server.on("GET", CONTENT, Reply(202, headers={"Retry-After": "11"}), Reply(404))
    with pytest.raises(Transient) as raised, kit.box.open_file("9"):
        pytest.fail("there is nothing to read")
    assert raised.value.retry_after_s == 11
    with pytest.raises(Permanent), kit.box.open_file("9"):
        pytest.fail("there is nothing to read")
    with pytest.raises(Permanent), kit.box.open_file("../users/me"):
        pytest.fail("that is no id")


def test_a_refused_token_is_exchanged_once_for_a_stream_too(kit):
    """One refresh; the second 401 needs a person, who is told."""
    kit.server.on("GET", CONTENT, Reply(401), Reply(body=b"abc"), Reply(401))
    with kit.box.open_file("9") as file:
        assert b"".join(file.pieces) == b"abc"
    assert kit.tokens.refused == [None, "t1"] and kit.attention == []
    with pytest.raises(NeedsAttention) as raised, kit.box.open_file("9"):
        pytest.fail("there is nothing to read")
    assert kit.attention == [raised.value.message]


def test_a_stream_does_not_lead_into_the_network_inside(kit):
    """Each hop meets the guard, and there are few of them."""
    kit.server.on("GET", CONTENT, Reply(302, headers={"Location": "http://169.254.169.254/x"}))
    with pytest.raises(NeedsAttention), kit.box.open_file("9"):
        pytest.fail("nothing is read there")
    kit.server.on("GET", "/2.0/files/8/content", Reply(302, headers={"Location": "?again"}))
    with pytest.raises(Permanent), kit.box.open_file("8"):
        pytest.fail("it goes in a circle")
    assert len(kit.server.sent("GET", "/2.0/files/8/content")) == 4


def test_a_file_tells_where_it_lies_and_who_changed_it(kit):
    """Path without All Files, the version's number (Box writes it as text), lock, author."""
    entries = [{"id": "0", "name": "All Files"}, {"id": "5", "name": "Clients"},
               {"id": "6", "name": "ACME – Müller"}]  # fmt: skip
    row = {
        "id": "9", "name": "a.pdf", "size": 3, "sha1": "AB", "file_version": {"id": "90"},
        "parent": {"id": "6"}, "path_collection": {"total_count": 3, "entries": entries},
        "version_number": "12", "lock": {"id": "1", "type": "lock"},
        "modified_by": {"id": "7", "name": "Sam", "login": "sam@example.com"},
    }  # fmt: skip
    kit.server.on("GET", "/2.0/files/9", Reply(json=row), Reply(json={"id": "9", "lock": None}))
    file = kit.box.file("9")
    assert file is not None and file.path == (
        BoxRef(id="5", name="Clients"), BoxRef(id="6", name="ACME – Müller")
    )  # fmt: skip
    assert (file.version_number, file.locked) == (12, True)
    assert file.modified_by == BoxUser(id="7", name="Sam", login="sam@example.com")
    assert {"path_collection", "version_number", "lock"} <= set(
        kit.server.seen[0].path.partition("fields=")[2].replace("%2C", ",").split(",")
    )
    bare = kit.box.file("9")
    assert bare is not None and (bare.version_number, bare.locked, bare.path) == (0, False, ())


def test_versions_begin_with_the_present_one_and_repeat_none(kit):
    """Box lists the older ones only, page by page; one that comes meanwhile shifts the pages."""
    now = {"id": "9", "file_version": {"id": "v3"}, "version_number": "3", "sha1": "CC", "size": 3}
    kit.server.on("GET", "/2.0/files/9", Reply(json=now))
    first = [{"id": f"v{n}", "sha1": "aa", "size": 1, "version_number": str(n)}
             for n in range(2000, 1000, -1)]  # fmt: skip
    last = [first[-1], {"id": "v1", "name": "old.txt", "version_number": "1"}]
    kit.server.on("GET", "/2.0/files/9/versions", Reply(json={"entries": first}),
                  Reply(json={"entries": last}))  # fmt: skip
    found = list(kit.box.versions("9"))
    assert [one.id for one in found[:2]] == ["v3", "v2000"] and len(found) == 1002
    assert (found[0].number, found[0].sha1, found[-1].name) == (3, "cc", "old.txt")
    asked = [one.path for one in kit.server.sent("GET", "/2.0/files/9/versions")]
    assert "offset=0" in asked[0] and "offset=1000" in asked[1] and len(asked) == 2
    assert list(kit.box.versions("8")) == []
