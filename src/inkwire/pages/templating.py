"""Renders the templates: everything is escaped, and what a template names must exist."""

import hashlib
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from inkwire.clock import Clock
from inkwire.pages import times

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

STATIC = Path(str(resources.files("inkwire.pages"))) / "static"


class Templates:
    """The Jinja2 environment with the filters of all pages."""

    def __init__(self, room: str, *, clock: Clock) -> None:
        """`room`: the package whose templates come first; `clock`: for relative times."""
        self._env = Environment(
            loader=ChoiceLoader([PackageLoader(room), PackageLoader("inkwire.pages")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.filters |= {
            "bytes": times.size,
            "coded": coded,
            "count": times.count,
            "exact": times.exact,
            "markdown": markdown,
            "text": text,
            "ago": lambda moment: ago(moment, clock.now()),
            "at": at,
        }
        self._env.globals["asset"] = asset

    def render(self, template: str, **context: Any) -> str:
        """The HTML of `template`."""
        return self._env.get_template(template).render(**context)


@cache
def asset(name: str) -> str:
    """The file's path below `/static` with a mark of its content, so that browsers may keep it."""
    file = STATIC / name
    mark = hashlib.sha256(file.read_bytes()).hexdigest()[:12] if file.is_file() else "missing"
    return f"{name}?v={mark}"


def ago(moment: datetime, now: datetime) -> Markup:
    """`<time>`: relative, exact on hover (the script adds local time) and for screen readers."""
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        times.iso(moment), times.exact(moment), times.relative(moment, now)
    )


def at(moment: datetime, day_of: datetime | None = None) -> Markup:
    """`<time>`: exact, in UTC, without the date on the day of `day_of`; local time on hover."""
    exact = times.exact(moment)
    same_day = day_of is not None and day_of.astimezone(UTC).date() == moment.astimezone(UTC).date()
    return Markup('<time datetime="{}" title="{}" data-exact>{}</time>').format(
        times.iso(moment), exact, exact[11:] if same_day else exact
    )


def text(value: str) -> Markup:
    """Escapes what stands between tags; quotes stay, so that JSON does not grow by half."""
    return Markup(value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))  # noqa: S704


def coded(sentence: str) -> Markup:
    """A sentence with what stands between backticks as code, as help texts and hints write it."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return escape(sentence)
    shown = [
        Markup("<code>{}</code>").format(p) if n % 2 else escape(p) for n, p in enumerate(parts)
    ]
    return Markup("").join(shown)


def markdown(source: str) -> Markup:
    """Markdown as HTML: no HTML of its own gets through, and no `javascript:` link."""
    parser = _markdown()
    tokens = parser.parse(source)
    for token in tokens:
        # Its headings stand below the page's own h1 and the section's h2.
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    html = parser.renderer.render(tokens, parser.options, {})
    return Markup(html)  # noqa: S704 # made by the renderer above, which escapes


@cache
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # noqa: PLC0415 - 60 modules that few pages need

    return MarkdownIt("commonmark", {"html": False}).enable("table")
