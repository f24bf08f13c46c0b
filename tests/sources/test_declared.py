"""Sources declared in inkwire.toml."""

from datetime import timedelta

import pytest

from fakes.hub import START
from inkwire.errors import ConfigError
from inkwire.model.access import Caller, Scope
from inkwire.model.source import ManagedBy
from inkwire.sources.declared import Applied, apply
from inkwire.sources.desk import FILE, SourceDraft

EDITOR = Caller(actor="user:ada", scopes=frozenset({Scope.SOURCES_READ, Scope.SOURCES_WRITE}))
ENV = {"PRIMARY": "primary-key-1", "TOKEN": "token-1"}
ONE = """
[[source]]
id = "acme-main"
provider = "acme"
name = "Acme, production"
settings = { tolerance_s = 60, strict = true }
event_types = ["acme.made"]
document_ids = ["d1", "d2"]
max_body_bytes = 2048
secrets = { primary = "env:PRIMARY", token = "env:TOKEN" }
"""
MINIMAL = """
[[source]]
id = "acme-two"
provider = "acme"
secrets = { primary = "env:PRIMARY", token = "env:TOKEN" }
"""


@pytest.fixture
def declare(rooms, tmp_path):
    """Writes the file and applies it."""

    def run(text, environ=ENV):
        path = tmp_path / "inkwire.toml"
        path.write_text(text, "utf-8")
        return apply(rooms.desk, path, environ=environ)

    return run


def actions(rooms):
    """Actions in the audit log, oldest first."""
    return [entry.action for entry in reversed(rooms.store.access.audit())]


def opened(rooms, source_id="acme-main"):
    """Valid secrets as (role, value, expires_at)."""
    secrets = rooms.store.sources.open_secrets(rooms.clock.now()).get(source_id, ())
    return {(s.role, s.value.decode(), s.expires_at) for s in secrets}


def test_a_declared_source_has_all_that_the_file_says(rooms, declare):
    """Every key reaches the store, and the rest gets its default."""
    assert declare(ONE + MINIMAL) == Applied(created=("acme-main", "acme-two"))
    one, two = rooms.desk.all(FILE)
    assert one.name == "Acme, production"
    assert one.settings["tolerance_s"] == 60
    assert one.event_types == ("acme.made",)
    assert one.document_ids == ("d1", "d2")
    assert one.max_body_bytes == 2048
    assert one.managed_by is two.managed_by is ManagedBy.FILE
    assert not one.paused
    assert two.name == "acme-two"
    assert opened(rooms) == {("primary", "primary-key-1", None), ("token", "token-1", None)}
    assert {entry.actor for entry in rooms.store.access.audit()} == {"file"}


def test_a_second_apply_changes_nothing(rooms, declare):
    """Every start of the hub applies the file: no row and no audit entry may come of it."""
    declare(ONE + MINIMAL)
    rooms.clock.advance(seconds=60)
    before, log, counters = rooms.desk.all(FILE), actions(rooms), rooms.store.counters()
    assert declare(ONE + MINIMAL) == Applied(unchanged=("acme-main", "acme-two"))
    assert rooms.desk.all(FILE) == before
    assert actions(rooms) == log
    assert rooms.store.counters() == counters


def test_a_key_that_left_the_file_goes_back_to_its_default(rooms, declare):
    """The file is the whole truth, not a patch."""
    declare(ONE)
    applied = declare(MINIMAL.replace("acme-two", "acme-main"))
    assert applied == Applied(updated=("acme-main",))
    source = rooms.desk.get(FILE, "acme-main")
    assert source.settings["tolerance_s"] == 300
    assert source.event_types == source.document_ids == ()
    assert source.name == "acme-main"


def test_a_changed_secret_rotates_with_a_day_of_overlap(rooms, declare):
    """Deliveries signed with the old secret are still proven for 24 hours."""
    declare(ONE)
    changed = {**ENV, "PRIMARY": "primary-key-2"}
    assert declare(ONE, changed) == Applied(updated=("acme-main",))
    assert opened(rooms) == {
        ("primary", "primary-key-1", START + timedelta(days=1)),
        ("primary", "primary-key-2", None),
        ("token", "token-1", None),
    }
    assert declare(ONE, changed) == Applied(unchanged=("acme-main",))
    assert declare(ONE, ENV) == Applied(updated=("acme-main",))
    assert ("primary", "primary-key-1", None) in opened(rooms)


