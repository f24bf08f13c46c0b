"""Applications and topics in the console."""

import re

import pytest

from inkwire.access.gate import CLI
from inkwire.errors import NotFound

# --- applications and topics


def test_an_application_is_made_with_grants_keys_and_a_link(pages, as_):
    """From the form to the portal link; the key and the link are shown once."""
    admin = as_("admin")
    admin.get("/new-application")
    made = admin.post(
        "/new-application", {"name": "Fabrikam", "frame_ancestors": "https://a.example.com"}
    )
    where = made.location.removeprefix("/console")
    page = admin.follow(made)
    assert "Fabrikam" in page.words
    app_id = where.rpartition("/")[2]
    grants = admin.get(f"{where}/grants")
    assert "Box" in grants.words
    admin.post(f"{where}/grants", [("topic", "order.signed"), ("topic", "box.FILE.UPLOADED")])
    assert pages.hub.applications.grants(CLI, app_id) == {"order.signed", "box.FILE.UPLOADED"}
    assert re.search(r'value="order.signed" checked', admin.get(f"{where}/grants").text)
    once = admin.post(f"{where}/keys", [("key_name", "prod"), ("scope", "webhooks:read")])
    key = re.search(r"ink_[A-Za-z0-9_-]+", once.words)[0]
    caller = pages.hub.gate.by_key(f"Bearer {key}")
    assert caller.application_id == app_id
    listed = admin.get(where)
    assert key not in listed.text
    assert "prod" in listed.words
    link = admin.post(f"{where}/portal")
    token = re.search(r"/portal/#([A-Za-z0-9_-]+)", link.words)[1]
    cookie, _, _ = pages.hub.portal.enter(token)
    assert pages.hub.portal.session(cookie).caller.application_id == app_id
    (held,) = pages.hub.gate.api_keys(CLI, application_id=app_id)
    admin.post(f"{where}/keys/{held.id}/revoke")
    assert "prod" not in admin.get(where).words


def test_applications_refuse_what_is_wrong(pages, as_, shop):
    """At the field; scopes of an operator are none for an application."""
    admin = as_("admin")
    admin.get("/new-application")
    wrong = admin.post("/new-application", {"name": "", "frame_ancestors": "example.com/path"})
    assert wrong.status == 422
    assert 'id="f-name-error"' in wrong.text
    assert 'id="f-frame_ancestors-error"' in wrong.text
    one = f"/applications/{shop}"
    assert admin.post(one, {"name": "", "frame_ancestors": ""}).status == 422
    assert admin.post(f"{one}/keys", [("key_name", "x"), ("scope", "access")]).status == 422
    assert admin.post(f"{one}/keys", [("key_name", ""), ("scope", "webhooks:read")]).status == 422
    assert admin.post(f"{one}/grants", [("topic", "no.such")]).status == 422
    assert admin.post(f"{one}/delete", {"confirm": "no"}).status == 422
    assert admin.post(f"{one}/delete", {"confirm": "Northwind"}).status == 303
    with pytest.raises(NotFound):
        pages.hub.applications.get(CLI, shop)


def test_an_own_topic_is_made_changed_and_removed(pages, as_):
    """Schema and example are JSON and fit each other; built-in topics stay as they are."""
    admin = as_("admin")
    admin.get("/new-topic")
    given = {"name": "invoice.paid", "description": "Paid.", "schema": "", "example": '{"id": 1}'}
    assert admin.post("/new-topic", given).status == 303
    assert '"id": 1' in admin.get("/topics/invoice.paid").words
    assert admin.post("/new-topic", given).status == 409, "it is there already"
    for field, value in (("schema", "{"), ("schema", "[]"), ("example", "nope"), ("name", "A B")):
        wrong = admin.post("/new-topic", given | {"name": "other.one", field: value})
        assert (field, wrong.status) == (field, 422)
        assert f'id="f-{field}-error"' in wrong.text
    admin.post("/topics/invoice.paid", {"granted_to_all": "true", "schema": '{"type": "object"}'})
    assert pages.hub.catalogue.get("invoice.paid").granted_to_all
    assert admin.get("/topics/order.signed/edit").status == 409
    assert admin.post("/topics/order.signed", given).status == 409
    assert admin.post("/topics/order.signed/delete").status == 409
    admin.post("/topics/invoice.paid/delete")
    assert admin.get("/topics/invoice.paid").status == 404
