"""`inkwire demo`: the whole hub, put to the test; and a demo that would notice a fault."""

import base64
import hashlib
import hmac
import subprocess
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from cli.kit import INKWIRE, Cli, gone
from inkwire.cli.demo import acts
from inkwire.cli.demo.oracle import Oracle, Outcome, Tally
from inkwire.cli.demo.play import Play, Sent
from inkwire.cli.demo.sending import Check, Sending, Try
from inkwire.cli.demo.sink import Sink, is_proven
from inkwire.cli.demo.stage import Actor, token
from inkwire.cli.outgoing import Answer
from inkwire.model.event import EventState
from inkwire.model.source import Secret
from inkwire.model.verdict import Reason
from inkwire.model.webhook import ProfileName
from inkwire.providers.registry import cases, registry
from inkwire.providers.settings import check_settings

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def test_the_demo_itself(tmp_path, monkeypatch):
    """A webhook is sent, repeated to its end and restored; every sample comes in, nothing else."""
    monkeypatch.setenv("INKWIRE_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    folder = tmp_path / "demo"
    done = subprocess.run(
        [*INKWIRE, "demo", "--end", "--port", "0", "--dir", str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The store agrees with what was sent" in done.stdout
    for word in (
        *(provider.name for provider in registry().receiving()),
        "quarantined", "bad_signature", "too_large", "unknown_source", "missing_header",
    ):  # fmt: skip
        assert word in done.stdout
    for word in (
        "12/12",
        "17 h 04 min",
        "webhook.failing, webhook.deleted",
        "11 of 11",
        "into this hub",
        "Box and Salesforce, in step",
        "the opportunity is Closed Won",
        "its MD5 as sent",
    ):
        assert word in done.stdout
    samples = sum(len(cases(provider)) for provider in registry().receiving())
    assert f"{samples}/{samples}" in done.stdout
    states = Counter(event["state"] for event in Cli(folder).json("events", "list", "-n", "1000"))
    assert states["new"] > samples / 2
    assert states["unparsable"] > 0
    (failing,) = Cli(folder).json("deliveries", "list", "--state", "evicted")
    assert failing["attempts"] == 12
    (forwarding,) = Cli(folder).json("webhooks", "list", "--topic", "box.FILE.UPLOADED")
    sent = Cli(folder).json("webhooks", "deliveries", str(forwarding["id"]))
    assert {one["state"] for one in sent} == {"delivered"}
    uploads = [
        event
        for event in Cli(folder).json("events", "list", "--type", "box.FILE.UPLOADED", "-n", "1000")
        if event["state"] == "new"
    ]
    assert len(sent) == len(uploads) > 0
    assert gone(int((folder / "ready.json").read_text().split('"pid": ')[1].split(",")[0]))


def test_the_demo_wants_an_empty_folder(tmp_path):
    """It never works on a folder that holds something."""
    (tmp_path / "precious").write_text("x")
    result = Cli(tmp_path)("demo", "--end", "--dir", str(tmp_path), code=2)
    assert "not an empty folder" in result.stderr
    assert (tmp_path / "precious").exists()


def _actor(name="box"):
    provider = registry().get(name)
    found = tuple(cases(provider))
    role = provider.receive.secrets[0].role
    return Actor(
        source_id=name,
        provider=provider,
        cases=found,
        settings=check_settings(provider.receive.settings, {}),
        deliveries={case.name: token() for case in found},
        secrets=(Secret(id="first", role=role, value=b"0123456789abcdef0123456789abcdef"),),
    )


def test_the_oracle_knows_what_must_come():
    """New, then a duplicate; a forgery refused; a stale one held; a rotated key until its end."""
    oracle, actor = Oracle(), _actor()
    (sample, *_) = acts.samples(actor)
    (again,) = acts.duplicates(actor)
    assert oracle.sent(actor, sample.make(NOW), NOW).states == (EventState.NEW,)
    assert oracle.sent(actor, again.make(NOW), NOW).states == (EventState.DUPLICATE,)
    found = {shot.act.title: shot for shot in acts.forgeries(actor, oracle, NOW)}
    assert set(found) == {
        act.title
        for act in (acts.TAMPERED, acts.FOREIGN, acts.UNSIGNED, acts.STALE, acts.FUTURE,
                    acts.UNREADABLE, acts.OVERSIZED)
    }  # fmt: skip
    stale = oracle.sent(actor, found[acts.STALE.title].make(NOW), NOW)
    assert (stale.status, stale.states) == (401, (EventState.QUARANTINED,))
    assert oracle.tallies["box"].states[EventState.NEW] == 1


def test_a_scheme_without_time_is_not_asked_about_time():
    """BoxC signs no time: a demo of stale requests would lie about it."""
    titles = {shot.act.title for shot in acts.forgeries(_actor("boxc"), Oracle(), NOW)}
    assert acts.STALE.title not in titles
    assert acts.TAMPERED.title in titles


def _sent(status, outcome):
    shot = SimpleNamespace(act=acts.TAMPERED, source_id="box")
    return Sent(shot=shot, outcome=outcome, answer=Answer(status=status, seconds=0.1))


def test_a_hub_that_lets_a_forgery_in_is_noticed():
    """A wrong answer, a lost event, one too many, and one never handed on: each is told."""
    refused = Outcome(status=401, reason=Reason.BAD_SIGNATURE)
    play = Play(sent=[_sent(200, refused)])
    play.oracle.tallies["box"] = Tally(states=Counter({EventState.NEW: 2}))
    play.stored["box"] = Tally(states=Counter({EventState.NEW: 1}))
    play.waiting = 3
    told = "\n".join(play.differences())
    assert "must be answered 401, came: 200 OK" in told
    assert "must hold 2 new, it holds 1 new" in told
    assert "not handed on 3 events" in told
    play.sent, play.waiting = [_sent(401, refused)], 0
    play.stored["box"] = Tally(states=Counter({EventState.NEW: 2}))
    assert play.differences() == []
    play.stored["box"] = Tally(
        states=Counter({EventState.NEW: 2}), refusals=Counter({Reason.STALE: 1})
    )
    assert play.differences() != []


def test_a_webhook_that_goes_wrong_is_noticed():
    """Whatever the sending part finds fails the demo, too."""
    part = Sending(built=None, sink=Sink(), client=None, bar=None)
    part.checks.append(Check(title="its webhook", expected="deleted", happened="deleted"))
    play = Play(sending=part)
    assert play.differences() == []
    part.checks.append(Check(title="its event", expected="evicted", happened="waiting"))
    assert play.differences() == ["its event: must be evicted, was waiting"]


@pytest.mark.parametrize(
    ("waited", "on_time"), [(59.9, False), (60, True), (63, True), (68, True), (69, False)]
)
def test_an_attempt_out_of_time_is_noticed(waited, on_time):
    """Never before its time; behind it by the jitter and the work itself."""
    assert Try(attempt=None, planned_s=60, waited_s=waited).on_time is on_time


def test_the_sink_believes_right_signatures_only():
    """It works them out by itself, so that it can judge the hub."""
    body, key = b'{"a":1}', "0123456789abcdef"
    digest = hmac.new(key.encode(), body, hashlib.sha256).digest()
    headers = {"x-boxc-hmac-sha256": base64.b64encode(digest).decode()}
    assert is_proven(ProfileName.BOXC, key, headers, body)
    assert not is_proven(ProfileName.BOXC, key, headers, body + b" ")
    assert not is_proven(ProfileName.BOXC, key, {}, body)
    secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    digest = hmac.new(bytes(range(32)), b"msg_1.1700000000." + body, hashlib.sha256).digest()
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    assert is_proven(ProfileName.STANDARD, secret, headers, body)
    assert not is_proven(ProfileName.STANDARD, secret, headers | {"webhook-id": "msg_2"}, body)
    assert not is_proven(ProfileName.STANDARD, secret, headers, body + b" ")
