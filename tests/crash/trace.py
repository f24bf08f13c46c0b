"""Reads a system call trace and says which answers were given before the commit was on disk.

SQLite: an answer that names a receipt must come after an fdatasync of the log which began after
the receipt's row was written to the log. PostgreSQL: after the server's COMMIT, received on the
connection that the row was sent on, later than it was sent.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

CALLS = "trace=fdatasync,fsync,write,writev,sendto,sendmsg,pwrite64,recvfrom,recvmsg"
#: `-y` names the file of each descriptor; whole pages and packets are kept.
STRACE = ("strace", "-f", "-y", "-q", "-s", "200000", "-e", CALLS, "-o")

_CALL = re.compile(r"^(\d+)\s+(\w+)\((\d+)<([^>]*)>(.*)$")
_RESUMED = re.compile(r"^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$")
_RECEIPT = re.compile(r"rcp_[0-9a-v]{24}")
_ANSWER = re.compile(r'"HTTP/1\.1 (\d{3}) .*?inkwire-receipt: (rcp_[0-9a-v]{24})')


@dataclass(frozen=True, kw_only=True)
class Call:
    """One system call; `began` and `ended` are positions in the trace."""

    name: str
    fd: str
    file: str
    text: str
    began: int
    ended: int


@dataclass
class Verdict:
    """What a trace proves."""

    #: 2xx answers that name a receipt.
    answers: int = 0
    #: Receipts that were acknowledged too early, with why.
    early: dict[str, str] = field(default_factory=dict)


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """The finished calls, in the order in which they ended."""
    open_calls: dict[str, tuple[int, re.Match[str]]] = {}
    for at, line in enumerate(lines):
        if match := _CALL.match(line):
            if line.rstrip().endswith("<unfinished ...>"):
                open_calls[match[1]] = (at, match)
            else:
                yield _call(match, "", at, at)
        elif (match := _RESUMED.match(line)) and match[1] in open_calls:
            began, first = open_calls.pop(match[1])
            yield _call(first, match[3], began, at)


def _call(match: re.Match[str], rest: str, began: int, ended: int) -> Call:
    return Call(
        name=match[2], fd=match[3], file=match[4], text=match[5] + rest, began=began, ended=ended
    )


def on_sqlite(lines: Iterable[str], *, log: str = "inkwire.db-wal") -> Verdict:
    """Every answer against the fdatasync calls of the write-ahead log."""
    verdict = Verdict()
    written: dict[str, int] = {}
    latest_sync = (-1, -1)
    synced: dict[str, int] = {}
    for call in calls(lines):
        if call.file.endswith(log) and call.name in ("pwrite64", "write"):
            for receipt in _RECEIPT.findall(call.text):
                written.setdefault(receipt, call.ended)
        elif call.file.endswith(log) and call.name in ("fdatasync", "fsync"):
            latest_sync = (call.began, call.ended)
            for receipt, at in written.items():
                if at < call.began:
                    synced.setdefault(receipt, call.ended)
        elif answer := _answer(call):
            verdict.answers += 1
            if answer not in written:
                verdict.early[answer] = "its row had not been written"
            elif synced.get(answer, call.began) >= call.began:
                verdict.early[answer] = f"no sync after its row was written (last: {latest_sync})"
    return verdict


def on_postgres(lines: Iterable[str]) -> Verdict:
    """Every answer against what the database's connection said."""
    verdict = Verdict()
    sent: dict[str, dict[str, int]] = {}
    committed: set[str] = set()
    for call in calls(lines):
        if answer := _answer(call):
            verdict.answers += 1
            if answer not in committed:
                verdict.early[answer] = "the server had not said COMMIT"
        elif call.name in ("sendto", "sendmsg", "write"):
            for receipt in _RECEIPT.findall(call.text):
                sent.setdefault(call.fd, {})[receipt] = call.began
        elif call.name.startswith("recv") and "COMMIT" in call.text:
            waiting = sent.get(call.fd, {})
            done = {receipt for receipt, at in waiting.items() if at < call.ended}
            committed |= done
            sent[call.fd] = {key: at for key, at in waiting.items() if key not in done}
    return verdict


def _answer(call: Call) -> str | None:
    """The receipt that a 2xx on a socket names."""
    if not call.name.startswith(("write", "send")):
        return None
    found = _ANSWER.search(call.text)
    return found[2] if found and found[1].startswith("2") else None
