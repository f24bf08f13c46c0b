"""The order that templates are compiled and previewed with."""

from datetime import UTC, datetime

from inkwire.model.order import Order, OrderBlock, OrderLine, Party

_AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

SAMPLE = Order(
    id="ord_000000000000000000000000",
    number="2026/1042",
    status="request_signature",
    customer=Party(
        name="Jane Doe",
        email="jane.doe@example.com",
        phone="+31 20 555 0142",
        address="Prinsengracht 100",
        city="1015 EA Amsterdam",
        country="Netherlands",
    ),
    company=Party(
        name="Acme Rentals",
        email="orders@acme.example",
        address="Havenstraat 12",
        city="3024 SG Rotterdam",
        country="Netherlands",
    ),
    currency="EUR",
    blocks=(
        OrderBlock(
            title="Meeting room",
            lines=(
                OrderLine(
                    description="Room “Harbour view”, 3 December 2026, 9:00–17:00",
                    quantity="1",
                    unit_price="480.00",
                    amount="480.00",
                ),
                OrderLine(description="Lunch", quantity="24", unit_price="31.50", amount="756.00"),
            ),
        ),
        OrderBlock(
            title="Equipment",
            lines=(
                OrderLine(
                    description="Projector and screen",
                    quantity="2",
                    unit_price="45.00",
                    amount="90.00",
                ),
                OrderLine(
                    description="Discount", quantity="1", unit_price="-26.00", amount="-26.00"
                ),
            ),
        ),
    ),
    fields={"purchase_order": "PO-7731", "sign_request_id": ""},
    created_at=_AT,
    updated_at=_AT,
    status_at=_AT,
)
