"""The demo's vendors: a real `inkwire sandbox` for Box and Salesforce, and a hub set up for it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from inkwire.access.gate import CLI
from inkwire.cli.supervisor import python_command
from inkwire.errors import InkwireError
from inkwire.hub import Hub
from inkwire.integrations.desk import IntegrationDraft
from inkwire.model.work import Integration, IntegrationState
from inkwire.orders.templates import DEFAULT_NAME, default_source
from inkwire.providers.contract import Check
from inkwire.sources.desk import SourceDraft


@dataclass(frozen=True, kw_only=True, slots=True)
class Vendor:
    """A sandbox that runs, and its ready-made applications."""

    url: str
    #: `console_file`, `primary_key`, `secondary_key`, `base_url` …
    box: Mapping[str, Any] = field(repr=False)
    #: `base_url`, `client_id`, `client_secret`, `users` …
    salesforce: Mapping[str, Any] = field(repr=False)

    async def call(
        self, client: aiohttp.ClientSession, method: str, path: str, body: Any = None
    ) -> Any:
        """What only a sandbox can do, below `/_sandbox`; its JSON. Raises InkwireError."""
        async with client.request(method, f"{self.url}/_sandbox{path}", json=body) as answer:
            if answer.status >= 400:
                raise InkwireError(f"The sandbox did not do {path}: {await answer.text()}")
            return await answer.json()

    async def put(self, client: aiohttp.ClientSession, path: str, content: bytes) -> Any:
        """As `call`, with a file's bytes."""
        async with client.post(f"{self.url}/_sandbox{path}", data=content) as answer:
            if answer.status >= 400:
                raise InkwireError(f"The sandbox did not do {path}: {await answer.text()}")
            return await answer.json()

    async def sign(self, client: aiohttp.ClientSession, sign_request_id: str) -> None:
        """Signs as the customer does on the page. Raises InkwireError."""
        address = f"{self.url}/_sandbox/sign/{sign_request_id}"
        async with client.post(address, json={"action": "sign"}) as answer:
            if answer.status != 200:
                raise InkwireError(f"The sandbox did not sign: {await answer.text()}")

    async def mails(self, client: aiohttp.ClientSession) -> list[dict[str, Any]]:
        """What the customer found in their inbox, newest first."""
        async with client.get(f"{self.url}/_sandbox/mails") as answer:
            found: list[dict[str, Any]] = await answer.json()
            return found

    async def signing_page(self, client: aiohttp.ClientSession, to: str) -> str:
        """Where that person signs: the link of their newest signing mail; empty without one."""
        for mail in await self.mails(client):
            if mail["to"] == to and mail["link"]:
                return f"{self.url}{mail['link']}"
        return ""


@contextmanager
def vendor(place: Path) -> Iterator[Vendor]:
    """Starts the sandbox on a folder below `place`; it stops with us."""
    with (place / "sandbox.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 # our own command line
            python_command("sandbox", "--port", "0", "--json-ready",
                           "--data-dir", str(place / "sandbox")),
            stdout=subprocess.PIPE,
            stderr=log,
            env=dict(os.environ),
            start_new_session=True,
        )  # fmt: skip
    try:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            said = (place / "sandbox.log").read_text("utf-8", "replace")[-2000:]
            raise InkwireError(f"`inkwire sandbox` did not start. The end of its log:\n{said}")
        ready = json.loads(line)
        yield Vendor(url=ready["url"], box=ready["box"], salesforce=ready["salesforce"])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        if process.stdout:
            process.stdout.close()


def connect(hub: Hub, box: Mapping[str, Any], *, name: str) -> Sequence[Check]:
    """A connection by the JSON file of Box's console and a source of that name; what was checked.

    `box`: as `Vendor.box`.
    """
    hub.connections.add(
        CLI,
        connection_id=name,
        provider="box",
        name="Box (sandbox)",
        method="jwt",
        settings={
            "api_url": box["base_url"],
            "upload_url": box["upload_url"],
            "token_url": f"{box['base_url']}/oauth2/token",
        },
        secrets={"config_file": json.dumps(box["console_file"])},
    )
    secrets = {"primary": box["primary_key"], "secondary": box["secondary_key"]}
    draft = SourceDraft(id=name, provider="box", name="Box (sandbox)", secrets=secrets)
    hub.desk.create(CLI, draft)
    return hub.connections.check(name)


def integrate(hub: Hub, *, name: str) -> Integration:
    """The default template, and an active integration on connection and source of that name."""
    template = hub.templates.add(CLI, name=DEFAULT_NAME, source=default_source())
    draft = IntegrationDraft(
        kind="box_sign_orders",
        name="Box Sign orders",
        settings={
            "templates": template.id,
            "order_field": "sign_request_id",
            "prefill": "customer_name = customer.name",
        },
        connection_id=name,
        source_ids=(name,),
    )
    made = hub.integrations.add(CLI, draft).integration
    return hub.integrations.move(CLI, made.id, IntegrationState.ACTIVE).integration


def connect_salesforce(hub: Hub, given: Mapping[str, Any], *, name: str) -> Sequence[Check]:
    """A connection by client credentials, of that name; what was checked.

    `given`: as `Vendor.salesforce`.
    """
    hub.connections.add(
        CLI,
        connection_id=name,
        provider="salesforce",
        name="Salesforce (sandbox)",
        method="client_credentials",
        settings={"client_id": given["client_id"], "my_domain": given["base_url"]},
        secrets={"client_secret": given["client_secret"]},
    )
    return hub.connections.check(name)


def keep_in_step(hub: Hub, *, box: str, salesforce: str) -> Integration:
    """An active integration between the two; `box` names the source, too."""
    draft = IntegrationDraft(
        kind="box_salesforce",
        name="Box and Salesforce",
        connection_id=box,
        second_connection_id=salesforce,
        source_ids=(box,),
    )
    made = hub.integrations.add(CLI, draft).integration
    return hub.integrations.move(CLI, made.id, IntegrationState.ACTIVE).integration