def test_a_role_that_left_the_file_ends(rooms, declare):
    """A secret that the file no longer holds proves nobody any more."""
    secondary = ONE.replace("{ primary", '{ secondary = "env:SECOND", primary')
    declare(secondary, {**ENV, "SECOND": "second12"})
    assert ("secondary", "second12", None) in opened(rooms)
    assert declare(ONE) == Applied(updated=("acme-main",))
    assert {role for role, _, _ in opened(rooms)} == {"primary", "token"}
    assert declare(ONE) == Applied(unchanged=("acme-main",))


def test_a_source_that_left_the_file_is_kept_paused_for_the_console(rooms, declare):
    """Nothing is deleted: it is handed over, paused, with its secrets and an audit entry."""
    declare(ONE + MINIMAL)
    kept = opened(rooms)
    assert declare(MINIMAL) == Applied(unchanged=("acme-two",), released=("acme-main",))
    source = rooms.desk.get(FILE, "acme-main")
    assert (source.managed_by, source.paused) == (ManagedBy.CONSOLE, True)
    assert opened(rooms) == kept
    assert actions(rooms)[-1] == "source.undeclare"
    assert declare(MINIMAL) == Applied(unchanged=("acme-two",))
    rooms.desk.delete(EDITOR, "acme-main")


def test_a_source_of_the_console_is_taken_over(rooms, declare):
    """Declaring a source that exists adopts it: settings, secrets and all."""
    secrets = {"primary": "primary-key-0", "token": "token-1", "secondary": "second12"}
    rooms.desk.create(
        EDITOR, SourceDraft(id="acme-main", provider="acme", name="Mine", secrets=secrets)
    )
    rooms.desk.create(
        EDITOR, SourceDraft(id="other", provider="acme", name="Other", secrets=secrets)
    )
    assert declare(ONE) == Applied(updated=("acme-main",))
    source = rooms.desk.get(FILE, "acme-main")
    assert (source.managed_by, source.name) == (ManagedBy.FILE, "Acme, production")
    assert opened(rooms) == {
        ("primary", "primary-key-0", START + timedelta(days=1)),
        ("primary", "primary-key-1", None),
        ("token", "token-1", None),
    }
    assert rooms.desk.get(FILE, "other").managed_by is ManagedBy.CONSOLE


def test_paused_is_a_key(rooms, declare):
    """A declared source is paused and resumed in the file."""
    declare(ONE.replace("secrets", "paused = true\nsecrets"))
    assert rooms.desk.get(FILE, "acme-main").paused
    declare(ONE)
    assert not rooms.desk.get(FILE, "acme-main").paused


def test_a_secret_comes_from_a_file(rooms, declare, tmp_path):
    """One line break at the end, as mounts and editors leave it, is no part of the secret."""
    (tmp_path / "key").write_bytes(b"primary-key-9\r\n")
    declare(ONE.replace("env:PRIMARY", "file:key"))
    assert ("primary", "primary-key-9", None) in opened(rooms)
    (tmp_path / "key").write_bytes(b"primary-key-8")
    declare(ONE.replace("env:PRIMARY", f"file:{tmp_path / 'key'}"))
    assert ("primary", "primary-key-8", None) in opened(rooms)


