"""`inkwire applications …` and `inkwire topics …`: who subscribes, and to what they may."""

from typing import TYPE_CHECKING, Annotated

import typer

from inkwire.cli.listing import JsonOption, LimitOption, pages
from inkwire.cli.output import clean, facts, jsonable, print_json, stamp, table
from inkwire.cli.shell import examples, note, opened, operator
from inkwire.errors import InvalidInput
from inkwire.model.access import APPLICATION_SCOPES, Scope

if TYPE_CHECKING:
    from inkwire.model.webhook import Topic

applications = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Who gets our webhooks."
)
topics = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="What can be heard.")

IdArgument = Annotated[str, typer.Argument(metavar="APPLICATION", help="The application's id.")]
AncestorsOption = Annotated[
    list[str] | None,
    typer.Option("--frame-ancestor", help="Origin that may show its portal in a frame; repeat it."),
]


def register(app: typer.Typer) -> None:
    """Hangs the groups into `app`."""
    app.add_typer(applications, name="applications", rich_help_panel="Send")
    app.add_typer(topics, name="topics", rich_help_panel="Send")


@applications.command("list", epilog=examples("inkwire applications list"))
def list_applications(
    ctx: typer.Context, limit: LimitOption = 50, as_json: JsonOption = False
) -> None:
    """List the applications, newest first."""
    with opened(ctx) as hub:
        found = pages(
            lambda last, size: hub.applications.all(
                operator(), before=last.id if last else None, limit=size
            ),
            limit,
        )
    if as_json:
        print_json(found)
        return
    rows = [(one.id, one.name, stamp(one.created_at)) for one in found]
    empty = "There are no applications yet. Make one: inkwire applications add NAME"
    table(("id", "name", "since"), rows, empty=empty)


