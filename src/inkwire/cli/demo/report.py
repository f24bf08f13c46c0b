"""The demo's tables and its last words."""

from collections import Counter
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from inkwire.cli.demo.play import Play, Sent
from inkwire.cli.demo.sending import Check, Sending
from inkwire.cli.demo.stage import Stage
from inkwire.cli.output import style_of
from inkwire.model.event import EventState
from inkwire.model.verdict import Reason
from inkwire.store.contract import RejectionQuery

_REPEATS = (EventState.DUPLICATE, EventState.PROBABLE_DUPLICATE)


def tables(out: Console, built: Stage, play: Play) -> None:
    """What was sent and what came of it; what came in, by source; what was not let in, and why."""
    out.print()
    if play.sending is not None:
        out.print(_retries(play.sending))
        out.print(_checks("What was sent", play.sending.checks))
    if play.signing is not None:
        out.print(_checks("An order, signed", play.signing.checks))
    if play.instep is not None:
        out.print(_checks("Box and Salesforce, in step", play.instep.checks))
    out.print(_by_source(built, play))
    out.print(_not_let_in(built, play))


def _checks(title: str, checks: Iterable[Check]) -> Table:
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for column in ("what", "what had to happen", "what happened"):
        grid.add_column(column, overflow="fold")
    for one in checks:
        style = style_of("ok" if one.right else "fail")
        grid.add_row(Text(one.title), Text(one.expected), Text(one.happened, style=style))
    return grid


def _retries(sending: Sending) -> Table:
    """Each attempt at the endpoint that failed, a day and a half in some seconds."""
    title = "A failing endpoint, the clock moved from try to try"
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for column in ("attempt", "planned after", "came after", "in all", "answer"):
        grid.add_column(column, justify="right")
    passed = 0.0
    for one in sending.tries:
        passed += one.waited_s
        grid.add_row(
            str(one.attempt.number),
            _length(one.planned_s),
            Text(_length(one.waited_s), style="" if one.on_time else style_of("fail")),
            _length(passed),
            str(one.attempt.status or one.attempt.result.value),
        )
    return grid


def _length(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def _by_source(built: Stage, play: Play) -> Table:
    columns = ("sent", "acknow-\nledged", "new\nevents", "dupli-\ncates", "unpars-\nable",
               "quaran-\ntined", "refused", "typical\nanswer")  # fmt: skip
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, title="What came in", title_justify="left")
    grid.add_column("source", overflow="fold")
    for column in columns:
        grid.add_column(column, justify="right")
    for actor in built.actors:
        sent = [one for one in play.sent if one.shot.source_id == actor.source_id]
        held = play.stored[actor.source_id]
        grid.add_row(
            actor.source_id,
            str(len(sent)),
            str(sum(one.answer.ok for one in sent)),
            str(held.states[EventState.NEW]),
            str(sum(held.states[state] for state in _REPEATS)),
            str(held.states[EventState.UNPARSABLE]),
            str(held.states[EventState.QUARANTINED]),
            str(held.refusals.total()),
            f"{_median(one.answer.seconds for one in sent) * 1000:.1f} ms",
        )
    return grid


def _not_let_in(built: Stage, play: Play) -> Table:
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, title="What was not let in", title_justify="left")
    for column in ("what was sent", "times", "answer", "why", "what the hub tells you to do"):
        grid.add_column(column, ratio=5 if column.startswith("what the") else None)
    by_act: dict[str, list[Sent]] = {}
    for one in play.sent:
        if one.outcome.reason is not None:
            by_act.setdefault(one.shot.act.title, []).append(one)
    for title, sent in by_act.items():
        held = sent[0].outcome.states != ()
        reason = sent[0].outcome.reason
        answers = Counter(str(one.answer.status or one.answer.line) for one in sent)
        grid.add_row(
            title,
            str(len(sent)),
            ", ".join(answers),
            Text("quarantined" if held else str(reason and reason.value), style=_colour(held=held)),
            _hint(built, sent[0], reason, held=held),
        )
    return grid


def _colour(*, held: bool) -> str:
    return style_of("quarantined" if held else "refused")


def _hint(built: Stage, one: Sent, reason: Reason | None, *, held: bool) -> str:
    """What the hub itself keeps as advice in its rejected log."""
    if held:
        return (
            "Nothing is lost: the request waits with its body. Look at it in the console, or let "
            "it in with `inkwire events release`."
        )
    query = RejectionQuery(source_id=one.shot.source_id, reason=reason, limit=1)
    rows = built.hub.store.events.rejections(query)
    return rows[0].hint if rows else ""


def farewell(out: Console, built: Stage, play: Play, *, stays: bool) -> None:
    """Whether all of it agrees, where to look at it, and what to try next."""
    wrong = play.differences()
    states = sum((tally.states for tally in play.stored.values()), Counter[EventState]())
    out.print()
    if wrong:
        out.print(f"[bold red]{len(wrong)} things are not as they must be:[/bold red]")
        for text in wrong:
            out.print(f"  - {text}", markup=False, style="red")
    else:
        acknowledged = sum(one.answer.ok for one in play.sent)
        out.print(
            f"[bold green]The store agrees with what was sent:[/bold green] {len(play.sent)} "
            f"requests, {acknowledged} acknowledged, {states[EventState.NEW]} new events, each "
            f"handed on, {sum(states[state] for state in _REPEATS)} duplicates recognised. "
            f"It took {play.seconds:.1f} s."
        )
    if not stays:
        return
    out.print()
    out.print(f"  Console   [bold cyan]{built.console}[/bold cyan]")
    out.print(f"  Sign in   [bold]{built.name}[/bold] / [bold]{built.password}[/bold]")
    if play.sending is not None and play.sending.portal:
        link = Text(play.sending.portal, style="bold cyan")
        out.print("  Portal   ", link, "[dim](opens once, within 10 minutes)[/dim]", soft_wrap=True)
    if play.signing is not None and play.signing.page:
        out.print("\n  Order 1043 waits for you. Sign it, then look at it in the console:")
        out.print("  Sign     ", Text(play.signing.page, style="bold cyan"), soft_wrap=True)
        out.print("  Order    ", Text(play.signing.order_page, style="bold cyan"), soft_wrap=True)
    if play.instep is not None:
        out.print("\n  Box and Salesforce, in step. See the opportunity, its folder and its file:")
        for what, url in play.instep.links:
            out.print(f"  {what:11}", Text(url, style="bold cyan"), soft_wrap=True)
    here = f"inkwire --data-dir {built.folder}"
    target = f"{built.url}/in/{built.actors[0].source_id}"
    name = built.actors[0].provider.name
    out.print("\n  Try in another terminal:")
    for line in (
        f"{here} send {name} {target} --source {built.actors[0].source_id} --fresh",
        f"{here} events tail",
        f"{here} rejected list",
        f"{here} webhooks list",
        f"{here} deliveries list",
        f"{here} orders list",
        f"{here} crm arrivals",
        f"{here} evidence export 1042 -o evidence.zip && inkwire evidence verify evidence.zip",
    ):
        out.print(f"    {line}", soft_wrap=True, style="dim", markup=False)
    out.print("\n  The hub stays up. Ctrl-C ends it and clears its folder away.")


def _median(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0
