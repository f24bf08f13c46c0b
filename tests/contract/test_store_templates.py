"""Templates: every version is kept, and nobody's is written over."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from contract.store_kit import Hub
from inkwire.errors import Conflict, NotFound, StoreError
from inkwire.model.order import Template, TemplateVersion
from inkwire.store.contract import CONFIG, MAX_PAGE


def new(hub: Hub, **fields) -> Template:
    """A template in its first version, not kept yet."""
    now = hub.clock.now()
    values = {
        "id": hub.ids.new("tpl"),
        "name": "Offer",
        "version": 1,
        "created_at": now,
        "updated_at": now,
        **fields,
    }
    return Template(**values)


def save(hub: Hub, template: Template, source: str = "= Offer") -> TemplateVersion:
    """Keeps its next version."""
    return hub.store.templates.save(template, source, by="user:ada", audit=hub.audit())


def after(hub: Hub, template: Template, **fields) -> Template:
    """The version that follows, a second later."""
    hub.clock.advance(seconds=1)
    return replace(template, version=template.version + 1, updated_at=hub.clock.now(), **fields)


def test_versions(hub: Hub):
    """The newest is what is used; the others stay as they were."""
    before = hub.store.counters()[CONFIG]
    first = new(hub)
    one = save(hub, first, "= Eins 🙂\n")
    assert hub.store.counters()[CONFIG] > before
    second = after(hub, first, name="Angebot")
    two = save(hub, second, "= Zwei")
    templates = hub.store.templates
    assert (one.version, one.created_at, one.created_by) == (1, first.created_at, "user:ada")
    assert templates.get(first.id) == second
    assert templates.version(first.id) == two
    assert templates.version(first.id, 1) == one
    assert templates.versions(first.id) == [two, one]
    assert two.created_at == second.updated_at
    assert len(hub.store.access.audit()) == 2


def test_they_are_listed_by_name(hub: Hub):
    """Whatever the order they were made in."""
    kept = [new(hub, name=name) for name in ("b", "a", "c")]
    for template in kept:
        save(hub, template)
    assert hub.store.templates.all() == sorted(kept, key=lambda one: one.name)


def test_a_list_of_versions_has_an_end(hub: Hub):
    """The newest 200."""
    template = new(hub)
    for _ in range(MAX_PAGE + 1):
        save(hub, template)
        template = replace(template, version=template.version + 1)
    numbers = [version.version for version in hub.store.templates.versions(template.id)]
    assert numbers == list(range(MAX_PAGE + 1, 1, -1))


def test_somebody_was_faster(hub: Hub):
    """Of those who change the same version one gets through; the others change nothing."""
    template = new(hub)
    save(hub, template)
    template = after(hub, template)

    def one(n: int) -> str:
        try:
            save(hub, replace(template, name=f"{n}"), f"{n}")
        except Conflict as conflict:
            assert "read it again" in conflict.message
            return conflict.code
        return f"{n}"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(one, range(8)))
    (won,) = [name for name in outcomes if name != "template_changed"]
    kept = hub.store.templates
    assert kept.get(template.id).name == won
    assert [version.source for version in kept.versions(template.id)] == [won, "= Offer"]
    assert len(hub.store.access.audit()) == 2


@pytest.mark.parametrize("version", [1, 2, 4])
def test_a_version_out_of_turn(hub: Hub, version: int):
    """Neither one that is there nor one too far ahead is kept."""
    template = new(hub)
    save(hub, template)
    save(hub, after(hub, template))
    with pytest.raises(Conflict):
        save(hub, replace(template, version=version))
    assert len(hub.store.templates.versions(template.id)) == 2


def test_what_is_not_there(hub: Hub):
    """Each call says so."""
    templates = hub.store.templates
    template = new(hub)
    save(hub, template)
    for call in (
        lambda: templates.get("tpl_x"),
        lambda: templates.get("\x00"),
        lambda: templates.version("tpl_x"),
        lambda: templates.version(template.id, 2),
        lambda: templates.version(template.id, 2**70),
        lambda: templates.version(template.id, -(2**70)),
        lambda: templates.delete("tpl_x", audit=hub.audit()),
        lambda: save(hub, new(hub, version=2)),
    ):
        with pytest.raises(NotFound, match="no template"):
            call()
    assert templates.versions("tpl_x") == []


def test_a_text_that_no_store_keeps(hub: Hub):
    """Refused with a sentence, on both dialects alike."""
    for template, source in ((new(hub, name="\x00"), ""), (new(hub), "\ud800")):
        with pytest.raises(StoreError, match="half a character"):
            save(hub, template, source)
    assert hub.store.templates.all() == []


def test_deleting(hub: Hub):
    """It is gone with its versions, and others stay."""
    gone, stays = new(hub), new(hub, name="Other")
    for template in (gone, stays):
        save(hub, template)
    hub.store.templates.delete(gone.id, audit=hub.audit("template.delete", gone.id))
    assert hub.store.templates.all() == [stays]
    assert hub.rows("SELECT template_id FROM template_versions") == [(stays.id,)]
    assert hub.store.access.audit()[0].action == "template.delete"
