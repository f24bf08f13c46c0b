"""Kits of the client."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from fakes.box_server import loopback_guard
from fakes.crm import Org, Plain
from fakes.salesforce_server import Kit
from fakes.sandbox import SandboxProcess
from inkwire.outbound.requests_adapter import session


@pytest.fixture(scope="package")
def guarded() -> Iterator[requests.Session]:
    """The guarded session; one, for a TLS context takes 50 ms."""
    with session(loopback_guard(), domains=("salesforce.com",)) as made:
        yield made


@pytest.fixture
def make_kit(guarded) -> Iterator[Callable[..., Kit]]:
    """Makes kits, closed at the end."""
    with ExitStack() as stack:

        def make(**options) -> Kit:
            kit = Kit(guarded, **options)
            stack.callback(kit.close)
            return kit

        yield make


@pytest.fixture
def kit(make_kit) -> Kit:
    """A kit as it is in a hub."""
    return make_kit()


@pytest.fixture(scope="package")
def sandbox(tmp_path_factory) -> Iterator[SandboxProcess]:
    """The real sandbox, on an empty state."""
    with SandboxProcess(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture
def org(sandbox) -> Org:
    """A caller of its Salesforce; faults, rules and limits of a test before are gone."""
    sandbox.clear_faults()
    sandbox.call("DELETE", "/salesforce/rules")
    sandbox.call("POST", "/salesforce/limit", {"most": 100_000, "used": 0, "largest_file": 2**31})
    sandbox.call("POST", "/salesforce/pace", {"write_s": 0, "wait_s": 10})
    return Org(sandbox)


@pytest.fixture
def judged(org) -> requests.Session:
    """A session for simple-salesforce, whose https is the sandbox."""
    made = requests.Session()
    made.mount("https://", Plain(org.sandbox))
    return made


@pytest.fixture
def sf(org, judged) -> Any:
    """simple-salesforce, logged in by client credentials on a My Domain."""
    from simple_salesforce import Salesforce

    return Salesforce(
        consumer_key=org.app["client_id"],
        consumer_secret=org.app["client_secret"],
        domain="example.my",
        version="66.0",
        session=judged,
    )
