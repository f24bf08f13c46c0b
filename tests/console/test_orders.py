"""Orders, statuses and templates in the console: what is read, what is changed, what is refused."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa

from fakes.orders import fill_orders
from fakes.pages import PASSWORD, Pages, open_pages
from fakes.visitor import Visitor
from inkwire.access.gate import CLI
from inkwire.clock import ManualClock
from inkwire.console import order_forms, template_errors
from inkwire.model.document import DocumentKind, SignState
from inkwire.model.order import LineKind, Order, OrderBlock, OrderLine
from inkwire.model.work import WorkState
from inkwire.orders.drafts import differences, laid_over
from inkwire.orders.sample import SAMPLE
from inkwire.store import schema_orders as tables
from inkwire.store.acting import WorkQuery
from inkwire.store.contract import MAX_PAGE
from inkwire.store.ordering import OrderChange


@dataclass(frozen=True)
class Shop:
    """A hub with an order in every condition."""

    pages: Pages
    ids: dict[str, str]
    admin: Visitor

    def as_(self, name: str) -> Visitor:
        """Somebody else, signed in."""
        visitor = Visitor(self.pages.app)
        visitor.sign_in(name, PASSWORD)
        return visitor


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, clock_at: ManualClock) -> Iterator[Shop]:
    """Shared: a test that changes something makes an order of its own."""
    with open_pages(tmp_path_factory.mktemp("orders") / "hub", clock=clock_at) as pages:
        ids = fill_orders(pages, lambda seconds: clock_at.advance(seconds=seconds))
        admin = Visitor(pages.app)
        admin.sign_in("admin", PASSWORD)
        yield Shop(pages, ids, admin)


@pytest.fixture(scope="module")
def clock_at() -> ManualClock:
    """Stands still until it is moved."""
    return ManualClock(SAMPLE.created_at)


def made(shop: Shop, number: str, **members: object) -> Order:
    """An order that a test may change."""
    draft = {"number": number, "customer": {"name": "Ann", "email": "ann@example.com"}}
    return shop.pages.hub.orders.add(CLI, draft | members)


# --- reading


@pytest.mark.parametrize(
    ("name", "title", "says"),
    [
        ("signed", "Order 1042 was signed by Jane Doe", "Unchanged since signed"),
        ("waiting", "Order 1047 waits for the signature of Jane Doe", "expires"),
        ("declined", "Order 1043 was declined by Ömer Çelik", "Declined"),
        ("held", "Order 1044 is held up and needs you", "has no customer e-mail"),
        ("asked", "Order 1045 waits for your decision", "Decide"),
        ("gone", "Order 1046 was deleted", "nothing is done for it any more"),
        ("new", "Order 1048 of Northwind Traders was taken in", "Taken in as order 1048"),
    ],
)
def test_the_title_says_what_happened(shop, name, title, says):
    """In words, by what is known now; what comes next and what proves it stand below."""
    page = shop.admin.get(f"/orders/{shop.ids[f'order_{name}']}")
    assert page.status == 200
    assert f"<h1>{title}</h1>" in page.text
    assert says in page.words


def test_what_happens_next_stands_on_top_with_the_page_that_helps(shop):
    """A dead run with its reason and its page; an open request with both its times."""
    held = shop.admin.get(f"/orders/{shop.ids['order_held']}")
    entity = f"order:{shop.ids['order_held']}"
    (work,) = shop.pages.hub.store.works.page(WorkQuery(entity_key=entity))
    assert f'href="/console/runs/{work.id}"' in held.text
    assert held.words.index("goes no further by itself") < held.words.index("Taken in as order")
    waiting = shop.admin.get(f"/orders/{shop.ids['order_waiting']}").words
    assert "Waits for jane.doe@example.com to sign. read again in" in waiting
    assert "read again in 9 min , expires 22 Dec 2026" in waiting


def test_lists_name_what_is_held_up(shop):
    """An order that needs somebody is seen in the list, and filters are chips that come off."""
    words = shop.admin.get("/orders").words
    assert "held up: Order 1044 has no customer e-mail" in words
    assert "waits for jane.doe@example.com" in words
    assert "1046" not in words, "deleted"
    found = shop.admin.get("/orders?q=jane&status=request_signature&waiting=1")
    assert "1047" in found.words
    assert "1042" not in found.words
    assert 'href="/console/orders?q=jane&amp;status=request_signature"' in found.text
    assert "No order fits these filters" in shop.admin.get("/orders?q=zzz").words
    assert shop.admin.get("/orders?q=" + "x" * 500).status == 422


def test_pages_of_the_list_follow_one_another(shop):
    """Keyset: the second page begins where the first ended, whatever came in since."""
    for number in range(50):
        made(shop, f"page-{number}")
    first = shop.admin.get("/orders?q=page-")
    assert first.words.count("page-") >= 50
    assert "Older" not in first.words
    made(shop, "page-50")
    link = shop.admin.get("/orders?q=page-").text.partition('rel="next" href="')[2]
    older = shop.admin.get(link.partition('"')[0].removeprefix("/console").replace("&amp;", "&"))
    assert "page-0" in older.words
    assert "page-1" not in older.words


def test_an_empty_hub_says_how_orders_come_in(pages, as_):
    """The command, the address for programs, the button; and none for who may not."""
    empty = as_("admin").get("/orders")
    for text in ("No orders yet", "inkwire orders add order.json", "POST /v1/orders"):
        assert text in empty.words
    assert 'href="/console/new-order"' in empty.text
    assert "new-order" not in as_("vera").get("/orders").text
    assert "No templates yet" in as_("vera").get("/templates").words


def test_an_order_that_does_not_open_is_shown_by_what_is_plain(shop):
    """The master key is gone: the page says so, and still tells what happened."""
    order = made(shop, "sealed-1")
    with shop.pages.hub.store._database.writing() as conn:
        sealed = tables.orders.update().where(tables.orders.c.id == order.id)
        conn.execute(sealed.values(content=sa.literal(b"x" * 60)))
    page = shop.admin.get(f"/orders/{order.id}")
    assert page.status == 200
    assert "Order sealed-1 does not open." in page.words
    assert "Taken in as order sealed-1" in page.words
    assert "/move" not in page.text
    assert "sealed-1" in shop.admin.get("/orders").words


def test_many_lines_and_documents_are_cut_with_a_way_to_all(shop):
    """The page stays small; the form leaves alone what it cannot hold."""
    lines = [{"description": f"line {number}", "unit_price": "1.00"} for number in range(400)]
    order = made(shop, "long-1", blocks=[{"title": "a", "lines": lines}, {"title": "b"}])
    page = shop.admin.get(f"/orders/{order.id}")
    assert len(page.body) < 100 * 1024
    assert "line 99" in page.words
    assert "line 100" not in page.words
    assert "400.00 EUR" in page.words
    assert "line 399" in shop.admin.get(f"/orders/{order.id}?all=1").words
    shop.admin.get(f"/orders/{order.id}/edit")
    fields = {"number": "long-2", "currency": "EUR", "customer.name": "Ann", "version": "1"}
    assert shop.admin.post(f"/orders/{order.id}/edit", fields).status == 303
    saved = shop.pages.hub.orders.get(CLI, order.id)
    assert saved.number == "long-2"
    assert len(saved.blocks[0].lines) == 400


# --- moving, deleting


def test_nothing_is_sent_before_the_person_was_told_what(shop):
    """The first click asks with the address, the second sends; what sends nothing moves at once."""
    order = made(shop, "move-1")
    shop.admin.get(f"/orders/{order.id}")
    asked = shop.admin.post(f"/orders/{order.id}/move", {"to": "request_signature"})
    page = shop.admin.get(asked.location.removeprefix("/console").partition("#")[0])
    assert "Sends the document to ann@example.com for signature" in page.words
    assert shop.pages.hub.orders.get(CLI, order.id).status == "new"
    sure = {"to": "request_signature", "sure": "request_signature"}
    done = shop.admin.follow(shop.admin.post(f"/orders/{order.id}/move", sure))
    assert "Moved." in done.words
    entity = f"order:{order.id}"
    (work,) = shop.pages.hub.store.works.page(WorkQuery(entity_key=entity))
    assert work.state is WorkState.NEW
    assert "being worked on" in done.words
    assert shop.admin.post(f"/orders/{order.id}/move", {"to": "cancelled"}).status == 303
    assert shop.pages.hub.orders.get(CLI, order.id).status == "cancelled"
    refused = shop.admin.post(f"/orders/{order.id}/move", {"to": "signed"})
    assert refused.status == 409
    assert "cannot go to Signed" in refused.words


def test_deleting_needs_the_number_and_leaves_the_evidence(shop):
    """A slip deletes nothing; a deleted order keeps its page."""
    order = made(shop, "del-1")
    shop.admin.get(f"/orders/{order.id}")
    assert shop.admin.post(f"/orders/{order.id}/delete", {"confirm": "del"}).status == 422
    gone = shop.admin.follow(shop.admin.post(f"/orders/{order.id}/delete", {"confirm": "del-1"}))
    assert "Order del-1 was deleted" in gone.words
    assert "Chain intact" in shop.admin.get(f"/orders/{order.id}/evidence").words
    assert shop.admin.get(f"/orders/{order.id}/edit").status == 404


def test_a_viewer_reads_and_changes_nothing(shop):
    """No button, no document, no form; a forged post is refused."""
    vera = shop.as_("vera")
    page = vera.get(f"/orders/{shop.ids['order_signed']}")
    assert "your role does not open them" in page.words
    for word in ("/move", "/delete", "/edit", "/raw", "/export"):
        assert word not in page.text, word
    assert "/export" not in vera.get(f"/orders/{shop.ids['order_signed']}/evidence").text
    order = shop.ids["order_new"]
    for path in (f"/orders/{order}/move", f"/orders/{order}/delete", "/new-order", "/statuses"):
        assert vera.post(path, {"to": "cancelled", "confirm": "1048"}).status == 403, path
    for path in (f"/documents/{shop.ids['document']}/raw", f"/orders/{order}/evidence/export"):
        assert vera.get(path).status == 403, path


# --- the form


def form_of(page_values: dict[str, str], order: Order) -> dict[str, str]:
    """What a browser sends of the form."""
    return page_values | {"version": str(order.version), "has_lines": "1"}


def test_a_form_that_is_sent_as_it_came_changes_nothing():
    """Every member survives the way through the form, amounts that are no product too."""
    odd = OrderLine(description="two\nlines", quantity="3", unit_price="1.10", amount="3.00")
    order = replace(
        SAMPLE,
        blocks=(*SAMPLE.blocks, OrderBlock(title="", lines=(odd,))),
        fields={"a": "1\n2", "b": ""},
    )
    values = order_forms.values_of(order)
    draft = order_forms.draft_of(values, blocks=True)
    assert draft.wrong == {}
    assert differences(order, laid_over(order, draft.members)) == []


def test_rows_that_are_emptied_go_and_errors_find_their_row():
    """A removed line, a renamed and a removed field; what is wrong stands at the row typed in."""
    values = order_forms.values_of(SAMPLE)
    values |= {f"blocks.0.lines.0.{key}": "" for key in ("description", "quantity", "amount")}
    values |= {"blocks.0.lines.0.unit_price": "", "blocks.0.lines.1.quantity": "many"}
    values |= {"fields.0.key": "po", "fields.1.key": ""}
    draft = order_forms.draft_of(values, blocks=True)
    assert [len(block["lines"]) for block in draft.members["blocks"]] == [1, 2]
    assert draft.members["fields"] == {
        "purchase_order": None,
        "sign_request_id": None,
        "po": "PO-7731",
    }
    told = draft.errors({"blocks.0.lines.0.quantity": "must be a number", "fields.po": "no"})
    assert told == {"blocks.0.lines.1.quantity": "must be a number", "fields.0.value": "no"}


def test_a_made_up_form_makes_no_large_page():
    """Numbers of rows that nobody's form has are not believed."""
    values = {"blocks.999999.lines.999999.description": "x", "fields.99999.key": "y"}
    assert len(order_forms.block_inputs(values, {})) == 1
    assert len(order_forms.field_inputs(values, {})) == 1


