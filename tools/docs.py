"""Writes docs/reference and docs/providers from the code; `--check` compares."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer.main
from pydantic_core import PydanticUndefined

from inkwire.cli.root import app
from inkwire.config import Settings
from inkwire.providers.contract import Connector, Provider, Receiver
from inkwire.providers.registry import cases, manual, registry

ROOT = Path(__file__).parent.parent
MADE = "<!-- Made by `make docs` from the code; edit that. -->"


def main() -> int:
    """Writes the pages, or with --check compares them; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when behind")
    parser.add_argument("--into", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    behind = []
    for name, text in pages():
        path: Path = options.into / name
        if options.check and (not path.is_file() or path.read_text("utf-8") != text):
            behind.append(name)
        elif not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    if behind:
        print(f"Behind the code: {', '.join(behind)} in {options.into}. Run `make docs`.")
    return 1 if behind else 0


def pages() -> Iterator[tuple[str, str]]:
    """Name and text of each page."""
    yield "reference/cli.md", _page("Commands", _cli())
    yield "reference/settings.md", _page("Settings", _settings())
    yield "reference/providers.md", _page("Providers", _providers())
    for provider in _used():
        yield f"providers/{provider.name}.md", _guide(provider)


def _used() -> list[Provider]:
    """Providers that send webhooks, or whose API is called."""
    return [one for one in registry() if one.receive is not None or one.connect is not None]


def _guide(provider: Provider) -> str:
    """The operator's manual, with an address to stand for the reader's own."""
    text = manual(provider).replace("{source}", f"my-{provider.name}")
    text = text.replace("{url}", f"https://hooks.example.com/in/my-{provider.name}")
    return f"{MADE}\n\n{text.rstrip()}\n"


def _page(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", MADE, "", *lines]).rstrip() + "\n"


# ── commands ──────────────────────────────────────────────────────────────────────────────────


def _cli() -> Iterator[str]:
    root = typer.main.get_command(app)
    yield f"{root.help}"
    yield ""
    yield "Exit codes: 0 done, 1 failed or refused, 2 wrong input or configuration, 130 Ctrl-C."
    yield "Lists print plain columns into a pipe, and JSON with `--json`."
    yield from _options(root)
    for name, command in getattr(root, "commands", {}).items():
        if not command.hidden:
            yield from _command(command, f"inkwire {name}")


def _command(command: Any, path: str) -> Iterator[str]:
    below = getattr(command, "commands", None)
    yield f"## `{path}`" if path.count(" ") == 1 else f"### `{path}`"
    yield ""
    yield from _text(command.help)
    if below is not None:
        for name, child in below.items():
            if not child.hidden:
                yield from _command(child, f"{path} {name}")
        return
    usage = " ".join([path, *(_shown(p) for p in command.params if _is_argument(p))])
    yield "```"
    yield f"{usage} [OPTIONS]"
    yield "```"
    yield from _options(command)
    yield from _examples(command.epilog)


def _text(text: str | None) -> Iterator[str]:
    """A docstring's paragraphs, each on one line."""
    for paragraph in (text or "").split("\n\n"):
        yield " ".join(paragraph.split())
        yield ""


def _options(command: Any) -> Iterator[str]:
    rows = [
        (f"`{_shown(param)}`", _help(param))
        for param in command.params
        if not param.hidden and param.name != "help"
    ]
    if rows:
        yield ""
        yield from _table(("option", "what it does"), rows)


def _is_argument(param: Any) -> bool:
    return bool(param.param_type_name == "argument")


def _shown(param: Any) -> str:
    if _is_argument(param):
        name = param.metavar or str(param.name).upper()
        return name if param.required else f"[{name}]"
    return ", ".join(param.opts)


def _help(param: Any) -> str:
    default = param.default
    if default in (None, "", False) or callable(default) or _is_argument(param):
        return param.help or ""
    return f"{param.help} Default: `{getattr(default, 'value', default)}`."


def _examples(epilog: str | None) -> Iterator[str]:
    lines = [line.strip() for line in (epilog or "").replace("\\[", "[").splitlines()]
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    if commands:
        yield "```sh"
        yield from commands
        yield "```"
        yield ""


# ── settings ──────────────────────────────────────────────────────────────────────────────────


def _settings() -> Iterator[str]:
    yield (
        "Environment variables, read once at the start of a process. Sources and users are no "
        "settings: they are in the store, or [declared in a file](../how-to/declare-sources.md)."
    )
    yield ""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if default in (None, PydanticUndefined) else f"`{default}`"
        rows.append((f"`INKWIRE_{name.upper()}`", shown, field.description or ""))
    yield from _table(("variable", "default", "what it does"), rows)


# ── providers ─────────────────────────────────────────────────────────────────────────────────


def _providers() -> Iterator[str]:
    yield "What each provider gives. `inkwire sources providers NAME` shows the same."
    yield ""
    for provider in _used():
        yield f"## {provider.title}"
        yield ""
        yield f"`{provider.name}`. {provider.summary}"
        yield ""
        if provider.receive is not None:
            yield from _receiving(provider, provider.receive)
        if provider.connect is not None:
            yield from _connecting(provider.connect)


def _connecting(connector: Connector) -> Iterator[str]:
    """What its connections need."""
    for method in connector.methods:
        yield f"### Connection by {method.title}"
        yield ""
        yield f"`--method {method.name}`. {method.help}"
        yield ""
        settings = [
            (f"`{item.key}`", f"`{item.default}`" if item.default != "" else "", _choices(item))
            for item in method.settings
        ]
        yield from _table(("setting", "default", "what it is"), settings)
        secrets = [(f"`{item.role}`", item.help) for item in method.secrets]
        yield from _table(("secret", "where it comes from"), secrets)


def _receiving(provider: Provider, receiver: Receiver) -> Iterator[str]:
    """What its sources need, and what they get."""
    yield "### Secrets"
    yield ""
    secrets = [
        (f"`{item.role}`", item.label, "yes" if item.required else "no", item.help)
        for item in receiver.secrets
    ]
    yield from _table(("role", "name", "required", "where it comes from"), secrets)
    yield "### Settings"
    yield ""
    settings = [
        (f"`{item.key}`", f"`{item.default}`" if item.default != "" else "", _choices(item))
        for item in receiver.settings
    ]
    yield from _table(("key", "default", "what it does"), settings)
    yield from _recipes(provider)
    yield "### Event types"
    yield ""
    types = [(f"`{name}`", text) for name, text in receiver.event_types.items()]
    yield from _table(("type", "when"), types)
    yield "The list is open: a type that is not in it is kept under the name that the vendor gives."
    yield ""
    yield "### Samples"
    yield ""
    samples = [(f"`{case.name}`", f"`{case.event_type}`", case.note) for case in cases(provider)]
    yield from _table((f"`inkwire send {provider.name}:…`", "type", "what it shows"), samples)
    yield "### Retries"
    yield ""
    yield f"{receiver.retries.source} The vendor waits {receiver.retries.timeout_s:g} s."
    yield ""


def _choices(item: Any) -> str:
    return f"{item.help} One of: {', '.join(item.choices)}." if item.choices else str(item.help)


def _recipes(provider: Provider) -> Iterator[str]:
    if not provider.recipes:
        return
    yield "### Recipes"
    yield ""
    yield "Settings for senders that are known: `inkwire sources create … --recipe NAME`."
    yield ""
    for recipe in provider.recipes:
        yield f"**{recipe.title}** (`{recipe.name}`). {recipe.note}"
        yield ""
        rows = [(f"`{key}`", f"`{value}`") for key, value in recipe.settings.items()]
        yield from _table(("setting", "value"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        yield "None."
        yield ""
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        cells = (" ".join(cell.split()).replace("|", "\\|") for cell in row)
        yield f"| {' | '.join(cells)} |"
    yield ""


if __name__ == "__main__":
    sys.exit(main())
