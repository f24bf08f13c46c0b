"""What the API takes and answers about orders and their statuses."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StrictStr

from inkwire.api.fields import Input, Next, Output, Page, Term, Text, storable
from inkwire.model.order import LineKind, Order, OrderStatus
from inkwire.orders import drafts
from inkwire.orders.amounts import block_total, order_total
from inkwire.orders.statuses import MAX_NAME, MAX_STATUSES, read_statuses

_Number = Annotated[
    Text,
    Field(min_length=1, max_length=drafts.MAX_NUMBER, description="The site's own, unique."),
]
#: The patterns below leave no room for NUL, so these need not be `Text`, whose own pattern the
#: document would show instead.
_Code = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
_Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.")]
_Amount = Annotated[
    str,
    Field(
        pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$",
        description="A decimal number as text, with a point.",
        examples=["12.50"],
    ),
]
_Key = Annotated[str, AfterValidator(storable), Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_Name = Annotated[Text, Field(max_length=drafts.MAX_NAME)]
_Short = Annotated[Text, Field(max_length=100)]


class PartyBody(Input):
    """A customer or company; what is absent or empty is not known."""

    name: _Name | None = Field(None, examples=["Jane Doe"])
    email: Annotated[Text, Field(max_length=254)] | None = Field(
        None, examples=["jane@example.com"]
    )
    phone: Annotated[Text, Field(max_length=50)] | None = None
    address: Annotated[Text, Field(max_length=drafts.MAX_ADDRESS)] | None = None
    city: _Short | None = None
    country: _Short | None = None


class LineBody(Input):
    """One line of a block."""

    description: Annotated[Text, Field(min_length=1, max_length=drafts.MAX_DESCRIPTION)]
    quantity: _Amount = "1"
    unit_price: _Amount = "0"
    amount: _Amount | None = Field(None, description="null: quantity times price.")


class BlockBody(Input):
    """Lines under one heading."""

    title: _Name = ""
    lines: Annotated[list[LineBody], Field(max_length=drafts.MAX_LINES)] = Field([])


_Blocks = Annotated[list[BlockBody], Field(max_length=drafts.MAX_BLOCKS)]
_Fields = Annotated[
    dict[_Key, Annotated[StrictStr, AfterValidator(storable), Field(max_length=drafts.MAX_FIELD)]],
    Field(max_length=drafts.MAX_FIELDS, examples=[{"purchase_order": "PO-7731"}]),
]
_FieldChanges = Annotated[
    dict[
        _Key,
        Annotated[StrictStr, AfterValidator(storable), Field(max_length=drafts.MAX_FIELD)] | None,
    ],
    Field(max_length=drafts.MAX_FIELDS, description="Laid over the present; null removes one."),
]


class OrderIn(Input):
    """An order to be taken in."""

    number: _Number = Field(examples=["2026-1042"])
    customer: PartyBody = Field(description="Who signs: needs a name or an e-mail address.")
    company: PartyBody | None = None
    currency: _Currency = "EUR"
    blocks: _Blocks = Field([])
    fields: _Fields = Field({}, description="Fields of the site's own.")
    status: _Code | None = Field(None, description="Code of its first status; null: the first.")

    def draft(self) -> dict[str, Any]:
        """As the desk takes it."""
        return self.model_dump(exclude_unset=True)


class OrderPatch(Input):
    """Members to be changed; objects member by member, `blocks` as a whole.

    What is absent stays; a null empties it where the schema allows null.
    """

    version: int | None = Field(
        None,
        ge=1,
        le=2**31,
        description="The version that this is a change of: 409 if it is another by now.",
    )
    number: _Number | None = None
    customer: PartyBody | None = None
    company: PartyBody | None = None
    currency: _Currency | None = None
    blocks: _Blocks | None = None
    fields: _FieldChanges | None = None

    def draft(self) -> dict[str, Any]:
        """As the desk takes it."""
        return self.model_dump(exclude_unset=True)


class MoveIn(Input):
    """Where an order is to go."""

    status: _Code = Field(examples=["request_signature"])


class OrderFilters(Page):
    """The filters of the list of orders; all that are given must hold."""

    text: Term | None = Field(
        None,
        description="Beginning of the number, of the customer's name or e-mail address, or an id "
        "of an order or sign request.",
    )
    status: _Code | None = None
    waiting: bool = Field(False, description="Only those with an open sign request.")


class PartyOut(Output):
    """A customer or company; empty text: not known."""

    name: str
    email: str
    phone: str
    address: str
    city: str
    country: str


class LineOut(Output):
    """One line of a block."""

    description: str
    quantity: str
    unit_price: str
    amount: str


class BlockOut(Output):
    """Lines under one heading."""

    title: str
    lines: list[LineOut]
    total: str


class OrderSummary(Output):
    """An order in a list."""

    id: str
    number: str
    status: str
    customer_name: str
    customer_email: str
    currency: str
    total: str
    created_at: datetime
    updated_at: datetime
    status_at: datetime = Field(description="When the status was last changed.")

    @classmethod
    def shown(cls, order: Order) -> Self:
        """As a list shows it."""
        return cls(
            id=order.id,
            number=order.number,
            status=order.status,
            customer_name=order.customer.name,
            customer_email=order.customer.email,
            currency=order.currency,
            total=order_total(order),
            created_at=order.created_at,
            updated_at=order.updated_at,
            status_at=order.status_at,
        )


class OrderOut(Output):
    """An order to be signed."""

    id: str
    number: str
    status: str = Field(description="Code of its status.")
    version: int = Field(description="Grows with every change.")
    customer: PartyOut
    company: PartyOut
    currency: str
    blocks: list[BlockOut]
    total: str
    fields: Mapping[str, str]
    created_at: datetime
    updated_at: datetime
    status_at: datetime = Field(description="When the status was last changed.")

    @classmethod
    def shown(cls, order: Order) -> Self:
        """With its sums."""
        return cls(
            id=order.id,
            number=order.number,
            status=order.status,
            version=order.version,
            customer=PartyOut.of(order.customer),
            company=PartyOut.of(order.company),
            currency=order.currency,
            blocks=[
                BlockOut(
                    title=block.title,
                    lines=[LineOut.of(line) for line in block.lines],
                    total=block_total(block),
                )
                for block in order.blocks
            ],
            total=order_total(order),
            fields=order.fields,
            created_at=order.created_at,
            updated_at=order.updated_at,
            status_at=order.status_at,
        )


class OrdersOut(Output):
    """A page of orders, newest first."""

    items: list[OrderSummary]
    next: Next


class TimelineLineOut(Output):
    """One thing that happened to an order."""

    id: str
    at: datetime
    kind: LineKind
    text: str
    actor: str
    refs: Mapping[str, str] = Field(description="Ids of what proves it, by kind.")


class TimelineOut(Output):
    """A page of an order's timeline, newest first."""

    items: list[TimelineLineOut]
    next: Next


class StatusBody(Input):
    """A status of the site's own."""

    code: _Code = Field(examples=["request_signature"])
    name: Annotated[Text, Field(min_length=1, max_length=MAX_NAME)] = Field(
        examples=["Request signature"]
    )
    transitions: Annotated[list[_Code], Field(max_length=MAX_STATUSES)] = Field(
        [], description="Codes that a person may move an order to from here."
    )
    terminal: bool = Field(False, description="No event moves an order out of it.")


class StatusesIn(Input):
    """All statuses, in order; new orders begin in the first."""

    items: Annotated[list[StatusBody], Field(min_length=1, max_length=MAX_STATUSES)]

    def statuses(self) -> list[OrderStatus]:
        """As the desk takes them."""
        return read_statuses(self.model_dump())


class StatusOut(Output):
    """A status of the site's own."""

    code: str
    name: str
    transitions: list[str]
    terminal: bool


class StatusesOut(Output):
    """All statuses, in order."""

    items: list[StatusOut]
