"""`inkwire users …`, `inkwire keys …`, `inkwire audit`: who may do what, and who did."""

import sys
from typing import Annotated

import typer

from inkwire.cli.output import ago, print_json, stamp, table
from inkwire.cli.shell import confirmed, examples, first_line, note, opened, operator
from inkwire.errors import InvalidInput
from inkwire.model.access import Role, Scope

users = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="People at the console.")
keys = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Keys for the API.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The sign-in name.")]
RoleOption = Annotated[
    Role, typer.Option("--role", help="viewer sees, operator acts, admin manages.")
]
PasswordFileOption = Annotated[
    str | None,
    typer.Option("--password-file", help="File with the password on its first line; - is stdin."),
]


def register(app: typer.Typer) -> None:
    """Hangs the groups into `app`."""
    app.add_typer(users, name="users", rich_help_panel="Manage")
    app.add_typer(keys, name="keys", rich_help_panel="Manage")
    app.command(rich_help_panel="Manage", epilog=examples("inkwire audit --limit 20"))(audit)


@users.command("list", epilog=examples("inkwire users list"))
def list_users(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the users."""
    with opened(ctx) as hub:
        found = hub.gate.users(operator())
        now = hub.clock.now()
    if as_json:
        print_json(found)
        return
    rows = [
        (user.name, user.role.value, "disabled" if user.disabled else "active",
         ago(user.created_at, now))
        for user in found
    ]  # fmt: skip
    empty = "There are no users yet. Make one: inkwire users add NAME --role admin"
    table(("name", "role", "state", "since"), rows, empty=empty)


@users.command("add", epilog=examples("inkwire users add jane --role operator"))
def add_user(
    ctx: typer.Context,
    name: NameArgument,
    role: RoleOption = Role.VIEWER,
    password_file: PasswordFileOption = None,
) -> None:
    """Add a user. Without --password-file the password is asked for."""
    password = _password(password_file)
    with opened(ctx) as hub:
        user = hub.gate.add_user(operator(), name=name, password=password, role=role)
    typer.echo(f"{user.name} may sign in as {user.role.value}.")


@users.command("password", epilog=examples("inkwire users password admin"))
def set_password(
    ctx: typer.Context, name: NameArgument, password_file: PasswordFileOption = None
) -> None:
    """Give a user a new password; their sessions end."""
    password = _password(password_file)
    with opened(ctx) as hub:
        hub.gate.set_password(operator(), name, password)
    typer.echo(f"{name} has a new password and must sign in again.")


@users.command("role", epilog=examples("inkwire users role jane admin"))
def set_role(
    ctx: typer.Context, name: NameArgument, role: Annotated[Role, typer.Argument()]
) -> None:
    """Change what a user may do; their sessions end."""
    with opened(ctx) as hub:
        hub.gate.set_role(operator(), name, role)
    typer.echo(f"{name} is {role.value} now.")


@users.command(epilog=examples("inkwire users disable jane"))
def disable(ctx: typer.Context, name: NameArgument) -> None:
    """Keep a user out; their sessions end. What they did stays in the audit log."""
    with opened(ctx) as hub:
        hub.gate.disable(operator(), name)
    typer.echo(f"{name} can no longer sign in. To undo it: inkwire users enable {name}")


@users.command(epilog=examples("inkwire users enable jane"))
def enable(ctx: typer.Context, name: NameArgument) -> None:
    """Let a disabled user in again."""
    with opened(ctx) as hub:
        hub.gate.enable(operator(), name)
    typer.echo(f"{name} may sign in again.")


@keys.command("list", epilog=examples("inkwire keys list --json"))
def list_keys(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the API keys; their text is not kept."""
    with opened(ctx) as hub:
        found = hub.gate.api_keys(operator())
        now = hub.clock.now()
    if as_json:
        print_json(found)
        return
    rows = [
        (key.id, key.name, f"{key.hint}…", "revoked" if key.revoked_at else "active",
         ago(key.last_used_at, now), " ".join(sorted(key.scopes)))
        for key in found
    ]  # fmt: skip
    columns = ("id", "name", "key", "state", "last used", "scopes")
    table(columns, rows, empty="There are no API keys. Make one: inkwire keys create NAME")


@keys.command(
    "create",
    epilog=examples(
        "inkwire keys create metrics --scope events:read",
        "inkwire keys create deploy --scope sources:read --scope sources:write",
    ),
)
def create_key(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[
        list[Scope] | None, typer.Option("--scope", help="What it reaches; repeat it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make an API key and show it, this once. Without --scope it may only read."""
    scopes = frozenset(scope or (Scope.SOURCES_READ, Scope.EVENTS_READ))
    with opened(ctx) as hub:
        key, text = hub.gate.add_api_key(operator(), name=name, scopes=scopes)
    if as_json:
        print_json({"id": key.id, "name": key.name, "scopes": key.scopes, "key": text})
        return
    note(f"The key {key.id}, shown only this once; it may {', '.join(sorted(scopes))}:")
    typer.echo(text)


@keys.command("revoke", epilog=examples("inkwire keys revoke key_…"))
def revoke_key(
    ctx: typer.Context,
    key_id: Annotated[str, typer.Argument(metavar="ID")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """End an API key at once."""
    confirmed(f"Revoke {key_id}? Whoever uses it is refused from then on.", yes=yes)
    with opened(ctx) as hub:
        hub.gate.revoke_api_key(operator(), key_id)
    typer.echo(f"{key_id} is revoked.")


def audit(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show what was changed, when, and by whom, newest first."""
    with opened(ctx) as hub:
        found = hub.gate.audit(operator(), limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [
        (stamp(entry.at), entry.actor, entry.action, entry.target,
         ", ".join(f"{key}={value}" for key, value in entry.detail.items()))
        for entry in found
    ]  # fmt: skip
    table(("at", "who", "what", "target", "detail"), rows, empty="Nothing was changed yet.")


def _password(path: str | None) -> str:
    """From a file, or asked for twice. Raises InvalidInput if nobody is there to ask."""
    if path is not None:
        return first_line(path)
    if not sys.stdin.isatty():
        raise InvalidInput("There is no terminal to ask on: give --password-file, or - for stdin.")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
