"""`inkwire verify`: the verdict that the hub would reach, and why."""

import pytest

from cli.kit import KEY
from inkwire.providers.registry import cases, registry

ALL = [
    pytest.param(provider.name, case, id=f"{provider.name}:{case.name}")
    for provider in registry().receiving()
    for case in cases(provider)
]


def _signed(cli, *options):
    return cli("send", *options, "--dry-run", "--raw").stdout_bytes


@pytest.mark.parametrize(("provider", "case"), ALL)
def test_every_sample_is_accepted_as_send_signs_it(no_store, provider, case):
    """`send --dry-run --raw` into `verify`: signed right, and the events are the sample's."""
    settings = [f"--setting={key}={value}" for key, value in case.settings.items()]
    raw = _signed(no_store, f"{provider}:{case.name}", "http://h/in/a", "--secret", KEY)
    found = no_store.json("verify", provider, "-", "--secret", KEY, *settings, stdin=raw)
    assert found["verdict"] == "accepted"
    assert [event["type"] for event in found["events"]] == [e["type"] for e in case.expect]


def test_a_wrong_secret(no_store):
    """Refused, with the provider's own advice and exit code 1."""
    raw = _signed(no_store, "box", "http://h/in/a", "--secret", KEY)
    result = no_store("verify", "box", "--secret", KEY[::-1], stdin=raw, code=1)
    assert "Refused: bad_signature" in result.stdout
    assert "Developer Console" in result.stdout


def test_an_old_capture(no_store):
    """A right signature out of time says so, and names the time to judge it at; that works."""
    raw = _signed(no_store, "box", "http://h/in/a", "--secret", KEY, "--at", "-2d")
    result = no_store("verify", "box", "--secret", KEY, stdin=raw, code=1)
    assert "Refused: stale" in result.stdout
    moment = result.stderr.rpartition("--now ")[2].strip()
    assert (
        "Accepted" in no_store("verify", "box", "--secret", KEY, "--now", moment, stdin=raw).stdout
    )


def test_a_tampered_body(no_store):
    """One character changed after signing is enough."""
    raw = _signed(no_store, "boxc", "http://h/in/a", "--secret", KEY, "--tamper")
    found = no_store.json("verify", "boxc", "--secret", KEY, stdin=raw, code=1)
    assert found["reason"] == "bad_signature"
    assert found["signature_right"] is False


def test_headers_and_a_body_file(no_store, tmp_path):
    """Without a capture: headers as options, the body from a file."""
    head, _, body = _signed(no_store, "bolosign", "http://h/in/a", "--secret", KEY).partition(
        b"\r\n\r\n"
    )
    (tmp_path / "body").write_bytes(body)
    headers = [f"-H{line}" for line in head.decode().split("\r\n")[1:]]
    result = no_store(
        "verify", "bolosign", *headers, "--body", str(tmp_path / "body"), "--secret", KEY
    )
    assert result.stdout.startswith("Accepted")


def test_a_recipe(no_store):
    """A known sender's settings by name."""
    raw = _signed(no_store, "generic:github-push", "http://h/in/a", "--secret", KEY)
    assert (
        "Accepted"
        in no_store("verify", "generic", "--recipe", "github", "--secret", KEY, stdin=raw).stdout
    )
    wrong = no_store("verify", "generic", "--recipe", "gitlub", "--secret", KEY, stdin=raw, code=1)
    assert "github" in wrong.stderr


def test_settings_and_secrets_of_a_source(cli):
    """`--source` takes both from the store, so that nobody has to find the secret again."""
    cli("sources", "create", "a", "--provider", "box", "--secret", f"primary={KEY}")
    raw = _signed(cli, "box", "http://h/in/a", "--secret", KEY)
    assert "Accepted" in cli("verify", "box", "--source", "a", stdin=raw).stdout
    wrong = cli("verify", "boxc", "--source", "a", stdin=raw, code=2)
    assert "is one of box" in wrong.stderr


def test_unparsable_but_proven(no_store, tmp_path):
    """A proven body that cannot be read is accepted, and it is told what becomes of it."""
    (tmp_path / "b").write_text("no json")
    raw = _signed(no_store, "box", "http://h/x", "--secret", KEY, "--body", str(tmp_path / "b"))
    result = no_store("verify", "box", "--secret", KEY, stdin=raw)
    assert "Accepted" in result.stdout
    assert "unparsable" in result.stderr


def test_secrets_from_the_environment_and_files(no_store, tmp_path):
    """A secret need not stand in the shell's history; a missing one is named."""
    (tmp_path / "key").write_text(f"{KEY}\nmore\n")
    no_store.environment["BOX_KEY"] = KEY
    raw = _signed(no_store, "box", "http://h/in/a", "--secret", "env:BOX_KEY")
    assert no_store("verify", "box", "--secret", f"file:{tmp_path / 'key'}", stdin=raw)
    missing = no_store("verify", "box", "--secret", "env:NOT_SET", stdin=raw, code=2)
    assert "NOT_SET is not set" in missing.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["verify", "box", "/nowhere/x", "--secret", "k"], "There is no file"),
        (["verify", "nobody", "--secret", "k"], "There is no provider"),
        (["verify", "box", "--secret", "k", "--body", "x"], "--body goes with --header"),
        (["verify", "box", "--secret", "k", "--source", "a"], "not both"),
        (["verify", "box", "--secret", "k", "--setting", "x=1"], "is not a setting"),
        (["verify", "box", "--secret", "k", "--setting", "x"], "key=value"),
    ],
)
def test_wrong_options_say_what_to_do(no_store, options, message):
    """Each mistake has its sentence, and no traceback."""
    result = no_store(*options, stdin=b"A: 1\n\n{}", code=1 if "There is no" in message else 2)
    assert message in result.stderr
    assert "Traceback" not in result.output
