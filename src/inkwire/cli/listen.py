"""`inkwire listen`: an application's messages, brought to a developer's own machine."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from inkwire.cli.output import clean, stamp
from inkwire.cli.shell import examples, note, secret_text

if TYPE_CHECKING:
    from datetime import datetime

    import aiohttp

    from inkwire.cli.following import Following, Heard
    from inkwire.cli.outgoing import Answer
    from inkwire.cli.signed import Sender

#: Seconds between two looks: an application may ask twice a second for long.
EVERY_S = 1.0
#: Seconds that the local program may take for an answer, as with a real webhook.
ANSWER_S = 15.0


def register(app: typer.Typer) -> None:
    """Hangs the command into `app`."""
    app.command(
        rich_help_panel="Send",
        epilog=examples(
            "inkwire listen --api https://hooks.example.com --key env:HOOKS_KEY "
            "--forward-to http://localhost:3000/hook",
            "inkwire listen --api http://127.0.0.1:8080 --key file:app.key "
            "--forward-to http://localhost:3000/hook --topic order.signed --since -1h",
        ),
    )(listen)


def listen(  # noqa: PLR0917 # the options of one command
    api: Annotated[str, typer.Option(help="The hub's address, e.g. https://hooks.example.com.")],
    key: Annotated[
        str, typer.Option(help="An application's API key: env:NAME, file:PATH, or the text.")
    ],
    forward_to: Annotated[str, typer.Option(help="Where to post to, on this machine.")],
    topic: Annotated[
        list[str] | None, typer.Option("--topic", help="Only this topic; repeat it.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Begin earlier than now: -1h, or an RFC 3339 time.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="End after this many.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Bring an application's messages to this machine as they come, until Ctrl-C.

    For a developer whom the hub cannot reach: asks the hub's API, posts each payload to a local
    address, signed as Standard Webhooks with a key that is printed at the start. The key needs
    messages:read and messages:body. A hub that restarts is waited for.
    """
    import asyncio
    import os

    from inkwire.cli.listing import moment_of
    from inkwire.cli.outgoing import check_url
    from inkwire.cli.signed import sender_with
    from inkwire.clock import SystemClock
    from inkwire.delivery.profiles import generate_key
    from inkwire.model.webhook import ProfileName
    from inkwire.providers.registry import registry

    signing = generate_key(ProfileName.STANDARD, os.urandom) or ""
    sender = sender_with(
        registry(), "standardwebhooks", settings={}, secrets=[signing], roles=["secret"]
    )
    address, target = check_url(api).rstrip("/"), check_url(forward_to)
    begin = moment_of(since, SystemClock().now())
    note("Signed with this key, for as long as this runs:")
    typer.echo(signing, err=as_json)
    asyncio.run(
        _listen(
            sender,
            target,
            api=address,
            key=secret_text(key),
            topics=frozenset(topic or ()),
            since=begin,
            show=_Show(target=target, as_json=as_json, left=limit),
        )
    )


async def _listen(
    sender: "Sender",
    target: str,
    *,
    api: str,
    key: str,
    topics: frozenset[str],
    since: "datetime | None",
    show: "_Show",
) -> None:
    import asyncio

    from inkwire.cli.following import Following, Unreachable
    from inkwire.cli.outgoing import session

    async with session(timeout_s=ANSWER_S) as client:
        log = Following(client=client, api=api, key=key, topics=topics, since=since)
        begun = False
        while True:
            try:
                if not begun:
                    await log.begin()
                    begun = True
                show.answers(api)
                if await _round(log, client, sender, target, show):
                    return
                wait_s = EVERY_S
            except Unreachable as error:
                show.silent(error.message)
                wait_s = error.wait_s
            await asyncio.sleep(wait_s)


async def _round(
    log: "Following",
    client: "aiohttp.ClientSession",
    sender: "Sender",
    target: str,
    show: "_Show",
) -> bool:
    """Forwards what is new; True if that was the last that was asked for."""
    from inkwire.cli.outgoing import post
    from inkwire.clock import SystemClock
    from inkwire.errors import NotFound

    for message in await log.news():
        if not log.wants(message):
            log.done(message)
            continue
        try:
            body = await log.payload(message)
        except NotFound:
            log.done(message)
            continue
        request = sender.sign(
            body,
            at=SystemClock().now(),
            event_type=f"standardwebhooks.{message.topic}",
            delivery_id=message.id,
        )
        answer = await post(client, target, request)
        log.done(message)
        if show.line(message, answer):
            return True
    return False


class _Show:
    """What a developer sees: a line for each message, and when the hub is silent."""

    def __init__(self, *, target: str, as_json: bool, left: int | None) -> None:
        self._target = target
        self._as_json = as_json
        self._left = left
        self._silent: bool | None = None

    def answers(self, api: str) -> None:
        """The hub answered; said once, and again after it was silent."""
        if self._silent is None:
            note(f"Listening at {api}, posting to {self._target}; Ctrl-C ends it.")
        elif self._silent:
            note(f"{api} answers again.")
        self._silent = False

    def silent(self, why: str) -> None:
        """The hub did not answer; said once."""
        if not self._silent:
            note(f"{clean(why)} Trying until it does.")
        self._silent = True

    def line(self, message: "Heard", answer: "Answer") -> bool:
        """One forwarded message; True if it was the last that was asked for."""
        took = f"{answer.seconds * 1000:.0f} ms"
        if self._as_json:
            typer.echo(
                json.dumps(
                    {
                        "message": message.id,
                        "topic": message.topic,
                        "created_at": stamp(message.created_at),
                        "status": answer.status,
                        "answer": answer.line,
                        "seconds": round(answer.seconds, 4),
                    }
                )
            )
        else:
            colour = typer.colors.GREEN if answer.ok else typer.colors.RED
            shown = typer.style(f"{clean(answer.line):20}", fg=colour)
            typer.echo(
                f"{stamp(message.created_at)}  {shown}  {took:>8}  {clean(message.topic):28}  "
                f"{message.id}"
            )
        if self._left is not None:
            self._left -= 1
        return self._left == 0
