"""`inkwire orders …`, `inkwire statuses …` and `inkwire templates …`: what is to be signed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkwire.cli.listing import JsonOption, LimitOption, YesOption, pages
from inkwire.cli.output import clean, facts, print_json, stamp, table
from inkwire.cli.shell import confirmed, examples, note, opened, operator, read_bytes
from inkwire.errors import InvalidInput

if TYPE_CHECKING:
    from inkwire.model.order import Order, OrderStatus, Party

orders = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="What is to be signed.")
statuses = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="The statuses that an order can have."
)
templates = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Typst templates: an order becomes a PDF."
)

OrderArgument = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id or number.")]
TemplateArgument = Annotated[str, typer.Argument(metavar="TEMPLATE", help="The template's id.")]


def register(app: typer.Typer) -> None:
    """Hangs the groups into `app`."""
    app.add_typer(orders, name="orders", rich_help_panel="Act")
    app.add_typer(statuses, name="statuses", rich_help_panel="Act")
    app.add_typer(templates, name="templates", rich_help_panel="Act")


@orders.command(
    "list",
    epilog=examples("inkwire orders list --status request_signature", "inkwire orders list 2026-"),
)
def list_orders(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    text: Annotated[
        str | None, typer.Argument(help="Beginning of the number, customer's name or e-mail.")
    ] = None,
    status: Annotated[str | None, typer.Option(help="Only in this status.")] = None,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only those with an open sign request.")
    ] = False,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List the orders, newest first."""
    from inkwire.store.ordering import OrderQuery

    with opened(ctx) as hub:
        found = pages(
            lambda last, size: hub.orders.page(
                operator(),
                OrderQuery(
                    text=text,
                    status=status,
                    waiting=waiting,
                    before=last.id if last else None,
                    limit=size,
                ),
            ),
            limit,
        )
    if as_json:
        print_json(found)
        return
    rows = [
        (one.number, one.status, _who(one.customer), stamp(one.status_at), one.id) for one in found
    ]
    empty = "There are no such orders. Take one in: inkwire orders add FILE"
    table(("number", "status", "customer", "since", "id"), rows, empty=empty)


@orders.command("show", epilog=examples("inkwire orders show 2026-1042"))
def show_order(ctx: typer.Context, order: OrderArgument, as_json: JsonOption = False) -> None:
    """Show one order with its lines and fields."""
    with opened(ctx) as hub:
        found = hub.orders.get(operator(), order)
        known = hub.orders.statuses()
    if as_json:
        print_json(found)
        return
    _show(found, known)


@orders.command(
    "add",
    epilog=examples(
        "inkwire orders add order.json",
        """echo '{"number": "7", "customer": {"name": "Jane"}}' | inkwire orders add -""",
    ),
)
def add_order(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(help="JSON as POST /v1/orders takes it; `-`: stdin.")],
    as_json: JsonOption = False,
) -> None:
    """Take in an order and print its id."""
    draft = _json_object(file)
    with opened(ctx) as hub:
        made = hub.orders.add(operator(), draft)
    if as_json:
        print_json(made)
        return
    note(f"Order {made.number} is in the status {made.status}.")
    typer.echo(made.id)


