"""Salesforce's Outbound Messages: who is believed, what is read, what XML may not do."""

import resource
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.errors import Unparsable
from inkwire.model.event import DedupeKind, TermKind
from inkwire.model.request import InboundRequest, shown_query
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, Reason, Refused
from inkwire.providers.registry import case
from inkwire.providers.salesforce import PROVIDER, ids, soap
from inkwire.providers.salesforce.notifications import events_of, head_of
from inkwire.providers.salesforce.receive import SalesforceReceiver

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RECEIVER = SalesforceReceiver()
ORGANIZATION = "00D5e000000KQ2eEAG"
SETTINGS = {"organization_id": ORGANIZATION}
TEXT = "q7Jd0xV1mZ4sB9tYc2LhRw8u"
SECRET = Secret(id="sec_1", role="secret", value=TEXT.encode())
BODY = case(PROVIDER, "opportunity-notified").body
OUT = 'xmlns="http://soap.sforce.com/2005/09/outbound"'
ENVELOPE = (
    '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><S:Body>{}</S:Body></S:Envelope>'
)
NOTE = (
    "<Notification><Id>{id}</Id>"
    '<sObject xsi:type="sf:{object}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">'
    "<sf:Id>{record}</sf:Id>{fields}</sObject></Notification>"
)


def note(number: int = 0, **more) -> str:
    """One notification, under an id of its own."""
    found = {
        "id": f"04l5e00000G{number:04d}", "object": "Opportunity", "record": "0065e00000KtB2Q",
        "fields": "",
    }  # fmt: skip
    return NOTE.format(**found | more)


def message(*notes: str, organization: str = ORGANIZATION, more: str = "") -> bytes:
    """A message with these notifications."""
    inside = f"<OrganizationId>{organization}</OrganizationId>{more}{''.join(notes)}"
    return ENVELOPE.format(f"<notifications {OUT}>{inside}</notifications>").encode()


def request(body: bytes = BODY, query: str = f"secret={TEXT}") -> InboundRequest:
    """As Salesforce sends it."""
    return InboundRequest(method="POST", path="/in/sf", query=query.encode(), body=body)


def verdict(body: bytes = BODY, *, query: str = f"secret={TEXT}", settings=None, secrets=(SECRET,)):
    """What comes of it."""
    return RECEIVER.verify(request(body, query), secrets, settings or SETTINGS, NOW)


def refused(body: bytes = BODY, **more) -> Refused:
    """It must not be believed."""
    found = verdict(body, **more)
    assert isinstance(found, Refused), found
    assert TEXT not in found.detail + RECEIVER.hint(found)
    return found


# --- who is believed


def test_secret_and_organisation_prove_it():
    """Both forms of the organisation's id are the same; a plus of other parameters is no harm."""
    assert verdict() == Accepted(secret_id="sec_1")
    assert verdict(query=f"x=1&secret={TEXT}&y") == Accepted(secret_id="sec_1")
    for here in (ORGANIZATION, ORGANIZATION[:15], f" {ORGANIZATION} "):
        for there in (ORGANIZATION, ORGANIZATION[:15]):
            body = message(note(), organization=there)
            assert isinstance(verdict(body, settings={"organization_id": here}), Accepted)


@pytest.mark.parametrize(
    ("query", "reason"),
    [("", Reason.MISSING_HEADER), ("token=x", Reason.MISSING_HEADER), ("secret", Reason.MALFORMED),
     ("secret=", Reason.MALFORMED), (f"secret={TEXT}&secret={TEXT}", Reason.MALFORMED),
     (f"secret={TEXT}x", Reason.BAD_SIGNATURE), (f"secret={TEXT[:-1]}", Reason.BAD_SIGNATURE),
     (f"secret={TEXT.swapcase()}", Reason.BAD_SIGNATURE), ("secret=%FF", Reason.MALFORMED)],
)  # fmt: skip
def test_without_the_secret_nothing_is_believed(query, reason):
    """And the body is not looked at: what is no XML makes no difference."""
    assert refused(query=query).reason is reason
    assert refused(b"<", query=query).reason is reason


