"""`inkwire send`: a webhook as the provider itself would send it."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from inkwire.cli.output import clean, print_json, span
from inkwire.cli.service import reached_at
from inkwire.cli.shell import examples, note, read_bytes, settings_of
from inkwire.cli.signer import (
    RecipeOption,
    RoleOption,
    SecretOption,
    SettingOption,
    Signer,
    SourceOption,
    signer,
)
from inkwire.errors import InvalidInput

if TYPE_CHECKING:
    from inkwire.cli.outgoing import Answer, Load
    from inkwire.cli.signed import Sample, Sender
    from inkwire.model.request import SignedRequest

#: Longest token that a provider's `fresh` takes.
_TOKEN = 32


def register(app: typer.Typer) -> None:
    """Hangs the command into `app`."""
    app.command(
        rich_help_panel="Try it",
        epilog=examples(
            "inkwire send box http://127.0.0.1:8080/in/box --secret file:key.txt",
            "inkwire send box:FILE.UPLOADED --source box --fresh",
            "inkwire send bolosign --source contracts --at -1h        # stale: quarantined",
            "inkwire send boxc --source boxc --tamper                 # refused",
            "inkwire send standardwebhooks:order.paid URL --body order.json --dry-run",
            "inkwire send box --source box --fresh --count 1000 --concurrency 16",
            "inkwire send boxc URL --secret KEY --retry-like-provider --speed 60",
        ),
    )(send)


def send(  # noqa: PLR0917 # the options of one command
    ctx: typer.Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="PROVIDER[:EVENT]", help="Provider, and a sample's name or an event type."
        ),
    ],
    url: Annotated[
        str | None, typer.Argument(help="Where to send it; with --source: this hub.")
    ] = None,
    secret: SecretOption = None,
    secret_role: RoleOption = None,
    source: SourceOption = None,
    recipe: RecipeOption = None,
    setting: SettingOption = None,
    body: Annotated[
        str | None, typer.Option(help="File with the body to send, or - for standard input.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Make it another event each time (no duplicate).")
    ] = False,
    at: Annotated[
        str | None, typer.Option(help="When it was signed: -11m, +2h, or an RFC 3339 time.")
    ] = None,
    tamper: Annotated[
        bool, typer.Option("--tamper", help="Change one character after signing.")
    ] = False,
    count: Annotated[int, typer.Option(min=1, help="How many to send.")] = 1,
    rate: Annotated[float | None, typer.Option(min=0.01, help="How many a second.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=1024, help="How many at once.")] = 8,
    timeout: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds to wait; default: as the provider.")
    ] = None,
    retry_like_provider: Annotated[
        bool,
        typer.Option("--retry-like-provider", help="Repeat on the provider's schedule until 2xx."),
    ] = False,
    speed: Annotated[
        float, typer.Option(min=1, help="Shorten the provider's waits by this factor.")
    ] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the signed request; send nothing.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="With --dry-run: as HTTP instead of as a curl command.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Send a webhook signed as the provider signs it, and show the answer.

    Sends one of the provider's sample bodies, or your own with --body. Exit code 0 if every answer
    was 2xx, else 1.
    """
    who = signer(source, secret, secret_role, recipe, setting)
    sender, sample, url = _what(ctx, target, url, who, None if body is None else read_bytes(body))
    make = _maker(sender, sample, at=at, fresh=fresh, tamper=tamper)
    if dry_run:
        _print_request(url, make(0), raw=raw)
        return
    wait_s = timeout or sender.receiver.retries.timeout_s
    job = _Job(make=make, url=url, timeout_s=wait_s, as_json=as_json)
    if retry_like_provider:
        done = job.like_provider(sender, speed)
    elif count > 1:
        done = job.many(count, rate, concurrency)
    else:
        done = job.once(sample)
    raise typer.Exit(0 if done else 1)


def _what(
    ctx: typer.Context, target: str, url: str | None, who: Signer, body: bytes | None
) -> tuple["Sender", "Sample", str]:
    """Who signs what, and where it goes."""
    from inkwire.cli.outgoing import check_url
    from inkwire.cli.signed import sample_of
    from inkwire.providers.registry import registry

    provider, sample = sample_of(registry(), target, body)
    if url is None and who.source is None:
        raise InvalidInput("Say where to send it: a URL, or --source for a source of this hub.")
    sender = who.sender(ctx, provider.name, base=sample.settings)
    if url is None:
        settings = settings_of(ctx)
        url = f"http://{reached_at(settings.host)}:{settings.port}/in/{who.source}"
    return sender, sample, check_url(url)


def _maker(
    sender: "Sender", sample: "Sample", *, at: str | None, fresh: bool, tamper: bool
) -> Callable[[int], "SignedRequest"]:
    """Makes the n-th request: signed anew each time, as vendors do when they repeat."""
    from inkwire.cli.signed import moment, tampered
    from inkwire.clock import SystemClock
    from inkwire.ids import SortableIds

    clock = SystemClock()
    ids = SortableIds(clock)
    delivery_id = ids.new("dlv")
    moment(at, clock.now())  # a wrong --at is told before anything is sent

    def make(_number: int) -> "SignedRequest":
        token = ids.new("t").partition("_")[2][-_TOKEN:]
        request = sender.sign(
            sender.receiver.fresh(sample.body, token) if fresh else sample.body,
            at=moment(at, clock.now()),
            event_type=sample.event_type,
            delivery_id=token if fresh else delivery_id,
        )
        return tampered(request) if tamper else request

    make(0)
    return make


