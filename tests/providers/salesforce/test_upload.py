"""Files as streamed multipart: whole or not at all, in constant memory, whatever they are called."""

import hashlib
import json
import resource
import tracemalloc
from email import message_from_bytes

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.exceptions import ProtocolError

from fakes.salesforce_server import BASE, Reply
from inkwire.errors import (
    Ambiguous,
    CallFailed,
    Fenced,
    LimitReached,
    NeedsAttention,
    Permanent,
    Transient,
)
from inkwire.providers.salesforce.client.drafts import HELD, MAX_FILE
from inkwire.providers.salesforce.client.multipart import Form, escaped
from inkwire.providers.salesforce.client.wire import Patience
from inkwire.providers.salesforce.objects import FileDraft

PATH = "/sobjects/ContentVersion"
RECORD, DOC, VERSION = "0065e00000AbCdEAAV", "0695e00000AbCdEAAV", "0685e00000AbCdEAAV"
MADE = Reply(201, json={"id": VERSION, "success": True, "errors": []})
MIB = 1024 * 1024
LARGE = HELD + MIB


def draft(size, name="Vertrag.pdf", **more) -> FileDraft:
    """A first version of so many bytes."""
    return FileDraft(title=name, path_on_client=name, size=size, publish_to=RECORD, **more)