@pytest.mark.parametrize("organization", ["00D5e000000KQ2fEAG", "00D5e000000kQ2e", "", "x"])
def test_another_organisation_is_not_believed(organization):
    """A sandbox that was copied from production knows the address, too."""
    found = refused(message(note(), organization=organization))
    assert found.reason in (Reason.MISMATCH, Reason.MALFORMED)
    assert refused(settings={"organization_id": organization}).reason is Reason.MISMATCH


def test_two_organisations_are_none():
    """What could be read in two ways is not read."""
    more = "<OrganizationId>00D5e000000KQ2fEAG</OrganizationId>"
    assert refused(message(note(), more=more)).reason is Reason.MALFORMED


def test_a_session_id_is_not_kept():
    """Whoever holds one can do what its user may; an empty one is none."""
    found = refused(message(note(), more="<SessionId>00D5e!AQ0</SessionId>"))
    assert found.reason is Reason.MALFORMED and "00D5e!AQ0" not in found.detail
    assert "Send Session ID" in RECEIVER.hint(found)
    for empty in ("<SessionId/>", '<SessionId xsi:nil="true"/>', "<SessionId> </SessionId>"):
        assert isinstance(verdict(message(note(), more=empty)), Accepted)


def test_the_secret_is_not_shown():
    """In no representation, and in no query that a person is shown."""
    assert TEXT not in repr(request())
    assert shown_query(f"a=1&secret={TEXT}&t".encode()) == "a=1&secret=«redacted»&t"
    assert shown_query(f"s%65cret={TEXT}".encode()) == "s%65cret=«redacted»"
    assert shown_query(b"") == "" and shown_query(b"v=1&sig=abc") == "v=1&sig=abc"


# --- what is read


def test_a_hundred_notifications_are_a_hundred_events():
    """In their order, each under its own hard key; one more is not Salesforce's."""
    events = events_of(message(*(note(number) for number in range(100))))
    assert len({event.dedupe_key for event in events}) == 100
    assert all(event.dedupe_kind is DedupeKind.HARD for event in events)
    with pytest.raises(Unparsable, match="101 notifications"):
        events_of(message(*(note(number) for number in range(101))))
    with pytest.raises(Unparsable, match="0 notifications"):
        events_of(message())


def test_both_forms_of_an_id_are_one():
    """A repeat in 18 characters has the key of the first in 15."""
    long = ids.long_id("04l5e00000G0000")
    (one,), (other,) = events_of(message(note())), events_of(message(note(id=long)))
    assert one.dedupe_key == other.dedupe_key == long.encode()
    assert one.entity_key == f"salesforce:record:{ids.long_id('0065e00000KtB2Q')}"


def test_a_repeat_with_newer_fields_is_the_same():
    """Another record under the same notification id would not be."""
    fields = "<sf:Name>Newer</sf:Name>"
    (one,), (again, _) = (
        events_of(message(note())),
        events_of(message(note(fields=fields), note(1))),
    )
    assert one.unchanging == again.unchanging and one.unchanging is not None
    (other,) = events_of(message(note(record="0065e00000KtB2R")))
    assert other.unchanging != one.unchanging


def test_fields_are_found_but_prove_nothing():
    """Names, addresses and numbers by their fields' names; nil, empty and nested ones are not."""
    fields = (
        "<sf:Name>Müller &amp; Söhne &#60;1&gt;</sf:Name><sf:Email>a@b.example</sf:Email>"
        '<sf:Phone xsi:nil="true">030</sf:Phone><sf:Fax/><sf:Name>other</sf:Name>'
        "<sf:Address><sf:City>Bonn</sf:City></sf:Address><Name>foreign</Name>"
    )
    (event,) = events_of(message(note(fields=fields)))
    assert event.payload["fields"] == {
        "Id": "0065e00000KtB2Q", "Name": "Müller & Söhne <1>", "Email": "a@b.example"
    }  # fmt: skip
    terms = {(term.kind, term.value) for term in RECEIVER.terms(event)}
    assert (TermKind.EMAIL, "a@b.example") in terms
    assert (TermKind.NAME, "müller & söhne <1>") in terms