def test_an_order_is_made_without_script(shop):
    """Another row is a button's way to the server; errors keep what was typed."""
    shop.admin.get("/new-order")
    typed = {
        "number": "form-1",
        "currency": "eur",
        "customer.name": "Ann",
        "customer.email": "ann(at)example.com",
        "blocks.0.title": "Rooms",
        "blocks.0.lines.0.description": "Room",
        "blocks.0.lines.0.quantity": "2",
        "blocks.0.lines.0.unit_price": "10.50",
        "blocks.0.lines.1.description": "",
        "fields.0.key": "po",
        "fields.0.value": "7",
    }
    more = shop.admin.post("/new-order", typed | {"more": "blocks.0"})
    assert 'name="blocks.0.lines.2.description"' in more.text
    assert shop.pages.hub.store.orders.by_number("form-1") is None
    wrong = shop.admin.post("/new-order", typed)
    assert wrong.status == 422
    assert "Must be one e-mail address" in wrong.words
    assert 'value="ann(at)example.com"' in wrong.text
    done = shop.admin.post("/new-order", typed | {"customer.email": "ann@example.com"})
    assert "Taken in." in shop.admin.follow(done).words
    order = shop.pages.hub.orders.get(CLI, "form-1")
    assert order.blocks[0].lines[0].amount == "21.00"
    assert order.fields == {"po": "7"}
    again = shop.admin.post("/new-order", typed | {"customer.email": "ann@example.com"})
    assert again.status == 409
    assert "There is an order of the number form-1 already" in again.words


