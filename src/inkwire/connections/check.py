"""“Request authentication” of a Box connection: a token, who we are, every scope one by one.

Nothing is changed at Box: each scope is tried by a call that reads, and writing by Box's own
question whether an upload would be taken (OPTIONS /files/content).
"""

from collections.abc import Callable
from dataclasses import dataclass

from inkwire.errors import CallFailed, LimitReached, NeedsAttention, Transient
from inkwire.providers.box.client import BoxClient
from inkwire.providers.box.client.faults import AS_USER, READ_WRITE, SIGN, WEBHOOKS
from inkwire.providers.contract import Check

_THEN = "then an admin must re-authorise the app in the Admin Console"
_SCOPES = "Box's Developer Console under Configuration → Application Scopes"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Probe:
    """One thing to try."""

    name: str
    title: str
    #: Returns what was found, in words.
    try_it: Callable[[], str]
    #: What to do if Box refuses.
    mend: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What a connection can do, and whether that speaks against it."""

    checks: tuple[Check, ...]
    #: What a person must mend, in a sentence; "" if nothing.
    fault: str
    #: Whether all was tried: false if Box could not be reached or set a limit.
    complete: bool


def check_box(renew: Callable[[], str], client: BoxClient, *, as_user: str) -> Findings:
    """Tries everything. `renew`: fetches a token and says until when it is good."""
    done: list[Check] = []
    faults: list[str] = []
    complete = True
    for probe in _probes(renew, client, as_user):
        if done and not done[0].ok:
            done.append(_row(probe, ok=False, detail="Not tried: there is no token."))
            continue
        try:
            done.append(_row(probe, ok=True, detail=probe.try_it()))
        except (Transient, LimitReached) as error:
            complete = False
            done.append(_row(probe, ok=False, detail=error.message))
        except CallFailed as error:
            mend = "" if "Tick" in error.message else probe.mend
            detail = f"{error.message} {mend}".strip()
            done.append(_row(probe, ok=False, detail=detail))
            faults.append(f"{probe.title}: {detail}")
    return Findings(checks=tuple(done), fault=" ".join(faults[:1]), complete=complete)


def _probes(renew: Callable[[], str], client: BoxClient, as_user: str) -> list[_Probe]:
    return [
        _Probe(name="token", title="Token", try_it=renew, mend=""),
        _Probe(
            name="user",
            title="Connected user",
            try_it=lambda: _user(client, as_user),
            mend=f"Tick “{AS_USER}” in Box's Developer Console under Configuration → Advanced "
            f"Features, {_THEN}; or empty “as user” of the connection."
            if as_user
            else "",
        ),
        _Probe(
            name="root_readonly",
            title="Read files and folders",
            try_it=lambda: _reads(client),
            mend=_tick(READ_WRITE),
        ),
        _Probe(
            name="root_readwrite",
            title="Write files and folders",
            try_it=lambda: _writes(client),
            mend=_tick(READ_WRITE),
        ),
        _Probe(
            name="manage_webhook",
            title="Webhooks",
            try_it=lambda: _webhooks(client),
            mend=_tick(WEBHOOKS),
        ),
        _Probe(
            name="sign_requests.readwrite",
            title="Sign requests",
            try_it=lambda: _signs(client),
            mend=_tick(SIGN),
        ),
    ]


def _row(probe: _Probe, *, ok: bool, detail: str) -> Check:
    return Check(name=probe.name, title=probe.title, ok=ok, detail=detail)


def _tick(box: str) -> str:
    return f"Tick “{box}” in {_SCOPES}, {_THEN}."


def _user(client: BoxClient, as_user: str) -> str:
    user = client.me()
    if as_user and user.id != as_user:
        raise NeedsAttention(f"Calls should act as user {as_user}, but Box says it is {user.id}.")
    return f"{user.name} ({user.login}, id {user.id})"


def _reads(client: BoxClient) -> str:
    client.folder("0")
    return "Reading is allowed."


def _writes(client: BoxClient) -> str:
    client.can_upload("0")
    return "Writing is allowed."


def _webhooks(client: BoxClient) -> str:
    found = next(iter(client.webhooks()), None)
    return "Webhooks can be read." if found is None else "Webhooks can be read; there are some."


def _signs(client: BoxClient) -> str:
    found = next(iter(client.sign_requests(most=1)), None)
    return "Box Sign answers." if found is None else "Box Sign answers; there are sign requests."
