"""The desk: making, changing and removing sources, and their secrets."""

from datetime import timedelta

import pytest

from fakes.hub import BASE_URL, LARGEST, START
from inkwire.errors import Conflict, Forbidden, InvalidInput, NotFound
from inkwire.model.access import Caller, Scope
from inkwire.model.source import ManagedBy
from inkwire.sources.desk import FILE, MAX_VALID_SECRETS, SourceChange, SourceDraft

EDITOR = Caller(actor="user:ada", scopes=frozenset({Scope.SOURCES_READ, Scope.SOURCES_WRITE}))
READER = Caller(actor="user:bob", scopes=frozenset({Scope.SOURCES_READ}))
NOBODY = Caller(actor="user:eve", scopes=frozenset())
SECRETS = {"primary": "primary-key-1"}


def draft(**changes):
    """A draft that is right, with changes."""
    given = {"id": "acme-main", "provider": "acme", "name": "Acme", "secrets": SECRETS, **changes}
    return SourceDraft(**given)


def audits(rooms):
    """Actions in the audit log, oldest first."""
    return [(e.actor, e.action, e.target) for e in reversed(rooms.store.access.audit())]


def opened(rooms, source_id="acme-main"):
    """Valid secrets of a source as (role, value, expires_at), newest first."""
    secrets = rooms.store.sources.open_secrets(rooms.clock.now()).get(source_id, ())
    return [(s.role, s.value.decode(), s.expires_at) for s in secrets]


def test_a_source_is_made_with_defaults_filled_in(rooms):
    """Settings are complete, the limit is the hub's, and what is stored is what is returned."""
    source, _ = rooms.desk.create(EDITOR, draft(settings={"strict": "yes"}))
    assert source.settings == {
        "tolerance_s": 300,
        "strict": True,
        "header": "X-Acme",
        "encoding": "hex",
    }
    assert source.max_body_bytes == LARGEST
    assert source.managed_by is ManagedBy.CONSOLE
    assert source.created_at == START
    assert rooms.desk.get(READER, "acme-main") == source
    assert rooms.desk.all(READER) == [source]


def test_a_secret_that_the_receiver_chooses_is_made_up_and_told_once(rooms):
    """Generated secrets come back from create alone; given ones never do."""
    source, generated = rooms.desk.create(EDITOR, draft())
    assert generated.keys() == {"token"}
    assert ("token", generated["token"], None) in opened(rooms)
    assert "primary-key-1" not in repr(source)
    assert generated["token"] not in repr(rooms.desk.get(READER, "acme-main"))
    _, none = rooms.desk.create(EDITOR, draft(id="b", secrets={**SECRETS, "token": "mine"}))
    assert none == {}
    assert ("token", "mine", None) in opened(rooms, "b")


def test_every_wrong_field_is_named_at_once(rooms):
    """One answer names all that is wrong, and nothing is kept."""
    with pytest.raises(InvalidInput) as caught:
        rooms.desk.create(
            EDITOR,
            draft(
                id="No",
                name="",
                settings={"tolerance_s": 0, "colour": "red"},
                secrets={"secondary": "short", "other": "x" * 20},
                event_types=("lost",),
                document_ids=("",),
                max_body_bytes=LARGEST + 1,
            ),
        )
    assert caught.value.fields.keys() == {
        "id",
        "name",
        "settings.tolerance_s",
        "settings.colour",
        "secrets.primary",
        "secrets.secondary",
        "secrets.other",
        "event_types",
        "document_ids",
        "max_body_bytes",
    }
    assert "there are: primary, secondary, token" in caught.value.fields["secrets.other"]
    assert rooms.desk.all(READER) == []
    assert audits(rooms) == []


@pytest.mark.parametrize(
    ("provider", "said"), [("nope", "there are: acme"), ("silent", "no webhooks")]
)
def test_a_provider_that_cannot_be_received_is_refused(rooms, provider, said):
    """An unknown provider, or one that sends nothing, is a wrong field."""
    with pytest.raises(InvalidInput) as caught:
        rooms.desk.create(EDITOR, draft(provider=provider, id="No"))
    assert said in caught.value.fields["provider"]
    assert "id" in caught.value.fields