def test_who_edits_what_somebody_changed_is_told_first(shop):
    """Nothing is lost silently; a field that an integration wrote meanwhile stays."""
    order = made(shop, "race-1")
    shop.admin.get(f"/orders/{order.id}/edit")
    mine = form_of(order_forms.values_of(order) | {"customer.name": "Mine"}, order)
    shop.pages.hub.orders.change(CLI, order.id, {"fields": {"sign_request_id": "s1"}})
    told = shop.admin.post(f"/orders/{order.id}/edit", mine)
    assert told.status == 409
    assert "Somebody changed this order" in told.words
    assert 'name="version" value="2"' in told.text
    shop.admin.post(f"/orders/{order.id}/edit", mine | {"version": "2"})
    saved = shop.pages.hub.orders.get(CLI, order.id)
    assert saved.customer.name == "Mine"
    assert saved.fields == {"sign_request_id": "s1"}
    same = form_of(order_forms.values_of(saved), saved)
    done = shop.admin.follow(shop.admin.post(f"/orders/{order.id}/edit", same))
    assert "Nothing was different" in done.words


# --- documents and evidence


def test_a_document_is_served_so_that_nothing_in_it_can_act(shop):
    """A PDF to our own frames only; what only says that it is one as inert text; the rest saved."""
    pdf = shop.admin.get(f"/documents/{shop.ids['document']}/raw")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.headers["x-content-type-options"] == "nosniff"
    assert pdf.headers["x-frame-options"] == "SAMEORIGIN"
    policy = pdf.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "script-src" not in policy
    saved = shop.admin.get(f"/documents/{shop.ids['document']}/raw?download=1")
    assert saved.headers["content-disposition"].startswith("attachment")
    assert saved.body == pdf.body
    hub, order = shop.pages.hub, made(shop, "evil-1")
    for name, kind in (('"><x>.html', "text/html"), ("claims.pdf", "application/pdf")):
        new = hub.documents.keep(
            order_id=order.id,
            kind=DocumentKind.ATTACHED,
            name=name,
            media_type=kind,
            content=b"<script>alert(1)</script>",
            origin=name,
        )
        change = hub.orders.line(order.id, LineKind.NOTE, "Attached.")
        hub.store.orders.apply(OrderChange(order_id=order.id, documents=(new,), lines=(change,)))
        raw = shop.admin.get(f"/documents/{new.document.id}/raw")
        assert raw.headers["content-type"].startswith("text/plain"), name
        assert raw.headers["content-security-policy"].startswith("sandbox;"), name
    page = shop.admin.get(f"/orders/{order.id}")
    assert '"><x>' not in page.text


