"""Every answer that the endpoint gives, over a real socket."""

import json

import pytest

from ingest.kit import BODY, KEY, NOW, http, running, toy_source
from inkwire.errors import CipherError, StoreBusy, StoreFull, Unparsable
from inkwire.model.event import EventState
from inkwire.model.request import Reply
from inkwire.model.source import Secret
from inkwire.model.verdict import Reason


def kept(hub):
    """The committed intakes."""
    return list(hub.store.inbound.kept.values())


async def test_a_proven_request_is_stored_whole_and_answered_as_the_provider_wants(hub):
    """The receipt holds what came, byte for byte, and the sender gets its provider's 2xx."""
    headers = {**hub.signed(), "X-Twice": "one", "Content-Type": "application/json"}
    raw = http(path="/in/toy?a=1&a=2", headers=headers, body=BODY)
    raw = raw.replace(b"X-Twice: one", b"X-Twice: one\r\nX-Twice: two")
    answer = await hub.send(raw)
    assert (answer.status, answer.body) == (202, b"toy says thanks")
    assert answer.headers["content-type"] == "text/plain"
    [intake] = kept(hub)
    assert answer.headers["inkwire-receipt"] == intake.receipt_id
    assert intake.receipt_id.startswith("rcp_")
    assert (intake.source_id, intake.provider, intake.method) == ("toy", "toy", "POST")
    assert (intake.path, intake.query, intake.body) == ("/in/toy", b"a=1&a=2", BODY)
    assert [value for name, value in intake.headers if name == b"x-twice"] == [b"one", b"two"]
    assert intake.remote == "127.0.0.1"
    assert intake.received_at == NOW
    assert intake.proof.secret_id == KEY.id
    assert intake.quarantine is None
    [event] = intake.events
    assert event.id.startswith("evt_")
    assert (event.parsed.type, event.state) == ("toy.made", EventState.NEW)
    assert hub.ingest.metrics.accepted == 1


async def test_a_trailing_slash_is_the_same_source_and_nothing_else_is(hub):
    """`/in/{id}` and `/in/{id}/` are one address; no other spelling is."""
    assert (await hub.post(path="/in/toy/")).status == 202
    for path in ("/in/toy//", "/in/toy/x", "/in/", "/in", "/in/%74oy", "/IN/toy", "/in/Toy", "/"):
        assert (await hub.post(path=path)).status == 404, path
    assert len(kept(hub)) == 1


async def test_an_unknown_source_is_404_and_logged_with_what_the_url_said(hub):
    """An operator can see that a provider still sends to a source that is gone."""
    answer = await hub.post(path="/in/gone")
    assert answer.status == 404
    [row] = await hub.rejections()
    assert (row.source_id, row.provider, row.reason) == ("gone", None, Reason.UNKNOWN_SOURCE)
    assert row.hint


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method_is_405_and_names_post(hub, method):
    """Only POST is a webhook; the answer says so."""
    answer = await hub.send(http(method, headers=hub.signed()))
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    [row] = await hub.rejections()
    assert (row.reason, row.method) == (Reason.METHOD, method)


async def test_head_is_405_without_a_body(hub):
    """A HEAD answer has no body, so the connection stays in step."""
    reader, writer = await hub.connect()
    writer.write(http("HEAD") + http(headers=hub.signed(), body=BODY))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 202")
    writer.close()
    await writer.wait_closed()


async def test_a_provider_may_answer_a_get_handshake(hub):
    """Vendors that probe the address at set-up get what they look for, and nothing is stored."""
    answer = await hub.send(http("GET", "/in/toy?hello=abc"))
    assert (answer.status, answer.body) == (200, b"abc")
    assert "inkwire-receipt" not in answer.headers
    assert not kept(hub)


@pytest.mark.parametrize(
    "encoding", ["gzip", "GZIP", "br", "identity, gzip", "deflate", "x-unknown"]
)
async def test_an_encoded_body_is_415(hub, encoding):
    """Signatures cover plain bytes; a compressed body is refused, never guessed at."""
    answer = await hub.send(http(headers={**hub.signed(), "Content-Encoding": encoding}, body=BODY))
    assert (answer.status, answer.headers["accept-encoding"]) == (415, "identity")
    assert not kept(hub)


