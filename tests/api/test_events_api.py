"""`/v1/events`, `/v1/receipts` and `/v1/rejected`."""

import pytest

from fakes.hub import START
from inkwire.model.access import Scope
from inkwire.model.event import Term, TermKind
from inkwire.model.receipt import Rejection
from inkwire.model.verdict import Reason
from inkwire.store.contract import Dispatched

BODY = b'\xff\x00<script>alert(1)</script>{"id":"1"}'


def done(batch):
    """Dispatches a batch, finding one term in each event."""
    term = Term(kind=TermKind.EMAIL, value="ada@example.com")
    return [Dispatched(event_id=waiting.event.id, terms=(term,)) for waiting in batch]


def test_events_are_listed_newest_first_a_page_at_a_time(admin, rooms):
    """`next` leads through all pages, each event once, and is null at the end."""
    made = []
    for number in range(5):
        rooms.clock.advance(seconds=1)
        made.append(rooms.receive(key=str(number).encode()).events[0].id)
    seen, target = [], "/v1/events?limit=2"
    while target:
        page = admin.get(target).json()
        seen += [event["id"] for event in page["items"]]
        target = f"/v1/events?limit=2&before={page['next']}" if page["next"] else None
    assert seen == made[::-1]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("source=acme-main", {"a", "b"}),
        ("source=nope", set()),
        ("type=acme.lost", {"b"}),
        ("entity=acme:thing:1", {"a", "b"}),
        ("state=new", {"a"}),
        ("state=quarantined", {"b"}),
        ("since=2026-11-03T09:30:10Z", {"b"}),
        ("until=2026-11-03T09:30:10Z", {"a"}),
        ("since=2026-11-03T10:30:10%2B01:00", {"b"}),
        ("text=ada@ex", {"a"}),
        ("text=bob", set()),
        ("type=acme.made&state=quarantined", set()),
    ],
)
def test_filters_reach_the_store(admin, rooms, query, found):
    """Each filter narrows the list, and all that are given must hold."""
    ids = {"a": rooms.receive(key=b"a").events[0].id}
    rooms.store.dispatch.take(10, done)
    rooms.clock.advance(seconds=10)
    ids["b"] = rooms.receive(key=b"b", event_type="acme.lost", quarantine=Reason.STALE).events[0].id
    items = admin.get(f"/v1/events?{query}").json()["items"]
    assert {item["id"] for item in items} == {ids[name] for name in found}


def test_newer_events_are_found_by_after(admin, rooms):
    """A live page asks only for what came since."""
    old = rooms.receive(key=b"a").events[0].id
    rooms.clock.advance(seconds=1)
    new = rooms.receive(key=b"b").events[0].id
    items = admin.get(f"/v1/events?after={old}").json()["items"]
    assert [item["id"] for item in items] == [new]


@pytest.mark.parametrize(
    "moment",
    [
        "yesterday",
        "1730628600",
        "2026-11-03",
        "2026-11-03T09:30:00",
        "2026-02-30T00:00:00Z",
        "2026-11-03T24:61:00Z",
        "0001-01-01T00:00:00%2B23:59",
        "9999-12-31T23:59:59-23:59",
        "%D9%A2%D9%A0%D9%A2%D9%A6-11-03T09:30:00Z",
        "",
    ],
)
def test_a_time_is_rfc_3339_or_refused(idle, moment):
    """Anything else gets a sentence with an example, or says that there is no such time."""
    answer = idle.get(f"/v1/events?since={moment}")
    assert answer.status == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "since"
    assert "RFC 3339" in error["detail"] or "no time that exists" in error["detail"]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"])
def test_times_at_the_ends_of_the_calendar_are_taken(idle, moment):
    """The first and the last moment there is are just filters."""
    assert idle.get(f"/v1/events?since={moment}&until={moment}").status == 200


@pytest.mark.parametrize("target", ["events?sorce=a", "rejected?state=new", "audit?after=a"])
def test_a_filter_that_is_not_there_is_refused(idle, target):
    """A misspelt filter must not look as if it had matched everything."""
    answer = idle.get(f"/v1/{target}")
    assert answer.status == 422
    assert "is no field here" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1.5", "9" * 5000, ""])
def test_a_limit_is_from_1_to_200(idle, limit):
    """A page is never larger, and the wrong field is named."""
    answer = idle.get(f"/v1/events?limit={limit}")
    assert answer.status == 422
    assert answer.json()["errors"][0]["field"] == "limit"


def test_an_event_tells_everything_but_the_body(client, rooms):
    """Receipt facts, terms and every delivery; headers and body are not in it."""
    intake = rooms.receive(body=b'{"id":"1","note":"n0te"}')
    rooms.store.dispatch.take(10, done)
    again = rooms.receive(body=b'{"id":"1","note":"n0te"}')
    reader = client(Scope.EVENTS_READ)
    first, second = intake.events[0].id, again.events[0].id
    answer = reader.get(f"/v1/events/{first}")
    detail = answer.json()
    assert detail["event"]["id"] == first
    assert detail["event"]["dispatched_at"] == "2026-11-03T09:30:00Z"
    assert detail["receipt"]["id"] == intake.receipt_id
    assert detail["receipt"]["remote"] == "192.0.2.1"
    assert {"kind": "email", "value": "ada@example.com"} in detail["terms"]
    assert [(d["id"], d["duplicate_of"]) for d in detail["deliveries"]] == [
        (first, None),
        (second, first),
    ]
    assert b"n0te" not in answer.body
    assert b"authorization" not in answer.body
    assert reader.get("/v1/events/evt_nope").status == 404


