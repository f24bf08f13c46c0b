"""The pure parts of Box Sign orders: external ids, names, Box's words, settings."""

import string

from hypothesis import given
from hypothesis import strategies as st

from inkwire.clock import ManualClock
from inkwire.ids import SortableIds
from inkwire.integrations.box_sign_orders.external import external_id, read_external
from inkwire.integrations.box_sign_orders.names import pdf_name, with_number
from inkwire.integrations.box_sign_orders.settings import prefilled
from inkwire.integrations.box_sign_orders.states import state_of, trigger_of
from inkwire.integrations.checks import folder_problem
from inkwire.model.document import SignState
from inkwire.model.order import Order, Party
from inkwire.moments import EPOCH
from inkwire.providers.settings import mapping_of

PART = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=64)


def test_our_order_ids_make_external_ids_of_the_agreed_form():
    """R10: an id as the store gives it joins back to the same order and integration."""
    order_id = SortableIds(ManualClock(EPOCH)).new("ord")
    joined = read_external(external_id(order_id, 7))
    assert joined is not None
    assert (joined.order_id, joined.integration_id) == (order_id, 7)


@given(PART, st.integers(0, 10**18 - 1))
def test_every_external_id_of_the_form_reads_back(part, number):
    """R10: what is written is what is read."""
    joined = read_external(f"ord_{part}:int_{number}")
    assert joined is not None
    assert (joined.order_id, joined.integration_id) == (f"ord_{part}", number)


@given(st.text(max_size=80))
def test_nothing_else_is_an_external_id(text):
    """R11: a text that was not written by us links to nothing."""
    joined = read_external(text)
    assert (
        joined is None
        or text == external_id(joined.order_id, int(text.rpartition("_")[2]))
        or (
            # leading zeros of a number are the only other spelling
            text.rpartition("_")[2].startswith("0")
        )
    )


def test_near_misses_link_to_nothing():
    """R11: other prefix, missing part, extra text, line breaks."""
    for text in (
        None,
        "",
        "ord_1",
        "int_7",
        "ord_1:int_",
        "ord_:int_7",
        "ord_1:int_7 ",
        " ord_1:int_7",
        "ord_1:int_7\n",
        "ORD_1:int_7",
        "ord_1:int_7:x",
        "ord_1;int_7",
        "ord_a_b:int_7",
        "ord_" + "a" * 65 + ":int_7",
        "ord_1:int_٧",
    ):
        assert read_external(text) is None, text


@given(st.text(max_size=300), st.text(max_size=300))
def test_file_names_are_ones_that_box_takes(number, template):
    """Names with emoji, slashes and control characters give a name that Box accepts."""
    name = pdf_name(number, template)
    assert name.endswith(".pdf")
    assert 5 <= len(name) <= 255
    assert not set(name) & set('/\\<>:|?*"')
    assert name == name.strip()
    assert name.isprintable()
    assert with_number(name, 1) == name
    assert with_number(name, 2) == f"{name[:-4]} (2).pdf"


def test_names_keep_what_can_be_kept():
    """Emoji and letters of every script stay."""
    assert pdf_name("10/42", "Vertrag 🖋 für Zoë") == "10-42 Vertrag 🖋 für Zoë.pdf"
    assert pdf_name("\n", "..") == "order.pdf" or pdf_name("\n", "..").endswith(".pdf")


def test_folder_names_that_box_refuses_are_explained():
    """A name that Box would answer 400 to is caught in the form."""
    assert folder_problem("Inkwire orders") is None
    assert folder_problem("Aufträge 🖋") is None
    for wrong in ("", " a", "a ", ".", "..", "a/b", "a\\b", "a\nb", "x" * 256):
        assert folder_problem(wrong) is not None, wrong


def test_boxs_words_become_ours_and_unknown_ones_are_open():
    """A status that Box adds tomorrow never ends an order."""
    assert state_of("signed") is SignState.SIGNED
    assert state_of("declined") is SignState.DECLINED
    assert state_of("expired") is SignState.EXPIRED
    assert state_of("cancelled") is SignState.CANCELLED
    assert {state_of(one) for one in ("error", "error_converting", "error_sending")} == {
        SignState.FAILED
    }
    open_ones = ("converting", "created", "sent", "viewed", "finalizing", "something_new")
    assert {state_of(one) for one in open_ones} == {SignState.OPEN}


def test_reconciliation_and_webhook_mean_the_same_work():
    """DESIGN §6: an outcome is one row, however it was found."""
    assert trigger_of(SignState.SIGNED) == "SIGN_REQUEST.COMPLETED"
    assert trigger_of(SignState.DECLINED) == "SIGN_REQUEST.DECLINED"
    assert trigger_of(SignState.EXPIRED) == "SIGN_REQUEST.EXPIRED"
    assert len({trigger_of(state) for state in SignState}) == len(SignState)


def test_prefill_takes_its_texts_from_customer_company_order_and_fields():
    """R9; a tag without a text is left for the customer to fill."""
    order = Order(
        id="ord_1",
        number="1042",
        status="new",
        customer=Party(name="Jane Doe", email="jane@example.com"),
        company=Party(name="Doe Ltd"),
        fields={"room": "12"},
        created_at=EPOCH,
        updated_at=EPOCH,
        status_at=EPOCH,
    )
    wanted = mapping_of(
        "name = customer.name\nfirm=company.name\nno = order.number\n\nroom = fields.room\n"
        "phone = customer.phone\nnone = fields.none"
    )
    assert prefilled(order, wanted) == {
        "name": "Jane Doe",
        "firm": "Doe Ltd",
        "no": "1042",
        "room": "12",
    }