@pytest.mark.parametrize("encoding", ["identity", " Identity ", ""])
async def test_identity_is_no_encoding(hub, encoding):
    """`Content-Encoding: identity` means plain."""
    answer = await hub.send(http(headers={**hub.signed(), "Content-Encoding": encoding}, body=BODY))
    assert answer.status == 202


async def test_a_refusal_tells_the_sender_nothing_and_the_operator_everything(hub):
    """401 holds the class only; reason, detail, the provider's hint and headers are in the log."""
    headers = {
        **hub.signed(key=Secret(id="x", role="key", value=b"wrong")),
        "Authorization": "Bearer very-secret",
        "Cookie": "session=very-secret",
        "X-Shown": "yes",
    }
    answer = await hub.send(http(path="/in/toy?token=very-secret", headers=headers, body=BODY))
    assert answer.status == 401
    assert json.loads(answer.body) == {"status": 401, "title": "Not accepted."}
    [row] = await hub.rejections()
    assert (row.reason, row.status) == (Reason.BAD_SIGNATURE, 401)
    assert row.detail == "No key gives this signature."
    assert row.hint == "Toy hint for bad_signature."
    assert (row.remote, row.body_size, row.path) == ("127.0.0.1", len(BODY), "/in/toy")
    assert row.id.startswith("rej_")
    shown = dict(row.headers)
    assert shown["x-shown"] == "yes"
    assert "very-secret" not in repr(row)
    assert not kept(hub)
    assert hub.ingest.metrics.refused[Reason.BAD_SIGNATURE] == 1


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, Reason.MISSING_HEADER),
        ({"X-Toy-Time": "nine", "X-Toy-Signature": "00"}, Reason.MALFORMED),
        ({"X-Toy-Time": "1795348800", "X-Toy-Signature": "00"}, Reason.BAD_SIGNATURE),
    ],
)
async def test_every_refusal_looks_the_same_from_outside(hub, headers, reason):
    """Missing, malformed and wrong signatures get one and the same 401 (R118)."""
    answer = await hub.send(http(headers=headers, body=BODY))
    assert answer.status == 401
    assert json.loads(answer.body) == {"status": 401, "title": "Not accepted."}
    [row] = await hub.rejections()
    assert row.reason is reason


async def test_a_future_signature_is_refused_and_not_kept(hub):
    """Only what is stale can have been right once; the future is refused."""
    headers = hub.signed()
    hub.clock.advance(seconds=-301)
    assert (await hub.send(http(headers=headers, body=BODY))).status == 401
    assert not kept(hub)


async def test_a_stale_request_is_in_quarantine_before_its_401(hub):
    """After an outage nothing that was signed is gone, though it is answered 401."""
    headers = hub.signed()
    hub.clock.advance(seconds=301)
    hub.store.inbound.gate.clear()
    reader, writer = await hub.connect()
    writer.write(http(headers=headers, body=BODY))
    await _begun(hub)
    assert not reader._buffer
    hub.store.inbound.gate.set()
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401")
    [intake] = kept(hub)
    assert (intake.quarantine, intake.body) == (Reason.STALE, BODY)
    assert intake.proof.secret_id == KEY.id
    assert hub.ingest.metrics.quarantined == 1
    assert hub.ingest.metrics.accepted == 0
    writer.close()
    await writer.wait_closed()


async def _begun(hub):
    """Waits until a commit has begun."""
    import asyncio

    assert await asyncio.to_thread(hub.store.inbound.began.wait, 5)


async def test_a_quarantine_that_cannot_be_stored_is_503(hub):
    """401 would tell the provider to give up on something that we did not keep."""
    headers = hub.signed()
    hub.clock.advance(seconds=301)
    hub.store.inbound.bad_rows[BODY] = StoreBusy()
    assert (await hub.send(http(headers=headers, body=BODY))).status == 503


