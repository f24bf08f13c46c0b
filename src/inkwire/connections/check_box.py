"""What a Box connection must be able to do: who we are, and every scope one by one.

Each scope is tried by a call that reads, and writing by Box's own question whether an upload would
be taken (OPTIONS /files/content).
"""

from inkwire.connections.check import Probe, Renew, token_probe
from inkwire.errors import NeedsAttention
from inkwire.providers.box.client import BoxClient
from inkwire.providers.box.client.faults import AS_USER, READ_WRITE, SIGN, WEBHOOKS

_SCOPES = "Box's Developer Console under Configuration → Application Scopes"


def box_probes(
    renew: Renew, client: BoxClient, *, as_user: str, signed_in: bool
) -> tuple[Probe, ...]:
    """`as_user`: whom calls act as, or ""; `signed_in`: whether a person signed in for it."""
    then = (
        "then sign in again"
        if signed_in
        else "then an admin must re-authorise the app in the Admin Console"
    )

    def tick(box: str) -> str:
        return f"Tick “{box}” in {_SCOPES}, {then}."

    return (
        token_probe(renew),
        Probe(
            name="user",
            title="Connected user",
            try_it=lambda: _user(client, as_user),
            mend=f"Tick “{AS_USER}” in Box's Developer Console under Configuration → Advanced "
            f"Features, {then}; or empty “as user” of the connection."
            if as_user
            else "",
        ),
        Probe(
            name="root_readonly",
            title="Read files and folders",
            try_it=lambda: _reads(client),
            mend=tick(READ_WRITE),
        ),
        Probe(
            name="root_readwrite",
            title="Write files and folders",
            try_it=lambda: _writes(client),
            mend=tick(READ_WRITE),
        ),
        Probe(
            name="manage_webhook",
            title="Webhooks",
            try_it=lambda: _webhooks(client),
            mend=tick(WEBHOOKS),
        ),
        Probe(
            name="sign_requests.readwrite",
            title="Sign requests",
            try_it=lambda: _signs(client),
            mend=tick(SIGN),
        ),
    )


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
