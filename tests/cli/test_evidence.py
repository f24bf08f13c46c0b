"""`inkwire evidence`: exported on the hub, verified anywhere."""

import json

import pytest

from documents.kit import filled
from fakes.hub import open_rooms


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A data folder with one order that was signed, and its id."""
    folder = tmp_path_factory.mktemp("evidence") / "data"
    with open_rooms(folder) as rooms:
        order = filled(rooms).order
    from cli.kit import Cli

    return Cli(folder), order.id


def test_an_order_is_exported_and_verified(hub, tmp_path, no_store):
    """By number or id; verified on a machine without any store, with the key got apart."""
    cli, order_id = hub
    bundle, key = tmp_path / "proof.zip", tmp_path / "hub.pem"
    assert str(bundle) in cli("evidence", "export", "1042", "-o", str(bundle)).stdout
    key.write_text(cli("evidence", "key").stdout)
    assert key.read_text().startswith("-----BEGIN PUBLIC KEY-----")
    said = no_store("evidence", "verify", str(bundle), "--key", str(key)).stdout
    assert "The evidence holds." in said
    assert "FAIL" not in said
    digits = cli("evidence", "key", "--hex").stdout.strip()
    given = cli("evidence", "export", order_id, "-o", "-").stdout_bytes
    found = no_store.json("evidence", "verify", "-", "--key", digits, stdin=given)
    assert found["ok"]
    assert {one["ok"] for one in found["findings"]} == {True}
    assert not no_store.folder.exists()


def test_without_a_key_it_says_what_was_not_checked(hub, tmp_path, no_store):
    """Whole, but whose? A reader is not left in a false belief."""
    bundle = tmp_path / "proof.zip"
    hub[0]("evidence", "export", "1042", "-o", str(bundle))
    result = no_store("evidence", "verify", str(bundle))
    assert "not who made it" in result.stdout
    assert "whose key it is" in result.stderr


def test_a_changed_bundle_fails(hub, tmp_path, no_store):
    """Exit code 1, and the checks that failed by name."""
    bundle = tmp_path / "proof.zip"
    hub[0]("evidence", "export", "1042", "-o", str(bundle))
    content = bytearray(bundle.read_bytes())
    place = content.index(b"%PDF-1.7 signed")
    content[place] ^= 1
    bundle.write_bytes(content)
    result = no_store("evidence", "verify", str(bundle), code=1)
    assert "FAIL  archive" in result.stdout
    assert "does not hold" in result.stderr
    other = "00" * 32
    hub[0]("evidence", "export", "1042", "-o", str(bundle))
    found = json.loads(
        no_store("evidence", "verify", str(bundle), "--key", other, "--json", code=1).stdout
    )
    assert {one["check"] for one in found["findings"] if not one["ok"]} == {"signature", "key"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("verify", "nowhere.zip"), 1, "no file nowhere.zip"),
        (("verify", ".", "--key", "00" * 32), 2, "folder"),
        (("verify", "-", "--key", "nokey"), 1, "no file nokey"),
        (("export", "9999"), 1, "no order"),
    ],
)
def test_mistakes_are_told_in_a_line(hub, arguments, code, words):
    """A wrong file, key or order: no traceback."""
    result = hub[0]("evidence", *arguments, stdin=b"", code=code)
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_the_file_is_named_after_the_order(hub, tmp_path, monkeypatch):
    """Without -o it stands in the current folder, under a name that is safe."""
    monkeypatch.chdir(tmp_path)
    hub[0]("evidence", "export", "1042")
    assert [path.name for path in tmp_path.iterdir()] == ["evidence-1042.zip"]