@pytest.mark.parametrize("body", [b"not json", b"", b"\xff\xfe", b"[]", b"[1]", b'{"a":'])
async def test_an_unparsable_body_is_stored_and_answered_as_usual(hub, body):
    """A proven body is never lost, whatever is in it."""
    answer = await hub.post(body)
    assert (answer.status, answer.body) == (202, b"toy says thanks")
    [intake] = kept(hub)
    assert intake.body == body
    [event] = intake.events
    assert (event.parsed.type, event.state) == ("toy.unparsable", EventState.UNPARSABLE)


async def test_several_events_come_from_one_body_in_order(hub):
    """Each element is an event of its own, with the position it had."""
    await hub.post(b'[{"id":"1","type":"a"},{"id":"2","type":"b"},{"id":"3","type":"c"}]')
    [intake] = kept(hub)
    assert [event.parsed.type for event in intake.events] == ["toy.a", "toy.b", "toy.c"]
    assert len({event.id for event in intake.events}) == 3


async def test_a_duplicate_is_acknowledged_and_counted(hub):
    """A provider's repeat gets the same answer; it is no new event (R89)."""
    assert [(await hub.post()).status for _ in range(3)] == [202, 202, 202]
    assert (hub.ingest.metrics.accepted, hub.ingest.metrics.duplicates) == (3, 2)


@pytest.mark.parametrize(
    ("limits", "body", "state"),
    [
        ({"event_types": ("toy.made",)}, b'{"type":"made"}', EventState.NEW),
        ({"event_types": ("toy.made",)}, b'{"type":"gone"}', EventState.FILTERED),
        ({"document_ids": ("d1",)}, b'{"document":"d1"}', EventState.NEW),
        ({"document_ids": ("d1",)}, b'{"document":"d2"}', EventState.FILTERED),
        ({"document_ids": ("d1",)}, b"{}", EventState.FILTERED),
        ({"event_types": ("toy.made",), "document_ids": ("d1",)}, b"{}", EventState.FILTERED),
        ({"event_types": ("toy.made",)}, b"not json", EventState.UNPARSABLE),
    ],
)
async def test_a_source_is_limited_to_types_and_documents(tmp_path, limits, body, state):
    """What a source is not meant for is kept and answered, and marked as filtered (R131)."""
    async with running(tmp_path, source=toy_source(**limits)) as hub:
        assert (await hub.post(body)).status == 202
        [intake] = kept(hub)
        assert [event.state for event in intake.events] == [state]


async def test_a_paused_source_still_stores_and_answers(tmp_path):
    """Pausing holds dispatch back; no event is lost by it, no forger gets in by it."""
    async with running(tmp_path, source=toy_source(paused=True)) as hub:
        assert (await hub.post()).status == 202
        assert (await hub.send(http(body=BODY))).status == 401
        assert len(kept(hub)) == 1


async def test_a_source_without_a_valid_secret_proves_nobody(tmp_path):
    """No secret means no proof: refused, with the reason in the log."""
    async with running(tmp_path) as hub:
        hub.store.sources.secrets["toy"] = ()
        await hub.ingest.reload()
        assert (await hub.post()).status == 401
        [row] = await hub.rejections()
        assert (row.reason, bool(row.hint)) == (Reason.NO_SECRET, True)


async def test_a_source_whose_provider_is_missing_is_503_not_404(hub):
    """A package that was not installed after an upgrade must not end a vendor's retries."""
    hub.store.sources.put(toy_source(id="other", provider="elsewhere"), KEY)
    await hub.ingest.reload()
    assert (await hub.post(path="/in/other")).status == 503
    [row] = await hub.rejections()
    assert (row.reason, row.provider) == (Reason.UNAVAILABLE, "elsewhere")


async def test_headers_beyond_64_kib_are_431(hub):
    """Headers are stored with the receipt, so their size is bounded."""
    answer = await hub.send(http(headers={**hub.signed(), "X-Big": "x" * 65_600}, body=BODY))
    assert answer.status == 431
    assert not kept(hub)
    [row] = await hub.rejections()
    assert sum(len(name) + len(value) for name, value in row.headers) <= 4096


