"""`inkwire orders|statuses|templates` on a real store."""

import json

import pytest

ORDER = {
    "number": "2026-7",
    "customer": {"name": "Jane", "email": "jane@example.com"},
    "blocks": [{"title": "Room", "lines": [{"description": "Day", "unit_price": "12.50"}]}],
    "fields": {"po": "PO-1"},
}


@pytest.fixture
def order(cli) -> str:
    """The id of an order that was taken in."""
    return cli("orders", "add", "-", stdin=json.dumps(ORDER)).stdout.strip()


def test_an_order_is_taken_in_moved_and_shown(cli, order):
    """By id and by number, for people and as JSON."""
    assert order.startswith("ord_")
    shown = cli("orders", "show", "2026-7").stdout
    for part in ("Jane <jane@example.com>", "EUR 12.50", "PO-1", "New since", "Day"):
        assert part in shown
    assert "request_signature" in cli("orders", "move", order, "request_signature").stdout
    assert cli.json("orders", "show", order)["status"] == "request_signature"
    assert [one["id"] for one in cli.json("orders", "list", "--status", "request_signature")] == [
        order
    ]
    assert "Jane" in cli("orders", "list", "2026").stdout
    assert [one["kind"] for one in cli.json("orders", "timeline", order)] == ["status", "created"]
    assert "New → Request signature" in cli("orders", "timeline", order).stdout


def test_an_order_is_edited_and_deleted(cli, order, tmp_path):
    """Only what the file names changes; deleting asks first."""
    change = tmp_path / "change.json"
    change.write_text('{"customer": {"city": "Kyiv"}}', "utf-8")
    assert cli.json("orders", "edit", order, str(change))["customer"]["name"] == "Jane"
    assert "--yes" in cli("orders", "delete", order, code=2).stderr
    cli("orders", "delete", order, "--yes")
    assert "no order" in cli("orders", "show", order, code=1).stderr
    assert "There are no such orders" in cli("orders", "list").stderr


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "must hold a JSON object"),
        (b"\xff", "UTF-8"),
        ('{"number": "1"}', "customer:"),
        ('{"number": "1", "customer": {"name": "J"}, "x": 1}', "x: is no member"),
    ],
)
def test_a_bad_file_is_explained(cli, given, says):
    """Exit code 2 and a sentence; nothing is kept."""
    assert says in cli("orders", "add", "-", stdin=given, code=2).stderr
    assert cli.json("orders", "list") == []


def test_what_is_not_allowed_is_explained(cli, order):
    """A move that the statuses do not allow names the ways there are."""
    assert "can go to" in cli("orders", "move", order, "expired", code=1).stderr
    assert "there are: new" in cli("orders", "move", order, "sined", code=2).stderr


def test_statuses_are_listed_and_set(cli):
    """Those of a fresh hub first, then the site's own."""
    assert "request_signature" in cli("statuses", "list").stdout
    own = {"items": [{"code": "10", "name": "New", "transitions": ["30"]}]}
    assert "30" in cli("statuses", "set", "-", stdin=json.dumps(own), code=2).stderr
    own["items"].append({"code": "30", "name": "Paid", "terminal": True})
    cli("statuses", "set", "-", stdin=json.dumps(own))
    assert [one["code"] for one in cli.json("statuses", "list")] == ["10", "30"]


def test_templates_are_added_previewed_and_edited(cli, order, tmp_path):
    """The one that comes along needs no file; errors have their line."""
    assert "inkwire templates add" in cli("templates", "list").stderr
    made = cli("templates", "add").stdout.strip()
    assert "Order confirmation" in cli("templates", "list").stdout
    pdf, own = tmp_path / "out.pdf", tmp_path / "quote.typ"
    cli("templates", "preview", made, "--order", "2026-7", "--to", str(pdf))
    assert pdf.read_bytes().startswith(b"%PDF-")
    own.write_text("fine\n#nope", "utf-8")
    assert "line 2, column 2" in cli("templates", "add", str(own), code=2).stderr
    own.write_text("fine", "utf-8")
    cli("templates", "preview", str(own), "--to", str(pdf))
    assert cli.json("templates", "edit", made, str(own), "--name", "Quote")["version"] == 2
    assert cli("templates", "source", made).stdout == "fine"
    assert "[[s|1]]" in cli("templates", "source", made, "--version", "1").stdout
    cli("templates", "delete", made, "--yes")
    assert cli.json("templates", "list") == []
