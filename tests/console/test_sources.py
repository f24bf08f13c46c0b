"""Sources: made, changed, rotated, paused and deleted through forms."""

import re
from datetime import timedelta

import pytest

from fakes.pages import SECRETS, Pages
from inkwire.model.source import ManagedBy
from inkwire.sources.desk import FILE

BOX = {"id": "box-main", "name": "Box", "secrets.primary": "a-primary-key", "secrets.secondary": ""}


@pytest.fixture
def admin(as_):
    """An administrator with a form token at hand."""
    visitor = as_("admin")
    visitor.get("/settings")
    return visitor


def newest_secret(pages: Pages, source_id: str) -> str:
    """What the store would prove a request with first."""
    opened = pages.hub.store.sources.open_secrets(pages.hub.clock.now())
    return opened[source_id][0].value.decode()


def error_of(html: str, field: str) -> str:
    """The sentence beside an input."""
    found = re.search(rf'<p class="error" id="f-{re.escape(field)}-error">(.*?)</p>', html)
    return found[1] if found else ""


def test_a_source_is_made_and_its_page_says_what_to_do(pages, admin):
    """Choose, fill in, done: address, steps with that address in them, secrets by role."""
    assert 'href="/console/new-source/box"' in admin.get("/new-source").text
    admin.get("/new-source/box")
    page = admin.follow(admin.post("/new-source/box", BOX))
    for text in (
        "http://127.0.0.1:8080/in/box-main",
        "Connect Box",
        "Generate Key",
        "Primary signature key",
        "Never heard",
        "Vendors need https",
    ):
        assert text in page.words, text
    assert page.text.count("http://127.0.0.1:8080/in/box-main") >= 3, "the steps hold the address"
    assert "a-primary-key" not in page.text
    assert newest_secret(pages, "box-main") == "a-primary-key"


def test_every_provider_has_a_form(pages, admin):
    """Forms come from the described settings: each provider's page names all of them."""
    for provider in pages.hub.registry.receiving():
        form = admin.get(f"/new-source/{provider.name}").text
        for field in provider.receive.settings:
            assert f'name="settings.{field.key}"' in form, (provider.name, field.key)
        for secret in provider.receive.secrets:
            assert f'name="secrets.{secret.role}"' in form


def test_every_provider_can_be_made_from_its_own_form(pages, admin):
    """The form as it is shown, with secrets filled in, gives a source of the defaults."""
    for provider in pages.hub.registry.receiving():
        form = admin.get(f"/new-source/{provider.name}").text
        fields = dict(re.findall(r'name="((?:settings\.|max_)[^"]+)"[^>]*?value="([^"]*)"', form))
        for select in re.finditer(
            r'<select id="[^"]+" name="([^"]+)".*?</select>', form, re.DOTALL
        ):
            chosen = re.search(r'value="([^"]*)" selected', select[0])
            fields[select[1]] = chosen[1]
        for switch in provider.receive.settings:
            if switch.kind == "switch" and not switch.default:
                fields.pop(f"settings.{switch.key}", None)
        secrets = {f"secrets.{role}": value for role, value in SECRETS[provider.name].items()}
        made = admin.post(
            f"/new-source/{provider.name}",
            {"id": f"my-{provider.name}", "name": "Mine"} | fields | secrets,
        )
        assert made.status == 303, (provider.name, made.words)
        source = pages.hub.store.sources.get(f"my-{provider.name}")
        assert dict(source.settings) == {f.key: f.default for f in provider.receive.settings}
        assert source.max_body_bytes == pages.hub.settings.max_body_bytes


def test_recipes_fill_the_form_in(pages, admin):
    """GitHub by the generic provider: chosen in one click, right in every setting."""
    assert 'href="/console/new-source/generic?recipe=github"' in admin.get("/new-source").text
    form = admin.get("/new-source/generic?recipe=github")
    assert 'value="X-Hub-Signature-256"' in form.text
    assert "GitHub signs no time" in form.words
    assert 'name="id"' in form.text
    assert 'value="github"' in form.text


def test_wrong_fields_are_named_beside_their_inputs(pages, admin):
    """422, each with its sentence; what was typed is still there, secrets are not."""
    wrong = BOX | {
        "id": "Box Main",
        "name": "",
        "secrets.primary": "",
        "secrets.secondary": "typed-secret",
        "settings.tolerance_past_s": "soon",
        "max_body_bytes": "a lot",
        "event_types": "boxc.orders_status",
    }
    answer = admin.post("/new-source/box", wrong)
    assert answer.status == 422
    for field, text in {
        "id": "Must be 1 to 64 lower-case letters",
        "name": "Must be 1 to 100",
        "secrets.primary": "Is needed",
        "settings.tolerance_past_s": "Must be a whole number",
        "max_body_bytes": "Must be a whole number",
        "event_types": "Each must start with",
    }.items():
        assert text in error_of(answer.text, field), field
    assert 'value="Box Main"' in answer.text
    assert 'value="soon"' in answer.text
    assert "typed-secret" not in answer.text
    assert "enter them again" in answer.words
    assert pages.hub.store.sources.all() == []