class TestOurOwnFaults:
    """A bug of ours costs an answer at most, never an event."""

    async def test_a_fault_in_verify_is_503_so_that_the_provider_repeats(self, hub):
        """Nothing is known about the sender, so nothing is stored and nothing is promised."""
        hub.receiver.faults["verify"] = KeyError("oops")
        answer = await hub.post()
        assert (answer.status, answer.headers["retry-after"]) == (503, "60")
        assert b"oops" not in answer.body
        assert not kept(hub)
        [row] = await hub.rejections()
        assert (row.reason, "KeyError" in row.detail) == (Reason.UNAVAILABLE, True)
        assert hub.ingest.metrics.faults == 1

    @pytest.mark.parametrize("error", [ZeroDivisionError(), RecursionError(), StoreBusy()])
    async def test_a_fault_in_parse_keeps_the_proven_event(self, hub, error):
        """It is stored as unparsable and can be read again once the bug is mended."""
        hub.receiver.faults["parse"] = error
        assert (await hub.post()).status == 202
        [intake] = kept(hub)
        assert [event.state for event in intake.events] == [EventState.UNPARSABLE]
        assert hub.ingest.metrics.faults == 1

    async def test_unparsable_is_no_fault(self, hub):
        """What a provider may raise is not reported as a bug."""
        hub.receiver.faults["parse"] = Unparsable("no")
        assert (await hub.post()).status == 202
        assert hub.ingest.metrics.faults == 0

    async def test_a_fault_in_reply_still_acknowledges(self, hub):
        """The event is on disk, so the sender hears a 2xx."""
        hub.receiver.faults["reply"] = ValueError()
        assert (await hub.post()).status == 200
        assert len(kept(hub)) == 1

    @pytest.mark.parametrize("reply", [Reply(status=500), Reply(content_type="a/ü")])
    async def test_a_reply_that_cannot_be_given_still_acknowledges(self, hub, reply):
        """A provider's answer to an accepted request is a 2xx, whatever its code says."""
        hub.receiver.reply = lambda events: reply
        assert (await hub.post()).status == 200
        assert hub.ingest.metrics.faults == 1

    async def test_a_fault_in_hint_still_refuses(self, hub):
        """A refusal stands without its advice."""
        hub.receiver.faults["hint"] = ValueError()
        assert (await hub.send(http(body=BODY))).status == 401

    async def test_a_fault_in_the_handshake_is_503(self, hub):
        """The vendor asks again."""
        hub.receiver.faults["handshake"] = ValueError()
        assert (await hub.send(http("GET"))).status == 503


class TestStoreThatCannot:
    """503 with Retry-After, nothing acknowledged."""

    @pytest.mark.parametrize(
        ("error", "retry_after"), [(StoreBusy(), "5"), (StoreFull(), "60"), (CipherError(), "60")]
    )
    async def test_a_row_that_fails_is_503(self, hub, error, retry_after):
        """The provider repeats what was not kept."""
        hub.store.inbound.bad_rows[BODY] = error
        answer = await hub.post()
        assert (answer.status, answer.headers["retry-after"]) == (503, retry_after)
        [row] = await hub.rejections()
        assert (row.reason, row.detail) == (Reason.UNAVAILABLE, error.message)
        hub.store.inbound.bad_rows.clear()
        assert (await hub.post()).status == 202

    async def test_an_append_that_breaks_its_promise_is_503(self, hub):
        """Even an error that no store should raise acknowledges nothing."""
        hub.store.inbound.broken = RuntimeError("disk on fire")
        assert (await hub.post()).status == 503
        hub.store.inbound.broken = None
        assert (await hub.post()).status == 202

    async def test_a_body_that_cannot_be_sealed_is_503(self, hub):
        """Without its master key the hub stores nothing in plain."""
        hub.store.inbound.seal_error = CipherError()
        assert (await hub.post()).status == 503
        assert not kept(hub)

    async def test_a_full_disk_is_503_before_the_body_is_read(self, tmp_path):
        """Below the reserve nothing is taken: the answer comes without the body."""
        async with running(tmp_path) as hub:
            hub.ingest._disk._reserve = 10**18
            answer = await hub.send(http(headers=hub.signed(), length=len(BODY)))
            assert (answer.status, answer.headers["retry-after"]) == (503, "60")
            assert not kept(hub)