def pieces(size, piece=64 * 1024):
    """A generator of so many bytes, which can be read once."""
    block = bytes(range(256)) * (piece // 256)
    while size > 0:
        yield block[:size]
        size -= len(block)


def parts_of(seen) -> list:
    """The form as the standard library reads it: an independent judge of the framing."""
    head = f"Content-Type: {seen.headers['content-type']}\r\n\r\n".encode()
    return message_from_bytes(head + seen.body).get_payload()


def test_a_small_file_goes_as_a_form(kit):
    """The fields first, then the bytes; the length is said beforehand."""
    kit.on("POST", PATH, MADE)
    made = kit.crm.upload(
        draft(5, description="Box file 7, version 8", fields={"Key__c": "k"}), [b"ab", b"", b"cde"]
    )
    assert made == VERSION
    seen = kit.server.seen[0]
    assert seen.length == int(seen.headers["content-length"])
    assert "transfer-encoding" not in seen.headers
    assert seen.body.startswith(b"--inkwire-")
    assert (
        b'\r\nContent-Disposition: form-data; name="VersionData"; filename="Vertrag.pdf"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\nabcde\r\n--" in seen.body
    )
    entity, data = parts_of(seen)
    assert entity.get_content_type() == "application/json"
    assert entity.get_param("name", header="content-disposition") == "entity_content"
    fields = fields_of(entity)
    assert fields == {
        "Title": "Vertrag.pdf", "PathOnClient": "Vertrag.pdf", "FirstPublishLocationId": RECORD,
        "Description": "Box file 7, version 8", "Key__c": "k",
    }  # fmt: skip
    assert data.get_payload(decode=True) == b"abcde"
    call = kit.calls[0]
    assert call["body_sha256"] == hashlib.sha256(b"abcde").hexdigest()
    assert call["path"] == BASE + PATH and call["status"] == 201


def fields_of(part):
    """The JSON of a part."""
    return json.loads(part.get_payload(decode=True))


def test_a_new_version_names_its_document(kit):
    """And no record: the document's links stay."""
    kit.on("POST", PATH, MADE)
    kit.crm.upload(
        FileDraft(
            title="a", path_on_client="a.pdf", size=1, document_id=DOC, reason="Box version 9"
        ),
        [b"x"],
    )
    fields = fields_of(parts_of(kit.server.seen[0])[0])
    assert fields["ContentDocumentId"] == DOC and fields["ReasonForChange"] == "Box version 9"
    assert "FirstPublishLocationId" not in fields


def test_an_empty_file_is_a_file(kit):
    """0 bytes, and the framing stands."""
    kit.on("POST", PATH, MADE)
    assert kit.crm.upload(draft(0), iter(())) == VERSION
    assert parts_of(kit.server.seen[0])[1].get_payload(decode=True) == b""


def test_two_hundred_megabytes_pass_in_little_memory(kit):
    """Neither Python's memory nor the process grows with the file; the bytes arrive as they are."""
    kit.on("POST", PATH, MADE)
    size = 200 * MIB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    try:
        assert kit.crm.upload(draft(size), pieces(size, MIB)) == VERSION
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MIB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 * 1024
    seen = kit.server.seen[0]
    assert size < seen.length == int(seen.headers["content-length"]) < size + 2000
    assert kit.calls[0]["body_sha256"] == ""
    assert seen.tail.rstrip(b"\r\n").endswith(b"--")


def test_the_bytes_arrive_as_they_are(kit):
    """A stream in odd pieces, one of them larger than what goes to the network at once."""
    kit.on("POST", PATH, MADE)
    content = [b"a" * 7, b"b" * (LARGE - 8), b"c"]
    kit.crm.upload(draft(LARGE), iter(content))
    seen = kit.server.seen[0]
    head = seen.body.index(b"octet-stream\r\n\r\n") + len(b"octet-stream\r\n\r\n")
    boundary = seen.headers["content-type"].partition("boundary=")[2].encode()
    tail = b"\r\n--" + boundary + b"--\r\n"
    whole = hashlib.md5(seen.body[:head] + b"".join(content) + tail).hexdigest()
    assert seen.md5 == whole


@pytest.mark.parametrize("given_size", [-1, 1, -MIB, MIB])
@pytest.mark.parametrize("size", [1000 + MIB, LARGE])
def test_another_size_than_announced_makes_nothing(kit, size, given_size):
    """The form breaks off before its end; a small file is not begun."""
    kit.on("POST", PATH, MADE)
    with pytest.raises(Transient, match="should have"):
        kit.crm.upload(draft(size), pieces(size + given_size))
    for seen in kit.server.seen:
        assert seen.length < int(seen.headers["content-length"])
    assert len(kit.calls) == (size > HELD) and kit.attention == []
    # The connection was dropped; the next call is not disturbed.
    assert kit.crm.upload(draft(size), pieces(size)) == VERSION


@pytest.mark.parametrize(
    "error",
    [NeedsAttention("Box"), LimitReached("Box"), Permanent("Box"), Fenced("stop"), Transient("Box")],
)  # fmt: skip
@pytest.mark.parametrize("size", [1000, LARGE])
def test_what_the_content_raises_is_the_callers(kit, error, size):
    """A refusal of Box in the middle keeps its kind, and does not blame Salesforce's connection."""
    kit.on("POST", PATH, MADE)

    def content():
        yield b"x" * 500
        raise error

    with pytest.raises(type(error)) as raised:
        kit.crm.upload(draft(size), content())
    assert raised.value is error and kit.attention == []
    assert [call["error"] for call in kit.calls] == ["broken_off"] * (size > HELD)


@pytest.mark.parametrize(
    "error",
    [ConnectionResetError("box"), BrokenPipeError("box"), TimeoutError("box"),
     requests.ConnectionError("box"), ProtocolError("box")],
)  # fmt: skip
def test_a_download_that_breaks_is_not_taken_for_our_own_connection(kit, error):
    """urllib3 would swallow some of these and wait for an answer that cannot come."""
    kit.on("POST", PATH, MADE)

    def content():
        yield b"x" * MIB
        raise error

    with pytest.raises(Transient, match="Nothing was stored"):
        kit.crm.upload(draft(LARGE), content())
    with pytest.raises(Transient, match="Nothing was stored"):
        kit.crm.upload(draft(2 * MIB), content())
    assert kit.server.came()[0].length < LARGE


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(Reply(fault="after"), Ambiguous), (Reply(502, body=b"<html>"), Ambiguous), (Reply(201, body=b"{"), Ambiguous),
     (Reply(201, json={}, fault="half"), Ambiguous), (Reply(fault="before"), Transient),
     (Reply(503, fault="early"), Transient), (Reply(413, fault="early"), CallFailed),
     (Reply(400, json=[{"errorCode": "REQUIRED_FIELD_MISSING", "message": "m", "fields": ["PathOnClient"]}]), Permanent)],
    ids=["reset after", "502", "unreadable", "half an answer", "reset before", "early 503", "early 413", "400"],
)  # fmt: skip
def test_an_upload_is_doubted_only_once_all_of_it_left(kit, reply, kind):
    """Before its closing boundary it cannot have made anything, so no probe has to wait."""
    kit.on("POST", PATH, reply)
    with pytest.raises(kind) as raised:
        kit.crm.upload(draft(64 * MIB), pieces(64 * MIB, MIB))
    if kind is CallFailed:
        assert not isinstance(raised.value, Ambiguous)
    assert len(kit.server.seen) == 1