@pytest.mark.parametrize(
    "body",
    [
        message(note(object="x y")), message(note(object="")), message(note(id="x")),
        message(note(), "<Notification/>"),
        message(note().replace("sf:Opportunity", "Opportunity")),
        message(note().replace("enterprise", "partner")),
        message(note()).replace(b"2005/09/outbound", b"2005/09/inbound"),
        message(note()).replace(b"xmlsoap.org/soap/envelope/", b"example.org/"),
        ENVELOPE.format(f"<notifications {OUT}/><notifications {OUT}/>").encode(),
        ENVELOPE.format("").encode(), b"<a/>", b"", b"{}",
    ],
)  # fmt: skip
def test_other_shapes_are_not_read(body):
    """Names and namespaces are exact; a second of what comes once is not chosen from."""
    with pytest.raises(Unparsable):
        events_of(body)


def test_what_is_proven_but_not_readable_is_still_acknowledged():
    """It is kept and shown; Salesforce must not send it for a day."""
    assert isinstance(verdict(message(note(object="x y"))), Accepted)
    for events in ((), events_of(BODY)):
        reply = RECEIVER.reply(events)
        assert reply.status == 200 and reply.content_type.startswith("text/xml")
        root = ET.fromstring(reply.body)
        (ack,) = root.iter("{http://soap.sforce.com/2005/09/outbound}Ack")
        assert ack.text == "true" and root.tag.endswith("}Envelope")


def test_what_is_sent_is_of_the_sources_organisation():
    """`inkwire send --source` makes a message that the source takes."""
    other = {"organization_id": "00D000000000001EAA"}
    signed = RECEIVER.sign(
        BODY, [SECRET], other, NOW, event_type="salesforce.Opportunity.notified", delivery_id="d"
    )
    inbound = signed.as_inbound()
    assert head_of(inbound.body).organization_id == "00D000000000001EAA"
    assert isinstance(RECEIVER.verify(inbound, [SECRET], other, NOW), Accepted)
    assert TEXT not in repr(signed)
    same = RECEIVER.sign(
        BODY, [SECRET], {"organization_id": ORGANIZATION[:15]}, NOW,
        event_type="salesforce.Opportunity.notified", delivery_id="d",
    )  # fmt: skip
    assert same.body == BODY, "its own, in the other form, is left as it is"


def test_repeats_come_for_a_day():
    """Doubled up to two hours."""
    delays = RECEIVER.retries.delays_s
    assert delays[:3] == (15, 30, 60) and max(delays) == 7200
    assert 86_400 - 7200 < sum(delays) <= 86_400


# --- what XML may not do


