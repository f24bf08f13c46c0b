"""`inkwire connections …`: credentials for providers' APIs, tried and looked after."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inkwire.cli.acting_views import print_checks, print_connection
from inkwire.cli.listing import JsonOption, YesOption
from inkwire.cli.output import ago, print_json, table
from inkwire.cli.shell import confirmed, examples, opened, operator, pairs, read_bytes
from inkwire.errors import InvalidInput

if TYPE_CHECKING:
    from inkwire.providers.contract import AuthMethod
    from inkwire.providers.registry import Registry

group = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Credentials for providers' APIs."
)

#: Role under which a connector takes a vendor's whole file, such as Box's JSON.
FILE_ROLE = "config_file"
#: Characters of a secret that somebody may be asked to type; longer ones come from files.
MAX_TYPED = 1_000

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The connection's id.")]
SettingsOption = Annotated[
    list[str] | None, typer.Option("--setting", help="key=value; see `connections methods`.")
]
SecretsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--secret", help="role=file:PATH (the whole file) or role=env:NAME; never the text itself."
    ),
]
FileOption = Annotated[
    Path | None,
    typer.Option("--file", help="The vendor's own file, e.g. Box's JSON with all six fields."),
]


def register(app: typer.Typer) -> None:
    """Hangs the group into `app`."""
    app.add_typer(group, name="connections", rich_help_panel="Act")


@group.command("list", epilog=examples("inkwire connections list"))
def list_connections(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the connections and how each is doing."""
    with opened(ctx) as hub:
        found, now = hub.connections.all(operator()), hub.clock.now()
    if as_json:
        print_json(found)
        return
    rows = [
        (one.id, one.provider, one.method, one.health.value.replace("_", " "),
         ago(one.health_at, now), one.name, one.health_note)
        for one in found
    ]  # fmt: skip
    columns = ("id", "provider", "method", "health", "checked", "name", "note")
    empty = "There are no connections yet. See what there is: inkwire connections methods"
    table(columns, rows, empty=empty)


@group.command(epilog=examples("inkwire connections methods"))
def methods(as_json: JsonOption = False) -> None:
    """List the ways to authenticate at each provider, with their settings and secrets."""
    from inkwire.providers.registry import registry

    found = [(one.name, way) for one in registry() if one.connect for way in one.connect.methods]
    if as_json:
        print_json(
            [
                {"provider": name, "name": way.name, "title": way.title, "help": way.help,
                 "authorizes": way.authorizes,
                 "settings": way.settings, "secrets": way.secrets}
                for name, way in found
            ]
        )  # fmt: skip
        return
    for name, way in found:
        typer.secho(f"--provider {name} --method {way.name}: {way.title}", bold=True)
        typer.echo(way.help)
        settings = [(f"--setting {s.key}", s.default, s.help) for s in way.settings]
        table(("setting", "default", "what it is"), settings, empty="It has no settings.")
        secrets = [(f"--secret {s.role}", "required" if s.required else "optional", s.help)
                   for s in way.secrets]  # fmt: skip
        table(("secret", "", "where it comes from"), secrets, empty="It has no secrets.")
        typer.echo()


@group.command(epilog=examples("inkwire connections show box-main"))
def show(ctx: typer.Context, connection_id: IdArgument, as_json: JsonOption = False) -> None:
    """Show one connection: settings, which secrets are set (never their values), health."""
    with opened(ctx) as hub:
        one = hub.connections.get(operator(), connection_id)
        print_connection(one, hub.clock.now(), as_json=as_json)