def test_only_pages_with_a_preview_may_hold_a_frame(shop):
    """And nobody else may frame them."""
    order = shop.admin.get(f"/orders/{shop.ids['order_signed']}").headers
    assert "frame-src 'self'" in order["content-security-policy"]
    assert "frame-ancestors 'none'" in order["content-security-policy"]
    assert "frame-src 'none'" in shop.admin.get("/orders").headers["content-security-policy"]


def test_a_chain_that_somebody_changed_is_shown_as_broken(shop):
    """The page computes it anew each time; the export is the same ZIP as the command line's."""
    order = made(shop, "chain-1")
    whole = shop.admin.get(f"/orders/{order.id}/evidence").words
    assert "Chain intact 1 link, computed anew" in whole
    bundle = shop.admin.get(f"/orders/{order.id}/evidence/export")
    assert bundle.headers["content-type"] == "application/zip"
    assert bundle.body == shop.pages.hub.evidence.export(order.id)
    with shop.pages.hub.store._database.writing() as conn:
        link = tables.evidence_links.update().where(tables.evidence_links.c.order_id == order.id)
        conn.execute(link.values(text="Something else."))
    assert "Chain broken at link 1" in shop.admin.get(f"/orders/{order.id}/evidence").words


# --- statuses


def statuses_form(rows: list[dict[str, object]]) -> list[tuple[str, str]]:
    """What a browser sends."""
    return [
        (f"items.{number}.{key}", str(one))
        for number, row in enumerate(rows)
        for key, value in row.items()
        for one in (value if isinstance(value, list) else [value])
    ]


