"""The sandbox's Salesforce: Outbound Messages (rule 28)."""

import threading
import xml.etree.ElementTree as ET
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from fakes.sandbox import until

OUT = "{http://soap.sforce.com/2005/09/outbound}"
SF = "{urn:sobject.enterprise.soap.sforce.com}"
ACK = (
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>{}</Ack>'
    "</notificationsResponse></soapenv:Body></soapenv:Envelope>"
)


class Listener:
    """Takes messages; answers as it is told, and acknowledges otherwise."""

    def __init__(self):
        self.got = []
        #: (status, body) of the next answers.
        self.answers = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                listener.got.append(self.rfile.read(int(self.headers["content-length"])))
                queued = listener.answers
                status, body = queued.pop(0) if queued else (200, ACK.format("true"))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/in/salesforce"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def notes(self):
        """(notification id, record's fields by name) of every message, in order."""
        return [
            [
                (
                    one.find(f"{OUT}Id").text,
                    {field.tag.removeprefix(SF): field.text for field in one.find(f"{OUT}sObject")},
                )
                for one in ET.fromstring(body).iter(f"{OUT}Notification")
            ]
            for body in self.got
        ]


@pytest.fixture
def listener(org):
    """One that hears of Opportunities."""
    made = Listener()
    body = {"object": "Opportunity", "fields": ["Name", "StageName", "IsWon"], "url": made.url}
    made.rule = org.sandbox.call("POST", "/salesforce/outbound", body)
    yield made
    org.sandbox.call("DELETE", "/salesforce/outbound")
    org.sandbox.call("PATCH", "/salesforce/app", {"send_outbound": True})
    made.server.shutdown()
    made.server.server_close()


def waiting(org):
    """Notifications that are not acknowledged."""
    return org.sandbox.call("GET", "/salesforce/outbound")[0]["waiting"]


def test_a_saved_record_is_told(org, listener):
    """The envelope as Salesforce sends it: no session, escaped values."""
    deal = org.deal(Description="x")
    org.call("PATCH", f"/sobjects/Opportunity/{deal}", {"Name": "A <b> & c"})
    until(lambda: waiting(org) == 0)
    root = ET.fromstring(listener.got[0])
    (notifications,) = root.iter(f"{OUT}notifications")
    assert notifications.find(f"{OUT}OrganizationId").text == org.app["organization_id"]
    assert notifications.find(f"{OUT}ActionId").text == listener.rule["id"]
    session = notifications.find(f"{OUT}SessionId")
    assert session.attrib == {"{http://www.w3.org/2001/XMLSchema-instance}nil": "true"}
    assert session.text is None
    last = listener.notes()[-1][0][1]
    assert last == {
        "Id": deal,
        "Name": "A <b> & c",
        "StageName": "Prospecting",
        "IsWon": "false",
    }


@pytest.mark.parametrize(
    "answer", [(500, ""), (200, ""), (200, ACK.format("false")), (404, ACK.format("true"))]
)
def test_what_is_not_acknowledged_comes_again(org, listener, answer):
    """Under the same id, with the record as it is by then."""
    listener.answers = [answer]
    deal = org.deal()
    until(lambda: len(listener.got) == 1 and not listener.answers)
    first = listener.notes()[0]
    assert waiting(org) == 1
    org.sandbox.change_record("Opportunity", deal, StageName="Qualification")
    org.sandbox.advance(20)
    until(lambda: waiting(org) == 0)
    again = [note for message in listener.notes()[1:] for note in message]
    assert (first[0][0], "Qualification") in [(key, one["StageName"]) for key, one in again]


def test_messages_hold_a_hundred_at_most_and_no_order(org, listener):
    """Many records in one call: the newest first."""
    listener.answers = [(500, "")] * 1000
    rows = [
        {
            "attributes": {"type": "Opportunity"},
            "Name": f"n{at:03d}",
            "StageName": "Prospecting",
            "CloseDate": "2026-12-31",
        }
        for at in range(130)
    ]
    assert org.call("POST", "/composite/sobjects", {"records": rows}).ok
    until(lambda: len(listener.got) >= 2)
    first = [fields["Name"] for _, fields in listener.notes()[0]]
    assert len(first) == 100
    assert first == sorted(first, reverse=True)
    listener.answers = []
    org.sandbox.advance(3600)
    until(lambda: waiting(org) == 0)
    told = {fields["Name"] for message in listener.notes() for _, fields in message}
    assert told >= {row["Name"] for row in rows}


def test_after_a_day_it_is_given_up(org, listener):
    """Dropped without a word: why there must be a poll too."""
    listener.answers = [(500, "")] * 1000
    org.deal()
    until(lambda: listener.got)
    org.sandbox.advance(86_401)
    until(lambda: waiting(org) == 0)
    assert listener.notes()


def test_our_own_changes_can_be_kept_quiet(org, listener):
    """The permission of the user whom we call as stops loops."""
    org.sandbox.call("PATCH", "/salesforce/app", {"send_outbound": False})
    deal = org.deal()
    org.sandbox.change_record("Opportunity", deal, Name="By Sam")
    until(lambda: waiting(org) == 0 and listener.got)
    assert [one["Name"] for message in listener.notes() for _, one in message] == ["By Sam"]


@pytest.mark.parametrize(
    "body",
    [
        {"object": "Nope", "url": "https://x.example"},
        {"object": "Account", "url": "http://x.example"},
        {"object": "Account", "url": "https://x.example", "fields": ["Nope"]},
        [],
    ],
)
def test_rules_that_cannot_be(org, body):
    """An address elsewhere must be https."""
    url = f"{org.sandbox.url}/_sandbox/salesforce/outbound"
    assert requests.post(url, json=body, timeout=60).status_code == 422
