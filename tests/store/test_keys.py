"""Master keys: where they come from, and what is said when one is wrong."""

import base64
import os
from pathlib import Path

import pytest

from inkwire.config import Settings, load_settings
from inkwire.errors import ConfigError
from inkwire.store.keys import key_file, load_keyring, new_master_key, parse_keys, rotate

ONE, TWO = new_master_key(), new_master_key()


def value(text: str) -> bytes:
    """The key behind its base64."""
    return base64.b64decode(text)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a data folder that is not there yet."""
    return load_settings(data_dir=tmp_path / "data")


class TestLoading:
    def test_a_key_is_made_when_there_is_none(self, settings: Settings):
        """The first start works, and only the owner can read the file."""
        ring = load_keyring(settings)
        path = key_file(settings)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert ring == load_keyring(settings)
        assert len(ring.current.value) == 32

    def test_none_is_made_when_told_not_to(self, settings: Settings):
        """A store that holds sealed values must not get a second key by accident."""
        with pytest.raises(ConfigError, match=r"master\.key is missing"):
            load_keyring(settings, create=False)
        assert not key_file(settings).exists()

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
    def test_a_file_that_others_read_is_refused(self, settings: Settings, mode: int):
        """The message is the command that mends it."""
        load_keyring(settings)
        path = key_file(settings)
        path.chmod(mode)
        with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
            load_keyring(settings)

    def test_from_the_environment_before_the_file(self, tmp_path: Path):
        """A configured key counts, and no file is made."""
        settings = load_settings(data_dir=tmp_path, master_key=f"{ONE}, {TWO}")
        ring = load_keyring(settings)
        assert [key.value for key in ring.keys] == [value(ONE), value(TWO)]
        assert list(tmp_path.iterdir()) == []

    def test_from_a_command(self, tmp_path: Path):
        """A secret manager's command prints the keys; nothing of it goes through a shell."""
        settings = load_settings(
            data_dir=tmp_path, master_key_command=f"printf '%s\\n' {ONE} '$HOME' {TWO}"
        )
        with pytest.raises(ConfigError, match="Key 2 of INKWIRE_MASTER_KEY_COMMAND"):
            load_keyring(settings)
        settings = load_settings(data_dir=tmp_path, master_key_command=f"printf '%s\\n' {ONE}")
        assert load_keyring(settings).current.value == value(ONE)

    @pytest.mark.parametrize("command", ["false", "/nonexistent/tool", "'"])
    def test_a_command_that_fails(self, tmp_path: Path, command: str):
        """The message says what to do, not what the command printed."""
        settings = load_settings(data_dir=tmp_path, master_key_command=command)
        with pytest.raises(ConfigError, match="run it by hand"):
            load_keyring(settings)

    def test_a_file_that_is_no_file(self, settings: Settings):
        """Whatever lies there, the answer is a sentence."""
        key_file(settings).mkdir(parents=True, mode=0o700)
        with pytest.raises(ConfigError, match="cannot be read"):
            load_keyring(settings)


class TestParsing:
    def test_lines_commas_and_comments(self):
        """A key file may say what its keys are; a key that stands twice counts once."""
        ring = parse_keys(f"# current\n{ONE} # 2026\n\n{TWO},{ONE}\n", "x")
        assert [key.value for key in ring.keys] == [value(ONE), value(TWO)]

    @pytest.mark.parametrize("text", ["", " ,\n", "# only a comment"])
    def test_nothing_there(self, text: str):
        """No key at all is said to be so."""
        with pytest.raises(ConfigError, match="holds no master key"):
            parse_keys(text, "x")

    @pytest.mark.parametrize(
        "wrong",
        ["hunter2", ONE[:-4], ONE + "AAAA", "é" * 44, base64.b64encode(os.urandom(16)).decode()],
        ids=["a word", "cut", "too long", "no base64", "half a key"],
    )
    def test_what_is_no_key(self, wrong: str):
        """The message says which one, and never shows it."""
        with pytest.raises(ConfigError, match="Key 2 of INKWIRE_X") as caught:
            parse_keys(f"{ONE},{wrong}", "INKWIRE_X")
        assert wrong not in caught.value.message

    def test_no_key_shows_in_a_repr(self):
        """A keyring in a log or a traceback gives nothing away."""
        ring = parse_keys(ONE, "x")
        assert ONE not in repr(ring)
        assert repr(value(ONE)) not in repr(ring)


class TestRotation:
    def test_the_new_key_stands_first(self, settings: Settings):
        """What was there stays, comments and all; the file stays private; nothing is left over."""
        old = load_keyring(settings).current
        path = key_file(settings)
        path.write_text(f"# made by hand\n{path.read_text()}")
        ring = rotate(settings)
        assert ring.keys[1:] == (old,)
        assert ring.current != old
        assert "# made by hand" in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600
        assert [item.name for item in path.parent.iterdir()] == ["master.key"]

    def test_a_left_over_file_does_not_hinder(self, settings: Settings):
        """A rotation that was cut short can be done again."""
        load_keyring(settings)
        path = key_file(settings)
        path.with_name("master.key.new").write_text("half")
        assert len(rotate(settings).keys) == 2

    def test_keys_from_elsewhere_are_rotated_there(self, tmp_path: Path):
        """The hub cannot change an environment variable."""
        settings = load_settings(data_dir=tmp_path, master_key=ONE)
        with pytest.raises(ConfigError, match="inkwire master-key new"):
            rotate(settings)