def test_statuses_are_edited_as_a_list(pages, as_):
    """A new one, a renamed code whose ways follow it, one taken away; errors at their row."""
    admin = as_("admin")
    admin.get("/statuses")
    rows: list[dict[str, object]] = [
        {"was": "new", "code": "open", "name": "Open", "place": 1, "to": ["request_signature"]},
        {
            "was": "request_signature",
            "code": "request_signature",
            "name": "Request",
            "place": 2,
            "to": ["new", "cancelled"],
        },
        {"was": "cancelled", "code": "cancelled", "name": "Off", "place": 3, "remove": "on"},
        {"was": "", "code": "done", "name": "Done", "place": 0, "terminal": "on"},
    ]
    refused = admin.post("/statuses", statuses_form(rows))
    assert refused.status == 422
    assert "new orders begin in the first status" in refused.words
    rows[3]["place"] = 9
    assert "Saved." in admin.follow(admin.post("/statuses", statuses_form(rows))).words
    found = {one.code: one for one in pages.hub.orders.statuses()}
    assert list(found) == ["open", "request_signature", "done"]
    assert found["request_signature"].transitions == ("open",)
    assert found["done"].terminal
    more = admin.post("/statuses", [*statuses_form(rows), ("more", "1")])
    assert 'name="items.4.code"' in more.text


def test_a_status_that_orders_stand_in_cannot_be_taken_away(shop):
    """The page says which, and that they must be moved first."""
    shop.admin.get("/statuses")
    rows = [{"was": "x", "code": "x", "name": "X", "place": 1}]
    refused = shop.admin.post("/statuses", statuses_form(rows))
    assert refused.status == 409
    assert "Move them to another status first" in refused.words
    assert shop.as_("olga").get("/statuses").words.count("ends the order") == 4


