"""`inkwire users`, `keys`, `audit`: who may do what."""

import pytest

PASSWORD = "correct horse battery"


@pytest.fixture
def password(tmp_path):
    """A file that holds a password."""
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    return str(path)


def test_users(cli, password):
    """Added, listed, changed, kept out and let in again."""
    cli("users", "add", "root", "--role", "admin", "--password-file", password)
    cli("users", "add", "jane", "--password-file", "-", stdin=PASSWORD)
    assert {u["name"]: u["role"] for u in cli.json("users", "list")} == {
        "root": "admin",
        "jane": "viewer",
    }
    cli("users", "role", "jane", "operator")
    cli("users", "disable", "jane")
    row = next(line for line in cli("users", "list").stdout.splitlines() if "jane" in line)
    assert row.split()[1:3] == ["operator", "disabled"]
    cli("users", "enable", "jane")
    cli("users", "password", "jane", "--password-file", password)
    assert "$argon2" not in cli("users", "list", "--json").stdout


def test_the_last_administrator_stays(cli, password):
    """Nobody can lock everybody out."""
    cli("users", "add", "root", "--role", "admin", "--password-file", password)
    assert "only administrator" in cli("users", "disable", "root", code=1).stderr
    assert "only administrator" in cli("users", "role", "root", "viewer", code=1).stderr


def test_wrong_users(cli, password):
    """A short password, a taken name, a wrong name and a wrong role are told as such."""
    assert (
        "password" in cli("users", "add", "x", "--password-file", "-", stdin="short", code=2).stderr
    )
    cli("users", "add", "x", "--password-file", password)
    assert cli("users", "add", "x", "--password-file", password, code=1).stderr
    assert "name" in cli("users", "add", "No Name", "--password-file", password, code=2).stderr
    assert cli("users", "add", "y", "--role", "king", code=2).stderr
    assert (
        "no user" in cli("users", "password", "nobody", "--password-file", password, code=1).stderr
    )
    assert "--password-file" in cli("users", "add", "z", code=2).stderr


def test_api_keys(cli):
    """Made with scopes, shown once, listed without the key, revoked."""
    made = cli.json("keys", "create", "metrics", "--scope", "events:read")
    assert made["key"].startswith("ink_")
    assert made["scopes"] == ["events:read"]
    plain = cli("keys", "create", "reader").stdout.strip()
    assert plain.startswith("ink_")
    listed = cli("keys", "list").stdout + cli("keys", "list", "--json").stdout
    assert made["key"] not in listed
    assert plain not in listed
    assert "--yes" in cli("keys", "revoke", made["id"], code=2).stderr
    cli("keys", "revoke", made["id"], "--yes")
    row = next(line for line in cli("keys", "list").stdout.splitlines() if made["id"] in line)
    assert "revoked" in row
    assert "no API key" in cli("keys", "revoke", "key_none", "--yes", code=1).stderr


def test_audit(cli):
    """Every change of the command line is in the audit log, made by `cli`, without a secret."""
    made = cli.json("keys", "create", "k")
    cli("sources", "create", "s", "--provider", "boxc")
    found = cli.json("audit")
    assert [(e["actor"], e["action"]) for e in found][:2] == [
        ("cli", "source.create"),
        ("cli", "api_key.add"),
    ]
    assert made["key"] not in cli("audit", "--json").stdout
    assert "source.create" in cli("audit", "-n", "1").stdout
