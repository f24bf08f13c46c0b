"""Business processes are found by themselves; what is none is named at the start."""

import sys
from types import ModuleType

import pytest

from fakes.kinds import KINDS, TOY, LonelyKind
from inkwire.errors import ConfigError
from inkwire.integrations import registry
from inkwire.integrations.registry import by_name, kind_of, kinds


def module(name, monkeypatch, **members):
    """A package that holds these names."""
    made = ModuleType(name)
    vars(made).update(members)
    monkeypatch.setitem(sys.modules, name, made)
    return name


def test_every_folder_of_ours_holds_a_kind():
    """What is installed can be looked up by name, once and for all."""
    found = kinds()
    assert found is kinds()
    for name, kind in found.items():
        assert kind.name == name
        assert kind.title and kind.summary.endswith(".")
        assert all(len(one.help) >= 6 for one in kind.settings), name
        named = {handler.workflow for handler in kind.events} | {u.workflow for u in kind.upkeep}
        assert named <= set(kind.workflows)


def test_a_package_gives_its_kind(monkeypatch):
    """An entry point's package and a folder of ours are read the same way."""
    assert kind_of(module("toy_one", monkeypatch, INTEGRATION=TOY)) is TOY


def test_somebody_elses_distribution_is_found(tmp_path, monkeypatch):
    """The entry point group names a package; it gives the same object as a folder of ours."""
    facts = tmp_path / "toy_kind-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-kind\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[inkwire.integrations]\ntoy_copy = toy_kind_of\n")
    (tmp_path / "toy_kind_of.py").write_text("from fakes.kinds import TOY as INTEGRATION\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(registry._third_party()) == [TOY]


def test_a_package_without_a_kind_is_refused(monkeypatch):
    """The sentence names the package, and what its object lacks."""
    with pytest.raises(ConfigError, match="toy_two must hold INTEGRATION"):
        kind_of(module("toy_two", monkeypatch))
    with pytest.raises(ConfigError, match="lacks name, title"):
        kind_of(module("toy_three", monkeypatch, INTEGRATION=object()))


def test_names_are_plain_and_unique():
    """A name stands in rows and addresses; two of one name would hide each other."""
    assert list(by_name([TOY, LonelyKind()])) == ["lonely", "toy_copy"]
    assert set(KINDS) == {"lonely", "toy_copy"}
    with pytest.raises(ConfigError, match="Two integrations are named toy_copy"):
        by_name([TOY, TOY])
    odd = LonelyKind()
    odd.name = "Not a name"
    with pytest.raises(ConfigError, match="must match"):
        by_name([odd])
