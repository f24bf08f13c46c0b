"""`inkwire applications|topics|webhooks|publish|deliveries|jobs` on a real store."""

import json

import pytest

from cli.kit import Cli

TOPIC = "shipments_status"
ADDRESS = "https://192.0.1.7/hook"
BOXC_KEY = "9FkaaYZILF9pWHqJzXDD"


@pytest.fixture
def app_id(cli) -> str:
    """One application."""
    return cli("applications", "add", "Shop").stdout.strip()


def add(cli: Cli, app_id: str, *options: str, address=ADDRESS, topic=TOPIC) -> dict:
    """A webhook of the application."""
    return cli.json("webhooks", "add", address, "--application", app_id, "--topic", topic, *options)


def show(cli: Cli, webhook: dict) -> dict:
    """The webhook as it is now."""
    return cli.json("webhooks", "show", str(webhook["id"]))


def example(cli: Cli, topic=TOPIC) -> str:
    """The topic's own sample payload."""
    return json.dumps(cli.json("topics", "show", topic)["example"])


# --- applications and topics


def test_an_application_is_made_listed_and_shown(cli):
    """What is given comes back, and what is wrong is named."""
    made = cli.json("applications", "add", "Shop", "--frame-ancestor", "https://app.example.com")
    assert made["frame_ancestors"] == ["https://app.example.com"]
    assert [one["id"] for one in cli.json("applications", "list")] == [made["id"]]
    shown = cli("applications", "show", made["id"]).stdout
    assert "Shop" in shown
    assert "https://app.example.com" in shown
    assert "name:" in cli("applications", "add", " ", code=2).stderr
    assert "no application" in cli("applications", "show", "app_none", code=1).stderr


def test_lists_go_beyond_one_page(cli):
    """A list is asked for page after page, until its limit."""
    made = [cli("applications", "add", f"A {n}").stdout.strip() for n in range(3)]
    found = [one["id"] for one in cli.json("applications", "list", "-n", "2")]
    assert found == made[::-1][:2]


def test_grants_are_added_and_taken_away(cli, app_id):
    """Granting adds to what is there; a topic that is none is refused, with nothing changed."""
    cli("applications", "grant", app_id, "box.FILE.UPLOADED", "box.FILE.MOVED")
    assert cli.json("applications", "grant", app_id, "--revoke", "box.FILE.MOVED") == [
        "box.FILE.UPLOADED"
    ]
    assert "no topic" in cli("applications", "grant", app_id, "nonsense", code=2).stderr
    assert cli.json("applications", "show", app_id)["granted"] == ["box.FILE.UPLOADED"]
    assert cli("applications", "grant", app_id, code=2)


def test_a_key_is_shown_once_and_speaks_for_its_application(cli, app_id):
    """The key holds what an application may hold, and `show` never tells it."""
    text = cli("applications", "key", app_id, "--name", "Production").stdout.strip()
    assert text.startswith("ink_")
    shown = cli("applications", "show", app_id).stdout
    assert "Production" in shown
    assert text not in shown
    (key,) = cli.json("applications", "show", app_id)["keys"]
    assert key["application_id"] == app_id
    assert "webhooks:write" in key["scopes"]
    assert "scopes:" in cli("applications", "key", app_id, "--scope", "access", code=2).stderr


def test_a_portal_link_opens_the_portal(cli, app_id):
    """Its token stands in the fragment, which no server sees."""
    url = cli("applications", "portal-link", app_id).stdout.strip()
    front, _, token = url.partition("/portal/#")
    assert front.startswith("http")
    assert len(token) > 20
    assert cli("applications", "portal-link", "app_none", code=1)


def test_topics_are_listed_and_shown(cli, app_id):
    """Everything there is; for an application what it may hear."""
    every = {one["name"]: one for one in cli.json("topics", "list")}
    own = {one["name"] for one in cli.json("topics", "list", "--application", app_id)}
    assert TOPIC in own
    assert "box.FILE.UPLOADED" in every.keys() - own
    shown = cli("topics", "show", TOPIC).stdout
    assert "Schema:" in shown
    assert "Example:" in shown
    assert "shipments_status" in cli("topics", "show", "shipment_status", code=2).stderr


# --- webhooks