def test_an_id_that_is_taken_is_said_beside_it(pages, admin, boxc):
    """409, the form as it was."""
    answer = admin.post("/new-source/boxc", {"id": "boxc", "name": "Again", "secrets.key": ""})
    assert answer.status == 409
    assert "boxc" in error_of(answer.text, "id")
    assert 'value="Again"' in answer.text


def test_the_suggested_id_is_free(pages, admin, boxc):
    """A second source of a provider gets a number."""
    assert 'value="boxc-2"' in admin.get("/new-source/boxc").text


def test_a_made_up_secret_is_shown_once(pages, admin):
    """On the answer, with what to do; never again on any page, nor in the audit log."""
    answer = admin.post("/new-source/boxc", {"id": "mine", "name": "BoxC", "secrets.key": ""})
    assert answer.status == 200
    secret = re.search(r'data-copy="([^"]{16,})"', answer.text)[1]
    assert newest_secret(pages, "mine") == secret
    assert "This is the only time" in answer.words
    assert 'data-once="/console/sources/mine"' in answer.text, "loading again makes no other"
    for path in ("/sources/mine", "/settings/audit", "/sources"):
        assert secret not in admin.get(path).text


def test_settings_are_saved(pages, admin, boxc):
    """Name, limits and filters; the next page says so."""
    form = {
        "name": "Warehouse",
        "event_types": "boxc.orders_status\r\n\r\n boxc.shipments_label ",
        "document_ids": "17\n18",
        "max_body_bytes": "65536",
    }
    page = admin.follow(admin.post("/sources/boxc", form))
    assert "Saved. It takes effect within a second." in page.words
    source = pages.hub.store.sources.get("boxc")
    assert source.name == "Warehouse"
    assert source.event_types == ("boxc.orders_status", "boxc.shipments_label")
    assert source.document_ids == ("17", "18")
    assert source.max_body_bytes == 65536


def test_a_wrong_setting_keeps_what_was_typed(pages, admin):
    """422 with every other field as typed; the store is as it was."""
    pages.source("bolo", "bolosign", "BoloSign")
    form = {
        "name": "Renamed",
        "settings.tolerance_s": "-5",
        "max_body_bytes": "65536",
        "document_ids": "typed",
    }
    answer = admin.post("/sources/bolo", form)
    assert answer.status == 422
    assert "Must be a whole number" in error_of(answer.text, "settings.tolerance_s")
    assert 'value="Renamed"' in answer.text
    assert ">typed</textarea>" in answer.text
    assert pages.hub.store.sources.get("bolo").name == "BoloSign"


def test_a_switch_can_be_turned_on_and_off(pages, admin):
    """Browsers send nothing for an empty box; that means off, not unchanged."""
    pages.source("bolo", "bolosign", "BoloSign")
    form = {"name": "B", "settings.tolerance_s": "300", "max_body_bytes": "65536"}
    admin.post("/sources/bolo", form | {"settings.mark_as_test": "true"})
    assert pages.hub.store.sources.get("bolo").settings["mark_as_test"] is True
    assert re.search(r'name="settings.mark_as_test"[^>]*checked', admin.get("/sources/bolo").text)
    admin.post("/sources/bolo", form)
    assert pages.hub.store.sources.get("bolo").settings["mark_as_test"] is False


def test_a_secret_is_rotated_with_an_overlap(pages, clock, admin, boxc):
    """Both are accepted until the old one ends; the page shows when that is."""
    answer = admin.post(
        "/sources/boxc/secrets",
        {"role": "key", "value": "another-key-of-24-chars.", "overlap_s": "86400"},
    )
    page = admin.follow(answer)
    assert "The new secret is in use within a second." in page.words
    assert "ends in 1 d" in page.words
    clock.advance(seconds=timedelta(days=2).total_seconds())
    admin = admin_again(admin)
    assert "ended 1 d ago" in admin.get("/sources/boxc").words


def admin_again(visitor):
    """Signs in anew: two days are longer than a session."""
    visitor.cookies.clear()
    visitor.sign_in("admin", "correct horse battery staple")
    return visitor