@group.command(
    epilog=examples(
        "inkwire connections add box-main --provider box --method jwt --file box_config.json",
        "inkwire connections add box-ccg --provider box --method ccg --setting client_id=… "
        "--setting enterprise_id=… --secret client_secret=file:secret.txt",
    )
)
def add(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    connection_id: IdArgument,
    provider: Annotated[str, typer.Option(help="Whose API it calls; see `connections methods`.")],
    method: Annotated[str, typer.Option(help="How it authenticates; see `connections methods`.")],
    name: Annotated[str | None, typer.Option(help="What people call it; default: the id.")] = None,
    file: FileOption = None,
    setting: SettingsOption = None,
    secret: SecretsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a connection. Without --file, secrets that you do not give are asked for."""
    with opened(ctx) as hub:
        secrets = _given_secrets(secret, file)
        if file is None:
            _ask_for_missing(_method(hub.registry, provider, method), secrets)
        made = hub.connections.add(
            operator(),
            connection_id=connection_id,
            provider=provider,
            name=name or connection_id,
            method=method,
            settings=pairs(setting or [], what="--setting"),
            secrets=secrets,
        )
        print_connection(made, hub.clock.now(), as_json=as_json)
        signs_in = _method(hub.registry, made.provider, made.method).authorizes
    if not as_json:
        verb = "authorize" if signs_in else "check"
        typer.echo(f"\n{'Sign in' if signs_in else 'Try it'}: inkwire connections {verb} {made.id}")


@group.command(
    "set-secret",
    epilog=examples(
        "inkwire connections set-secret box-ccg client_secret",
        "inkwire connections set-secret box-main private_key --from file:key.pem",
        "inkwire connections set-secret box-main --file box_config.json",
    ),
)
def set_secret(
    ctx: typer.Context,
    connection_id: IdArgument,
    role: Annotated[str | None, typer.Argument(help="Which secret; see `show`.")] = None,
    given: Annotated[
        str | None, typer.Option("--from", help="file:PATH or env:NAME; default: you are asked.")
    ] = None,
    file: FileOption = None,
) -> None:
    """Give a connection a new secret: from a file, a variable, or typed without an echo."""
    if (role is None) is (file is None) or (file is not None and given is not None):
        raise InvalidInput("Name either one secret, or the vendor's whole file with --file.")
    with opened(ctx) as hub:
        hub.connections.get(operator(), connection_id)
        secrets = {FILE_ROLE: _text_of(str(file))} if file else {str(role): _one(given, str(role))}
        hub.connections.change(operator(), connection_id, secrets=secrets)
    typer.echo(f"It is kept. Try it: inkwire connections check {connection_id}")


@group.command(epilog=examples("inkwire connections check box-main"))
def check(ctx: typer.Context, connection_id: IdArgument, as_json: JsonOption = False) -> None:
    """Fetch a token, ask who we are, try every scope. Exit code 1 if one of them fails."""
    with opened(ctx) as hub:
        checks = hub.connections.check(connection_id)
    print_checks(checks, as_json=as_json)
    if not all(one.ok for one in checks):
        raise typer.Exit(1)


@group.command(epilog=examples("inkwire connections authorize salesforce-main"))
def authorize(ctx: typer.Context, connection_id: IdArgument) -> None:
    """Print where to sign in at the vendor for a connection, e.g. Box by OAuth.

    That is the connection's page in the console: a sign-in is bound to the browser that begins it.
    """
    with opened(ctx) as hub:
        one = hub.connections.get(operator(), connection_id)
        if not _method(hub.registry, one.provider, one.method).authorizes:
            raise InvalidInput(
                f"Nobody signs in for the connection {one.id}: it authenticates by itself. "
                f"Try it: inkwire connections check {one.id}"
            )
        page = f"{hub.settings.base_url}/console/connections/{one.id}"
    typer.echo(f"Open {page} and press “Connect”.")


@group.command(epilog=examples("inkwire connections delete box-old"))
def delete(ctx: typer.Context, connection_id: IdArgument, yes: YesOption = False) -> None:
    """Delete a connection with its secrets; not while an integration calls by it."""
    with opened(ctx) as hub:
        one = hub.connections.get(operator(), connection_id)
        confirmed(f"Delete the connection {one.id} ({one.name}) and its secrets?", yes=yes)
        hub.connections.delete(operator(), connection_id)
    typer.echo(f"{connection_id} is deleted.")


# --- inside


def _given_secrets(given: list[str] | None, file: Path | None) -> dict[str, str]:
    secrets = {role: _one(text, role) for role, text in pairs(given or [], what="--secret").items()}
    return secrets | ({FILE_ROLE: _text_of(str(file))} if file else {})


def _one(given: str | None, role: str) -> str:
    """A secret from a file or a variable, or from a person. Raises InvalidInput, NotFound."""
    if given is None:
        if not sys.stdin.isatty():
            raise InvalidInput("Nobody is there to ask: say --from file:PATH or --from env:NAME.")
        return str(typer.prompt(f"New {role}", hide_input=True, err=True))
    kind, _, name = given.partition(":")
    if kind == "file" and name:
        return _text_of(name)
    if kind == "env" and name:
        if name not in os.environ:
            raise InvalidInput(f"The environment variable {name} is not set.")
        return os.environ[name]
    raise InvalidInput(
        f"The secret {role} is taken from file:PATH or env:NAME only: text on a command line "
        "stays in the shell's history."
    )


def _text_of(path: str) -> str:
    """A whole file, without the line break at its end. Raises NotFound, InvalidInput."""
    try:
        return read_bytes(path).decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is no text in UTF-8; take the vendor's own file.") from None


def _method(registry: "Registry", provider: str, method: str) -> "AuthMethod":
    """One way of a provider. Raises NotFound, and InvalidInput naming those there are."""
    connector = registry.get(provider).connect
    ways = {way.name: way for way in connector.methods} if connector else {}
    if method not in ways:
        known = ", ".join(ways) or "none: its API is not called"
        raise InvalidInput(fields={"method": f"must be one of: {known}"})
    return ways[method]


def _ask_for_missing(method: "AuthMethod", given: dict[str, str]) -> None:
    """Asks for secrets that fit a line and were not given, if there is somebody to ask."""
    if not sys.stdin.isatty():
        return
    for item in method.secrets:
        if item.role in given or item.max_length > MAX_TYPED:
            continue
        typer.echo(f"{item.help}{'' if item.required else ' Enter leaves it out.'}", err=True)
        default = None if item.required else ""
        typed = typer.prompt(
            item.label, default=default, hide_input=True, show_default=False, err=True
        )
        if typed:
            given[item.role] = str(typed)
