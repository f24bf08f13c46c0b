"""What people see: the inbox, the page where they sign, the operator's pages."""

import html
import re
import subprocess

import pytest
import requests

from fakes.sandbox import until
from sandbox.kit import ccg_client, folder, request_signature

ONWARD = "https://shop.example.com/thanks"


@pytest.fixture
def request_sent(sandbox):
    """A function that sends a request to ann@example.com; (its id, her page)."""

    def send(**more):
        client = ccg_client(sandbox)
        made = request_signature(client, folder(client), **more)
        until(lambda: sandbox.sign_requests()[0]["status"] == "sent")
        return made.id, sandbox.url + sandbox.mails("ann@example.com")[0]["link"]

    return send


def status(sandbox, sign_request_id):
    """As the sandbox keeps it."""
    return next(one["status"] for one in sandbox.sign_requests() if one["id"] == sign_request_id)


def test_a_person_signs_by_the_link_in_the_mail(sandbox, request_sent):
    """Inbox → page with the document → name typed → signed; without any script."""
    made, page = request_sent(email_subject="Order <b>7</b>")
    inbox = requests.get(sandbox.url, timeout=60).text
    assert html.escape("Order <b>7</b>") in inbox
    assert page.removeprefix(sandbox.url) in inbox
    shown = requests.get(page, timeout=60)
    assert "<script" not in shown.text
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert status(sandbox, made) == "viewed"
    (document,) = re.findall(r'<iframe src="([^"]+)"', shown.text)
    assert requests.get(sandbox.url + document, timeout=60).content.startswith(b"%PDF-")
    nameless = requests.post(page, data={"decision": "sign", "name": " "}, timeout=60)
    assert nameless.status_code == 422
    signed = requests.post(page, data={"decision": "sign", "name": "Ann Ængström"}, timeout=30)
    assert "You have signed this" in signed.text
    until(lambda: status(sandbox, made) == "signed")
    again = requests.post(page, data={"decision": "decline"}, timeout=60)
    assert again.status_code == 409
    finished = requests.get(page, timeout=60).text
    (log,) = re.findall(r'href="(/sign/[^"]+/log)"', finished)
    assert requests.get(sandbox.url + log, timeout=60).content.startswith(b"%PDF-")
    assert sandbox.mails("ann@example.com")[0]["subject"].startswith("Completed")


def test_a_person_declines_and_is_led_on(sandbox, request_sent):
    """The reason is kept; the browser goes to the address for that, and may go there."""
    made, page = request_sent(redirect_url=ONWARD, declined_redirect_url=f"{ONWARD}/not")
    policy = requests.get(page, timeout=60).headers["content-security-policy"]
    assert "form-action 'self' https://shop.example.com;" in policy
    form = {"decision": "decline", "reason": "too dear"}
    answer = requests.post(page, data=form, allow_redirects=False, timeout=60)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{ONWARD}/not")
    assert status(sandbox, made) == "declined"


def test_links_that_lead_nowhere_and_other_sites_are_refused(sandbox, request_sent):
    """An unknown link is 404; no page of another site changes anything here."""
    made, page = request_sent()
    assert requests.get(f"{sandbox.url}/sign/unknown", timeout=60).status_code == 404
    assert requests.get(f"{page}/file/7", timeout=60).status_code == 404
    assert requests.get(f"{page}/log", timeout=60).status_code == 404
    answer = requests.post(
        page, data={"decision": "decline"}, headers={"origin": "https://evil.example"}, timeout=60
    )
    assert answer.status_code == 403
    assert status(sandbox, made) == "sent"


def test_an_operator_finds_keys_faults_and_calls(sandbox):
    """Pages for what `/_sandbox` does."""
    assert sandbox.box["client_secret"] in requests.get(f"{sandbox.url}/box", timeout=60).text
    file = f"{sandbox.url}/box/{sandbox.box['client_id']}/config.json"
    assert requests.get(file, timeout=60).json() == sandbox.box["console_file"]
    faults = f"{sandbox.url}/faults"
    added = requests.post(
        faults, data={"kind": "slow", "path": "^/2.0/x", "delay_s": "0.1"}, timeout=60
    )
    assert "^/2.0/x" in added.text
    wrong = requests.post(faults, data={"kind": "slow", "delay_s": "long"}, timeout=60)
    assert wrong.status_code == 422
    assert "delay_s" in wrong.text
    assert "POST /oauth2/token" in requests.get(f"{sandbox.url}/journal", timeout=60).text


def test_keys_for_a_shell(sandbox):
    """A newcomer types no key: a shell takes them over, each as it is."""
    lines = requests.get(f"{sandbox.url}/box/env", timeout=60).text
    script = f"{lines}printf '%s\\n' $BOX_CLIENT_ID $BOX_CLIENT_SECRET $BOX_PRIMARY_KEY $BOX_URL"
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    names = ("client_id", "client_secret", "primary_key", "base_url")
    assert said.stdout.split() == [sandbox.box[name] for name in names]
