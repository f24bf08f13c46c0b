"""Salesforce's Outbound Messages: proven, read and acknowledged.

Salesforce signs nothing. Who sends is proven by two things together: a secret in the address, which
only Salesforce's set-up holds, and the id of the organisation in the message, which must be the
source's: a sandbox that was copied from production holds the same address. Both prove the sender,
neither the body; so nothing is done by what a message says of a record, see `notifications`.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import accumulate, repeat
from urllib.parse import quote

from inkwire.errors import Unparsable
from inkwire.model.event import ParsedEvent, Term
from inkwire.model.request import InboundRequest, Reply, SignedRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, Reason, Refused, Verdict
from inkwire.providers import hints
from inkwire.providers.contract import RetryPlan, SecretField, SettingField, SettingKind, Settings
from inkwire.providers.salesforce import ids
from inkwire.providers.salesforce.notifications import (
    ACKNOWLEDGED,
    events_of,
    from_organization,
    head_of,
    renewed,
    terms_of,
)
from inkwire.providers.signing import by_role, first_of, one_parameter, same

#: Name of the secret among the address's parameters, and its role.
PARAMETER = ROLE = "secret"
ORGANIZATION = "organization_id"
_SECRET = re.compile(r"[A-Za-z0-9_.~-]+")
#: Seconds between repeats: doubled up to two hours, for a day.
_FIRST_S, _LONGEST_S, _DAY_S = 15.0, 7200.0, 86_400.0

_HINTS = {
    Reason.MISSING_HEADER: (
        "The address lacks ?secret=…: in Salesforce under Setup → Outbound Messages, end the "
        "Endpoint URL with ?secret= and the secret of this source. Or somebody else found it."
    ),
    Reason.BAD_SIGNATURE: (
        "The secret in the address is none of this source's: correct the Endpoint URL under "
        "Setup → Outbound Messages. Salesforce repeats a message for 24 hours."
    ),
    Reason.MALFORMED: (
        "This is no Outbound Message as Inkwire takes them: look at what sends to this address, "
        "and untick Send Session ID in the Outbound Message."
    ),
    Reason.MISMATCH: (
        "The message is from another organisation than the setting names: compare it with Setup → "
        "Company Information. A sandbox that was copied from production sends to its addresses; "
        "deactivate its Outbound Message."
    ),
    Reason.NO_SECRET: (
        "Give this source a secret and put it into the Endpoint URL in Salesforce; until then "
        "nothing can be proven."
    ),
}


def _delays() -> tuple[float, ...]:
    steps = accumulate(repeat(2.0), lambda wait, factor: min(wait * factor, _LONGEST_S),
                       initial=_FIRST_S)  # fmt: skip
    waits: list[float] = []
    for step in steps:
        if sum(waits) + step > _DAY_S:
            break
        waits.append(step)
    return tuple(waits)


class SalesforceReceiver:
    """How Outbound Messages are proven, read and acknowledged."""

    settings: tuple[SettingField, ...] = (
        SettingField(
            key=ORGANIZATION,
            label="Organisation ID",
            help="Of your organisation, as Setup → Company Information shows it (00D…, 15 or 18 "
            "characters). Messages of any other are refused; without it, all are.",
            kind=SettingKind.TEXT,
            default="",
            example="00D5e000000KQ2eEAG",
        ),
    )
    secrets: tuple[SecretField, ...] = (
        SecretField(
            role=ROLE,
            label="Secret in the address",
            help="Stands as ?secret=… at the end of the Endpoint URL in Salesforce; treat the "
            "whole address as a secret.",
            min_length=24,
            max_length=128,
            pattern=_SECRET.pattern,
            pattern_help="must be letters, digits and - _ . ~ only, for it stands in an address",
            generate=True,
        ),
    )
    event_types: Mapping[str, str] = {
        "salesforce.Account.notified": "An account was saved, says an Outbound Message.",
        "salesforce.Opportunity.notified": "An opportunity was saved, says an Outbound Message.",
        "salesforce.Contact.notified": "A contact was saved, says an Outbound Message.",
    }
    retries = RetryPlan(
        delays_s=_delays(),
        timeout_s=60.0,
        source="Salesforce's guide: until it is acknowledged, with growing pauses of up to two "
        "hours, for 24 hours. The first pauses (15 s, doubled) and the time limit are assumed.",
    )

    def verify(
        self,
        request: InboundRequest,
        secrets: Sequence[Secret],
        settings: Settings,
        now: datetime,
    ) -> Verdict:
        """Accepts what comes with a secret of the source, from the organisation that it names.

        The body is looked at only after the secret was right.
        """
        keys = by_role(secrets, ROLE)
        if not keys:
            return Refused(
                reason=Reason.NO_SECRET, detail="The source holds no secret that is valid."
            )
        given = one_parameter(request, PARAMETER)
        if isinstance(given, Refused):
            return given
        secret = _known(keys, given)
        if secret is None:
            return Refused(
                reason=Reason.BAD_SIGNATURE,
                detail="The secret in the address is none of this source's.",
            )
        return _from_elsewhere(request.body, settings) or Accepted(secret_id=secret.id)

    def sign(
        self,
        body: bytes,
        secrets: Sequence[Secret],
        settings: Settings,
        now: datetime,
        *,
        event_type: str,
        delivery_id: str,
    ) -> SignedRequest:
        """What Salesforce would send, as of the organisation that the settings name.

        Raises InvalidInput without a secret.
        """
        value = first_of(secrets, ROLE).value.decode("utf-8", "replace")
        return SignedRequest(
            headers=(("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", '""')),
            body=from_organization(body, str(settings[ORGANIZATION])),
            query=f"{PARAMETER}={quote(value, safe='')}",
        )

    def parse(
        self, request: InboundRequest, body: bytes, settings: Settings
    ) -> tuple[ParsedEvent, ...]:
        """One event for each notification; its id tells a repeat."""
        return events_of(body)

    def terms(self, event: ParsedEvent) -> tuple[Term, ...]:
        """The record, the notification, and names and ids among the fields that came along."""
        return terms_of(event)

    def reply(self, events: Sequence[ParsedEvent]) -> Reply:
        """`Ack` true, for all that is kept: new, repeated, or not readable.

        Whatever is refused or cannot be stored has no `Ack`, so Salesforce sends it again for a
        day: as long as there is to correct an address or an id.
        """
        return Reply(content_type="text/xml; charset=utf-8", body=ACKNOWLEDGED)

    def handshake(self, request: InboundRequest, settings: Settings) -> Reply | None:
        """Salesforce sends none."""
        return None

    def hint(self, refused: Refused) -> str:
        """What to look at in Salesforce's Setup."""
        return hints.hint(refused, _HINTS)

    def fresh(self, body: bytes, token: str) -> bytes:
        """The message with other notification ids."""
        return renewed(body, token)


def _known(secrets: Sequence[Secret], given: bytes) -> Secret | None:
    """The secret that was given; compared in constant time with all of them, by their hashes."""
    digest, found = hashlib.sha256(given).digest(), None
    for secret in secrets:
        if same(hashlib.sha256(secret.value).digest(), digest):
            found = secret
    return found


def _from_elsewhere(body: bytes, settings: Settings) -> Refused | None:
    """Why the message is not one of the source's organisation; None: it is."""
    expected = str(settings[ORGANIZATION]).strip()
    try:
        head = head_of(body)
    except Unparsable as error:
        return Refused(reason=Reason.MALFORMED, detail=error.message)
    if not ids.same(expected, head.organization_id):
        names = f"this source is for {expected}" if expected else "this source names none"
        return Refused(
            reason=Reason.MISMATCH,
            detail=f"The message is of the organisation {head.organization_id}; {names}.",
        )
    if head.session:
        return Refused(
            reason=Reason.MALFORMED,
            detail="The message carries a session id, which would open the organisation to "
            "whoever reads it; so it is not kept.",
        )
    return None
