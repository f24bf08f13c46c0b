"""The sandbox's Salesforce: SOQL and its pages (rule 20)."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.crm import Org, error
from fakes.sandbox import SandboxProcess
from inkwire.providers.salesforce.sandbox import soql
from inkwire.providers.salesforce.sandbox.answers import SalesforceError


@pytest.fixture(scope="module")
def some(tmp_path_factory):
    """An organisation of its own with known records."""
    with SandboxProcess(tmp_path_factory.mktemp("soql")) as process:
        org = Org(process)
        acme = org.create("Account", Name="Acme", Industry="Banking", AnnualRevenue=100)
        org.create("Account", Name="O'Neil \\ Söhne 100%", AnnualRevenue=50)
        org.create("Account", Name="acme two", Industry="Consulting")
        org.deal(acme, Amount=5)
        yield org


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("", ["Acme", "O'Neil \\ Söhne 100%", "acme two"]),
        ("WHERE Name = 'ACME'", ["Acme"]),
        ("WHERE Name != 'Acme'", ["O'Neil \\ Söhne 100%", "acme two"]),
        ("WHERE Name LIKE 'acme%'", ["Acme", "acme two"]),
        ("WHERE Name LIKE '_cme'", ["Acme"]),
        ("WHERE Name LIKE '%100\\%'", ["O'Neil \\ Söhne 100%"]),
        ("WHERE Name LIKE '%100\\_'", []),
        ("WHERE Name = 'O\\'Neil \\\\ Söhne 100%'", ["O'Neil \\ Söhne 100%"]),
        ("WHERE Name = 'O\\'Neil \\\\ S\\u00f6hne 100%'", ["O'Neil \\ Söhne 100%"]),
        ("WHERE AnnualRevenue > 50", ["Acme"]),
        ("WHERE AnnualRevenue >= 50.0", ["Acme", "O'Neil \\ Söhne 100%"]),
        ("WHERE AnnualRevenue < 60 AND AnnualRevenue != null", ["O'Neil \\ Söhne 100%"]),
        ("WHERE Industry = null", ["O'Neil \\ Söhne 100%"]),
        ("WHERE Industry != null", ["Acme", "acme two"]),
        ("WHERE Industry IN ('banking', 'None')", ["Acme"]),
        ("WHERE Industry NOT IN ('Banking', null)", ["acme two"]),
        ("WHERE NOT Industry = 'Banking'", ["O'Neil \\ Söhne 100%", "acme two"]),
        ("WHERE NOT (Name = 'Acme' OR Name = 'acme two')", ["O'Neil \\ Söhne 100%"]),
        (
            "WHERE (Industry = 'Banking' OR Industry = 'Consulting') AND Name LIKE '%two'",
            ["acme two"],
        ),
        (
            "WHERE IsDeleted = false ORDER BY Name DESC",
            ["O'Neil \\ Söhne 100%", "acme two", "Acme"],
        ),
        (
            "ORDER BY AnnualRevenue ASC NULLS LAST",
            ["O'Neil \\ Söhne 100%", "Acme", "acme two"],
        ),
        ("ORDER BY Industry NULLS FIRST, Name", ["O'Neil \\ Söhne 100%", "Acme", "acme two"]),
        ("ORDER BY Name LIMIT 1", ["Acme"]),
        ("ORDER BY Name LIMIT 1 OFFSET 1", ["acme two"]),
        ("WHERE CreatedDate = TODAY LIMIT 1", ["Acme"]),
        ("WHERE CreatedDate = LAST_N_DAYS:3 AND Name LIKE '%two'", ["acme two"]),
        ("WHERE CreatedDate < TODAY", []),
        ("WHERE CreatedDate >= LAST_N_DAYS:2 LIMIT 1", ["Acme"]),
        ("WHERE SystemModstamp >= 2020-01-01T00:00:00Z LIMIT 1", ["Acme"]),
        ("WHERE SystemModstamp < 2020-01-01T00:00:00.000+02:00", []),
        ("WHERE Owner.Name = 'Inkwire Integration' AND Name = 'Acme'", ["Acme"]),
    ],
)
def test_what_a_query_finds(some, where, names):
    """Texts are compared without case, nulls are unequal to everything, order is kept."""
    assert [one["Name"] for one in some.found(f"SELECT Name FROM Account {where}")] == names


def test_paths_become_objects(some):
    """One object within another, with attributes; null where nothing is."""
    answer = some.query(
        "select Id, name, Account.Name, Account.Owner.Email, Account.Parent.Name from opportunity"
    )
    body = answer.json()
    (row,) = body["records"]
    assert (body["totalSize"], body["done"]) == (1, True)
    assert "nextRecordsUrl" not in body
    assert row["attributes"]["type"] == "Opportunity"
    assert row["attributes"]["url"].endswith(f"/sobjects/Opportunity/{row['Id']}")
    assert row["Account"]["attributes"]["type"] == "Account"
    assert row["Account"]["Name"] == "Acme"
    assert row["Account"]["Owner"]["Email"] == "inkwire.integration@example.com"
    assert row["Account"]["Parent"] is None


def test_a_task_names_whom_and_what(some):
    """References to one of several objects."""
    deal = some.found("SELECT Id FROM Opportunity")[0]["Id"]
    contact = some.create("Contact", LastName="Buyer", FirstName="Ann")
    some.create("Task", Subject="x", WhatId=deal, WhoId=contact)
    rows = some.found(
        f"SELECT Who.Name, What.Name, What.Type FROM Task WHERE What.Type = 'Opportunity' "
        f"AND WhatId IN ('{deal}') AND CreatedDate >= 2020-01-01T00:00:00Z"
    )
    assert [(one["Who"]["Name"], one["What"]["Name"], one["What"]["Type"]) for one in rows] == [
        ("Ann Buyer", "Deal", "Opportunity")
    ]


def test_counting(some):
    """COUNT() gives a size and no rows."""
    body = some.query("SELECT COUNT() FROM Account WHERE AnnualRevenue != null").json()
    assert body == {"totalSize": 2, "done": True, "records": []}


@pytest.mark.parametrize(
    ("query", "code", "part"),
    [
        ("", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT FROM Account", "MALFORMED_QUERY", "unexpected token: 'FROM'"),
        ("SELECT Id Account", "MALFORMED_QUERY", "unexpected token: 'Account'"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "<EOF>"),
        ("SELECT Id FROM Account WHERE Name = 'a", "MALFORMED_QUERY", "no viable alternative"),
        ("SELECT Id FROM Account WHERE Name = 'a' 'b'", "MALFORMED_QUERY", "unexpected token"),
        (
            "SELECT Id FROM Account WHERE Name='a' AND Name='b' OR Name='c'",
            "MALFORMED_QUERY",
            "unexpected token: 'OR'",
        ),
        ("SELECT Id FROM Account WHERE (Name = 'a'", "MALFORMED_QUERY", "right parentheses"),
        ("SELECT Id FROM Account; DROP TABLE x", "MALFORMED_QUERY", "no viable alternative"),
        ("SELECT Id FROM Account LIMIT -1", "MALFORMED_QUERY", "unexpected token"),
        (
            "SELECT Id FROM Account WHERE Id IN ()",
            "MALFORMED_QUERY",
            "unexpected token: ')'",
        ),
        ("SELECT Nope FROM Account", "INVALID_FIELD", "No such column 'Nope' on entity 'Account'"),
        ("SELECT Id FROM Account WHERE Nope = 1", "INVALID_FIELD", "No such column 'Nope'"),
        ("SELECT Id FROM Account ORDER BY Nope", "INVALID_FIELD", "No such column 'Nope'"),
        (
            "SELECT Nope.Name FROM Account",
            "INVALID_FIELD",
            "Didn't understand relationship 'Nope' in field path",
        ),
        ("SELECT Id FROM Nope", "INVALID_TYPE", "sObject type 'Nope' is not supported"),
        (
            "SELECT Id FROM Account WHERE CreatedDate > '2020-01-01T00:00:00Z'",
            "INVALID_FIELD",
            "must be of type dateTime and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 5",
            "INVALID_FIELD",
            "must be of type string and should be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Task WHERE Description = 'x'",
            "INVALID_FIELD",
            "field 'Description' can not be filtered in a query call",
        ),
        (
            "SELECT Id FROM Account WHERE Id = 'nonsense'",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid ID field: nonsense",
        ),
    ],
)
def test_what_a_query_is_refused_for(some, query, code, part):
    """400 with one error that names no fields."""
    answer = some.query(query)
    assert error(answer)[:2] == (400, code)
    assert part in error(answer)[2]
    assert "fields" not in answer.json()[0]


def test_a_query_needs_its_text(some):
    """No `q`."""
    assert error(some.call("GET", "/query"))[:2] == (400, "MALFORMED_QUERY")


@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    """Nothing but Salesforce's own refusal escapes."""
    try:
        found = soql.read(f"SELECT Id FROM Account WHERE {text}")
    except SalesforceError as refused:
        assert refused.code == "MALFORMED_QUERY"
    else:
        assert found.object == "Account"