@applications.command(
    "add",
    epilog=examples(
        "inkwire applications add 'Order service'",
        "inkwire applications add Shop --frame-ancestor https://app.example.com",
    ),
)
def add_application(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What people call it.")],
    frame_ancestor: AncestorsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an application: a subscriber, which then gets keys, grants and webhooks."""
    with opened(ctx) as hub:
        made = hub.applications.create(operator(), name=name, frame_ancestors=frame_ancestor or ())
    if as_json:
        print_json(made)
        return
    note("Next: inkwire applications key ID, and inkwire webhooks add ADDRESS --application ID")
    typer.echo(made.id)


@applications.command("show", epilog=examples("inkwire applications show app_…"))
def show_application(
    ctx: typer.Context, application: IdArgument, as_json: JsonOption = False
) -> None:
    """Show one application: its grants, its keys (never their text), how many webhooks."""
    from inkwire.store.contract import MAX_PAGE
    from inkwire.store.sending import WebhookQuery

    with opened(ctx) as hub:
        found = hub.applications.get(operator(), application)
        grants = sorted(hub.applications.grants(operator(), application))
        keys = hub.gate.api_keys(operator(), application_id=application)
        webhooks = hub.webhooks.all(
            operator(), WebhookQuery(application_id=application, limit=MAX_PAGE)
        )
    if as_json:
        numbers = [one.id for one in webhooks]
        shown = {"granted": grants, "keys": jsonable(keys), "webhooks": numbers}
        print_json(jsonable(found) | shown)
        return
    live = [key for key in keys if key.revoked_at is None]
    facts(
        [
            ("id", found.id),
            ("name", found.name),
            ("since", stamp(found.created_at)),
            ("may frame its portal", ", ".join(found.frame_ancestors) or "nobody"),
            ("granted", ", ".join(grants) or "nothing beside what all may hear"),
            ("webhooks", ", ".join(str(one.id) for one in webhooks) or "none"),
            *((f"key {key.hint}…", f"{key.name} ({key.id})") for key in live),
        ]
    )


@applications.command(
    "grant",
    epilog=examples(
        "inkwire applications grant app_… box.FILE.UPLOADED order.shipped",
        "inkwire applications grant app_… --revoke order.shipped",
    ),
)
def grant(
    ctx: typer.Context,
    application: IdArgument,
    topic: Annotated[list[str] | None, typer.Argument(help="Topics to be granted.")] = None,
    revoke: Annotated[
        list[str] | None, typer.Option("--revoke", help="Topic to be taken away; repeat it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Grant topics to an application beside those that it has; or take some away.

    A type of inbound events (`box.FILE.UPLOADED`) is a topic: its events are then forwarded.
    """
    if not topic and not revoke:
        raise InvalidInput("Name topics to grant, or with --revoke those to take away.")
    with opened(ctx) as hub:
        held = hub.applications.grants(operator(), application)
        wanted = (held | frozenset(topic or ())) - frozenset(revoke or ())
        now = hub.applications.set_grants(operator(), application, sorted(wanted))
    if as_json:
        print_json(now)
    else:
        typer.echo(f"{application} is granted: {', '.join(sorted(now)) or 'nothing'}.")


@applications.command(
    "key",
    epilog=examples(
        "inkwire applications key app_… --name Production",
        "inkwire applications key app_… --scope messages:read --scope messages:body",
    ),
)
def add_key(
    ctx: typer.Context,
    application: IdArgument,
    name: Annotated[str, typer.Option(help="What it is for.")] = "Key",
    scope: Annotated[
        list[Scope] | None, typer.Option("--scope", help="What it reaches; repeat it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make an API key of an application and show it, this once.

    Without --scope it may do all that an application may, with what is its own.
    """
    scopes = frozenset(scope or APPLICATION_SCOPES)
    with opened(ctx) as hub:
        hub.applications.get(operator(), application)
        key, text = hub.gate.add_api_key(
            operator(), name=name, scopes=scopes, application_id=application
        )
    if as_json:
        print_json({"id": key.id, "name": key.name, "scopes": key.scopes, "key": text})
        return
    note(f"The key {key.id}, shown only this once; it may {', '.join(sorted(scopes))}:")
    typer.echo(text)


@applications.command("portal-link", epilog=examples("inkwire applications portal-link app_…"))
def portal_link(ctx: typer.Context, application: IdArgument, as_json: JsonOption = False) -> None:
    """Make a link into an application's portal: for one browser, once, within ten minutes."""
    with opened(ctx) as hub:
        token, ends = hub.portal.link(operator(), application)
        url = f"{hub.settings.base_url}/portal/#{token}"
    if as_json:
        print_json({"url": url, "expires_at": ends})
        return
    note(f"It opens once, until {stamp(ends)}:")
    typer.echo(url)


@topics.command(
    "list", epilog=examples("inkwire topics list", "inkwire topics list --application app_…")
)
def list_topics(
    ctx: typer.Context,
    application: Annotated[
        str | None, typer.Option("--application", help="Only what this application may hear.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the topics: built in, your own, and every type of inbound events."""
    with opened(ctx) as hub:
        if application is not None:
            hub.applications.get(operator(), application)
        found = hub.catalogue.all(application_id=application)
    if as_json:
        print_json(found)
        return
    rows = [(one.name, _who(one), one.description) for one in found]
    table(("topic", "for", "what it says"), rows, empty="There are no topics.")


@topics.command("show", epilog=examples("inkwire topics show shipments_status"))
def show_topic(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TOPIC")],
    as_json: JsonOption = False,
) -> None:
    """Show one topic with its JSON Schema and an example."""
    with opened(ctx) as hub:
        found = hub.catalogue.get(name)
    if as_json:
        print_json(found)
        return
    typer.secho(clean(found.name), bold=True)
    typer.echo(f"{clean(found.description)}\n")
    facts([("for", _who(found)), ("made by", "Inkwire" if found.builtin else "you")])
    for title, value in (("Schema", found.schema), ("Example", found.example)):
        if value is not None:
            typer.echo(f"\n{title}:")
            print_json(value)


def _who(topic: "Topic") -> str:
    return "all" if topic.granted_to_all else "by grant"
