"""`inkwire events …` and `inkwire rejected …`: finding what came in, and what did not."""

import json

import pytest

from cli.kit import KEY, eventually


@pytest.fixture(scope="module")
def hub(served):
    """A running hub that got two events, one of them twice, one forged and one for nobody."""
    cli = served.cli
    cli("sources", "create", "box", "--provider", "box", "--secret", f"primary={KEY}")
    url = f"{served.url}/in/box"
    eventually(lambda: cli.json("send", "box", url, "--secret", KEY, code=None)["ok"])
    cli("send", "box:sign-completed", "--source", "box")
    cli("send", "box:sign-completed", "--source", "box")
    cli("send", "box", url, "--source", "box", "--tamper", code=1)
    cli("send", "box", f"{served.url}/in/nobody", "--secret", KEY, code=1)
    eventually(lambda: cli.json("rejected", "list", "--reason", "bad_signature"))
    eventually(lambda: cli.json("rejected", "list", "--source", "nobody"))
    eventually(lambda: all(e["dispatched_at"] for e in cli.json("events", "list")))
    return served


def _ids(found):
    return [event["id"] for event in found]


def test_list_filters(hub):
    """By source, type, state, entity, time, and by what an event can be found by."""
    cli = hub.cli
    everything = cli.json("events", "list")
    assert [event["state"] for event in everything] == ["duplicate", "new", "new"]
    newest, signed, uploaded = everything
    assert _ids(cli.json("events", "list", "--source", "box")) == _ids(everything)
    assert cli.json("events", "list", "--source", "other") == []
    assert _ids(cli.json("events", "list", "--type", uploaded["type"])) == [uploaded["id"]]
    assert _ids(cli.json("events", "list", "--state", "duplicate")) == [newest["id"]]
    assert signed["id"] in _ids(cli.json("events", "list", "--entity", signed["entity_key"]))
    assert _ids(cli.json("events", "list", "--since", "-1h", "-n", "1")) == [newest["id"]]
    assert cli.json("events", "list", "--until", "-1h") == []
    assert _ids(cli.json("events", "list", uploaded["id"])) == [uploaded["id"]]
    term = cli.json("events", "show", uploaded["id"])["terms"][0]["value"]
    assert uploaded["id"] in _ids(cli.json("events", "list", term))


def test_a_wrong_filter_names_the_right_ones(hub):
    """An unknown state or reason lists those there are."""
    assert "quarantined" in hub.cli("events", "list", "--state", "lost", code=2).stderr
    assert "bad_signature" in hub.cli("rejected", "list", "--reason", "x", code=2).stderr
    assert "is no time" in hub.cli("events", "list", "--since", "x", code=2).stderr


def test_show_tells_all_and_keeps_credentials(hub):
    """What it says, how it was proven, its deliveries, its headers and its body."""
    cli = hub.cli
    duplicate, first, _ = cli.json("events", "list")
    shown = cli("events", "show", first["id"])
    assert first["type"] in shown.stdout
    assert duplicate["id"] in shown.stdout
    assert "box-signature-primary: " in shown.stdout
    facts = cli.json("events", "show", first["id"])
    assert json.loads(facts["body"])["trigger"] == first["type"].partition(".")[2]
    assert facts["receipt"]["matched_on"] == "raw"
    assert set(facts["deliveries"]) == {first["id"], duplicate["id"]}


def test_body_bytes(hub):
    """`--body` gives the exact bytes; a duplicate keeps none and names the first."""
    cli = hub.cli
    duplicate, first, _ = cli.json("events", "list")
    body = cli("events", "show", first["id"], "--body").stdout_bytes
    assert json.loads(body)["type"] == "webhook_event"
    refused = cli("events", "show", duplicate["id"], "--body", code=2)
    assert first["id"] in refused.stderr


def test_dispatch_again(hub):
    """An event is handed on once more; one that is not there is named."""
    first = hub.cli.json("events", "list")[1]
    before = first["dispatched_at"]
    assert "waits" in hub.cli("events", "dispatch", first["id"]).stdout
    eventually(
        lambda: hub.cli.json("events", "show", first["id"])["dispatched_at"] not in (None, before)
    )
    assert hub.cli("events", "dispatch", "evt_none", code=1).stderr


def test_rejected(hub):
    """What was refused, why, and what to do; each row can be shown in full."""
    rows = hub.cli.json("rejected", "list")
    assert {row["reason"] for row in rows} >= {"bad_signature", "unknown_source"}
    row = next(row for row in rows if row["reason"] == "unknown_source")
    assert row["source_id"] == "nobody"
    shown = hub.cli("rejected", "show", row["id"]).stdout
    assert "404 unknown_source" in shown
    assert "POST /in/nobody" in shown
    assert hub.cli.json("rejected", "show", row["id"])["hint"] == row["hint"]
    assert "unknown_source" in hub.cli("rejected", "list", "--source", "nobody").stdout


def test_nothing_there(cli):
    """An empty list says what would fill it, on stderr: a pipe gets nothing."""
    for command in (["events", "list"], ["rejected", "list"], ["audit"], ["keys", "list"]):
        result = cli(*command)
        assert result.stdout == ""
        assert result.stderr.strip()