@pytest.mark.parametrize(
    "slip",
    [
        ('"env:PRIMARY"', '"primary-key-1"', "secrets.primary: must be `env:NAME` or `file:/path`"),
        ('"env:PRIMARY"', '"env:"', "secrets.primary: must be `env:NAME` or `file:/path`"),
        ('"env:PRIMARY"', '"env:NOPE"', "the environment variable NOPE is not set"),
        ('"env:PRIMARY"', '"file:nope"', "the file nope cannot be read: No such file"),
        ('"env:PRIMARY"', '"file:."', "the file . cannot be read: Is a directory"),
        ('"env:PRIMARY"', '"file:big"', "the file big is larger than 4096 bytes"),
        ('"env:PRIMARY"', '"file:latin"', "the file latin cannot be read: it is not UTF-8"),
        ('"env:PRIMARY"', '"file:a\\u0000b"', "cannot be read"),
        ('"env:PRIMARY"', '"env:SHORT"', "secrets.primary: must be 8 to 512 characters"),
        ('"env:PRIMARY"', '"env:BLANK"', "blank or a line break at an end"),
        ('"env:PRIMARY"', "7", "secrets.primary: input should be a valid string"),
        (', token = "env:TOKEN"', "", "secrets.token: is needed: Token"),
        ("tolerance_s = 60", "tolerance_s = 0", "settings.tolerance_s: must be a whole number"),
        ("tolerance_s = 60", "colour = 1", "settings.colour: is not a setting here"),
        ("tolerance_s = 60", "tolerance_s = 1979-05-27", "settings.tolerance_s: must be"),
        ('"acme.made"', '"made"', "event_types: each must start with `acme.`"),
        ('"acme.made"', "7", "event_types.0: input should be a valid string"),
        ("max_body_bytes = 2048", "max_body_bytes = 1", "max_body_bytes: must be a whole number"),
        (
            "max_body_bytes",
            "max_bytes",
            "max_bytes: is no key of a source; there are: id, provider",
        ),
        ('provider = "acme"', 'provider = "acne"', "provider: There is no provider 'acne'"),
        ('provider = "acme"', "", "provider: field required"),
    ],
)
def test_what_is_wrong_is_named_by_file_source_and_key(rooms, declare, tmp_path, slip):
    """The operator finds the place at once; nothing is applied, not even the other source."""
    old, new, said = slip
    (tmp_path / "big").write_bytes(b"x" * 4097)
    (tmp_path / "latin").write_bytes(b"\xe4" * 10)
    environ = {**ENV, "SHORT": "x", "BLANK": "primary-key-1 "}
    with pytest.raises(ConfigError) as caught:
        declare(MINIMAL + ONE.replace(old, new), environ)
    message = caught.value.message
    assert f"{tmp_path}/inkwire.toml was not applied:" in message
    assert "\n- source acme-main, " in message
    assert said in message
    assert "primary-key-1" not in message
    assert rooms.desk.all(FILE) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[source]\n", "is not TOML: "),
        ("[source]\nid = 'a'\n", "each under [[source]]"),
        ("source = 7\n", "each under [[source]]"),
        ("source = [7]\n", "each under [[source]]"),
        ("[[sources]]\nid = 'a'\n", "sources: is no key here"),
        ("[[source]]\nprovider = 'acme'\n", "source no. 1, id: field required"),
        (MINIMAL + MINIMAL, "source acme-two, id: stands twice"),
    ],
)
def test_a_file_of_another_shape_is_explained(rooms, declare, text, said):
    """Slips in the file's own form get a sentence too."""
    with pytest.raises(ConfigError) as caught:
        declare(text)
    assert said in caught.value.message
    assert rooms.desk.all(FILE) == []


def test_a_provider_cannot_change(rooms, declare):
    """The events of a source belong to its provider: another one needs another id."""
    declare(MINIMAL)
    with pytest.raises(ConfigError, match="provider: is acme in the store and cannot change"):
        declare(MINIMAL.replace('"acme"', '"twin"'))
    assert rooms.desk.get(FILE, "acme-two").provider == "acme"


def test_a_missing_or_unreadable_file_is_explained(rooms, tmp_path):
    """No traceback for a path that is wrong or bytes that are not text."""
    with pytest.raises(ConfigError, match="There is no file"):
        apply(rooms.desk, tmp_path / "nope.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        apply(rooms.desk, tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        apply(rooms.desk, tmp_path / "latin.toml")


def test_every_problem_is_told_at_once(rooms, declare):
    """Two wrong sources give two lines, not one restart each."""
    text = ONE.replace("env:TOKEN", "env:NOPE1") + MINIMAL.replace("env:TOKEN", "env:NOPE2")
    with pytest.raises(ConfigError) as caught:
        declare(text)
    assert "NOPE1" in caught.value.message
    assert "NOPE2" in caught.value.message
