"""`inkwire sources …` and `inkwire apply` on a real store."""

import json

import pytest

from cli.kit import KEY


def test_create_shows_a_generated_secret_once(cli):
    """Where the receiver chooses the secret, it is made up, shown, and never again."""
    result = cli("sources", "create", "shop", "--provider", "boxc", "--name", "Our shop")
    secret = result.stdout.splitlines()[-3]
    assert len(secret) == 32
    assert "/in/shop" in result.stdout
    for arguments in (["show", "shop"], ["list"], ["show", "shop", "--json"]):
        assert secret not in cli("sources", *arguments).output


def test_create_needs_what_nobody_can_make_up(cli):
    """A missing secret is named as a field; nothing is created."""
    result = cli("sources", "create", "b", "--provider", "box", code=2)
    assert "secrets.primary" in result.stderr
    assert cli.json("sources", "list") == []


def test_create_from_env_and_file(cli, tmp_path):
    """Secrets come as references, so that no shell keeps them; --json tells the facts."""
    (tmp_path / "second").write_text(KEY[::-1] + "\n")
    cli.environment["BOX_PRIMARY_KEY"] = KEY
    made = cli.json(
        "sources", "create", "b", "--provider", "box",
        "--secret", "primary=env:BOX_PRIMARY_KEY", "--secret", f"secondary=file:{tmp_path}/second",
        "--setting", "tolerance_past_s=900", "--event-type", "box.FILE.UPLOADED",
    )  # fmt: skip
    assert made["settings"]["tolerance_past_s"] == 900
    assert made["event_types"] == ["box.FILE.UPLOADED"]
    assert {secret["role"] for secret in made["secrets"]} == {"primary", "secondary"}
    assert KEY not in json.dumps(made)
    assert made["generated_secrets"] == {}


def test_create_by_recipe(cli):
    """A known sender needs no settings by hand; given ones lie over the recipe's."""
    made = cli.json(
        "sources", "create", "gh", "--provider", "generic", "--recipe", "github",
        "--setting", "entity_kind=repo",
    )  # fmt: skip
    assert made["settings"]["signature_name"] == "X-Hub-Signature-256"
    assert made["settings"]["entity_kind"] == "repo"


def test_a_person_is_asked_for_nothing_in_a_pipe(cli):
    """Without a terminal nothing waits for an answer: it fails with what is missing."""
    assert cli("sources", "rotate", "none", code=1).stderr.startswith("There is no source")
    cli("sources", "create", "b", "--provider", "box", "--secret", f"primary={KEY}")
    assert "value" in cli("sources", "rotate", "b", code=2).stderr
    assert "--yes" in cli("sources", "delete", "b", code=2).stderr


def test_update_pause_resume(cli):
    """What is given changes, the rest stays; lists can be taken away again."""
    cli("sources", "create", "s", "--provider", "boxc", "--event-type", "boxc.orders/status")
    changed = cli.json("sources", "update", "s", "--name", "New name", "--max-body-bytes", "4096")
    assert (changed["name"], changed["max_body_bytes"]) == ("New name", 4096)
    assert changed["event_types"] == ["boxc.orders/status"]
    assert cli.json("sources", "update", "s", "--all-event-types")["event_types"] == []
    cli("sources", "pause", "s")
    assert cli.json("sources", "show", "s")["paused"] is True
    assert "paused" in cli("sources", "list").stdout
    cli("sources", "resume", "s")
    assert cli.json("sources", "show", "s")["paused"] is False
    both = cli("sources", "update", "s", "--event-type", "boxc.x", "--all-event-types", code=2)
    assert "not both" in both.stderr


def test_rotate_with_overlap(cli):
    """The new secret counts at once, the old one for the overlap; both are listed."""
    cli("sources", "create", "s", "--provider", "boxc")
    rotated = cli.json("sources", "rotate", "s", "--overlap", "1h")
    assert len(rotated["value"]) == 32
    secrets = cli.json("sources", "show", "s")["secrets"]
    assert [secret["expires_at"] is None for secret in secrets].count(True) == 1
    assert len(secrets) == 2
    old = next(secret for secret in secrets if secret["expires_at"])
    cli("sources", "remove-secret", "s", old["id"], "--yes")
    assert len(cli.json("sources", "show", "s")["secrets"]) == 1
    last = cli("sources", "remove-secret", "s", rotated["id"], "--yes", code=1)
    assert "last" in last.stderr


@pytest.mark.parametrize("overlap", ["tomorrow", "1w", "-1h", "", "1.5h"])
def test_what_is_no_overlap(cli, overlap):
    """A length of time that cannot be read says what can."""
    cli("sources", "create", "s", "--provider", "boxc")
    assert "length of time" in cli("sources", "rotate", "s", f"--overlap={overlap}", code=2).stderr


def test_delete(cli):
    """With --yes it is gone, and a second time there is none."""
    cli("sources", "create", "s", "--provider", "boxc")
    cli("sources", "delete", "s", "--yes")
    assert cli.json("sources", "list") == []
    assert "no source" in cli("sources", "delete", "s", "--yes", code=1).stderr


def test_manual_names_the_address(cli):
    """The steps in the vendor's console, with this source's own address in them."""
    cli.environment["INKWIRE_PUBLIC_URL"] = "https://hooks.example.com"
    cli("sources", "create", "s", "--provider", "boxc")
    text = cli("sources", "manual", "s").stdout
    assert "https://hooks.example.com/in/s" in text
    assert "{url}" not in text


def test_providers(no_store):
    """The providers and all that each can be told, without a store."""
    assert {p["name"] for p in no_store.json("sources", "providers")} >= {"box", "boxc", "bolosign"}
    box = no_store.json("sources", "providers", "box")
    assert "box.FILE.UPLOADED" in box["event_types"]
    assert {s["role"] for s in box["secrets"]} == {"primary", "secondary"}
    shown = no_store("sources", "providers", "generic").stdout
    assert "github-push" in shown
    assert "GitHub" in shown


def test_lists_are_plain_in_a_pipe(cli):
    """Nothing is cut off and nothing is coloured where no terminal is."""
    cli("sources", "create", "a" * 60, "--provider", "boxc")
    lines = cli("sources", "list").stdout.splitlines()
    assert lines[0].split()[:2] == ["id", "provider"]
    assert "a" * 60 in lines[1]
    assert "\x1b" not in "".join(lines)


FILE = """
[[source]]
id = "declared"
provider = "boxc"
secrets = { key = "env:BOXC_KEY" }
"""


def test_apply(cli):
    """The file makes a source; twice changes nothing; it cannot be changed elsewhere."""
    cli.environment["BOXC_KEY"] = KEY
    (cli.folder / "inkwire.toml").write_text(FILE)
    assert cli.json("apply")["created"] == ["declared"]
    assert cli.json("apply")["unchanged"] == ["declared"]
    refused = cli("sources", "pause", "declared", code=1)
    assert "inkwire.toml" in refused.stderr
    (cli.folder / "inkwire.toml").write_text("")
    released = cli("apply")
    assert "released: declared" in released.stdout


def test_apply_refuses_a_wrong_file_whole(cli):
    """Every fault is named, and nothing is applied."""
    (cli.folder / "inkwire.toml").write_text(FILE.replace("boxc", "bax"))
    result = cli("apply", code=2)
    assert "BOXC_KEY" in result.stderr or "bax" in result.stderr
    assert cli.json("sources", "list") == []
    assert "no file" in cli("apply", "/nowhere.toml", code=2).stderr