def test_a_webhook_is_added_with_a_key_that_is_shown_once(cli, app_id):
    """The profile makes its key up; nothing shows it again."""
    made = add(cli, app_id)
    assert made["generated_key"].startswith("whsec_")
    assert (made["profile"], made["state"]) == ("standard", "active")
    assert made["generated_key"] not in cli("webhooks", "show", str(made["id"])).stdout
    listed = cli("webhooks", "list").stdout
    assert ADDRESS in listed
    assert "active" in listed


def test_every_field_can_be_given_and_changed(cli, app_id, monkeypatch, tmp_path):
    """Add sets it, edit changes what is given, the taking-away options empty it."""
    (tmp_path / "token").write_text("Bearer hush\n")
    made = add(
        cli, app_id, "--description", "Ours", "--document-id", "d1", "--document-id", "d2",
        "--filter", "shipment.status=Delivered", "--filter", "shipment.id=7",
        "--filter", '{"path": "shipment.event", "op": "exists"}',
        "--header", f"Authorization=file:{tmp_path / 'token'}",
        "--rate-per-minute", "60", "--max-in-flight", "3",
    )  # fmt: skip
    assert made["description"] == "Ours"
    assert made["document_ids"] == ["d1", "d2"]
    assert [(one["path"], one["op"], one["value"]) for one in made["filters"]] == [
        ("shipment.status", "equals", "Delivered"),
        ("shipment.id", "equals", 7),
        ("shipment.event", "exists", True),
    ]
    assert made["header_names"] == ["Authorization"]
    assert (made["rate_per_minute"], made["max_in_flight"]) == (60, 3)
    assert "hush" not in cli("webhooks", "show", str(made["id"])).stdout
    edited = cli.json(
        "webhooks", "edit", str(made["id"]), "--no-filters", "--all-documents", "--no-headers",
        "--rate-per-minute", "0", "--address", "https://192.0.1.8/new",
    )  # fmt: skip
    assert edited["filters"] == edited["document_ids"] == edited["header_names"] == []
    assert (edited["rate_per_minute"], edited["description"]) == (None, "Ours")
    assert edited["address"] == "https://192.0.1.8/new"


def test_wrong_fields_are_named_and_nothing_is_made(cli, app_id):
    """Every wrong field at once; a private address is refused by the guard."""
    said = cli(
        "webhooks", "add", "ftp://x", "--application", app_id, "--topic", "nonsense", code=2
    ).stderr
    assert "address:" in said
    assert "topic:" in said
    for address in ("http://127.0.0.1/hook", "http://169.254.169.254/latest"):
        said = cli(
            "webhooks", "add", address, "--application", app_id, "--topic", TOPIC, code=2
        ).stderr
        assert "address:" in said
    assert cli("webhooks", "add", ADDRESS, "--application", app_id, "--topic", TOPIC,
               "--filter", "{not json", code=2)  # fmt: skip
    made = add(cli, app_id)
    both = ("--no-filters", "--filter", "a=1")
    assert "not both" in cli("webhooks", "edit", str(made["id"]), *both, code=2).stderr
    assert len(cli.json("webhooks", "list")) == 1


def test_states_go_where_they_say(cli, app_id):
    """Each command is about one state, and refuses another; delete can be undone."""
    number = str(add(cli, app_id)["id"])

    def state():
        return cli.json("webhooks", "show", number)["state"]

    cli("webhooks", "pause", number)
    assert state() == "paused"
    assert "not disabled" in cli("webhooks", "enable", number, code=2).stderr
    cli("webhooks", "resume", number)
    cli("webhooks", "disable", number)
    assert state() == "disabled"
    cli("webhooks", "enable", number)
    assert state() == "active"
    assert "--yes" in cli("webhooks", "delete", number, code=2).stderr
    cli("webhooks", "delete", number, "--yes")
    assert cli.json("webhooks", "list") == []
    assert [one["id"] for one in cli.json("webhooks", "list", "--state", "deleted")] == [
        int(number)
    ]
    assert "not paused" in cli("webhooks", "resume", number, code=2).stderr
    cli("webhooks", "restore", number)
    assert state() == "active"


