"""Orders, statuses and templates over HTTP."""

import pytest

from inkwire.model.access import Scope

JANE = {"name": "Jane", "email": "jane@example.com"}


@pytest.fixture
def ours(client):
    """A client that may do everything."""
    return client()


def add(ours, number="2026-7", **more) -> dict:
    """An order of Jane's."""
    answer = ours.post("/v1/orders", {"number": number, "customer": JANE, **more})
    assert answer.status == 201, answer.body
    assert answer.headers["location"] == f"/v1/orders/{answer.json()['id']}"
    return answer.json()


def wrong(answer) -> set[str]:
    """The fields that a 422 names."""
    assert answer.status == 422, answer.body
    return {error["field"] for error in answer.json()["errors"]}


def test_an_order_is_taken_in_read_and_listed(ours):
    """With its sums; by id and by number; as a summary in the list."""
    lines = [{"description": "Room", "quantity": "2", "unit_price": "12.50"}]
    made = add(ours, blocks=[{"title": "A", "lines": lines}], fields={"po": "7"})
    assert (made["total"], made["blocks"][0]["lines"][0]["amount"]) == ("25.00", "25.00")
    assert (made["status"], made["version"]) == ("new", 1)
    for given in (made["id"], "2026-7"):
        assert ours.get(f"/v1/orders/{given}").json() == made
    (listed,) = ours.get("/v1/orders?text=jane&status=new").json()["items"]
    assert (listed["id"], listed["customer_name"], listed["total"]) == (made["id"], "Jane", "25.00")
    assert ours.get("/v1/orders?status=signed").json() == {"items": [], "next": None}


def test_lists_go_on_page_by_page(ours):
    """Newest first, each order once."""
    made = [add(ours, str(number))["id"] for number in range(3)]
    first = ours.get("/v1/orders?limit=2").json()
    rest = ours.get(f"/v1/orders?limit=2&before={first['next']}").json()
    assert [one["id"] for one in first["items"] + rest["items"]] == made[::-1]
    assert rest["next"] is None


def test_an_order_is_changed_member_by_member(ours):
    """What is absent stays; an older version is a conflict; a status is no member."""
    made = add(ours, fields={"a": "1", "b": "2"})
    path = f"/v1/orders/{made['id']}"
    patch = {"version": 1, "customer": {"city": "Kyiv"}, "fields": {"a": None}}
    changed = ours.call("PATCH", path, patch).json()
    assert changed["version"] == 2
    assert changed["customer"] == {**made["customer"], "city": "Kyiv"}
    assert changed["fields"] == {"b": "2"}
    late = ours.call("PATCH", path, {"version": 1, "currency": "USD"})
    assert (late.status, late.json()["type"]) == (409, "urn:inkwire:error:order_changed")
    assert wrong(ours.call("PATCH", path, {"status": "signed"})) == {"status"}
    assert wrong(ours.call("PATCH", path, {"customer": {"email": "x"}})) == {"customer.email"}


def test_an_order_is_moved_and_tells_of_it(ours):
    """As the transitions allow; the timeline has it all, newest first."""
    made = add(ours)
    path = f"/v1/orders/{made['id']}"
    assert ours.post(f"{path}/status", {"status": "request_signature"}).json()["version"] == 2
    assert ours.post(f"{path}/status", {"status": "declined"}).status == 409
    assert wrong(ours.post(f"{path}/status", {"status": "sined"})) == {"status"}
    lines = ours.get(f"{path}/timeline").json()["items"]
    assert [line["kind"] for line in lines] == ["status", "created"]
    assert lines[0]["refs"] == {"from": "new", "to": "request_signature"}
    assert ours.get(f"{path}/timeline?limit=1").json()["next"] == lines[0]["id"]


def test_a_deleted_order_is_gone(ours):
    """From every address, and twice is not found."""
    path = f"/v1/orders/{add(ours)['id']}"
    assert ours.call("DELETE", path).status == 204
    assert ours.get("/v1/orders").json()["items"] == []
    for method, target in (("GET", path), ("GET", f"{path}/timeline"), ("DELETE", path)):
        assert ours.call(method, target).status == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"customer": JANE}, "number"),
        ({"number": "1"}, "customer"),
        ({"number": "1", "customer": {}}, "customer"),
        ({"number": "1", "customer": JANE, "x": 1}, "x"),
        ({"number": "1", "customer": {**JANE, "x": 1}}, "customer.x"),
        ({"number": "1", "customer": JANE, "currency": "euro"}, "currency"),
        ({"number": "1", "customer": JANE, "status": "nope"}, "status"),
        ({"number": "1\u0000", "customer": JANE}, "number"),
        ({"number": "a\u202eb", "customer": JANE}, "number"),
    ],
)
def test_what_is_wrong_is_named(ours, body, field):
    """By its path, whether the schema or the desk found it."""
    assert wrong(ours.post("/v1/orders", body)) == {field}
    assert ours.get("/v1/orders").json()["items"] == []


