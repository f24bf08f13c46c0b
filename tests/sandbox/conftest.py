"""One sandbox for all these tests; each works in a folder of its own."""

import os
from pathlib import Path

import pytest
import requests

from fakes.sandbox import Receiver, SandboxProcess
from sandbox.openapi import Contract


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    """The real process, on an empty state."""
    with SandboxProcess(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture(autouse=True)
def as_new(request):
    """No fault of a test before, and a quick pace."""
    if "sandbox" in request.fixturenames:
        process = request.getfixturevalue("sandbox")
        process.clear_faults()
        process.pace(convert_s=0.02, finalize_s=0.02, ready_after_s=0)


@pytest.fixture
def receiver():
    """Where webhooks go."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="session", autouse=True)
def contract():
    """Judges every answer by Box's OpenAPI file, if one is named."""
    path = os.environ.get("INKWIRE_BOX_OPENAPI")
    if path is None:
        yield
        return
    judge = Contract(Path(path))
    send = requests.Session.send

    def judged(*args, **more):
        answer = send(*args, **more)
        judge.check(answer)
        return answer

    requests.Session.send = judged
    yield
    requests.Session.send = send
    assert judge.seen
