"""The folder tree, names that Box takes whatever they come from, and patches of metadata: pure."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.errors import Permanent
from inkwire.integrations.box_salesforce.claiming import owner_of, patch
from inkwire.integrations.box_salesforce.settings import DEFAULT_TREE
from inkwire.integrations.box_salesforce.tree import Level, candidates, clean, parse, rendered
from inkwire.providers.settings import list_of

ID = "006xx0000012345AAA"
texts = st.text(max_size=400) | st.text(alphabet='/\\<>:|?*". \t\n\u0000\u200d\ud800x', max_size=30)


def units(text):
    """UTF-16 units, which is what the strictest counts."""
    return len(text.encode("utf-16-le")) // 2


def fits(name):
    """The rules of Box for a name, said once more."""
    assert 0 < units(name) <= 255
    assert not set(name) & set('/\\<>:|?*"')
    assert name == name.strip()
    assert name not in {".", ".."}
    assert not any(ord(one) < 32 or 0x7F <= ord(one) < 0xA0 for one in name)
    name.encode()


@given(texts)
def test_whatever_a_record_is_called_its_folder_has_a_name(name):
    """R69: no name of a record is one that Box refuses."""
    fits(clean(name, instead=ID))
    for one in candidates(name, ID):
        fits(one)


@given(texts)
def test_a_clean_name_stays_as_it_is(name):
    """So that a folder is not renamed for ever."""
    once = clean(name, instead=ID)
    assert clean(once, instead=ID) == once


@given(texts)
def test_the_last_name_is_this_record_s_only(name):
    """It holds the whole id."""
    found = candidates(name, ID)
    assert len(set(found)) == len(found)
    assert ID in found[-1]


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("Acme", "Acme"),
        (" Acme / Renewal 2026 ", "Acme - Renewal 2026"),
        ("a\\b<c>d:e|f?g*h", "a-b-c-d-e-f-g-h"),
        ("株式会社アクメ 更新", "株式会社アクメ 更新"),
        ("شركة أكمي", "شركة أكمي"),
        ("👩‍👩‍👧 GmbH", "👩‍👩‍👧 GmbH"),
        ("Zu\u0308rich", "Zürich"),
        ("two\r\nlines", "two lines"),
        ("Inc.", "Inc"),
        ("x" * 300, "x" * 255),
        (".", ID),
        ("..", ID),
        ("", ID),
        (" \u0000 ", ID),
        ("///", ID),
    ],
)
def test_names(name, cleaned):
    """What becomes of names that people give."""
    assert clean(name, instead=ID) == cleaned


def test_a_second_record_of_one_name_has_the_end_of_its_id():
    """And it still fits when the name alone fills what Box allows."""
    assert candidates("Acme", ID) == ("Acme", "Acme (345AAA)", f"Acme ({ID})")
    long = candidates("x" * 300, ID)
    assert [len(one) for one in long] == [255, 255, 255]
    assert long[1].endswith("x (345AAA)")


def test_a_record_without_a_name_has_its_id():
    """There is always something to call it."""
    assert candidates("", ID) == (ID, f"{ID} (345AAA)", f"{ID} ({ID})")


def test_the_default_tree():
    """R66: the one of the seed."""
    found = parse(list_of(DEFAULT_TREE))
    assert found.account == Level(above=(), name="{Account.Name}", below=())
    assert found.opportunity == Level(
        above=(), name="{Opportunity.Name}", below=(("Contracts",), ("Proposals",))
    )
    assert found.objects == ("Account", "Opportunity")


def test_an_account_has_what_stands_in_lines_without_an_opportunity():
    """Folders above, between and below the records' own."""
    found = parse(
        [
            "EMEA/{Account.Name}/Master/Signed",
            "EMEA/{Account.Name}/Deals/{Opportunity.Name} (deal)/Contracts",
            "EMEA/{Account.Name}/Deals/{Opportunity.Name} (deal)",
        ]
    )
    assert found.account == Level(
        above=("EMEA",), name="{Account.Name}", below=(("Master", "Signed"),)
    )
    assert found.opportunity == Level(
        above=("Deals",), name="{Opportunity.Name} (deal)", below=(("Contracts",),)
    )


def test_one_object_only():
    """A name of a record is no template, even if it looks like one."""
    assert parse(["{Account.Name}/Contracts"]).objects == ("Account",)
    both = parse(["{Account.Name} - {Opportunity.Name}"])
    assert both.objects == ("Opportunity",)
    assert both.opportunity is not None
    names = {"Account": "Acme", "Opportunity": "{Account.Name}"}
    assert rendered(both.opportunity.name, names) == "Acme - {Account.Name}"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "1 to 50 lines"),
        (["{Account.Owner}/x"], "no {Account.Owner}"),
        (["Contracts"], "neither"),
        (["{Account.Name}//x"], "no name that Box takes"),
        (["{Account.Name}/.."], "no name that Box takes"),
        (["{Account.Name}/a:b"], "no name that Box takes"),
        (["{Account.Name/x"], "no name that Box takes"),
        (["{Account.Name}/" + "x/" * 20], "folders deep"),
        (["{Account.Name}/x", "EMEA/{Account.Name}/y"], "several folders"),
        (["{Account.Name}/x", "Deals/{Opportunity.Name}"], "does not stand below"),
    ],
)
def test_a_tree_that_means_nothing_is_told_with_the_way_out(lines, told):
    """Each message names what is wrong."""
    with pytest.raises(Permanent, match=told.replace("{", r"\{").replace("}", r"\}")):
        parse(lines)


@given(st.lists(st.text(alphabet=string.printable, max_size=40), max_size=5))
def test_no_text_of_the_settings_breaks_it(lines):
    """It is a tree, or a sentence."""
    try:
        parse(lines)
    except Permanent as error:
        assert error.message


# --- patches of metadata

instances = st.dictionaries(st.text("ab~/_", min_size=1, max_size=4), st.text(max_size=5))


def patched(there, operations):
    """RFC 6902, as far as it is used."""
    made = dict(there)
    for one in operations:
        key = one["path"][1:].replace("~1", "/").replace("~0", "~")
        if one["op"] == "test":
            assert made[key] == one["value"]
        else:
            assert (key in made) == (one["op"] == "replace")
            made[key] = one["value"]
    return made


@given(instances, instances)
def test_a_patch_makes_of_what_is_there_what_it_should_be(there, values):
    """What is not ours stays, and each change tests what it replaces."""
    operations = patch(there, values)
    assert patched(there, operations) == {**there, **values}
    assert patch({**there, **values}, values) == []
    replaced = [one["path"] for one in operations if one["op"] == "replace"]
    assert [one["path"] for one in operations if one["op"] == "test"] == replaced


def test_whose_an_instance_is():
    """The first field that is filled; ids of 15 and of 18 characters are one."""
    fields = ("opportunity_id", "record_id", "account_id")
    assert owner_of({"opportunity_id": "", "record_id": " 006A ", "account_id": "001"}, fields) == (
        "006A"
    )
    assert owner_of({}, fields) == ""
