"""`inkwire migrate` and `inkwire master-key …`."""

import base64
import stat

from cli.kit import KEY


def test_migrate_makes_and_keeps_a_store(no_store):
    """It makes the folder for its owner alone; a second time changes nothing."""
    assert "SQLite" in no_store("migrate").stdout
    assert stat.S_IMODE(no_store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((no_store.folder / "master.key").stat().st_mode) == 0o600
    no_store("sources", "create", "s", "--provider", "boxc")
    facts = no_store.json("migrate")
    assert facts["dialect"] == "sqlite"
    assert [source["id"] for source in no_store.json("sources", "list")] == ["s"]


def test_a_folder_that_cannot_be_made(no_store, tmp_path):
    """A file where the folder should be is told as such."""
    (tmp_path / "data").write_text("")
    result = no_store("migrate", code=2)
    assert "data" in result.stderr
    assert "Traceback" not in result.output


def test_new_master_key(no_store):
    """32 random bytes, another each time; nothing is touched."""
    keys = {no_store("master-key", "new").stdout.strip() for _ in range(2)}
    assert len(keys) == 2
    assert {len(base64.b64decode(key)) for key in keys} == {32}
    assert not no_store.folder.exists()


def test_rotate_and_rewrap(cli):
    """A new key in front; after the rewrap the old one is no longer needed."""
    cli("sources", "create", "s", "--provider", "box", "--secret", f"primary={KEY}")
    old = cli.json("master-key", "show-id")
    rotated = cli("master-key", "rotate")
    ids = cli.json("master-key", "show-id")
    assert ids[0]["id"] in rotated.stdout
    assert "rewrap" in rotated.stderr
    assert [ids[1]["id"], ids[1]["use"]] == [old[0]["id"], "opens"]
    first, second = cli("master-key", "rewrap"), cli("master-key", "rewrap")
    assert "sealed anew" in first.stdout
    assert "Restart every process" in first.stderr, "one that was not still seals with the old key"
    assert "0 values sealed anew" in second.stdout
    assert "only if every process was restarted" in second.stderr
    path = cli.folder / "master.key"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    raw = cli("send", "box", "http://h/x", "--source", "s", "--dry-run", "--raw").stdout_bytes
    assert "Accepted" in cli("verify", "box", "--secret", KEY, stdin=raw).stdout


def test_rotate_before_rewrap_needs_both(cli):
    """Without the old key before the rewrap the store says which key it needs."""
    old = cli.json("master-key", "show-id")[0]["id"]
    cli("master-key", "rotate")
    path = cli.folder / "master.key"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    assert old in cli("sources", "list", code=1).stderr


def test_a_key_from_the_environment_is_not_rotated_here(cli):
    """Where the key comes from the environment, a new one has to go there."""
    cli.environment["INKWIRE_MASTER_KEY"] = (cli.folder / "master.key").read_text().strip()
    assert "master-key new" in cli("master-key", "rotate", code=2).stderr
    assert cli("sources", "list").exit_code == 0


def test_show_id_never_shows_the_key(cli):
    """The id tells which key it is, and nothing of it; without a key file it makes none."""
    key = (cli.folder / "master.key").read_text().strip()
    assert key not in cli("master-key", "show-id").output
    (cli.folder / "master.key").unlink()
    assert "missing" in cli("master-key", "show-id", code=2).stderr
    assert not (cli.folder / "master.key").exists()
