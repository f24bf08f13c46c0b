"""Faults do what they say, time moves, and kill -9 takes nothing."""

import json
import time

import box_sdk_gen as sdk
import pytest
import requests

from fakes.sandbox import SandboxProcess, until
from sandbox.kit import COMPLETED, DECLINED, ccg_client, folder, request_signature, webhook

FOLDERS = "^/2.0/folders$"


@pytest.fixture
def box(sandbox):
    """A plain session with a token: sends each call once and hides no fault."""
    with requests.Session() as session:
        token = session.post(f"{sandbox.url}/oauth2/token", data=credentials(sandbox.box)).json()
        session.headers["authorization"] = f"Bearer {token['access_token']}"
        yield session


def credentials(app, **changed):
    """The form for a token by client credentials."""
    return {
        "grant_type": "client_credentials",
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "box_subject_type": "enterprise",
        "box_subject_id": app["enterprise_id"],
        **changed,
    }


def make_folder(sandbox, box, name):
    """POST /folders, sent once."""
    body = {"name": name, "parent": {"id": "0"}}
    return box.post(f"{sandbox.url}/2.0/folders", json=body, timeout=60)


def there(sandbox, box, name):
    """Whether a folder of that name stands in folder 0."""
    items = box.get(f"{sandbox.url}/2.0/folders/0/items?limit=1000", timeout=60).json()
    return name in [entry["name"] for entry in items["entries"]]


def test_a_reset_before_the_commit_does_nothing(sandbox, box):
    """The connection drops and nothing is there; the next call works."""
    sandbox.fault(kind="reset_before_commit", method="POST", path=FOLDERS)
    with pytest.raises(requests.ConnectionError):
        make_folder(sandbox, box, "before")
    assert not there(sandbox, box, "before")
    assert make_folder(sandbox, box, "before").status_code == 201


def test_a_reset_after_the_commit_has_done_it(sandbox, box):
    """The caller hears nothing, and it is there."""
    sandbox.fault(kind="reset_after_commit", method="POST", path=FOLDERS)
    with pytest.raises(requests.ConnectionError):
        make_folder(sandbox, box, "after")
    assert there(sandbox, box, "after")
    assert make_folder(sandbox, box, "after").status_code == 409


def test_a_late_commit_comes_when_nobody_waits_any_more(sandbox, box):
    """The worst: a probe right after the drop finds nothing, and then it is there."""
    sandbox.fault(kind="late_commit", method="POST", path=FOLDERS, delay_s=3.0)
    before = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        make_folder(sandbox, box, "late")
    assert not there(sandbox, box, "late")
    assert time.monotonic() - before < 3
    until(lambda: there(sandbox, box, "late"))
    (line,) = [one for one in sandbox.calls() if one["fault"] == "late_commit"]
    assert (line["status"], line["template"]) == (201, "/2.0/folders")


def test_a_late_commit_goes_by_the_clock_that_is_moved(sandbox, box):
    """Ten minutes pass in a moment, so that it lands between two probes as a test wants it."""
    sandbox.fault(kind="late_commit", method="POST", path=FOLDERS, delay_s=600)
    with pytest.raises(requests.ConnectionError):
        make_folder(sandbox, box, "much later")
    sandbox.advance(590)
    assert not there(sandbox, box, "much later")
    sandbox.advance(11)
    until(lambda: there(sandbox, box, "much later"))


def test_statuses_strike_from_the_nth_call_as_often_as_asked(sandbox, box):
    """429 with Retry-After for the second and third call, and no effect of either."""
    sandbox.fault(
        kind="status", path=FOLDERS, method="POST", status=429, retry_after_s=7, nth=2, count=2
    )
    answers = [make_folder(sandbox, box, f"limited {number}") for number in range(4)]
    assert [answer.status_code for answer in answers] == [201, 429, 429, 201]
    assert answers[1].headers["retry-after"] == "7"
    assert answers[1].json()["code"] == "rate_limit_exceeded"
    assert not there(sandbox, box, "limited 1")