def _print_request(url: str, request: "SignedRequest", *, raw: bool) -> None:
    from inkwire.cli.signed import as_curl, as_http

    if raw:
        sys.stdout.buffer.write(as_http(url, request))
        sys.stdout.buffer.flush()
    else:
        typer.echo(as_curl(url, request))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """The sending itself, in one of three ways; each returns whether all was taken."""

    make: "Callable[[int], SignedRequest]"
    url: str
    timeout_s: float
    as_json: bool

    def once(self, sample: "Sample") -> bool:
        import asyncio

        from inkwire.cli.outgoing import post, session

        async def go() -> "Answer":
            async with session(timeout_s=self.timeout_s) as client:
                return await post(client, self.url, self.make(0))

        answer = asyncio.run(go())
        if self.as_json:
            print_json(_facts(answer) | {"event_type": sample.event_type, "sample": sample.name})
            return answer.ok
        typer.echo(f"{sample.event_type} → {self.url}", err=True)
        _show(answer)
        return answer.ok

    def many(self, count: int, rate: float | None, concurrency: int) -> bool:
        import asyncio

        from inkwire.cli.outgoing import many

        with _progress(count, "Sending") as advance:
            load = asyncio.run(
                many(
                    self.make,
                    self.url,
                    count=count,
                    rate=rate,
                    concurrency=min(concurrency, count),
                    timeout_s=self.timeout_s,
                    progress=advance,
                )
            )
        if self.as_json:
            print_json(_load_facts(load))
        else:
            _show_load(load)
        return load.failed == 0

    def like_provider(self, sender: "Sender", speed: float) -> bool:
        import asyncio

        from inkwire.cli.outgoing import until_taken

        plan = sender.receiver.retries
        attempts: list[dict[str, object]] = []

        async def told(attempt: int, answer: "Answer", wait: float | None) -> None:
            attempts.append(_facts(answer) | {"attempt": attempt})
            if self.as_json:
                return
            after = "" if wait is None else f" · next in {span(wait * speed)}"
            if wait is not None and speed > 1:
                after += f" ({span(wait)} at this speed)"
            line = f"attempt {attempt} of {len(plan.delays_s) + 1} · {clean(answer.line)}"
            typer.echo(f"{line} in {span(answer.seconds)}{after}")

        if not self.as_json:
            note(plan.source)
        last = asyncio.run(
            until_taken(
                self.make,
                self.url,
                waits_s=[delay / speed for delay in plan.delays_s],
                timeout_s=self.timeout_s,
                told=told,
            )
        )
        if self.as_json:
            print_json({"taken": last.ok, "attempts": attempts})
        elif not last.ok:
            note("The provider would give up now; the event would be lost to it.")
        return last.ok


def _facts(answer: "Answer") -> dict[str, object]:
    return {
        "status": answer.status,
        "ok": answer.ok,
        "ms": round(answer.seconds * 1000, 2),
        "problem": answer.problem or None,
        "body": answer.text,
    }


def _show(answer: "Answer") -> None:
    colour = typer.colors.GREEN if answer.ok else typer.colors.RED
    typer.secho(f"{clean(answer.line)}  in {span(answer.seconds)}", fg=colour, bold=True)
    text = answer.text.strip()
    try:
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False) if text else ""
    except ValueError:
        text = "\n".join(clean(line) for line in text.splitlines())
    if text:
        typer.echo(text)
    if not answer.ok and answer.status is not None:
        note("Why it was refused: `inkwire rejected list` on the hub, or `inkwire verify` here.")


def _load_facts(load: "Load") -> dict[str, object]:
    return {
        "sent": sum(load.answers.values()),
        "failed": load.failed,
        "answers": dict(load.answers),
        "seconds": round(load.seconds, 3),
        "per_second": round(sum(load.answers.values()) / load.seconds, 1) if load.seconds else None,
        "p50_ms": round(load.percentile(0.5) * 1000, 2),
        "p99_ms": round(load.percentile(0.99) * 1000, 2),
    }


def _show_load(load: "Load") -> None:
    facts = _load_facts(load)
    for line, number in load.answers.most_common():
        colour = typer.colors.GREEN if line.startswith("2") else typer.colors.RED
        typer.secho(f"{number:>8}  {clean(line)}", fg=colour)
    typer.echo(
        f"{facts['sent']} sent in {load.seconds:.2f} s: {facts['per_second']}/s, "
        f"half within {facts['p50_ms']} ms, 99 % within {facts['p99_ms']} ms"
    )


@contextmanager
def _progress(total: int, what: str) -> Iterator[Callable[[], None]]:
    """A bar on stderr if that is a terminal; calling what it yields moves it by one."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