# --- templates


SOURCE = "#let x = 1\n#unknown(x)\n\tIt ends here."


def test_errors_of_a_template_stand_at_their_line(shop):
    """The line, the column, and a caret below it; tabs stay tabs, so that the caret fits."""
    text = "line 2, column 2: unknown variable: unknown; line 3, column 5: x (hint: a; b)"
    first, second = template_errors.found_in(text, SOURCE)
    assert (first.line, first.excerpt, first.before) == (2, "#unknown(x)", " ")
    assert (second.text, second.before) == ("X (hint: a; b).", "\t   ")
    (plain,) = template_errors.found_in("must not be empty", "")
    assert (plain.line, plain.text) == (0, "Must not be empty.")
    path = f"/templates/{shop.ids['template']}"
    shop.admin.get(path)
    wrong = shop.admin.post(path, {"name": "N", "source": SOURCE, "expected": "1"})
    assert wrong.status == 422
    assert "Line 2, column 2" in wrong.words
    assert "<mark>2</mark>" in wrong.text
    assert "#unknown(x)" in wrong.text.partition("textarea")[2], "what was typed is still there"


def test_a_template_is_previewed_saved_looked_back_at_and_deleted(shop):
    """Beside the editor, with the sample or an order; each save is a version."""
    shop.admin.get("/new-template")
    typed = {"name": "Small", "source": "One\r\nline"}
    place = shop.admin.post("/new-template", typed).location.removeprefix("/console")
    template_id = place.rpartition("/")[2]
    assert shop.pages.hub.templates.source(CLI, template_id).source == "One\nline"
    shop.admin.get(place)
    shown = shop.admin.post("/template-preview", typed | {"order": "1042"})
    assert shown.headers["content-type"] == "application/pdf"
    lost = shop.admin.post("/template-preview", typed | {"order": "no-such"})
    assert "There is no order no-such" in lost.words
    assert lost.headers["x-frame-options"] == "SAMEORIGIN"
    saved = shop.admin.post(place, typed | {"source": "Two", "expected": "1"})
    assert "Saved as version 2." in shop.admin.follow(saved).words
    late = shop.admin.post(place, typed | {"source": "Three", "expected": "1"})
    assert late.status == 409
    assert "Somebody saved version 2" in late.words
    first = shop.admin.get(f"{place}?version=1")
    assert "This is version 1, as it was" in first.words
    assert f'src="/console{place}/preview?version=1#' in first.text
    assert shop.admin.get(f"{place}/preview?version=1").headers["content-type"] == "application/pdf"
    assert shop.admin.get(f"{place}?version=99999999999").status == 404
    used = shop.admin.post(f"/templates/{shop.ids['template']}/delete")
    assert used.status == 409
    assert "take it out of its settings first" in used.words
    assert "Deleted." in shop.admin.follow(shop.admin.post(f"{place}/delete")).words


def test_the_newest_request_of_each_order_is_found_at_once(shop):
    """What the list marks its rows by; and work that is not finished, by what it is about."""
    store, ids = shop.pages.hub.store, shop.ids
    found = store.sign_requests.latest(
        [ids["order_signed"], ids["order_waiting"], ids["order_new"]]
    )
    assert {key: one.state for key, one in found.items()} == {
        ids["order_signed"]: SignState.SIGNED,
        ids["order_waiting"]: SignState.OPEN,
    }
    assert store.sign_requests.latest([]) == {}
    keys = [f"order:{ids[name]}" for name in ("order_signed", "order_held", "order_asked")]
    states = {one.state for one in store.works.unfinished(keys)}
    assert states == {WorkState.DEAD, WorkState.PARKED}
    assert len(store.works.unfinished([f"order:{n}" for n in range(900)], limit=MAX_PAGE)) == 0
