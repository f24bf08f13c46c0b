"""One way of logging for every process: structlog, to stderr, readable or as JSON lines.

What the standard library, uvicorn and other libraries log comes out in the same form. A processor
takes secrets out of every line, whoever wrote it: by the name of the field, and by their shape.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

REDACTED = "«redacted»"

#: Field names whose value is a credential, however it looks.
_SECRET_NAME = re.compile(
    r"secret|passw|token|authorization|cookie|api_?key|master_?key|private|credential|csrf",
    re.IGNORECASE,
)
#: What a credential looks like wherever it stands: our API keys, Standard Webhooks secrets,
#: bearer tokens, and the password in a database URL.
_SECRET_SHAPES = (
    (re.compile(r"\bink_[A-Za-z0-9_-]{8,}"), REDACTED),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]{8,}"), REDACTED),
    (re.compile(r"(?i)\b(bearer|basic) +[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {REDACTED}"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), rf"\1{REDACTED}@"),
)
#: Libraries that tell at INFO what only their authors need.
_QUIET = ("uvicorn", "uvicorn.error", "alembic", "asyncio", "aiohttp")


def set_up_logging(*, level: str, style: str, stream: TextIO | None = None) -> None:
    """Routes every log of this process through one chain. Call it once, first.

    `level`: debug, info, warning or error. `style`: console, json, or auto (console on a
    terminal). `stream`: stderr unless a test asks for another.
    """
    out = stream or sys.stderr
    readable = style == "console" or (style == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _one_message,
        redact,
    ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer(
                    colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
                )
                if readable
                else structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """The line without credentials: a processor that looks at each name and each value."""
    return {key: _safe(key, value) for key, value in event.items()}


def _safe(name: str, value: Any) -> Any:
    if name.startswith("_"):  # structlog's own
        return value
    if _SECRET_NAME.search(name) and isinstance(value, str | bytes):
        return REDACTED
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {key: _safe(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(name, item) for item in value]
    return value


def scrub(text: str) -> str:
    """Text without what looks like a credential."""
    for shape, instead in _SECRET_SHAPES:
        text = shape.sub(instead, text)
    return text


def _one_message(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Drops uvicorn's second, coloured copy of its message."""
    event.pop("color_message", None)
    return event