def test_a_small_file_goes_again_after_a_401(kit):
    """It was held; a stream is used up, and the engine's next try has the new token."""
    kit.on("POST", PATH, Reply(401), MADE)
    assert kit.crm.upload(draft(3), iter([b"abc"])) == VERSION
    assert [parts_of(one)[1].get_payload(decode=True) for one in kit.server.seen] == [b"abc"] * 2


def test_a_stream_cannot_go_again_after_a_401(kit):
    """The token is refreshed, nothing was made, and the whole is tried again."""
    kit.on("POST", PATH, Reply(401), MADE)
    with pytest.raises(Transient, match="refreshed"):
        kit.crm.upload(draft(LARGE), pieces(LARGE))
    assert kit.tokens.refused == [None, "t1"] and kit.attention == []
    assert kit.crm.upload(draft(LARGE), pieces(LARGE)) == VERSION


def test_content_that_starts_anew_goes_again_after_a_401(kit):
    """A list of pieces."""
    kit.on("POST", PATH, Reply(401), MADE)
    assert kit.crm.upload(draft(LARGE), list(pieces(LARGE))) == VERSION
    assert len(kit.server.seen) == 2 and kit.server.seen[0].length == kit.server.seen[1].length


def test_a_receiver_that_pauses_is_waited_for(make_kit):
    """Time to send is not the time to connect: urllib3 takes that for both."""
    kit = make_kit(patience=Patience(connect_s=0.2))
    size = 24 * MIB
    kit.on("POST", PATH, Reply(201, json=MADE.json, fault="stall", pause_s=1.0))
    assert kit.crm.upload(draft(size), pieces(size, MIB)) == VERSION


def test_an_upload_that_takes_too_long_is_broken_off(make_kit):
    """Its time is used up (here from the start), so its end is not sent."""
    kit = make_kit(patience=Patience(whole_s=-2.0))
    kit.on("POST", PATH, MADE)
    with pytest.raises(Transient, match="took too long"):
        kit.crm.upload(draft(LARGE), pieces(LARGE))
    assert kit.server.came()[0].length < LARGE


def test_what_salesforce_does_not_take_is_refused_here(kit):
    """More than 2 GB, two places at once, or a field that is ours."""
    for wrong in (
        draft(MAX_FILE + 1),
        draft(-1),
        draft(1, document_id=DOC),
        draft(1, fields={"VersionData": "eA=="}),
        draft(1, fields={"Key c": "x"}),
        draft(1, fields={"Key__c": object()}),
        FileDraft(title="a", path_on_client="a", size=1, publish_to="../x"),
    ):
        with pytest.raises(Permanent):
            kit.crm.upload(wrong, [b"x"])
    assert kit.server.seen == [] and kit.calls == []


def test_a_missing_extension_is_named(kit):
    """R79: the sentence names the likely field."""
    kit.on("POST", PATH, Reply(400, json=[{"errorCode": "UNHEARD_OF", "message": "bad"}]))
    with pytest.raises(Permanent, match="PathOnClient"):
        kit.crm.upload(draft(1, "Vertrag"), [b"x"])


@given(
    name=st.text(max_size=60),
    content=st.binary(max_size=200),
)
@example(
    name='a"; name="entity_content"\r\n\r\n--inkwire-0--\r\n.pdf', content=b"\r\n--inkwire-0--\r\n"
)
@example(name="契約 Ünïcode 📄\\.pdf", content=b"--")
@example(name="a\ud800\x00\x1f.pdf", content=b"")
def test_no_name_and_no_content_break_the_framing(name, content):
    """Two parts, the second is the content to the byte, and the fields are what was said."""
    form = Form(
        {"PathOnClient": name, "Title": name},
        file_name=name,
        size=len(content),
        content=[content],
        boundary="inkwire-7f3a9c",
    )
    body = form.body(deadline=float("inf"))
    sent = b"".join(bytes(piece) for piece in body)
    assert len(sent) == len(body) == form.length and body.ended
    head, rest = sent.split(b"\r\nContent-Type: application/json\r\n\r\n", 1)
    entity, rest = rest.split(b"\r\n--inkwire-7f3a9c\r\n", 1)
    headers, data = rest.split(b"\r\n\r\n", 1)
    assert head == b'--inkwire-7f3a9c\r\nContent-Disposition: form-data; name="entity_content"'
    assert data == content + b"\r\n--inkwire-7f3a9c--\r\n"
    assert headers.count(b"\r\n") == 1 and headers.count(b'"') == 4 and b"\\" not in headers
    assert json.loads(entity) == {"PathOnClient": name, "Title": name}
    assert not {*'"\\\r\n\x00'} & {*escaped(name)}