def test_slow_calls_are_answered_late(sandbox, box):
    """Everything as ever, later."""
    sandbox.fault(kind="slow", path="/users/me", delay_s=0.3)
    before = time.monotonic()
    assert box.get(f"{sandbox.url}/2.0/users/me", timeout=60).status_code == 200
    assert time.monotonic() - before >= 0.3


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"kind": "boom"}, "kind"),
        ({"kind": "slow", "path": "("}, "path"),
        ({"kind": "status", "status": 99}, "status"),
        ({"kind": "slow", "delay_s": "long"}, "delay_s"),
        ({"kind": "slow", "count": 0}, "count"),
        ({"kind": "slow", "kidn": 1}, "kidn"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused_by_name(sandbox, rule, field):
    """A misspelt fault would make a test pass that tests nothing."""
    answer = requests.post(f"{sandbox.url}/_sandbox/faults", json=rule, timeout=60)
    assert answer.status_code == 422
    assert field in answer.json()["fields"]


def declined(sandbox, client, place):
    """A request that is declined: one event."""
    made = request_signature(client, place)
    until(lambda: sandbox.sign_requests()[0]["status"] == "sent")
    sandbox.sign(made.id, "decline")


def test_webhooks_are_lost_doubled_and_overtaken(sandbox, receiver):
    """Doubled: the same body id under another delivery id. Overtaken: later ones come first."""
    client = ccg_client(sandbox)
    place = folder(client)
    webhook(client, place, receiver.url, DECLINED, COMPLETED)
    sandbox.fault(kind="lost", trigger="DECLINED")
    declined(sandbox, client, place)
    sandbox.fault(kind="duplicate", trigger="DECLINED", times=3)
    declined(sandbox, client, place)
    until(lambda: len(receiver.got) == 3)
    assert len({body["id"] for body in receiver.bodies()}) == 1
    assert len({headers["BOX-DELIVERY-ID"] for headers, _ in receiver.got}) == 3
    receiver.got.clear()
    sandbox.fault(kind="reorder", trigger="DECLINED", delay_s=30)
    declined(sandbox, client, place)
    made = request_signature(client, place)
    until(lambda: sandbox.sign_requests()[0]["status"] == "sent")
    sandbox.sign(made.id)
    until(lambda: receiver.triggers() == [COMPLETED])
    sandbox.advance(31)
    until(lambda: receiver.triggers() == [COMPLETED, DECLINED])


def test_a_webhook_that_fails_comes_again_for_two_hours(sandbox, receiver):
    """12 repeats by the sandbox's clock, each with a new delivery id; then it is given up."""
    client = ccg_client(sandbox)
    place = folder(client)
    webhook(client, place, receiver.url, DECLINED)
    receiver.answers = [503] * 20
    declined(sandbox, client, place)
    for tries in range(1, 14):
        until(lambda tries=tries: sandbox.deliveries()[0]["tries"] == tries)
        sandbox.advance(600)
    (delivery,) = sandbox.deliveries()[:1]
    assert delivery["outcome"] == "given up"
    assert delivery["statuses"] == [503] * 13
    assert len({headers["BOX-DELIVERY-ID"] for headers, _ in receiver.got}) == 13
    assert len({body for _, body in receiver.got}) == 1


def test_a_webhook_that_box_removes_says_so(sandbox, receiver):
    """WEBHOOK.DELETED with its reason, to the address that is given up."""
    client = ccg_client(sandbox)
    made = webhook(client, folder(client), receiver.url, "WEBHOOK.DELETED")
    sandbox.call("DELETE", f"/webhooks/{made.id}")
    until(lambda: receiver.triggers() == ["WEBHOOK.DELETED"])
    assert receiver.bodies()[0]["additional_info"] == {"reason": "auto_cleanup"}
    with pytest.raises(sdk.BoxAPIError):
        client.webhooks.get_webhook_by_id(made.id)


def test_input_of_any_kind_is_refused_in_words(sandbox, box):
    """No body makes a 500: not JSON, not UTF-8, lone surrogates, other types, wild numbers."""
    wild = [b"", b"[]", b"{", b"\xff", b'{"name":"\\ud800","parent":{"id":"0"}}', b"[" * 100_000]
    wild += [
        json.dumps({"name": one, "parent": one, "kind": one}).encode() for one in (None, 1, [], {})
    ]
    for body in wild:
        for path in ("/2.0/folders", "/2.0/sign_requests", "/2.0/webhooks", "/_sandbox/faults"):
            answer = box.post(sandbox.url + path, data=body, timeout=60)
            assert 400 <= answer.status_code < 500, (path, body[:60])
            assert answer.json()["message"]
    for query in ("limit=x", "limit=-1", "marker=-1", "limit=" + "9" * 40):
        answer = box.get(f"{sandbox.url}/2.0/sign_requests?{query}", timeout=60)
        assert answer.status_code == 400, query


def test_a_missing_right_is_refused_as_box_does(sandbox, box):
    """403 insufficient_scope for the call; the token endpoint refuses an unauthorised app."""
    sandbox.change_app(scopes=["root_readwrite"])
    try:
        answer = box.get(f"{sandbox.url}/2.0/sign_requests", timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
        assert box.get(f"{sandbox.url}/2.0/webhooks", timeout=60).status_code == 403
        sandbox.change_app(authorized=False)
        answer = requests.post(
            f"{sandbox.url}/oauth2/token", data=credentials(sandbox.box), timeout=60
        )
        assert answer.json()["error"] == "unauthorized_client"
        assert box.get(f"{sandbox.url}/2.0/users/me", timeout=60).status_code == 401
    finally:
        sandbox.change_app(scopes=sandbox.box["scopes"], authorized=True)


def test_tokens_end_after_an_hour_and_others_users_items_are_not_found(sandbox, box):
    """401 by the sandbox's clock; 404, not 403, for what is another's."""
    mine = make_folder(sandbox, box, "mine").json()["id"]
    other = {"as-user": "30000000001"}
    answer = box.get(f"{sandbox.url}/2.0/folders/{mine}", headers=other, timeout=60)
    assert answer.status_code == 404
    for user in (sandbox.box["service_account_id"], "1"):
        answer = box.get(f"{sandbox.url}/2.0/users/me", headers={"as-user": user}, timeout=60)
        assert answer.status_code == 403
    sandbox.advance(3601)
    assert box.get(f"{sandbox.url}/2.0/users/me", timeout=60).status_code == 401


def test_a_refresh_token_works_once(sandbox):
    """Each refresh gives a new pair; the old one is spent."""
    app = sandbox.box
    pair = sandbox.call("POST", f"/apps/{app['client_id']}/tokens", {})
    form = {
        "grant_type": "refresh_token",
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "refresh_token": pair["refresh_token"],
    }
    answers = [
        requests.post(f"{sandbox.url}/api/oauth2/token", data=form, timeout=60) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert answers[1].json()["error"] == "invalid_grant"


def assertion(app, now, **changed):
    """The form for a token by JWT; `key`, `kid` and claims may be changed."""
    import jwt
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(app["private_key"].encode(), app["passphrase"].encode())
    claims = {
        "iss": app["client_id"],
        "sub": app["enterprise_id"],
        "box_sub_type": "enterprise",
        "aud": "https://api.box.com/oauth2/token",
        "jti": f"jti-{time.monotonic_ns():020d}",
        "exp": int(now) + 45,
    } | {name: value for name, value in changed.items() if name not in ("kid", "key")}
    kid = changed.get("kid", app["public_key_id"])
    made = jwt.encode(claims, changed.get("key", key), "RS256", headers={"kid": kid})
    return {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "assertion": made,
    }


def test_every_claim_of_a_jwt_is_checked(sandbox):
    """Wrong key, key id, audience, times, subject; and the same jti twice."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    now = time.time()
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def asked(form):
        answer = requests.post(f"{sandbox.url}/oauth2/token", data=form, timeout=60)
        return answer.json().get("error_description", answer.status_code)

    fine = assertion(sandbox.box, now)
    assert asked(fine) == 200
    assert "'jti'" in asked(fine)
    for changed, said in (
        ({"key": stranger}, "signature"),
        ({"kid": "other"}, "kid"),
        ({"aud": f"{sandbox.url}/oauth2/token"}, "'aud'"),
        ({"exp": int(now) - 1}, "'exp'"),
        ({"exp": int(now) + 75}, "'exp'"),
        ({"exp": "soon"}, "'exp'"),
        ({"jti": "short"}, "'jti'"),
        ({"sub": "1"}, "'sub'"),
        ({"box_sub_type": "user", "sub": sandbox.box["service_account_id"]}, "'sub'"),
        ({"iss": "another"}, "'iss'"),
    ):
        assert said in asked(assertion(sandbox.box, now, **changed)), changed
    assert asked(fine | {"client_secret": "wrong"}) == "The client credentials are invalid"
    assert asked(fine | {"assertion": "no.jwt.at all"}) != 200


def test_a_skewed_clock_shows_in_the_date_and_refuses_assertions(sandbox):
    """So a client can be seen to take Box's time from the Date header."""
    sandbox.call("POST", "/clock", {"skew_s": 300})
    try:
        form = assertion(sandbox.box, time.time())
        answer = requests.post(f"{sandbox.url}/oauth2/token", data=form, timeout=60)
        assert "'exp'" in answer.json()["error_description"]
        from email.utils import parsedate_to_datetime

        shown = parsedate_to_datetime(answer.headers["date"]).timestamp()
        assert 295 < shown - time.time() < 305
    finally:
        sandbox.call("POST", "/clock", {"skew_s": 0})


def test_attributes_come_before_the_file_and_the_digest_is_checked(sandbox, box):
    """400 metadata_after_file_contents, 400 for a wrong content-md5: nothing is stored."""
    url, attributes = (
        f"{sandbox.url}/2.0/files/content",
        json.dumps({"name": "order.bin", "parent": {"id": "0"}}),
    )
    file = ("file", ("order.bin", b"content"))
    turned = box.post(url, files=[file, ("attributes", (None, attributes))], timeout=60)
    assert (turned.status_code, turned.json()["code"]) == (400, "metadata_after_file_contents")
    digest = box.post(
        url,
        files=[("attributes", (None, attributes)), file],
        headers={"content-md5": "0" * 40},
        timeout=60,
    )
    assert digest.status_code == 400
    assert not there(sandbox, box, "order.bin")
    assert box.post(url, data=b"no form", timeout=60).status_code == 400
    assert box.post(f"{sandbox.url}/2.0/folders", data=b"{", timeout=60).status_code == 400


def test_kill_9_takes_nothing(tmp_path, receiver):
    """Folders, open requests, waiting webhooks and keys are there after a restart."""
    with SandboxProcess(tmp_path) as sandbox:
        client = ccg_client(sandbox)
        place = folder(client)
        webhook(client, place, receiver.url, DECLINED)
        receiver.answers = [500]
        made = request_signature(client, place)
        until(lambda: sandbox.sign_requests()[0]["status"] == "sent")
        sandbox.sign(made.id, "decline")
        until(lambda: sandbox.deliveries()[0]["tries"] == 1)
        before = dict(sandbox.box)
        sandbox.kill()
        sandbox.start()
        assert sandbox.box == before
        assert client.sign_requests.get_sign_request_by_id(made.id).status == "declined"
        sandbox.advance(601)
        until(lambda: len(receiver.got) == 2)
        assert len({body["id"] for body in receiver.bodies()}) == 1


def test_the_journal_counts_by_method_and_template(sandbox, box):
    """What a test that counts calls goes by; the sandbox's own paths are not in it."""
    sandbox.call("DELETE", "/journal")
    made = make_folder(sandbox, box, "counted").json()["id"]
    for _ in range(2):
        box.get(f"{sandbox.url}/2.0/folders/{made}", timeout=60)
    box.get(f"{sandbox.url}/2.0/nothing/of/this", timeout=60)
    assert sandbox.counts() == {
        "GET /2.0/folders/{id}": 2,
        "GET unknown": 1,
        "POST /2.0/folders": 1,
    }
    assert sandbox.calls()[-1]["body"]["name"] == "counted"


def test_the_sdk_meets_a_fault_as_an_error_of_its_own(sandbox):
    """A status fault has Box's shape, so that the SDK can read it."""
    client = ccg_client(sandbox)
    client.users.get_user_me()
    sandbox.fault(kind="status", path="users/me", status=503)
    with pytest.raises(sdk.BoxAPIError) as caught:
        client.users.get_user_me()
    assert caught.value.response_info.status_code == 503