def test_an_id_is_taken_once(rooms):
    """A second source of the same id is a conflict and leaves the first alone."""
    first, _ = rooms.desk.create(EDITOR, draft())
    with pytest.raises(Conflict):
        rooms.desk.create(EDITOR, draft(name="Other"))
    assert rooms.desk.get(READER, "acme-main") == first


def test_a_change_touches_the_given_fields_alone(rooms):
    """Absent fields stay, settings are laid over, None goes back to the default."""
    old, _ = rooms.desk.create(
        EDITOR, draft(settings={"strict": True, "tolerance_s": 9}, event_types=("acme.lost",))
    )
    rooms.clock.advance(seconds=5)
    new = rooms.desk.update(
        EDITOR,
        "acme-main",
        SourceChange(name="Acme 2", settings={"tolerance_s": None, "encoding": "base64"}),
    )
    assert new.name == "Acme 2"
    assert new.event_types == ("acme.lost",)
    assert new.settings == {**old.settings, "tolerance_s": 300, "encoding": "base64"}
    assert new.updated_at == START + timedelta(seconds=5)
    assert rooms.desk.get(READER, "acme-main") == new
    entry = rooms.store.access.audit()[0]
    assert entry.detail == {"changed": "name, settings.encoding, settings.tolerance_s"}


def test_a_wrong_change_changes_nothing(rooms):
    """If one field is wrong the right ones are not kept either."""
    old, _ = rooms.desk.create(EDITOR, draft())
    with pytest.raises(InvalidInput) as caught:
        rooms.desk.update(
            EDITOR, "acme-main", SourceChange(name="New", settings={"encoding": "rot13"})
        )
    assert caught.value.fields == {"settings.encoding": "must be one of: hex, base64"}
    assert rooms.desk.get(READER, "acme-main") == old


def test_a_change_to_the_same_leaves_no_trace(rooms):
    """Saving a form unchanged writes neither row nor audit entry."""
    old, _ = rooms.desk.create(EDITOR, draft())
    rooms.clock.advance(seconds=5)
    assert rooms.desk.update(EDITOR, "acme-main", SourceChange(name="Acme")) == old
    assert rooms.desk.resume(EDITOR, "acme-main") == old
    assert len(audits(rooms)) == 1


def test_pause_and_resume(rooms):
    """A paused source is marked, and resumed again; each has its audit entry."""
    rooms.desk.create(EDITOR, draft())
    assert rooms.desk.pause(EDITOR, "acme-main").paused
    assert rooms.desk.get(READER, "acme-main").paused
    assert not rooms.desk.resume(EDITOR, "acme-main").paused
    actions = [action for _, action, _ in audits(rooms)]
    assert actions == ["source.create", "source.pause", "source.resume"]


def test_delete_removes_the_source_and_its_secrets(rooms):
    """Nothing of the source is left to prove a request with."""
    rooms.desk.create(EDITOR, draft())
    rooms.desk.delete(EDITOR, "acme-main")
    assert rooms.desk.all(READER) == []
    assert opened(rooms) == []
    assert audits(rooms)[-1] == ("user:ada", "source.delete", "acme-main")


def test_rotation_overlaps(rooms):
    """The old secret of that role ends after the overlap, other roles stay."""
    rooms.desk.create(EDITOR, draft())
    info, told = rooms.desk.rotate(
        EDITOR, "acme-main", role="primary", value="primary-key-2", overlap_s=3600
    )
    assert told is None
    assert info.role == "primary"
    ends = START + timedelta(hours=1)
    assert ("primary", "primary-key-1", ends) in opened(rooms)
    assert ("primary", "primary-key-2", None) in opened(rooms)
    assert [role for role, _, end in opened(rooms) if end is None].count("token") == 1
    rooms.clock.advance(seconds=3600)
    assert "primary-key-1" not in [value for _, value, _ in opened(rooms)]


def test_rotation_without_overlap_ends_the_old_at_once(rooms):
    """After a leak the old secret is worth nothing from that moment."""
    rooms.desk.create(EDITOR, draft())
    rooms.desk.rotate(EDITOR, "acme-main", role="primary", value="primary-key-2", overlap_s=0)
    assert [v for r, v, _ in opened(rooms) if r == "primary"] == ["primary-key-2"]