@given(text=st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=80))
def test_a_quoted_text_reads_back(text):
    """Backslash and quote escaped, as simple-salesforce's own quoting does it."""
    from simple_salesforce.format import quote_soql_value

    found = soql.read(f"SELECT Id FROM Account WHERE Name = {quote_soql_value(text)}")
    assert isinstance(found.where, soql.Compare)
    assert found.where.values[0].value == text


def rows_of(count):
    """Accounts for Collections."""
    return [{"attributes": {"type": "Account"}, "Name": f"Page {at:04d}"} for at in range(count)]


def test_pages_of_two_thousand(org):
    """Rule 20: `nextRecordsUrl` until all were given; smaller pages on wish."""
    for _ in range(11):
        answer = org.call("POST", "/composite/sobjects", {"records": rows_of(200)})
        assert all(one["success"] for one in answer.json())
    where = "SELECT Id, Name FROM Account WHERE Name LIKE 'Page %' ORDER BY Name"
    first = org.query(where).json()
    assert (first["totalSize"], first["done"], len(first["records"])) == (2200, False, 2000)
    second = org.session.get(org.sandbox.url + first["nextRecordsUrl"], timeout=30).json()
    assert (second["totalSize"], second["done"], len(second["records"])) == (2200, True, 200)
    assert "nextRecordsUrl" not in second
    every = [one["Id"] for one in first["records"] + second["records"]]
    assert len(set(every)) == 2200
    small = org.call(
        "GET", "/query", params={"q": where}, headers={"Sforce-Query-Options": "batchSize=1"}
    ).json()
    assert len(small["records"]) == 200
    wrong = org.call("GET", "/query/01gSb0000000000-2000")
    assert error(wrong)[:2] == (400, "INVALID_QUERY_LOCATOR")


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=80)
)
def test_any_name_is_found_again(org, name):
    """Names in any script, by an equality; ends are trimmed as Salesforce does."""
    from simple_salesforce.format import quote_soql_value

    answer = org.call("POST", "/sobjects/Account", json.loads(json.dumps({"Name": name})))
    if not name.strip():
        return
    made = answer.json()["id"]
    where = f"SELECT Id FROM Account WHERE Name = {quote_soql_value(name.strip())}"
    assert {"Id": made} in org.found(where)