@contextmanager
def _at_most_grown(kib: int) -> Iterator[None]:
    """Expat's memory is not Python's to count, so the process's highest mark is looked at."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < kib


_MANY = " ".join(f"b{n}='x'" for n in range(33))
_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (f'<!DOCTYPE a [<!ENTITY l0 "ha">{_LAUGHS}]><a>&l9;</a>', "document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "document type"),
        ('<!DOCTYPE a [<!ENTITY % x SYSTEM "http://x.example/">%x;]><a/>', "document type"),
        ("<a>&x;</a>", "undefined entity"),
        ("<?xml-stylesheet href='x'?><a/>", "processing instruction"),
        ("<a><?php x?></a>", "processing instruction"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><a/>', "UTF-8"),
        ('<?xml version="1.0" encoding="UTF-7"?><a/>', "UTF-8"),
        ("<a>" * 17 + "</a>" * 17, "one within the other"),
        ("<a>" * 100_000, "one within the other"),
        (f"<a>{'<b/>' * 50_000}</a>", "50000 elements"),
        (f"<a {_MANY}/>", "too large"),
        (f"<{'a' * 301}/>", "too large"),
        ("<a b='1' b='2'/>", "duplicate attribute"),
        ("<x:a/>", "unbound prefix"),
        ("<a/><a/>", "junk"),
        ("<a>\x00</a>", "not well-formed"),
        ("<a>", "no element found"),
    ],
)
def test_no_trick_of_xml_works(body, says):
    """Each is refused by name; none reads a file, asks a host or grows."""
    with pytest.raises(Unparsable, match=says):
        soap.read(body.encode())


def test_a_namespace_does_not_multiply():
    """Expat writes it out for each attribute: 630 KB would become gigabytes before we are told."""
    many = " ".join(f'a:x{n}=""' for n in range(20_000))
    body = f'<a xmlns:a="{"u" * 400_000}" {many}/>'.encode()
    with _at_most_grown(64 * 1024), pytest.raises(Unparsable, match="a tag of over 16384 bytes"):
        soap.read(body)
    long = f'<a xmlns:a="{"u" * 301}"><a:b/></a>'.encode()
    with pytest.raises(Unparsable, match="namespace that is too long"):
        soap.read(long)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-7"])
def test_other_encodings_hide_nothing(encoding):
    """The first bytes choose no other decoder."""
    with pytest.raises(Unparsable):
        soap.read('<!DOCTYPE a [<!ENTITY x "y">]><a>é&x;</a>'.encode(encoding))


@pytest.mark.parametrize("tag", ["comment", "attribute", "start"])
def test_a_tag_may_be_as_long_as_it_is_meant_to_be(tag):
    """Wherever it lies among the pieces that are read at once; text has no such bound."""
    long = {"comment": f"<!--{'x' * 9_000}-->", "attribute": f"<b c='{'x' * 9_000}'/>", "start": ""}
    for before in (0, 1, 4_094, 4_095, 4_096, 8_190, 100_000):
        root = soap.read(f"<a>{'é' * before}{long[tag]}<d/>{'z' * 50_000}</a>".encode())
        assert root.children[-1].name == ("", "d") and root.text == "é" * before + "z" * 50_000


_PIECES = st.sampled_from(
    ["<a>", "</a>", "<a/>", "<!DOCTYPE a [", "<!ENTITY x 'y'>", "]>", "&x;", "&amp;", "<![CDATA[",
     "]]>", "<!--", "-->", "<?xml version='1.0'?>", " xmlns='u'", "x:", "xsi:type='x:y'", "\x00",
     "\ud800", "é"]
)  # fmt: skip


@given(st.lists(st.one_of(_PIECES, st.text(max_size=8)), max_size=20), st.binary(max_size=20))
def test_nothing_is_a_crash(pieces, tail):
    """A tree within its bounds, or Unparsable."""
    body = "".join(pieces).encode("utf-8", "surrogatepass") + tail
    try:
        root = soap.read(body)
    except Unparsable as error:
        assert error.message
    else:
        assert root.name[1] and isinstance(root.text, str)


_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=60)


@given(
    values=st.lists(_TEXTS, max_size=5), number=st.integers(0, 9999), cut=st.integers(0, 2000)
)  # fmt: skip
def test_what_salesforce_writes_is_what_is_read(values, number, cut):
    """Any text in any field comes through; a message that broke off is unreadable, never another.

    ElementTree writes it: another's hand.
    """
    namespace = "{urn:sobject.enterprise.soap.sforce.com}"
    record = ET.Element("x")
    for at, value in enumerate(values):
        ET.SubElement(record, f"{namespace}F{at}").text = value
    fields = "".join(ET.tostring(one, "unicode") for one in record)
    body = message(note(number, fields=fields))
    (event,) = events_of(body)
    expected = {f"F{at}": value.strip() for at, value in enumerate(values) if value.strip()}
    assert {k: v for k, v in event.payload["fields"].items() if k != "Id"} == expected
    if cut < len(body):
        with pytest.raises(Unparsable):
            events_of(body[:cut])