@orders.command("edit", epilog=examples("inkwire orders edit 2026-1042 change.json"))
def edit_order(
    ctx: typer.Context,
    order: OrderArgument,
    file: Annotated[
        str, typer.Argument(help="JSON as PATCH /v1/orders/{id} takes it; `-`: stdin.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Change the members of an order that the file names; the others stay."""
    draft = _json_object(file)
    with opened(ctx) as hub:
        changed = hub.orders.change(operator(), order, draft)
    if as_json:
        print_json(changed)
    else:
        typer.echo(f"Order {changed.number} is at version {changed.version}.")


@orders.command("move", epilog=examples("inkwire orders move 2026-1042 request_signature"))
def move_order(
    ctx: typer.Context,
    order: OrderArgument,
    status: Annotated[str, typer.Argument(help="Code of the status that it is to have.")],
    as_json: JsonOption = False,
) -> None:
    """Change an order's status; integrations that wait for it begin."""
    with opened(ctx) as hub:
        moved = hub.orders.move(operator(), order, status)
    if as_json:
        print_json(moved)
    else:
        typer.echo(f"Order {moved.number} is in the status {moved.status}.")


@orders.command("timeline", epilog=examples("inkwire orders timeline 2026-1042"))
def timeline(
    ctx: typer.Context, order: OrderArgument, limit: LimitOption = 50, as_json: JsonOption = False
) -> None:
    """Show what happened to an order, newest first."""
    with opened(ctx) as hub:
        found = pages(
            lambda last, size: hub.orders.timeline(
                operator(), order, before=last.id if last else None, limit=size
            ),
            limit,
        )
    if as_json:
        print_json(found)
        return
    rows = [(stamp(one.at), one.kind.value, one.text, one.actor) for one in found]
    table(("at", "kind", "what", "by"), rows, empty="Nothing happened to it yet.")


@orders.command("delete", epilog=examples("inkwire orders delete 2026-1042 --yes"))
def delete_order(ctx: typer.Context, order: OrderArgument, yes: YesOption = False) -> None:
    """Delete an order; its documents and its evidence stay."""
    with opened(ctx) as hub:
        found = hub.orders.get(operator(), order)
        confirmed(f"Delete order {clean(found.number)}?", yes=yes)
        hub.orders.delete(operator(), found.id)
    typer.echo(f"Order {clean(found.number)} is deleted.")


# --- statuses


@statuses.command("list", epilog=examples("inkwire statuses list"))
def list_statuses(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the statuses, in order; new orders begin in the first."""
    with opened(ctx) as hub:
        found = hub.orders.statuses()
    if as_json:
        print_json(found)
        return
    rows = [
        (one.code, one.name, ", ".join(one.transitions), "yes" if one.terminal else "")
        for one in found
    ]
    table(("code", "name", "a person may move to", "terminal"), rows, empty="There are none.")


@statuses.command("set", epilog=examples("inkwire statuses set statuses.json"))
def set_statuses(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(help="JSON as PUT /v1/order-statuses takes it; `-`: stdin.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Replace all statuses, in the order of the file."""
    from inkwire.orders.statuses import read_statuses

    given = read_statuses(_json_object(file))
    with opened(ctx) as hub:
        found = hub.orders.set_statuses(operator(), given)
    if as_json:
        print_json(found)
    else:
        typer.echo(f"The statuses are: {', '.join(one.code for one in found)}.")


# --- templates


@templates.command("list", epilog=examples("inkwire templates list"))
def list_templates(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the templates, by name."""
    with opened(ctx) as hub:
        found = hub.templates.all(operator())
    if as_json:
        print_json(found)
        return
    rows = [(one.name, one.version, stamp(one.updated_at), one.id) for one in found]
    empty = "There are no templates. Add the one that comes along: inkwire templates add"
    table(("name", "version", "changed", "id"), rows, empty=empty)


@templates.command(
    "add",
    epilog=examples("inkwire templates add", "inkwire templates add quote.typ --name Quote"),
)
def add_template(
    ctx: typer.Context,
    file: Annotated[
        str | None,
        typer.Argument(help="Typst; `-`: stdin; none: the order confirmation that comes along."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compile a template with the sample order, keep it, print its id."""
    from inkwire.orders.templates import DEFAULT_NAME, default_source

    source = default_source() if file is None else _text(file)
    if name is None:
        name = DEFAULT_NAME if file in (None, "-") else Path(str(file)).stem
    with opened(ctx) as hub:
        made = hub.templates.add(operator(), name=name, source=source)
    if as_json:
        print_json(made)
        return
    note(f"Next: name {made.id} in the setting `templates` of an integration.")
    typer.echo(made.id)


@templates.command("edit", epilog=examples("inkwire templates edit tpl_… quote.typ"))
def edit_template(
    ctx: typer.Context,
    template: TemplateArgument,
    file: Annotated[str, typer.Argument(help="Typst; `-`: stdin.")],
    name: Annotated[str | None, typer.Option(help="What people call it from now on.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Keep the next version of a template; earlier ones stay."""
    source = _text(file)
    with opened(ctx) as hub:
        before = hub.templates.get(operator(), template)
        changed = hub.templates.change(
            operator(), template, name=name, source=source, expected=before.version
        )
    if as_json:
        print_json(changed)
    else:
        typer.echo(f"{clean(changed.name)} is at version {changed.version}.")


@templates.command("source", epilog=examples("inkwire templates source tpl_… > quote.typ"))
def show_source(
    ctx: typer.Context,
    template: TemplateArgument,
    version: Annotated[
        int | None, typer.Option(min=1, help="An earlier version; none: the newest.")
    ] = None,
) -> None:
    """Print what a template says."""
    with opened(ctx) as hub:
        typer.echo(hub.templates.source(operator(), template, version).source, nl=False)


@templates.command(
    "preview",
    epilog=examples(
        "inkwire templates preview quote.typ --to quote.pdf",
        "inkwire templates preview tpl_… --order 2026-1042 --to order.pdf",
    ),
)
def preview_template(
    ctx: typer.Context,
    template: Annotated[
        str, typer.Argument(metavar="TEMPLATE", help="A template's id, or a file with Typst.")
    ],
    to: Annotated[Path, typer.Option("--to", help="Where the PDF is written.")],
    order: Annotated[
        str | None, typer.Option(help="Id or number of an order; none: the sample.")
    ] = None,
) -> None:
    """Write the PDF that a template gives."""
    with opened(ctx) as hub:
        kept = template.startswith("tpl_") and not Path(template).exists()
        source = hub.templates.source(operator(), template).source if kept else _text(template)
        shown = None if order is None else hub.orders.get(operator(), order)
        pdf = hub.templates.preview(source, shown)
    to.write_bytes(pdf)
    typer.echo(f"{to}: {len(pdf)} bytes.")


@templates.command("delete", epilog=examples("inkwire templates delete tpl_… --yes"))
def delete_template(ctx: typer.Context, template: TemplateArgument, yes: YesOption = False) -> None:
    """Delete a template with its versions; refused while an integration uses it."""
    with opened(ctx) as hub:
        found = hub.templates.get(operator(), template)
        confirmed(f"Delete the template {clean(found.name)}?", yes=yes)
        hub.templates.delete(operator(), template)
    typer.echo(f"{clean(found.name)} is deleted.")


# --- inside


def _show(order: "Order", known: "list[OrderStatus]") -> None:
    from inkwire.orders.amounts import order_total
    from inkwire.orders.statuses import name_of

    facts(
        [
            ("id", order.id),
            ("number", order.number),
            ("status", f"{name_of(known, order.status)} since {stamp(order.status_at)}"),
            ("customer", _who(order.customer)),
            ("company", _who(order.company) or None),
            ("total", f"{order.currency} {order_total(order)}"),
            ("version", order.version),
            *((f"field {key}", value) for key, value in sorted(order.fields.items())),
        ]
    )
    rows = [
        (block.title, line.description, line.quantity, line.unit_price, line.amount)
        for block in order.blocks
        for line in block.lines
    ]
    if rows:
        typer.echo()
        table(("block", "description", "quantity", "price", "amount"), rows, empty="")


def _who(party: "Party") -> str:
    return (
        f"{party.name} <{party.email}>" if party.name and party.email else party.name + party.email
    )


def _text(path: str) -> str:
    """A file's text. Raises InvalidInput if it is not UTF-8, NotFound if it is not there."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} must be text in UTF-8.") from None


def _json_object(path: str) -> dict[str, Any]:
    """A file's JSON object. Raises InvalidInput, NotFound."""
    try:
        found = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise InvalidInput(f"{path} must hold a JSON object.")
    return found