def test_a_key_is_rotated_with_overlap(cli, app_id):
    """The new key signs first, the old one along with it until its end."""
    made = add(cli, app_id)
    turned = cli.json("webhooks", "rotate", str(made["id"]), "--overlap", "1h")
    assert turned["generated_key"].startswith("whsec_")
    assert turned["generated_key"] != made["generated_key"]
    assert [key["expires_at"] is None for key in turned["keys"]] == [True, False]
    boxc = add(cli, app_id, "--profile", "boxc", "--key", BOXC_KEY, topic="orders_status")
    assert boxc["generated_key"] is None
    said = cli("webhooks", "rotate", str(boxc["id"]), "--key", "short", code=2).stderr
    assert "key:" in said
    assert "short" not in said


# --- messages


def test_a_message_is_published_to_one_or_to_everyone(cli, app_id, tmp_path):
    """From a file, stdin or the line itself; the same key sends nothing twice."""
    add(cli, app_id)
    (tmp_path / "data.json").write_text(example(cli))
    options = ("--data", f"@{tmp_path / 'data.json'}", "--account", "9512")
    first = cli.json("publish", TOPIC, "--application", app_id, *options, "--idempotency-key", "1")
    again = cli.json("publish", TOPIC, "--application", app_id, *options, "--idempotency-key", "1")
    assert first["new"]
    assert again == {"ids": first["ids"], "new": False}
    everyone = cli("publish", TOPIC, "--everyone", "--data", "-", stdin=example(cli))
    assert everyone.stdout.startswith("msg_")
    assert "either" in cli("publish", TOPIC, "--data", "{}", code=2).stderr
    said = cli("publish", TOPIC, "--application", app_id, "--data", '{"shipment": 1}', code=2)
    assert "payload/shipment" in said.stderr
    assert (
        "There is no file" in cli("publish", TOPIC, "--everyone", "--data", "@none", code=1).stderr
    )


def test_deliveries_are_listed_shown_and_sent_again(cli, app_id):
    """Of a paused webhook they wait; resending one that waits makes it due."""
    number = str(add(cli, app_id)["id"])
    cli("webhooks", "pause", number)
    detail = cli.json("webhooks", "test", number, "--no-wait")
    delivery = detail["delivery"]["id"]
    assert detail["message"]["origin"] == "test"
    assert [one["id"] for one in cli.json("webhooks", "deliveries", number)] == [delivery]
    assert [one["id"] for one in cli.json("deliveries", "list", "--state", "waiting")] == [delivery]
    assert cli.json("deliveries", "list", "--state", "evicted") == []
    assert cli.json("deliveries", "list", "--since", "+1h") == []
    shown = cli("deliveries", "show", delivery)
    assert TOPIC in shown.stdout
    assert "not tried yet" in shown.stderr
    assert "no try 1" in cli("deliveries", "show", delivery, "--try", "1", code=1).stderr
    assert cli.json("deliveries", "resend", delivery)["id"] == delivery
    cli("webhooks", "disable", number)
    assert "disabled" in cli("deliveries", "resend", delivery, code=1).stderr
    assert "disabled" in cli("webhooks", "test", number, "--no-wait", code=1).stderr


def test_jobs_are_counted_started_and_cancelled(cli, app_id):
    """A dry run starts nothing; a job goes on in the worker, and can be stopped."""
    number = str(add(cli, app_id)["id"])
    for _ in range(3):
        cli("publish", TOPIC, "--application", app_id, "--data", example(cli))
    assert cli.json("webhooks", "recover", number, "--dry-run") == {"count": 0}
    assert cli.json("jobs", "list") == []
    job = cli.json("webhooks", "replay-missing", number, "--since", "-1h")
    assert (job["kind"], job["state"], job["webhook_id"]) == (
        "replay_missing",
        "running",
        int(number),
    )
    assert job["id"] in cli("webhooks", "replay-missing", number, code=1).stderr
    assert job["id"] in cli("jobs", "list").stdout
    assert cli.json("jobs", "cancel", job["id"])["state"] == "cancelled"
    assert "cancelled" in cli("jobs", "show", job["id"]).stdout
    assert cli("jobs", "cancel", job["id"], code=1)
    assert "since" in cli("webhooks", "recover", number, "--since", "+1h", code=2).stderr