def test_the_number_is_unique(ours):
    """409 with a code of its own, so that a program can tell a repeat from a defect."""
    add(ours)
    again = ours.post("/v1/orders", {"number": "2026-7", "customer": JANE})
    assert (again.status, again.json()["type"]) == (409, "urn:inkwire:error:order_number_taken")


def test_statuses_are_the_sites_own(ours):
    """Those of a fresh hub until the site sets its own, in the order in which it sends them."""
    fresh = ours.get("/v1/order-statuses").json()["items"]
    assert [one["code"] for one in fresh][:3] == ["new", "request_signature", "signed"]
    items = [
        {"code": "10", "name": "New", "transitions": ["30"]},
        {"code": "30", "name": "Paid", "transitions": [], "terminal": True},
    ]
    assert ours.call("PUT", "/v1/order-statuses", {"items": items}).status == 200
    shown = ours.get("/v1/order-statuses").json()["items"]
    assert [(one["code"], one["terminal"]) for one in shown] == [("10", False), ("30", True)]
    add(ours)
    assert ours.call("PUT", "/v1/order-statuses", {"items": items[1:]}).status == 422
    other = [{"code": "7", "name": "Other"}]
    assert ours.call("PUT", "/v1/order-statuses", {"items": other}).status == 409
    bad = [{"code": "7", "name": "Other", "transitions": ["8"]}]
    assert wrong(ours.call("PUT", "/v1/order-statuses", {"items": bad})) == {"items.0.transitions"}


def test_templates_are_kept_and_previewed(ours):
    """In versions; the preview is a PDF that no browser takes for anything else."""
    made = ours.post("/v1/templates", {"name": "Order confirmation"})
    path = made.headers["location"]
    assert (made.status, made.json()["version"]) == (201, 1)
    order = add(ours)
    shown = ours.get(f"{path}/preview?order_id={order['number']}")
    assert (shown.status, shown.body[:5]) == (200, b"%PDF-")
    assert shown.headers["content-type"] == "application/pdf"
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert ours.get(f"{path}/preview?order_id=nope").status == 404
    assert ours.get(f"{path}/preview?version=7").status == 404
    source = ours.get(f"{path}/source").json()["source"]
    assert "[[s|1]]" in source
    change = {"expected": 1, "source": source + "\n// 2", "name": "Other"}
    assert ours.call("PUT", path, change).json()["version"] == 2
    assert ours.call("PUT", path, change).status == 409
    assert [one["version"] for one in ours.get(f"{path}/versions").json()["items"]] == [2, 1]
    assert ours.get(f"{path}/source?version=1").json()["source"] == source
    assert [one["name"] for one in ours.get("/v1/templates").json()["items"]] == ["Other"]
    assert ours.call("DELETE", path).status == 204
    assert ours.get(path).status == 404


def test_a_bad_source_is_told_by_line_and_column(ours):
    """When it is kept and when it is only looked at."""
    body = {"name": "Bad", "source": "fine\n#nope"}
    for answer in (
        ours.post("/v1/templates", body),
        ours.post("/v1/templates/preview", {"source": body["source"]}),
    ):
        assert wrong(answer) == {"source"}
        assert "line 2, column 2" in answer.json()["detail"]
    assert ours.get("/v1/templates").json()["items"] == []


def test_a_preview_shows_no_order_to_who_may_not_read_them(ours, client):
    """Writing templates is not reading customers."""
    order = add(ours)
    writer = client(Scope.INTEGRATIONS_WRITE)
    body = {"source": "hi", "order_id": order["id"]}
    assert writer.post("/v1/templates/preview", {"source": "hi"}).body[:5] == b"%PDF-"
    refused = writer.post("/v1/templates/preview", body)
    assert refused.status == 403
    assert "orders:read" in refused.json()["detail"]
    assert ours.post("/v1/templates/preview", body).status == 200