def test_a_rotated_secret_can_be_made_up(pages, admin, boxc):
    """Where the vendor lets the receiver choose: shown once, then never."""
    answer = admin.post("/sources/boxc/secrets", {"role": "key", "value": "", "overlap_s": "3600"})
    assert answer.status == 200
    secret = re.search(r'data-copy="([^"]{16,})"', answer.text)[1]
    assert newest_secret(pages, "boxc") == secret
    assert secret not in admin.get("/sources/boxc").text


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"role": "key", "value": "short", "overlap_s": "0"}, "Must be 16 to"),
        ({"role": "key", "value": "another-key-of-24-chars.", "overlap_s": "x"}, "whole number"),
        ({"role": "mystery", "value": "x", "overlap_s": "0"}, "no secret of this provider"),
    ],
)
def test_a_wrong_rotation_is_told_beside_its_input(pages, admin, boxc, form, text):
    """422; the secrets are as they were."""
    answer = admin.post("/sources/boxc/secrets", form)
    assert answer.status == 422
    assert text in answer.words
    assert len(pages.hub.store.sources.get("boxc").secrets) == 1


def test_a_secret_is_ended(pages, admin, boxc):
    """The old one at once; the last one not, with what to do instead."""
    (old,) = boxc.secrets
    admin.post(
        "/sources/boxc/secrets",
        {"role": "key", "value": "another-key-of-24-chars.", "overlap_s": "86400"},
    )
    page = admin.follow(admin.post(f"/sources/boxc/secrets/{old.id}/remove"))
    assert "The secret is no longer accepted." in page.words
    (left,) = pages.hub.store.sources.get("boxc").secrets
    refused = admin.post(f"/sources/boxc/secrets/{left.id}/remove")
    assert refused.status == 409
    assert "Rotate it" in refused.words


def test_pausing_and_resuming(pages, admin, boxc):
    """One button, the other way round afterwards."""
    page = admin.follow(admin.post("/sources/boxc/pause"))
    assert "Resume" in page.words
    assert pages.hub.store.sources.get("boxc").paused
    page = admin.follow(admin.post("/sources/boxc/resume"))
    assert "Pause" in page.words
    assert not pages.hub.store.sources.get("boxc").paused


def test_deleting_asks_for_the_id(pages, admin, boxc):
    """A plain sentence first; only the right id deletes."""
    page = admin.get("/sources/boxc")
    assert "This cannot be undone." in page.words
    wrong = admin.post("/sources/boxc/delete", {"confirm": "box"})
    assert wrong.status == 422
    assert "boxc, the source's id" in wrong.words
    assert pages.hub.store.sources.get("boxc")
    gone = admin.follow(admin.post("/sources/boxc/delete", {"confirm": "boxc"}))
    assert "Its events and receipts are still here." in gone.words
    assert pages.hub.store.sources.all() == []


def test_a_declared_source_is_read_only(pages: Pages, admin):
    """What inkwire.toml says is changed there: no form, and a posted one is refused."""
    pages.source("declared", "boxc", "From the file", managed_by=ManagedBy.FILE, caller=FILE)
    page = admin.get("/sources/declared")
    assert "declared in inkwire.toml" in page.words
    assert 'action="/console/sources/declared' not in page.text
    for path, form in {
        "/sources/declared": {"name": "x", "max_body_bytes": "65536"},
        "/sources/declared/pause": {},
        "/sources/declared/delete": {"confirm": "declared"},
        "/sources/declared/secrets": {"role": "key", "value": "", "overlap_s": "0"},
    }.items():
        answer = admin.post(path, form)
        assert answer.status == 409, path
        assert "inkwire.toml" in answer.words


def test_refusals_say_why_and_what_to_do(pages, ids, as_):
    """Reason in words, what was found, what to do; filters by source and reason."""
    visitor = as_("olga")
    listed = visitor.get("/rejected?source=boxc&reason=bad_signature")
    assert "No secret of the source fits the signature" in listed.words
    assert "Reason No secret of the source fits the signature – remove" in listed.words
    page = visitor.get(f"/rejected/{ids['rejected']}")
    for text in ("What was found", "What to do", "Refused with 401", "203.0.113.7", "BoxC"):
        assert text in page.words, text
    assert "Nothing fits" in visitor.get("/rejected?source=orders").words


def test_health_follows_what_was_heard_last(pages, clock, admin, boxc):
    """Never heard, healthy, refusing, quarantine: the latest fact decides."""

    def health() -> str:
        clock.advance(seconds=1)
        return re.search(r'class="mark (\w+)".*?<span>([^<]+)', admin.get("/sources/boxc").text)[2]

    assert health() == "Never heard"
    pages.send("boxc", "orders-status", token="a")
    assert health() == "Healthy"
    clock.advance(seconds=5)
    pages.send("boxc", "orders-status", token="b", secret="not-the-key-of-24-chars..")
    assert health() == "Refusing"
    clock.advance(seconds=5)
    pages.send("boxc", "orders-status", token="c")
    assert health() == "Healthy"
