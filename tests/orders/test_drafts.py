"""What an order may hold, and what is said of what it may not."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.errors import InvalidInput
from inkwire.model.order import Order, OrderLine, Party
from inkwire.orders.amounts import amount_problem, product, total
from inkwire.orders.drafts import differences, laid_over

AT = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
EMPTY = Order(
    id="ord_1",
    number="",
    status="new",
    customer=Party(),
    created_at=AT,
    updated_at=AT,
    status_at=AT,
)
JANE = {"number": "1042", "customer": {"name": "Jane"}}


def wrong(draft, over=EMPTY) -> dict[str, str]:
    """What is said of each member."""
    with pytest.raises(InvalidInput) as caught:
        laid_over(over, draft)
    return caught.value.fields


@pytest.mark.parametrize(
    "name",
    [
        "O’Brien / Søn & Co",
        "👩‍👩‍👧 Family 😀",
        "Иван Петров",
        "محمد بن علي",
        "یاس‌من",
        "山田太郎",
        "<script>",
        "../../etc/passwd",
    ],
)
def test_names_are_the_worlds(name):
    """Emoji with joiners, every script and slashes stay as they are."""
    draft = {"number": name, "customer": {"name": name}, "fields": {"note": f"{name}\n{name}"}}
    made = laid_over(EMPTY, draft)
    assert (made.number, made.customer.name, made.fields["note"]) == (
        name,
        name,
        f"{name}\n{name}",
    )


@pytest.mark.parametrize(
    "bad", ["a\x00b", "a\nb", "a\u202eb", "a\u2066b", "a\ud800", " a", "a ", "\u2028a", "a\x85b"]
)
def test_what_no_name_holds_is_refused(bad):
    """Control characters, turned reading direction, lone surrogates, blanks at the ends."""
    assert set(wrong({"number": "1", "customer": {"name": bad}})) == {"customer.name"}


@pytest.mark.parametrize(
    ("draft", "path"),
    [
        ({"customer": {"name": "J"}}, "number"),
        ({"number": "1"}, "customer"),
        ({**JANE, "numer": "2"}, "numer"),
        ({**JANE, "id": "ord_2"}, "id"),
        ({**JANE, "version": 7}, "version"),
        ({**JANE, "number": "x" * 65}, "number"),
        ({**JANE, "number": 1042}, "number"),
        ({**JANE, "number": "ord_1"}, "number"),
        ({**JANE, "customer": "Jane"}, "customer"),
        ({**JANE, "customer": {"name": "J", "nick": "J"}}, "customer.nick"),
        ({**JANE, "customer": {"email": "jane"}}, "customer.email"),
        ({**JANE, "customer": {"email": "a@b.c, d@e.f"}}, "customer.email"),
        ({**JANE, "company": {"name": "x" * 201}}, "company.name"),
        ({**JANE, "currency": "eur"}, "currency"),
        ({**JANE, "currency": "EURO"}, "currency"),
        ({**JANE, "blocks": {}}, "blocks"),
        ({**JANE, "blocks": [{}] * 51}, "blocks"),
        ({**JANE, "blocks": [7]}, "blocks.0"),
        ({**JANE, "blocks": [{"lines": [{}]}]}, "blocks.0.lines.0.description"),
        ({**JANE, "blocks": [{"lines": [{"description": "x", "price": "1"}]}]},
         "blocks.0.lines.0.price"),
        ({**JANE, "blocks": [{"lines": [{"description": "x", "quantity": 1.5}]}]},
         "blocks.0.lines.0.quantity"),
        ({**JANE, "blocks": [{"lines": [{"description": "x", "unit_price": "1,50"}]}]},
         "blocks.0.lines.0.unit_price"),
        ({**JANE, "blocks": [{"lines": [{"description": "x", "amount": "NaN"}]}]},
         "blocks.0.lines.0.amount"),
        ({**JANE, "blocks": [{"lines": [{"description": "x", "quantity": "9" * 12,
                                         "unit_price": "9" * 12}]}]},
         "blocks.0.lines.0.amount"),
        ({**JANE, "blocks": [{"lines": [{"description": "x"}] * 300}] * 2}, "blocks"),
        ({**JANE, "fields": []}, "fields"),
        ({**JANE, "fields": {"a b": "x"}}, "fields"),
        ({**JANE, "fields": {"": "x"}}, "fields"),
        ({**JANE, "fields": {"a": 1}}, "fields.a"),
        ({**JANE, "fields": {"a": "x" * 2001}}, "fields.a"),
        ({**JANE, "fields": {f"k{n}": "x" for n in range(101)}}, "fields"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(draft, path):
    """One sentence at the path of the member, and nothing else is blamed."""
    assert set(wrong(draft)) == {path}


def test_all_that_is_wrong_is_told_at_once():
    """Nobody mends a draft one member at a time."""
    assert set(wrong({"number": "", "x": 1, "customer": {"email": "@"}, "currency": "?"})) == {
        "number",
        "x",
        "customer.email",
        "currency",
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "email", "title", "lines", "description", "quantity", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["number", "customer", "company", "currency", "blocks", "fields", "status"]
        ),
        JSON,
    )
)
def test_any_json_is_an_order_or_invalid_input(draft):
    """No draft ends in another error, and what is made holds texts only."""
    try:
        made = laid_over(EMPTY, draft)
    except InvalidInput as error:
        assert error.fields
    else:
        assert isinstance(made.number, str)
        assert all(isinstance(value, str) for value in made.fields.values())


def test_a_change_is_laid_over():
    """As JSON Merge Patch: absent stays, null goes, objects by member, lists as a whole."""
    draft = {
        **JANE,
        "customer": {"name": "Jane", "email": "jane@example.com"},
        "blocks": [{"lines": [{"description": "x"}]}],
        "fields": {"po": "7", "sign": "abc"},
    }
    old = laid_over(EMPTY, draft)
    new = laid_over(
        old, {"customer": {"email": None, "city": "Kyiv"}, "fields": {"po": None, "q": "1"}}
    )
    assert new.customer == Party(name="Jane", city="Kyiv")
    assert new.fields == {"sign": "abc", "q": "1"}
    assert new.blocks == old.blocks
    assert differences(old, new) == ["customer.email", "customer.city", "fields.po", "fields.q"]
    assert laid_over(new, {"blocks": None}).blocks == ()
    assert laid_over(new, {}) == new


def test_an_amount_is_computed_if_it_is_left_out():
    """Quantity times price; a given amount stands, as with a discount."""
    lines = [
        {"description": "a", "quantity": "3", "unit_price": "12.50"},
        {"description": "b", "quantity": "2", "unit_price": "10", "amount": "15.00"},
        {"description": "c"},
    ]
    (block,) = laid_over(EMPTY, {**JANE, "blocks": [{"lines": lines}]}).blocks
    assert [line.amount for line in block.lines] == ["37.50", "15.00", "0"]
    assert block.lines[2] == OrderLine(description="c")


@pytest.mark.parametrize(
    ("quantity", "price", "amount"),
    [
        ("1", "0", "0"),
        ("1.5", "3", "4.50"),
        ("0.333", "0.01", "0.00"),
        ("1", "0.005", "0.005"),
        ("0.5", "0.01", "0.01"),
        ("-2", "1.25", "-2.50"),
        ("3", "1000", "3000"),
        ("0.1", "0.2", "0.02"),
    ],
)
def test_products_are_exact_and_rounded_half_up(quantity, price, amount):
    """No binary fraction ever shows in a document."""
    assert product(quantity, price) == amount


AMOUNTS = st.decimals(min_value=-(10**12) + 1, max_value=10**12 - 1, places=2).map(
    lambda number: f"{number:f}"
)


@given(st.lists(AMOUNTS, max_size=20))
def test_totals_are_exact(amounts):
    """The sum is the sum, whatever the sizes."""
    assert all(amount_problem(amount) is None for amount in amounts)
    assert Decimal(total(amounts)) == sum((Decimal(amount) for amount in amounts), Decimal(0))