def test_rotation_makes_a_secret_up_only_where_the_receiver_chooses(rooms):
    """Without a value, a token is made up and told; a vendor's key cannot be."""
    rooms.desk.create(EDITOR, draft())
    _, told = rooms.desk.rotate(EDITOR, "acme-main", role="token", value=None, overlap_s=0)
    assert ("token", told, None) in opened(rooms)
    with pytest.raises(InvalidInput) as caught:
        rooms.desk.rotate(EDITOR, "acme-main", role="primary", value=None, overlap_s=-1)
    assert caught.value.fields.keys() == {"value", "overlap_s"}
    assert "Acme's console" in caught.value.fields["value"]


@pytest.mark.parametrize("overlap_s", [-1, 30 * 86400 + 1])
def test_an_overlap_is_at_most_thirty_days(rooms, overlap_s):
    """The bound holds at both ends, and a refused rotation keeps nothing."""
    rooms.desk.create(EDITOR, draft())
    before = opened(rooms)
    with pytest.raises(InvalidInput, match="30 days"):
        rooms.desk.rotate(
            EDITOR, "acme-main", role="primary", value="primary-key-2", overlap_s=overlap_s
        )
    assert opened(rooms) == before


def test_an_unknown_role_is_refused_with_those_there_are(rooms):
    """A misspelt role is named, not stored where nothing looks for it."""
    rooms.desk.create(EDITOR, draft())
    with pytest.raises(InvalidInput) as caught:
        rooms.desk.rotate(EDITOR, "acme-main", role="prime", value="x" * 20, overlap_s=0)
    assert "primary, secondary, token" in caught.value.fields["role"]


def test_valid_secrets_of_a_role_are_bounded(rooms):
    """Each valid secret costs an HMAC for every request, so their number is limited."""
    rooms.desk.create(EDITOR, draft())
    for number in range(MAX_VALID_SECRETS - 1):
        rooms.desk.rotate(
            EDITOR, "acme-main", role="primary", value=f"primary-key-{number}", overlap_s=60
        )
    with pytest.raises(Conflict, match="remove one"):
        rooms.desk.rotate(EDITOR, "acme-main", role="primary", value="one-too-many", overlap_s=60)
    rooms.desk.rotate(EDITOR, "acme-main", role="primary", value="the-only-one", overlap_s=0)
    assert [v for r, v, _ in opened(rooms) if r == "primary"] == ["the-only-one"]


def test_the_last_needed_secret_cannot_be_removed(rooms):
    """Removing it would refuse every request; an older or optional one may go."""
    source, _ = rooms.desk.create(EDITOR, draft(secrets={**SECRETS, "secondary": "secondary1"}))
    ids = {secret.role: secret.id for secret in source.secrets}
    with pytest.raises(Conflict, match="overlap of 0"):
        rooms.desk.remove_secret(EDITOR, "acme-main", ids["primary"])
    rooms.desk.remove_secret(EDITOR, "acme-main", ids["secondary"])
    rooms.desk.rotate(EDITOR, "acme-main", role="primary", value="primary-key-2", overlap_s=60)
    rooms.desk.remove_secret(EDITOR, "acme-main", ids["primary"])
    assert sorted(role for role, _, _ in opened(rooms)) == ["primary", "token"]
    with pytest.raises(NotFound):
        rooms.desk.remove_secret(EDITOR, "acme-main", ids["primary"])


def test_an_expired_secret_does_not_count_as_the_one_that_is_left(rooms):
    """The last valid secret stays even while expired ones are still listed."""
    rooms.desk.create(EDITOR, draft())
    info, _ = rooms.desk.rotate(
        EDITOR, "acme-main", role="primary", value="primary-key-2", overlap_s=60
    )
    rooms.clock.advance(seconds=61)
    with pytest.raises(Conflict):
        rooms.desk.remove_secret(EDITOR, "acme-main", info.id)


def test_a_secret_in_its_overlap_does_not_count_as_the_one_that_is_left(rooms):
    """The current secret stays while the other only lives until its overlap ends."""
    rooms.desk.create(EDITOR, draft())
    info, _ = rooms.desk.rotate(
        EDITOR, "acme-main", role="primary", value="primary-key-2", overlap_s=3600
    )
    with pytest.raises(Conflict, match="overlap ends"):
        rooms.desk.remove_secret(EDITOR, "acme-main", info.id)
    assert info.id in {secret.id for secret in rooms.desk.get(EDITOR, "acme-main").secrets}


