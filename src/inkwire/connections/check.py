"""“Request authentication”: probes are tried one by one, and each says what to do if it fails.

Nothing is changed at the vendor: a probe reads, or asks whether writing would be allowed. See
`check_box` and `check_salesforce` for the probes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inkwire.errors import CallFailed, LimitReached, Transient
from inkwire.model.connection import Token
from inkwire.providers.contract import Check

#: Fetches a token, whatever is held.
Renew = Callable[[], Token]


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """One thing to try."""

    name: str
    title: str
    #: Returns what was found, in words. Raises CallFailed.
    try_it: Callable[[], str]
    #: What to do if the vendor refuses.
    mend: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What a connection can do, and whether that speaks against it."""

    checks: tuple[Check, ...]
    #: What a person must mend, in a sentence; "" if nothing.
    fault: str
    #: Whether all was tried: false if the vendor could not be reached or set a limit.
    complete: bool


def token_probe(renew: Renew) -> Probe:
    """A token, which everything else needs: it stands first."""

    def fetched() -> str:
        return f"It is good until {renew().expires_at:%Y-%m-%d %H:%M} UTC."

    return Probe(name="token", title="Token", try_it=fetched, mend="")


def tried(probes: Sequence[Probe]) -> Findings:
    """Tries them in order; without the first, the token, no other."""
    done: list[Check] = []
    faults: list[str] = []
    complete = True
    for probe in probes:
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


def _row(probe: Probe, *, ok: bool, detail: str) -> Check:
    return Check(name=probe.name, title=probe.title, ok=ok, detail=detail)