def test_the_raw_body_is_exact_and_cannot_run(client, rooms):
    """Every byte as received, under headers that keep a browser from running it."""
    intake = rooms.receive(body=BODY)
    answer = client(Scope.EVENTS_BODY).get(f"/v1/events/{intake.events[0].id}/raw")
    assert answer.status == 200
    assert answer.body == BODY
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["cache-control"] == "no-store"


def test_a_duplicate_shows_the_body_that_the_first_holds(admin, rooms):
    """An exact duplicate keeps no body of its own, and need not."""
    rooms.receive(body=BODY)
    again = rooms.receive(body=BODY)
    assert not rooms.store.events.receipt(again.receipt_id).has_body
    assert admin.get(f"/v1/events/{again.events[0].id}/raw").body == BODY


def test_a_duplicate_with_another_body_shows_its_own(admin, rooms):
    """Same key, other bytes: the conflict can be looked at from both sides."""
    first = rooms.receive(body=b"one")
    second = rooms.receive(body=b"two")
    assert admin.get(f"/v1/events/{second.events[0].id}").json()["event"]["conflict"] is True
    assert admin.get(f"/v1/events/{first.events[0].id}/raw").body == b"one"
    assert admin.get(f"/v1/events/{second.events[0].id}/raw").body == b"two"


def test_a_receipt_shows_its_headers_without_credentials(client, rooms):
    """Headers in order, repeats kept, credentials redacted."""
    headers = ((b"x-a", b"1"), (b"x-a", b"\xe4"), (b"authorization", b"Basic c2VjcmV0"))
    intake = rooms.receive(headers=headers)
    answer = client(Scope.EVENTS_BODY).get(f"/v1/receipts/{intake.receipt_id}")
    detail = answer.json()
    assert detail["headers"] == [
        {"name": "x-a", "value": "1"},
        {"name": "x-a", "value": "ä"},
        {"name": "authorization", "value": "«redacted»"},
    ]
    assert [event["id"] for event in detail["events"]] == [intake.events[0].id]
    assert detail["receipt"]["has_body"] is True
    assert b"c2VjcmV0" not in answer.body


def test_a_quarantined_receipt_is_released(client, rooms):
    """Once; it says by which key, and its event waits for dispatch."""
    intake = rooms.receive(quarantine=Reason.STALE)
    writer = client(Scope.EVENTS_WRITE)
    answer = writer.post(f"/v1/receipts/{intake.receipt_id}/release")
    assert answer.status == 200
    assert answer.json()["state"] == "released"
    assert answer.json()["released_by"].startswith("key:key_")
    assert rooms.store.dispatch.backlog() == 1
    assert writer.post(f"/v1/receipts/{intake.receipt_id}/release").status == 409
    assert writer.post("/v1/receipts/rcp_nope/release").status == 404


def test_an_event_is_dispatched_again(admin, rooms):
    """202: the worker takes it up; a quarantined one is a conflict."""
    event = rooms.receive().events[0].id
    rooms.store.dispatch.take(10, done)
    answer = admin.post(f"/v1/events/{event}/dispatch")
    assert answer.status == 202
    assert answer.json()["dispatched_at"] is None
    held = rooms.receive(key=b"2", quarantine=Reason.STALE).events[0].id
    assert admin.post(f"/v1/events/{held}/dispatch").status == 409


def test_refused_requests_are_listed_with_a_hint(admin, client, rooms):
    """Newest first, filtered by source and reason, paged."""
    reasons = (Reason.BAD_SIGNATURE, Reason.STALE, Reason.BAD_SIGNATURE)
    rows = [
        Rejection(
            id=rooms.ids.new("rej"),
            source_id=f"acme-{number}",
            provider="acme",
            at=START,
            status=401,
            reason=reason,
            detail="The signature does not match.",
            hint="Signed with another key?",
            remote="192.0.2.1",
            method="POST",
            path="/in/acme",
            body_size=12,
            headers=(("x-a", "1"), ("authorization", "«redacted»")),
        )
        for number, reason in enumerate(reasons)
    ]
    rooms.store.inbound.reject(rows)
    everything = admin.get("/v1/rejected").json()
    assert [item["id"] for item in everything["items"]] == [row.id for row in reversed(rows)]
    assert everything["next"] is None
    assert everything["items"][0]["hint"] == "Signed with another key?"
    assert everything["items"][0]["headers"][0] == {"name": "x-a", "value": "1"}
    unseen = client(Scope.EVENTS_READ).get("/v1/rejected").json()["items"]
    assert [item["headers"] for item in unseen] == [None] * len(rows)
    page = admin.get("/v1/rejected?limit=1&reason=bad_signature").json()
    assert page["next"] == rows[2].id
    rest = admin.get(f"/v1/rejected?reason=bad_signature&before={page['next']}").json()
    assert [item["id"] for item in rest["items"]] == [rows[0].id]
    assert len(admin.get("/v1/rejected?source=acme-1").json()["items"]) == 1
    assert admin.get("/v1/rejected?reason=nope").status == 422