@pytest.mark.parametrize(
    "act",
    [
        lambda desk, caller: desk.create(caller, draft(id="other")),
        lambda desk, caller: desk.update(caller, "acme-main", SourceChange(name="X")),
        lambda desk, caller: desk.pause(caller, "acme-main"),
        lambda desk, caller: desk.resume(caller, "acme-main"),
        lambda desk, caller: desk.delete(caller, "acme-main"),
        lambda desk, caller: desk.rotate(
            caller, "acme-main", role="primary", value="primary-key-2", overlap_s=0
        ),
        lambda desk, caller: desk.remove_secret(caller, "acme-main", "sec_1"),
        lambda desk, caller: desk.holds(caller, {"acme-main": SECRETS}),
    ],
)
def test_changes_need_the_scope(rooms, act):
    """Every change is refused without sources:write, and leaves nothing behind."""
    rooms.desk.create(EDITOR, draft())
    before, log = rooms.desk.all(READER), audits(rooms)
    with pytest.raises(Forbidden, match="sources:write"):
        act(rooms.desk, READER)
    assert rooms.desk.all(READER) == before
    assert audits(rooms) == log


def test_reading_needs_the_scope(rooms):
    """Without sources:read nothing is shown."""
    for act in (rooms.desk.all, rooms.desk.activity, lambda c: rooms.desk.get(c, "acme-main")):
        with pytest.raises(Forbidden, match="sources:read"):
            act(NOBODY)


@pytest.mark.parametrize("wrong", ["nope", "a\x00b", "\ud800", "x" * 500, ""])
def test_an_unknown_id_is_not_found_whatever_it_holds(rooms, wrong):
    """Characters that a store would choke on are an unknown id like any other."""
    with pytest.raises(NotFound):
        rooms.desk.get(READER, wrong)
    with pytest.raises(NotFound):
        rooms.desk.delete(EDITOR, wrong)


def test_what_the_file_declares_is_changed_there_alone(rooms):
    """Other callers get a conflict that names inkwire.toml; the file's own apply may."""
    rooms.desk.create(
        FILE, draft(managed_by=ManagedBy.FILE, secrets={**SECRETS, "token": "token-1"})
    )
    for act in (
        lambda: rooms.desk.update(EDITOR, "acme-main", SourceChange(name="X")),
        lambda: rooms.desk.pause(EDITOR, "acme-main"),
        lambda: rooms.desk.delete(EDITOR, "acme-main"),
        lambda: rooms.desk.rotate(EDITOR, "acme-main", role="token", value="t", overlap_s=0),
    ):
        with pytest.raises(Conflict, match=r"inkwire\.toml"):
            act()
    assert rooms.desk.update(FILE, "acme-main", SourceChange(name="X")).name == "X"


def test_only_the_file_declares(rooms):
    """Nobody else can make a source read-only, or take one from the file."""
    with pytest.raises(Conflict):
        rooms.desk.create(EDITOR, draft(managed_by=ManagedBy.FILE))
    rooms.desk.create(EDITOR, draft())
    with pytest.raises(Conflict):
        rooms.desk.update(EDITOR, "acme-main", SourceChange(managed_by=ManagedBy.FILE))
    with pytest.raises(Conflict):
        rooms.desk.undeclare(EDITOR, "acme-main")


def test_the_manual_names_the_real_address(rooms):
    """The operator copies the URL from the manual, so it must be this source's."""
    source, _ = rooms.desk.create(EDITOR, draft())
    assert rooms.desk.url("acme-main") == f"{BASE_URL}/in/acme-main"
    manual = rooms.desk.manual(source)
    assert f"`{BASE_URL}/in/acme-main`" in manual
    assert "{" not in manual


def test_activity_tells_of_each_source(rooms):
    """A source that received something says when."""
    rooms.desk.create(EDITOR, draft())
    rooms.receive()
    assert rooms.desk.activity(READER)["acme-main"].last_receipt_at == START


def test_secrets_never_show_in_a_repr(rooms):
    """Drafts are logged and shown in tracebacks; their secrets are not."""
    assert "primary-key-1" not in repr(draft())
