"""What the runs write to an order, each once."""

from collections.abc import Callable

from inkwire.engine.contract import Run
from inkwire.errors import Conflict, Transient
from inkwire.model.order import LineKind
from inkwire.store.ordering import OrderChange

#: Conflicts of which the order, read again, says more.
_PASSING = ("order_changed", "status_gone")


def tell(run: Run, order_id: str, kind: LineKind, text: str, *, once: str) -> None:
    """One line; the same `once` of the same work is written once. A dry run writes none."""
    if run.dry:
        return
    orders = run.services.orders
    orders.apply(
        OrderChange(
            order_id=order_id,
            once=f"{run.work.id}/{once}",
            lines=(
                orders.line(
                    order_id,
                    kind,
                    text,
                    refs={"work": run.work.id, "integration": run.integration.label},
                ),
            ),
        )
    )


def apply_anew(run: Run, make: Callable[[], OrderChange]) -> bool:
    """Applies what `make` makes of the order as it is now; made anew if somebody edited it.

    Raises Conflict for what no other reading mends, such as another order's sign request.
    """
    for _ in range(5):
        try:
            return run.services.orders.apply(make())
        except Conflict as error:
            if error.code not in _PASSING:
                raise
    raise Transient("The order is being edited all the time; Inkwire tries again in a while.")
