"""What the store showed or kept that it should not have, and one bad secret that stopped all."""

from dataclasses import replace

import structlog

from contract.store_kit import START, Hub
from inkwire.model.verdict import Accepted, MatchedOn


def test_a_secret_that_does_not_open_stops_only_its_source(hub: Hub):
    """The others are opened; the log names the secret, not what it is."""
    for source_id in ("broken", "sound"):
        hub.add_source(source_id, hub.secret(b"top-" + source_id.encode()))
    hub.sql("UPDATE source_secrets SET sealed = %s WHERE source_id = %s", b"\x01" * 60, "broken")
    with structlog.testing.capture_logs() as logs:
        opened = hub.store.sources.open_secrets(START)
    assert {key: [s.value for s in found] for key, found in opened.items()} == {
        "sound": [b"top-sound"]
    }
    (line,) = logs
    assert (line["log_level"], line["source"]) == ("warning", "broken")
    assert "top-" not in str(line)


def test_whitespace_variants_of_a_late_request_are_one(make_hub):
    """The signature covers the canonical text, so that is what tells two of them apart."""
    hub = make_hub(quarantine_rows=50)
    proof = Accepted(
        secret_id="s", matched_on=MatchedOn.RESERIALIZED, signed_at=START, canonical=b'{"a":1}'
    )
    variants = [
        hub.stale(hub.event(b"%d" % n), body=b'{"a":' + b" " * n + b"1}", proof=proof)
        for n in range(1, 9)
    ]
    kept = [stored.kept for stored in hub.put(*variants)]
    assert kept == [True, *[False] * 7]
    others = (
        replace(proof, canonical=b'{"a":2}'),
        replace(proof, signed_at=START.replace(hour=11)),
    )
    for other in others:
        assert hub.put(hub.stale(body=b'{"a": 1}', proof=other))[0].kept


def test_the_query_is_sealed(hub: Hub):
    """It may carry a token or a signature: opened with the headers, and nowhere in plain."""
    intake = hub.intake(query=b"signature=tell-nobody&x=\xff")
    hub.put(intake)
    assert hub.store.inbound.open_receipt(intake.receipt_id).query == intake.query
    assert b"tell-nobody" not in hub.everything()
    assert "tell-nobody" not in repr(hub.store.events.receipt(intake.receipt_id))
    assert "tell-nobody" not in repr(hub.store.inbound.open_receipt(intake.receipt_id))
    (given,) = hub.dispatch()
    assert given.opened.query == intake.query
