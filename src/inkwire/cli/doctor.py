"""`inkwire doctor`: everything that an operator can get wrong, each with what to do about it."""

from typing import Annotated

import typer

from inkwire.cli.output import clean, print_json
from inkwire.cli.shell import examples, logs_to_stderr, settings_of

_COLOURS = {"ok": typer.colors.GREEN, "warn": typer.colors.YELLOW, "fail": typer.colors.RED}


def register(app: typer.Typer) -> None:
    """Hangs the command into `app`."""
    app.command(
        rich_help_panel="Look after it",
        epilog=examples("inkwire doctor", "inkwire doctor --offline --json"),
    )(doctor)


def doctor(
    ctx: typer.Context,
    offline: Annotated[
        bool, typer.Option("--offline", help="Skip what asks over the network.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check this hub: keys, stores, clock, address, processes, every source and integration.

    Exit code 1 if a check fails; a warning alone does not fail.
    """
    settings = settings_of(ctx)
    from inkwire.cli.checks import examined

    logs_to_stderr()
    found = []
    for finding in examined(settings, offline=offline):
        found.append(finding)
        if not as_json:
            word = typer.style(
                f"{finding.level.value:4}", fg=_COLOURS[finding.level.value], bold=True
            )
            typer.echo(f"{word}  {finding.about:20} {clean(finding.text)}")
            if finding.advice:
                typer.echo(f"      {'':20} {typer.style('→', dim=True)} {clean(finding.advice)}")
    failed = sum(finding.level.value == "fail" for finding in found)
    warned = sum(finding.level.value == "warn" for finding in found)
    if as_json:
        print_json({"ok": failed == 0, "failed": failed, "warned": warned, "checks": found})
    else:
        typer.echo(f"\n{len(found)} checks: {failed} failed, {warned} to look at.")
    raise typer.Exit(1 if failed else 0)
